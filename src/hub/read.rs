//! Answers to questions, from a snapshot and the store. Every answer is a function of the log up to the
//! snapshot's position, and shows what the teammate may see at that position.

use rotunda_protocol::ask::{Ask, Count, Grant, HISTORY_LIMIT_MAX, LIST_LIMIT_MAX, RowKey, Through, Told};
use rotunda_protocol::conversation::{Conversation as Row, Listed, Mark};
use rotunda_protocol::id::{ConversationId, EndpointId, TeammateId};
use rotunda_protocol::item::Item;
use rotunda_protocol::principal::{Mailbox, Principal};
use rotunda_protocol::refusal::Refusal;

use super::room::{Room, View};
use crate::domain::catch_up;
use crate::domain::conversation::Conversation;
use crate::domain::directory::Endpoint;
use crate::domain::list::{self, Selection};
use crate::domain::organization::Organization;
use crate::store::{ArchivedQuery, Needs, StoreError};

/// Text of one page of items, in bytes: with more, the page ends early, and the next one goes on. Answers that
/// wait for a client that does not read are few, and each is small.
const PAGE_BYTES_MAX: usize = 128 * 1024;
/// Mailboxes that one question may count.
const COUNTS_MAX: usize = 200;

/// Answers a question as of a snapshot.
pub(super) async fn answer(
    room: &Room,
    view: &View,
    teammate: &TeammateId,
    ask: &Ask,
) -> Result<Told, Refusal> {
    if !view.organization.is_active(teammate) {
        return Err(Refusal::NotFound);
    }
    match ask {
        Ask::List { mailbox, endpoint, after, limit } => {
            let limit = page_size(*limit, LIST_LIMIT_MAX)?;
            let after = after.as_ref();
            list_page(room, view, teammate, &Selection { mailbox, endpoint: endpoint.as_ref() }, after, limit)
                .await
        }
        Ask::Counts { mailboxes } => counts(&view.organization, teammate, mailboxes),
        Ask::Open { conversation, limit } => {
            let limit = page_size(*limit, HISTORY_LIMIT_MAX)?;
            let (found, mark) = visible(room, view, teammate, conversation).await?;
            let items = items(room, view, conversation, u32::MAX, limit.into()).await?;
            let features = view.organization.profile().ok_or(Refusal::NotFound)?.features;
            let presence = view.presence.of(conversation, features);
            let conversation = found.to_wire(view.organization.assignment());
            Ok(Told::Opened { row: Listed { conversation, mark }, items, presence })
        }
        Ask::History { conversation, before, limit } => {
            let limit = page_size(*limit, HISTORY_LIMIT_MAX)?;
            visible(room, view, teammate, conversation).await?;
            Ok(Told::History { items: items(room, view, conversation, *before, limit.into()).await? })
        }
        Ask::Access { conversation } => {
            let (found, _) = visible(room, view, teammate, conversation).await?;
            Ok(Told::Access { grants: explain(&view.organization, &found) })
        }
    }
}

fn page_size(limit: u16, max: u16) -> Result<u16, Refusal> {
    if limit == 0 || limit > max {
        return Err(Refusal::invalid("limit", &format!("1 to {max}")));
    }
    Ok(limit)
}

async fn list_page(
    room: &Room,
    view: &View,
    teammate: &TeammateId,
    selection: &Selection<'_>,
    after: Option<&RowKey>,
    limit: u16,
) -> Result<Told, Refusal> {
    let organization = &view.organization;
    // One more than asked for says whether there is a next page.
    let wanted = usize::from(limit) + 1;
    let (mut rows, more): (Vec<Listed>, bool) = if *selection.mailbox == Mailbox::None {
        archived_page(room, view, teammate, selection.endpoint, after, wanted).await?
    } else {
        let page = list::page(organization, teammate, selection, after, wanted);
        (page.iter().map(|row| catch_up::listed(organization, teammate, row)).collect(), page.len() >= wanted)
    };
    rows.truncate(limit.into());
    let next = rows.last().filter(|_| more).map(|last| key(&last.conversation));
    Ok(Told::List { rows, next })
}

fn key(row: &Row) -> RowKey {
    RowKey { activity_at: row.activity_at, conversation: row.id.clone() }
}

