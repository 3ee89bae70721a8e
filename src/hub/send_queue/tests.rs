//! The queue against a socket that takes what it wants, and (`property`) against random rooms.

mod property;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use super::*;
use crate::hub::lease::Moment;

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
    About::Endpoints([endpoint.parse().unwrap()].into())
}

fn push(seq: u64) -> QueuedFrame {
    QueuedFrame { bytes: bytes(b'p', seq, LENGTH), seq: Some(Seq(seq)), about: about(seq) }
}

/// Whether it is due by this push.
fn offer(queue: &SendQueue, seq: u64) -> bool {
    queue.push(push(seq)) == Pushed::Due
}

fn catch_up(as_of: u64) -> QueuedFrame {
    QueuedFrame { bytes: bytes(b'c', as_of, 5 * LENGTH), seq: None, about: About::Reading }
}

fn answer(id: u64, about: About) -> QueuedFrame {
    QueuedFrame { bytes: bytes(b'a', id, LENGTH), seq: None, about }
}

fn deny_odd(about: &About) -> bool {
    !matches!(about, About::Endpoints(these) if these.iter().any(|endpoint| endpoint.as_str() == "odd"))
}

/// A socket that takes a number of bytes a write, and none at 0.
#[derive(Clone, Default)]
struct Socket(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    bytes: Vec<u8>,
    /// How many it takes at the next write.
    most: usize,
}

impl Outlet for Socket {
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        assert!(slices.len() <= inner::SLICES_MAX);
        let mut taken = self.lock();
        let whole: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        let length = whole.len().min(taken.most);
        taken.bytes.extend_from_slice(&whole[..length]);
        if length == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(length) }
    }
}

