//! A room's lease: until when a node may show anything of an organization to anybody.
//!
//! A node asks the store how far the log is, applies what is missing, and with that its lease lasts for a fixed time
//! from when it had *asked*. A node that was stopped, or has lost the store, finds its lease run out by its own clock,
//! and shows nothing until it has caught up. So whoever has waited for a lease's time after a loss of access became
//! durable knows that no node shows what was lost, without hearing from it. No two clocks are ever compared.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rotunda_protocol::Millis;
use tokio::time::sleep;

use crate::clock;

/// How long a lease lasts: longer than a database takes to restart, and short enough to wait for.
pub(super) const LEASE: Duration = Duration::from_secs(5);
const LEASE_MILLIS: Millis = 5_000;

/// A moment by a clock that runs while the machine sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(Millis);

impl Moment {
    pub(super) fn now() -> Self {
        Self(clock::steady_millis())
    }
}

/// Until when something may be shown.
#[derive(Debug)]
pub(super) enum Lease {
    /// The node is alone with its database: nobody else can change anything.
    Forever,
    /// Milliseconds of the steady clock; another node may change something after that.
    Until(AtomicI64),
}

impl Lease {
    /// A lease that has yet to begin.
    pub(super) fn none_yet() -> Self {
        Self::Until(AtomicI64::new(Millis::MIN))
    }

    /// One that runs out when this one does now, and is extended by itself.
    pub(super) fn fork(&self) -> Self {
        match self {
            Self::Forever => Self::Forever,
            Self::Until(until) => Self::Until(AtomicI64::new(until.load(Ordering::Relaxed))),
        }
    }

    /// What is known may be shown.
    pub(super) fn is_valid(&self) -> bool {
        match self {
            Self::Forever => true,
            Self::Until(until) => Moment::now().0 < until.load(Ordering::Relaxed),
        }
    }

    /// Waits until it has run out.
    pub(super) async fn lapsed(&self) {
        let Self::Until(until) = self else { return std::future::pending().await };
        while self.is_valid() {
            let left = until.load(Ordering::Relaxed) - Moment::now().0;
            sleep(Duration::from_millis(left.max(1).unsigned_abs())).await;
        }
    }

    /// Everything that was durable at this time has been applied. True if somebody may have found the lease run out
    /// before this.
    pub(super) fn extend(&self, asked: Moment) -> bool {
        match self {
            Self::Forever => false,
            Self::Until(until) => {
                let before = until.fetch_max(asked.0 + LEASE_MILLIS, Ordering::Relaxed);
                before <= Moment::now().0
            }
        }
    }
}

/// A lease, shared by a room and its sessions.
pub(super) type SharedLease = Arc<Lease>;

#[cfg(test)]
mod tests {
    use super::*;

    fn ago(time: Duration) -> Moment {
        Moment(Moment::now().0 - Millis::try_from(time.as_millis()).unwrap())
    }

    #[test]
    fn a_lease_lasts_from_when_the_node_asked_and_not_from_when_it_heard() {
        assert_eq!(Duration::from_millis(LEASE_MILLIS.unsigned_abs()), LEASE);
        let lease = Lease::none_yet();
        assert!(!lease.is_valid(), "nobody has confirmed anything");
        assert!(lease.extend(ago(LEASE)), "that was long ago");
        assert!(!lease.is_valid());
        let fork = lease.fork();
        assert!(lease.extend(ago(LEASE / 2)), "it had not begun until now");
        assert!(lease.is_valid() && !fork.is_valid(), "each goes on by itself");
        assert!(!lease.extend(ago(LEASE)), "nobody has found it run out since");
        assert!(lease.is_valid(), "and what was confirmed since stays so");
        assert!(lease.fork().is_valid());
    }

    #[tokio::test]
    async fn who_waits_for_the_end_of_a_lease_waits_for_as_long_as_it_is_extended() {
        let lease = Lease::none_yet();
        lease.lapsed().await;
        let nearly = |left| ago(LEASE.saturating_sub(Duration::from_millis(left)));
        lease.extend(nearly(30));
        let extended = async {
            assert!(lease.is_valid());
            lease.extend(nearly(80));
        };
        let began = Moment::now();
        tokio::join!(lease.lapsed(), extended);
        assert!(!lease.is_valid() && Moment::now().0 - began.0 >= 70);
    }

    #[test]
    fn a_node_that_is_alone_needs_no_lease() {
        assert!(Lease::Forever.is_valid() && Lease::Forever.fork().is_valid());
        assert!(!Lease::Forever.extend(ago(LEASE)));
    }
}
