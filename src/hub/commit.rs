//! Commands that wait together are decided together and committed together. Nothing is sent, answered or
//! published before the log has it durably.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::time::Instant;

use rotunda_protocol::command::{Command, Done, Outcome};
use rotunda_protocol::conversation::Contact;
use rotunda_protocol::frame::Ref;
use rotunda_protocol::id::{ConversationId, EndpointId};
use rotunda_protocol::principal::Actor;
use rotunda_protocol::refusal::Refusal;

use super::barrier::Loss;
use super::keeper::Keeper;
use super::mint::mint;
use super::room::Pending;
use crate::bus::Topic;
use crate::bus::envelope::{self, News};
use crate::clock;
use crate::domain::decide::{self, Wanted};
use crate::domain::draft::{Archived, Working};
use crate::domain::event::{Event, Seq};
use crate::domain::narrowing;
use crate::domain::organization::Organization;
use crate::store::{Appended, Batch, Found, Needs, RefRecord, StoreError, Turn};

/// How often a batch is decided again because another node appended first, before its callers are asked to retry.
const LOST_MAX: u32 = 16;

/// A command that was decided, with what happens if the append succeeds.
struct Decided {
    pending: Pending,
    result: Result<Done, Refusal>,
    /// The event it made, and the organization after it.
    event: Option<(Event, Organization)>,
}

/// What became of an attempt.
enum Tried {
    /// It is durable, and everybody was told; these are still to be decided.
    Done(Vec<Pending>),
    /// The log has gone on; all of these are to be decided on what is in it.
    Behind(Vec<Pending>),
    /// Another node was first just now; all of these are to be decided again.
    Lost(Vec<Pending>),
    /// The store failed, for all of these.
    Failed(Vec<Pending>, StoreError),
}

/// What was brought in from the store for a batch.
struct Brought {
    /// The number of the newest event when it was brought in.
    head: Seq,
    working: Working,
    refs: HashMap<(Actor, Ref), RefRecord>,
    asked_conversations: HashSet<ConversationId>,
    asked_threads: HashSet<(EndpointId, String)>,
}

impl Keeper {
    /// Decides, commits and answers.
    pub(super) async fn commit(&mut self, mut waiting: Vec<Pending>) {
        let (mut turn, mut lost) = (None, 0);
        while !waiting.is_empty() {
            waiting = match self.try_commit(waiting, turn.take()).await {
                Tried::Done(rest) => {
                    lost = 0;
                    rest
                }
                Tried::Lost(again) | Tried::Behind(again) if lost >= LOST_MAX => {
                    tracing::warn!(organization = %self.room.organization, "other nodes were always first");
                    return refuse_all(again);
                }
                // Once is a matter of news on their way. After that it is a race.
                Tried::Behind(again) if lost == 0 => {
                    lost += 1;
                    match self.follow().await {
                        Ok(()) => again,
                        Err(error) => return self.fail(again, &error),
                    }
                }
                Tried::Lost(again) | Tried::Behind(again) => {
                    lost += 1;
                    match self.take_turn().await {
                        // What has come while others had their turn goes along.
                        Ok(taken) => {
                            turn = taken;
                            again.into_iter().chain(self.take_more()).collect()
                        }
                        Err(error) => return self.fail(again, &error),
                    }
                }
                Tried::Failed(all, error) => return self.fail(all, &error),
            };
        }
    }

    async fn try_commit(&mut self, waiting: Vec<Pending>, turn: Option<Box<dyn Turn>>) -> Tried {
        let mut brought = match self.bring(&waiting).await {
            Ok(brought) => brought,
            Err(error) => return Tried::Failed(waiting, error),
        };
        match brought.head.cmp(&self.organization.seq()) {
            Ordering::Equal => {}
            Ordering::Greater => return Tried::Behind(waiting),
            Ordering::Less => {
                // What was told to everybody is gone: an older copy of the database has taken its place.
                let why = "it ends before what was read from it";
                self.following.lost = Some(why.into());
                let lost = StoreError::Corrupt(why.into());
                return Tried::Failed(waiting, lost);
            }
        }
        let (decided, rest) = decide_all(&mut brought, waiting);
        match self.append(&decided, turn).await {
            Ok(Appended::Committed(head)) => {
                let durable = tokio::time::Instant::now();
                self.publish_news(head, &decided);
                self.settle_all(decided, durable).await;
                Tried::Done(rest)
            }
            Ok(Appended::Conflict) => Tried::Lost(undecided(decided, rest)),
            Err(error) => {
                // It may be durable all the same: the log will tell.
                self.look_soon();
                Tried::Failed(undecided(decided, rest), error)
            }
        }
    }

