//! The queue against a socket that takes what it wants, and against seeded random rooms.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use proptest::prelude::*;

use super::*;

const LENGTH: usize = 16;
const BYTES_MAX: usize = 8 * LENGTH;

/// A frame of this test: its first byte says how long it is, so that a stream of them can be taken apart.
fn bytes(kind: u8, seq: u64, length: usize) -> Bytes {
    let mut bytes = vec![u8::try_from(length).unwrap(), kind];
    bytes.extend_from_slice(&seq.to_be_bytes());
    bytes.resize(length, b'.');
    bytes.into()
}

fn about(seq: u64) -> About {
    let endpoint = if seq.is_multiple_of(2) { "even" } else { "odd" };
    About::Endpoint(endpoint.parse().unwrap())
}

fn push(seq: u64) -> QueuedFrame {
    QueuedFrame { bytes: bytes(b'p', seq, LENGTH), seq: Some(Seq(seq)), about: about(seq) }
}

fn catch_up(as_of: u64) -> QueuedFrame {
    QueuedFrame { bytes: bytes(b'c', as_of, 5 * LENGTH), seq: None, about: About::Reading }
}

fn answer(id: u64, about: About) -> QueuedFrame {
    QueuedFrame { bytes: bytes(b'a', id, LENGTH), seq: None, about }
}

fn deny_odd(about: &About) -> bool {
    !matches!(about, About::Endpoint(endpoint) if endpoint.as_str() == "odd")
}

/// A socket that takes a number of bytes a write, and none at 0.
#[derive(Default)]
struct Socket(Vec<u8>);

impl Socket {
    fn take(&mut self, queue: &SendQueue, most: usize) -> Next {
        let next = queue.write(|slices| {
            assert!(slices.len() <= SLICES_MAX);
            let whole: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            let taken = whole.len().min(most);
            self.0.extend_from_slice(&whole[..taken]);
            if taken == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
        });
        queue.check_invariants();
        let next = next.unwrap();
        let ready = queue.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready();
        assert_eq!(ready, !matches!(next, Next::Idle | Next::Blocked));
        next
    }

    /// Writes until there is nothing to write.
    fn drain(&mut self, queue: &SendQueue) -> Next {
        loop {
            let next = self.take(queue, usize::MAX);
            if next != Next::More {
                return next;
            }
        }
    }

    /// Whole frames as kind and number, and whether a part of one follows.
    fn frames(&self) -> (Vec<(char, u64)>, bool) {
        let mut rest = &self.0[..];
        let mut frames = Vec::new();
        while let Some(&length) = rest.first() {
            let Some((frame, behind)) = rest.split_at_checked(usize::from(length)) else {
                return (frames, true);
            };
            frames.push((char::from(frame[1]), u64::from_be_bytes(frame[2..10].try_into().unwrap())));
            rest = behind;
        }
        (frames, false)
    }

    fn whole(&self) -> Vec<(char, u64)> {
        let (frames, partial) = self.frames();
        assert!(!partial);
        frames
    }
}

fn greeted() -> (SendQueue, Socket) {
    let (queue, mut socket) = (SendQueue::new(BYTES_MAX), Socket::default());
    assert_eq!(queue.begin_catch_up(), None);
    queue.finish_catch_up(catch_up(10), Seq(10)).unwrap();
    assert_eq!(socket.drain(&queue), Next::Idle);
    socket.0.clear();
    (queue, socket)
}

#[test]
fn the_welcome_goes_before_what_came_meanwhile_and_replaces_what_it_covers() {
    let (queue, mut socket) = (SendQueue::new(BYTES_MAX), Socket::default());
    queue.begin_catch_up();
    for seq in 4..=6 {
        queue.push(push(seq));
    }
    assert_eq!(socket.drain(&queue), Next::Idle);
    queue.finish_catch_up(catch_up(5), Seq(5)).unwrap();
    assert_eq!(socket.drain(&queue), Next::Idle);
    assert_eq!(socket.whole(), [('c', 5), ('p', 6)]);
    assert_eq!(queue.catch_ups(), 0);
}

