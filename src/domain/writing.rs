//! What teammates write: messages, notes, new conversations (R51, R62, R63, R69, E9, E13).

use std::collections::BTreeSet;

use rotunda_protocol::command::{Done, OnUnseen};
use rotunda_protocol::conversation::{Cause, Contact};
use rotunda_protocol::id::{ConversationId, EndpointId, TeammateId};
use rotunda_protocol::item::{Content, Direction};
use rotunda_protocol::principal::{Assignee, Principal};
use rotunda_protocol::refusal::Refusal;

use super::address;
use super::assignment::route;
use super::conversation::{Conversation, Counterpart, State};
use super::directory::Endpoint;
use super::draft::Draft;
use super::edit::Edit;
use super::event::Change;
use super::lifecycle::nothing_unseen;
use super::membership;
use super::organization::Organization;

/// The longest text of an item, in bytes: a frame has room for it, and a page of items stays readable.
pub const BODY_LENGTH_MAX: usize = 16 * 1024;
/// The longest name or title, in bytes.
pub const NAME_LENGTH_MAX: usize = 200;

/// Writes to the contact or the teammates of a conversation.
pub fn send(
    draft: &mut Draft<'_>,
    id: &ConversationId,
    body: &str,
    seen: u32,
    on_unseen: OnUnseen,
    stay_archived: bool,
) -> Result<Done, Refusal> {
    let body = text(body)?;
    let mut edit = draft.edit(id, None)?;
    let endpoint = edit.conversation.endpoint().and_then(|id| draft.organization().endpoint(id));
    if endpoint.is_some_and(|endpoint| !draft.may_use(endpoint)) {
        return Err(Refusal::Forbidden);
    }
    nothing_unseen(&edit, seen, on_unseen == OnUnseen::Send)?;
    let number = write(draft, &mut edit, body, stay_archived);
    Ok(draft.conclude(edit, Some(number)))
}

fn write(draft: &Draft<'_>, edit: &mut Edit, body: String, stay_archived: bool) -> u32 {
    if edit.conversation.is_archived() && !stay_archived {
        edit.reopen(Cause::StaffPost);
        claim_or_route(draft, edit);
    }
    let content = Content::Message { direction: Direction::Out, body, media: Vec::new() };
    edit.add(draft.actor.clone(), draft.at, content)
}

/// A conversation that a teammate reopened by writing goes to them if the organization wants that (E13).
fn claim_or_route(draft: &Draft<'_>, edit: &mut Edit) {
    let organization = draft.organization();
    let claims = organization.profile().is_some_and(|profile| profile.policy.reply_claims);
    let with_contact = matches!(edit.conversation.counterpart, Counterpart::Contact { .. });
    match draft.caller() {
        Some(caller) if claims && with_contact && organization.assignment() => {
            let to = Some(Assignee::Teammate(caller.clone()));
            edit.assign(to, draft.actor.clone(), draft.at, Cause::ReplyClaims);
        }
        Some(_) | None => route(draft, edit),
    }
}

/// Writes an internal note. An archived conversation stays archived.
pub fn note(draft: &mut Draft<'_>, id: &ConversationId, body: &str) -> Result<Done, Refusal> {
    let body = text(body)?;
    let mut edit = draft.edit(id, None)?;
    let number = edit.add(draft.actor.clone(), draft.at, Content::Note { body });
    Ok(draft.conclude(edit, Some(number)))
}

/// Writes to a contact through an endpoint; the conversation begins if there was none. It is not auto-assigned.
pub fn start(
    draft: &mut Draft<'_>,
    from: Option<&EndpointId>,
    to: &str,
    name: Option<&str>,
    body: &str,
) -> Result<Done, Refusal> {
    let body = text(body)?;
    let endpoint = pick_endpoint(draft.organization(), draft.caller(), from)?.clone();
    let address = address::normalize(endpoint.kind, "to", to)?;
    let mut edit = match thread(draft, &endpoint.id, &address) {
        Some(existing) => Edit::of(existing),
        None => begin(draft, endpoint.id, address, name)?,
    };
    let number = write(draft, &mut edit, body, false);
    Ok(draft.conclude(edit, Some(number)))
}

