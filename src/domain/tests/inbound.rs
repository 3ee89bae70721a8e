//! What comes in.

use rotunda_protocol::command::{Command, Inbound};
use rotunda_protocol::conversation::Happening;
use rotunda_protocol::directory::EndpointKind;
use rotunda_protocol::item::{Content, Direction, ItemKind};
use rotunda_protocol::principal::Actor;
use rotunda_protocol::refusal::Refusal;

use super::practice::{Practice, conversation_of, endpoint, id, text};
use crate::domain::conversation::State;
use crate::domain::event::Change;

const MAIN: &str = "+14155550100";
const PATIENT: &str = "+15550001111";

fn call() -> Content {
    Content::Call { direction: Direction::In, outcome: "no-answer".into(), seconds: 0 }
}

fn voicemail() -> Content {
    Content::Voicemail { seconds: 9, recording: Some("https://example.org/1".into()), transcript: None }
}

#[test]
fn r65_only_the_back_office_delivers() {
    let mut practice = Practice::new();
    let inbound = || {
        let (to, from) = (MAIN.into(), PATIENT.into());
        Command::Receive(Inbound { to, from, name: None, content: text("hi") })
    };
    assert_eq!(practice.as_("ada").does(inbound()), Err(Refusal::Forbidden));
    assert_eq!(practice.actor(Actor::Contact).does(inbound()), Err(Refusal::NotFound));
    practice.service().does(inbound()).unwrap();
    assert_eq!(practice.last().by, Actor::Contact);
    assert_eq!(practice.items()[0].by, Actor::Contact);
}

#[test]
fn r65_a_first_message_makes_a_contact_and_a_conversation() {
    let mut practice = Practice::new();
    let c = conversation_of(practice.receives("+1 (415) 555-0100", "+1-555-000-1111", text("hi")));
    let row = practice.row(&c).to_wire(true);
    let contact = row.contact.unwrap();
    assert_eq!((contact.address.as_str(), contact.name.as_str()), (PATIENT, PATIENT));
    assert_eq!((row.items, row.inbound), (1, 1));
    assert_eq!(practice.happened(&c), [Happening::Created, Happening::Item { number: 1 }]);
    assert_eq!(conversation_of(practice.receives(MAIN, "0015550001111", text("again"))), c);
}

#[test]
fn r65_a_name_that_cannot_be_one_loses_no_message() {
    let too_long = "x".repeat(500);
    for (name, shown) in [
        (Some("Pat Doe"), "Pat Doe"),
        (Some(" Pat "), "Pat"),
        (Some(""), PATIENT),
        (Some("a\nb"), PATIENT),
        (Some(too_long.as_str()), PATIENT),
        (None, PATIENT),
    ] {
        let mut practice = Practice::new();
        let (to, from, name) = (MAIN.into(), PATIENT.into(), name.map(str::to_owned));
        let inbound = Inbound { to, from, name, content: text("hi") };
        let c = conversation_of(practice.service().does(Command::Receive(inbound)));
        assert_eq!(practice.row(&c).to_wire(true).contact.unwrap().name, shown);
    }
}

#[test]
fn an_unknown_number_is_not_found() {
    let mut practice = Practice::new();
    for to in ["+14155559999", "nobody", "", "+"] {
        assert_eq!(practice.receives(to, PATIENT, text("hi")), Err(Refusal::NotFound), "{to}");
    }
    let refused = practice.receives(MAIN, "pat", text("hi"));
    assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if field == "from"));
}

#[test]
fn a_link_is_reached_whatever_its_slug_looks_like() {
    let mut practice = Practice::new();
    let mut new = endpoint("odd", "0014155559999", "organization", &[]);
    new.kind = EndpointKind::Link;
    practice.as_("ada").does(Command::CreateEndpoint(new)).unwrap();
    let c = conversation_of(practice.receives("0014155559999", "pat", text("hi")));
    assert_eq!(practice.row(&c).endpoint(), Some(&id("odd")));
}

