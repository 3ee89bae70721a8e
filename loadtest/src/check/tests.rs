//! What an audit finds, with logs and notes made by hand.

use std::rc::Rc;

use rotunda_protocol::conversation::Conversation;
use serde_json::{Value, json};

use super::audit::Audit;
use super::model::Model;
use crate::picture::note::Note;
use crate::picture::rows::{Place, Rows};
use crate::report::Verdict;

/// A log, the rows that were shown of it, and one session of `ada`.
struct Case {
    model: Model,
    rows: Rows,
    audit: Audit,
    verdict: Verdict,
}

fn teammate(id: &str) -> Value {
    json!({"change": "teammate", "id": id, "name": id, "role": "member", "status": "active"})
}

fn team(members: &[&str]) -> Value {
    json!({"change": "team", "id": "desk", "name": "Desk", "members": members, "deleted": false})
}

fn link() -> Value {
    json!({"change": "endpoint", "id": "link", "kind": "link", "address": "l", "label": "L",
        "owner": "team:desk", "members": [], "auto_assign": false})
}

fn row(rev: u64) -> Value {
    row_of("c", rev, 0)
}

fn row_of(id: &str, rev: u64, items: u32) -> Value {
    json!({"change": "conversation", "before": null, "happened": [], "after": {
        "id": id, "with": "contact", "endpoint": "link", "members": [], "state": "open", "assignment": null,
        "contact": {"id": "p", "name": "P", "address": "p"}, "tags": [], "items": items, "inbound": items,
        "last": null, "created_at": 1, "activity_at": 1, "rev": rev}})
}

fn item(number: u32) -> Value {
    json!({"change": "item", "conversation": "c", "number": number, "by": "contact", "at": 1,
        "kind": "message", "direction": "in", "body": "hello"})
}

impl Case {
    /// `ada` is in the team whose link it is, and so far has been told all there is.
    fn new() -> Self {
        let audit = Audit::new("session 1".into(), "ada".parse().unwrap());
        let (model, rows, verdict) = (Model::default(), Rows::default(), Verdict::default());
        let mut case = Self { model, rows, audit, verdict };
        case.log(&[teammate("ada"), teammate("ben"), team(&["ada"]), link(), row(1)]);
        case.audit.is_current(&case.model);
        case
    }

    /// An event.
    fn log(&mut self, changes: &[Value]) {
        let logged =
            json!({"seq": self.model.head + 1, "event": {"at": 1, "by": "contact", "changes": changes}});
        self.model.take(serde_json::from_value(logged).unwrap(), &mut self.rows).unwrap();
    }

    fn note(&mut self, note: &Note) {
        self.audit.check(&self.model, note, &mut self.verdict);
    }

    fn shown(&mut self, id: &str, rev: u64, tags: &[&str]) -> (Place, Rc<crate::picture::rows::Version>) {
        let row: Conversation = serde_json::from_value(json!({
            "id": id, "kind": "patient", "endpoint": "link", "title": null, "members": [], "state": "open",
            "contact": {"id": "p", "name": "P", "address": "p"}, "mailbox": "shared", "assignee": null,
            "tags": tags, "items": 0, "inbound": 0, "last": null, "created_at": 1, "activity_at": 1, "rev": rev}))
        .unwrap();
        self.rows.keep(&row)
    }

    fn pushed(&mut self, rev: u64) {
        let (place, version) = self.shown("c", rev, &[]);
        self.note(&Note::Row(place, version));
    }

    /// Lost, duplicated, leaked, diverged.
    fn found(mut self) -> (u64, u64, u64, u64) {
        self.audit.finish(&self.model, &mut self.verdict);
        let Verdict { lost, duplicated, leaked, diverged, .. } = self.verdict;
        (lost, duplicated, leaked, diverged)
    }
}

#[test]
fn whoever_is_told_everything_once_is_told_right() {
    let mut case = Case::new();
    for rev in 2..5 {
        case.log(&[row(rev)]);
        case.pushed(rev);
    }
    assert!(case.audit.is_settled(&case.model));
    assert_eq!(case.found(), (0, 0, 0, 0));
}

#[test]
fn what_is_left_out_is_lost_and_so_is_what_never_comes() {
    let mut case = Case::new();
    (2..6).for_each(|rev| case.log(&[row(rev)]));
    case.pushed(2);
    case.pushed(4);
    assert!(!case.audit.is_settled(&case.model));
    assert_eq!(case.found(), (2, 0, 0, 0), "rows 3 and 5");
}

