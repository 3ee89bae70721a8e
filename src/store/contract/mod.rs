//! What every store keeps to, as tests. Each check is given a fresh, empty store.
//!
//! A database's own tests say `contract::checks!(fresh)`, where `fresh` makes a store and whatever has to
//! live as long.

mod model;
pub(crate) mod sample;
mod sharing;

use std::collections::BTreeSet;

use futures::future::join_all;
use rotunda_protocol::ask::RowKey;
use rotunda_protocol::conversation::{Contact, LastItem, Mark};
use rotunda_protocol::directory::EndpointKind;
use rotunda_protocol::id::{OrganizationId, TeammateId};
use rotunda_protocol::item::{Content, Direction, ItemKind};
use rotunda_protocol::principal::Actor;

use self::model::Model;
use self::sample::{
    Dice, ENDPOINTS, NOON, PRINCIPALS, TEAMMATES, any_event, archived, batch, begun, between, change,
    contact, endpoint, event, id, item, mark, message, patient, principals, profile, record, small_event,
    team, teammate,
};
pub(crate) use self::sharing::{
    a_node_is_forgotten_unless_it_has_beaten_since, a_node_is_known_by_its_newest_beat,
    a_turn_that_is_dropped_lets_the_next_go_on, append_as_a_room,
    heads_are_those_of_the_organizations_that_there_are, racing_rooms_each_commit_once,
    what_is_found_is_as_of_a_head,
};
use super::{Appended, ArchivedQuery, Batch, ChangedSince, Needs, Store, StoreError};
use crate::domain::conversation::{Assignment, Conversation, State};
use crate::domain::directory::Endpoint;
use crate::domain::event::{Change, Event, Seq};

/// Makes a test of each check, for one kind of store.
macro_rules! checks {
    ($fresh:path) => {
        $crate::store::contract::checks! { $fresh:
            nothing_is_there_at_first
            every_change_reads_back
            every_event_reads_back
            every_item_reads_back
            a_log_has_a_random_birth
            appending_elsewhere_than_at_the_head_is_a_conflict
            batches_of_one_log_chain
            organizations_do_not_mix
            racing_appends_each_win_one_place
            a_batch_that_contradicts_harms_no_other
            a_ref_is_found_again
            a_batch_may_have_no_events
            conversations_are_found_by_id_and_thread
            contacts_are_found_by_address
            one_thread_for_each_endpoint_and_address
            items_come_in_pages
            events_come_in_pages
            the_archive_comes_in_pages
            the_archive_shows_only_what_is_asked
            what_changed_is_told_or_is_too_much
            any_history_reads_back
            what_is_found_is_as_of_a_head
            heads_are_those_of_the_organizations_that_there_are
            a_node_is_known_by_its_newest_beat
            a_node_is_forgotten_unless_it_has_beaten_since
            racing_rooms_each_commit_once
            a_turn_that_is_dropped_lets_the_next_go_on
            any_text_reads_back
        }
    };
    ($fresh:path: $($check:ident)*) => {$(
        #[tokio::test]
        async fn $check() {
            let (store, _keep) = $fresh().await;
            $crate::store::contract::$check(&store).await;
        }
    )*};
}
pub(crate) use checks;

fn committed(seq: u64) -> Appended {
    Appended::Committed(Seq(seq))
}

/// Appends, and expects it to succeed.
async fn append(store: &dyn Store, batch: Batch) -> Seq {
    match store.append(batch).await.unwrap() {
        Appended::Committed(seq) => seq,
        Appended::Conflict => panic!("conflict"),
    }
}

/// Begins the log of an organization `o` with one event of these changes.
async fn begin(store: &dyn Store, changes: Vec<Change>) -> OrganizationId {
    append(store, batch("o", 0, vec![event(changes)])).await;
    id("o")
}

