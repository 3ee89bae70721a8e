//! Writers: teammates who write numbered notes without a pause, whatever happens. What is not answered, or refused
//! with a word that says so, is sent again with the same `ref`, on another node.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Done};
use rotunda_protocol::frame::{Answer, ClientFrame, ServerFrame};
use rotunda_protocol::id::ConversationId;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::line::{Line, Who};
use crate::support::practice::ORGANIZATION;

/// How long an answer may take before the same is tried elsewhere: a frozen node gives none.
const ANSWERED_WITHIN: Duration = Duration::from_secs(4);
/// Between two notes, so that a test has a few hundred and not all of the machine.
const PACE: Duration = Duration::from_millis(15);

/// A note that was answered done.
#[derive(Debug, Clone)]
pub(super) struct Note {
    pub(super) body: String,
    pub(super) conversation: ConversationId,
    pub(super) item: u32,
    pub(super) at: Instant,
    /// It had to be sent more than once.
    pub(super) again: bool,
}

/// Somebody who writes until told to stop.
pub(super) struct Writer {
    notes: Arc<Mutex<Vec<Note>>>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Writer {
    pub(super) fn start(
        nodes: &[SocketAddr],
        at: usize,
        teammate: &str,
        number: usize,
        conversation: &ConversationId,
    ) -> Self {
        let (notes, stop) = (Arc::default(), Arc::default());
        let author = Author {
            nodes: nodes.to_vec(),
            at,
            who: Who {
                organization: ORGANIZATION.into(),
                teammate: teammate.into(),
                codec: Codec::MessagePack,
            },
            number,
            conversation: conversation.clone(),
            line: None,
        };
        let task = tokio::spawn(author.run(Arc::clone(&notes), Arc::clone(&stop)));
        Self { notes, stop, task }
    }

    /// How many notes were answered until now.
    pub(super) fn count(&self) -> usize {
        self.notes.lock().unwrap().len()
    }

    /// Lets it finish what it has begun. All that was answered.
    pub(super) async fn stop(self) -> Vec<Note> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("a writer gets its answers");
        std::mem::take(&mut self.notes.lock().unwrap())
    }
}

struct Author {
    nodes: Vec<SocketAddr>,
    at: usize,
    who: Who,
    number: usize,
    conversation: ConversationId,
    line: Option<Line>,
}

impl Author {
    async fn run(mut self, notes: Arc<Mutex<Vec<Note>>>, stop: Arc<AtomicBool>) {
        for n in 0_usize.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let body = format!("note {n} of {}", self.number);
            let (item, again) = self.write(&body).await;
            let conversation = self.conversation.clone();
            notes.lock().unwrap().push(Note { body, conversation, item, at: Instant::now(), again });
            sleep(PACE).await;
        }
    }

    /// Writes one until it is done.
    async fn write(&mut self, body: &str) -> (u32, bool) {
        let r#ref = body.replace(' ', "-");
        let command = Command::PostNote { conversation: self.conversation.clone(), body: body.into() };
        let call = ClientFrame::Call { r#ref: r#ref.clone(), command };
        let mut again = false;
        loop {
            match timeout(ANSWERED_WITHIN, self.answer(&call, &r#ref)).await {
                Ok(Some(Answer::Done { done: Done::Conversation { item: Some(item), .. }, .. })) => {
                    return (item, again);
                }
                Ok(Some(Answer::Refused { retry: true, .. })) => sleep(PACE).await,
                Ok(Some(other)) => panic!("{body}: {other:?}"),
                Ok(None) | Err(_) => {}
            }
            (self.line, self.at) = (None, self.at + 1);
            again = true;
        }
    }

    async fn answer(&mut self, call: &ClientFrame, r#ref: &str) -> Option<Answer> {
        if self.line.is_none() {
            let node = self.nodes[self.at % self.nodes.len()];
            self.line = Line::open(node, &self.who, None, &[]).await.map(|(line, _)| line);
        }
        let Some(line) = &mut self.line else {
            sleep(PACE).await;
            return None;
        };
        line.send(call).await;
        loop {
            match line.next().await? {
                ServerFrame::Answer { r#ref: to, answer } if to == r#ref => return Some(answer),
                _ => {}
            }
        }
    }
}
