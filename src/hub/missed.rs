//! What a teammate missed since a position: the current rows of what changed, from memory and from the database, as of one
//! snapshot.

use std::collections::BTreeSet;

use rotunda_protocol::conversation::Listed;
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::item::Item;
use rotunda_protocol::push::{CatchUp, Marked};
use rotunda_protocol::refusal::Refusal;

use super::place::Place;
use super::read;
use super::room::View;
use crate::domain::catch_up;
use crate::domain::event::Seq;
use crate::store::{ChangedSince, Needs, StoreError};

/// Items of one open conversation that a catch-up brings along; with more, the client opens it again.
const ITEMS_MAX: u32 = 200;
/// Events after a snapshot that are looked through; one that is further behind is not used.
const NEWER_MAX: u32 = 256;

/// Why no state was made of a snapshot.
pub(super) enum Unmade {
    /// What is not in memory has changed since the snapshot, by this event or one before it: the database says how it
    /// is now, and nobody how it was. It has to be made of a snapshot that has this event.
    Overtaken(Seq),
    /// The database did not answer.
    Failed(StoreError),
}

impl From<StoreError> for Unmade {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// What changed since a position, as of a snapshot; none if that cannot be told.
pub(super) async fn since(
    place: &Place,
    view: &View,
    since: Seq,
    open: &[ConversationId],
) -> Result<Option<CatchUp>, Unmade> {
    let (organization, teammate) = (&view.organization, &place.teammate);
    if !catch_up::is_possible(organization, teammate, since) {
        return Ok(None);
    }
    let limit = place.room.services.limits.catch_up_rows_max;
    let Some(mut rows) = catch_up::conversations(organization, teammate, since, limit) else {
        return Ok(None);
    };
    let Some(changed) = changed_since(place, view, since, limit).await? else { return Ok(None) };
    is_current(place, view, changed.head).await?;
    let (visible, hidden) = sort_out(place, view, &changed).await?;
    let Some(items) = missed_items(place, view, since, open).await? else { return Ok(None) };
    rows.extend(archived_rows(view, place, &changed));
    let listed: BTreeSet<ConversationId> = rows.iter().map(|row| row.conversation.id.clone()).collect();
    let marks = changed.marked.iter().filter(|(id, _)| visible.contains(id) && !listed.contains(id));
    Ok(Some(CatchUp {
        conversations: rows,
        gone: changed.departed.iter().filter(|id| hidden.contains(*id)).cloned().collect(),
        marks: marks.map(|(id, mark)| Marked { conversation: id.clone(), mark: *mark }).collect(),
        items,
        ..catch_up::directory(organization, &view.presence, teammate, since)
    }))
}

/// What changed that is not in memory; none if that is too much.
async fn changed_since(
    place: &Place,
    view: &View,
    since: Seq,
    limit: usize,
) -> Result<Option<ChangedSince>, StoreError> {
    if view.unheld.is_known(&place.teammate, since) {
        return Ok(Some(ChangedSince::default()));
    }
    let limit = u32::try_from(limit).unwrap_or(u32::MAX);
    place.room.services.store.changed_since(view.organization.id(), &place.teammate, since, limit).await
}

/// Whether what the database said as of a position, of what is not in memory, is so as of the snapshot.
async fn is_current(place: &Place, view: &View, head: Seq) -> Result<(), Unmade> {
    let (organization, snapshot) = (&view.organization, view.organization.seq());
    if head <= snapshot {
        return Ok(());
    }
    let newer = place.room.services.store.events(organization.id(), snapshot, NEWER_MAX).await?;
    let looked_at = newer.last().map_or(snapshot, |(seq, _)| *seq);
    if looked_at < head {
        return Err(Unmade::Overtaken(head));
    }
    let overtakes = |event| catch_up::overtakes(organization, &place.teammate, event);
    match newer.iter().rev().find(|(seq, event)| *seq <= head && overtakes(event)) {
        Some((seq, _)) => Err(Unmade::Overtaken(*seq)),
        None => Ok(()),
    }
}

/// Archived conversations that changed, as of the snapshot: what changed later comes as a push.
fn archived_rows<'a>(
    view: &'a View,
    place: &'a Place,
    changed: &'a ChangedSince,
) -> impl Iterator<Item = Listed> + 'a {
    let organization = &view.organization;
    let seen = changed.archived.iter().filter(move |(conversation, seq, _)| {
        *seq <= organization.seq() && organization.can_see(&place.teammate, conversation)
    });
    seen.map(move |(conversation, _, mark)| Listed {
        conversation: conversation.to_wire(organization.assignment()),
        mark: *mark,
    })
}

/// Of the conversations that the teammate left or marked, those they may see as of the snapshot, and those they may not.
async fn sort_out(
    place: &Place,
    view: &View,
    changed: &ChangedSince,
) -> Result<(BTreeSet<ConversationId>, BTreeSet<ConversationId>), Unmade> {
    let organization = &view.organization;
    let (mut visible, mut hidden, mut elsewhere) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    let mut sort = |id: &ConversationId, sees: bool| {
        if sees {
            visible.insert(id.clone())
        } else {
            hidden.insert(id.clone())
        };
    };
    for id in changed.departed.iter().chain(changed.marked.iter().map(|(id, _)| id)) {
        match organization.conversation(id) {
            Some(open) => sort(id, organization.can_see(&place.teammate, open)),
            None => elsewhere.push(id.clone()),
        }
    }
    if !elsewhere.is_empty() {
        let needs = Needs { conversations: elsewhere, ..Needs::default() };
        for stored in place.room.services.store.find(organization.id(), needs).await?.conversations {
            if stored.changed > organization.seq() {
                return Err(Unmade::Overtaken(stored.changed));
            }
            let sees = organization.can_see(&place.teammate, &stored.conversation);
            sort(&stored.conversation.id, sees);
        }
    }
    Ok((visible, hidden))
}

/// New items of the conversations that the session has open and may see; none if they cannot all be told.
async fn missed_items(
    place: &Place,
    view: &View,
    since: Seq,
    open: &[ConversationId],
) -> Result<Option<Vec<Item>>, StoreError> {
    let organization = &view.organization;
    let mut missed = Vec::new();
    for id in open {
        if organization.shelf().get(id).is_some_and(|kept| kept.changed <= since) {
            continue;
        }
        match read::visible(&place.room, view, &place.teammate, id).await {
            Ok(_) => {}
            Err(Refusal::NotFound) => continue,
            // It is newer than the snapshot, or cannot be read: what was missed of it cannot be told.
            Err(_) => return Ok(None),
        }
        let store = &place.room.services.store;
        let newest = store.items(organization.id(), id, 1, u32::MAX, ITEMS_MAX).await?;
        let all_new = newest.iter().all(|(_, seq)| *seq > since);
        if all_new && newest.len() >= ITEMS_MAX as usize {
            return Ok(None);
        }
        let told = newest.into_iter().filter(|(_, seq)| *seq > since && *seq <= organization.seq());
        missed.extend(told.map(|(item, _)| item));
    }
    Ok(Some(missed))
}
