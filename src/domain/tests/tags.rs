//! Conversation tags.

use rotunda_protocol::command::{ConversationUpdate, Done};
use rotunda_protocol::conversation::Happening;
use rotunda_protocol::refusal::Refusal;

use super::practice::{Practice, conversation_of, id};
use crate::domain::event::Change;
use crate::domain::tag::{TAG_WORDS_MAX, TAGS_MAX};

const PATIENT: &str = "+15550001111";

#[test]
fn r42_every_kind_of_conversation_can_be_tagged() {
    let mut practice = Practice::new();
    let archived = practice.hears("main", "+15550002222");
    practice.as_("ben").archives(&archived).unwrap();
    let team = conversation_of(practice.as_("ben").starts_team(&[]));
    for c in [practice.hears("main", PATIENT), archived, team] {
        practice.as_("ben").tags(&c, "refill").unwrap();
        assert_eq!(practice.happened(&c), [Happening::Tagged]);
        assert!(practice.row(&c).tags.contains("refill"));
    }
}

#[test]
fn r43_who_sees_it_tags_it_and_two_who_tag_at_once_both_succeed() {
    let mut practice = Practice::new();
    practice.batching = true;
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").tags(&c, "refill").unwrap();
    practice.as_("dora").tags(&c, "urgent").unwrap();
    practice.as_("cleo").untags(&c, "refill").unwrap();
    assert_eq!(practice.row(&c).tags, ["urgent".to_owned()].into());
    assert_eq!(practice.was(&c).tags, ["refill", "urgent"], "R47: what it was comes along");
}

#[test]
fn r43_adding_and_removing_twice_is_once() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").tags(&c, "refill").unwrap();
    assert_eq!(practice.as_("cleo").tags(&c, "REFILL "), Ok(Done::Unchanged));
    practice.as_("ben").untags(&c, "Refill").unwrap();
    assert_eq!(practice.as_("cleo").untags(&c, "refill"), Ok(Done::Unchanged));
}

#[test]
fn r46_a_new_word_makes_a_tag_and_every_case_of_it_is_the_same() {
    let mut practice = Practice::new();
    let (c, d) = (practice.hears("main", PATIENT), practice.hears("main", "+15550002222"));
    practice.as_("ben").tags(&c, "New Patient").unwrap();
    assert!(practice.last().changes.contains(&Change::Tag { name: "New Patient".into() }));
    practice.as_("cleo").tags(&d, "new  patient").unwrap();
    assert_eq!(practice.last().changes.len(), 1, "the word is known");
    assert!(practice.row(&d).tags.contains("New Patient"), "as it was first written");
}

#[test]
fn r46_a_tag_outlives_its_last_use() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").tags(&c, "Lab").unwrap();
    practice.as_("ben").untags(&c, "lab").unwrap();
    practice.as_("ben").tags(&c, "LAB").unwrap();
    assert!(practice.row(&c).tags.contains("Lab"));
}

#[test]
fn a_tag_is_a_few_words_and_there_are_not_too_many() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    for bad in ["", " ", &"x".repeat(65)] {
        let refused = practice.as_("ben").tags(&c, bad);
        assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if field == "tag"), "{bad:?}");
    }
    let add_tags: Vec<String> = (0..=TAGS_MAX).map(|n| format!("tag {n}")).collect();
    let fewer = ConversationUpdate { add_tags: add_tags[1..].to_vec(), ..ConversationUpdate::default() };
    let update = ConversationUpdate { add_tags, ..ConversationUpdate::default() };
    let refused = practice.as_("ben").updates(&c, update);
    assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if field == "tags"));
    practice.as_("ben").updates(&c, fewer).unwrap();
}

#[test]
fn a_tag_in_both_lists_is_there_afterwards() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    let update = ConversationUpdate {
        add_tags: vec!["a".into()],
        remove_tags: vec!["A".into()],
        ..ConversationUpdate::default()
    };
    practice.as_("ben").updates(&c, update).unwrap();
    assert!(practice.row(&c).tags.contains("a"));
}

#[test]
fn an_organization_has_so_many_tags_at_most() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    let mut organization = practice.organization().clone();
    for n in 0..TAG_WORDS_MAX {
        organization.put_tag(format!("tag {n}"));
    }
    practice.working.organization = organization;
    let refused = practice.as_("ben").tags(&c, "one more");
    assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if field == "tag"));
    assert_eq!(practice.organization().conversation(&id(c.as_str())).unwrap().rev, 1);
}
