//! One readable line for each piece of news.

use rotunda_protocol::Millis;
use rotunda_protocol::conversation::{Cause, Conversation, Happening, Was};
use rotunda_protocol::directory::TeammateStatus;
use rotunda_protocol::id::TeammateId;
use rotunda_protocol::item::{Content, ItemKind};
use rotunda_protocol::principal::Actor;
use rotunda_protocol::push::{Access, ConversationPresence, Marked, Push, TypingMode};

use super::known::Known;

/// News as a line, without its time.
pub(super) fn push(known: &Known, push: &Push) -> String {
    match push {
        Push::Conversation { conversation, happened, by, was, at: _ } => {
            row(known, conversation, happened, by, was.as_ref())
        }
        Push::Item { item } => {
            format!("{}: {}", known.thread_name(&item.conversation), content(&item.content))
        }
        Push::Gone { conversation } => format!("no longer visible: {}", known.thread_name(conversation)),
        Push::Scope { granted, revoked, access: _, endpoints: _ } => scope(known, granted, revoked),
        Push::Teammate { teammate } => format!("teammate {} is {}", teammate.name, status(teammate.status)),
        Push::Team { team } if team.deleted => format!("team {} is deleted", team.name),
        Push::Team { team } => {
            let members: Vec<_> = team.members.iter().map(|id| known.person(id)).collect();
            format!("team {} is now {}", team.name, list(&members))
        }
        Push::Endpoint { endpoint } => format!(
            "endpoint {} ({}) belongs to {}, with {}{}",
            endpoint.label,
            endpoint.address,
            known.principal(&endpoint.owner),
            list(&endpoint.members.iter().map(|member| known.principal(member)).collect::<Vec<_>>()),
            if endpoint.auto_assign { ", and assigns to its owner" } else { "" },
        ),
        Push::Organization { organization } => format!("settings of {} changed", organization.name),
        Push::Mark(Marked { conversation, mark }) => format!(
            "{} is read up to {}{}",
            known.thread_name(conversation),
            mark.read,
            if mark.starred { " and starred" } else { "" },
        ),
        Push::Here { came, went } => {
            let names = |ids: &[TeammateId]| list(&ids.iter().map(|id| known.person(id)).collect::<Vec<_>>());
            let moves = [(came, "here now"), (went, "left")];
            let moves = moves.iter().filter(|(ids, _)| !ids.is_empty());
            moves.map(|(ids, what)| format!("{what}: {}", names(ids))).collect::<Vec<_>>().join("; ")
        }
        Push::Presence(presence) => at_conversation(known, presence),
    }
}

/// A change of a conversation: who, what, which, and where it went.
fn row(
    known: &Known,
    conversation: &Conversation,
    happened: &[Happening],
    by: &Actor,
    was: Option<&Was>,
) -> String {
    let name = known.thread_name(&conversation.id);
    let now = known.mailbox(&conversation.mailbox);
    let place = match was.map(|was| known.mailbox(&was.mailbox)) {
        Some(before) if before != now => format!("{before} → {now}"),
        Some(_) | None => now,
    };
    if happened.is_empty() {
        return format!("now visible: {name} · {place}");
    }
    // What somebody did comes before what followed from it.
    let (done, followed): (Vec<_>, Vec<_>) =
        happened.iter().partition(|happening| matches!(happening, Happening::Item { .. }));
    let all = done.into_iter().chain(followed);
    let what: Vec<_> = all.map(|happening| phrase(known, happening, conversation, was)).collect();
    format!("{} {} · {name} · {place}", known.actor(by, conversation), what.join(", "))
}

fn phrase(known: &Known, happening: &Happening, conversation: &Conversation, was: Option<&Was>) -> String {
    match happening {
        Happening::Created => "which began it".into(),
        Happening::Item { number } => item(conversation, *number).into(),
        Happening::Assigned { cause: Cause::Claim, .. } => "claimed it".into(),
        Happening::Assigned { to: None, cause, .. } => format!("unassigned it{}", because(*cause)),
        Happening::Assigned { to, cause: Cause::Auto, .. } => {
            format!("it went to {} by the endpoint's rule", known.assignee(to.as_ref()))
        }
        Happening::Assigned { to, cause, .. } => {
            format!("assigned it to {}{}", known.assignee(to.as_ref()), because(*cause))
        }
        Happening::Archived => "archived it".into(),
        Happening::Reopened { cause: Cause::Inbound | Cause::StaffPost } => "which reopened it".into(),
        Happening::Reopened { cause } => format!("reopened it{}", because(*cause)),
        Happening::Tagged => tags(conversation, was),
        Happening::Members => "changed its members".into(),
    }
}

