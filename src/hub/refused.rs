//! Refusals as their callers may hear them. A command is refused as of the position at which it was decided, and
//! heard later: who may no longer see the conversation by then is told nothing of it.

use rotunda_protocol::command::{Command, OnUnseen};
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::principal::Actor;
use rotunda_protocol::refusal::Refusal;

use super::read;
use super::room::{Room, View};

/// Items that a refusal shows of what was missed.
const MISSED_MAX: u32 = 20;

/// A refusal as its caller may hear it as of a snapshot, with what they had not seen.
pub(super) async fn as_of(
    room: &Room,
    view: &View,
    actor: &Actor,
    command: &Command,
    refusal: Refusal,
) -> Refusal {
    let Some(conversation) = command.conversation().filter(|_| tells(&refusal)) else { return refusal };
    if let Actor::Teammate(teammate) = actor
        && let Err(hidden) = read::visible(room, view, teammate, conversation).await
    {
        return hidden;
    }
    match (&refusal, seen(command)) {
        (Refusal::UnseenActivity { .. }, Some(seen)) => missed(room, view, conversation, seen).await,
        _ => refusal,
    }
}

/// It says that the caller sees the conversation, or how it is.
pub(super) fn tells(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Forbidden
        | Refusal::AlreadyAssigned { .. }
        | Refusal::AssigneeNotMember
        | Refusal::ConversationArchived
        | Refusal::UnseenActivity { .. }
        | Refusal::Stale { .. }
        | Refusal::WouldOrphan
        | Refusal::DerivedAccess { .. } => true,
        Refusal::NotFound
        | Refusal::Invalid { .. }
        | Refusal::FeatureDisabled
        | Refusal::LastAdmin
        | Refusal::TransferRequired
        | Refusal::EndpointRequired
        | Refusal::AlreadyExists
        | Refusal::RefReused
        | Refusal::TooManyInFlight
        | Refusal::AccessChanged
        | Refusal::Unavailable => false,
    }
}

/// What a guarded command's caller had seen of the conversation.
fn seen(command: &Command) -> Option<u32> {
    if let Command::Archive { seen, .. } | Command::Send { seen, on_unseen: OnUnseen::Hold, .. } = command {
        return Some(*seen);
    }
    if let Command::Update { update, .. } = command {
        return Some(update.seen.unwrap_or_default());
    }
    None
}

async fn missed(room: &Room, view: &View, conversation: &ConversationId, seen: u32) -> Refusal {
    let from = seen.saturating_add(1);
    let found = room.services.store.items(&room.organization, conversation, from, u32::MAX, MISSED_MAX).await;
    match found {
        Ok(items) => {
            let shown = items.into_iter().filter(|(_, at)| *at <= view.organization.seq());
            Refusal::UnseenActivity { missed: shown.map(|(item, _)| item).collect() }
        }
        Err(error) => read::fault(room, &error),
    }
}
