//! Watchers: sessions of teammates that behave like clients whatever happens, on whichever node answers. They write
//! down what they are shown and when, for the checks at the end, and notice at once what they may never be shown again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rotunda_protocol::ask::Ask;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::frame::{Answer, ClientFrame, ServerFrame, Signal};
use rotunda_protocol::id::ConversationId;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::line::{Line, Who};
use super::picture::Picture;
use super::told::{self, Shown};
use crate::support::practice::{ORGANIZATION, id};

/// Whatever takes longer never comes.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Between two attempts to connect.
const AGAIN: Duration = Duration::from_millis(50);
/// The mailboxes of the practice.
pub(super) const MAILBOXES: [&str; 9] = [
    "shared",
    "internal",
    "none",
    "team:desk",
    "teammate:ada",
    "teammate:ben",
    "teammate:cyd",
    "teammate:dee",
    "teammate:eve",
];

/// What a watcher has seen.
pub(super) struct Seen {
    pub(super) picture: Picture,
    /// Each row and item that it was shown.
    pub(super) shown: BTreeSet<Shown>,
    /// When it first knew of so many items of a conversation.
    pub(super) reached: BTreeMap<ConversationId, Vec<(u32, Instant)>>,
    /// What the node said of its freshness.
    pub(super) freshness: Vec<(bool, Instant)>,
    /// The node that it is connected to, and how often it has connected.
    pub(super) node: Option<usize>,
    pub(super) connections: usize,
    /// What it was shown although it may never see it again.
    pub(super) leaks: Vec<String>,
    forbidden: BTreeMap<ConversationId, Armed>,
    answered: BTreeSet<String>,
    /// What was asked for the lists that are shown, and is not answered yet.
    listing: BTreeSet<String>,
}

impl Seen {
    /// It is connected, and shows all that it has to.
    pub(super) fn is_settled(&self) -> bool {
        self.node.is_some() && !self.picture.must_list && self.listing.is_empty()
    }
}

/// What may never be shown again: from the answer to a question that is asked once that is so. Before it comes what
/// was on its way.
#[derive(PartialEq, Eq)]
enum Armed {
    Asking,
    Now,
}

enum Told {
    Forbid(ConversationId),
    Say(ClientFrame),
}

