//! What a session rests for, and how it is woken.

use std::task::{Context, Poll, Waker};

/// What the session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// It has something to do, and will do it.
    No,
    /// It waits for frames.
    Idle,
    /// It waits for frames, and what has come is written for it.
    Due,
    /// It waits for the socket.
    Blocked,
}

/// A session's rest. It begins awake.
#[derive(Debug)]
pub(super) struct Resting {
    rest: Rest,
    waker: Option<Waker>,
}

impl Resting {
    pub(super) fn new() -> Self {
        Self { rest: Rest::No, waker: None }
    }

    pub(super) fn rest(&self) -> Rest {
        self.rest
    }

    pub(super) fn begin(&mut self, rest: Rest) {
        self.rest = rest;
    }

    /// Ready while the session is awake. What is due it may as well write itself.
    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        if matches!(self.rest, Rest::No | Rest::Due) {
            return Poll::Ready(());
        }
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// What it rests for is here. Whom to wake.
    pub(super) fn end(&mut self) -> Option<Waker> {
        self.rest = Rest::No;
        self.waker.take()
    }
}
