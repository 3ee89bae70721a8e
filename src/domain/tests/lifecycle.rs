//! Archived, and back.

use rotunda_protocol::command::{Command, ConversationUpdate, Done, OnUnseen};
use rotunda_protocol::conversation::{Cause, Happening};
use rotunda_protocol::directory::{AssignNonMember, Policy};
use rotunda_protocol::principal::Mailbox;
use rotunda_protocol::refusal::Refusal;

use super::practice::{Practice, conversation_of, id, text};
use crate::domain::catch_up;
use crate::domain::event::Event;
use crate::domain::organization::Organization;

const PATIENT: &str = "+15550001111";
const UNSEEN: Refusal = Refusal::UnseenActivity { missed: Vec::new() };

#[test]
fn r9_archiving_takes_it_from_its_assignee_in_the_same_step() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").claims(&c).unwrap();
    practice.as_("cleo").archives(&c).unwrap();
    assert_eq!(practice.holder(&c), None);
    let from = Some(id("teammate:ben"));
    assert_eq!(practice.happened(&c), [Happening::Archived]);
    assert_eq!(practice.was(&c).assignee, from, "the event says from whom");
    assert_eq!(practice.row(&c).rev, 3);
}

#[test]
fn r10_what_is_archived_is_in_no_mailbox() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").archives(&c).unwrap();
    assert_eq!(practice.mailbox(&c), "none");
    for mailbox in ["shared", "teammate:ben", "team:desk", "internal", "none"] {
        assert!(practice.lists("ben", mailbox).is_empty(), "{mailbox}");
    }
    assert!(practice.organization().shelf().is_empty(), "memory holds what is open");
}

#[test]
fn r11_a_new_message_brings_it_back_in_the_same_step() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").archives(&c).unwrap();
    assert_eq!(practice.hears("main", PATIENT), c);
    let happened = [Happening::Reopened { cause: Cause::Inbound }, Happening::Item { number: 2 }];
    assert_eq!(practice.happened(&c), happened);
    assert_eq!(practice.was(&c).mailbox, Mailbox::None);
    assert_eq!(practice.lists("dora", "shared"), [c]);
}

#[test]
fn r12_whoever_held_it_does_not_get_it_back() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").claims(&c).unwrap();
    practice.as_("ben").archives(&c).unwrap();
    practice.hears("main", PATIENT);
    assert_eq!(practice.mailbox(&c), "shared");
}

#[test]
fn r12_it_comes_back_to_where_its_endpoint_says_now() {
    let mut practice = Practice::new();
    let c = practice.hears("desk-line", PATIENT);
    practice.as_("ben").archives(&c).unwrap();
    practice.as_("ada").gives("desk-line", "teammate:dora").unwrap();
    practice.as_("dora").sets_auto("desk-line", true).unwrap();
    practice.hears("desk-line", PATIENT);
    assert_eq!(practice.mailbox(&c), "teammate:dora");
}

#[test]
fn unarchiving_goes_by_the_endpoints_rule_too() {
    let mut practice = Practice::new();
    let (c, d) = (practice.hears("main", PATIENT), practice.hears("desk-line", PATIENT));
    for (conversation, mailbox) in [(c, "shared"), (d, "team:desk")] {
        practice.as_("ben").archives(&conversation).unwrap();
        practice.as_("ben").unarchives(&conversation).unwrap();
        assert_eq!(practice.happened(&conversation)[0], Happening::Reopened { cause: Cause::Manual });
        assert_eq!(practice.mailbox(&conversation), mailbox);
    }
}

#[test]
fn unarchiving_to_nobody_goes_to_the_shared_mailbox() {
    let mut practice = Practice::new();
    let c = practice.hears("desk-line", PATIENT);
    practice.as_("ben").archives(&c).unwrap();
    let update = ConversationUpdate {
        archived: Some(false),
        assignee: Some(id("nobody")),
        ..ConversationUpdate::default()
    };
    practice.as_("ben").updates(&c, update).unwrap();
    assert_eq!(practice.mailbox(&c), "shared");
}

#[test]
fn archiving_and_unarchiving_twice_is_once() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    assert_eq!(practice.as_("ben").unarchives(&c), Ok(Done::Unchanged));
    practice.as_("ben").archives(&c).unwrap();
    assert_eq!(practice.as_("cleo").archives_having_seen(&c, 0), Ok(Done::Unchanged));
}

