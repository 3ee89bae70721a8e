//! Coming back with a cursor, while things happen.

use std::sync::Arc;
use std::time::Duration;

use rotunda_protocol::ask::Ask;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::Command;
use rotunda_protocol::frame::{ServerFrame, Start};
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::principal::Actor;
use rotunda_protocol::push::CatchUp;
use tokio::sync::Barrier;
use tokio::time::timeout;

use super::member::Member;
use super::practice::{Practice, id, message, second};
use super::store::Between;
use crate::hub::registry::OPEN_MAX;
use crate::hub::{ANSWERS_MAX, Hub};
use crate::limits::Limits;
use crate::metrics::Metrics;

/// Whatever takes longer never happens.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody has seen an open conversation and is away; it is archived now.
struct Away {
    practice: Practice,
    between: Arc<Between>,
    conversation: ConversationId,
    who: Member,
}

impl Away {
    /// Ada sees what comes in for everybody.
    async fn ada() -> Self {
        Self::after("ada", "+14155550100", |_| Vec::new()).await
    }

    /// Somebody whom some commands gave sight of what came in through an endpoint.
    async fn after(
        who: &str,
        endpoint: &str,
        commands: impl FnOnce(&ConversationId) -> Vec<Command>,
    ) -> Self {
        let mut practice = Practice::new().await;
        let between = Arc::new(Between::new(practice.store.clone()));
        practice.hub = Hub::new(between.clone(), Metrics::new(), Limits::default());
        let conversation = practice.receive(endpoint, "+14155550999", "hi").await;
        for command in commands(&conversation) {
            practice.service(command).await.unwrap();
        }
        let mut who = practice.join(who, Codec::Json).await.unwrap();
        who.read().await;
        who.list_all(&["shared".parse().unwrap()]).await;
        assert!(who.rows.contains_key(&conversation));
        who.leave();
        let mut away = Self { practice, between, conversation, who };
        away.practice.service(away.archive(false)).await.unwrap();
        away
    }

    fn archive(&self, force: bool) -> Command {
        let conversation = self.conversation.clone();
        Command::Archive { conversation, seen: 1, force, expect_rev: None }
    }

