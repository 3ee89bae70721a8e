//! A reference client, written from the protocol's description: what it shows after any frames must be what a
//! fresh list shows.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::mem;
use std::sync::{Arc, Mutex};

use rotunda_protocol::ask::{Ask, Told};
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Done};
use rotunda_protocol::conversation::{Conversation, Mark};
use rotunda_protocol::directory::{Endpoint, Organization, Team, Teammate};
use rotunda_protocol::frame::{Answer, Cursor, ServerFrame, Start};
use rotunda_protocol::id::{ConversationId, EndpointId, TeamId, TeammateId};
use rotunda_protocol::item::Item;
use rotunda_protocol::principal::{Mailbox, Principal};
use rotunda_protocol::push::{Access, CatchUp, ConversationPresence, Marked, Push};
use rotunda_protocol::refusal::Refusal;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;

use crate::hub::Seat;
use crate::hub::send_queue::{Next, Outlet, SendQueue};

/// What a client knows of the organization besides conversations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Directory {
    organization: Option<Organization>,
    teammates: BTreeMap<TeammateId, Teammate>,
    teams: BTreeMap<TeamId, Team>,
    endpoints: BTreeMap<EndpointId, Endpoint>,
}

impl Directory {
    fn apply(&mut self, state: &CatchUp) {
        if state.organization.is_some() {
            self.organization.clone_from(&state.organization);
        }
        self.teammates.extend(state.teammates.iter().map(|new| (new.id.clone(), new.clone())));
        self.teams.extend(state.teams.iter().map(|new| (new.id.clone(), new.clone())));
        self.set_endpoints(&state.endpoints);
    }

    fn set_endpoints(&mut self, endpoints: &[Endpoint]) {
        self.endpoints = endpoints.iter().map(|new| (new.id.clone(), new.clone())).collect();
    }

    /// Without roles, which whoever ceased to be an admin may still know.
    pub(super) fn public(&self) -> Self {
        let mut public = self.clone();
        for teammate in public.teammates.values_mut() {
            teammate.role = None;
        }
        public
    }
}

/// Bytes that the client's end of a socket takes before it has read some.
const UNREAD_MAX: usize = 2_000;

/// A socket that takes little while nobody reads.
#[derive(Default)]
pub(super) struct Socket {
    unread: Mutex<Vec<u8>>,
    came: Notify,
}

impl Socket {
    fn take(&self) -> Vec<u8> {
        mem::take(&mut self.unread.lock().unwrap())
    }
}

impl Outlet for Socket {
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut unread = self.unread.lock().unwrap();
        let whole: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        let length = whole.len().min(UNREAD_MAX - unread.len());
        unread.extend_from_slice(&whole[..length]);
        self.came.notify_one();
        if length == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(length) }
    }
}

/// One teammate's client.
pub(super) struct Member {
    pub(super) teammate: TeammateId,
    pub(super) codec: Codec,
    /// The node it connects to.
    pub(super) node: usize,
    pub(super) queue_bytes: usize,
    /// While it rests, what comes is written to its socket.
    pub(super) plugged: bool,
    pub(super) cursor: Option<Cursor>,
    pub(super) open: BTreeSet<ConversationId>,
    pub(super) rows: BTreeMap<ConversationId, Conversation>,
    pub(super) marks: BTreeMap<ConversationId, Mark>,
    pub(super) items: BTreeMap<(ConversationId, u32), Item>,
    pub(super) access: Access,
    pub(super) directory: Directory,
    pub(super) presence: BTreeMap<ConversationId, ConversationPresence>,
    pub(super) here: BTreeSet<TeammateId>,
    /// It has to list, because it was told to, or because something was granted as a whole.
    pub(super) must_list: bool,
    pub(super) answers: BTreeMap<String, Answer>,
    pub(super) starts: Vec<Start>,
    pub(super) resyncs: usize,
    pub(super) catch_ups: usize,
    /// It was told to go, or cut off.
    pub(super) ended: bool,
    session: Option<(Seat, Arc<SendQueue>)>,
    socket: Arc<Socket>,
    /// Frames of the last read that had left before it: what they tell was so then.
    pub(super) early: usize,
    /// Frames that came while it waited for an answer, for whoever checks what it was told.
    pub(super) aside: Vec<ServerFrame>,
    bytes: Vec<u8>,
    refs: u64,
}

