//! What a client may ask the hub to do. Every command is durable before it is answered, and a command
//! with the same `ref` happens once.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::directory::{EndpointKind, Features, OrganizationKind, Policy, Role};
use crate::id::{ConversationId, EndpointId, TeamId, TeammateId};
use crate::item::Content;
use crate::principal::{AssignTo, Assignee, Principal};

/// What to do when something was received that the sender has not seen (E9).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUnseen {
    /// Refuse with `unseen_activity` and what was missed.
    #[default]
    Hold,
    /// Send all the same.
    Send,
}

/// A change of several fields at once; what is left out stays as it is (C2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConversationUpdate {
    /// Archive (`true`) or unarchive (`false`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
    /// Who shall hold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<AssignTo>,
    /// Tags to add (R43).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add_tags: Vec<String>,
    /// Tags to remove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove_tags: Vec<String>,
    /// Make the assignee a member if need be and allowed (E1).
    #[serde(default)]
    pub grant: bool,
    /// When archiving: the number of the newest item seen (E9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u32>,
    /// When archiving: archive although something unseen was received.
    #[serde(default)]
    pub force: bool,
}

/// A teammate to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewTeammate {
    /// The id that tokens will name as `sub`; made by the hub when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<TeammateId>,
    /// Their name.
    pub name: String,
    /// Their role. The first active teammate is an admin whatever this says (R37).
    #[serde(default = "member")]
    pub role: Role,
    /// They work here already: no invitation is pending. Only the back office may say so.
    #[serde(default)]
    pub active: bool,
}

fn member() -> Role {
    Role::Member
}

/// A team to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewTeam {
    /// Made by the hub when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<TeamId>,
    /// Its name.
    pub name: String,
    /// Who is in it.
    #[serde(default)]
    pub members: Vec<TeammateId>,
}

/// An endpoint to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewEndpoint {
    /// Made by the hub when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<EndpointId>,
    /// What it is.
    pub kind: EndpointKind,
    /// The phone number, or the link's slug.
    pub address: String,
    /// What teammates call it.
    pub label: String,
    /// Who it belongs to; the organization by default (R48).
    #[serde(default = "organization")]
    pub owner: Principal,
    /// Who else is a member.
    #[serde(default)]
    pub members: Vec<Principal>,
    /// Send new conversations to the owner's mailbox (R20).
    #[serde(default)]
    pub auto_assign: bool,
}

fn organization() -> Principal {
    Principal::Organization
}

/// An organization to be, with whoever and whatever it starts with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewOrganization {
    /// Its name.
    pub name: String,
    /// What it is set up as.
    pub kind: OrganizationKind,
    /// Its teammates.
    #[serde(default)]
    pub teammates: Vec<NewTeammate>,
    /// Its teams.
    #[serde(default)]
    pub teams: Vec<NewTeam>,
    /// Its endpoints.
    #[serde(default)]
    pub endpoints: Vec<NewEndpoint>,
}

/// Something that came in from a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Inbound {
    /// The address it was sent to: a phone number or a link's slug.
    pub to: String,
    /// The address it came from.
    pub from: String,
    /// The sender's name, when the provider knows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What came in: a message, a call or a voicemail.
    pub content: Content,
}

