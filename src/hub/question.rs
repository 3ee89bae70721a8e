//! What nodes ask each other: whether an event has been applied. Asking, answering, and listening for both.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use tokio::sync::{Semaphore, mpsc};

use super::Hub;
use super::peers::Peers;
use crate::bus::Topic;
use crate::bus::envelope::{self, Note};
use crate::domain::node::NodeId;

/// Notes from other nodes that wait to be looked at. One that does not fit is asked again.
const NOTES_MAX: usize = 1_024;
/// Answers that are being found at the same time; who asks more is asked to wait by not being read.
const ANSWERING_MAX: usize = 256;
/// Answers that wait for one who asked.
const CONFIRMED_MAX: usize = 256;

/// A node has applied what it was asked about.
pub(super) struct Confirmed {
    /// Which node.
    pub by: NodeId,
    /// How many sessions lost something there; none if it does not have the organization in memory.
    pub sessions: Option<u32>,
}

/// What this node has asked, and waits for.
#[derive(Default)]
pub(super) struct Questions {
    waiting: DashMap<u64, mpsc::Sender<Confirmed>>,
    number: AtomicU64,
}

/// A question to other nodes, which is over when this is dropped.
pub(super) struct Question<'a> {
    questions: &'a Questions,
    /// Its number.
    pub number: u64,
    /// What they answer.
    pub answers: mpsc::Receiver<Confirmed>,
}

impl Questions {
    /// Begins a question.
    pub(super) fn ask(&self) -> Question<'_> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (answer, answers) = mpsc::channel(CONFIRMED_MAX);
        self.waiting.insert(number, answer);
        Question { questions: self, number, answers }
    }

    fn confirmed(&self, question: u64, confirmed: Confirmed) {
        if let Some(asked) = self.waiting.get(&question) {
            // With so many answers waiting, another one changes nothing: it is asked again.
            drop(asked.try_send(confirmed));
        }
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.questions.waiting.remove(&self.number);
    }
}

/// Listens to what other nodes tell this one, for as long as it is polled.
pub(super) async fn listen(hub: &Hub, peers: &Arc<Peers>) {
    let (heard, mut notes) = mpsc::channel(NOTES_MAX);
    let ear = Arc::new(move |bytes| drop(heard.try_send(bytes)));
    let _subscription = peers.bus.subscribe(Topic::Node(peers.node.clone()), ear).await;
    let answering = Arc::new(Semaphore::new(ANSWERING_MAX));
    while let Some(bytes) = notes.recv().await {
        match envelope::decode::<Note>(&bytes) {
            Ok((from, Note::Confirm { question, organization, seq })) => {
                let Ok(place) = Arc::clone(&answering).acquire_owned().await else { return };
                let (hub, peers) = (hub.clone(), Arc::clone(peers));
                tokio::spawn(async move {
                    let _place = place;
                    if let Ok(sessions) = hub.confirm(&organization, seq).await {
                        peers.tell(&from, &Note::Confirmed { question, sessions });
                    }
                });
            }
            Ok((by, Note::Confirmed { question, sessions })) => {
                peers.questions.confirmed(question, Confirmed { by, sessions });
            }
            Err(error) => tracing::debug!(%error, "a note from another node cannot be read"),
        }
    }
}