#[test]
fn what_is_archived_keeps_tags_members_and_marks() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    practice.as_("ben").tags(&c, "refill").unwrap();
    practice.as_("ben").stars(&c, true).unwrap();
    practice.as_("cleo").reads(&c, 1).unwrap();
    practice.as_("cleo").adds(&c, &["teammate:dora"]).unwrap();
    practice.as_("cleo").archives(&c).unwrap();
    practice.as_("cleo").stars(&c, true).unwrap();
    practice.hears("cleo-link", "pat");
    assert_eq!(practice.news(&c).marks.len(), 2, "marks come back into memory with it");
    let shelf = practice.organization().shelf();
    assert!(shelf.mark(&c, &id("ben")).starred && shelf.mark(&c, &id("cleo")).starred);
    assert_eq!(shelf.mark(&c, &id("cleo")).read, 1);
    assert!(practice.sees("dora", &c) && practice.row(&c).tags.contains("refill"));
}

#[test]
fn e9_archiving_is_held_back_by_what_was_not_seen() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.hears("main", PATIENT);
    assert_eq!(practice.as_("ben").archives_having_seen(&c, 1), Err(UNSEEN));
    practice.as_("ben").archives_having_seen(&c, 2).unwrap();
}

#[test]
fn e9_archiving_can_be_forced() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    let archive = Command::Archive { conversation: c.clone(), seen: 0, force: true, expect_rev: None };
    practice.as_("ben").does(archive).unwrap();
    let d = practice.hears("main", "+15550002222");
    let update = ConversationUpdate { archived: Some(true), force: true, ..ConversationUpdate::default() };
    practice.as_("ben").updates(&d, update).unwrap();
    assert_eq!((practice.mailbox(&c).as_str(), practice.mailbox(&d).as_str()), ("none", "none"));
}

#[test]
fn e9_an_update_that_archives_is_held_back_too() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    let update = ConversationUpdate { archived: Some(true), ..ConversationUpdate::default() };
    assert_eq!(practice.as_("ben").updates(&c, update.clone()), Err(UNSEEN));
    practice.as_("ben").updates(&c, ConversationUpdate { seen: Some(1), ..update }).unwrap();
}

#[test]
fn e9_colleagues_messages_and_notes_hold_nothing_back() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("cleo").sends(&c).unwrap();
    practice.as_("cleo").notes(&c).unwrap();
    practice.as_("ben").archives_having_seen(&c, 1).unwrap();
}

#[test]
fn e9_when_archiving_came_first_the_message_brings_it_back() {
    let mut practice = Practice::new();
    practice.batching = true;
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").archives_having_seen(&c, 1).unwrap();
    practice.hears("main", PATIENT);
    assert_eq!(practice.mailbox(&c), "shared");
}

#[test]
fn e9_writing_is_held_back_by_what_was_not_seen() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.hears("main", PATIENT);
    assert_eq!(practice.as_("ben").sends_having_seen(&c, 1), Err(UNSEEN));
    let all_the_same = Command::Send {
        conversation: c.clone(),
        body: "yes".into(),
        seen: 0,
        on_unseen: OnUnseen::Send,
        stay_archived: false,
    };
    practice.as_("ben").does(all_the_same).unwrap();
}

#[test]
fn e8_a_message_begun_before_archiving_brings_it_back_when_sent() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").archives(&c).unwrap();
    practice.as_("cleo").sends_having_seen(&c, 1).unwrap();
    let happened = [Happening::Reopened { cause: Cause::StaffPost }, Happening::Item { number: 2 }];
    assert_eq!(practice.happened(&c), happened);
}

#[test]
fn e8_and_its_guard_holds_for_what_came_meanwhile() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.hears("main", PATIENT);
    practice.as_("ben").archives(&c).unwrap();
    assert_eq!(practice.as_("cleo").sends_having_seen(&c, 1), Err(UNSEEN));
}

#[test]
fn e13_writing_brings_it_back_by_the_endpoints_rule() {
    let mut practice = Practice::new();
    let (c, d) = (practice.hears("main", PATIENT), practice.hears("desk-line", PATIENT));
    for (conversation, mailbox) in [(c, "shared"), (d, "team:desk")] {
        practice.as_("ben").archives(&conversation).unwrap();
        practice.as_("ben").sends(&conversation).unwrap();
        assert_eq!(practice.mailbox(&conversation), mailbox);
    }
}