fn item(conversation: &Conversation, number: u32) -> &'static str {
    let newest = conversation.last.as_ref().filter(|_| conversation.items == number);
    match newest.map(|last| last.kind) {
        Some(ItemKind::MessageIn | ItemKind::MessageOut) => "wrote",
        Some(ItemKind::Note) => "left a note",
        Some(ItemKind::Call) => "called",
        Some(ItemKind::Voicemail) => "left a voicemail",
        None => "added an item",
    }
}

fn because(cause: Cause) -> &'static str {
    match cause {
        Cause::Claim | Cause::Manual | Cause::Inbound | Cause::StaffPost | Cause::Auto => "",
        Cause::AutoAssignUnavailable => " (nobody was there to assign it to)",
        Cause::ReplyClaims => " by replying",
        Cause::LostAccess => " (its assignee may no longer see it)",
        Cause::TeammateRemoved => " (its assignee has left)",
        Cause::TeamDeleted => " (its team was deleted)",
    }
}

fn tags(conversation: &Conversation, was: Option<&Was>) -> String {
    let before: &[String] = was.map_or(&[], |was| &was.tags);
    let added = conversation.tags.iter().filter(|tag| !before.contains(tag)).map(|tag| format!("+{tag}"));
    let removed = before.iter().filter(|tag| !conversation.tags.contains(tag)).map(|tag| format!("-{tag}"));
    format!("tagged it {}", added.chain(removed).collect::<Vec<_>>().join(" "))
}

fn content(content: &Content) -> String {
    match content {
        Content::Message { body, media, .. } if media.is_empty() => body.clone(),
        Content::Message { body, media, .. } => format!("{body} [{} attached]", media.len()),
        Content::Note { body } => format!("[note] {body}"),
        Content::Call { outcome, seconds, .. } => format!("[call, {outcome}, {seconds} s]"),
        Content::Voicemail { seconds, transcript, .. } => {
            format!("[voicemail, {seconds} s] {}", transcript.as_deref().unwrap_or_default())
        }
    }
}

fn scope(known: &Known, granted: &Access, revoked: &Access) -> String {
    let names = |access: &Access| {
        let endpoints = access.endpoints.iter().map(|id| known.way_in(id));
        let teams = access.teams.iter().map(|id| format!("team {}", known.group(id)));
        endpoints.chain(teams).collect::<Vec<_>>()
    };
    let parts: Vec<_> = [("granted", names(granted)), ("revoked", names(revoked))]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(word, names)| format!("{word} {}", list(&names)))
        .collect();
    format!(
        "your access changed: {}",
        if parts.is_empty() { "nothing more, nothing less".into() } else { parts.join("; ") }
    )
}

fn at_conversation(known: &Known, presence: &ConversationPresence) -> String {
    let name = known.thread_name(&presence.conversation);
    let viewing: Vec<_> = presence.viewing.iter().map(|id| known.person(id)).collect();
    let typing = presence.typing.iter().map(|typing| {
        let what = match typing.mode {
            TypingMode::Reply => "a reply",
            TypingMode::Note => "a note",
        };
        format!("; {} is typing {what}", known.person(&typing.teammate))
    });
    format!("at {name}: {}{}", list(&viewing), typing.collect::<String>())
}

fn status(status: TeammateStatus) -> &'static str {
    match status {
        TeammateStatus::Invited => "invited",
        TeammateStatus::Active => "active",
        TeammateStatus::Suspended => "suspended",
        TeammateStatus::Removed => "removed",
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nobody else".into() } else { names.join(", ") }
}

/// The time of day, in UTC.
pub(super) fn time(at: Millis) -> String {
    let second = at.div_euclid(1000).rem_euclid(24 * 60 * 60);
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}