    /// They come back, and are welcomed. So many times, when the hub comes to a gate, something happens on another node,
    /// of which it does not hear by itself.
    async fn resume_while(
        &mut self,
        mut gate: Arc<Barrier>,
        times: u32,
        commands: &[Command],
    ) -> (Start, CatchUp) {
        let (other, organization) = (second(&self.practice), self.practice.organization.clone());
        let happens = async {
            for time in 0..times {
                gate.wait().await;
                for (number, command) in commands.iter().enumerate() {
                    let (by, r#ref) = (Actor::Service("test".into()), format!("{time}-{number}"));
                    other.call(&organization, by, r#ref, command.clone()).await.unwrap();
                }
                let next = if time + 1 < times { self.between.hold_changes() } else { gate.clone() };
                std::mem::replace(&mut gate, next).wait().await;
            }
        };
        let both = async { futures::join!(self.practice.rejoin(&mut self.who), happens) };
        timeout(PATIENCE, both).await.expect("the hub comes to the gate").0.unwrap();
        let first = self.who.read().await.into_iter().next();
        let Some(ServerFrame::Welcome { start, state, .. }) = first else { panic!("{first:?}") };
        (start, *state)
    }
}

#[tokio::test]
async fn sessions_of_a_room_whose_task_ended_come_back() {
    let practice = Practice::new().await;
    let mut ben = practice.join("ben", Codec::Json).await.unwrap();
    ben.read().await;
    practice.hub.break_room(&practice.organization).await;
    while ben.is_here() {
        ben.read().await;
        if ben.is_here() {
            ben.wait().await;
        }
    }
    practice.rejoin(&mut ben).await.unwrap();
    ben.read().await;
    assert_eq!(ben.starts.last(), Some(&Start::Resumed));
}

#[tokio::test]
async fn a_catch_up_brings_items_of_what_is_open_as_the_room_sees_it() {
    let mut practice = Practice::new().await;
    let mut all = Vec::new();
    for n in 0..=OPEN_MAX {
        all.push(practice.receive("+14155550100", &format!("+141555507{n:02}"), "hi").await);
    }
    let mut ben = practice.join("ben", Codec::Json).await.unwrap();
    ben.queue_bytes = 2_000;
    practice.rejoin(&mut ben).await.unwrap();
    ben.read().await;
    // Opening the first again leaves it the one opened first: it is what the last closes.
    for conversation in all[..OPEN_MAX].iter().chain([&all[0], &all[OPEN_MAX]]) {
        ben.open(conversation).await.unwrap().unwrap();
    }
    for n in 0..9 {
        let body = format!("{n}{}", "x".repeat(500));
        practice.service(Command::PostNote { conversation: all[1].clone(), body }).await.unwrap();
    }
    ben.read().await;
    assert_eq!(ben.catch_ups, 1);
    let items = ben.items.keys().filter(|(of, _)| *of == all[1]).count();
    assert_eq!(items, 10);
}

#[tokio::test]
async fn b36_items_of_what_changes_while_a_session_resumes_are_not_left_out() {
    let mut practice = Practice::new().await;
    let conversation = practice.receive("+14155550100", "+14155550999", "hi").await;
    let archive =
        Command::Archive { conversation: conversation.clone(), seen: 1, force: false, expect_rev: None };
    practice.teammate("ben", archive).await.unwrap();
    let mut ada = practice.join("ada", Codec::Json).await.unwrap();
    ada.read().await;
    ada.open(&conversation).await.unwrap().unwrap();
    ada.leave();
    let note = Command::PostNote { conversation: conversation.clone(), body: "missed".into() };
    practice.teammate("ben", note).await.unwrap();
    // A snapshot from before the next change, as there is while its commit is under way.
    let before = second(&practice);
    let ask = Ask::Counts { mailboxes: Vec::new() };
    before.ask(&practice.organization, &id("ada"), ask).await.unwrap();
    let tag = Command::AddTag { conversation: conversation.clone(), tag: "late".into() };
    practice.teammate("ben", tag).await.unwrap();
    practice.hub = before;
    practice.rejoin(&mut ada).await.unwrap();
    ada.read().await;
    assert!(ada.items.contains_key(&(conversation, 2)) || ada.starts.last() == Some(&Start::Reset));
}

#[tokio::test]
async fn b36_items_of_what_changes_while_they_are_looked_for_are_not_left_out() {
    let mut away = Away::ada().await;
    away.who.read().await;
    away.practice.rejoin(&mut away.who).await.unwrap();
    away.who.read().await;
    away.who.open(&away.conversation).await.unwrap().unwrap();
    away.who.leave();
    let note = Command::PostNote { conversation: away.conversation.clone(), body: "missed".into() };
    away.practice.service(note).await.unwrap();
    let gate = away.between.hold_finds();
    let tag = Command::AddTag { conversation: away.conversation.clone(), tag: "late".into() };
    assert_eq!(away.resume_while(gate, 1, &[tag]).await.0, Start::Reset);
}

#[tokio::test]
async fn a_catch_up_shows_what_is_reopened_while_it_is_made() {
    let mut away = Away::ada().await;
    // It is archived in the snapshot, and no longer by the time that the archive is looked into.
    let gate = away.between.hold_changes();
    let reopens = message("+14155550100", "+14155550999");
    let (start, state) = away.resume_while(gate, 1, &[reopens]).await;
    assert_eq!(start, Start::Resumed);
    let shown = state.conversations.iter().find(|row| row.conversation.id == away.conversation);
    assert_eq!(shown.map(|row| row.conversation.rev), Some(3), "{state:?}");
}

#[tokio::test]
async fn a_catch_up_that_is_overtaken_again_and_again_starts_over() {
    let mut away = Away::ada().await;
    let gate = away.between.hold_changes();
    let again = [message("+14155550100", "+14155550999"), away.archive(true)];
    assert_eq!(away.resume_while(gate, ANSWERS_MAX, &again).await.0, Start::Reset);
}

/// Between what was lost and the look at who may see it now, it comes back in another way, by which it was lost, too.
#[tokio::test]
async fn what_was_lost_is_gone_although_its_members_change_while_that_is_told() {
    let ben = || vec!["teammate:ben".parse().unwrap()];
    let mut away = Away::after("ben", "private", |conversation| {
        vec![Command::AddMembers { conversation: conversation.clone(), members: ben() }]
    })
    .await;
    let conversation = || away.conversation.clone();
    let leaves = Command::RemoveMembers { conversation: conversation(), members: ben() };
    let changes = [
        Command::UpdateTeam { team: id("desk"), name: None, add: vec![], remove: vec![id("ben")] },
        Command::AddMembers { conversation: conversation(), members: vec!["team:desk".parse().unwrap()] },
    ];
    away.practice.service(leaves).await.unwrap();
    let gate = away.between.hold_finds();
    let (start, state) = away.resume_while(gate, 1, &changes).await;
    assert_eq!((start, state.gone), (Start::Resumed, vec![away.conversation]));
}

#[tokio::test]
async fn a_catch_up_is_not_overtaken_by_what_nobody_may_tell_of() {
    let mut away = Away::ada().await;
    let hidden = away.practice.receive("private", "mara@example.org", "hi").await;
    let archive = Command::Archive { conversation: hidden, seen: 1, force: true, expect_rev: None };
    away.practice.service(archive.clone()).await.unwrap();
    let gate = away.between.hold_changes();
    let again = [message("private", "mara@example.org"), archive];
    assert_eq!(away.resume_while(gate, 1, &again).await.0, Start::Resumed);
    assert_eq!(away.between.asked_for_changes(), 1);
}
