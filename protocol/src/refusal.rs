//! The closed list of refusals: a command or question is answered with a no, and the connection lives.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Millis;
use crate::item::Item;
use crate::principal::{Actor, Assignee, Principal};

/// Why not. What does not exist and what one may not see are the same answer: `not_found` (R52).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Refusal {
    /// There is no such thing, or none that you may see.
    NotFound,
    /// You see it, but this is for somebody else to do.
    Forbidden,
    /// A field's value cannot be used.
    Invalid {
        /// Which field.
        field: String,
        /// What is wrong with it, for the developer who reads it.
        problem: String,
    },
    /// Somebody else holds it already (E11).
    AlreadyAssigned {
        /// Who.
        to: Assignee,
        /// Who assigned it.
        by: Actor,
        /// When.
        at: Millis,
    },
    /// The assignee may not see the conversation, or cannot be granted it (E1).
    AssigneeNotMember,
    /// It is archived; unarchive it in the same command (E14).
    ConversationArchived,
    /// Something was received that you have not seen (E9).
    UnseenActivity {
        /// What you missed, oldest first, at most 20.
        missed: Vec<Item>,
    },
    /// The row has changed since; read it and decide again.
    Stale {
        /// Its `rev` now.
        rev: u64,
    },
    /// The organization has this switched off.
    FeatureDisabled,
    /// The organization would be left without an admin (E5).
    LastAdmin,
    /// They own endpoints; say who gets them (E4, E6).
    TransferRequired,
    /// Nobody would be left who may see it (E19).
    WouldOrphan,
    /// Your access comes from an endpoint or a team and ends there, not here.
    DerivedAccess {
        /// Where it comes from.
        from: Principal,
    },
    /// Several endpoints could be used; say which (R63).
    EndpointRequired,
    /// The id or address is taken.
    AlreadyExists,
    /// This `ref` was used for another command before.
    RefReused,
    /// Too many commands or questions of this session wait for their answer.
    TooManyInFlight,
    /// What you may see changed while this was answered.
    AccessChanged,
    /// The hub could not reach what it needs. Nothing happened, unless the database was lost just as it committed; the
    /// same `ref` does it once either way.
    Unavailable,
}

impl Refusal {
    /// Whether sending the very same again can help.
    pub fn retry(&self) -> bool {
        match self {
            Self::TooManyInFlight | Self::AccessChanged | Self::Unavailable => true,
            Self::NotFound
            | Self::Forbidden
            | Self::Invalid { .. }
            | Self::AlreadyAssigned { .. }
            | Self::AssigneeNotMember
            | Self::ConversationArchived
            | Self::UnseenActivity { .. }
            | Self::Stale { .. }
            | Self::FeatureDisabled
            | Self::LastAdmin
            | Self::TransferRequired
            | Self::WouldOrphan
            | Self::DerivedAccess { .. }
            | Self::EndpointRequired
            | Self::AlreadyExists
            | Self::RefReused => false,
        }
    }

    /// Its code on the wire and in metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::Invalid { .. } => "invalid",
            Self::AlreadyAssigned { .. } => "already_assigned",
            Self::AssigneeNotMember => "assignee_not_member",
            Self::ConversationArchived => "conversation_archived",
            Self::UnseenActivity { .. } => "unseen_activity",
            Self::Stale { .. } => "stale",
            Self::FeatureDisabled => "feature_disabled",
            Self::LastAdmin => "last_admin",
            Self::TransferRequired => "transfer_required",
            Self::WouldOrphan => "would_orphan",
            Self::DerivedAccess { .. } => "derived_access",
            Self::EndpointRequired => "endpoint_required",
            Self::AlreadyExists => "already_exists",
            Self::RefReused => "ref_reused",
            Self::TooManyInFlight => "too_many_in_flight",
            Self::AccessChanged => "access_changed",
            Self::Unavailable => "unavailable",
        }
    }

    /// A field's value cannot be used.
    pub fn invalid(field: &'static str, problem: &str) -> Self {
        Self::Invalid { field: field.into(), problem: problem.into() }
    }
}
