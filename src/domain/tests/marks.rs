//! What a teammate keeps about a conversation for themselves.

use rotunda_protocol::command::Done;
use rotunda_protocol::conversation::Mark;
use rotunda_protocol::refusal::Refusal;

use super::practice::{Practice, id};
use crate::domain::event::Change;

const PATIENT: &str = "+15550001111";

#[test]
fn r71_reading_is_remembered_for_oneself() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    let rev = practice.row(&c).rev;
    assert_eq!(practice.as_("ben").reads(&c, 1), Ok(Done::Marked { conversation: c.clone() }));
    let mark = Mark { read: 1, starred: false, rev: 1 };
    let expected = Change::Mark { teammate: id("ben"), conversation: c.clone(), mark };
    assert_eq!(practice.last().changes, [expected]);
    assert_eq!((practice.mark("cleo", &c).read, practice.row(&c).rev), (0, rev), "the row is everybody's");
}

#[test]
fn r71_reading_never_goes_back_nor_past_the_newest_item() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.hears("main", PATIENT);
    practice.as_("ben").reads(&c, 99).unwrap();
    assert_eq!(practice.mark("ben", &c).read, 2);
    assert_eq!(practice.as_("ben").reads(&c, 1), Ok(Done::Unchanged));
}

#[test]
fn c20_stars_are_personal() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").stars(&c, true).unwrap();
    assert!(practice.mark("ben", &c).starred && !practice.mark("cleo", &c).starred);
    assert_eq!(practice.as_("ben").stars(&c, true), Ok(Done::Unchanged));
    practice.as_("ben").stars(&c, false).unwrap();
    let mark = Mark { read: 0, starred: false, rev: 2 };
    assert_eq!(practice.mark("ben", &c), mark, "its rev goes on, or an old star would win");
}

#[test]
fn c20_a_star_and_reading_do_not_undo_each_other() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").stars(&c, true).unwrap();
    practice.as_("ben").reads(&c, 1).unwrap();
    assert_eq!(practice.mark("ben", &c), Mark { read: 1, starred: true, rev: 2 });
}

#[test]
fn r71_what_is_archived_can_be_read_and_starred() {
    let mut practice = Practice::new();
    for batching in [false, true] {
        practice.batching = batching;
        let c = practice.hears("main", if batching { PATIENT } else { "+15550002222" });
        practice.as_("ben").archives(&c).unwrap();
        practice.as_("ben").stars(&c, true).unwrap();
        practice.as_("ben").reads(&c, 1).unwrap();
        practice.as_("ben").unarchives(&c).unwrap();
        let mark = practice.organization().shelf().mark(&c, &id("ben"));
        assert_eq!(mark, Mark { read: 1, starred: true, rev: 2 });
    }
}

#[test]
fn b35_unread_is_everything_until_it_was_read() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    assert_eq!(practice.row(&c).items - practice.mark("ben", &c).read, 1);
    let shelf = practice.organization().shelf();
    assert_eq!(shelf.mark(&c, &id("ben")), Mark::default());
}

#[test]
fn only_a_person_has_marks() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    assert_eq!(practice.service().reads(&c, 1), Err(Refusal::Forbidden));
    assert_eq!(practice.service().stars(&c, true), Err(Refusal::Forbidden));
}