/// What a client may ask the hub to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "do")]
pub enum Command {
    /// Begin a conversation with a contact (R51). It is not auto-assigned.
    #[serde(rename = "conversation.start")]
    Start {
        /// The endpoint it goes through; may be left out when only one can be used (R63).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from_endpoint: Option<EndpointId>,
        /// The contact's address.
        to: String,
        /// The contact's name, if they are new.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The first message.
        body: String,
    },
    /// Begin a conversation between teammates (R69).
    #[serde(rename = "conversation.start_team")]
    StartTeam {
        /// What it is about.
        title: String,
        /// Its members besides the creator.
        members: Vec<Principal>,
    },
    /// Take a conversation (R2, E11).
    #[serde(rename = "conversation.claim")]
    Claim {
        /// Which.
        conversation: ConversationId,
        /// Refuse with `stale` unless the row has this `rev`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect_rev: Option<u64>,
    },
    /// Assign a conversation, or take it from its assignee (R3, R4, R19).
    #[serde(rename = "conversation.assign")]
    Assign {
        /// Which.
        conversation: ConversationId,
        /// Who shall hold it.
        to: AssignTo,
        /// Make the assignee a member if need be and allowed (E1).
        #[serde(default)]
        grant: bool,
        /// Refuse with `stale` unless the row has this `rev`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect_rev: Option<u64>,
    },
    /// Put a conversation away; clears its assignee (R9).
    #[serde(rename = "conversation.archive")]
    Archive {
        /// Which.
        conversation: ConversationId,
        /// The number of the newest item seen (E9).
        seen: u32,
        /// Archive although something unseen was received.
        #[serde(default)]
        force: bool,
        /// Refuse with `stale` unless the row has this `rev`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect_rev: Option<u64>,
    },
    /// Bring a conversation back into a mailbox, by its endpoint's rule.
    #[serde(rename = "conversation.unarchive")]
    Unarchive {
        /// Which.
        conversation: ConversationId,
        /// Refuse with `stale` unless the row has this `rev`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect_rev: Option<u64>,
    },
    /// Change several fields at once, or none (C2).
    #[serde(rename = "conversation.update")]
    Update {
        /// Which.
        conversation: ConversationId,
        /// What to change.
        #[serde(flatten)]
        update: ConversationUpdate,
        /// Refuse with `stale` unless the row has this `rev`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect_rev: Option<u64>,
    },
    /// Give up one's own membership of a conversation.
    #[serde(rename = "conversation.leave")]
    Leave {
        /// Which.
        conversation: ConversationId,
    },
    /// Add a conversation tag; a new word makes a new tag (R46).
    #[serde(rename = "tag.add")]
    AddTag {
        /// Which conversation.
        conversation: ConversationId,
        /// The tag.
        tag: String,
    },
    /// Remove a conversation tag.
    #[serde(rename = "tag.remove")]
    RemoveTag {
        /// Which conversation.
        conversation: ConversationId,
        /// The tag.
        tag: String,
    },
    /// Add members to a conversation.
    #[serde(rename = "members.add")]
    AddMembers {
        /// Which conversation.
        conversation: ConversationId,
        /// Who shall be a member.
        members: Vec<Principal>,
    },
    /// Remove members who were added to a conversation.
    #[serde(rename = "members.remove")]
    RemoveMembers {
        /// Which conversation.
        conversation: ConversationId,
        /// Who shall no longer be a member.
        members: Vec<Principal>,
    },
    /// Write to the contact, or to the teammates of a team conversation.
    #[serde(rename = "message.send")]
    Send {
        /// In which conversation.
        conversation: ConversationId,
        /// The text.
        body: String,
        /// The number of the newest item seen (E9).
        seen: u32,
        /// What to do when something unseen was received.
        #[serde(default)]
        on_unseen: OnUnseen,
        /// Leave an archived conversation archived (C13).
        #[serde(default)]
        stay_archived: bool,
    },
    /// Write an internal note. Does not reopen an archived conversation.
    #[serde(rename = "note.post")]
    PostNote {
        /// In which conversation.
        conversation: ConversationId,
        /// The text.
        body: String,
    },
    /// Remember how far one has read. Never goes back.
    #[serde(rename = "read.mark")]
    MarkRead {
        /// Which conversation.
        conversation: ConversationId,
        /// The number of the newest item read.
        number: u32,
    },
    /// Star a conversation for oneself, or take the star away (C20).
    #[serde(rename = "star.set")]
    SetStar {
        /// Which conversation.
        conversation: ConversationId,
        /// Whether it is starred.
        starred: bool,
    },
    /// Ask somebody to join (R33).
    #[serde(rename = "teammate.invite")]
    Invite(NewTeammate),
    /// Somebody who was invited has come (R37).
    #[serde(rename = "teammate.activate")]
    Activate {
        /// Who.
        teammate: TeammateId,
    },
    /// Shut a teammate out for a time (E7).
    #[serde(rename = "teammate.suspend")]
    Suspend {
        /// Who.
        teammate: TeammateId,
    },
    /// Let a suspended teammate back in.
    #[serde(rename = "teammate.restore")]
    Restore {
        /// Who.
        teammate: TeammateId,
    },
    /// A teammate leaves for good (R34, E6).
    #[serde(rename = "teammate.remove")]
    Remove {
        /// Who.
        teammate: TeammateId,
        /// Who gets what they own; needed if they own an endpoint.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transfer_to: Option<Assignee>,
        /// `transfer_to` gets their assignments too, as far as it may see them; otherwise they go to the shared mailbox.
        #[serde(default)]
        transfer_assignments: bool,
    },
    /// Make a teammate an admin, or no longer one (R38).
    #[serde(rename = "teammate.set_role")]
    SetRole {
        /// Who.
        teammate: TeammateId,
        /// Their role from now on.
        role: Role,
    },
    /// Make a team.
    #[serde(rename = "team.create")]
    CreateTeam(NewTeam),
    /// Change a team's name or who is in it.
    #[serde(rename = "team.update")]
    UpdateTeam {
        /// Which.
        team: TeamId,
        /// Its name from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Who joins it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        add: Vec<TeammateId>,
        /// Who leaves it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        remove: Vec<TeammateId>,
    },
    /// Delete a team (E4).
    #[serde(rename = "team.delete")]
    DeleteTeam {
        /// Which.
        team: TeamId,
        /// Who gets the endpoints it owns; needed if it owns any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transfer_to: Option<Principal>,
    },
    /// Make an endpoint.
    #[serde(rename = "endpoint.create")]
    CreateEndpoint(NewEndpoint),
    /// Change an endpoint's label, owner, members or auto-assignment (R24, R53, E3, E15).
    #[serde(rename = "endpoint.update")]
    UpdateEndpoint {
        /// Which.
        endpoint: EndpointId,
        /// What teammates call it from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// Who it belongs to from now on; switches auto-assignment off unless that is set too (R23).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<Principal>,
        /// All its additional members from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        members: Option<Vec<Principal>>,
        /// Whether new conversations go straight to the owner's mailbox.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        auto_assign: Option<bool>,
        /// Do it even if nobody is left who may see it (E19).
        #[serde(default)]
        force: bool,
    },
    /// Change what is switched on and how borderline cases are handled.
    #[serde(rename = "organization.set")]
    SetOrganization {
        /// What is switched on from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        features: Option<Features>,
        /// How borderline cases are handled from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy: Option<Policy>,
    },
    /// Set up an organization. Only for the back office.
    #[serde(rename = "organization.provision")]
    Provision(NewOrganization),
    /// Deliver something that came in from a contact (R65). Only for the back office.
    #[serde(rename = "inbound.receive")]
    Receive(Inbound),
}

