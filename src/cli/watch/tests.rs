//! What people read, frame by frame.

use rotunda_protocol::ask::Told;
use rotunda_protocol::conversation::Listed;
use rotunda_protocol::conversation::{
    Cause, Contact, Conversation, ConversationKind, ConversationState, Happening, LastItem, Mark, Was,
};
use rotunda_protocol::directory::{Endpoint, EndpointKind, Teammate, TeammateStatus};
use rotunda_protocol::item::ItemKind;
use rotunda_protocol::principal::{Actor, Assignee, Principal};
use rotunda_protocol::push::Access;

use super::*;

const NOW: Millis = 9 * 3_600_000 + 14 * 60_000 + 3_000;

fn teammate(id: &str, name: &str) -> Teammate {
    Teammate {
        id: id.parse().unwrap(),
        name: name.into(),
        initials: String::new(),
        status: TeammateStatus::Active,
        role: None,
    }
}

fn view() -> View {
    let mut view = View::new("ada".parse().unwrap());
    let endpoint = Endpoint {
        id: "main".parse().unwrap(),
        kind: EndpointKind::Phone,
        address: "+14155550100".into(),
        label: "Main line".into(),
        owner: Principal::Organization,
        members: vec![],
        auto_assign: false,
    };
    let state = CatchUp {
        teammates: vec![teammate("ada", "Ada Okafor"), teammate("ben", "Ben Ortiz")],
        endpoints: vec![endpoint],
        ..CatchUp::default()
    };
    view.known.learn(&ServerFrame::CatchUp { state: Box::new(state), cursor: "c".into() });
    view
}

fn conversation(kind: ItemKind) -> Conversation {
    Conversation {
        id: "cv".parse().unwrap(),
        kind: ConversationKind::Patient,
        endpoint: Some("main".parse().unwrap()),
        contact: Some(Contact { id: "ct".parse().unwrap(), name: "Mara Lind".into(), address: "+1".into() }),
        title: None,
        members: vec![],
        state: ConversationState::Open,
        mailbox: Mailbox::Shared,
        assignee: None,
        tags: vec![],
        items: 3,
        inbound: 3,
        last: Some(LastItem { kind, by: Actor::Contact, at: NOW }),
        created_at: 0,
        activity_at: NOW,
        rev: 4,
    }
}

fn was(mailbox: Mailbox, tags: &[&str]) -> Was {
    Was {
        mailbox,
        assignee: None,
        tags: tags.iter().map(|tag| (*tag).into()).collect(),
        endpoint: Some("main".parse().unwrap()),
    }
}

fn check(frame: &ServerFrame, expected: &[&str]) {
    let mut view = view();
    view.known.learn(frame);
    assert_eq!(view.told(frame, NOW), expected);
}

fn check_push(push: Push, expected: &str) {
    check(&ServerFrame::Push { push, cursor: None }, &[expected]);
}

fn check_row(conversation: Conversation, happened: Happening, by: &str, was: Option<Was>, expected: &str) {
    let (happened, by) = (vec![happened], by.parse().unwrap());
    check_push(Push::Conversation { conversation, happened, by, at: NOW, was }, expected);
}

#[test]
fn a_patient_s_message_names_the_patient_and_where_it_is() {
    let happened = Happening::Item { number: 3 };
    let shared = was(Mailbox::Shared, &[]);
    let line = "09:14:03  Mara Lind wrote · Mara Lind (Main line) · shared";
    check_row(conversation(ItemKind::MessageIn), happened, "contact", Some(shared), line);
}

#[test]
fn what_somebody_did_comes_before_what_followed() {
    let ada = Assignee::Teammate("ada".parse().unwrap());
    let to = Some(ada.clone());
    let push = Push::Conversation {
        conversation: Conversation { mailbox: ada.into(), items: 3, ..conversation(ItemKind::Voicemail) },
        happened: vec![
            Happening::Reopened { cause: Cause::Inbound },
            Happening::Assigned { from: None, to, cause: Cause::Auto },
            Happening::Item { number: 3 },
        ],
        by: Actor::Contact,
        at: NOW,
        was: Some(was(Mailbox::None, &[])),
    };
    let line = "09:14:03  Mara Lind left a voicemail, which reopened it, it went to Ada Okafor by the endpoint's rule \
                · Mara Lind (Main line) · archive → Ada Okafor";
    check_push(push, line);
}

