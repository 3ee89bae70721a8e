//! What comes in from contacts (R11–R13, R21, R58, R65, E10).

use rotunda_protocol::command::{Done, Inbound};
use rotunda_protocol::conversation::Cause;
use rotunda_protocol::directory::EndpointKind;
use rotunda_protocol::item::{Content, Direction};
use rotunda_protocol::principal::Actor;
use rotunda_protocol::refusal::Refusal;

use super::address;
use super::assignment::route;
use super::directory::Endpoint;
use super::draft::Draft;
use super::edit::Edit;
use super::organization::Organization;
use super::writing::{BODY_LENGTH_MAX, begin, text, thread, title};

/// The most media addresses of one message.
const MEDIA_MAX: usize = 10;

/// Delivers something from a contact: into their conversation, which comes back into a mailbox if it was archived
/// and stays with its assignee if it was open, or into a new one. A call that somebody made to them is noted there
/// too (R58); that is nothing to answer, so it brings nothing back and assigns nothing.
pub fn receive(draft: &mut Draft<'_>, inbound: &Inbound) -> Result<Done, Refusal> {
    draft.back_office()?;
    let endpoint = endpoint(draft.organization(), inbound).ok_or(Refusal::NotFound)?.clone();
    let address = address::sender(endpoint.kind, &inbound.from)?;
    let content = content(&endpoint, &inbound.content)?;
    let outbound = matches!(content, Content::Call { direction: Direction::Out, .. });
    if !outbound {
        draft.actor = Actor::Contact;
    }
    let existing = thread(draft, &endpoint.id, &address);
    let stays = existing.as_ref().is_some_and(|existing| !existing.is_archived());
    let mut edit = match existing {
        Some(existing) => Edit::of(existing),
        None => begin(draft, endpoint.id, address, caller_name(inbound).as_deref())?,
    };
    if edit.conversation.is_archived() && !outbound {
        edit.reopen(Cause::Inbound);
    }
    if !stays && !outbound {
        route(draft, &mut edit);
    }
    let number = edit.add(draft.actor.clone(), draft.at, content);
    Ok(draft.conclude(edit, Some(number)))
}

/// What the provider calls the sender. A name that cannot be one is none: what was sent counts.
fn caller_name(inbound: &Inbound) -> Option<String> {
    inbound.name.as_deref().and_then(|name| title("name", name).ok())
}

/// The endpoint that something was sent to.
pub fn endpoint<'a>(organization: &'a Organization, inbound: &Inbound) -> Option<&'a Endpoint> {
    address::readings(&inbound.to).find_map(|address| organization.endpoint_at(&address))
}

/// What a contact can send through an endpoint.
fn content(endpoint: &Endpoint, content: &Content) -> Result<Content, Refusal> {
    let spoken = matches!(content, Content::Call { .. } | Content::Voicemail { .. });
    if spoken && endpoint.kind == EndpointKind::Link {
        return Err(Refusal::invalid("content", "a link carries messages only"));
    }
    match content {
        Content::Message { direction: Direction::In, body, media } => {
            if media.len() > MEDIA_MAX || media.iter().map(String::len).sum::<usize>() > BODY_LENGTH_MAX {
                return Err(Refusal::invalid("media", "at most 10 addresses of media, 16384 bytes together"));
            }
            if media.is_empty() || !body.is_empty() {
                text(body)?;
            }
        }
        Content::Call { outcome, .. } => {
            if outcome.is_empty() || outcome.len() > 32 {
                return Err(Refusal::invalid("outcome", "a word of 1 to 32 bytes"));
            }
        }
        Content::Voicemail { recording, transcript, .. } => {
            let bytes =
                recording.as_ref().map_or(0, String::len) + transcript.as_ref().map_or(0, String::len);
            if bytes > BODY_LENGTH_MAX {
                return Err(Refusal::invalid(
                    "transcript",
                    "recording and transcript have 16384 bytes at most",
                ));
            }
        }
        Content::Message { direction: Direction::Out, .. } | Content::Note { .. } => {
            return Err(Refusal::invalid("content", "messages from contacts, calls and voicemails"));
        }
    }
    Ok(content.clone())
}
