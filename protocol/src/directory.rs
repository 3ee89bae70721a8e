//! What an organization consists of besides its conversations: itself, teammates, teams, endpoints.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{EndpointId, OrganizationId, TeamId, TeammateId};
use crate::principal::Principal;

/// Whether a practice was set up for one person or for a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrganizationKind {
    /// One person's practice: assignment starts switched off (R14).
    Solo,
    /// A team's practice.
    Team,
}

/// What is switched on in an organization. Switches are enforced by the hub, not by clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Features {
    /// Conversations can be claimed and assigned (R14).
    pub assignment: bool,
    /// Teammates see who is viewing a conversation (C5).
    pub viewing: bool,
    /// Teammates see who is typing in a conversation (C5).
    pub typing: bool,
}

/// What happens when a conversation is assigned to somebody who may not see it (E1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AssignNonMember {
    /// The command is refused.
    Reject,
    /// A command that says `grant` makes the assignee a member of the conversation.
    Grant,
}

/// How an organization wants borderline cases handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    /// Assigning to a non-member (E1).
    pub assign_non_member: AssignNonMember,
    /// A staff message that reopens an archived conversation assigns it to its sender (E13).
    pub reply_claims: bool,
}

/// The organization as its teammates see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name.
    pub name: String,
    /// What it was set up as.
    pub kind: OrganizationKind,
    /// What is switched on.
    pub features: Features,
    /// How borderline cases are handled.
    pub policy: Policy,
    /// There is at least one other teammate: clients show "Assigned to me" (R8) and team settings (R31).
    pub multi_teammate: bool,
}

/// What a teammate may do besides working on conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Works.
    Member,
    /// Also administers teammates, teams and endpoints; sees no conversation by that (R41).
    Admin,
}

/// Where a teammate is in their time at the organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TeammateStatus {
    /// Asked to join, has not come yet.
    Invited,
    /// Works here.
    Active,
    /// Cannot sign in and sees nothing; keeps memberships and assignments (E7).
    Suspended,
    /// Has left. Kept so that history can name them.
    Removed,
}

/// A teammate as the roster shows them to every teammate (R16).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Teammate {
    /// Their id.
    pub id: TeammateId,
    /// Their name.
    pub name: String,
    /// What replaces the assignment icon (R17).
    pub initials: String,
    /// Where they are in their time here.
    pub status: TeammateStatus,
    /// Their role; only admins and the teammate themselves are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// A team, visible to every teammate (R16, R27).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Its name.
    pub name: String,
    /// Who is in it.
    pub members: Vec<TeammateId>,
    /// It no longer exists; kept so that history can name it.
    pub deleted: bool,
}

/// What kind of address contacts use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointKind {
    /// A secure link: app-to-app conversations only (R50).
    Link,
    /// A phone number: messages, calls and voicemails (R58).
    Phone,
}

/// An endpoint, visible to those who may use it and to admins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// What it is.
    pub kind: EndpointKind,
    /// The phone number in E.164 form, or the link's slug.
    pub address: String,
    /// What teammates call it.
    pub label: String,
    /// Who it belongs to; always a member (R56).
    pub owner: Principal,
    /// Who else may use it and see what comes through it (R57).
    pub members: Vec<Principal>,
    /// New conversations go straight to the owner's mailbox (R20).
    pub auto_assign: bool,
}
