//! What every fault is tried on: watchers on all nodes and writers that never pause. And what has to be so in the end,
//! whatever has happened:
//!
//! * what was answered is there, and nothing twice;
//! * nobody was ever shown what they could not see then;
//! * every watcher shows what a fresh list on any node shows.

use std::collections::BTreeMap;
use std::time::Duration;

use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Outcome};
use rotunda_protocol::frame::ClientFrame;
use rotunda_protocol::id::ConversationId;
use tokio::time::{Instant, timeout};

use super::harness::Cluster;
use super::line::{Line, Who};
use super::log::Log;
use super::picture::Picture;
use super::watch::{MAILBOXES, PATIENCE, Watcher};
use super::write::{Note, Writer};
use crate::support::practice::{ORGANIZATION, id};

/// The practice at work.
pub(super) struct Scene {
    pub(super) cluster: Cluster,
    pub(super) watchers: Vec<Watcher>,
    pub(super) writers: Vec<Writer>,
    /// Everybody's conversation.
    pub(super) main: ConversationId,
    /// The desk's: ben's and cyd's.
    pub(super) desk: ConversationId,
}

/// What came of it.
pub(super) struct Played {
    pub(super) notes: Vec<Note>,
    pub(super) watchers: Vec<Watcher>,
}

impl Scene {
    /// Watchers on every node (ben, who sees all, and one who sees less), and two writers on each of the first two. A
    /// third node only hears of what is written: who writes sees by that what others have written.
    pub(super) async fn begin(cluster: Cluster) -> Self {
        Self::begin_with(cluster, ["cyd", "dee", "eve"]).await
    }

    /// The same, and who sees less on which node.
    pub(super) async fn begin_with(cluster: Cluster, less: [&str; 3]) -> Self {
        let [main, desk] = cluster.conversations().await;
        let (nodes, open) = (cluster.addresses(), [main.clone(), desk.clone()]);
        let (mut watchers, mut writers) = (Vec::new(), Vec::new());
        for at in 0..nodes.len() {
            for teammate in ["ben", less[at % 3]] {
                watchers.push(Watcher::start(&nodes, at, teammate, &open).await);
            }
        }
        for at in 0..nodes.len().min(2) {
            writers.push(Writer::start(&nodes, at, ["ben", "ada"][at % 2], 2 * at, &main));
            writers.push(Writer::start(&nodes, at, "ben", 2 * at + 1, &desk));
        }
        let scene = Self { cluster, watchers, writers, main, desk };
        scene.written(2).await;
        scene
    }

    /// Waits until every writer was answered so many more times.
    pub(super) async fn written(&self, more: usize) {
        let before: Vec<_> = self.writers.iter().map(Writer::count).collect();
        let all = async {
            while !self.writers.iter().zip(&before).all(|(writer, before)| writer.count() >= before + more) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, all).await.expect("writers go on");
    }

    /// Lets life go on for a while: what is measured are its notes.
    pub(super) async fn goes_on(&self, time: Duration) {
        tokio::time::sleep(time).await;
        self.written(1).await;
    }

    /// Takes cyd out of the desk's team by a node; from the answer on she is watched for leaks.
    pub(super) async fn cyd_leaves_the_desk(&self, node: usize) -> Outcome {
        let out = Command::UpdateTeam { team: id("desk"), name: None, add: vec![], remove: vec![id("cyd")] };
        let outcome = self.cluster.does(node, "cyd-out", &out).await;
        for watcher in self.of("cyd") {
            watcher.forbid(&self.desk).await;
        }
        outcome
    }

    pub(super) fn of(&self, teammate: &str) -> impl Iterator<Item = &Watcher> {
        let begins = format!("{teammate}@");
        self.watchers.iter().filter(move |watcher| watcher.name.starts_with(&begins))
    }

    /// The writers stop, everybody comes to show the same, and all that has to be so is looked at.
    pub(super) async fn end(self) -> Played {
        let mut notes = Vec::new();
        for writer in self.writers {
            notes.extend(timeout(2 * PATIENCE, writer.stop()).await.expect("it finishes its note"));
        }
        for watcher in &self.watchers {
            for node in 0..self.cluster.nodes.len() {
                converges(watcher, &self.cluster, node).await;
            }
        }
        let log = Log::read(self.cluster.node(0)).await;
        check_notes(&log, &notes);
        self.watchers.iter().for_each(|watcher| check_shown(&log, watcher));
        let again = notes.iter().filter(|note| note.again).count();
        eprintln!("{} notes, {again} of them sent more than once", notes.len());
        Played { notes, watchers: self.watchers }
    }
}

