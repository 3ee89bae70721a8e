//! What this node has asked others, and waits for: whether they have applied an event.

use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use tokio::sync::mpsc;

use crate::domain::node::NodeId;

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

    /// An answer has come.
    pub(super) fn confirmed(&self, question: u64, confirmed: Confirmed) {
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
