//! Lists and counts.

use rotunda_protocol::ask::RowKey;
use rotunda_protocol::id::{ConversationId, EndpointId};
use rotunda_protocol::principal::Mailbox;

use super::practice::{Practice, conversation_of, id};
use crate::domain::list::{self, Selection};

fn page(practice: &Practice, name: &str, after: Option<&RowKey>, limit: usize) -> Vec<ConversationId> {
    let selection = Selection { mailbox: &Mailbox::Shared, endpoint: None };
    let rows = list::page(practice.organization(), &id(name), &selection, after, limit);
    rows.iter().map(|row| row.id.clone()).collect()
}

fn key(practice: &Practice, c: &ConversationId) -> RowKey {
    RowKey { activity_at: practice.row(c).activity_at, conversation: c.clone() }
}

#[test]
fn a_list_is_paged_by_the_row_it_ended_with() {
    let mut practice = Practice::new();
    let mut newest_first: Vec<_> =
        (0..7).map(|n| practice.hears("main", &format!("+1555000200{n}"))).collect();
    newest_first.reverse();
    assert_eq!(page(&practice, "ben", None, 3), newest_first[..3]);
    let after = key(&practice, &newest_first[2]);
    assert_eq!(page(&practice, "ben", Some(&after), 3), newest_first[3..6]);
    let after = key(&practice, &newest_first[6]);
    assert!(page(&practice, "ben", Some(&after), 3).is_empty());
    assert!(page(&practice, "ben", None, 0).is_empty());
}

#[test]
fn paging_goes_on_from_a_row_that_has_gone_meanwhile() {
    let mut practice = Practice::new();
    let oldest_first: Vec<_> = (0..3).map(|n| practice.hears("main", &format!("+1555000200{n}"))).collect();
    let after = key(&practice, &oldest_first[1]);
    practice.as_("ben").archives(&oldest_first[1]).unwrap();
    assert_eq!(page(&practice, "ben", Some(&after), 9), oldest_first[..1]);
}

#[test]
fn a_conversation_seen_in_several_ways_is_listed_and_counted_once() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    let d = practice.hears("dora-line", "+15550001111");
    practice.as_("dora").assigns(&d, "nobody").unwrap();
    let everything = ["teammate:cleo", "team:desk", "team:nurses", "organization"];
    practice.as_("cleo").adds(&c, &everything).unwrap();
    practice.as_("dora").adds(&d, &everything).unwrap();
    for name in ["ada", "ben", "cleo", "dora"] {
        assert_eq!(practice.lists(name, "shared"), [d.clone(), c.clone()], "{name}");
    }
}

#[test]
fn b19_a_list_shows_nothing_of_what_one_may_not_see() {
    let mut practice = Practice::new();
    let c = practice.hears("main", "+15550001111");
    practice.hears("cleo-link", "pat");
    practice.hears("desk-line", "+15550001111");
    assert_eq!(practice.lists("dora", "shared"), [c]);
    assert_eq!(practice.lists("dora", "team:desk"), []);
    for name in ["finn", "sam", "stranger"] {
        assert_eq!(practice.lists(name, "shared"), []);
    }
}

#[test]
fn one_endpoint_can_be_listed() {
    let mut practice = Practice::new();
    practice.hears("main", "+15550001111");
    let c = practice.hears("cleo-link", "pat");
    practice.as_("cleo").adds(&c, &["teammate:dora"]).unwrap();
    let internal = conversation_of(practice.as_("ben").starts_team(&[]));
    let endpoint: EndpointId = id("cleo-link");
    for (name, mailbox, expected) in [
        ("ben", Mailbox::Shared, vec![c.clone()]),
        ("dora", Mailbox::Shared, vec![c.clone()]),
        ("ada", Mailbox::Shared, vec![]),
        ("ben", Mailbox::Internal, vec![]),
    ] {
        let selection = Selection { mailbox: &mailbox, endpoint: Some(&endpoint) };
        let rows = list::page(practice.organization(), &id(name), &selection, None, 9);
        assert_eq!(rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>(), expected, "{name} {mailbox}");
        assert_eq!(list::count(practice.organization(), &id(name), &selection), expected.len() as u64);
    }
    assert_eq!(practice.lists("ben", "internal"), [internal]);
}

#[test]
fn b34_counts_follow_every_move() {
    let mut practice = Practice::new();
    let c = practice.hears("main", "+15550001111");
    let steps = [("teammate:ben", [0, 1, 0]), ("team:desk", [0, 0, 1]), ("nobody", [1, 0, 0])];
    for (to, expected) in steps {
        practice.as_("ada").assigns(&c, to).unwrap();
        let counts =
            ["shared", "teammate:ben", "team:desk"].map(|mailbox| practice.lists("ada", mailbox).len());
        assert_eq!(counts, expected, "{to}");
    }
}

#[test]
fn rows_changed_since_come_oldest_change_first_and_each_once() {
    let mut practice = Practice::new();
    let c = practice.hears("main", "+15550001111");
    let d = practice.hears("main", "+15550002222");
    let since = practice.organization().seq();
    practice.as_("ben").tags(&d, "x").unwrap();
    practice.as_("ben").tags(&c, "x").unwrap();
    practice.as_("ben").tags(&d, "y").unwrap();
    let changed = practice.organization().shelf().changed_since(since);
    let changed: Vec<_> = changed.map(|kept| kept.value.id.clone()).collect();
    assert_eq!(changed, [c, d]);
}
