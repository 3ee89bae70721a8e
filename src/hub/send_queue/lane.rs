//! The frames of a send queue in their order, the first of them perhaps written in part, and their sums.

use std::io::IoSlice;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use super::{About, QueuedFrame};

/// What a waiting frame is to the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// May be dropped for a catch-up.
    Push,
    /// Somebody waits for it.
    Answer,
    /// Takes the place of dropped pushes, or is the welcome.
    CatchUp,
    /// Belongs to the WebSocket protocol.
    Control,
    /// Tells how the node is. Only the latest counts.
    Notice,
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) kind: Kind,
    pub(super) frame: Arc<QueuedFrame>,
}

impl Waiting {
    /// It shows nothing of what the hub knows: a receipt, a refusal, a beat, a goodbye.
    fn is_harmless(&self) -> bool {
        match self.kind {
            Kind::Control | Kind::Notice => true,
            Kind::Answer => matches!(self.frame.about, About::Anyone),
            Kind::Push | Kind::CatchUp => false,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Mostly there is one at a time, and then nothing is allocated for it.
    waiting: SmallVec<[Waiting; 1]>,
    /// Bytes of the first waiting frame that have left. Above 0, the frame must be finished or the connection cut.
    front_written: usize,
    /// Bytes of all waiting pushes.
    push_bytes: usize,
    /// How many waiting frames are answers.
    answers: u32,
}

impl Lane {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn push_bytes(&self) -> usize {
        self.push_bytes
    }

    pub(super) fn answers(&self) -> u32 {
        self.answers
    }

    /// Bytes that wait, of all kinds.
    pub(super) fn bytes(&self) -> usize {
        self.waiting.iter().map(|waiting| waiting.frame.bytes.len()).sum::<usize>() - self.front_written
    }

    /// The frame that is written in part.
    pub(super) fn partial(&self) -> Option<&Waiting> {
        self.waiting.first().filter(|_| self.front_written > 0)
    }

    pub(super) fn any(&self, is: impl Fn(&Waiting) -> bool) -> bool {
        self.waiting.iter().any(is)
    }

    /// How many frames at the front go before a catch-up: the one written in part, the WebSocket protocol's own, and
    /// a notice.
    pub(super) fn urgent(&self) -> usize {
        let place = self.boundary();
        let urgent = |waiting: &&Waiting| matches!(waiting.kind, Kind::Control | Kind::Notice);
        place + self.waiting.iter().skip(place).take_while(urgent).count()
    }

    /// How many frames at the front show nothing of what the hub knows.
    pub(super) fn harmless(&self) -> usize {
        self.waiting.iter().take_while(|waiting| waiting.is_harmless()).count()
    }

    /// Before all frames that show anything, in place of one that still waits.
    pub(super) fn set_notice(&mut self, bytes: Bytes) {
        let boundary = self.boundary();
        let mut unwritten = self.waiting.iter_mut().skip(boundary);
        match unwritten.find(|waiting| waiting.kind == Kind::Notice) {
            Some(waiting) => waiting.frame = harmless(bytes),
            None => self.insert_harmless(Kind::Notice, harmless(bytes)),
        }
    }

    /// A frame that shows nothing of what the hub knows, before all that do.
    pub(super) fn insert_harmless(&mut self, kind: Kind, frame: Arc<QueuedFrame>) {
        let place = self.boundary();
        let before = self.waiting.iter().skip(place).take_while(|waiting| waiting.is_harmless()).count();
        self.insert(place + before, kind, frame);
    }

    pub(super) fn append(&mut self, kind: Kind, frame: Arc<QueuedFrame>) {
        self.insert(self.waiting.len(), kind, frame);
    }

    /// Before all pushes and answers, but behind a catch-up that is not written yet: it may be the welcome.
    pub(super) fn insert_catch_up(&mut self, frame: Arc<QueuedFrame>) {
        let place = self.urgent();
        let before = self.waiting.iter().skip(place).take_while(|next| next.kind == Kind::CatchUp).count();
        self.insert(place + before, Kind::CatchUp, frame);
    }

    /// At the next boundary between frames, in place of one that still waits there.
    pub(super) fn set_control(&mut self, bytes: Bytes) {
        let place = self.boundary();
        match self.waiting.get_mut(place).filter(|next| next.kind == Kind::Control) {
            Some(next) => next.frame = harmless(bytes),
            None => self.insert(place, Kind::Control, harmless(bytes)),
        }
    }

    /// Drops what is not to be kept, but never the frame that is written in part.
    pub(super) fn retain(&mut self, keep: impl Fn(&Waiting) -> bool) {
        let mut partial = self.front_written > 0;
        self.waiting.retain(|waiting| mem::take(&mut partial) || keep(waiting));
        (self.push_bytes, self.answers) = (0, 0);
        for waiting in &self.waiting {
            match waiting.kind {
                Kind::Push => self.push_bytes += waiting.frame.bytes.len(),
                Kind::Answer => self.answers += 1,
                Kind::CatchUp | Kind::Control | Kind::Notice => {}
            }
        }
        self.give_back();
    }

    /// Puts what is left of the first frames, at most `most`, into the slices, and says how many that were.
    pub(super) fn slices<'a>(&'a self, most: usize, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, waiting) in slices.iter_mut().zip(self.waiting.iter().take(most)) {
            let written = if filled == 0 { self.front_written } else { 0 };
            *slice = IoSlice::new(&waiting.frame.bytes[written..]);
            filled += 1;
        }
        filled
    }