pub(crate) async fn nothing_is_there_at_first(store: &dyn Store) {
    let nobody = id("nobody");
    assert_eq!(store.load(&nobody).await.unwrap(), None);
    assert!(store.events(&nobody, Seq(0), 10).await.unwrap().is_empty());
    assert!(store.items(&nobody, &id("c"), 0, 10, 10).await.unwrap().is_empty());
    let needs = Needs {
        refs: vec![(id("contact"), "r".into())],
        conversations: vec![id("c")],
        threads: vec![(id("e"), "+1".into())],
        contacts: vec!["+1".into()],
    };
    let found = store.find(&nobody, needs).await.unwrap();
    assert!(found.refs.is_empty() && found.conversations.is_empty() && found.contacts.is_empty());
    assert!(store.archived(&nobody, everything(10)).await.unwrap().is_empty());
    assert!(store.changed_since(&nobody, &id("ada"), Seq(0), 0).await.unwrap().is_some());
}

pub(crate) async fn every_change_reads_back(store: &dyn Store) {
    let held = Conversation {
        members: principals(&["organization", "team:desk", "teammate:ada"]),
        state: State::Open {
            assignment: Some(Assignment {
                to: id("team:desk"),
                by: Actor::Service("twilio:eu".into()),
                at: -5,
            }),
        },
        tags: ["a \"b\"", "Ä", ""].into_iter().map(String::from).collect(),
        items: 3,
        inbound: 2,
        last: Some(LastItem { kind: ItemKind::Voicemail, by: Actor::Contact, at: NOON + 1 }),
        rev: u64::try_from(i64::MAX).unwrap(),
        ..patient("c1", "e1", "+1")
    };
    let link = Endpoint {
        kind: EndpointKind::Link,
        owner: id("organization"),
        auto_assign: false,
        ..endpoint("e2", &[])
    };
    let changes = vec![
        Change::Organization(profile()),
        Change::Teammate(teammate("ada")),
        Change::Team(team("desk", &["ben", "ada"])),
        Change::Endpoint(endpoint("e1", &["teammate:ada", "organization"])),
        Change::Endpoint(link.clone()),
        Change::Contact(contact("+1")),
        Change::Tag { name: "Ünïcode, \"quoted\"".into() },
        begun(held.clone()),
        begun(between("c2", &["teammate:ada"])),
        Change::Item(item("c1", 1, message("hello"))),
        mark("ada", "c1", 1, true),
    ];
    let organization = begin(store, changes).await;
    let image = store.load(&organization).await.unwrap().unwrap();
    assert_eq!((image.head, image.profile, image.profile_changed), (Seq(1), profile(), Seq(1)));
    assert_eq!(image.teammates, [(teammate("ada"), Seq(1))]);
    assert_eq!(image.teams, [(team("desk", &["ada", "ben"]), Seq(1))]);
    let e1 = endpoint("e1", &["organization", "teammate:ada"]);
    assert_eq!(image.endpoints, [(e1, Seq(1)), (link, Seq(1))]);
    assert_eq!(image.tags, ["Ünïcode, \"quoted\""]);
    assert_eq!(image.conversations, [(held, Seq(1)), (between("c2", &["teammate:ada"]), Seq(1))]);
    assert_eq!(image.marks, [(id("c1"), id("ada"), Mark { read: 1, starred: true, rev: 1 })]);
}

pub(crate) async fn every_event_reads_back(store: &dyn Store) {
    let before = patient("c1", "e1", "+1");
    let after = archived(before.clone(), NOON);
    let events = vec![
        event(vec![
            Change::Organization(profile()),
            Change::Teammate(teammate("ada")),
            Change::Team(team("desk", &["ada"])),
            Change::Endpoint(endpoint("e1", &["teammate:ada"])),
            Change::Contact(contact("+1")),
            Change::Tag { name: "urgent".into() },
            begun(before.clone()),
        ]),
        Event {
            at: 0, by: Actor::Contact, changes: vec![Change::Item(item("c1", 1, message("\u{0}\n🙂")))]
        },
        Event {
            at: -1,
            by: Actor::Service("x".into()),
            changes: vec![change(Some(&before), after, &["ada"]), mark("ada", "c1", 1, false)],
        },
        event(Vec::new()),
    ];
    append(store, batch("o", 0, events.clone())).await;
    let read = store.events(&id("o"), Seq(0), 10).await.unwrap();
    assert_eq!(read, (1..).map(Seq).zip(events).collect::<Vec<_>>());
}

