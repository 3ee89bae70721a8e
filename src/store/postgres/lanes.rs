//! One at a time: what this process appends to one log waits here, in the order in which it was asked for, and
//! not in the database, where each would hold a connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use dashmap::DashMap;
use rotunda_protocol::id::OrganizationId;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// A lane for each log that somebody appends to.
#[derive(Debug, Default)]
pub(super) struct Lanes(DashMap<OrganizationId, Arc<Mutex<()>>>);

/// The head of a lane, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    guard: Option<OwnedMutexGuard<()>>,
    lanes: Arc<Lanes>,
    organization: OrganizationId,
}

/// A place that one waits for. It keeps its order, whoever waits for it and however late.
pub(super) type Waiting = Pin<Box<dyn Future<Output = Place> + Send>>;

impl Lanes {
    /// Goes to the end of a lane.
    pub(super) async fn join(self: &Arc<Self>, organization: &OrganizationId) -> Waiting {
        let (lanes, organization) = (Arc::clone(self), organization.clone());
        let lane = Arc::clone(self.0.entry(organization.clone()).or_default().value());
        let mut waiting = Box::pin(lane.lock_owned());
        // Asked once, it has its place in the queue.
        let first = futures::poll!(waiting.as_mut());
        Box::pin(async move {
            let guard = match first {
                Poll::Ready(guard) => guard,
                Poll::Pending => waiting.await,
            };
            Place { guard: Some(guard), lanes, organization }
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.guard = None;
        // Whoever waits holds the lane too; without anybody it goes.
        self.lanes.0.remove_if(&self.organization, |_, lane| Arc::strong_count(lane) == 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lane_keeps_its_order_and_goes_with_the_last() {
        let lanes = Arc::new(Lanes::default());
        let organization: OrganizationId = "o".parse().unwrap();
        let first = lanes.join(&organization).await.await;
        let (mut second, mut third) = (lanes.join(&organization).await, lanes.join(&organization).await);
        assert!(
            futures::poll!(&mut third).is_pending(),
            "asked before the second, and behind it all the same"
        );
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        let second = second.await;
        assert!(futures::poll!(&mut third).is_pending());
        drop(second);
        drop(third.await);
        assert!(lanes.0.is_empty());
    }

    #[tokio::test]
    async fn who_stops_waiting_leaves_the_lane() {
        let lanes = Arc::new(Lanes::default());
        let organization: OrganizationId = "o".parse().unwrap();
        let first = lanes.join(&organization).await.await;
        let second = lanes.join(&organization).await;
        let third = lanes.join(&organization).await;
        drop(second);
        drop(first);
        drop(third.await);
        assert!(lanes.0.is_empty());
    }
}
