//! What waits to be published. Bounded in messages and in bytes; when it is full the oldest make room, because the
//! newest tells of the gap that they leave.
//!
//! What was handed over stays here until it is known to have arrived, and is handed over again when the connection
//! ended before that: told twice does no harm.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::Notify;

/// Messages that may wait: at full speed those of a tenth of a second, of an outage those of a busy minute.
pub(super) const MESSAGES_MAX: usize = 16 * 1024;
/// Bytes that may wait. A message beyond it is never carried.
pub(super) const BYTES_MAX: usize = 8 * 1024 * 1024;
/// Messages of one batch: one write, and one wait for the answers.
const BATCH_MESSAGES_MAX: usize = 512;
/// Bytes of one batch, unless its one message has more: what a slow link carries before a probe is late.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// A batch that ends a connection each time it is handed over is given up after this many.
const TRIES_MAX: u32 = 4;

/// A message, and the channel it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) channel: String,
    pub(super) message: Bytes,
}

/// What waits to be published.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    inner: Mutex<Inner>,
    /// Something waits.
    filled: Notify,
    /// Nothing waits.
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Outgoing>,
    waiting_bytes: usize,
    /// Handed over, and not known to have arrived.
    flying: Vec<Outgoing>,
    tries: u32,
}

impl Outbox {
    /// Puts a message in. Says how many were dropped for it, itself perhaps.
    pub(super) fn push(&self, outgoing: Outgoing) -> usize {
        let bytes = outgoing.message.len();
        if bytes > BYTES_MAX {
            return 1;
        }
        let mut inner = self.lock();
        let mut dropped = 0;
        while inner.waiting.len() >= MESSAGES_MAX || inner.waiting_bytes + bytes > BYTES_MAX {
            inner.pop();
            dropped += 1;
        }
        inner.waiting_bytes += bytes;
        inner.waiting.push_back(outgoing);
        drop(inner);
        self.filled.notify_one();
        dropped
    }

    /// Waits for something to publish, and hands it over: the same again until it is `done`. One caller at a time.
    pub(super) async fn take(&self) -> Vec<Outgoing> {
        loop {
            let batch = self.lock().batch();
            if !batch.is_empty() {
                return batch;
            }
            self.filled.notified().await;
        }
    }

    /// What was handed over has arrived.
    pub(super) fn done(&self) {
        let mut inner = self.lock();
        inner.land();
        if inner.waiting.is_empty() {
            self.emptied.notify_waiters();
        }
    }

    /// The connection ended. Says how many are given up, because it was not the first to end with them.
    pub(super) fn failed(&self) -> usize {
        let mut inner = self.lock();
        if inner.tries < TRIES_MAX { 0 } else { inner.land() }
    }

    /// Waits until nothing waits.
    pub(super) async fn until_empty(&self) {
        loop {
            let mut emptied = std::pin::pin!(self.emptied.notified());
            emptied.as_mut().enable();
            {
                let inner = self.lock();
                if inner.waiting.is_empty() && inner.flying.is_empty() {
                    return;
                }
            }
            emptied.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics while it holds this")
    }
}

impl Inner {
    fn pop(&mut self) -> Option<Outgoing> {
        let first = self.waiting.pop_front()?;
        self.waiting_bytes -= first.message.len();
        Some(first)
    }

    /// What flies, or takes off now.
    fn batch(&mut self) -> Vec<Outgoing> {
        let mut bytes = 0;
        while self.tries == 0 && self.flying.len() < BATCH_MESSAGES_MAX {
            let next = self.waiting.front().map_or(0, |first| first.message.len());
            if !self.flying.is_empty() && bytes + next > BATCH_BYTES_MAX {
                break;
            }
            let Some(first) = self.pop() else { break };
            bytes += next;
            self.flying.push(first);
        }
        if !self.flying.is_empty() {
            self.tries += 1;
        }
        self.flying.clone()
    }

    /// Nothing flies any more. Says how many did.
    fn land(&mut self) -> usize {
        self.tries = 0;
        std::mem::take(&mut self.flying).len()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn outgoing(number: usize, bytes: usize) -> Outgoing {
        Outgoing { channel: number.to_string(), message: Bytes::from(vec![0; bytes]) }
    }

    fn taken(outbox: &Outbox) -> Vec<usize> {
        let batch = outbox.take().now_or_never().unwrap_or_default();
        batch.iter().map(|outgoing| outgoing.channel.parse().unwrap()).collect()
    }

    #[test]
    fn what_waits_is_handed_over_together_and_in_order() {
        let outbox = Outbox::default();
        assert!(taken(&outbox).is_empty());
        for number in 0..=BATCH_MESSAGES_MAX {
            assert_eq!(outbox.push(outgoing(number, 10)), 0);
        }
        assert_eq!(taken(&outbox), (0..BATCH_MESSAGES_MAX).collect::<Vec<_>>());
        outbox.done();
        assert_eq!(taken(&outbox), [BATCH_MESSAGES_MAX]);
    }

    #[test]
    fn a_batch_has_few_bytes_or_one_message() {
        let outbox = Outbox::default();
        for (number, bytes) in [BATCH_BYTES_MAX - 1, 1, 1, 2 * BATCH_BYTES_MAX, 1].into_iter().enumerate() {
            outbox.push(outgoing(number, bytes));
        }
        for batch in [vec![0, 1], vec![2], vec![3], vec![4]] {
            assert_eq!(taken(&outbox), batch);
            outbox.done();
        }
    }

    #[test]
    fn the_oldest_make_room_for_the_newest() {
        let outbox = Outbox::default();
        let dropped: usize = (0..MESSAGES_MAX + 3).map(|number| outbox.push(outgoing(number, 1))).sum();
        assert_eq!((dropped, taken(&outbox)[0]), (3, 3));
        let outbox = Outbox::default();
        let dropped: Vec<_> = [1, BYTES_MAX - 2, 1, BYTES_MAX, BYTES_MAX + 1]
            .map(|bytes| outbox.push(outgoing(bytes, bytes)))
            .into();
        assert_eq!(dropped, [0, 0, 0, 3, 1]);
        assert_eq!(taken(&outbox), [BYTES_MAX]);
    }

    #[test]
    fn what_did_not_arrive_is_handed_over_again_until_it_is_given_up() {
        let outbox = Outbox::default();
        outbox.push(outgoing(0, 1));
        for _ in 1..TRIES_MAX {
            assert_eq!(taken(&outbox), [0]);
            outbox.push(outgoing(1, 1));
            assert_eq!(outbox.failed(), 0);
        }
        assert_eq!(taken(&outbox), [0]);
        assert_eq!(outbox.failed(), 1);
        assert_eq!(outbox.failed(), 0, "what was never handed over waits");
        assert_eq!(taken(&outbox), [1; 3]);
    }

    #[test]
    fn it_is_empty_when_all_has_arrived() {
        let outbox = Outbox::default();
        assert!(outbox.until_empty().now_or_never().is_some());
        outbox.push(outgoing(0, 1));
        assert!(outbox.until_empty().now_or_never().is_none());
        let mut empty = std::pin::pin!(outbox.until_empty());
        assert_eq!(taken(&outbox), [0]);
        assert!(empty.as_mut().now_or_never().is_none());
        outbox.done();
        assert!(empty.now_or_never().is_some());
    }
}
