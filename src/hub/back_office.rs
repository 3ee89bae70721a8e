//! What the back office reads: an organization as it is, whoever may see what.

use rotunda_protocol::conversation::Conversation;
use rotunda_protocol::directory::{Endpoint, Organization, Team, Teammate};
use rotunda_protocol::id::{ConversationId, OrganizationId};
use rotunda_protocol::item::Item;
use rotunda_protocol::refusal::Refusal;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Hub, read};
use crate::domain::directory::Endpoint as EndpointState;
use crate::domain::event::{Event, Seq};
use crate::store::Needs;

/// What an organization consists of besides its conversations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Directory {
    /// The organization.
    pub organization: Organization,
    /// Everybody who ever worked there, with their roles.
    pub teammates: Vec<Teammate>,
    /// Its teams, the deleted ones too.
    pub teams: Vec<Team>,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
}

impl Hub {
    /// What an organization consists of.
    pub async fn directory(&self, organization: &OrganizationId) -> Result<Directory, Refusal> {
        let room = self.room(organization).await?;
        let view = room.fresh_view()?;
        let organization = &view.organization;
        Ok(Directory {
            organization: organization.to_wire().ok_or(Refusal::NotFound)?,
            teammates: organization.teammates().map(|kept| kept.value.to_wire(true)).collect(),
            teams: organization.teams().map(|kept| kept.value.to_wire()).collect(),
            endpoints: organization.endpoints().map(EndpointState::to_wire).collect(),
        })
    }

    /// Events with a number above `after`, in order, at most `limit`.
    pub async fn events(
        &self,
        organization: &OrganizationId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<(Seq, Event)>, Refusal> {
        let room = self.room(organization).await?;
        if room.fresh_view()?.organization.profile().is_none() {
            return Err(Refusal::NotFound);
        }
        let found = self.services.store.events(organization, after, limit).await;
        found.map_err(|error| read::fault(&room, &error))
    }

    /// A conversation, whoever may see it, archived or not.
    pub async fn conversation(
        &self,
        organization: &OrganizationId,
        conversation: &ConversationId,
    ) -> Result<Conversation, Refusal> {
        let room = self.room(organization).await?;
        let view = room.fresh_view()?;
        let assignment = view.organization.assignment();
        if let Some(open) = view.organization.conversation(conversation) {
            return Ok(open.to_wire(assignment));
        }
        let needs = Needs { conversations: vec![conversation.clone()], ..Needs::default() };
        let found = self.services.store.find(organization, needs).await;
        let found = found.map_err(|error| read::fault(&room, &error))?.conversations.into_iter().next();
        found.map(|stored| stored.conversation.to_wire(assignment)).ok_or(Refusal::NotFound)
    }

    /// A conversation's items with a number below `before` (its newest without one), oldest first, at most `limit`.
    pub async fn items(
        &self,
        organization: &OrganizationId,
        conversation: &ConversationId,
        before: Option<u32>,
        limit: u16,
    ) -> Result<Vec<Item>, Refusal> {
        self.conversation(organization, conversation).await?;
        let room = self.room(organization).await?;
        let view = room.fresh_view()?;
        read::items(&room, &view, conversation, before.unwrap_or(u32::MAX), limit.into()).await
    }

    /// The store answers, and what this node knows is fresh.
    pub async fn is_ready(&self) -> bool {
        if self.services.peers.as_ref().is_some_and(|peers| !peers.lease.is_valid()) {
            return false;
        }
        let nobody: OrganizationId = "-".parse().expect("a single character is an id");
        self.services.store.events(&nobody, Seq(0), 1).await.is_ok()
    }
}