/// Every answered note is there once, where its answer said; and no other is there twice.
fn check_notes(log: &Log, notes: &[Note]) {
    for Note { body, conversation, item, .. } in notes {
        assert_eq!(log.notes.get(body), Some(&vec![(conversation.clone(), *item)]), "{body}");
    }
    let twice: Vec<_> = log.notes.iter().filter(|(_, items)| items.len() > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let written = log.notes.keys().filter(|body| body.starts_with("note ")).count();
    assert_eq!(written, notes.len(), "writers go on until they are answered");
}

/// Nothing that was shown could not be seen then.
fn check_shown(log: &Log, watcher: &Watcher) {
    let seen = watcher.seen();
    assert_eq!(seen.leaks, Vec::<String>::new(), "{}", watcher.name);
    let teammate = seen.picture.teammate.as_str();
    let leaks: Vec<_> = seen.shown.iter().filter(|shown| !log.may_be_shown(teammate, shown)).collect();
    assert!(leaks.is_empty(), "{}: {leaks:?}", watcher.name);
    for (conversation, items) in &seen.picture.items {
        let (first, last) = (items.first().unwrap(), items.last().unwrap());
        assert_eq!(items.len(), (*first..=*last).count(), "{}: items of {conversation}", watcher.name);
        assert_eq!(seen.picture.rows[conversation].items, *last, "{}: {conversation}", watcher.name);
    }
}

/// A watcher comes to show what a fresh list of a node shows.
pub(super) async fn converges(watcher: &Watcher, cluster: &Cluster, node: usize) {
    let teammate = watcher.seen().picture.teammate.clone();
    let fresh = fresh(cluster, node, teammate.as_str()).await.shows();
    watcher
        .until(&format!("a fresh list on node {node} is shown: {fresh:?}"), |seen| {
            seen.is_settled() && seen.picture.shows() == fresh
        })
        .await;
}

/// What somebody is shown who connects to a node now.
async fn fresh(cluster: &Cluster, node: usize, teammate: &str) -> Picture {
    let who = Who { organization: ORGANIZATION.into(), teammate: teammate.into(), codec: Codec::MessagePack };
    let (mut line, welcome) =
        Line::open(cluster.node(node).address, &who, None, &[]).await.expect("it is greeted");
    let mut picture = Picture::of(id(teammate));
    picture.apply(&welcome);
    for mailbox in MAILBOXES {
        let ask = rotunda_protocol::ask::Ask::List {
            mailbox: mailbox.parse().unwrap(),
            endpoint: None,
            after: None,
            limit: 200,
        };
        line.send(&ClientFrame::Ask { r#ref: mailbox.into(), ask }).await;
        loop {
            let frame = timeout(PATIENCE, line.next()).await.expect("it answers").expect("it is there");
            picture.apply(&frame);
            if let rotunda_protocol::frame::ServerFrame::Answer { r#ref, .. } = &frame
                && *r#ref == mailbox
            {
                break;
            }
        }
    }
    picture
}

impl Played {
    /// The longest from a note's answer until everybody who may see everybody's conversation knew of it, of those that
    /// were answered in a time; and how many those were.
    pub(super) fn longest(
        &self,
        conversation: &ConversationId,
        from: Instant,
        to: Instant,
    ) -> (Duration, usize) {
        let notes = self.notes.iter().filter(|note| note.conversation == *conversation);
        let notes: BTreeMap<u32, Instant> =
            notes.filter(|note| from <= note.at && note.at < to).map(|note| (note.item, note.at)).collect();
        let mut longest = Duration::ZERO;
        for watcher in &self.watchers {
            let seen = watcher.seen();
            let Some(reached) = seen.reached.get(conversation) else { continue };
            for (item, answered) in &notes {
                let reached = reached.iter().find(|(items, _)| items >= item).expect("it has converged").1;
                longest = longest.max(reached.saturating_duration_since(*answered));
            }
        }
        (longest, notes.len())
    }
}