#[test]
fn r50_a_link_carries_messages_only() {
    let mut practice = Practice::new();
    for content in [call(), voicemail()] {
        let refused = practice.receives("cleo", "pat", content.clone());
        assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if field == "content"));
        practice.receives(MAIN, PATIENT, content).unwrap();
    }
}

#[test]
fn r58_calls_and_voicemails_are_items_of_the_conversation() {
    let mut practice = Practice::new();
    let c = practice.hears("dora-line", PATIENT);
    let to = practice.endpoint("dora-line").address.clone();
    for (content, kind) in [(call(), ItemKind::Call), (voicemail(), ItemKind::Voicemail)] {
        assert_eq!(conversation_of(practice.receives(&to, PATIENT, content)), c);
        assert_eq!(practice.row(&c).last.as_ref().unwrap().kind, kind);
    }
    assert_eq!((practice.row(&c).items, practice.row(&c).inbound), (3, 3));
}

#[test]
fn r59_calls_and_voicemails_are_for_those_who_may_use_the_number() {
    let mut practice = Practice::new();
    let to = practice.endpoint("dora-line").address.clone();
    let c = conversation_of(practice.receives(&to, PATIENT, call()));
    practice.receives(&to, PATIENT, voicemail()).unwrap();
    assert_eq!(practice.staff(&c), ["dora"]);
    for name in ["ada", "ben", "cleo"] {
        assert_eq!(practice.lists(name, "teammate:dora"), [], "neither rows nor counts");
        assert_eq!(practice.as_(name).reads(&c, 1), Err(Refusal::NotFound));
    }
}

#[test]
fn r58_a_call_brings_an_archived_conversation_back_and_holds_archiving_back() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").archives(&c).unwrap();
    practice.receives(MAIN, PATIENT, call()).unwrap();
    assert_eq!(practice.mailbox(&c), "shared");
    let refused = practice.as_("ben").archives_having_seen(&c, 1);
    assert_eq!(refused, Err(Refusal::UnseenActivity { missed: Vec::new() }));
}

#[test]
fn contacts_send_messages_calls_and_voicemails_inwards() {
    let mut practice = Practice::new();
    let out = Direction::Out;
    for content in [
        Content::Message { direction: out, body: "hi".into(), media: Vec::new() },
        Content::Note { body: "hi".into() },
        text(""),
        text(&"x".repeat(16 * 1024 + 1)),
        Content::Message { direction: Direction::In, body: String::new(), media: vec!["u".into(); 11] },
        Content::Call { direction: Direction::In, outcome: String::new(), seconds: 1 },
        Content::Voicemail { seconds: 1, recording: None, transcript: Some("x".repeat(16 * 1024 + 1)) },
    ] {
        let refused = practice.receives(MAIN, PATIENT, content.clone());
        assert!(matches!(refused, Err(Refusal::Invalid { .. })), "{:?}", content.kind());
    }
    let picture = Content::Message { direction: Direction::In, body: String::new(), media: vec!["u".into()] };
    practice.receives(MAIN, PATIENT, picture).unwrap();
}

#[test]
fn r58_a_call_that_somebody_made_is_noted_and_brings_nothing_back() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").archives(&c).unwrap();
    let call = Content::Call { direction: Direction::Out, outcome: "completed".into(), seconds: 61 };
    practice.receives(MAIN, PATIENT, call.clone()).unwrap();
    let row = practice.row(&c);
    assert!(row.is_archived());
    assert_eq!((row.items, row.inbound), (2, 1), "noted, and nothing that waits for an answer");
    practice.receives(MAIN, "+15550007777", call).unwrap();
    let Change::Conversation(change) = &practice.last().changes[1] else { panic!("no conversation") };
    assert_eq!((change.after.state.clone(), change.after.inbound), (State::SHARED, 0));
}

#[test]
fn what_comes_in_during_suspension_of_everybody_is_kept() {
    let mut practice = Practice::new();
    practice.as_("ada").suspends("dora").unwrap();
    let c = practice.hears("dora-line", PATIENT);
    assert!(practice.staff(&c).is_empty());
    practice.as_("ada").restores("dora").unwrap();
    assert_eq!(practice.lists("dora", "shared"), [c]);
}