impl Member {
    pub(super) fn new(teammate: TeammateId, codec: Codec) -> Self {
        Self {
            teammate,
            codec,
            node: 0,
            queue_bytes: 256 * 1024,
            plugged: false,
            cursor: None,
            open: BTreeSet::new(),
            rows: BTreeMap::new(),
            marks: BTreeMap::new(),
            items: BTreeMap::new(),
            access: Access::default(),
            directory: Directory::default(),
            presence: BTreeMap::new(),
            here: BTreeSet::new(),
            must_list: false,
            answers: BTreeMap::new(),
            starts: Vec::new(),
            resyncs: 0,
            catch_ups: 0,
            ended: true,
            session: None,
            socket: Arc::default(),
            early: 0,
            aside: Vec::new(),
            bytes: Vec::new(),
            refs: 0,
        }
    }

    pub(super) fn take_place(&mut self, seat: Seat, queue: Arc<SendQueue>) {
        self.socket = Arc::default();
        if self.plugged {
            queue.plug(self.socket.clone());
        }
        self.session = Some((seat, queue));
        self.bytes.clear();
        self.ended = false;
    }

    /// The connection is gone.
    pub(super) fn leave(&mut self) {
        if let Some((_, queue)) = self.session.take() {
            queue.unplug();
        }
        // What was under way is lost.
        (self.socket, self.bytes) = (Arc::default(), Vec::new());
        self.ended = true;
    }

    pub(super) fn is_here(&self) -> bool {
        self.session.is_some() && !self.ended
    }

    pub(super) fn queue(&self) -> &Arc<SendQueue> {
        &self.session.as_ref().unwrap().1
    }

    pub(super) fn seat(&self) -> &Seat {
        &self.session.as_ref().unwrap().0
    }

    /// Reads everything that waits, and does what each frame says. Returns the frames.
    pub(super) async fn read(&mut self) -> Vec<ServerFrame> {
        self.bytes.extend(self.socket.take());
        let mut frames = self.decode();
        self.early = frames.len();
        for frame in &frames {
            self.apply(frame);
        }
        let mut awaits_catch_up = false;
        while self.is_here() {
            let next = self.queue().write(Instant::now(), |slices| self.socket.write(slices));
            self.bytes.extend(self.socket.take());
            let decoded = self.decode();
            for frame in &decoded {
                self.apply(frame);
            }
            let caught_up = |frame: &ServerFrame| {
                matches!(frame, ServerFrame::CatchUp { .. } | ServerFrame::Resync { .. })
            };
            awaits_catch_up &= !decoded.iter().any(caught_up);
            frames.extend(decoded);
            match next.unwrap() {
                // What was in the way has just been read.
                Next::More | Next::Blocked => {}
                Next::Idle if awaits_catch_up => self.wait().await,
                Next::Idle => break,
                Next::CatchUp => {
                    awaits_catch_up = true;
                    self.seat().catch_up();
                }
                Next::End(_) | Next::Cut(_) | Next::Done => self.leave(),
            }
        }
        frames
    }

    /// Waits until the queue has something to write, or something was written for it.
    pub(super) async fn wait(&self) {
        let queue = self.queue().clone();
        while self.socket.unread.lock().unwrap().is_empty() {
            tokio::select! {
                () = std::future::poll_fn(|context| queue.poll_ready(context)) => return,
                // Perhaps of what has been read since.
                () = self.socket.came.notified() => {}
            }
        }
    }

    fn decode(&mut self) -> Vec<ServerFrame> {
        let mut frames = Vec::new();
        loop {
            let mut cursor = io::Cursor::new(&self.bytes);
            let Some((_, length)) = FrameHeader::parse(&mut cursor).unwrap() else { return frames };
            let start = usize::try_from(cursor.position()).unwrap();
            let end = start + usize::try_from(length).unwrap();
            if self.bytes.len() < end {
                return frames;
            }
            frames.push(self.codec.decode(&self.bytes[start..end]).unwrap());
            self.bytes.drain(..end);
        }
    }