#[test]
fn an_overflow_drops_pushes_keeps_answers_and_asks_once_for_a_catch_up() {
    let (queue, mut socket) = greeted();
    for seq in 11..=18 {
        queue.push(push(seq));
    }
    assert_eq!(queue.bytes(), BYTES_MAX);
    assert_eq!(socket.take(&queue, LENGTH + 3), Next::More);
    queue.answer(answer(1, About::Anyone), None).unwrap();
    queue.push(push(19));
    queue.push(push(20));
    queue.push(push(21));
    assert!(queue.stuck_since().is_some());
    assert_eq!(socket.drain(&queue), Next::CatchUp);
    assert_eq!(socket.drain(&queue), Next::Idle);
    assert_eq!(socket.whole(), [('p', 11), ('p', 12), ('a', 1)]);
    // 12 may have more pushes than the one that was written: everything before it is certain.
    assert_eq!(queue.begin_catch_up(), Some(Seq(11)));
    queue.push(push(22));
    queue.finish_catch_up(catch_up(21), Seq(21)).unwrap();
    assert_eq!(socket.drain(&queue), Next::Idle);
    assert_eq!(socket.whole()[3..], [('c', 21), ('p', 22)]);
    assert_eq!((queue.stuck_since(), queue.catch_ups()), (None, 1));
}

#[test]
fn an_overflow_while_catching_up_sends_the_catch_up_and_stays_behind() {
    let (queue, mut socket) = greeted();
    queue.begin_catch_up();
    for seq in 11..=40 {
        queue.push(push(seq));
    }
    queue.finish_catch_up(catch_up(12), Seq(12)).unwrap();
    assert_eq!(socket.drain(&queue), Next::CatchUp);
    assert_eq!(socket.whole(), [('c', 12)]);
    assert_eq!(queue.begin_catch_up(), Some(Seq(12)));
}

#[test]
fn a_purge_leaves_nothing_denied_and_refuses_what_was_read_before() {
    let (queue, mut socket) = greeted();
    for seq in 11..=14 {
        queue.push(push(seq));
    }
    queue.narrow(Seq(15), &deny_odd);
    queue.check_invariants();
    assert_eq!(queue.answer(answer(1, About::Reading), Some(Seq(14))), Err(Narrowed));
    queue.answer(answer(2, About::Reading), Some(Seq(15))).unwrap();
    queue.answer(answer(3, About::Anyone), None).unwrap();
    assert_eq!(socket.drain(&queue), Next::CatchUp);
    assert_eq!(socket.whole(), [('a', 2), ('a', 3)]);
    assert_eq!(queue.begin_catch_up(), Some(Seq(10)), "what was purged is made up for");
    assert_eq!(queue.finish_catch_up(catch_up(14), Seq(14)), Err(Narrowed));
    queue.finish_catch_up(catch_up(15), Seq(15)).unwrap();
}

#[test]
fn a_purge_without_news_of_the_log_costs_no_catch_up() {
    let (queue, mut socket) = greeted();
    queue.push(QueuedFrame { seq: None, ..push(11) });
    queue.push(push(12));
    queue.narrow(Seq(13), &deny_odd);
    queue.check_invariants();
    assert_eq!(socket.drain(&queue), Next::Idle);
    assert_eq!(socket.whole(), [('p', 12)]);
}

#[test]
fn a_denied_frame_written_in_part_is_cut_off() {
    let (queue, mut socket) = greeted();
    queue.push(push(11));
    socket.take(&queue, 3);
    queue.narrow(Seq(12), &deny_odd);
    assert_eq!(socket.drain(&queue), Next::Cut(CloseCode::Behind));
    assert_eq!(socket.0.len(), 3);
    queue.farewell(bytes(b'f', 0, LENGTH));
    assert_eq!(socket.drain(&queue), Next::Cut(CloseCode::Behind));
}

#[test]
fn a_read_that_was_not_written_ends_the_session_in_good_order() {
    for read in [false, true] {
        let (queue, mut socket) = greeted();
        queue.push(push(12));
        socket.take(&queue, 3);
        if read {
            queue.answer(answer(1, About::Reading), Some(Seq(12))).unwrap();
        } else {
            queue.begin_catch_up();
            queue.finish_catch_up(catch_up(12), Seq(12)).unwrap();
        }
        queue.narrow(Seq(13), &deny_odd);
        assert_eq!(socket.drain(&queue), Next::End(CloseCode::Behind));
        queue.farewell(bytes(b'f', 0, LENGTH));
        assert_eq!(socket.drain(&queue), Next::Done);
        assert_eq!(socket.whole(), [('p', 12), ('f', 0)]);
    }
}