/// The endpoint to write through: the one named if the caller may use it, or the only one they may use (R63).
pub fn pick_endpoint<'a>(
    organization: &'a Organization,
    caller: Option<&TeammateId>,
    named: Option<&EndpointId>,
) -> Result<&'a Endpoint, Refusal> {
    let usable = |endpoint: &&Endpoint| caller.is_none_or(|caller| organization.can_use(caller, endpoint));
    if let Some(id) = named {
        return organization.endpoint(id).filter(usable).ok_or(Refusal::NotFound);
    }
    let mut candidates = organization.endpoints().filter(usable);
    match (candidates.next(), candidates.next()) {
        (None, _) => Err(Refusal::Forbidden),
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(Refusal::EndpointRequired),
    }
}

/// The conversation with an address through an endpoint, open or archived (C16).
pub fn thread(draft: &Draft<'_>, endpoint: &EndpointId, address: &str) -> Option<Conversation> {
    let organization = draft.organization();
    if let Some(open) = organization.shelf().thread(endpoint, address) {
        return organization.conversation(open).map(|open| (**open).clone());
    }
    let archived = draft.working.archived.values().map(|archived| &archived.conversation);
    let mut matching = archived.filter(|archived| match &archived.counterpart {
        Counterpart::Contact { endpoint: through, contact } => {
            through == endpoint && contact.address == address
        }
        Counterpart::Team { .. } => false,
    });
    matching.next().cloned()
}

/// A new conversation with a contact, who is created if nobody met them before (R65).
pub fn begin(
    draft: &mut Draft<'_>,
    endpoint: EndpointId,
    address: String,
    name: Option<&str>,
) -> Result<Edit, Refusal> {
    let contact = if let Some(known) = draft.working.contacts.get(&address) {
        known.clone()
    } else {
        let name = name.map(|name| title("name", name)).transpose()?;
        meet(draft, address, name)
    };
    Ok(Edit::new(blank(draft, Counterpart::Contact { endpoint, contact }, BTreeSet::new())))
}

fn meet(draft: &mut Draft<'_>, address: String, name: Option<String>) -> Contact {
    let name = name.unwrap_or_else(|| address.clone());
    let contact = Contact { id: draft.mint(), name, address: address.clone() };
    draft.working.contacts.insert(address, contact.clone());
    draft.change(Change::Contact(contact.clone()));
    contact
}

/// Begins a conversation between teammates; whoever begins it is in it.
pub fn start_team(draft: &mut Draft<'_>, subject: &str, members: &[Principal]) -> Result<Done, Refusal> {
    let title = title("title", subject)?;
    let mut all: BTreeSet<Principal> = members.iter().cloned().collect();
    for member in &all {
        draft.existing(member)?;
    }
    if let Some(caller) = draft.caller() {
        all.insert(Principal::Teammate(caller.clone()));
    }
    membership::limit(&all)?;
    if draft.organization().is_orphan(&all) {
        return Err(Refusal::WouldOrphan);
    }
    let edit = Edit::new(blank(draft, Counterpart::Team { title }, all));
    Ok(draft.conclude(edit, None))
}

fn blank(draft: &mut Draft<'_>, counterpart: Counterpart, members: BTreeSet<Principal>) -> Conversation {
    Conversation {
        id: draft.mint(),
        counterpart,
        members,
        state: State::SHARED,
        tags: BTreeSet::new(),
        items: 0,
        inbound: 0,
        last: None,
        created_at: draft.at,
        activity_at: draft.at,
        rev: 0,
    }
}

/// Text of an item: something, and not too much.
pub fn text(body: &str) -> Result<String, Refusal> {
    if body.trim().is_empty() || body.len() > BODY_LENGTH_MAX {
        return Err(Refusal::invalid("body", "a text has 1 to 16384 bytes and is not only spaces"));
    }
    Ok(body.to_owned())
}

/// A name or title: one line, something, and not too much.
pub fn title(field: &'static str, text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.len() > NAME_LENGTH_MAX || text.chars().any(char::is_control) {
        return Err(Refusal::invalid(field, "one line of 1 to 200 bytes"));
    }
    Ok(text.to_owned())
}