    fn apply(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::Welcome { start, state, cursor, .. } => {
                self.starts.push(*start);
                if *start != Start::Resumed {
                    self.start_over();
                }
                self.apply_state(state);
                self.cursor = Some(cursor.clone());
            }
            ServerFrame::CatchUp { state, cursor } => {
                self.catch_ups += 1;
                self.apply_state(state);
                self.cursor = Some(cursor.clone());
            }
            ServerFrame::Resync { state, cursor } => {
                self.resyncs += 1;
                self.start_over();
                self.apply_state(state);
                self.cursor = Some(cursor.clone());
            }
            ServerFrame::Push { push, cursor } => {
                self.apply_push(push);
                if let Some(cursor) = cursor {
                    self.cursor = Some(cursor.clone());
                }
            }
            ServerFrame::Answer { r#ref, answer } => {
                self.apply_answer(answer);
                self.answers.insert(r#ref.clone(), answer.clone());
            }
            ServerFrame::Beat | ServerFrame::Freshness { .. } | ServerFrame::Closing { .. } => {}
        }
    }

    fn start_over(&mut self) {
        self.directory = Directory::default();
        self.rows.clear();
        self.marks.clear();
        self.items.clear();
        self.open.clear();
        self.must_list = true;
    }

    fn apply_state(&mut self, state: &CatchUp) {
        self.set_access(&state.access);
        self.directory.apply(state);
        for listed in &state.conversations {
            self.put_row(&listed.conversation);
            self.put_mark(&listed.conversation.id, listed.mark);
        }
        for gone in &state.gone {
            self.drop_row(gone);
        }
        for marked in &state.marks {
            self.put_mark(&marked.conversation, marked.mark);
        }
        for item in &state.items {
            self.put_item(item);
        }
        self.here = state.presence.here.iter().cloned().collect();
        let at = state.presence.conversations.iter();
        self.presence = at.map(|at| (at.conversation.clone(), at.clone())).collect();
    }

    fn apply_answer(&mut self, answer: &Answer) {
        match answer {
            Answer::Told { told: Told::Opened { row, items, presence } } => {
                self.open.insert(row.conversation.id.clone());
                self.put_row(&row.conversation);
                self.put_mark(&row.conversation.id, row.mark);
                for item in items {
                    self.put_item(item);
                }
                self.presence.insert(row.conversation.id.clone(), presence.clone());
            }
            Answer::Told { told: Told::List { rows, .. } } => {
                for row in rows {
                    self.put_row(&row.conversation);
                    self.put_mark(&row.conversation.id, row.mark);
                }
            }
            Answer::Told { .. } | Answer::Done { .. } | Answer::Renewed | Answer::Refused { .. } => {}
        }
    }

    fn apply_push(&mut self, push: &Push) {
        match push {
            Push::Conversation { conversation, .. } => self.put_row(conversation),
            Push::Item { item } => self.put_item(item),
            Push::Gone { conversation } => self.drop_row(conversation),
            Push::Scope { access, endpoints, revoked, .. } => {
                self.set_access(access);
                self.directory.set_endpoints(endpoints);
                if *revoked != Access::default() {
                    self.presence.retain(|at, _| self.rows.contains_key(at));
                }
            }
            Push::Mark(Marked { conversation, mark }) => self.put_mark(conversation, *mark),
            Push::Presence(at) => {
                self.presence.insert(at.conversation.clone(), at.clone());
            }
            Push::Here { came, went } => {
                self.here.extend(came.iter().cloned());
                self.here.retain(|teammate| !went.contains(teammate));
            }
            Push::Teammate { teammate } => {
                self.directory.teammates.insert(teammate.id.clone(), teammate.clone());
            }
            Push::Team { team } => {
                self.directory.teams.insert(team.id.clone(), team.clone());
            }
            Push::Endpoint { endpoint } => {
                self.directory.endpoints.insert(endpoint.id.clone(), endpoint.clone());
            }
            Push::Organization { organization } => {
                self.directory.organization = Some(organization.clone());
            }
        }
    }

    fn set_access(&mut self, access: &Access) {
        let granted = access.endpoints.iter().any(|id| !self.access.endpoints.contains(id))
            || access.teams.iter().any(|id| !self.access.teams.contains(id));
        self.must_list |= granted;
        self.access = access.clone();
        let outside: Vec<_> =
            self.rows.values().filter(|row| !self.keeps(row)).map(|row| row.id.clone()).collect();
        for id in &outside {
            self.drop_row(id);
        }
    }

