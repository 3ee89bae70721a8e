//! One session with Redis after the other, for as long as the node lives.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::fault::Fault;
use super::session::Session;

/// The first wait before connecting again, and the longest: Redis is back for less than a second before it is used.
const WAIT_MIN: Duration = Duration::from_millis(25);
const WAIT_MAX: Duration = Duration::from_millis(400);
/// A session that ends before this was none: the next waits are longer still.
const STEADY: Duration = Duration::from_secs(1);

/// Keeps the bus well until it is stopped.
pub(super) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let mut reports = Reports::default();
    let mut attempts = 0;
    for life in 0_u64.. {
        let began = Instant::now();
        let fault = tokio::select! {
            fault = session(&shared, life) => fault,
            () = stop.cancelled() => break,
        };
        let was_well = deafen(&shared);
        reports.tell(was_well, &fault);
        attempts = if was_well && began.elapsed() > STEADY { 0 } else { attempts + 1 };
        tokio::select! {
            () = sleep(wait(attempts)) => {}
            () = stop.cancelled() => break,
        }
    }
    deafen(&shared);
}

async fn session(shared: &Shared, life: u64) -> Fault {
    match Session::open(shared, life).await {
        Ok(session) => session.run().await,
        Err(fault) => fault,
    }
}

/// Nothing is held, and what was on its way may not have arrived. Says whether the bus was well.
fn deafen(shared: &Shared) -> bool {
    let was_well = shared.ears.deafen();
    if was_well {
        shared.metrics.bus_reconnected();
    }
    shared.metrics.bus_delivering(false);
    shared.metrics.bus_dropped(shared.outbox.failed());
    was_well
}

/// Between half and all of a doubled time, so that many nodes do not come at once.
fn wait(attempts: u32) -> Duration {
    let whole = WAIT_MIN.saturating_mul(1 << attempts.min(8)).min(WAIT_MAX);
    let mut byte = [0; 1];
    // Without randomness the wait is the longer one, which does no harm.
    let fraction = rand::fill(&mut byte).map_or(1.0, |()| f64::from(byte[0]) / 255.0);
    whole / 2 + (whole / 2).mul_f64(fraction)
}

/// What was told of a time of deafness: once why it began, and once that Redis refuses, which does not pass by itself.
#[derive(Default)]
struct Reports {
    deaf: bool,
    refused: bool,
}

impl Reports {
    fn tell(&mut self, was_well: bool, fault: &Fault) {
        if was_well {
            *self = Self::default();
        }
        let refused = fault.is_refusal();
        if !self.deaf || refused && !self.refused {
            tracing::warn!(%fault, "the bus is deaf: until it delivers, nodes see in the database what others do");
        }
        self.deaf = true;
        self.refused |= refused;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit() {
        for attempts in 0..40 {
            let whole = WAIT_MIN.saturating_mul(1 << attempts.min(8)).min(WAIT_MAX);
            let wait = wait(attempts);
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
        }
    }
}
