//! What an audit finds, with logs and notes made by hand.

use std::rc::Rc;

use rotunda_protocol::conversation::Conversation;
use serde_json::{Value, json};

use super::audit::Audit;
use super::model::Model;
use crate::picture::note::{Note, Shown};
use crate::picture::rows::{Place, Rows, Version, content};
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

/// The team's link, and a hall that everybody is in.
fn endpoint(id: &str, owner: &str) -> Value {
    json!({"change": "endpoint", "id": id, "kind": "link", "address": "l", "label": "L",
        "owner": owner, "members": [], "auto_assign": false})
}

fn row(rev: u64) -> Value {
    row_in("link", "c", rev)
}

fn row_in(endpoint: &str, id: &str, rev: u64) -> Value {
    json!({"change": "conversation", "before": null, "happened": [], "after": {
        "id": id, "with": "contact", "endpoint": endpoint, "members": [], "state": "open", "assignment": null,
        "contact": {"id": "p", "name": "P", "address": "p"}, "tags": [], "items": 0, "inbound": 0,
        "last": null, "created_at": 1, "activity_at": 1, "rev": rev}})
}

fn item(number: u32) -> Value {
    json!({"change": "item", "conversation": "c", "number": number, "by": "contact", "at": 1,
        "kind": "message", "direction": "in", "body": "hello"})
}

/// The same, as it is shown.
fn shown(number: u32) -> Shown {
    Shown { number, content: content(&serde_json::from_value(item(number)).unwrap()) }
}