    fn keeps(&self, row: &Conversation) -> bool {
        row.endpoint.as_ref().is_some_and(|endpoint| self.access.endpoints.contains(endpoint))
            || row.members.iter().any(|member| match member {
                Principal::Organization => true,
                Principal::Team(team) => self.access.teams.contains(team),
                Principal::Teammate(teammate) => *teammate == self.teammate,
            })
    }

    fn put_row(&mut self, row: &Conversation) {
        if self.rows.get(&row.id).is_none_or(|known| known.rev <= row.rev) {
            self.rows.insert(row.id.clone(), row.clone());
        }
    }

    fn put_mark(&mut self, conversation: &ConversationId, mark: Mark) {
        if self.marks.get(conversation).is_none_or(|known| known.rev <= mark.rev) {
            self.marks.insert(conversation.clone(), mark);
        }
    }

    fn put_item(&mut self, item: &Item) {
        self.items.insert((item.conversation.clone(), item.number), item.clone());
    }

    fn drop_row(&mut self, conversation: &ConversationId) {
        self.rows.remove(conversation);
        self.marks.remove(conversation);
        self.presence.remove(conversation);
        self.open.remove(conversation);
        self.items.retain(|(of, _), _| of != conversation);
    }

    fn reference(&mut self) -> String {
        self.refs += 1;
        format!("{}-{}", self.teammate, self.refs)
    }

    /// Waits for the answer to a `ref`; none if the session ended meanwhile.
    pub(super) async fn answer_to(&mut self, r#ref: &str) -> Option<Answer> {
        loop {
            let frames = self.read().await;
            self.aside.extend(frames);
            if let Some(answer) = self.answers.remove(r#ref) {
                return Some(answer);
            }
            if !self.is_here() {
                return None;
            }
            self.wait().await;
        }
    }

    pub(super) async fn call(&mut self, command: Command) -> Result<Done, Refusal> {
        let r#ref = self.reference();
        let permit = self.queue().permit(1_000).unwrap();
        self.seat().call(r#ref.clone(), command, permit);
        match self.answer_to(&r#ref).await.expect("the session is here") {
            Answer::Done { done, .. } => Ok(done),
            Answer::Refused { refusal, .. } => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn ask(&mut self, ask: Ask) -> Option<Result<Told, Refusal>> {
        let r#ref = self.reference();
        let permit = self.queue().permit(1_000).ok()?;
        self.seat().ask(r#ref.clone(), ask, permit);
        match self.answer_to(&r#ref).await? {
            Answer::Told { told } => Some(Ok(told)),
            Answer::Refused { refusal, .. } => Some(Err(refusal)),
            other => panic!("{other:?}"),
        }
    }

    /// Opens a conversation, as a page that shows it does.
    pub(super) async fn open(&mut self, conversation: &ConversationId) -> Option<Result<(), Refusal>> {
        match self.ask(Ask::Open { conversation: conversation.clone(), limit: 200 }).await? {
            Ok(Told::Opened { .. }) => Some(Ok(())),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => Some(Err(refusal)),
        }
    }

    /// Lists every mailbox to its end, as a client does that has to start over.
    pub(super) async fn list_all(&mut self, mailboxes: &[Mailbox]) {
        self.must_list = false;
        for mailbox in mailboxes {
            let mut after = None;
            loop {
                let ask = Ask::List { mailbox: mailbox.clone(), endpoint: None, after, limit: 7 };
                let Some(told) = self.ask(ask).await else { return };
                let Ok(Told::List { next, .. }) = told else { panic!("{told:?}") };
                after = next;
                if after.is_none() {
                    break;
                }
            }
        }
    }

    /// What it shows: every row, with the mark where there is one.
    pub(super) fn shows(&self) -> BTreeMap<ConversationId, (Conversation, Mark)> {
        let mark = |id| self.marks.get(id).copied().unwrap_or_default();
        self.rows.iter().map(|(id, row)| (id.clone(), (row.clone(), mark(id)))).collect()
    }
}
