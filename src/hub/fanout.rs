//! From an event's effects to the send queues of sessions. Nothing here waits, or asks for each session what was
//! answered for its teammate; each push is encoded once for each codec in use. What it makes due, tasks of its own write.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::iter::{self, Sum};
use std::mem;
use std::ops::AddAssign;
use std::sync::Arc;

use rotunda_protocol::close::CloseCode;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::frame::{Cursor, ServerFrame};
use rotunda_protocol::id::{SessionId, TeammateId};
use rotunda_protocol::push::Push;
use tokio::time::Instant;

use super::fault;
use super::registry::{Key, Member, Registry};
use super::send_queue::{About, Pushed, QueuedFrame, SendQueue};
use super::wire;
use crate::domain::access::Staff;
use crate::domain::audience::{Audience, Effect, Subject};
use crate::domain::conversation::Conversation;
use crate::domain::event::{Event, Seq};
use crate::domain::organization::Organization;

/// Sessions that are written to in one go; then others have a turn. A write takes some microseconds.
const BUNCH: usize = 32;

/// What carrying out the effects of an event came to.
#[derive(Default)]
pub(super) struct Outcome {
    /// What was offered.
    pub told: Told,
    /// Teammates whose view has narrowed.
    pub narrowed: BTreeSet<TeammateId>,
    /// Sessions whose teammate may no longer be here.
    pub ended: Vec<Key>,
}

/// How many sessions were offered a push.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    /// All of them.
    pub sessions: usize,
    /// Those whose queue it did not fit into.
    pub overflows: usize,
}

impl AddAssign for Told {
    fn add_assign(&mut self, more: Self) {
        self.sessions += more.sessions;
        self.overflows += more.overflows;
    }
}

impl Sum for Told {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, more| {
            sum += more;
            sum
        })
    }
}

/// An event that has become durable, as fan-out needs it.
pub(super) struct Committed<'a> {
    /// The organization as of it.
    pub after: &'a Organization,
    /// The event.
    pub event: &'a Event,
    /// What a client may resume from that has got a push of it: the position before, for an event can make
    /// several pushes, and a cursor must never claim more than was sent (B37).
    pub cursor: Cursor,
}

/// Carries out the effects of an event, in their order.
pub(super) fn carry_out(registry: &Registry, committed: &Committed<'_>, effects: Vec<Effect>) -> Outcome {
    let mut outcome = Outcome::default();
    let seq = committed.after.seq();
    for effect in effects {
        match effect {
            Effect::Narrow(teammate) => {
                narrow(registry, committed, &teammate);
                outcome.narrowed.insert(teammate);
            }
            Effect::End(teammate) => {
                for member in registry.sessions_of(&teammate) {
                    member.queue.close(CloseCode::AccessEnded, false);
                }
                outcome.ended.extend_from_slice(registry.keys_of(&teammate));
            }
            Effect::Reset => registry.all().for_each(|member| member.queue.restart()),
            Effect::Tell { to, push, about } => {
                let to = fault::audience(&to, &push).unwrap_or(to);
                let push = fault::push(*push);
                let frame = Shared::new(push, Some(committed.cursor.clone()), Some(seq), about_of(about));
                outcome.told += tell(registry, &to, &frame);
            }
        }
    }
    outcome
}

/// Tells an audience.
pub(super) fn tell(registry: &Registry, to: &Audience, frame: &Shared) -> Told {
    let due = &mut Due::default();
    match to {
        Audience::Everyone => offer(registry.all(), frame, None, due),
        Audience::These(these) => {
            these.iter().map(|id| offer(registry.sessions_of(id), frame, None, due)).sum()
        }
        Audience::Opened(conversation, staff) => {
            let at = registry.sessions_at(conversation).filter(|member| match staff {
                Staff::Everyone => true,
                Staff::These(these) => these.contains(&member.teammate),
            });
            offer(at, frame, None, due)
        }
    }
}

/// Tells one session.
pub(super) fn tell_one(member: &Member, frame: &Shared) -> Told {
    offer(iter::once(member), frame, None, &mut Due::default())
}

/// Tells a staff, but for one session: the one that caused it.
pub(super) fn tell_others(
    registry: &Registry,
    staff: &Staff,
    frame: &Shared,
    but: Option<&SessionId>,
) -> Told {
    let due = &mut Due::default();
    match staff {
        Staff::Everyone => offer(registry.all(), frame, but, due),
        Staff::These(these) => these.iter().map(|id| offer(registry.sessions_of(id), frame, but, due)).sum(),
    }
}