impl Case {
    /// `ada` is in the team whose link it is, and so far has been told all there is.
    fn new() -> Self {
        let audit = Audit::new("session 1".into(), "ada".parse().unwrap());
        let (model, rows, verdict) = (Model::default(), Rows::default(), Verdict::default());
        let mut case = Self { model, rows, audit, verdict };
        let endpoints = [endpoint("link", "team:desk"), endpoint("hall", "organization")];
        case.log(&[&[teammate("ada"), teammate("ben"), team(&["ada"])], &endpoints[..], &[row(1)]].concat());
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

    fn shown(&mut self, id: &str, rev: u64, tags: &[&str]) -> (Place, Rc<Version>) {
        self.shown_in("link", id, rev, tags)
    }

    fn shown_in(&mut self, endpoint: &str, id: &str, rev: u64, tags: &[&str]) -> (Place, Rc<Version>) {
        let row: Conversation = serde_json::from_value(json!({
            "id": id, "kind": "patient", "endpoint": endpoint, "title": null, "members": [], "state": "open",
            "contact": {"id": "p", "name": "P", "address": "p"}, "mailbox": "shared", "assignee": null,
            "tags": tags, "items": 0, "inbound": 0, "last": null, "created_at": 1, "activity_at": 1, "rev": rev}))
        .unwrap();
        self.rows.keep(&row)
    }

    /// Row `rev` of what they could see before.
    fn pushed(&mut self, rev: u64) {
        let was = json!({"mailbox": "shared", "assignee": null, "tags": [], "endpoint": "link"});
        self.pushed_with(rev, &[], Some(was));
    }

    fn pushed_with(&mut self, rev: u64, tags: &[&str], was: Option<Value>) {
        let (place, version) = self.shown("c", rev, tags);
        let was = was.map(|was| Rc::new(serde_json::from_value(was).unwrap()));
        self.note(&Note::Row(place, version, was));
    }

    /// Lost, duplicated, leaked, diverged.
    /// It opens what has no items yet.
    fn open(&mut self, place: Place) {
        self.note(&Note::Opening(place));
        self.note(&Note::Opened(place, 0));
    }

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
    case.pushed_with(2, &[], None);
    let (place, version) = case.shown("c", 2, &[]);
    case.note(&Note::AnswerRow(place, version));
    case.note(&Note::Item(place, shown(1)));
    case.note(&Note::AnswerItem(place, shown(1)));
    case.note(&Note::About(place));
    case.note(&Note::Endpoint("link".parse().unwrap()));
    case.note(&Note::Endpoint("vault".parse().unwrap()));
    assert_eq!(case.found(), (0, 0, 6, 0));
}

#[test]
fn what_may_no_longer_be_spoken_of_is_what_they_know_to_be_lost() {
    let mut case = Case::new();
    let place = case.rows.place(&"c".parse().unwrap());
    case.log(&[team(&[])]);
    // A mark that was under way: nothing has been told of after the loss.
    case.note(&Note::About(place));
    case.log(&[row_in("hall", "d", 1)]);
    let (other, version) = case.shown_in("hall", "d", 1, &[]);
    case.note(&Note::Row(other, version, None));
    case.note(&Note::About(place));
    assert_eq!(case.found(), (0, 0, 1, 0));
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
fn a_row_or_an_item_that_never_was_so_is_diverged() {
    let mut case = Case::new();
    case.log(&[row(2), item(1)]);
    let was = json!({"mailbox": "shared", "assignee": null, "tags": [], "endpoint": "link"});
    case.pushed_with(2, &["lie"], Some(was));
    let (place, version) = case.shown("c", 9, &[]);
    case.note(&Note::AnswerRow(place, version));
    case.note(&Note::AnswerItem(place, Shown { number: 1, content: 7 }));
    assert_eq!(case.found(), (0, 0, 0, 3));
}

#[test]
fn what_a_row_was_is_told_to_whom_could_see_it_then() {
    let mut case = Case::new();
    (2..4).for_each(|rev| case.log(&[row(rev)]));
    case.pushed_with(2, &[], None);
    let was = json!({"mailbox": "none", "assignee": null, "tags": [], "endpoint": "link"});
    case.pushed_with(3, &[], Some(was.clone()));
    case.log(&[team(&[])]);
    case.log(&[team(&["ada"]), row(4)]);
    case.pushed_with(4, &[], Some(was));
    assert_eq!(case.found(), (0, 0, 1, 2), "not told; told wrongly; told to a newcomer");
}

#[test]
fn what_may_be_seen_is_not_refused() {
    let mut case = Case::new();
    let place = case.rows.place(&"c".parse().unwrap());
    case.note(&Note::Hidden(place));
    case.log(&[team(&[])]);
    case.note(&Note::Hidden(place));
    assert_eq!(case.found(), (0, 0, 0, 1));
}

#[test]
fn a_state_takes_the_place_of_pushes_only_for_what_it_shows() {
    for (shown, lost) in [(Some(3), 0), (Some(2), 1), (None, 2)] {
        let mut case = Case::new();
        (2..5).for_each(|rev| case.log(&[row(rev)]));
        case.note(&Note::Begun { fresh: false, open: None });
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
    case.note(&Note::Begun { fresh: true, open: None });
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
    case.note(&Note::Opening(place));
    case.note(&Note::Opened(place, 1));
    // The answer was ahead of the push of item 1, which is no news; 3 is left out, 4 comes twice, 5 never.
    for number in [1, 2, 4, 4] {
        case.note(&Note::Item(place, shown(number)));
    }
    assert_eq!(case.found(), (2, 1, 0, 0));
}

#[test]
fn items_may_come_before_the_answer_and_go_on_from_there() {
    for (newest, lost) in [(2, 0), (1, 0), (0, 1)] {
        let mut case = Case::new();
        let place = case.rows.place(&"c".parse().unwrap());
        (1..4).for_each(|number| case.log(&[item(number)]));
        case.note(&Note::Opening(place));
        case.note(&Note::Item(place, shown(2)));
        case.note(&Note::Opened(place, newest));
        case.note(&Note::Item(place, shown(3)));
        assert_eq!(case.found(), (lost, 0, 0, 0), "{newest}");
    }
}

#[test]
fn items_of_what_was_closed_come_only_while_they_are_under_way() {
    let mut case = Case::new();
    let (place, other) = (case.rows.place(&"c".parse().unwrap()), case.rows.place(&"d".parse().unwrap()));
    (1..4).for_each(|number| case.log(&[item(number)]));
    case.open(place);
    case.note(&Note::Closed(place));
    case.note(&Note::Opening(other));
    case.note(&Note::Item(place, shown(1)));
    case.note(&Note::Opened(other, 0));
    case.note(&Note::Item(place, shown(2)));
    assert_eq!(case.found(), (0, 0, 1, 0));
}

#[test]
fn what_was_closed_while_the_hub_greeted_is_open_for_a_little_longer() {
    let mut case = Case::new();
    let (place, other) = (case.rows.place(&"c".parse().unwrap()), case.rows.place(&"d".parse().unwrap()));
    (1..4).for_each(|number| case.log(&[item(number)]));
    case.open(place);
    case.note(&Note::Closed(place));
    case.note(&Note::Begun { fresh: false, open: Some(place) });
    case.note(&Note::StateEnd);
    case.note(&Note::Item(place, shown(1)));
    case.open(other);
    case.note(&Note::Item(place, shown(2)));
    assert_eq!(case.found(), (0, 0, 1, 0));
}

#[test]
fn whoever_starts_over_still_hears_of_what_the_hub_has_open() {
    for (asked, leaked) in [(false, 1), (true, 0)] {
        let mut case = Case::new();
        let (place, other) = (case.rows.place(&"c".parse().unwrap()), case.rows.place(&"d".parse().unwrap()));
        (1..3).for_each(|number| case.log(&[item(number)]));
        case.note(&Note::Opening(place));
        if !asked {
            case.note(&Note::Opened(place, 0));
        }
        case.note(&Note::StartedOver);
        case.note(&Note::StateEnd);
        if asked {
            case.note(&Note::Opened(place, 0));
        }
        case.note(&Note::Item(place, shown(1)));
        if !asked {
            case.open(other);
        }
        case.note(&Note::Item(place, shown(2)));
        assert_eq!(case.found(), (0, 0, leaked, 0), "{asked}");
    }
}

#[test]
fn a_log_with_a_gap_is_no_log() {
    let mut case = Case::new();
    let logged = json!({"seq": 7, "event": {"at": 1, "by": "contact", "changes": []}});
    assert!(case.model.take(serde_json::from_value(logged).unwrap(), &mut case.rows).is_err());
    let logged = json!({"seq": 2, "event": {"at": 1, "by": "contact", "changes": [row(5)]}});
    assert!(case.model.take(serde_json::from_value(logged).unwrap(), &mut case.rows).is_err());
}
