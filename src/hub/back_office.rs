//! What the back office reads: an organization as it is, whoever may see what.

use rotunda_protocol::conversation::Conversation;
use rotunda_protocol::directory::{Endpoint, Organization, Team, Teammate};
use rotunda_protocol::id::{ConversationId, OrganizationId};
use rotunda_protocol::item::Item;
use rotunda_protocol::refusal::Refusal;
use serde::Serialize;
use utoipa::ToSchema;

use super::Hub;
use crate::domain::event::{Event, Seq};

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
    pub async fn directory(&self, _organization: &OrganizationId) -> Result<Directory, Refusal> {
        unimplemented!()
    }

    /// Events with a number above `after`, in order, at most `limit`.
    pub async fn events(
        &self,
        _organization: &OrganizationId,
        _after: Seq,
        _limit: u32,
    ) -> Result<Vec<(Seq, Event)>, Refusal> {
        unimplemented!()
    }

    /// A conversation, whoever may see it, archived or not.
    pub async fn conversation(
        &self,
        _organization: &OrganizationId,
        _conversation: &ConversationId,
    ) -> Result<Conversation, Refusal> {
        unimplemented!()
    }

    /// A conversation's items with a number below `before` (its newest without one), oldest first, at most `limit`.
    pub async fn items(
        &self,
        _organization: &OrganizationId,
        _conversation: &ConversationId,
        _before: Option<u32>,
        _limit: u16,
    ) -> Result<Vec<Item>, Refusal> {
        unimplemented!()
    }

    /// The store answers.
    pub async fn is_ready(&self) -> bool {
        unimplemented!()
    }
}
