//! A session: one teammate's app on one device. Connects, keeps its picture, does what it is told, and comes back.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use rotunda_protocol::ask::{Ask, RowKey};
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::Command;
use rotunda_protocol::conversation::Mark;
use rotunda_protocol::frame::{ClientFrame, Signal};
use rotunda_protocol::id::TeammateId;
use rotunda_protocol::principal::Mailbox;
use tokio::sync::{mpsc, oneshot};

use super::organization::Organization;
use super::world::World;
use crate::clock::Nanos;
use crate::picture::Picture;
use crate::picture::news::{Frame, News};
use crate::picture::note::Note;
use crate::picture::rows::Place;

/// Orders that wait for a session. A person does one thing after the other.
pub(crate) const ORDERS_MAX: usize = 64;
/// Rows of a page.
pub(crate) const PAGE: u16 = 200;

/// What a session is told to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Connect, and stay connected.
    Come,
    /// Send something; what it waits for is kept already.
    Send(Box<ClientFrame>),
    /// Lose the connection without a goodbye, and come back after a while.
    Cut { away: Duration, forget: bool },
    /// Stop reading for a while.
    Deaf(Duration),
}

/// What an answer is waited for with.
pub(crate) struct Waiting {
    /// A command is sent again after a reconnect.
    pub(crate) again: Option<ClientFrame>,
    pub(crate) meant: Nanos,
    pub(crate) what: What,
}

/// Who wants an answer.
pub(crate) enum What {
    /// A command's, and whether it takes access away.
    Command { revokes: bool, answered: Option<oneshot::Sender<Nanos>> },
    /// A page of a list that is shown.
    Shown(Mailbox),
    /// A page of a list that the picture is compared with.
    Fresh { mailbox: Mailbox, rows: Vec<(Place, u64, Mark)>, to: oneshot::Sender<Vec<(Place, u64, Mark)>> },
    /// A conversation that is opened.
    Open(Place),
    /// The mark of a row that was pushed without one, by the row's `rev`.
    Mark(Place, u64),
    /// How many there are.
    Counts(oneshot::Sender<u64>),
}

/// A session.
pub(crate) struct Session {
    pub(crate) world: Rc<World>,
    pub(crate) organization: Rc<Organization>,
    /// Its number among all of this process.
    pub(crate) number: usize,
    pub(crate) teammate: TeammateId,
    pub(crate) codec: Codec,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) held: RefCell<Held>,
    /// It does not always read, on purpose: it makes nothing happen, and its latency is nobody's.
    pub(crate) is_slow: bool,
    /// Frames about what its teammate is about to lose, or has lost, are looked at (the scenario `revoke`).
    pub(crate) last_row_at: Cell<Option<Nanos>>,
}

/// What a session keeps.
pub(crate) struct Held {
    pub(crate) picture: Picture,
    pub(crate) notes: Vec<Note>,
    /// The last frame with a cursor that was applied.
    pub(crate) cursor: Option<Rc<Frame>>,
    pub(crate) connected: bool,
    /// What it has asked to open.
    pub(crate) opening: Option<Place>,
    /// Shown lists whose last page has not come.
    pub(crate) lists_due: usize,
    pub(crate) waiting: HashMap<u64, Waiting>,
    pub(crate) heartbeat: Duration,
    /// The least time to wait before coming back, if the hub has said so.
    pub(crate) wait_least: Duration,
}

impl Held {
    /// What is open, or is about to be.
    pub(crate) fn opened(&self) -> Option<Place> {
        self.picture.open.or(self.opening)
    }
}

impl Session {
    /// A session that is not connected yet, and what it is told through.
    pub(crate) fn new(
        world: Rc<World>,
        organization: Rc<Organization>,
        number: usize,
        teammate: TeammateId,
        codec: Codec,
        is_slow: bool,
    ) -> (Rc<Self>, mpsc::Receiver<Order>) {
        let (orders, told) = mpsc::channel(ORDERS_MAX);
        let held = Held {
            picture: Picture::of(teammate.clone()),
            notes: Vec::new(),
            cursor: None,
            connected: false,
            opening: None,
            lists_due: 0,
            waiting: HashMap::new(),
            heartbeat: Duration::from_secs(25),
            wait_least: Duration::ZERO,
        };
        let session = Self {
            world,
            organization,
            number,
            teammate,
            codec,
            orders,
            held: RefCell::new(held),
            is_slow,
            last_row_at: Cell::new(None),
        };
        (Rc::new(session), told)
    }

    /// It is welcome, and has been shown its lists.
    pub(crate) fn is_ready(&self) -> bool {
        let held = self.held.borrow();
        held.connected && held.lists_due == 0
    }