/// A teammate's client.
pub(super) struct Watcher {
    pub(super) name: String,
    seen: Arc<Mutex<Seen>>,
    changed: watch::Receiver<()>,
    tell: mpsc::Sender<Told>,
    task: JoinHandle<()>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watcher {
    /// Begins on one of the nodes; conversations that are `open` are followed item by item.
    pub(super) async fn start(
        nodes: &[SocketAddr],
        at: usize,
        teammate: &str,
        open: &[ConversationId],
    ) -> Self {
        let seen = Seen {
            picture: Picture::of(id(teammate)),
            shown: BTreeSet::new(),
            reached: BTreeMap::new(),
            freshness: Vec::new(),
            node: None,
            connections: 0,
            leaks: Vec::new(),
            forbidden: BTreeMap::new(),
            answered: BTreeSet::new(),
            listing: BTreeSet::new(),
        };
        let seen = Arc::new(Mutex::new(seen));
        let (change, changed) = watch::channel(());
        let (tell, told) = mpsc::channel(64);
        let codec = if at.is_multiple_of(2) { Codec::MessagePack } else { Codec::Json };
        let who = Who { organization: ORGANIZATION.into(), teammate: teammate.into(), codec };
        let open = open.to_vec();
        let client =
            Client { nodes: nodes.to_vec(), at, who, open, seen: Arc::clone(&seen), change, told, asked: 0 };
        let name = format!("{teammate}@{at}");
        let watcher = Self { name, seen, changed, tell, task: tokio::spawn(client.run()) };
        watcher.until("it has listed", Seen::is_settled).await;
        watcher
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// Waits until something is so.
    pub(super) async fn until(&self, what: &str, is: impl Fn(&Seen) -> bool) {
        let mut changed = self.changed.clone();
        let waits = async {
            loop {
                changed.borrow_and_update();
                if is(&self.seen()) {
                    return;
                }
                changed.changed().await.expect("the watcher goes on");
            }
        };
        if timeout(PATIENCE, waits).await.is_err() {
            let (picture, node) = {
                let seen = self.seen();
                (seen.picture.clone(), seen.node)
            };
            panic!("{}: never: {what}; {picture:?} at {node:?}", self.name);
        }
    }

    /// From now on this may not be shown any more. Returns when that is being watched for.
    pub(super) async fn forbid(&self, conversation: &ConversationId) {
        self.tell.send(Told::Forbid(conversation.clone())).await.ok().unwrap();
        self.until("it watches for leaks", |seen| seen.forbidden.get(conversation) == Some(&Armed::Now))
            .await;
    }

    /// The same at once, when nothing can be on its way.
    pub(super) fn forbid_now(&self, conversation: &ConversationId) {
        self.seen().forbidden.insert(conversation.clone(), Armed::Now);
    }

    /// It will not connect any more.
    pub(super) fn retire(&self) {
        self.task.abort();
    }

    /// Sends a signal.
    pub(super) async fn signal(&self, signal: Signal) {
        self.tell.send(Told::Say(ClientFrame::Signal { signal })).await.ok().unwrap();
    }

    /// Asks something; it is applied when it is answered.
    pub(super) async fn ask(&self, r#ref: &str, ask: Ask) {
        self.tell.send(Told::Say(ClientFrame::Ask { r#ref: r#ref.into(), ask })).await.ok().unwrap();
        self.until("it is answered", |seen| seen.answered.contains(r#ref)).await;
    }
}

/// The watcher's own side.
struct Client {
    nodes: Vec<SocketAddr>,
    at: usize,
    who: Who,
    open: Vec<ConversationId>,
    seen: Arc<Mutex<Seen>>,
    change: watch::Sender<()>,
    told: mpsc::Receiver<Told>,
    asked: usize,
}

impl Client {
    async fn run(mut self) {
        loop {
            let cursor = self.seen().picture.cursor.clone();
            let node = self.at % self.nodes.len();
            if let Some((line, welcome)) = Line::open(self.nodes[node], &self.who, cursor, &self.open).await {
                self.begin(node);
                self.live(line, welcome).await;
                self.seen().node = None;
            }
            self.at += 1;
            sleep(AGAIN).await;
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    fn begin(&self, node: usize) {
        let mut seen = self.seen();
        seen.node = Some(node);
        seen.connections += 1;
        // What was asked on another connection is not answered any more.
        seen.picture.must_list |= !std::mem::take(&mut seen.listing).is_empty();
        // Everything on this connection comes after.
        seen.forbidden.values_mut().for_each(|armed| *armed = Armed::Now);
    }

    async fn live(&mut self, mut line: Line, welcome: ServerFrame) {
        let mut came = Some(welcome);
        while let Some(frame) = came {
            let again = self.see(&frame);
            self.change.send_replace(());
            if again {
                self.list(&mut line).await;
            }
            came = loop {
                tokio::select! {
                    frame = line.next() => break frame,
                    Some(told) = self.told.recv() => self.tell(&mut line, told).await,
                }
            };
        }
    }

    /// Takes a frame in. Says whether the lists that are shown have to be asked for.
    fn see(&self, frame: &ServerFrame) -> bool {
        let mut seen = self.seen();
        let now = Instant::now();
        for shown in told::shown(frame) {
            if seen.forbidden.get(shown.conversation()) == Some(&Armed::Now) {
                seen.leaks.push(format!("{frame:?}"));
            }
            seen.shown.insert(shown);
        }
        seen.picture.apply(frame);
        let Seen { picture, reached, .. } = &mut *seen;
        for row in picture.rows.values() {
            let known = reached.entry(row.id.clone()).or_default();
            if known.last().is_none_or(|(items, _)| *items < row.items) {
                known.push((row.items, now));
            }
        }
        match frame {
            ServerFrame::Freshness { fresh } => seen.freshness.push((*fresh, now)),
            ServerFrame::Answer { r#ref, answer } => {
                seen.answered.insert(r#ref.clone());
                if let Some(conversation) = r#ref.strip_prefix("forbid-") {
                    seen.forbidden.insert(id(conversation), Armed::Now);
                }
                // What was asked in vain is asked again.
                let refused = matches!(answer, Answer::Refused { retry: true, .. });
                seen.picture.must_list |= seen.listing.remove(r#ref) && refused;
            }
            _ => {}
        }
        seen.picture.must_list && seen.picture.fresh
    }

    /// Asks for all lists, and for what is open; not without a pause while it is refused.
    async fn list(&mut self, line: &mut Line) {
        if self.asked > 0 {
            sleep(AGAIN).await;
        }
        self.seen().picture.must_list = false;
        self.asked += 1;
        let lists = MAILBOXES.map(|mailbox| Ask::List {
            mailbox: mailbox.parse().unwrap(),
            endpoint: None,
            after: None,
            limit: 200,
        });
        let opens =
            self.open.iter().map(|conversation| Ask::Open { conversation: conversation.clone(), limit: 200 });
        for (number, ask) in lists.into_iter().chain(opens.collect::<Vec<_>>()).enumerate() {
            let r#ref = format!("list-{}-{number}", self.asked);
            self.seen().listing.insert(r#ref.clone());
            line.send(&ClientFrame::Ask { r#ref, ask }).await;
        }
    }

    async fn tell(&self, line: &mut Line, told: Told) {
        match told {
            Told::Say(frame) => line.send(&frame).await,
            Told::Forbid(conversation) => {
                let r#ref = format!("forbid-{conversation}");
                self.seen().forbidden.insert(conversation, Armed::Asking);
                line.send(&ClientFrame::Ask { r#ref, ask: Ask::Counts { mailboxes: vec![] } }).await;
            }
        }
    }
}
