//! Where conversations go by themselves.

use rotunda_protocol::command::{Command, Done};
use rotunda_protocol::conversation::{Cause, Happening};
use rotunda_protocol::principal::Actor;
use rotunda_protocol::refusal::Refusal;

use super::practice::{Practice, Set, auto, conversation_of, endpoint, id};

const PATIENT: &str = "+15550001111";

#[test]
fn r20_a_number_or_link_assigns_to_its_owner() {
    let mut practice = Practice::new();
    practice.as_("cleo").sets_auto("cleo-link", true).unwrap();
    for (endpoint, from, mailbox) in [
        ("desk-line", PATIENT, "team:desk"),
        ("dora-line", PATIENT, "teammate:dora"),
        ("cleo-link", "pat", "teammate:cleo"),
        ("main", PATIENT, "shared"),
    ] {
        let c = practice.hears(endpoint, from);
        assert_eq!(practice.mailbox(&c), mailbox, "{endpoint}");
    }
}

#[test]
fn r21_it_never_was_in_the_shared_mailbox() {
    let mut practice = Practice::new();
    let c = practice.hears("desk-line", PATIENT);
    let to = Some(id("team:desk"));
    let assigned = Happening::Assigned { from: None, to, cause: Cause::Auto };
    let happened = [Happening::Created, assigned, Happening::Item { number: 1 }];
    assert_eq!(practice.happened(&c), happened);
    assert_eq!(practice.news(&c).after.rev, 1);
    assert_eq!(practice.last().by, Actor::Contact);
}

#[test]
fn r22_the_organization_cannot_be_assigned_to() {
    let mut practice = Practice::new();
    let refused = practice.as_("ada").sets_auto("main", true);
    assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if field == "auto_assign"));
    let new = auto(endpoint("new", "new", "organization", &[]));
    assert!(matches!(practice.as_("ada").does(Command::CreateEndpoint(new)), Err(Refusal::Invalid { .. })));
    practice.as_("ada").gives("desk-line", "organization").unwrap();
    assert!(!practice.endpoint("desk-line").auto_assign, "cleared in the same step");
}

#[test]
fn r23_a_new_owner_starts_without_it_unless_it_is_set_too() {
    let mut practice = Practice::new();
    practice.as_("ada").gives("dora-line", "teammate:ben").unwrap();
    assert!(!practice.endpoint("dora-line").auto_assign);
    practice.as_("ada").gives("desk-line", "team:nurses").unwrap();
    assert!(!practice.endpoint("desk-line").auto_assign);
    let both = Set { owner: Some(id("team:desk")), auto_assign: Some(true), ..Set::default() };
    practice.as_("ada").sets("desk-line", both).unwrap();
    assert!(practice.endpoint("desk-line").auto_assign);
}

#[test]
fn r23_naming_the_same_owner_again_changes_nothing() {
    let mut practice = Practice::new();
    assert_eq!(practice.as_("ada").gives("desk-line", "team:desk"), Ok(Done::Unchanged));
    assert!(practice.endpoint("desk-line").auto_assign);
}

#[test]
fn r25_the_rule_acts_under_its_own_name() {
    let mut practice = Practice::new();
    let c = practice.hears("desk-line", PATIENT);
    let claimed = practice
        .as_("ada")
        .does(Command::AddMembers { conversation: c.clone(), members: vec![id("teammate:ada")] });
    assert_eq!(claimed, Err(Refusal::NotFound), "an admin sees it no more than others (R41)");
    let refused = {
        practice.service().adds(&c, &["teammate:dora"]).unwrap();
        practice.as_("dora").claims(&c)
    };
    let by = Actor::Service("auto-assign".into());
    assert!(matches!(refused, Err(Refusal::AlreadyAssigned { by: said, .. }) if said == by));
}

#[test]
fn r26_flipping_the_toggle_reassigns_nothing_that_is_open() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    practice.as_("cleo").sets_auto("cleo-link", true).unwrap();
    assert_eq!(practice.last().changes.len(), 1);
    assert_eq!(practice.mailbox(&c), "shared");
    let d = practice.hears("dora-line", PATIENT);
    practice.as_("dora").sets_auto("dora-line", false).unwrap();
    assert_eq!(practice.mailbox(&d), "teammate:dora");
}

