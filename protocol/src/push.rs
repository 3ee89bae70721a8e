//! What the hub tells a session without being asked.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Millis;
use crate::conversation::{Conversation, Happening, Listed, Mark, Was};
use crate::directory::{Endpoint, Organization, Team, Teammate};
use crate::id::{ConversationId, EndpointId, TeamId, TeammateId};
use crate::item::Item;
use crate::principal::Actor;

/// What someone is writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TypingMode {
    /// A message.
    Reply,
    /// An internal note.
    Note,
}

/// Someone is typing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Typing {
    /// Who.
    pub teammate: TeammateId,
    /// What.
    pub mode: TypingMode,
}

/// Who is at a conversation, whole: it replaces what was known before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConversationPresence {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Who has it open, sorted.
    pub viewing: Vec<TeammateId>,
    /// Who is typing in it, sorted.
    pub typing: Vec<Typing>,
}

/// One's own mark on a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Marked {
    /// Which conversation.
    pub conversation: ConversationId,
    /// The mark.
    pub mark: Mark,
}

/// Who is here, as far as one may see it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Presence {
    /// Teammates with a session, sorted.
    pub here: Vec<TeammateId>,
    /// Conversations with somebody at them.
    pub conversations: Vec<ConversationPresence>,
}

/// What one may see as a whole. A client that drops every row that comes neither through one of these
/// endpoints, nor lists oneself, one of these teams or the organization among its `members`, holds
/// exactly what it may hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Access {
    /// Endpoints all of whose conversations one may see, sorted.
    pub endpoints: Vec<EndpointId>,
    /// Teams one is in, sorted.
    pub teams: Vec<TeamId>,
}

/// The current state of what changed since a position: the whole of what one may see now of it, and what was lost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CatchUp {
    /// What one may see as a whole, now. Rows outside it are to be dropped.
    pub access: Access,
    /// The organization, if it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<Organization>,
    /// Teammates who changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teammates: Vec<Teammate>,
    /// Teams that changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<Team>,
    /// All endpoints one may see or administer, now. Others are to be dropped.
    pub endpoints: Vec<Endpoint>,
    /// Conversations that changed, with one's own marks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conversations: Vec<Listed>,
    /// One's own marks that changed, on conversations that are not listed here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Marked>,
    /// Conversations one was removed from and may not see now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<ConversationId>,
    /// New items of the conversations one has open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
    /// Who is here, now.
    pub presence: Presence,
}

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "push", rename_all = "snake_case")]
pub enum Push {
    /// A conversation changed or came into view: its whole row.
    Conversation {
        /// The row now.
        conversation: Conversation,
        /// What happened, in order; empty when one was only given access.
        happened: Vec<Happening>,
        /// Who did it.
        by: Actor,
        /// When.
        at: Millis,
        /// What it was, for those who could see it then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<Was>,
    },
    /// A new item of a conversation that this session has open.
    Item {
        /// The item.
        item: Item,
    },
    /// One may no longer see this conversation. Says nothing else on purpose.
    Gone {
        /// Which.
        conversation: ConversationId,
    },
    /// What one may see as a whole changed: drop rows that fall outside, list what was granted.
    Scope {
        /// What one may see as a whole, now.
        access: Access,
        /// What came in addition.
        granted: Access,
        /// What was lost.
        revoked: Access,
        /// All endpoints one may see or administer, now.
        endpoints: Vec<Endpoint>,
    },
    /// A teammate joined or changed.
    Teammate {
        /// As they are now.
        teammate: Teammate,
    },
    /// A team was made or changed.
    Team {
        /// As it is now.
        team: Team,
    },
    /// An endpoint was made or changed.
    Endpoint {
        /// As it is now.
        endpoint: Endpoint,
    },
    /// The organization changed: its name, capabilities, switches.
    Organization {
        /// As it is now.
        organization: Organization,
    },
    /// What one keeps about a conversation changed, or comes along with a row that is new in view.
    Mark(Marked),
    /// Teammates came or went. Told together, some time after: a short absence is not told at all.
    Here {
        /// Who has a session now and had none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        came: Vec<TeammateId>,
        /// Who had a session and has none now.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        went: Vec<TeammateId>,
    },
    /// Who is at a conversation changed.
    Presence(ConversationPresence),
}
