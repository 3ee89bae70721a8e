//! Why Redis is not, or no longer, what this node hears by.

use redis::{ErrorKind, RedisError};

/// What ended a session with Redis, or kept it from beginning. The next one is tried whatever it was.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Fault {
    /// Redis cannot be reached, does not answer in time, or answers no.
    #[error("{0}")]
    Redis(#[from] RedisError),
    /// The connection says nothing, and nothing that is published comes back.
    #[error("nothing that this node tells itself comes back any more")]
    Silent,
    /// The other side has ended it.
    #[error("the connection has ended")]
    Ended,
    /// The connection lives, but has lost what it was to hear.
    #[error("Redis does not hold what this node subscribed to")]
    Lost,
    /// A cluster in which organizations have no place.
    #[error("the cluster serves only a part of its slots")]
    Partial,
}

impl Fault {
    /// Redis was reached and said no: somebody has to change something, a password perhaps.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Redis(error) if matches!(
            error.kind(),
            ErrorKind::AuthenticationFailed | ErrorKind::RESP3NotSupported | ErrorKind::Server(_) | ErrorKind::Extension
        ))
    }
}