pub(crate) async fn every_item_reads_back(store: &dyn Store) {
    let contents = [
        message("hello"),
        Content::Message {
            direction: Direction::Out,
            body: String::new(),
            media: vec!["https://m/1".into(), "a\"b".into()],
        },
        Content::Note { body: "for us".into() },
        Content::Call { direction: Direction::In, outcome: "no-answer".into(), seconds: 0 },
        Content::Call { direction: Direction::Out, outcome: "completed".into(), seconds: u32::MAX },
        Content::Voicemail { seconds: 3, recording: None, transcript: None },
        Content::Voicemail {
            seconds: 3,
            recording: Some("https://r".into()),
            transcript: Some(String::new()),
        },
    ];
    let items: Vec<_> =
        contents.into_iter().zip(1..).map(|(content, number)| item("c1", number, content)).collect();
    let mut changes = vec![begun(patient("c1", "e1", "+1"))];
    changes.extend(items.iter().cloned().map(Change::Item));
    let organization = begin(store, changes).await;
    let read = store.items(&organization, &id("c1"), 0, u32::MAX, 100).await.unwrap();
    assert_eq!(read, items.into_iter().map(|item| (item, Seq(1))).collect::<Vec<_>>());
}

/// Whatever people write, and clients give as a `ref`.
pub(crate) async fn any_text_reads_back(store: &dyn Store) {
    for (n, text) in
        ["\u{0}", "a\u{0}b\u{0}", "\u{FDD0}0", "\\u0000", "🙂\u{FFFF}", "' \" \\"].into_iter().enumerate()
    {
        let organization = format!("o{n}");
        let known = Contact { address: text.into(), ..contact("+1") };
        let changes = vec![
            Change::Contact(known.clone()),
            begun(patient("c1", "e1", text)),
            Change::Item(item("c1", 1, message(text))),
        ];
        let refs = vec![record("contact", text, 1)];
        append(store, Batch { refs: refs.clone(), ..batch(&organization, 0, vec![event(changes)]) }).await;
        let items = store.items(&id(&organization), &id("c1"), 0, 9, 9).await.unwrap();
        assert_eq!(items, [(item("c1", 1, message(text)), Seq(1))]);
        let needs = Needs {
            refs: vec![(id("contact"), text.into())],
            threads: vec![(id("e1"), text.into())],
            contacts: vec![text.into()],
            ..Needs::default()
        };
        let found = store.find(&id(&organization), needs).await.unwrap();
        assert_eq!((found.refs, found.contacts), (refs, vec![known]), "{text:?}");
        assert_eq!(found.conversations.len(), 1, "{text:?}");
    }
}

pub(crate) async fn a_log_has_a_random_birth(store: &dyn Store) {
    let mut births = BTreeSet::new();
    for organization in ["o1", "o2", "o3"] {
        append(store, batch(organization, 0, vec![small_event("t")])).await;
        append(store, batch(organization, 1, vec![small_event("u")])).await;
        let image = store.load(&id(organization)).await.unwrap().unwrap();
        let again = store.load(&id(organization)).await.unwrap().unwrap();
        assert_eq!((image.epoch, image.cursor_key), (again.epoch, again.cursor_key));
        assert!(image.epoch < 1 << 48, "an epoch has 48 bits");
        births.insert((image.epoch, image.cursor_key));
    }
    assert_eq!(births.len(), 3);
}

pub(crate) async fn appending_elsewhere_than_at_the_head_is_a_conflict(store: &dyn Store) {
    let one = |expected| batch("o", expected, vec![small_event("t")]);
    assert_eq!(store.append(one(1)).await.unwrap(), Appended::Conflict, "before the log began");
    assert_eq!(store.append(one(0)).await.unwrap(), committed(1));
    for elsewhere in [0, 2, 7] {
        let lost = Batch { refs: vec![record("contact", "lost", 1)], ..one(elsewhere) };
        assert_eq!(store.append(lost).await.unwrap(), Appended::Conflict, "{elsewhere}");
    }
    assert_eq!(store.append(one(1)).await.unwrap(), committed(2));
    assert_eq!(store.events(&id("o"), Seq(0), 10).await.unwrap().len(), 2);
    let needs = Needs { refs: vec![(id("contact"), "lost".into())], ..Needs::default() };
    assert!(store.find(&id("o"), needs).await.unwrap().refs.is_empty(), "a conflict writes nothing");
}