#[test]
fn r26_it_applies_when_it_comes_back() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    practice.as_("ben").archives(&c).unwrap();
    practice.as_("cleo").sets_auto("cleo-link", true).unwrap();
    assert_eq!(practice.hears("cleo-link", "pat"), c);
    assert_eq!(practice.mailbox(&c), "teammate:cleo");
}

#[test]
fn r13_a_new_message_leaves_an_open_conversation_where_it_is() {
    let mut practice = Practice::new();
    let c = practice.hears("dora-line", PATIENT);
    practice.as_("dora").assigns(&c, "team:nurses").unwrap();
    practice.hears("dora-line", PATIENT);
    assert_eq!(practice.mailbox(&c), "team:nurses");
    practice.as_("dora").assigns(&c, "nobody").unwrap();
    practice.hears("dora-line", PATIENT);
    assert_eq!(practice.mailbox(&c), "shared", "taken from everybody on purpose, it stays so");
}

#[test]
fn e10_coming_back_and_being_assigned_is_one_step() {
    let mut practice = Practice::new();
    let c = practice.hears("dora-line", PATIENT);
    practice.as_("dora").archives(&c).unwrap();
    let rev = practice.row(&c).rev;
    practice.hears("dora-line", PATIENT);
    assert_eq!(practice.row(&c).rev, rev + 1);
    let to = Some(id("teammate:dora"));
    let happened = [
        Happening::Reopened { cause: Cause::Inbound },
        Happening::Assigned { from: None, to, cause: Cause::Auto },
        Happening::Item { number: 2 },
    ];
    assert_eq!(practice.happened(&c), happened);
}

#[test]
fn e10_with_the_owner_away_it_is_shared_and_says_why() {
    let unavailable = Happening::Assigned { from: None, to: None, cause: Cause::AutoAssignUnavailable };
    let mut practice = Practice::new();
    let c = practice.hears("dora-line", PATIENT);
    practice.as_("dora").archives(&c).unwrap();
    practice.as_("ada").suspends("dora").unwrap();
    practice.hears("dora-line", PATIENT);
    assert_eq!(practice.mailbox(&c), "shared");
    assert!(practice.happened(&c).contains(&unavailable));
    let d = practice.hears("dora-line", "+15550002222");
    assert_eq!(practice.mailbox(&d), "shared");
    assert!(practice.happened(&d).contains(&unavailable));
}

#[test]
fn e10_a_team_without_anybody_gets_nothing() {
    for absent in [true, false] {
        let mut practice = Practice::new();
        if absent {
            practice.as_("ada").suspends("ben").unwrap();
            practice.as_("ada").suspends("cleo").unwrap();
        } else {
            practice.as_("ada").changes_team("desk", &[], &["ben", "cleo"]).unwrap();
        }
        let c = practice.hears("desk-line", PATIENT);
        assert_eq!(practice.mailbox(&c), "shared");
    }
}

#[test]
fn e10_a_team_with_somebody_left_goes_on() {
    let mut practice = Practice::new();
    practice.as_("ada").suspends("ben").unwrap();
    let c = practice.hears("desk-line", PATIENT);
    assert_eq!(practice.mailbox(&c), "team:desk");
}

#[test]
fn e20_with_assignment_off_nothing_is_assigned_by_itself() {
    let mut practice = Practice::new();
    practice.service().switches(false).unwrap();
    let c = practice.hears("desk-line", PATIENT);
    practice.service().switches(true).unwrap();
    assert_eq!(practice.holder(&c), None);
}

#[test]
fn what_a_teammate_starts_is_not_auto_assigned() {
    let mut practice = Practice::new();
    let c = conversation_of(practice.as_("dora").starts(Some("dora-line"), PATIENT));
    assert_eq!(practice.mailbox(&c), "shared");
}