/// Archived conversations are in the store only. Rows that changed after the snapshot are left out: the session
/// hears of them as pushes. Says too whether there are more, be they left out or not.
async fn archived_page(
    room: &Room,
    view: &View,
    teammate: &TeammateId,
    only_endpoint: Option<&EndpointId>,
    after: Option<&RowKey>,
    wanted: usize,
) -> Result<(Vec<Listed>, bool), Refusal> {
    let organization = &view.organization;
    let mut query = ArchivedQuery {
        teammate: teammate.clone(),
        endpoints: organization.endpoints_of(teammate).map(|endpoint| endpoint.id.clone()).collect(),
        members: organization.principals_of(teammate),
        only_endpoint: only_endpoint.cloned(),
        after: after.cloned(),
        limit: u32::try_from(wanted).unwrap_or(u32::MAX),
    };
    loop {
        let found = room.services.store.archived(&room.organization, query.clone()).await;
        let found = found.map_err(|error| fault(room, &error))?;
        let more = found.len() >= wanted;
        let last = found.last().map(|(last, ..)| (last.activity_at, last.id.clone()));
        let seen = found.into_iter().filter(|(conversation, changed, _)| {
            *changed <= organization.seq() && organization.can_see(teammate, conversation)
        });
        let listed = seen.map(|(conversation, _, mark)| Listed {
            conversation: conversation.to_wire(organization.assignment()),
            mark,
        });
        let listed: Vec<_> = listed.collect();
        match last.filter(|_| more && listed.is_empty()) {
            Some((activity_at, conversation)) => query.after = Some(RowKey { activity_at, conversation }),
            None => return Ok((listed, more)),
        }
    }
}

fn counts(
    organization: &Organization,
    teammate: &TeammateId,
    mailboxes: &[Mailbox],
) -> Result<Told, Refusal> {
    if mailboxes.len() > COUNTS_MAX {
        return Err(Refusal::invalid("mailboxes", "at most 200 at once"));
    }
    if mailboxes.contains(&Mailbox::None) {
        return Err(Refusal::invalid("mailboxes", "what is archived cannot be counted"));
    }
    let count = |mailbox: &Mailbox| Count {
        mailbox: mailbox.clone(),
        conversations: list::count(organization, teammate, &Selection { mailbox, endpoint: None }),
    };
    Ok(Told::Counts { counts: mailboxes.iter().map(count).collect() })
}

/// A conversation that a teammate may see, open or archived, with their mark.
pub(super) async fn visible(
    room: &Room,
    view: &View,
    teammate: &TeammateId,
    id: &ConversationId,
) -> Result<(Conversation, Mark), Refusal> {
    let organization = &view.organization;
    let open = organization.conversation(id);
    if let Some(open) = open.filter(|open| organization.can_see(teammate, open)) {
        return Ok(((**open).clone(), organization.shelf().mark(id, teammate)));
    }
    // What is open and hidden is looked for, too: how long the answer takes must not tell (R52).
    let needs = Needs { conversations: vec![id.clone()], ..Needs::default() };
    let found = room.services.store.find(&room.organization, needs).await.map_err(|e| fault(room, &e))?;
    let stored = found.conversations.into_iter().next().filter(|_| open.is_none());
    let stored = stored.filter(|stored| organization.can_see(teammate, &stored.conversation));
    let stored = stored.ok_or(Refusal::NotFound)?;
    if stored.changed > organization.seq() {
        return Err(Refusal::AccessChanged);
    }
    let mark = stored.marks.iter().find(|(of, _)| of == teammate).map(|(_, mark)| *mark);
    Ok((stored.conversation, mark.unwrap_or_default()))
}

/// Items of a conversation up to the snapshot's position, the newest before a number, oldest first.
pub(super) async fn items(
    room: &Room,
    view: &View,
    conversation: &ConversationId,
    before: u32,
    limit: u32,
) -> Result<Vec<Item>, Refusal> {
    let store = &room.services.store;
    let found = store
        .items(&room.organization, conversation, 1, before, limit)
        .await
        .map_err(|error| fault(room, &error))?;
    let seq = view.organization.seq();
    let mut page: Vec<Item> = found.into_iter().filter(|(_, at)| *at <= seq).map(|(item, _)| item).collect();
    let mut left = PAGE_BYTES_MAX;
    let kept = page.iter().rev().take_while(|item| {
        let fits = left > 0;
        left = left.saturating_sub(item.content.bytes());
        fits
    });
    let cut = page.len() - kept.count();
    Ok(page.split_off(cut))
}

/// Who may see a conversation, and through which entries of its access list.
fn explain(organization: &Organization, conversation: &Conversation) -> Vec<Grant> {
    let endpoint = conversation.endpoint().and_then(|id| organization.endpoint(id));
    let entry =
        |principal: &Principal, list: &str| Through { principal: principal.clone(), list: list.into() };
    let mut entries: Vec<Through> = Vec::new();
    if let Some(Endpoint { owner, members, .. }) = endpoint {
        entries.push(entry(owner, "owner"));
        entries.extend(members.iter().map(|member| entry(member, "member")));
    }
    entries.extend(conversation.members.iter().map(|member| entry(member, "conversation")));
    let staff = organization.members_of(organization.staff(conversation));
    let grants = staff.into_iter().map(|teammate| {
        let through = entries.iter().filter(|entry| organization.covers(&entry.principal, &teammate));
        Grant { through: through.cloned().collect(), teammate }
    });
    grants.collect()
}

/// The database did not answer: the caller hears "try again", the log hears why.
pub(super) fn fault(room: &Room, error: &StoreError) -> Refusal {
    tracing::warn!(%error, "a question is refused because of the database");
    room.services.metrics.store_failed();
    Refusal::Unavailable
}