    /// It is connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.held.borrow().connected
    }

    /// Commands that are not answered.
    pub(crate) fn unanswered(&self) -> usize {
        let held = self.held.borrow();
        held.waiting.values().filter(|waiting| waiting.again.is_some()).count()
    }

    /// Tells it something. A session that has too much to do already does not do this.
    pub(crate) fn order(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }

    /// Has it send a command that was meant for a moment.
    pub(crate) fn call(&self, meant: Nanos, command: Command) -> bool {
        self.call_with(meant, command, false, None)
    }

    /// The same for what takes access away; whoever waits hears when it was answered.
    pub(crate) fn call_with(
        &self,
        meant: Nanos,
        command: Command,
        revokes: bool,
        answered: Option<oneshot::Sender<Nanos>>,
    ) -> bool {
        let number = self.world.next_ref();
        let frame = ClientFrame::Call { r#ref: self.world.name_of_ref(number), command };
        let what = What::Command { revokes, answered };
        self.expect(number, Waiting { again: Some(frame.clone()), meant, what });
        let told = self.order(Order::Send(Box::new(frame)));
        if !told {
            self.held.borrow_mut().waiting.remove(&number);
        }
        told
    }

    /// Has it open a conversation, unless it is not connected or just opening one. What was open is closed.
    pub(crate) fn open(&self, place: Place) -> bool {
        if !self.is_connected() || self.held.borrow().opening.is_some() {
            return false;
        }
        self.close();
        let conversation = self.organization.reader.borrow().rows.id(place).clone();
        let asked = self.ask(Ask::Open { conversation, limit: PAGE }, What::Open(place));
        if asked {
            let held = &mut *self.held.borrow_mut();
            held.opening = Some(place);
            held.notes.push(Note::Opening(place));
        }
        asked
    }

    /// Has it close what is open.
    pub(crate) fn close(&self) {
        let held = &mut *self.held.borrow_mut();
        if let Some(place) = held.picture.close(&mut held.notes) {
            let conversation = self.organization.reader.borrow().rows.id(place).clone();
            self.order(Order::Send(Box::new(ClientFrame::Signal { signal: Signal::Close { conversation } })));
        }
    }

    /// Has it ask something.
    pub(crate) fn ask(&self, ask: Ask, what: What) -> bool {
        let number = self.world.next_ref();
        let frame = ClientFrame::Ask { r#ref: self.world.name_of_ref(number), ask };
        self.expect(number, Waiting { again: None, meant: Nanos::now(), what });
        let told = self.order(Order::Send(Box::new(frame)));
        if !told {
            self.held.borrow_mut().waiting.remove(&number);
        }
        told
    }

    /// Reads a list anew, beside the picture. None if the connection ended meanwhile.
    pub(crate) async fn fresh(&self, mailbox: Mailbox) -> Option<Vec<(Place, u64, Mark)>> {
        let (to, answered) = oneshot::channel();
        let what = What::Fresh { mailbox: mailbox.clone(), rows: Vec::new(), to };
        self.ask(page(mailbox, None), what);
        answered.await.ok()
    }

    /// How many conversations a mailbox has. None if the connection ended meanwhile.
    pub(crate) async fn count(&self, mailbox: Mailbox) -> Option<u64> {
        let (to, answered) = oneshot::channel();
        self.ask(Ask::Counts { mailboxes: vec![mailbox] }, What::Counts(to));
        answered.await.ok()
    }

    pub(crate) fn expect(&self, number: u64, waiting: Waiting) {
        self.held.borrow_mut().waiting.insert(number, waiting);
    }

    /// The lists that it shows.
    pub(crate) fn shown_lists(&self) -> Vec<Mailbox> {
        self.held.borrow().picture.shown_lists()
    }

    /// Keeps what a frame says.
    pub(crate) fn take(&self, frame: &Rc<Frame>, now: Nanos) {
        let held = &mut *self.held.borrow_mut();
        if let News::Row(_, version, _) = &frame.news {
            // When it was meant is known where it was made to happen.
            if self.organization.share.drives
                && !self.is_slow
                && let Some(meant) = version.read_at(now)
            {
                self.world.meter.borrow_mut().latency(meant, now);
            }
            if version.row.endpoint == self.organization.watched {
                self.last_row_at.set(Some(now));
            }
        }
        if let News::Welcome { heartbeat_ms, .. } = &frame.news {
            held.heartbeat = Duration::from_millis((*heartbeat_ms).into());
        }
        held.picture.apply(&frame.news, &mut held.notes);
        if frame.cursor.is_some() {
            held.cursor = Some(Rc::clone(frame));
        }
    }
}

/// A question for a page of a list.
pub(crate) fn page(mailbox: Mailbox, after: Option<RowKey>) -> Ask {
    Ask::List { mailbox, endpoint: None, after, limit: PAGE }
}
