//! Faults that a debug build can be told to have by `ROTUNDA_FAULT`, so that whoever checks a hub from outside can show
//! that they would notice. In a release build there is nothing of it.

use rotunda_protocol::push::Push;

use crate::domain::audience::Audience;

#[cfg(debug_assertions)]
mod switched {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// One push in so many is wrong.
    const EVERY: usize = 20;

    /// A way to be wrong.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Fault {
        /// Everybody who is here is told.
        Leak,
        /// A session is not told.
        Lose,
        /// A session is told twice.
        Duplicate,
        /// A row is told that never was so.
        Diverge,
    }

    /// It is time to be wrong in this way.
    pub(super) fn is_due(fault: Fault) -> bool {
        static CHOSEN: OnceLock<Option<Fault>> = OnceLock::new();
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let chosen = CHOSEN.get_or_init(|| match std::env::var("ROTUNDA_FAULT").ok()?.as_str() {
            "leak" => Some(Fault::Leak),
            "lose" => Some(Fault::Lose),
            "duplicate" => Some(Fault::Duplicate),
            "diverge" => Some(Fault::Diverge),
            _ => None,
        });
        *chosen == Some(fault) && COUNT.fetch_add(1, Ordering::Relaxed).is_multiple_of(EVERY)
    }
}

/// Whom a push is told.
#[cfg(debug_assertions)]
pub(super) fn audience(to: &Audience, push: &Push) -> Option<Audience> {
    let hides = matches!(push, Push::Conversation { .. }) && *to != Audience::Everyone;
    (hides && switched::is_due(switched::Fault::Leak)).then_some(Audience::Everyone)
}

/// How many times a session is told a push.
#[cfg(debug_assertions)]
pub(super) fn times() -> usize {
    match (switched::is_due(switched::Fault::Lose), switched::is_due(switched::Fault::Duplicate)) {
        (true, _) => 0,
        (_, true) => 2,
        _ => 1,
    }
}

/// What is told.
#[cfg(debug_assertions)]
pub(super) fn push(mut push: Push) -> Push {
    if let Push::Conversation { conversation, .. } = &mut push
        && switched::is_due(switched::Fault::Diverge)
    {
        conversation.tags.push("fault".into());
    }
    push
}

#[cfg(not(debug_assertions))]
pub(super) fn audience(_: &Audience, _: &Push) -> Option<Audience> {
    None
}

#[cfg(not(debug_assertions))]
pub(super) fn times() -> usize {
    1
}

#[cfg(not(debug_assertions))]
pub(super) fn push(push: Push) -> Push {
    push
}
