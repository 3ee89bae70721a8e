//! How a room keeps up with a log that others write to: by news from the bus, and by reading the log where news are
//! missing. What was not heard, or cannot be read, is looked up; nothing is ever guessed.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::keeper::Keeper;
use super::room::load;
use crate::bus::envelope::{self, News};
use crate::domain::event::{Event, Seq};
use crate::store::StoreError;

/// Events that are read at once.
const FOLLOW_MAX: u32 = 1_000;
/// How soon the log is read again after the database did not answer.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Losses that are remembered for those who ask how many sessions they touched; they ask at once.
const LOSSES_MAX: usize = 64;

/// The node lost touch with the database while it waited for it.
#[derive(Debug, thiserror::Error)]
#[error("no answer for as long as anything could be shown as current")]
struct Lapsed;

/// Somebody who waits for the room to have applied the log up to some event.
#[derive(Debug)]
pub(super) struct Reach {
    /// Up to which.
    pub seq: Seq,
    /// Dropped if the log could not be looked into.
    pub reply: oneshot::Sender<Reached>,
}

/// How far a room has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reached {
    /// Up to which event. Less than was asked for if the log goes no further.
    pub seq: Seq,
    /// How many sessions lost something by the event that was asked for.
    pub sessions: u32,
}

/// Why a room looks into the log.
#[derive(Debug, Default)]
pub(super) struct Following {
    /// There are events up to here.
    goal: Seq,
    /// When to look, for an append may be durable that the database did not confirm, or it did not answer.
    pub look_at: Option<Instant>,
    waiting: Vec<Reach>,
    losses: VecDeque<(Seq, u32)>,
    /// The log is not what the room was made from, or holds what this release cannot read: the room has to be made
    /// anew from rows. Why.
    pub lost: Option<String>,
}

impl Following {
    /// An event took something from this many sessions.
    pub(super) fn note(&mut self, seq: Seq, sessions: u32) {
        if sessions == 0 {
            return;
        }
        self.losses.push_back((seq, sessions));
        if self.losses.len() > LOSSES_MAX {
            self.losses.pop_front();
        }
    }

    fn sessions(&self, seq: Seq) -> u32 {
        self.losses.iter().find(|(at, _)| *at == seq).map_or(0, |(_, sessions)| *sessions)
    }
}

impl Keeper {
    /// News from the bus. Late and doubled ones are known; after a gap the log is read.
    pub(super) fn hear(&mut self, message: &Bytes) {
        let news: News<Event> = match envelope::decode(message) {
            Ok((_, news)) => news,
            Err(error) => {
                tracing::debug!(%error, "news that cannot be read; the log is asked");
                return self.look_soon();
            }
        };
        let seq = self.organization.seq();
        let Some(cursors) = &self.cursors else { return self.look_soon() };
        if !cursors.are_of(news.epoch) || news.head <= seq {
            return;
        }
        let count = news.events.len() as u64;
        if news.after > seq || news.after.0 + count != news.head.0 {
            self.following.goal = self.following.goal.max(news.head);
            return;
        }
        let known = seq.0 - news.after.0;
        for event in news.events.into_iter().skip(usize::try_from(known).unwrap_or(usize::MAX)) {
            self.apply(&event);
        }
    }

    /// Somebody needs the room to have come so far.
    pub(super) fn reach(&mut self, reach: Reach) {
        self.following.goal = self.following.goal.max(reach.seq);
        self.following.waiting.push(reach);
    }

    /// Looks into the log if there is a reason to, and answers those who wait for what was found.
    pub(super) async fn keep_up(&mut self) {
        let due = match self.following.look_at {
            // After the database did not answer it is left alone for a while, whatever is missing.
            Some(at) => at <= Instant::now(),
            None => self.following.goal > self.organization.seq(),
        };
        let looked = due && self.look_into_log().await;
        let seq = self.organization.seq();
        let (reached, behind): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.following.waiting).into_iter().partition(|reach| reach.seq <= seq);
        // Those who are not answered hear so.
        let answered = reached.into_iter().chain(behind.into_iter().filter(|_| looked));
        for Reach { seq: wanted, reply } in answered {
            // Whoever asked may have stopped waiting.
            reply.send(Reached { seq, sessions: self.following.sessions(wanted) }).ok();
        }
    }

    async fn look_into_log(&mut self) -> bool {
        let followed = self.follow().await;
        if let Err(error) = &followed {
            tracing::debug!(%error, "the log cannot be read");
            self.room.services.metrics.store_failed();
        }
        followed.is_ok()
    }

    /// Reads the log on from where the room is, and tells everybody here.
    pub(super) async fn follow(&mut self) -> Result<(), StoreError> {
        self.following.look_at = None;
        let followed = self.read_on().await;
        match &followed {
            Ok(()) => self.following.goal = self.organization.seq(),
            Err(StoreError::Corrupt(what)) => self.following.lost = Some(what.clone()),
            Err(StoreError::Unavailable(_) | StoreError::Contradiction(_)) => self.look_again(),
        }
        followed
    }

    async fn read_on(&mut self) -> Result<(), StoreError> {
        if self.cursors.is_none() && self.organization.profile().is_some() {
            self.found().await;
        }
        loop {
            let store = &self.room.services.store;
            let news = store.events(&self.room.organization, self.organization.seq(), FOLLOW_MAX);
            let news = self.while_current(news).await?;
            if news.is_empty() {
                return Ok(());
            }
            if self.cursors.is_none() {
                self.found().await;
            }
            self.room.services.metrics.followed(news.len());
            for (seq, event) in news {
                self.apply(&event);
                assert_eq!(self.organization.seq(), seq, "the log has no gaps");
            }
        }
    }

    /// The organization was set up just now: its log has an epoch and a key.
    pub(super) async fn found(&mut self) {
        match self.while_current(self.room.services.store.load(&self.room.organization)).await {
            Ok(image) => self.cursors = load(self.room.organization.clone(), image).cursors,
            Err(error) => {
                tracing::error!(%error, "a new organization cannot be read back yet");
                self.look_again();
            }
        }
    }

    /// What the store answers. From a database that says nothing it is not waited for longer than the lease lasts:
    /// sessions are told then that what they are shown may be old, and not only when the store gives up.
    pub(super) async fn while_current<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let lease = &self.room.lease;
        if !lease.is_valid() {
            // They have been told. This may be what makes it valid again.
            return answer.await;
        }
        tokio::select! {
            biased;
            answer = answer => answer,
            () = lease.lapsed() => {
                self.tell_of_lease();
                Err(StoreError::Unavailable(Box::new(Lapsed)))
            }
        }
    }

    pub(super) fn look_soon(&mut self) {
        self.following.look_at = Some(Instant::now());
    }

    fn look_again(&mut self) {
        self.following.look_at = Some(Instant::now() + LOOK_AGAIN);
    }

    fn apply(&mut self, event: &Event) {
        let mut after = self.organization.clone();
        after.apply(event);
        self.advance(event, after);
    }
}