    /// Takes out the frames that have left with these bytes. Memory is given back by [`Lane::give_back`].
    pub(super) fn advance(&mut self, bytes: usize) -> impl Iterator<Item = Waiting> {
        self.front_written += bytes;
        let mut gone = 0;
        for Waiting { kind, frame } in &self.waiting {
            let Some(behind) = self.front_written.checked_sub(frame.bytes.len()) else { break };
            self.front_written = behind;
            match kind {
                Kind::Push => self.push_bytes -= frame.bytes.len(),
                Kind::Answer => self.answers -= 1,
                Kind::CatchUp | Kind::Control | Kind::Notice => {}
            }
            gone += 1;
        }
        self.waiting.drain(..gone)
    }

    /// An idle session must cost nothing here.
    pub(super) fn give_back(&mut self) {
        if self.waiting.is_empty() {
            self.waiting = SmallVec::new();
        }
    }

    fn insert(&mut self, place: usize, kind: Kind, frame: Arc<QueuedFrame>) {
        debug_assert!(!frame.bytes.is_empty(), "an empty frame would never be written");
        match kind {
            Kind::Push => self.push_bytes += frame.bytes.len(),
            Kind::Answer => self.answers += 1,
            Kind::CatchUp | Kind::Control | Kind::Notice => {}
        }
        self.waiting.insert(place, Waiting { kind, frame });
    }

    /// The place behind the frame that is written in part.
    fn boundary(&self) -> usize {
        usize::from(self.front_written > 0)
    }

    #[cfg(test)]
    pub(super) fn unwritten(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter().skip(self.boundary())
    }

    #[cfg(test)]
    pub(super) fn check_invariants(&self) {
        let pushes = || self.waiting.iter().filter(|waiting| waiting.kind == Kind::Push);
        assert_eq!(self.push_bytes, pushes().map(|push| push.frame.bytes.len()).sum::<usize>());
        assert!(pushes().filter_map(|push| push.frame.seq).is_sorted());
        let answers = self.waiting.iter().filter(|waiting| waiting.kind == Kind::Answer).count();
        assert_eq!(self.answers as usize, answers);
        match self.waiting.first() {
            Some(front) => assert!(self.front_written < front.frame.bytes.len()),
            None => assert_eq!((self.front_written, self.waiting.spilled()), (0, false)),
        }
    }
}

/// A frame that shows nothing of what the hub knows.
pub(super) fn harmless(bytes: Bytes) -> Arc<QueuedFrame> {
    Arc::new(QueuedFrame { bytes, seq: None, about: About::Anyone })
}