impl Socket {
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap()
    }

    /// The session writes.
    fn take(&self, queue: &SendQueue, most: usize) -> Next {
        self.lock().most = most;
        let next = queue.write(Instant::now(), |slices| self.write(slices));
        queue.check_invariants();
        let next = next.unwrap();
        let ready = queue.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready();
        assert_eq!(ready, !matches!(next, Next::Idle | Next::Blocked));
        next
    }

    /// What is due is written for the session.
    fn take_due(&self, queue: &SendQueue, most: usize) {
        self.lock().most = most;
        queue.write_due(Instant::now());
        queue.check_invariants();
    }

    /// Writes until there is nothing to write.
    fn drain(&self, queue: &SendQueue) -> Next {
        loop {
            let next = self.take(queue, usize::MAX);
            if next != Next::More {
                return next;
            }
        }
    }

    /// Whole frames as kind and number, and whether a part of one follows.
    fn frames(&self) -> (Vec<(char, u64)>, bool) {
        let bytes = &self.lock().bytes;
        let mut rest = &bytes[..];
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

fn plugged() -> (SendQueue, Socket) {
    let (queue, socket) = (SendQueue::new(BYTES_MAX), Socket::default());
    queue.plug(Arc::new(socket.clone()));
    (queue, socket)
}

fn greeted() -> (SendQueue, Socket) {
    let (queue, socket) = plugged();
    assert_eq!(queue.begin_catch_up(), None);
    queue.finish_catch_up(catch_up(10), Seq(10)).unwrap();
    assert_eq!(socket.drain(&queue), Next::Idle);
    socket.lock().bytes.clear();
    (queue, socket)
}

#[test]
fn the_welcome_goes_before_what_came_meanwhile_and_replaces_what_it_covers() {
    let (queue, socket) = plugged();
    queue.begin_catch_up();
    for seq in 4..=6 {
        offer(&queue, seq);
    }
    assert_eq!(socket.drain(&queue), Next::Idle);
    queue.finish_catch_up(catch_up(5), Seq(5)).unwrap();
    assert_eq!(socket.drain(&queue), Next::Idle);
    assert_eq!(socket.whole(), [('c', 5), ('p', 6)]);
    assert_eq!(queue.catch_ups(), 0);
}

#[test]
fn an_overflow_drops_pushes_keeps_answers_and_asks_once_for_a_catch_up() {
    let (queue, socket) = greeted();
    for seq in 11..=18 {
        offer(&queue, seq);
    }
    assert_eq!(queue.bytes(), BYTES_MAX);
    assert_eq!(socket.take(&queue, LENGTH + 3), Next::More);
    queue.answer(answer(1, About::Anyone), None).unwrap();
    offer(&queue, 19);
    offer(&queue, 20);
    offer(&queue, 21);
    assert!(queue.stuck_since().is_some());
    assert_eq!(socket.drain(&queue), Next::CatchUp);
    assert_eq!(socket.drain(&queue), Next::Idle);
    assert_eq!(socket.whole(), [('p', 11), ('p', 12), ('a', 1)]);
    // 12 may have more pushes than the one that was written: everything before it is certain.
    assert_eq!(queue.begin_catch_up(), Some(Seq(11)));
    offer(&queue, 22);
    queue.finish_catch_up(catch_up(21), Seq(21)).unwrap();
    assert_eq!(socket.drain(&queue), Next::Idle);
    assert_eq!(socket.whole()[3..], [('c', 21), ('p', 22)]);
    assert_eq!((queue.stuck_since(), queue.catch_ups()), (None, 1));
}

#[test]
fn an_overflow_while_catching_up_sends_the_catch_up_and_stays_behind() {
    let (queue, socket) = greeted();
    queue.begin_catch_up();
    for seq in 11..=40 {
        offer(&queue, seq);
    }
    queue.finish_catch_up(catch_up(12), Seq(12)).unwrap();
    assert_eq!(socket.drain(&queue), Next::CatchUp);
    assert_eq!(socket.whole(), [('c', 12)]);
    assert_eq!(queue.begin_catch_up(), Some(Seq(12)));
}

#[test]
fn a_catch_up_that_an_answer_makes_old_before_it_begins_is_made_again() {
    let (queue, socket) = greeted();
    queue.overtaken();
    assert_eq!(socket.drain(&queue), Next::CatchUp);
    queue.answer(answer(1, About::Anyone), None).unwrap();
    queue.overtaken();
    queue.begin_catch_up();
    queue.finish_catch_up(catch_up(12), Seq(12)).unwrap();
    assert_eq!(socket.drain(&queue), Next::CatchUp);
    assert_eq!(socket.whole(), [('c', 12), ('a', 1)]);
    queue.begin_catch_up();
    queue.finish_catch_up(catch_up(13), Seq(13)).unwrap();
    assert_eq!(socket.drain(&queue), Next::Idle);
    assert_eq!(socket.whole()[2..], [('c', 13)]);
}

#[test]
fn a_purge_leaves_nothing_denied_and_refuses_what_was_read_before() {
    let (queue, socket) = greeted();
    for seq in 11..=14 {
        offer(&queue, seq);
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
    let (queue, socket) = greeted();
    assert_eq!(queue.push(QueuedFrame { seq: None, ..push(11) }), Pushed::Due);
    offer(&queue, 12);
    queue.narrow(Seq(13), &deny_odd);
    queue.check_invariants();
    assert_eq!(socket.drain(&queue), Next::Idle);
    assert_eq!(socket.whole(), [('p', 12)]);
}

#[test]
fn a_denied_frame_written_in_part_is_cut_off() {
    let (queue, socket) = greeted();
    offer(&queue, 11);
    socket.take(&queue, 3);
    queue.narrow(Seq(12), &deny_odd);
    assert_eq!(socket.drain(&queue), Next::Cut(CloseCode::Behind));
    assert_eq!(socket.lock().bytes.len(), 3);
    queue.farewell(bytes(b'f', 0, LENGTH));
    assert_eq!(socket.drain(&queue), Next::Cut(CloseCode::Behind));
}

#[test]
fn a_read_that_was_not_written_ends_the_session_in_good_order() {
    for read in [false, true] {
        let (queue, socket) = greeted();
        offer(&queue, 12);
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
    let (queue, socket) = plugged();
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
    let (queue, socket) = greeted();
    let queue = Arc::new(queue);
    let permit = queue.permit(1).unwrap();
    assert_eq!(queue.permit(1).map(drop), Err(Refusal::TooManyInFlight));
    offer(&queue, 11);
    queue.close(CloseCode::Draining, true);
    assert_eq!(queue.permit(9).map(drop), Err(Refusal::Unavailable));
    offer(&queue, 12);
    assert_eq!(socket.drain(&queue), Next::Idle);
    queue.answer(answer(1, About::Anyone), None).unwrap();
    drop(permit);
    assert_eq!(socket.drain(&queue), Next::End(CloseCode::Draining));
    assert_eq!(socket.whole(), [('p', 11), ('a', 1)]);
}

#[test]
fn an_end_at_once_drops_all_and_finishes_only_what_hides_nothing() {
    let (queue, socket) = greeted();
    offer(&queue, 12);
    offer(&queue, 14);
    socket.take(&queue, 3);
    queue.close(CloseCode::AccessEnded, false);
    assert_eq!(socket.drain(&queue), Next::Cut(CloseCode::AccessEnded));

    let (queue, socket) = greeted();
    offer(&queue, 12);
    queue.close(CloseCode::AccessEnded, false);
    queue.close(CloseCode::Draining, true);
    assert_eq!(socket.drain(&queue), Next::End(CloseCode::AccessEnded));
    assert!(socket.lock().bytes.is_empty());
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A session that waits for its queue, and how often it was woken.
fn resting(queue: &SendQueue) -> Arc<Woken> {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    assert!(queue.poll_ready(&mut Context::from_waker(&waker)).is_pending());
    woken
}

impl Woken {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn is_ready(queue: &SendQueue) -> bool {
    queue.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn what_is_due_is_written_without_waking_the_session() {
    let (queue, socket) = greeted();
    let woken = resting(&queue);
    assert!(offer(&queue, 11));
    assert!(!offer(&queue, 12), "it is due already");
    queue.answer(answer(1, About::Anyone), None).unwrap();
    socket.take_due(&queue, usize::MAX);
    assert_eq!(socket.whole(), [('p', 11), ('p', 12), ('a', 1)]);
    assert_eq!(woken.count(), 0);
    assert!(!is_ready(&queue));
    assert!(offer(&queue, 13), "it rests again");
}

#[test]
fn a_session_that_is_awake_writes_what_is_due_itself() {
    let (queue, socket) = greeted();
    assert!(offer(&queue, 11));
    assert!(is_ready(&queue));
    assert_eq!(socket.take(&queue, 3), Next::More);
    socket.take_due(&queue, usize::MAX);
    assert_eq!(socket.lock().bytes.len(), 3, "it has made the write, and is to go on");
    assert!(!offer(&queue, 12));
    assert_eq!(socket.drain(&queue), Next::Idle);
    assert_eq!(socket.whole(), [('p', 11), ('p', 12)]);
}

#[test]
fn a_session_is_woken_for_what_a_write_for_it_leaves() {
    for most in [0, 3] {
        let (queue, socket) = greeted();
        let woken = resting(&queue);
        assert!(offer(&queue, 11));
        socket.take_due(&queue, most);
        assert_eq!((woken.count(), socket.lock().bytes.len()), (1, most));
        assert!(is_ready(&queue));
        assert_eq!(socket.drain(&queue), Next::Idle);
        assert_eq!(socket.whole(), [('p', 11)]);
    }
}

#[test]
fn a_session_is_woken_for_what_only_it_can_do() {
    let (queue, socket) = greeted();
    let woken = resting(&queue);
    assert!(offer(&queue, 11));
    queue.narrow(Seq(12), &deny_odd);
    socket.take_due(&queue, usize::MAX);
    assert!(socket.lock().bytes.is_empty(), "it was denied before it was written");
    assert_eq!(woken.count(), 1);
    assert_eq!(socket.take(&queue, usize::MAX), Next::CatchUp);

    let (queue, socket) = greeted();
    let woken = resting(&queue);
    assert!(offer(&queue, 12));
    queue.close(CloseCode::AccessEnded, false);
    socket.take_due(&queue, usize::MAX);
    assert_eq!((woken.count(), socket.lock().bytes.len()), (1, 0));
    assert_eq!(socket.take(&queue, usize::MAX), Next::End(CloseCode::AccessEnded));
}

#[test]
fn what_is_due_is_held_while_the_lease_has_run_out() {
    let (queue, socket) = greeted();
    let lease = Arc::new(Lease::none_yet());
    lease.extend(Moment::now());
    queue.hold_to(lease);
    let woken = resting(&queue);
    assert!(offer(&queue, 11));
    queue.hold_to(Arc::new(Lease::none_yet()));
    socket.take_due(&queue, usize::MAX);
    assert_eq!((woken.count(), socket.lock().bytes.len()), (0, 0));
    queue.hold_to(Arc::new(Lease::Forever));
    queue.release();
    assert_eq!(woken.count(), 1);
    assert_eq!(socket.drain(&queue), Next::Idle);
    assert_eq!(socket.whole(), [('p', 11)]);
}

#[test]
fn a_session_is_woken_for_a_push_behind_what_was_held() {
    let (queue, socket) = greeted();
    queue.hold_to(Arc::new(Lease::none_yet()));
    queue.answer(answer(1, About::Reading), None).unwrap();
    assert_eq!(socket.drain(&queue), Next::Idle);
    let woken = resting(&queue);
    queue.hold_to(Arc::new(Lease::Forever));
    assert!(!offer(&queue, 11));
    assert_eq!(woken.count(), 1);
}

#[test]
fn a_flush_ends_when_what_was_due_is_written_and_nothing_is_in_flight() {
    let (queue, socket) = greeted();
    let queue = Arc::new(queue);
    let woken = resting(&queue);
    let permit = queue.permit(1).unwrap();
    assert!(offer(&queue, 11));
    queue.close(CloseCode::Draining, true);
    socket.take_due(&queue, usize::MAX);
    assert_eq!((woken.count(), socket.whole()), (0, vec![('p', 11)]));
    drop(permit);
    assert_eq!(woken.count(), 1);
    assert_eq!(socket.drain(&queue), Next::End(CloseCode::Draining));
}

#[test]
fn an_error_is_met_by_the_session_and_a_write_for_it_counts_as_its_own() {
    struct Broken;
    impl Outlet for Broken {
        fn write(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let (queue, socket) = greeted();
    let later = Instant::now() + Duration::from_secs(7);
    assert!(offer(&queue, 11));
    socket.lock().most = usize::MAX;
    queue.write_due(later);
    assert_eq!(queue.wrote_at(), later);

    queue.plug(Arc::new(Broken));
    let woken = resting(&queue);
    assert!(offer(&queue, 12));
    queue.write_due(later);
    assert_eq!(woken.count(), 1);
    let met = queue.write(later, |slices| Broken.write(slices));
    assert_eq!(met.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn without_an_outlet_a_session_is_woken_once_for_frames() {
    let (queue, socket) = greeted();
    queue.unplug();
    let woken = resting(&queue);
    assert!(!offer(&queue, 11));
    assert!(!offer(&queue, 12));
    assert_eq!(woken.count(), 1);
    assert!(is_ready(&queue));
    assert_eq!(socket.drain(&queue), Next::Idle);
}

#[test]
fn a_blocked_session_is_woken_only_for_its_end() {
    let (queue, socket) = greeted();
    offer(&queue, 11);
    assert_eq!(socket.take(&queue, 0), Next::Blocked);
    let woken = resting(&queue);
    assert!(!offer(&queue, 13));
    assert_eq!(woken.count(), 0);
    queue.close(CloseCode::AccessEnded, false);
    assert_eq!(woken.count(), 1);
}

#[test]
fn an_idle_queue_is_small() {
    let (queue, _) = greeted();
    queue.check_invariants();
    assert!(size_of_val(&queue) <= 192, "{}", size_of_val(&queue));
}
