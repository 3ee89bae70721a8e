//! A room's lease: until when a node may show anything of an organization to anybody.
//!
//! A node asks the store how far the log is, applies what is missing, and with that its lease lasts for a fixed time
//! from when it had *asked*. A node that was stopped, or has lost the store, finds its lease run out by its own clock,
//! and shows nothing until it has caught up. So whoever has waited for a lease's time after a loss of access became
//! durable knows that no node shows what was lost, without hearing from it. No two clocks are ever compared.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How long a lease lasts: longer than a database takes to restart, and short enough to wait for.
pub(super) const LEASE: Duration = Duration::from_secs(5);

/// No other node can change anything, so there is nothing that could run out.
const FOREVER: u64 = u64::MAX;

/// Until when something may be shown.
#[derive(Debug)]
pub(super) struct Lease {
    origin: Instant,
    /// Milliseconds from the origin.
    until: AtomicU64,
}

impl Lease {
    /// The lease of a node that is alone with its database.
    pub(super) fn forever() -> Self {
        Self { origin: Instant::now(), until: AtomicU64::new(FOREVER) }
    }

    /// A lease that has yet to begin.
    pub(super) fn none_yet() -> Self {
        Self { origin: Instant::now(), until: AtomicU64::new(0) }
    }

    /// One that runs out when this one does now, and is extended by itself.
    pub(super) fn fork(&self) -> Self {
        Self { origin: self.origin, until: AtomicU64::new(self.until.load(Ordering::Relaxed)) }
    }

    /// What is known may be shown.
    pub(super) fn is_valid(&self) -> bool {
        self.lasts(Duration::ZERO)
    }

    /// It will still be valid after this time.
    pub(super) fn lasts(&self, time: Duration) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        until == FOREVER || self.millis(Instant::now() + time) < until
    }

    /// Everything that was durable at this time has been applied.
    pub(super) fn extend(&self, asked: Instant) {
        self.until.fetch_max(self.millis(asked + LEASE), Ordering::Relaxed);
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from((at - self.origin).as_millis()).unwrap_or(FOREVER - 1)
    }
}

/// A lease, shared by a room and its sessions.
pub(super) type SharedLease = Arc<Lease>;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_lasts_from_when_the_node_asked_and_not_from_when_it_heard() {
        let lease = Lease::none_yet();
        assert!(!lease.is_valid(), "nobody has confirmed anything");
        let asked = Instant::now();
        tokio::time::advance(LEASE / 2).await;
        lease.extend(asked);
        assert!(lease.is_valid() && !lease.lasts(LEASE / 2));
        let fork = lease.fork();
        tokio::time::advance(LEASE * 49 / 100).await;
        assert!(lease.is_valid() && fork.is_valid());
        tokio::time::advance(LEASE / 100).await;
        assert!(!lease.is_valid() && !fork.is_valid());
        lease.extend(asked);
        assert!(!lease.is_valid(), "an old confirmation confirms nothing now");
        fork.extend(Instant::now());
        assert!(fork.is_valid() && !lease.is_valid(), "each goes on by itself");
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_is_alone_needs_no_lease() {
        let lease = Lease::forever();
        tokio::time::advance(Duration::from_hours(365 * 24)).await;
        lease.extend(Instant::now());
        assert!(lease.is_valid());
    }
}
