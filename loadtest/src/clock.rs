//! The time by which everything is measured: the machine's monotonic clock, the same for all processes.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since the machine began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct Nanos(pub(crate) u64);

impl Nanos {
    /// Now.
    pub(crate) fn now() -> Self {
        let time = clock_gettime(ClockId::Monotonic);
        let part = |number: i64| u64::try_from(number).unwrap_or(0);
        Self(part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec))
    }

    /// This much later.
    #[must_use]
    pub(crate) fn plus(self, more: std::time::Duration) -> Self {
        Self(self.0 + u64::try_from(more.as_nanos()).unwrap_or(u64::MAX / 2))
    }

    /// How long after another moment; nothing if it is before.
    pub(crate) fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// How long until this moment; nothing once it has passed.
    pub(crate) fn left(self) -> std::time::Duration {
        self.since(Self::now())
    }
}

/// Milliseconds since 1970 UTC.
#[expect(clippy::disallowed_methods, reason = "this is the edge where time enters")]
pub(crate) fn wall_millis() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
