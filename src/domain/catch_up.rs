//! Catch-up: the current state of what changed since a position, as far as a teammate may see it now.
//! What it costs is proportional to what changed, not to what happened, and not to what there is.

use rotunda_protocol::conversation::Listed;
use rotunda_protocol::directory::Teammate;
use rotunda_protocol::id::TeammateId;
use rotunda_protocol::push::CatchUp;

use super::conversation::{Conversation, State};
use super::event::{Event, Seq};
use super::organization::Organization;
use super::presence::Presence;

/// Whether a client that knows everything up to `since` can be caught up at all.
pub fn is_possible(organization: &Organization, teammate: &TeammateId, since: Seq) -> bool {
    since >= organization.reset()
        && since <= organization.seq()
        && !organization.rejoined_since(teammate, since)
}

/// What there is to know besides conversations: all of it for a start from nothing (`since` 0), else what changed.
pub fn directory(
    organization: &Organization,
    presence: &Presence,
    teammate: &TeammateId,
    since: Seq,
) -> CatchUp {
    let admin = organization.is_admin(teammate);
    // Whoever became an admin since then learns everybody's role.
    let mine_changed =
        organization.teammates().any(|kept| kept.value.id == *teammate && kept.changed > since);
    let roster = organization.teammates().filter(|kept| kept.changed > since || mine_changed);
    CatchUp {
        access: organization.access(teammate),
        organization: (organization.profile_changed() > since).then(|| organization.to_wire()).flatten(),
        teammates: roster.map(|kept| kept.value.to_wire(admin || kept.value.id == *teammate)).collect(),
        teams: organization
            .teams()
            .filter(|kept| kept.changed > since)
            .map(|kept| kept.value.to_wire())
            .collect(),
        endpoints: organization
            .endpoints()
            .filter(|endpoint| organization.can_view(teammate, endpoint))
            .map(super::directory::Endpoint::to_wire)
            .collect(),
        presence: presence.seen_by(organization, teammate),
        ..CatchUp::default()
    }
}

/// The open conversations that changed, as far as the teammate may see them; none if more than `limit` changed.
pub fn conversations(
    organization: &Organization,
    teammate: &TeammateId,
    since: Seq,
    limit: usize,
) -> Option<Vec<Listed>> {
    let mut rows = Vec::new();
    for (looked_at, kept) in organization.shelf().changed_since(since).enumerate() {
        if looked_at >= limit {
            return None;
        }
        if organization.can_see(teammate, &kept.value) {
            rows.push(listed(organization, teammate, &kept.value));
        }
    }
    Some(rows)
}

/// Whether an event after this state changed what was archived in it, where the teammate could see it: what a database
/// says from then on is not what was so, and memory does not hold it.
pub fn overtakes(organization: &Organization, teammate: &TeammateId, event: &Event) -> bool {
    event.conversations().any(|change| {
        let was = change.before.as_ref().filter(|before| before.state == State::Archived);
        organization.conversation(&change.after.id).is_none()
            && was.is_some_and(|was| organization.can_see(teammate, &change.after.as_it_was(was)))
    })
}

/// An open conversation as a teammate's list shows it.
pub fn listed(organization: &Organization, teammate: &TeammateId, conversation: &Conversation) -> Listed {
    Listed {
        conversation: conversation.to_wire(organization.assignment()),
        mark: organization.shelf().mark(&conversation.id, teammate),
    }
}

/// A teammate as they see themselves.
pub fn you(organization: &Organization, teammate: &TeammateId) -> Option<Teammate> {
    organization.teammate(teammate).map(|known| known.to_wire(true))
}