#[test]
fn what_comes_again_or_too_late_is_duplicated() {
    let mut case = Case::new();
    (2..4).for_each(|rev| case.log(&[row(rev)]));
    for rev in [2, 3, 3, 2] {
        case.pushed(rev);
    }
    assert_eq!(case.found(), (0, 2, 0, 0));
}

#[test]
fn what_they_could_not_see_then_is_leaked() {
    let mut case = Case::new();
    case.log(&[team(&["ben"])]);
    case.log(&[row(2), item(1)]);
    case.pushed(2);
    let (place, version) = case.shown("c", 2, &[]);
    case.note(&Note::AnswerRow(place, version));
    case.note(&Note::Item(place, 1));
    case.note(&Note::AnswerItem(place, 1));
    // It was shown to them before, and so may be spoken of; another one never was.
    case.note(&Note::About(place));
    case.log(&[row_of("other", 1, 0)]);
    let other = case.rows.place(&"other".parse().unwrap());
    case.note(&Note::About(other));
    case.note(&Note::Endpoint("link".parse().unwrap()));
    case.note(&Note::Endpoint("vault".parse().unwrap()));
    assert_eq!(case.found(), (0, 0, 6, 0));
}

#[test]
fn an_old_row_may_be_shown_to_whom_saw_it_while_it_was_new() {
    let mut case = Case::new();
    case.log(&[team(&[])]);
    let (place, version) = case.shown("c", 1, &[]);
    case.note(&Note::AnswerRow(place, version));
    assert_eq!(case.found(), (0, 0, 0, 0));
}

#[test]
fn a_row_that_never_was_so_is_diverged() {
    let mut case = Case::new();
    case.log(&[row(2)]);
    let (place, version) = case.shown("c", 2, &["lie"]);
    case.note(&Note::Row(place, version));
    let (place, version) = case.shown("c", 9, &[]);
    case.note(&Note::AnswerRow(place, version));
    assert_eq!(case.found(), (0, 0, 0, 2));
}

#[test]
fn a_state_takes_the_place_of_pushes_only_for_what_it_shows() {
    for (shown, lost) in [(Some(3), 0), (Some(2), 1), (None, 2)] {
        let mut case = Case::new();
        (2..5).for_each(|rev| case.log(&[row(rev)]));
        case.note(&Note::Begun { fresh: false });
        if let Some(rev) = shown {
            let (place, version) = case.shown("c", rev, &[]);
            case.note(&Note::StateRow(place, version));
        }
        case.note(&Note::StateEnd);
        case.pushed(4);
        assert_eq!(case.found(), (lost, 0, 0, 0), "{shown:?}");
    }
}

#[test]
fn whoever_begins_anew_need_not_be_told_what_was_before() {
    let mut case = Case::new();
    (2..5).for_each(|rev| case.log(&[row(rev)]));
    case.note(&Note::Begun { fresh: true });
    case.note(&Note::StateEnd);
    let (place, version) = case.shown("c", 2, &[]);
    case.note(&Note::AnswerRow(place, version));
    // The list had row 2: row 3 should have come.
    case.pushed(4);
    assert_eq!(case.found(), (1, 0, 0, 0));
}

#[test]
fn who_may_not_see_something_for_a_while_is_not_told_it_meanwhile() {
    let mut case = Case::new();
    case.log(&[team(&[])]);
    case.log(&[row(2)]);
    case.log(&[team(&["ada"])]);
    case.log(&[row(3)]);
    case.pushed(3);
    assert_eq!(case.found(), (0, 0, 0, 0));
}

#[test]
fn items_of_what_is_open_come_without_gaps_and_once() {
    let mut case = Case::new();
    let place = case.rows.place(&"c".parse().unwrap());
    (1..6).for_each(|number| case.log(&[item(number)]));
    case.note(&Note::Opened(place, 1));
    // The answer was ahead of the push of item 1, which is no news; 3 is left out, 4 comes twice, 5 never.
    for number in [1, 2, 4, 4] {
        case.note(&Note::Item(place, number));
    }
    assert_eq!(case.found(), (2, 1, 0, 0));
}

#[test]
fn a_log_with_a_gap_is_no_log() {
    let mut case = Case::new();
    let logged = json!({"seq": 7, "event": {"at": 1, "by": "contact", "changes": []}});
    assert!(case.model.take(serde_json::from_value(logged).unwrap(), &mut case.rows).is_err());
    let logged = json!({"seq": 2, "event": {"at": 1, "by": "contact", "changes": [row(5)]}});
    assert!(case.model.take(serde_json::from_value(logged).unwrap(), &mut case.rows).is_err());
}
