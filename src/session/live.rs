//! The connections of this node: how many there may be, and how all of them are told to go.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rotunda_protocol::close::CloseCode;
use slab::Slab;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use crate::hub::send_queue::SendQueue;

/// Time between two waves of a drain: short against the time that a reconnect takes.
const WAVE: Duration = Duration::from_millis(50);

/// All connections of this node, from their upgrade to their end.
pub struct Live {
    connections_max: usize,
    count: AtomicUsize,
    queues: Mutex<Queues>,
    emptied: Notify,
}

#[derive(Default)]
struct Queues {
    draining: bool,
    all: Slab<Arc<SendQueue>>,
}

/// A connection's place on this node, which it gives back when dropped.
pub struct Admitted {
    live: Arc<Live>,
    key: Option<usize>,
}

impl Live {
    /// A node without connections.
    pub fn new(connections_max: usize) -> Arc<Self> {
        Arc::new(Self {
            connections_max,
            count: AtomicUsize::new(0),
            queues: Mutex::default(),
            emptied: Notify::new(),
        })
    }

    /// How many connections there are.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// A place for one more connection; none if the node is full or draining.
    pub fn admit(self: &Arc<Self>) -> Option<Admitted> {
        if self.lock().draining {
            return None;
        }
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        let admitted = Admitted { live: Arc::clone(self), key: None };
        (before < self.connections_max).then_some(admitted)
    }

    /// Tells all sessions to go, in waves spread over `spread`: each answers what is in flight and writes what is
    /// queued first. After `flush_max` more, those that are left end without. Returns when all have gone, or
    /// after `linger` for the last goodbyes.
    pub async fn drain(&self, spread: Duration, flush_max: Duration, linger: Duration) {
        let queues: Vec<_> = {
            let mut queues = self.lock();
            queues.draining = true;
            queues.all.iter().map(|(_, queue)| Arc::clone(queue)).collect()
        };
        let waves = usize::try_from(spread.as_millis() / WAVE.as_millis()).unwrap_or(usize::MAX).max(1);
        let mut next = Instant::now();
        for wave in queues.chunks(queues.len().div_ceil(waves).max(1)) {
            sleep_until(next).await;
            next += WAVE;
            for queue in wave {
                queue.close(CloseCode::Draining, true);
            }
        }
        if timeout(flush_max, self.emptied()).await.is_err() {
            for queue in &queues {
                queue.close(CloseCode::Draining, false);
            }
            if timeout(linger, self.emptied()).await.is_err() {
                tracing::warn!(connections = self.count(), "connections cut by the end of the drain");
            }
        }
    }

    async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.count() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn leave(&self) {
        if self.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.emptied.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().expect("nothing panics while it holds the list")
    }
}

impl Admitted {
    /// From now on a drain reaches the connection through its queue.
    pub(super) fn reach(&mut self, queue: &Arc<SendQueue>) {
        let mut queues = self.live.lock();
        if queues.draining {
            queue.close(CloseCode::Draining, true);
        }
        self.key = Some(queues.all.insert(Arc::clone(queue)));
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.live.lock().all.remove(key);
        }
        self.live.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::send_queue::Next;

    fn reached(live: &Arc<Live>) -> (Admitted, Arc<SendQueue>) {
        let (mut admitted, queue) = (live.admit().unwrap(), Arc::new(SendQueue::new(1)));
        admitted.reach(&queue);
        (admitted, queue)
    }

    fn next(queue: &SendQueue) -> Next {
        queue.write(Instant::now(), |_| panic!("nothing is queued")).unwrap()
    }

    #[test]
    fn a_full_node_admits_none_until_one_leaves() {
        let live = Live::new(1);
        let first = live.admit().unwrap();
        assert!(live.admit().is_none());
        assert_eq!(live.count(), 1);
        drop(first);
        assert!(live.admit().is_some());
        assert_eq!(live.count(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_goes_in_waves_and_ends_when_the_last_has_gone() {
        let live = Live::new(100);
        let sessions: Vec<_> = (0..4).map(|_| reached(&live)).collect();
        let began = Instant::now();
        let (second, minute) = (Duration::from_secs(1), Duration::from_mins(1));
        let drain = tokio::spawn({
            let live = live.clone();
            async move { live.drain(2 * WAVE, minute, second).await }
        });
        sleep_until(began + WAVE / 2).await;
        let told = || sessions.iter().filter(|(_, queue)| next(queue) != Next::Idle).count();
        assert_eq!(told(), 2);
        sleep_until(began + 3 * WAVE).await;
        assert_eq!(told(), 4);
        assert!(live.admit().is_none());
        drop(sessions);
        drain.await.unwrap();
        assert!(began.elapsed() < second);
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_ends_those_who_do_not_flush_in_time() {
        let live = Live::new(100);
        let (_admitted, queue) = reached(&live);
        let _permit = queue.permit(1).unwrap();
        let second = Duration::from_secs(1);
        let began = Instant::now();
        live.drain(WAVE, second, second).await;
        assert_eq!(began.elapsed(), 2 * second);
        assert_eq!(next(&queue), Next::End(CloseCode::Draining));
    }
}
