//! The rooms of a node: at most one for each organization.

use std::sync::Arc;

use dashmap::DashMap;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use rotunda_protocol::id::OrganizationId;

use super::Services;
use super::room::Room;
use crate::store::StoreError;

/// What becomes of opening a room: the same for everybody who waits for it.
type Opened = Result<Arc<Room>, Arc<StoreError>>;

/// The rooms that are open or opening. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Rooms(Arc<DashMap<OrganizationId, Shared<BoxFuture<'static, Opened>>>>);

impl Rooms {
    /// The room of an organization, opened if need be. Who stops waiting does not stop it from being opened.
    pub(super) async fn open(&self, organization: &OrganizationId, services: &Arc<Services>) -> Opened {
        loop {
            let begin = || self.begin(organization.clone(), Arc::clone(services));
            let opening = self.0.entry(organization.clone()).or_insert_with(begin).clone();
            let room = opening.await?;
            if !room.has_ended() {
                return Ok(room);
            }
            self.forget(&room);
        }
    }

    fn begin(
        &self,
        organization: OrganizationId,
        services: Arc<Services>,
    ) -> Shared<BoxFuture<'static, Opened>> {
        let rooms = self.clone();
        let open = tokio::spawn(async move {
            // In a task of its own, so that it leaves the map whatever becomes of it.
            let open = Room::open(organization.clone(), Arc::clone(&services), rooms.clone());
            let opened = match tokio::spawn(open).await {
                Ok(opened) => opened.map_err(Arc::new),
                Err(failed) => Err(unavailable(failed)),
            };
            if let Err(error) = &opened {
                tracing::warn!(%organization, %error, "an organization cannot be opened");
                services.metrics.store_failed();
                rooms.0.remove(&organization);
            }
            opened
        });
        let opened =
            open.map(|opened| opened.unwrap_or_else(|failed| Err(unavailable(failed)))).boxed().shared();
        // Seen to its end even if nobody waits: until then it is not known which room it is.
        tokio::spawn(opened.clone().map(drop));
        opened
    }

    /// All that are open, or opening.
    pub(super) fn all(&self) -> Vec<(OrganizationId, Option<Arc<Room>>)> {
        let room =
            |opening: &Shared<_>| opening.peek().and_then(|opened: &Opened| opened.as_ref().ok().cloned());
        self.0.iter().map(|entry| (entry.key().clone(), room(entry.value()))).collect()
    }

    /// The room of an organization, once it is open; none if there is none, or it cannot be opened.
    pub(super) async fn opened(&self, organization: &OrganizationId) -> Option<Arc<Room>> {
        let opening = self.0.get(organization).map(|opening| opening.clone())?;
        opening.await.ok()
    }

    /// A room has ended. Whoever needs it next opens it anew.
    pub(super) fn forget(&self, room: &Arc<Room>) {
        let is_it = |opened: &Opened| opened.as_ref().is_ok_and(|open| Arc::ptr_eq(open, room));
        self.0.remove_if(&room.organization, |_, opening| opening.peek().is_some_and(is_it));
    }
}

fn unavailable(failed: tokio::task::JoinError) -> Arc<StoreError> {
    Arc::new(StoreError::Unavailable(Box::new(failed)))
}
