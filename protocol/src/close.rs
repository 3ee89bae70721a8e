//! The closed list of close codes. The range tells a client what to do.
//!
//! 4000–4099: reconnect now, with the cursor. 4100–4199: reconnect after a while.
//! 4200–4299: do not reconnect before something has changed (a token, the client's code).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why the hub ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CloseCode {
    /// The node is going away; another one will answer.
    Draining,
    /// The session stayed too far behind for too long.
    Behind,
    /// Nothing was heard from the client for two heartbeats.
    HeartbeatMissed,
    /// The token has expired; come back with a new one.
    TokenExpired,
    /// The hub could not reach what it needs to greet the session.
    Unavailable,
    /// The client sent more than its quota.
    QuotaExceeded,
    /// The teammate has too many sessions on this node.
    TooManySessions,
    /// A frame that cannot be read: not the subprotocol's codec, not a known kind, or cut short.
    MalformedFrame,
    /// A text frame on the MessagePack subprotocol or a binary one on JSON.
    WrongCodec,
    /// A frame above the size limit.
    FrameTooLarge,
    /// The first frame was no `hello`, or there was none in time.
    HelloExpected,
    /// The token is no token of this hub, or its subject has no access: unknown, foreign, suspended, removed.
    TokenRejected,
    /// The teammate was suspended or removed while connected.
    AccessEnded,
}

impl CloseCode {
    /// Every code there is.
    pub const ALL: [Self; 13] = [
        Self::Draining,
        Self::Behind,
        Self::HeartbeatMissed,
        Self::TokenExpired,
        Self::Unavailable,
        Self::QuotaExceeded,
        Self::TooManySessions,
        Self::MalformedFrame,
        Self::WrongCodec,
        Self::FrameTooLarge,
        Self::HelloExpected,
        Self::TokenRejected,
        Self::AccessEnded,
    ];

    /// Its number in the WebSocket close frame.
    pub fn number(self) -> u16 {
        match self {
            Self::Draining => 4000,
            Self::Behind => 4001,
            Self::HeartbeatMissed => 4002,
            Self::TokenExpired => 4003,
            Self::Unavailable => 4100,
            Self::QuotaExceeded => 4101,
            Self::TooManySessions => 4102,
            Self::MalformedFrame => 4200,
            Self::WrongCodec => 4201,
            Self::FrameTooLarge => 4202,
            Self::HelloExpected => 4203,
            Self::TokenRejected => 4204,
            Self::AccessEnded => 4205,
        }
    }

    /// Its name in the close frame's reason and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::Behind => "behind",
            Self::HeartbeatMissed => "heartbeat_missed",
            Self::TokenExpired => "token_expired",
            Self::Unavailable => "unavailable",
            Self::QuotaExceeded => "quota_exceeded",
            Self::TooManySessions => "too_many_sessions",
            Self::MalformedFrame => "malformed_frame",
            Self::WrongCodec => "wrong_codec",
            Self::FrameTooLarge => "frame_too_large",
            Self::HelloExpected => "hello_expected",
            Self::TokenRejected => "token_rejected",
            Self::AccessEnded => "access_ended",
        }
    }
}