#[test]
fn e13_writing_makes_it_the_senders_where_replies_claim() {
    let mut practice = Practice::new();
    let policy = Policy { assign_non_member: AssignNonMember::Reject, reply_claims: true };
    practice.as_("ada").decrees(policy).unwrap();
    let c = practice.hears("desk-line", PATIENT);
    practice.as_("ben").archives(&c).unwrap();
    practice.as_("ben").sends(&c).unwrap();
    assert_eq!(practice.mailbox(&c), "teammate:ben");
    let to = Some(id("teammate:ben"));
    assert_eq!(practice.happened(&c)[1], Happening::Assigned { from: None, to, cause: Cause::ReplyClaims });
}

#[test]
fn e13_replies_claim_nothing_from_others_and_nothing_while_assignment_is_off() {
    let mut practice = Practice::new();
    let policy = Policy { assign_non_member: AssignNonMember::Reject, reply_claims: true };
    practice.as_("ada").decrees(policy).unwrap();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").sends(&c).unwrap();
    assert_eq!(practice.mailbox(&c), "shared", "only what a reply reopens");
    practice.as_("ben").archives(&c).unwrap();
    practice.service().sends(&c).unwrap();
    assert_eq!(practice.mailbox(&c), "shared", "a service holds nothing");
    practice.service().switches(false).unwrap();
    practice.as_("ben").archives(&c).unwrap();
    practice.as_("ben").sends(&c).unwrap();
    assert_eq!(practice.holder(&c), None);
    let team = conversation_of(practice.as_("ben").starts_team(&[]));
    practice.service().switches(true).unwrap();
    practice.as_("ben").archives(&team).unwrap();
    practice.as_("ben").sends(&team).unwrap();
    assert_eq!(practice.mailbox(&team), "internal");
}

#[test]
fn c13_a_message_can_leave_it_archived() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").archives(&c).unwrap();
    let quietly = Command::Send {
        conversation: c.clone(),
        body: "bye".into(),
        seen: 1,
        on_unseen: OnUnseen::Hold,
        stay_archived: true,
    };
    practice.as_("ben").does(quietly).unwrap();
    assert_eq!((practice.mailbox(&c).as_str(), practice.row(&c).items), ("none", 2));
}

#[test]
fn e13_a_note_leaves_it_archived() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").archives(&c).unwrap();
    practice.as_("cleo").notes(&c).unwrap();
    assert_eq!((practice.mailbox(&c).as_str(), practice.row(&c).items), ("none", 2));
}

#[test]
fn b32_no_later_change_repairs_what_it_was_not_about() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").claims(&c).unwrap();
    practice.as_("ada").suspends("ben").unwrap();
    practice.as_("cleo").tags(&c, "refill").unwrap();
    practice.receives("+14155550100", PATIENT, text("again")).unwrap();
    practice.as_("cleo").notes(&c).unwrap();
    assert_eq!(
        practice.holder(&c).as_deref(),
        Some("teammate:ben"),
        "the suspended keep what they hold (E7)"
    );
}

#[test]
fn b36_a_snapshot_is_overtaken_by_what_was_archived_in_it_for_whoever_could_see_that() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    let open = practice.organization().clone();
    practice.as_("cleo").archives(&c).unwrap();
    let archived = practice.organization().clone();
    let overtakes = |snapshot: &Organization, teammate: &str, event: &Event| {
        catch_up::overtakes(snapshot, &id(teammate), event)
    };
    assert!(!overtakes(&open, "cleo", practice.last()), "memory has it as it was");
    practice.as_("cleo").adds(&c, &["teammate:dora"]).unwrap();
    assert!(overtakes(&archived, "cleo", practice.last()));
    assert!(!overtakes(&archived, "dora", practice.last()), "she could not see it");
    assert!(!overtakes(&open, "cleo", practice.last()), "what archived it is a push to come");
    practice.as_("cleo").unarchives(&c).unwrap();
    assert!(overtakes(&archived, "cleo", practice.last()));
    let again = practice.organization().clone();
    practice.as_("cleo").notes(&c).unwrap();
    assert!(!overtakes(&again, "cleo", practice.last()), "it was open");
}