    /// Another node was first. Waits until no other can be, and applies what they did.
    async fn take_turn(&mut self) -> Result<Option<Box<dyn Turn>>, StoreError> {
        self.room.services.metrics.lost_place();
        let turn = self.while_current(self.room.services.store.turn(&self.room.organization)).await?;
        self.follow().await?;
        Ok(turn)
    }

    /// Brings in what deciding needs.
    async fn bring(&self, waiting: &[Pending]) -> Result<Brought, StoreError> {
        let mut needs = Needs::default();
        for pending in waiting {
            needs.refs.push((pending.actor.clone(), pending.r#ref.clone()));
            let wanted = decide::wanted(&self.organization, &pending.actor, &pending.command);
            needs.conversations.extend(wanted.conversation);
            if let Some((endpoint, address)) = wanted.thread {
                needs.contacts.push(address.clone());
                needs.threads.push((endpoint, address));
            }
        }
        let mut brought = Brought {
            working: Working::new(self.organization.clone()),
            head: self.organization.seq(),
            refs: HashMap::new(),
            asked_conversations: needs.conversations.iter().cloned().collect(),
            asked_threads: needs.threads.iter().cloned().collect(),
        };
        let found = self.room.services.store.find(&self.room.organization, needs);
        brought.add(self.while_current(found).await?);
        Ok(brought)
    }

    async fn append(&self, decided: &[Decided], turn: Option<Box<dyn Turn>>) -> Result<Appended, StoreError> {
        let events: Vec<Event> =
            decided.iter().filter_map(|d| d.event.as_ref()).map(|(event, _)| event.clone()).collect();
        if events.is_empty() {
            return Ok(Appended::Committed(self.organization.seq()));
        }
        let refs = decided.iter().filter(|decided| decided.event.is_some()).filter_map(|decided| {
            let done = decided.result.as_ref().ok()?.clone();
            let Pending { actor, r#ref, fingerprint, .. } = &decided.pending;
            Some(RefRecord { actor: actor.clone(), r#ref: r#ref.clone(), fingerprint: *fingerprint, done })
        });
        let count = events.len();
        let batch = Batch {
            organization: self.room.organization.clone(),
            expected: self.organization.seq(),
            refs: refs.collect(),
            events,
        };
        let began = Instant::now();
        let appended = match turn {
            Some(turn) => self.while_current(turn.append(batch)).await,
            None => self.while_current(self.room.services.store.append(batch)).await,
        };
        self.room.services.metrics.committed(count, began.elapsed());
        appended
    }

    /// Tells the other nodes, before anybody here: theirs have farther to go.
    fn publish_news(&self, head: Seq, decided: &[Decided]) {
        let (Some(peers), Some(cursors)) = (&self.room.services.peers, &self.cursors) else { return };
        let events: Vec<&Event> = decided.iter().filter_map(|d| d.event.as_ref()).map(|(e, _)| e).collect();
        if !events.is_empty() {
            let news = News { epoch: cursors.epoch(), after: self.organization.seq(), head, events };
            peers.bus.publish(&Topic::Log(self.room.organization.clone()), envelope::news(&peers.node, news));
        }
    }

    /// What was decided is durable: everybody is told, and the callers are answered, each after its own event; if
    /// somebody lost something by it, when that is so on every node.
    async fn settle_all(&mut self, decided: Vec<Decided>, durable: tokio::time::Instant) {
        let founding = self.cursors.is_none() && decided.iter().any(|decided| decided.event.is_some());
        if founding {
            self.found().await;
        }
        for Decided { pending, result, event } in decided {
            let tells = event.is_some() && self.administers(&pending.actor);
            let taken_from = match event {
                Some((event, after)) => self.advance(&event, after),
                // It is so already, by what somebody did just now perhaps: no sooner may anybody say that it is.
                None => (result.is_ok() && narrowing::can_narrow(&pending.command)).then_some(0),
            };
            match (result, taken_from) {
                (Ok(done), Some(sessions)) => {
                    let organization = self.room.organization.clone();
                    let loss = Loss { organization, seq: self.organization.seq(), durable, sessions };
                    self.answer_when_enforced(pending, done, loss, tells);
                }
                (result, _) => pending.answer(result.map(Outcome::from)),
            }
        }
    }

    /// Of what a loss took, how many sessions somebody has is for those who administer.
    fn administers(&self, actor: &Actor) -> bool {
        match actor {
            Actor::Service(_) => true,
            Actor::Teammate(teammate) => self.organization.is_admin(teammate),
            Actor::Contact => false,
        }
    }

    fn fail(&self, waiting: impl IntoIterator<Item = Pending>, error: &StoreError) {
        tracing::warn!(%error, "commands are refused because of the database");
        self.room.services.metrics.store_failed();
        refuse_all(waiting);
    }
}

impl Brought {
    fn add(&mut self, found: Found) {
        self.head = found.head;
        for record in found.refs {
            self.refs.insert((record.actor.clone(), record.r#ref.clone()), record);
        }
        for stored in found.conversations {
            let id = stored.conversation.id.clone();
            if stored.conversation.is_archived() {
                let archived = Archived { conversation: stored.conversation, marks: stored.marks };
                self.working.archived.insert(id, archived);
            }
        }
        let contacts = found.contacts.into_iter().map(|contact: Contact| (contact.address.clone(), contact));
        self.working.contacts.extend(contacts);
    }

    /// Everything that a command wants is here, or was looked for in vain.
    fn has(&self, wanted: &Wanted) -> bool {
        let conversation = wanted
            .conversation
            .as_ref()
            .is_none_or(|id| self.asked_conversations.contains(id) || self.working.archived.contains_key(id));
        let thread = wanted.thread.as_ref().is_none_or(|thread| self.asked_threads.contains(thread));
        conversation && thread
    }
}

/// Decides one command after the other, each on what the ones before it did. A command that came to need
/// something else because of them waits for the next round, and everything behind it.
fn decide_all(brought: &mut Brought, waiting: Vec<Pending>) -> (Vec<Decided>, Vec<Pending>) {
    let mut decided = Vec::with_capacity(waiting.len());
    let mut waiting = waiting.into_iter();
    while let Some(pending) = waiting.next() {
        let wanted = decide::wanted(&brought.working.organization, &pending.actor, &pending.command);
        if !decided.is_empty() && !brought.has(&wanted) {
            return (decided, std::iter::once(pending).chain(waiting).collect());
        }
        decided.push(decide_one(brought, pending));
    }
    (decided, Vec::new())
}

fn decide_one(brought: &mut Brought, pending: Pending) -> Decided {
    let name = (pending.actor.clone(), pending.r#ref.clone());
    if let Some(record) = brought.refs.get(&name) {
        let same = record.fingerprint == pending.fingerprint;
        let result = if same { Ok(record.done.clone()) } else { Err(Refusal::RefReused) };
        return Decided { pending, result, event: None };
    }
    let now = clock::now_millis();
    let mut mint = || mint(now);
    match decide::decide(&mut brought.working, &pending.actor, &pending.command, now, &mut mint) {
        Ok((done, event)) => {
            if event.is_some() {
                let (actor, r#ref) = name.clone();
                let record = RefRecord { actor, r#ref, fingerprint: pending.fingerprint, done: done.clone() };
                brought.refs.insert(name, record);
            }
            let event = event.map(|event| (event, brought.working.organization.clone()));
            Decided { pending, result: Ok(done), event }
        }
        Err(refusal) => Decided { pending, result: Err(refusal), event: None },
    }
}

fn undecided(decided: Vec<Decided>, rest: Vec<Pending>) -> Vec<Pending> {
    decided.into_iter().map(|decided| decided.pending).chain(rest).collect()
}

fn refuse_all(waiting: impl IntoIterator<Item = Pending>) {
    waiting.into_iter().for_each(|pending| pending.answer(Err(Refusal::Unavailable)));
}

/// What tells a command from others with the same `ref`.
pub(super) fn fingerprint(command: &Command) -> [u8; 32] {
    let text = serde_json::to_vec(command).expect("commands can always be encoded");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &text);
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest.as_ref());
    fingerprint
}