pub(crate) async fn batches_of_one_log_chain(store: &dyn Store) {
    let sizes = [1_u64, 3, 2, 1];
    let mut expected = 0;
    let mut appends = Vec::new();
    for size in sizes {
        let events = (0..size).map(|n| small_event(&format!("{expected} {n}"))).collect();
        appends.push(store.append(batch("o", expected, events)));
        expected += size;
    }
    let outcomes: Vec<_> = join_all(appends).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes, [committed(1), committed(4), committed(6), committed(7)]);
    assert_eq!(store.load(&id("o")).await.unwrap().unwrap().head, Seq(7));
}

pub(crate) async fn organizations_do_not_mix(store: &dyn Store) {
    let changes = |title: &str| {
        let hers = Conversation { tags: [String::from(title)].into(), ..patient("c1", "e1", "+1") };
        vec![
            Change::Teammate(teammate("ada")),
            Change::Team(team("desk", &[title])),
            Change::Contact(contact("+1")),
            begun(hers),
            Change::Item(item("c1", 1, message(title))),
        ]
    };
    let appends = ["north", "south"].map(|name| store.append(batch(name, 0, vec![event(changes(name))])));
    let outcomes: Vec<_> = join_all(appends).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes, [committed(1), committed(1)]);
    for name in ["north", "south"] {
        let image = store.load(&id(name)).await.unwrap().unwrap();
        assert_eq!(image.conversations[0].0.tags, [String::from(name)].into());
        assert_eq!(image.teams, [(team("desk", &[name]), Seq(1))]);
        let items = store.items(&id(name), &id("c1"), 0, 10, 10).await.unwrap();
        assert_eq!(items, [(item("c1", 1, message(name)), Seq(1))]);
    }
}

pub(crate) async fn racing_appends_each_win_one_place(store: &dyn Store) {
    let organization = begin(store, Vec::new()).await;
    let racer = async |name: String| {
        let mut expected = 1;
        loop {
            let mine = batch("o", expected, vec![small_event(&name)]);
            match store.append(mine).await.unwrap() {
                Appended::Committed(seq) => return seq,
                Appended::Conflict => {
                    expected = store.load(&organization).await.unwrap().unwrap().head.0;
                }
            }
        }
    };
    let racers = 50;
    let mut places = join_all((0..racers).map(|n| racer(n.to_string()))).await;
    places.sort();
    assert_eq!(places, (2..=racers + 1).map(Seq).collect::<Vec<_>>());
    let image = store.load(&organization).await.unwrap().unwrap();
    assert_eq!((image.head, image.tags.len()), (Seq(51), 50));
}

pub(crate) async fn a_batch_that_contradicts_harms_no_other(store: &dyn Store) {
    begin(store, vec![Change::Contact(contact("+1"))]).await;
    let mut twin = contact("+1");
    twin.id = id("twin");
    let missing = patient("missing", "e1", "+2");
    let change_of_nothing = batch("o", 1, vec![event(vec![change(Some(&missing), missing.clone(), &[])])]);
    let outcome = store.append(change_of_nothing).await;
    assert!(matches!(outcome, Err(StoreError::Contradiction(_))), "{outcome:?}");
    let outcomes = join_all([
        store.append(batch("p", 0, vec![small_event("p")])),
        store.append(batch("o", 1, vec![event(vec![Change::Contact(twin)])])),
        store.append(batch("q", 0, vec![small_event("q")])),
        store.append(batch("o", 2, vec![small_event("after the contradiction")])),
    ])
    .await;
    assert!(matches!(outcomes[0], Ok(Appended::Committed(Seq(1)))), "{outcomes:?}");
    assert!(matches!(outcomes[1], Err(StoreError::Contradiction(_))), "{outcomes:?}");
    assert!(matches!(outcomes[2], Ok(Appended::Committed(Seq(1)))), "{outcomes:?}");
    assert!(matches!(outcomes[3], Ok(Appended::Conflict)), "{outcomes:?}");
    assert_eq!(store.append(batch("o", 1, vec![small_event("again")])).await.unwrap(), committed(2));
}