#[test]
fn an_assignment_shows_both_mailboxes() {
    let ben = Assignee::Teammate("ben".parse().unwrap());
    let assigned = Conversation {
        mailbox: ben.clone().into(),
        assignee: Some(ben.clone()),
        ..conversation(ItemKind::MessageIn)
    };
    let happened = |cause| Happening::Assigned { from: None, to: Some(ben.clone()), cause };
    let shared = || Some(was(Mailbox::Shared, &[]));
    let line = "09:14:03  Ada Okafor assigned it to Ben Ortiz · Mara Lind (Main line) · shared → Ben Ortiz";
    check_row(assigned.clone(), happened(Cause::Manual), "teammate:ada", shared(), line);
    let line = "09:14:03  Ben Ortiz claimed it · Mara Lind (Main line) · shared → Ben Ortiz";
    check_row(assigned, happened(Cause::Claim), "teammate:ben", shared(), line);
}

#[test]
fn tags_show_what_came_and_went() {
    let tagged = Conversation { tags: vec!["refill".into()], ..conversation(ItemKind::MessageIn) };
    let line = "09:14:03  Ada Okafor tagged it +refill -new · Mara Lind (Main line) · shared";
    check_row(tagged, Happening::Tagged, "teammate:ada", Some(was(Mailbox::Shared, &["new"])), line);
}

#[test]
fn a_row_that_comes_into_view_says_only_that() {
    let push = Push::Conversation {
        conversation: conversation(ItemKind::Note),
        happened: vec![],
        by: Actor::Contact,
        at: NOW,
        was: None,
    };
    check_push(push, "09:14:03  now visible: Mara Lind (Main line) · shared");
}

#[test]
fn what_is_gone_is_named_by_what_was_known() {
    let mut view = view();
    let row = Listed { conversation: conversation(ItemKind::Call), mark: Mark::default() };
    let state = CatchUp { conversations: vec![row], ..CatchUp::default() };
    view.known.learn(&ServerFrame::CatchUp { state: Box::new(state), cursor: "c".into() });
    let gone = |id: &str| Push::Gone { conversation: id.parse().unwrap() };
    assert_eq!(line::push(&view.known, &gone("cv")), "no longer visible: Mara Lind (Main line)");
    assert_eq!(line::push(&view.known, &gone("other")), "no longer visible: conversation other");
}

#[test]
fn a_change_of_scope_names_endpoints() {
    let granted = Access { endpoints: vec!["main".parse().unwrap()], teams: vec![] };
    let push =
        Push::Scope { access: granted.clone(), granted, revoked: Access::default(), endpoints: vec![] };
    check_push(push, "09:14:03  your access changed: granted Main line");
}

#[test]
fn coming_back_says_what_changed_meanwhile() {
    let state = Box::new(CatchUp { gone: vec!["cv".parse().unwrap()], ..CatchUp::default() });
    let frame = ServerFrame::CatchUp { state, cursor: "c".into() };
    check(&frame, &["09:14:03  was too slow; 0 conversations changed and 1 went meanwhile"]);
    check(&ServerFrame::Beat, &[]);
}

#[test]
fn the_summary_shows_what_is_unread() {
    let mark = Mark { read: 1, starred: true, rev: 2 };
    let row = Conversation { tags: vec!["refill".into()], ..conversation(ItemKind::MessageIn) };
    let told = Told::List { rows: vec![Listed { conversation: row, mark }], next: None };
    let frame = ServerFrame::Answer { r#ref: "shared".into(), answer: Answer::Told { told } };
    check(
        &frame,
        &["          shared, newest first:", "09:14:03    Mara Lind (Main line) · 2 unread #refill ★"],
    );
}
