//! The queue in seeded random rooms.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Push,
    Answer,
    Control,
    Write(usize),
    WriteDue(usize),
    BeginCatchUp,
    FinishCatchUp,
    NarrowOdd,
    WidenOdd,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Push),
        2 => Just(Step::Answer),
        1 => Just(Step::Control),
        4 => (0..3 * LENGTH).prop_map(Step::Write),
        4 => (0..3 * LENGTH).prop_map(Step::WriteDue),
        1 => Just(Step::BeginCatchUp),
        4 => Just(Step::FinishCatchUp),
        1 => Just(Step::NarrowOdd),
        1 => Just(Step::WidenOdd),
    ]
}

/// What a room and its client know, next to the queue. Every position is one push.
struct World {
    queue: SendQueue,
    socket: Socket,
    head: u64,
    odd: bool,
    /// Where a catch-up that has begun starts from, and the position of its snapshot.
    begun: Option<(u64, u64)>,
    /// What each catch-up, by its number, covers: from after its base to its position.
    covers: Vec<(u64, u64)>,
    /// What the session never had to be told: it was not theirs then, or was purged.
    hidden: BTreeSet<u64>,
    /// Bytes that had left when odd ones were last denied, until they are allowed again.
    denied_from: Option<usize>,
    answers: u64,
    /// A push has left the queue due.
    due: bool,
    ended: bool,
}

impl World {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Push => self.push(),
            Step::Answer => {
                self.answers += 1;
                self.queue.answer(answer(self.answers, About::Anyone), None).unwrap();
            }
            Step::Control => self.queue.control(bytes(b'x', 0, LENGTH)),
            Step::Write(most) => self.write(*most),
            Step::WriteDue(most) => {
                self.socket.take_due(&self.queue, *most);
                self.due = false;
            }
            Step::BeginCatchUp => self.begin(),
            Step::FinishCatchUp => self.finish(),
            Step::NarrowOdd => {
                self.head += 1;
                self.hidden.insert(self.head);
                self.odd = false;
                self.queue.narrow(Seq(self.head), &deny_odd);
                self.hidden.extend((1..=self.head).filter(|seq| !seq.is_multiple_of(2)));
                self.denied_from.get_or_insert(self.socket.lock().bytes.len());
            }
            Step::WidenOdd => {
                self.check_denied();
                (self.odd, self.denied_from) = (true, None);
            }
        }
        self.queue.check_invariants();
        assert!(self.due || !self.queue.lock().is_due(), "nobody is going to write it");
    }

    fn push(&mut self) {
        self.head += 1;
        if self.odd || self.head.is_multiple_of(2) {
            self.due |= offer(&self.queue, self.head);
        } else {
            self.hidden.insert(self.head);
        }
    }

    fn write(&mut self, most: usize) {
        match self.socket.take(&self.queue, most) {
            Next::CatchUp => self.begin(),
            Next::End(_) | Next::Cut(_) | Next::Done => self.ended = true,
            Next::More | Next::Blocked | Next::Idle => {}
        }
    }

    fn begin(&mut self) {
        self.begun = Some((self.queue.begin_catch_up().map_or(0, |seq| seq.0), self.head));
    }

    fn finish(&mut self) {
        let Some((base, as_of)) = self.begun.take() else { return };
        match self.queue.finish_catch_up(catch_up(self.covers.len() as u64), Seq(as_of)) {
            Ok(()) => self.covers.push((base, as_of)),
            Err(Narrowed) => self.begin(),
        }
    }

    /// No frame about odd ones began or went on to leave since they were denied.
    fn check_denied(&self) {
        let Some(from) = self.denied_from else { return };
        let mut end = 0;
        for (kind, seq) in self.socket.frames().0 {
            end += if kind == 'c' { 5 * LENGTH } else { LENGTH };
            assert!(end <= from || kind != 'p' || seq.is_multiple_of(2), "{seq} left after it was denied");
        }
    }

    /// Everything is told in order, once the client reads again.
    fn check_told(&mut self) {
        for _ in 0..6 {
            self.finish();
            match self.socket.drain(&self.queue) {
                Next::CatchUp => self.begin(),
                Next::End(_) | Next::Cut(_) => self.ended = true,
                Next::More | Next::Blocked | Next::Idle | Next::Done => {}
            }
        }
        self.check_denied();
        let (frames, partial) = self.socket.frames();
        assert!(!partial || self.ended);
        let mut told = BTreeSet::new();
        let mut position = 0;
        for (kind, seq) in &frames {
            match kind {
                'p' => {
                    assert!(*seq > position, "{seq} after {position}");
                    position = *seq;
                    told.insert(*seq);
                }
                'c' => {
                    let (base, as_of) = self.covers[usize::try_from(*seq).unwrap()];
                    assert!(as_of >= position);
                    position = as_of;
                    told.extend(base + 1..=as_of);
                }
                _ => {}
            }
        }
        if !self.ended {
            let missing: Vec<_> =
                (1..=self.head).filter(|seq| !told.contains(seq) && !self.hidden.contains(seq)).collect();
            assert_eq!(missing, [0; 0]);
            let answers: Vec<_> = frames.iter().filter(|(kind, _)| *kind == 'a').map(|(_, id)| *id).collect();
            assert!(answers.into_iter().eq(1..=self.answers));
            assert_eq!(self.queue.bytes(), 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_stream_is_whole_complete_and_without_what_was_denied(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let (queue, socket) = plugged();
        let mut world = World {
            queue,
            socket,
            head: 0,
            odd: true,
            begun: Some((0, 0)),
            covers: Vec::new(),
            hidden: BTreeSet::new(),
            denied_from: None,
            answers: 0,
            due: false,
            ended: false,
        };
        world.queue.begin_catch_up();
        for step in &steps {
            if world.ended {
                break;
            }
            world.step(step);
        }
        world.check_told();
    }
}