impl Command {
    /// The one conversation that it is about, if it names one.
    pub fn conversation(&self) -> Option<&ConversationId> {
        match self {
            Self::Claim { conversation, .. }
            | Self::Assign { conversation, .. }
            | Self::Archive { conversation, .. }
            | Self::Unarchive { conversation, .. }
            | Self::Update { conversation, .. }
            | Self::Leave { conversation }
            | Self::AddTag { conversation, .. }
            | Self::RemoveTag { conversation, .. }
            | Self::AddMembers { conversation, .. }
            | Self::RemoveMembers { conversation, .. }
            | Self::Send { conversation, .. }
            | Self::PostNote { conversation, .. }
            | Self::MarkRead { conversation, .. }
            | Self::SetStar { conversation, .. } => Some(conversation),
            Self::Start { .. }
            | Self::StartTeam { .. }
            | Self::Invite(_)
            | Self::Activate { .. }
            | Self::Suspend { .. }
            | Self::Restore { .. }
            | Self::Remove { .. }
            | Self::SetRole { .. }
            | Self::CreateTeam(_)
            | Self::UpdateTeam { .. }
            | Self::DeleteTeam { .. }
            | Self::CreateEndpoint(_)
            | Self::UpdateEndpoint { .. }
            | Self::SetOrganization { .. }
            | Self::Provision(_)
            | Self::Receive(_) => None,
        }
    }
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "done", rename_all = "snake_case")]
pub enum Done {
    /// All was as asked already, or an automation met a human's decision (E12). Nothing happened.
    Unchanged,
    /// A conversation changed, or began.
    Conversation {
        /// Which.
        conversation: ConversationId,
        /// The `rev` of its row now.
        rev: u64,
        /// The number of the item that was added.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
    },
    /// What one keeps about a conversation changed.
    Marked {
        /// Which conversation.
        conversation: ConversationId,
    },
    /// A teammate changed, or was invited.
    Teammate {
        /// Who.
        teammate: TeammateId,
    },
    /// A team changed, or was made.
    Team {
        /// Which.
        team: TeamId,
    },
    /// An endpoint changed, or was made.
    Endpoint {
        /// Which.
        endpoint: EndpointId,
        /// Who can still see some of its conversations because they were added to them one by one (E15).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        still: Vec<StillMember>,
    },
    /// The organization changed, or was set up.
    Organization,
}

/// What a command did, and what it took to make it true everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outcome {
    /// What it did.
    #[serde(flatten)]
    pub done: Done,
    /// If somebody may see less because of it: how it was enforced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revoked>,
}

impl From<Done> for Outcome {
    fn from(done: Done) -> Self {
        Self { done, revoked: None }
    }
}

/// A loss of access, enforced: no node writes anything more of what was lost to who lost it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Revoked {
    /// Nodes that have applied the loss, or that are known only by their beats to be past it.
    pub nodes: u32,
    /// Nodes that did not answer, and may write nothing any more because their lease has run out.
    pub lapsed: u32,
    /// Sessions that lost something, on the nodes that answered.
    pub sessions: u32,
    /// From the moment when it was durable, in milliseconds.
    pub took_ms: u32,
}

/// Somebody who was added to single conversations of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StillMember {
    /// Who.
    pub member: Principal,
    /// How many of its open conversations.
    pub conversations: u64,
}
