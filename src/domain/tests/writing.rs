//! What teammates write.

use rotunda_protocol::command::{Command, Done, OnUnseen};
use rotunda_protocol::conversation::{ConversationKind, Happening};
use rotunda_protocol::item::{Content, Direction, ItemKind};
use rotunda_protocol::principal::{Actor, Mailbox};
use rotunda_protocol::refusal::Refusal;

use super::practice::{Practice, conversation_of, id};
use crate::domain::event::Change;
use crate::domain::writing::BODY_LENGTH_MAX;

const PATIENT: &str = "+15550001111";

#[test]
fn a_message_is_the_next_item_and_moves_the_conversation_up() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    let later = practice.hears("main", "+15550002222");
    assert_eq!(practice.lists("ben", "shared"), [later.clone(), c.clone()]);
    let done = practice.as_("ben").sends(&c).unwrap();
    assert_eq!(done, Done::Conversation { conversation: c.clone(), rev: 2, item: Some(2) });
    assert_eq!(practice.lists("ben", "shared"), [c.clone(), later]);
    let last = practice.row(&c).last.clone().unwrap();
    assert_eq!((last.kind, last.by), (ItemKind::MessageOut, Actor::Teammate(id("ben"))));
    assert_eq!(practice.row(&c).inbound, 1, "what one writes is not what was received");
    let body = "good morning".into();
    let content = Content::Message { direction: Direction::Out, body, media: Vec::new() };
    assert_eq!(practice.items()[0].content, content);
}

#[test]
fn writing_does_not_take_it_from_its_assignee() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").claims(&c).unwrap();
    practice.as_("cleo").sends(&c).unwrap();
    assert_eq!(practice.mailbox(&c), "teammate:ben");
}

#[test]
fn c6_a_note_is_an_item_for_staff() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").notes(&c).unwrap();
    assert_eq!(practice.items()[0].content.kind(), ItemKind::Note);
    assert_eq!(practice.happened(&c), [Happening::Item { number: 2 }]);
}

#[test]
fn a_text_is_something_and_not_too_much() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    let too_long = "x".repeat(BODY_LENGTH_MAX + 1);
    for body in ["", " \n", &too_long] {
        let conversation = c.clone();
        let (seen, on_unseen) = (1, OnUnseen::Hold);
        let send = Command::Send { conversation, body: body.into(), seen, on_unseen, stay_archived: false };
        let note = Command::PostNote { conversation: c.clone(), body: body.into() };
        let from_endpoint = Some(id("main"));
        let start = Command::Start { from_endpoint, to: PATIENT.into(), name: None, body: body.into() };
        for command in [send, note, start] {
            let refused = practice.as_("ben").does(command);
            assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if field == "body"));
        }
    }
}

#[test]
fn r62_starting_begins_a_conversation_with_its_first_message() {
    let mut practice = Practice::new();
    let start = Command::Start {
        from_endpoint: Some(id("main")),
        to: "+1 555 000 1111".into(),
        name: Some("Pat Doe".into()),
        body: "your results are in".into(),
    };
    let c = conversation_of(practice.as_("ben").does(start));
    let row = practice.row(&c).to_wire(true);
    let contact = row.contact.unwrap();
    assert_eq!((contact.name.as_str(), contact.address.as_str()), ("Pat Doe", PATIENT));
    assert_eq!((row.items, row.inbound, row.rev, row.mailbox), (1, 0, 1, Mailbox::Shared));
    assert_eq!(practice.happened(&c), [Happening::Created, Happening::Item { number: 1 }]);
}

#[test]
fn c16_starting_goes_on_with_the_conversation_there_is() {
    let mut practice = Practice::new();
    for batching in [false, true] {
        practice.batching = batching;
        let c = practice.hears("main", PATIENT);
        assert_eq!(conversation_of(practice.as_("ben").starts(Some("main"), PATIENT)), c);
        practice.as_("ben").archives(&c).unwrap();
        assert_eq!(conversation_of(practice.as_("ben").starts(Some("main"), PATIENT)), c);
        assert_eq!(practice.mailbox(&c), "shared");
        practice.as_("ben").archives(&c).unwrap();
        assert_eq!(practice.hears("main", PATIENT), c);
    }
}

#[test]
fn c16_another_endpoint_is_another_conversation_with_the_same_contact() {
    let mut practice = Practice::new();
    let (c, d) = (practice.hears("main", PATIENT), practice.hears("desk-line", PATIENT));
    assert_ne!(c, d);
    let contact = |c| practice.row(c).to_wire(true).contact;
    assert_eq!(contact(&c), contact(&d));
}

#[test]
fn an_address_must_be_one() {
    let mut practice = Practice::new();
    let start = |to: &str| Command::Start {
        from_endpoint: Some(id("main")),
        to: to.into(),
        name: None,
        body: "hello".into(),
    };
    let refused = practice.as_("ben").does(start("pat"));
    assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if field == "to"));
    let named = Command::Start {
        from_endpoint: Some(id("main")),
        to: PATIENT.into(),
        name: Some("\n".into()),
        body: "hello".into(),
    };
    assert!(
        matches!(practice.as_("ben").does(named), Err(Refusal::Invalid { field, .. }) if field == "name")
    );
}

#[test]
fn r69_a_team_conversation_is_its_members() {
    let mut practice = Practice::new();
    let c = conversation_of(practice.as_("ben").starts_team(&["teammate:dora", "team:nurses"]));
    assert_eq!(practice.staff(&c), ["ben", "cleo", "dora"], "whoever begins it is in it");
    let row = practice.row(&c).to_wire(true);
    assert_eq!((row.kind, row.endpoint, row.title.as_deref()), (ConversationKind::Team, None, Some("rota")));
    assert_eq!(row.mailbox, Mailbox::Internal, "outside the mailboxes");
    assert_eq!(practice.lists("dora", "internal"), std::slice::from_ref(&c));
    assert_eq!(practice.lists("dora", "shared"), []);
    assert_eq!(practice.lists("ada", "internal"), []);
    practice.as_("cleo").sends(&c).unwrap();
}

#[test]
fn e19_no_conversation_begins_that_nobody_can_see() {
    let mut practice = Practice::new();
    practice.as_("ada").does(Command::CreateTeam(super::practice::team("empty", &["sam"]))).unwrap();
    for members in [&[][..], &["team:empty"], &["teammate:finn"]] {
        assert_eq!(practice.service().starts_team(members), Err(Refusal::WouldOrphan));
    }
    conversation_of(practice.service().starts_team(&["teammate:ben"]));
}

#[test]
fn r69_only_who_exists_is_in_it_and_it_has_a_title() {
    let mut practice = Practice::new();
    assert!(matches!(practice.as_("ben").starts_team(&["teammate:unknown"]), Err(Refusal::Invalid { .. })));
    let untitled = Command::StartTeam { title: " ".into(), members: Vec::new() };
    let refused = practice.as_("ben").does(untitled);
    assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if field == "title"));
}

#[test]
fn a_contact_is_met_once() {
    let mut practice = Practice::new();
    practice.hears("main", PATIENT);
    let met = |practice: &Practice| practice.last().changes.iter().any(|c| matches!(c, Change::Contact(_)));
    assert!(met(&practice));
    practice.hears("desk-line", PATIENT);
    assert!(!met(&practice));
}