pub(crate) async fn a_ref_is_found_again(store: &dyn Store) {
    let records =
        vec![record("teammate:ada", "r1", 1), record("teammate:ben", "r1", 2), record("contact", "ü", 3)];
    let first = Batch { refs: records.clone(), ..batch("o", 0, vec![small_event("t")]) };
    append(store, first).await;
    let find = async |organization: &str, actor: &str, r#ref: &str| {
        let needs = Needs { refs: vec![(id(actor), r#ref.into())], ..Needs::default() };
        store.find(&id(organization), needs).await.unwrap().refs
    };
    assert_eq!(find("o", "teammate:ada", "r1").await, records[..1]);
    assert_eq!(find("o", "teammate:ben", "r1").await, records[1..2]);
    assert_eq!(find("o", "contact", "ü").await, records[2..]);
    assert!(find("o", "teammate:ada", "ü").await.is_empty());
    assert!(find("p", "teammate:ada", "r1").await.is_empty());
}

pub(crate) async fn a_batch_may_have_no_events(store: &dyn Store) {
    let empty =
        |expected| Batch { refs: vec![record("contact", "r", 1)], ..batch("o", expected, Vec::new()) };
    append(store, batch("o", 0, vec![small_event("t")])).await;
    assert_eq!(store.append(empty(0)).await.unwrap(), Appended::Conflict);
    assert_eq!(store.append(empty(1)).await.unwrap(), committed(1));
    let needs = Needs { refs: vec![(id("contact"), "r".into())], ..Needs::default() };
    assert_eq!(store.find(&id("o"), needs).await.unwrap().refs.len(), 1);
    assert_eq!(store.append(batch("nobody", 0, Vec::new())).await.unwrap(), committed(0));
    assert_eq!(store.load(&id("nobody")).await.unwrap(), None, "no events, no log");
}

pub(crate) async fn conversations_are_found_by_id_and_thread(store: &dyn Store) {
    let c1 =
        archived(Conversation { members: principals(&["team:desk"]), ..patient("c1", "e1", "+1") }, NOON);
    let changes = vec![
        begun(c1.clone()),
        begun(patient("c2", "e2", "+1")),
        begun(between("c3", &[])),
        mark("ben", "c1", 2, false),
        mark("ada", "c1", 1, true),
    ];
    let organization = begin(store, changes).await;
    let needs = Needs {
        conversations: vec![id("c1"), id("c3"), id("missing")],
        threads: vec![(id("e1"), "+1".into()), (id("e2"), "+1".into()), (id("e2"), "+2".into())],
        ..Needs::default()
    };
    let found = store.find(&organization, needs).await.unwrap().conversations;
    let ids: Vec<_> = found.iter().map(|stored| stored.conversation.id.as_str()).collect();
    assert_eq!(ids, ["c1", "c2", "c3"], "each once");
    assert_eq!((&found[0].conversation, found[0].changed), (&c1, Seq(1)));
    let marks = [
        (id("ada"), Mark { read: 1, starred: true, rev: 1 }),
        (id("ben"), Mark { read: 2, starred: false, rev: 2 }),
    ];
    assert_eq!(found[0].marks, marks);
    assert!(found[1].marks.is_empty());
}

pub(crate) async fn contacts_are_found_by_address(store: &dyn Store) {
    let known = ["+1", "o'hara@x", "ü"].map(contact);
    let organization = begin(store, known.iter().cloned().map(Change::Contact).collect()).await;
    let needs = Needs {
        contacts: vec!["+1".into(), "+2".into(), "ü".into(), "o'hara@x".into()],
        ..Needs::default()
    };
    let found = store.find(&organization, needs).await.unwrap().contacts;
    assert_eq!(found.len(), 3);
    assert!(known.iter().all(|contact| found.contains(contact)));
}

pub(crate) async fn one_thread_for_each_endpoint_and_address(store: &dyn Store) {
    begin(
        store,
        vec![begun(patient("c1", "e1", "+1")), begun(between("t1", &[])), begun(between("t2", &[]))],
    )
    .await;
    let second = store.append(batch("o", 1, vec![event(vec![begun(patient("c2", "e1", "+1"))])])).await;
    assert!(matches!(second, Err(StoreError::Contradiction(_))), "{second:?}");
    for other in [patient("c3", "e2", "+1"), patient("c4", "e1", "+2")] {
        let head = store.load(&id("o")).await.unwrap().unwrap().head;
        append(store, batch("o", head.0, vec![event(vec![begun(other)])])).await;
    }
}

pub(crate) async fn items_come_in_pages(store: &dyn Store) {
    let mut changes = vec![begun(patient("c1", "e1", "+1")), begun(patient("c2", "e1", "+2"))];
    changes.extend((1..=9).map(|n| Change::Item(item("c1", n, message(&n.to_string())))));
    changes.push(Change::Item(item("c2", 1, message("elsewhere"))));
    let organization = begin(store, changes).await;
    let page = async |from, before, limit| {
        let items = store.items(&organization, &id("c1"), from, before, limit).await.unwrap();
        items.into_iter().map(|(item, _)| item.number).collect::<Vec<_>>()
    };
    assert_eq!(page(0, u32::MAX, 3).await, [7, 8, 9], "the newest, oldest first");
    assert_eq!(page(0, 7, 3).await, [4, 5, 6]);
    assert_eq!(page(0, 2, 3).await, [1]);
    assert_eq!(page(3, 6, 10).await, [3, 4, 5]);
    assert!(page(5, 5, 10).await.is_empty());
}

pub(crate) async fn events_come_in_pages(store: &dyn Store) {
    // More than any one statement writes.
    let events: Vec<_> = (1..=150).map(|n| small_event(&n.to_string())).collect();
    append(store, batch("o", 0, events.clone())).await;
    let page = store.events(&id("o"), Seq(100), 20).await.unwrap();
    assert_eq!(page.len(), 20);
    assert_eq!((&page[0].0, &page[0].1), (&Seq(101), &events[100]));
    assert_eq!(store.events(&id("o"), Seq(140), 20).await.unwrap().len(), 10);
    assert!(store.events(&id("o"), Seq(150), 20).await.unwrap().is_empty());
}

/// A query for whatever anybody may see.
fn everything(limit: u32) -> ArchivedQuery {
    ArchivedQuery {
        teammate: id("ada"),
        endpoints: ENDPOINTS.map(id).to_vec(),
        members: PRINCIPALS.map(id).to_vec(),
        only_endpoint: None,
        after: None,
        limit,
    }
}

/// All pages of a query, in order.
async fn pages(store: &dyn Store, query: &ArchivedQuery) -> Vec<(Conversation, Seq, Mark)> {
    let (mut rows, mut query) = (Vec::new(), query.clone());
    loop {
        let page = store.archived(&id("o"), query.clone()).await.unwrap();
        let Some((last, ..)) = page.last() else { return rows };
        assert!(page.len() <= query.limit as usize);
        query.after = Some(RowKey { activity_at: last.activity_at, conversation: last.id.clone() });
        rows.extend(page);
    }
}

pub(crate) async fn the_archive_comes_in_pages(store: &dyn Store) {
    let changes = (0..25).map(|n: i64| {
        let row = patient(&format!("c{n:02}"), ENDPOINTS[usize::try_from(n % 3).unwrap()], &format!("+{n}"));
        // Seen for two reasons, and at few different times.
        let row = Conversation { members: principals(&["organization", "teammate:ada"]), ..row };
        begun(archived(row, NOON + n / 4))
    });
    let mut changes: Vec<_> = changes.collect();
    changes.push(begun(patient("open", "e1", "+100")));
    begin(store, changes).await;
    for limit in [1, 4, 25, 100] {
        let rows = pages(store, &everything(limit)).await;
        let ids: Vec<_> = rows.iter().map(|(row, ..)| row.id.as_str()).collect();
        let newest_first: Vec<_> = (0..25).rev().map(|n| format!("c{n:02}")).collect();
        assert_eq!(ids, newest_first, "pages of {limit}");
    }
}

pub(crate) async fn the_archive_shows_only_what_is_asked(store: &dyn Store) {
    let with = |row, members: &[&str]| Conversation { members: principals(members), ..row };
    let c2 = archived(with(patient("c2", "e2", "+2"), &["team:desk"]), NOON);
    let changes = vec![
        begun(archived(patient("c1", "e1", "+1"), NOON)),
        begun(c2.clone()),
        begun(archived(between("c3", &["teammate:ada", "team:desk"]), NOON)),
        begun(with(patient("c4", "e1", "+4"), &["teammate:ada"])),
        mark("ada", "c2", 5, true),
        mark("ben", "c1", 5, true),
    ];
    begin(store, changes).await;
    let shown = async |endpoints: &[&str], members: &[&str], only: Option<&str>| {
        let query = ArchivedQuery {
            endpoints: endpoints.iter().map(|text| id(text)).collect(),
            members: members.iter().map(|text| id(text)).collect(),
            only_endpoint: only.map(id),
            ..everything(10)
        };
        let rows = store.archived(&id("o"), query).await.unwrap();
        rows.into_iter().map(|(row, ..)| row.id.to_string()).collect::<Vec<_>>()
    };
    assert!(shown(&[], &[], None).await.is_empty());
    assert_eq!(shown(&["e1"], &[], None).await, ["c1"]);
    assert_eq!(shown(&["e1", "e2"], &[], None).await, ["c2", "c1"]);
    assert_eq!(shown(&[], &["team:desk"], None).await, ["c3", "c2"]);
    assert_eq!(shown(&[], &["team:desk", "teammate:ada"], None).await, ["c3", "c2"], "each once");
    assert_eq!(shown(&["e1"], &["team:desk"], Some("e2")).await, ["c2"]);
    assert_eq!(shown(&["e1", "e2"], &["team:desk"], Some("e1")).await, ["c1"]);
    assert!(shown(&["e1"], &[], Some("e2")).await.is_empty());

    let rows = store.archived(&id("o"), everything(10)).await.unwrap();
    let marks: Vec<_> = rows.iter().map(|(_, _, mark)| mark.starred).collect();
    assert_eq!(marks, [false, true, false], "one's own marks only");

    // It was written in while archived, then its members changed, then it was reopened.
    let later = Conversation { activity_at: NOON + 1, ..c2.clone() };
    append(store, batch("o", 1, vec![event(vec![change(Some(&c2), later.clone(), &[])])])).await;
    assert_eq!(shown(&[], &["team:desk"], None).await, ["c2", "c3"]);
    let left = with(later.clone(), &["teammate:ada"]);
    append(store, batch("o", 2, vec![event(vec![change(Some(&later), left.clone(), &[])])])).await;
    assert_eq!(shown(&[], &["team:desk"], None).await, ["c3"]);
    let open = Conversation { state: State::SHARED, ..left.clone() };
    append(store, batch("o", 3, vec![event(vec![change(Some(&left), open, &[])])])).await;
    assert_eq!(shown(&["e2"], &["teammate:ada"], None).await, ["c3"]);
}

pub(crate) async fn what_changed_is_told_or_is_too_much(store: &dyn Store) {
    let c1 = archived(patient("c1", "e1", "+1"), NOON);
    let c2 = archived(patient("c2", "e1", "+2"), NOON);
    let organization =
        begin(store, vec![begun(c1.clone()), begun(c2.clone()), mark("ada", "c2", 1, false)]).await;
    let second = vec![
        change(Some(&c1), Conversation { rev: 2, ..c1.clone() }, &["ada", "ben"]),
        mark("ada", "c1", 3, true),
        mark("ben", "c2", 1, true),
    ];
    append(store, batch("o", 1, vec![event(second)])).await;
    let third = vec![change(Some(&c1), Conversation { rev: 3, ..c1.clone() }, &["ada"])];
    append(store, batch("o", 2, vec![event(third)])).await;
    let since =
        async |seq, limit| store.changed_since(&organization, &id("ada"), Seq(seq), limit).await.unwrap();
    let changed = since(1, 1).await.unwrap();
    let starred = Mark { read: 3, starred: true, rev: 3 };
    assert_eq!(changed.archived, [(Conversation { rev: 3, ..c1 }, Seq(3), starred)]);
    assert_eq!(changed.departed, [id("c1")], "once, although it happened twice");
    assert_eq!((changed.marked, changed.head), (vec![(id("c1"), starred)], Seq(3)));
    assert!(since(1, 0).await.is_none());
    assert!(since(0, 1).await.is_none());
    let all = since(0, 2).await.unwrap();
    assert_eq!((all.archived.len(), all.departed.len(), all.marked.len()), (2, 1, 2));
    let nothing = since(3, 0).await.unwrap();
    assert!(nothing.archived.is_empty() && nothing.departed.is_empty() && nothing.marked.is_empty());
}

/// The store and the plainest model agree about any history, however it is cut into batches.
pub(crate) async fn any_history_reads_back(store: &dyn Store) {
    for seed in 0..6 {
        history_reads_back(store, seed).await;
    }
}

async fn history_reads_back(store: &dyn Store, seed: u64) {
    let mut dice = Dice::new(seed);
    let name = format!("o{seed}");
    let organization: OrganizationId = id(&name);
    let mut model = Model::default();
    for round in 0..25 {
        let mut appends = Vec::new();
        for _ in 0..=dice.roll(3) {
            let expected = model.head;
            let mut events = Vec::new();
            for _ in 0..=dice.roll(5) {
                let event = any_event(&mut dice, &model);
                model.apply(model.head.next(), &event);
                events.push(event);
            }
            appends.push(store.append(batch(&name, expected.0, events)));
        }
        // Asked for at once, so that a store that commits together does so.
        for outcome in join_all(appends).await {
            assert!(matches!(outcome, Ok(Appended::Committed(_))), "seed {seed}, round {round}: {outcome:?}");
        }
        agrees(store, &organization, &model, &mut dice).await;
    }
    let events = store.events(&organization, Seq(0), u32::MAX).await.unwrap();
    assert_eq!(events, model.events, "seed {seed}");
}

async fn agrees(store: &dyn Store, organization: &OrganizationId, model: &Model, dice: &mut Dice) {
    let image = store.load(organization).await.unwrap().unwrap();
    assert_eq!(image, model.image(&image), "{organization} at {:?}", model.head);

    let teammate: TeammateId = id(dice.pick(&TEAMMATES));
    let endpoints: Vec<_> = ENDPOINTS.iter().filter(|_| dice.roll(2) == 0).map(|text| id(text)).collect();
    let query = ArchivedQuery {
        teammate: teammate.clone(),
        endpoints,
        members: PRINCIPALS.iter().filter(|_| dice.roll(2) == 0).map(|text| id(text)).collect(),
        only_endpoint: (dice.roll(3) == 0).then(|| id(dice.pick(&ENDPOINTS))),
        after: (dice.roll(2) == 0).then(|| RowKey { activity_at: NOON + 4, conversation: id("c3") }),
        limit: u32::try_from(1 + dice.roll(8)).unwrap(),
    };
    let page = store.archived(organization, query.clone()).await.unwrap();
    assert_eq!(page, model.archived(&query), "{organization} at {:?}: {query:?}", model.head);

    let since = Seq(dice.roll(model.head.0 + 1));
    let told = store.changed_since(organization, &teammate, since, u32::MAX).await.unwrap().unwrap();
    assert_eq!(sorted(told), sorted(model.changed_since(&teammate, since)), "{organization} since {since:?}");

    for conversation in model.conversations.keys() {
        let items = store.items(organization, conversation, 0, u32::MAX, u32::MAX).await.unwrap();
        let of_it = model.items.range((conversation.clone(), 0)..=(conversation.clone(), u32::MAX));
        assert_eq!(items, of_it.map(|(_, item)| item.clone()).collect::<Vec<_>>());
    }
    let all = Needs { conversations: model.conversations.keys().cloned().collect(), ..Needs::default() };
    let found = store.find(organization, all).await.unwrap().conversations;
    let found: Vec<_> = found.into_iter().map(|stored| (stored.conversation, stored.changed)).collect();
    assert_eq!(found, model.conversations.values().cloned().collect::<Vec<_>>());
}

/// The order within what changed means nothing.
fn sorted(changed: ChangedSince) -> impl PartialEq + std::fmt::Debug {
    let ChangedSince { head, mut archived, mut departed, mut marked } = changed;
    archived.sort_by(|(a, ..), (b, ..)| a.id.cmp(&b.id));
    departed.sort();
    marked.sort_by(|(a, _), (b, _)| a.cmp(b));
    (head, archived, departed, marked)
}
