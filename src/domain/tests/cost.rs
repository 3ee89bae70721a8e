//! What things cost in a large practice. Where a clock is needed, one thing is measured against another that is
//! known to touch everything, with a wide margin.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rotunda_protocol::command::{Command, Done, StillMember};
use rotunda_protocol::principal::{Actor, Mailbox};

use super::practice::{Practice, id};
use crate::domain::conversation::{Conversation, Counterpart, State};
use crate::domain::decide::decide;
use crate::domain::event::{Change, Event};
use crate::domain::list::{self, Selection};
use crate::domain::organization::Organization;

const CONVERSATIONS: i64 = 20_000;
/// Whatever does not touch everything is at least so many times cheaper.
const CHEAPER: u32 = 20;

/// Cleo's link with very many conversations, three of which Dora was added to.
fn large() -> Practice {
    let mut practice = Practice::new();
    let template = practice.hears("cleo-link", "pat");
    practice.as_("cleo").claims(&template).unwrap();
    let template = practice.row(&template).clone();
    let mut organization = practice.organization().clone();
    for n in 0..CONVERSATIONS {
        organization.load_conversation(numbered(&template, n), organization.seq());
    }
    practice.working.organization = organization;
    practice
}

fn numbered(template: &Conversation, n: i64) -> Conversation {
    let mut conversation = template.clone();
    conversation.id = id(&format!("c{n}"));
    conversation.activity_at = n;
    conversation.state = State::SHARED;
    if let Counterpart::Contact { contact, .. } = &mut conversation.counterpart {
        contact.address = format!("pat{n}");
    }
    if n < 3 {
        conversation.members.insert(id("teammate:dora"));
    }
    conversation
}

fn decides(practice: &Practice) -> (Done, Event, Organization) {
    let mut working = practice.working.clone();
    let command = Command::UpdateEndpoint {
        endpoint: id("cleo-link"),
        label: None,
        owner: None,
        members: Some(vec![id("team:nurses")]),
        auto_assign: None,
        force: false,
    };
    let actor = Actor::Teammate(id("cleo"));
    let decided = decide(&mut working, &actor, &command, 0, &mut || unreachable!());
    let (done, event) = decided.unwrap();
    (done, event.unwrap(), working.organization)
}

/// The quickest of several runs: what else the machine does only adds.
fn time<T>(mut run: impl FnMut() -> T) -> Duration {
    let timed = (0..5).map(|_| {
        let start = Instant::now();
        std::hint::black_box(run());
        start.elapsed()
    });
    timed.min().unwrap_or_default()
}

fn lists(organization: &Organization, limit: usize) -> usize {
    let selection = Selection { mailbox: &Mailbox::Shared, endpoint: None };
    list::page(organization, &id("cleo"), &selection, None, limit).len()
}

#[test]
fn e15_a_link_with_very_many_conversations_changes_its_members_in_one_entry() {
    let practice = large();
    let (done, event, after) = decides(&practice);
    assert!(matches!(event.changes[..], [Change::Endpoint(_)]));
    let still = vec![StillMember { member: id("teammate:dora"), conversations: 3 }];
    assert_eq!(done, Done::Endpoint { endpoint: id("cleo-link"), still });
    for kept in practice.organization().shelf().iter() {
        let now = after.conversation(&kept.value.id).unwrap();
        assert!(Arc::ptr_eq(now, &kept.value), "no conversation was touched");
    }
}

#[test]
fn e15_and_looks_at_none_of_them() {
    let practice = large();
    let everything = time(|| lists(practice.organization(), usize::MAX));
    assert!(time(|| decides(&practice)) * CHEAPER < everything);
}

#[test]
fn a_page_costs_the_page_and_a_count_the_places() {
    let practice = large();
    let organization = practice.organization();
    let everything = time(|| assert_eq!(lists(organization, usize::MAX), 20_000));
    assert!(time(|| assert_eq!(lists(organization, 50), 50)) * CHEAPER < everything);
    let selection = Selection { mailbox: &Mailbox::Shared, endpoint: None };
    let count = || assert_eq!(list::count(organization, &id("cleo"), &selection), 20_000);
    assert!(time(count) * CHEAPER < everything);
}

#[test]
fn a_snapshot_and_a_refusal_cost_nothing_however_much_there_is() {
    let mut practice = large();
    let everything = time(|| lists(practice.organization(), usize::MAX));
    assert!(time(|| practice.working.clone()) * CHEAPER < everything);
    let working = &mut practice.working;
    let mut refuse = || {
        let claim = Command::Claim { conversation: id("c9"), expect_rev: Some(99) };
        let actor = Actor::Teammate(id("cleo"));
        decide(working, &actor, &claim, 0, &mut || unreachable!()).is_err()
    };
    assert!(time(|| assert!(refuse())) * CHEAPER < everything);
}

#[test]
fn what_changed_costs_what_changed() {
    let mut practice = large();
    let everything = time(|| lists(practice.organization(), usize::MAX));
    let since = practice.organization().seq();
    let mut organization = practice.organization().clone();
    organization.advance();
    let changed = numbered(&(**organization.conversation(&id("c7")).unwrap()).clone(), 7);
    organization.load_conversation(changed, organization.seq());
    practice.working.organization = organization;
    let shelf = practice.organization().shelf();
    assert!(time(|| assert_eq!(shelf.changed_since(since).count(), 1)) * CHEAPER < everything);
}