#[test]
fn a_control_frame_joins_at_a_boundary_even_before_the_welcome_and_only_the_latest() {
    let (queue, mut socket) = (SendQueue::new(BYTES_MAX), Socket::default());
    queue.control(bytes(b'x', 1, LENGTH));
    socket.take(&queue, 5);
    queue.control(bytes(b'x', 2, LENGTH));
    queue.control(bytes(b'x', 3, LENGTH));
    queue.check_invariants();
    queue.finish_catch_up(catch_up(1), Seq(1)).unwrap();
    socket.drain(&queue);
    assert_eq!(socket.whole(), [('x', 1), ('x', 3), ('c', 1)]);
}

#[test]
fn a_flush_waits_for_answers_in_flight_and_takes_no_more() {
    let (queue, mut socket) = greeted();
    let queue = Arc::new(queue);
    let permit = queue.permit(1).unwrap();
    assert_eq!(queue.permit(1).map(drop), Err(Refusal::TooManyInFlight));
    queue.push(push(11));
    queue.close(CloseCode::Draining, true);
    assert_eq!(queue.permit(9).map(drop), Err(Refusal::Unavailable));
    queue.push(push(12));
    assert_eq!(socket.drain(&queue), Next::Idle);
    queue.answer(answer(1, About::Anyone), None).unwrap();
    drop(permit);
    assert_eq!(socket.drain(&queue), Next::End(CloseCode::Draining));
    assert_eq!(socket.whole(), [('p', 11), ('a', 1)]);
}

#[test]
fn an_end_at_once_drops_all_and_finishes_only_what_hides_nothing() {
    let (queue, mut socket) = greeted();
    queue.push(push(12));
    queue.push(push(14));
    socket.take(&queue, 3);
    queue.close(CloseCode::AccessEnded, false);
    assert_eq!(socket.drain(&queue), Next::Cut(CloseCode::AccessEnded));

    let (queue, mut socket) = greeted();
    queue.push(push(12));
    queue.close(CloseCode::AccessEnded, false);
    queue.close(CloseCode::Draining, true);
    assert_eq!(socket.drain(&queue), Next::End(CloseCode::AccessEnded));
    assert!(socket.0.is_empty());
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_session_is_woken_once_for_frames_when_idle_and_only_for_its_end_when_blocked() {
    let (queue, mut socket) = greeted();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut context = Context::from_waker(&waker);
    let count = || woken.0.load(Ordering::Relaxed);

    assert!(queue.poll_ready(&mut context).is_pending());
    queue.push(push(11));
    queue.push(push(12));
    assert_eq!(count(), 1);
    assert!(queue.poll_ready(&mut context).is_ready());

    assert_eq!(socket.take(&queue, 0), Next::Blocked);
    assert!(queue.poll_ready(&mut context).is_pending());
    queue.push(push(13));
    assert_eq!(count(), 1);
    queue.close(CloseCode::AccessEnded, false);
    assert_eq!(count(), 2);
}

#[test]
fn an_idle_queue_is_small() {
    let (queue, _) = greeted();
    queue.check_invariants();
    assert!(size_of_val(&queue) <= 192, "{}", size_of_val(&queue));
}

#[derive(Debug, Clone)]
enum Step {
    Push,
    Answer,
    Control,
    Write(usize),
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
        6 => (0..3 * LENGTH).prop_map(Step::Write),
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
            Step::BeginCatchUp => self.begin(),
            Step::FinishCatchUp => self.finish(),
            Step::NarrowOdd => {
                self.head += 1;
                self.hidden.insert(self.head);
                self.odd = false;
                self.queue.narrow(Seq(self.head), &deny_odd);
                self.hidden.extend((1..=self.head).filter(|seq| !seq.is_multiple_of(2)));
                self.denied_from.get_or_insert(self.socket.0.len());
            }
            Step::WidenOdd => {
                self.check_denied();
                (self.odd, self.denied_from) = (true, None);
            }
        }
        self.queue.check_invariants();
    }

    fn push(&mut self) {
        self.head += 1;
        if self.odd || self.head.is_multiple_of(2) {
            self.queue.push(push(self.head));
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
        let mut world = World {
            queue: SendQueue::new(BYTES_MAX),
            socket: Socket::default(),
            head: 0,
            odd: true,
            begun: Some((0, 0)),
            covers: Vec::new(),
            hidden: BTreeSet::new(),
            denied_from: None,
            answers: 0,
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
