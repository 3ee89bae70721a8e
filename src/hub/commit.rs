//! Commands that wait together are decided together and committed together. Nothing is sent, answered or
//! published before the log has it durably.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rotunda_protocol::command::{Command, Done};
use rotunda_protocol::conversation::Contact;
use rotunda_protocol::frame::Ref;
use rotunda_protocol::id::{ConversationId, EndpointId};
use rotunda_protocol::principal::Actor;
use rotunda_protocol::refusal::Refusal;

use super::keeper::Keeper;
use super::mint::mint;
use super::room::{Pending, load};
use crate::clock;
use crate::domain::decide::{self, Wanted};
use crate::domain::draft::{Archived, Working};
use crate::domain::event::Event;
use crate::domain::organization::Organization;
use crate::store::{Appended, Batch, Found, Needs, RefRecord, StoreError};

/// How often a batch is decided again because another node appended first, before its callers are asked to retry.
const CONFLICTS_MAX: u32 = 16;
/// Events that are read at once when another node was ahead.
const FOLLOW_MAX: u32 = 1_000;
/// How often the log is asked for an append in doubt while the database does not answer.
const FIND_OUT_EVERY: Duration = Duration::from_secs(1);

/// A command that was decided, with what happens if the append succeeds.
struct Decided {
    pending: Pending,
    result: Result<Done, Refusal>,
    /// The event it made, and the organization after it.
    event: Option<(Event, Organization)>,
}

/// What was brought in from the store for a batch.
struct Brought {
    working: Working,
    refs: HashMap<(Actor, Ref), RefRecord>,
    asked_conversations: HashSet<ConversationId>,
    asked_threads: HashSet<(EndpointId, String)>,
}

impl Keeper {
    /// Decides, commits and answers.
    pub(super) async fn commit(&mut self, mut waiting: Vec<Pending>) {
        let mut conflicts = 0;
        if !waiting.is_empty()
            && let Err(error) = self.find_out().await
        {
            return self.fail(waiting, &error);
        }
        while !waiting.is_empty() {
            let mut brought = match self.bring(&waiting).await {
                Ok(brought) => brought,
                Err(error) => return self.fail(waiting, &error),
            };
            let (decided, rest) = decide_all(&mut brought, waiting);
            match self.append(&decided).await {
                Ok(Appended::Committed(_)) => {
                    self.settle_all(decided).await;
                    waiting = rest;
                }
                Ok(Appended::Conflict) if conflicts < CONFLICTS_MAX => {
                    conflicts += 1;
                    waiting = decided.into_iter().map(|decided| decided.pending).chain(rest).collect();
                    if let Err(error) = self.follow().await {
                        return self.fail(waiting, &error);
                    }
                }
                Ok(Appended::Conflict) => {
                    return refuse_all(decided.into_iter().map(|d| d.pending).chain(rest));
                }
                Err(error) => {
                    // It may be durable all the same: the log will tell.
                    self.in_doubt = Some(tokio::time::Instant::now());
                    return self.fail(decided.into_iter().map(|decided| decided.pending).chain(rest), &error);
                }
            }
        }
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
            refs: HashMap::new(),
            asked_conversations: needs.conversations.iter().cloned().collect(),
            asked_threads: needs.threads.iter().cloned().collect(),
        };
        let found = self.room.services.store.find(&self.room.organization, needs).await?;
        brought.add(found);
        Ok(brought)
    }

    async fn append(&self, decided: &[Decided]) -> Result<Appended, StoreError> {
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
        let appended = self.room.services.store.append(batch).await;
        self.room.services.metrics.committed(count, began.elapsed());
        appended
    }

    /// What was decided is durable: everybody is told, and the callers are answered, each after its own event.
    async fn settle_all(&mut self, decided: Vec<Decided>) {
        let founding = self.cursors.is_none() && decided.iter().any(|decided| decided.event.is_some());
        if founding {
            self.found().await;
        }
        for Decided { pending, result, event } in decided {
            if let Some((event, after)) = event {
                self.advance(&event, after);
            }
            answer(pending, result);
        }
    }

    /// The organization was set up just now: its log has an epoch and a key.
    async fn found(&mut self) {
        match self.room.services.store.load(&self.room.organization).await {
            Ok(image) => self.cursors = load(self.room.organization.clone(), image).cursors,
            Err(error) => {
                tracing::error!(%error, "a new organization cannot be read back yet");
                self.in_doubt = Some(tokio::time::Instant::now() + FIND_OUT_EVERY);
            }
        }
    }

    /// Another node appended first: applies what it did, and tells everybody here.
    async fn follow(&mut self) -> Result<(), StoreError> {
        loop {
            let store = &self.room.services.store;
            let news = store.events(&self.room.organization, self.organization.seq(), FOLLOW_MAX).await?;
            if news.is_empty() {
                return Ok(());
            }
            if self.cursors.is_none() {
                self.found().await;
            }
            for (seq, event) in news {
                let mut after = self.organization.clone();
                after.apply(&event);
                assert_eq!(after.seq(), seq, "the log has no gaps");
                self.advance(&event, after);
            }
        }
    }

    /// Looks whether an append that the database did not confirm is in its log; if so, everybody hears of it.
    async fn find_out(&mut self) -> Result<(), StoreError> {
        if self.in_doubt.is_some() {
            self.in_doubt = None;
            if self.cursors.is_none() && self.organization.profile().is_some() {
                self.found().await;
            }
            if let Err(error) = self.follow().await {
                self.in_doubt = Some(tokio::time::Instant::now());
                return Err(error);
            }
        }
        Ok(())
    }

    /// The same, when it is due.
    pub(super) async fn find_out_if_due(&mut self) {
        if self.in_doubt.is_none_or(|at| at > tokio::time::Instant::now()) {
            return;
        }
        if let Err(error) = self.find_out().await {
            tracing::warn!(%error, "it is not known yet whether an append is durable");
            self.room.services.metrics.store_failed();
            self.in_doubt = Some(tokio::time::Instant::now() + FIND_OUT_EVERY);
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

fn refuse_all(waiting: impl IntoIterator<Item = Pending>) {
    waiting.into_iter().for_each(|pending| answer(pending, Err(Refusal::Unavailable)));
}

fn answer(pending: Pending, result: Result<Done, Refusal>) {
    // Whoever asked may have gone; what was done stays done.
    drop(pending.reply.send(result));
}

/// What tells a command from others with the same `ref`.
pub(super) fn fingerprint(command: &Command) -> [u8; 32] {
    let text = serde_json::to_vec(command).expect("commands can always be encoded");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &text);
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest.as_ref());
    fingerprint
}
