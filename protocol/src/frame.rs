//! Frames: what travels in one WebSocket message, either way.
//!
//! Unknown fields are ignored by both sides, and a client ignores pushes of a kind it does not know, so
//! that either side can be newer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ask::{Ask, Told};
use crate::close::CloseCode;
use crate::command::{Command, Done, Revoked};
use crate::directory::Teammate;
use crate::id::{ConversationId, OrganizationId, SessionId};
use crate::push::{CatchUp, Push, TypingMode};
use crate::refusal::Refusal;

/// A client's name for a command or question, of 1 to 64 bytes. For commands it makes a repeat harmless.
pub type Ref = String;
/// The longest `ref`, in bytes.
pub const REF_LENGTH_MAX: usize = 64;

/// A position in the organization's log, opaque: it says nothing but where to resume.
pub type Cursor = String;

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ClientFrame {
    /// The first frame of every connection.
    Hello {
        /// The session token.
        token: String,
        /// Where to resume; none to start afresh.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<Cursor>,
        /// What the session runs on, for people who look at the hub.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<String>,
        /// Conversations that the client has open, so that their missed items come along.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        open: Vec<ConversationId>,
    },
    /// A command.
    Call {
        /// The client's name for it. The same `ref` with the same command is done once, and answered again.
        r#ref: Ref,
        /// What to do.
        command: Command,
    },
    /// A question.
    Ask {
        /// The client's name for it.
        r#ref: Ref,
        /// What to tell.
        ask: Ask,
    },
    /// Something fleeting. Never answered.
    Signal {
        /// What.
        signal: Signal,
    },
    /// A new token for the same teammate, before the old one expires.
    Renew {
        /// The client's name for it.
        r#ref: Ref,
        /// The token.
        token: String,
    },
}

/// Something fleeting that others may want to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "signal", rename_all = "snake_case")]
pub enum Signal {
    /// Somebody is typing; holds for six seconds unless renewed.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// What.
        mode: TypingMode,
    },
    /// Somebody has stopped typing.
    Idle {
        /// Where.
        conversation: ConversationId,
    },
    /// The conversation is no longer open here: no more items of it, and no more viewing.
    Close {
        /// Which.
        conversation: ConversationId,
    },
}

/// How a session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Without a past: nothing is known yet; ask for lists.
    Fresh,
    /// From the cursor: what the client knew, changed by the state in this frame, is the truth.
    Resumed,
    /// The cursor cannot be resumed from: drop everything and ask for lists.
    Reset,
}

/// What a client has to keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Limits {
    /// The largest frame a client may send, in bytes.
    pub frame_bytes_max: u32,
    /// How many frames a client may send each second, on average.
    pub frames_per_second: u32,
    /// How many commands and questions may wait for an answer.
    pub in_flight_max: u32,
    /// The hub is heard from at least this often, in milliseconds; a client that hears nothing for twice as long reconnects.
    pub heartbeat_ms: u32,
}

/// What a command, a question or a renewal hears back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Answer {
    /// The command is durable, and on every node whoever lost access by it is shown nothing more.
    Done {
        /// What it did.
        done: Done,
        /// If somebody may see less because of it: how it was enforced.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revoked: Option<Revoked>,
    },
    /// The answer to a question.
    Told {
        /// What was asked for.
        told: Told,
    },
    /// The new token is in force.
    Renewed,
    /// No, and why. Nothing happened, but for what `unavailable` says.
    Refused {
        /// Why.
        refusal: Refusal,
        /// Whether sending the very same again can help.
        retry: bool,
    },
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let retry = refusal.retry();
        Self::Refused { refusal, retry }
    }
}

/// What the hub sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ServerFrame {
    /// The answer to `hello`.
    Welcome {
        /// This session.
        session: SessionId,
        /// The organization it belongs to.
        organization: OrganizationId,
        /// Whose session it is.
        you: Teammate,
        /// How it begins.
        start: Start,
        /// What there is to know at once.
        state: Box<CatchUp>,
        /// What to keep to.
        limits: Limits,
        /// The position it holds for.
        cursor: Cursor,
    },
    /// The answer to a command, a question or a renewal.
    Answer {
        /// The client's name for it.
        r#ref: Ref,
        /// The answer.
        #[serde(flatten)]
        answer: Answer,
    },
    /// News.
    Push {
        /// The news.
        #[serde(flatten)]
        push: Push,
        /// The position it holds for. Fleeting news has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<Cursor>,
    },
    /// The session was too slow for its pushes; this is what they amount to.
    CatchUp {
        /// What changed since the last cursor sent.
        state: Box<CatchUp>,
        /// The position it holds for.
        cursor: Cursor,
    },
    /// Too much has changed to tell: drop everything and ask for lists.
    Resync {
        /// What there is to know at once.
        state: Box<CatchUp>,
        /// The position it holds for.
        cursor: Cursor,
    },
    /// Nothing new; the hub is there.
    Beat,
    /// Whether the node can make sure that what it shows is current. While it cannot, it pushes nothing and
    /// refuses questions as `unavailable`; when it can again, what was missed follows.
    Freshness {
        /// It can.
        fresh: bool,
    },
    /// The hub is about to close the connection.
    Closing {
        /// Why; the close frame carries its number.
        code: CloseCode,
        /// Wait this long before reconnecting, in milliseconds; none if there is no use in it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u32>,
    },
}

/// What a frame of the hub shows of itself whatever its kind. A client reads this of a frame that it cannot
/// read as a [`ServerFrame`]: a `t` or `push` that it does not know is to be skipped, with the cursor kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Outline {
    /// What kind of frame.
    pub t: String,
    /// What kind of push, if it is one.
    #[serde(default)]
    pub push: Option<String>,
    /// The position it holds for, if it has one.
    #[serde(default)]
    pub cursor: Option<Cursor>,
}
