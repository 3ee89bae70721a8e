//! A node's lease: until when it may show anything to anybody.
//!
//! A node beats in the store, and each beat says: what was in the log when I asked the last time, I have applied.
//! With that its lease goes on for a fixed time from when it had *asked*. A node that was stopped, or has lost
//! the store, finds its lease run out by its own clock, and writes nothing of what it knows until it has caught
//! up. So whoever has waited for a lease's time after a loss of access became durable knows that no node writes
//! what was lost, without hearing from it. No two clocks are ever compared.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// No other node can change anything, so there is nothing that could run out.
const FOREVER: u64 = u64::MAX;

/// Until when a node may show anything.
#[derive(Debug)]
pub struct Lease {
    origin: Instant,
    /// Milliseconds from the origin.
    until: AtomicU64,
}

impl Lease {
    /// The lease of a node that is alone with its database.
    pub fn forever() -> Arc<Self> {
        Arc::new(Self { origin: Instant::now(), until: AtomicU64::new(FOREVER) })
    }

    /// A lease that has yet to begin.
    pub(super) fn none_yet() -> Arc<Self> {
        Arc::new(Self { origin: Instant::now(), until: AtomicU64::new(0) })
    }

    /// The node may show what it knows.
    pub fn is_valid(&self) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        until == FOREVER || self.millis(Instant::now()) < until
    }

    /// Everything that was durable at this time has been applied, and the store knows that it was.
    pub(super) fn extend(&self, asked: Instant, length: Duration) {
        self.until.store(self.millis(asked + length), Ordering::Relaxed);
    }

    /// When it runs out unless it is extended.
    pub(super) fn until(&self) -> Instant {
        self.origin + Duration::from_millis(self.until.load(Ordering::Relaxed).min(u64::from(u32::MAX)))
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from((at - self.origin).as_millis()).unwrap_or(FOREVER - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_lasts_from_when_the_node_asked_and_not_from_when_it_heard() {
        let lease = Lease::none_yet();
        assert!(!lease.is_valid(), "nobody has confirmed anything");
        let asked = Instant::now();
        tokio::time::advance(Duration::from_secs(3)).await;
        lease.extend(asked, Duration::from_secs(5));
        assert!(lease.is_valid());
        tokio::time::advance(Duration::from_millis(1_999)).await;
        assert!(lease.is_valid());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!lease.is_valid());
        lease.extend(asked, Duration::from_secs(5));
        assert!(!lease.is_valid(), "an old confirmation confirms nothing now");
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_is_alone_needs_no_lease() {
        let lease = Lease::forever();
        tokio::time::advance(Duration::from_secs(365 * 24 * 3_600)).await;
        assert!(lease.is_valid());
    }
}