fn offer<'a>(
    members: impl Iterator<Item = &'a Member>,
    frame: &Shared,
    but: Option<&SessionId>,
    due: &mut Due,
) -> Told {
    let mut told = Told::default();
    for member in members.filter(|member| but != Some(&member.session)) {
        told.sessions += 1;
        for _ in 0..fault::times() {
            match member.queue.push(frame.queued(member.codec)) {
                Pushed::Done => {}
                Pushed::Due => due.add(&member.queue),
                Pushed::Overflowed => told.overflows += 1,
            }
        }
    }
    told
}

/// Queues that are due. They are written to in bunches, each a task: to wake every session for one write costs nearly
/// half as much as the write.
#[derive(Default)]
struct Due {
    bunch: Vec<Arc<SendQueue>>,
}

impl Due {
    fn add(&mut self, queue: &Arc<SendQueue>) {
        self.bunch.push(Arc::clone(queue));
        if self.bunch.len() == BUNCH {
            self.write();
        }
    }

    fn write(&mut self) {
        let bunch = mem::take(&mut self.bunch);
        tokio::spawn(async move {
            let now = Instant::now();
            for queue in bunch {
                queue.write_due(now);
            }
        });
    }
}

impl Drop for Due {
    /// Nothing that is due stays behind.
    fn drop(&mut self) {
        if !self.bunch.is_empty() {
            self.write();
        }
    }
}

/// Drops what waits for a teammate and is hidden from them now.
fn narrow(registry: &Registry, committed: &Committed<'_>, teammate: &TeammateId) {
    let after = committed.after;
    let visible = |about: &About| match about {
        About::Anyone => true,
        About::Administration => after.is_admin(teammate),
        About::Endpoints(ids) => {
            ids.iter().all(|id| after.endpoint(id).is_some_and(|known| after.can_view(teammate, known)))
        }
        About::Conversation(then) => current(committed, then).is_some_and(|row| after.can_see(teammate, row)),
        About::Reading => false,
    };
    for member in registry.sessions_of(teammate) {
        member.queue.narrow(after.seq(), &visible);
    }
}

/// A conversation as of the event, for it may have other members than when a frame was made; none if it is archived and
/// the event does not tell of it: then who its members are now is not at hand.
fn current<'a>(committed: &'a Committed<'_>, then: &Conversation) -> Option<&'a Conversation> {
    let changed = committed.event.conversations().map(|change| &change.after).find(|row| row.id == then.id);
    changed.or_else(|| committed.after.conversation(&then.id).map(|open| &**open))
}

fn about_of(subject: Subject) -> About {
    match subject {
        Subject::Roster | Subject::Loss => About::Anyone,
        Subject::Administration => About::Administration,
        Subject::Endpoints(ids) => About::Endpoints(ids),
        Subject::Conversation(conversation) => About::Conversation(conversation),
        Subject::Archived => About::Reading,
    }
}

/// A push on its way to many: encoded when the first of each codec needs it.
pub(super) struct Shared {
    frame: ServerFrame,
    seq: Option<Seq>,
    about: About,
    json: OnceCell<Arc<QueuedFrame>>,
    message_pack: OnceCell<Arc<QueuedFrame>>,
}

impl Shared {
    /// A push with the position it tells of; fleeting news has none.
    pub(super) fn new(push: Push, cursor: Option<Cursor>, seq: Option<Seq>, about: About) -> Self {
        let frame = ServerFrame::Push { push, cursor };
        Self { frame, seq, about, json: OnceCell::new(), message_pack: OnceCell::new() }
    }

    /// Fleeting news about a conversation.
    pub(super) fn fleeting(push: Push, about: Option<Arc<Conversation>>) -> Self {
        Self::new(push, None, None, about.map_or(About::Anyone, About::Conversation))
    }

    fn queued(&self, codec: Codec) -> Arc<QueuedFrame> {
        let cell = match codec {
            Codec::Json => &self.json,
            Codec::MessagePack => &self.message_pack,
        };
        let encode = || QueuedFrame {
            bytes: wire::encode(codec, &self.frame),
            seq: self.seq,
            about: self.about.clone(),
        };
        cell.get_or_init(|| encode().into()).clone()
    }
}
