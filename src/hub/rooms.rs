//! The rooms of a node: at most one for each organization.

use std::sync::Arc;

use dashmap::DashMap;
use rotunda_protocol::id::OrganizationId;
use tokio::sync::OnceCell;

use super::Services;
use super::room::Room;
use crate::store::StoreError;

/// The rooms that are open or opening. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Rooms(Arc<DashMap<OrganizationId, Arc<OnceCell<Arc<Room>>>>>);

impl Rooms {
    /// The room of an organization, opened if need be. Who stops waiting does not stop it from being opened.
    pub(super) async fn open(
        &self,
        organization: &OrganizationId,
        services: &Arc<Services>,
    ) -> Result<Arc<Room>, StoreError> {
        let cell = self.0.entry(organization.clone()).or_default().clone();
        if let Some(open) = cell.get() {
            return Ok(Arc::clone(open));
        }
        let opening = self.clone().open_in(cell, organization.clone(), Arc::clone(services));
        tokio::spawn(opening).await.map_err(|failed| StoreError::Unavailable(Box::new(failed)))?
    }

    async fn open_in(
        self,
        cell: Arc<OnceCell<Arc<Room>>>,
        organization: OrganizationId,
        services: Arc<Services>,
    ) -> Result<Arc<Room>, StoreError> {
        let open = || Room::open(organization.clone(), &services, self.clone());
        let opened = cell.get_or_try_init(open).await.cloned();
        if opened.is_err() {
            // Unless somebody else is still opening it here: a room that is not on this map would be one that nobody
            // keeps up to date.
            let abandoned = |kept: &Arc<OnceCell<_>>| kept.get().is_none() && Arc::strong_count(kept) == 2;
            self.0.remove_if(&organization, |_, kept| Arc::ptr_eq(kept, &cell) && abandoned(kept));
        }
        opened
    }

    /// All that are open, or opening.
    pub(super) fn all(&self) -> Vec<(OrganizationId, Option<Arc<Room>>)> {
        self.0.iter().map(|entry| (entry.key().clone(), entry.value().get().cloned())).collect()
    }

    /// It is open, or opening.
    pub(super) fn has(&self, organization: &OrganizationId) -> bool {
        self.0.contains_key(organization)
    }

    /// A room has closed. Whoever needs it next opens it anew.
    pub(super) fn forget(&self, room: &Arc<Room>) {
        self.0
            .remove_if(&room.organization, |_, cell| cell.get().is_some_and(|open| Arc::ptr_eq(open, room)));
    }

    /// A room did not answer.
    pub(super) fn forget_if_closed(&self, room: &Arc<Room>) {
        if room.inputs.is_closed() {
            self.forget(room);
        }
    }
}
