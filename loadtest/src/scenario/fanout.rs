//! `fanout`: one organization, and everybody in it sees everything. Patients write at a steady rate, or as fast as all
//! sessions can read.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{Size, shapes};
use crate::clock::Nanos;
use crate::load::stage::Stage;
use crate::load::{pace, setup};
use crate::practice::Share;

pub(crate) const SIZE: Size = Size { sessions: 1_000, seconds: 20.0, rate_per_session: 0.02 };
/// Conversations that patients write to.
const CONVERSATIONS: usize = 50;
/// Messages that may be on their way to somebody at once, when saturating.
const WINDOW: u64 = 96;
/// How long a look at what was read is put off.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// One organization: what a message to everybody costs, against a bare `write()` of the same frame.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub(crate) struct Fanout {
    /// As many messages as all sessions can read, in place of a steady rate
    #[arg(long)]
    pub(crate) saturate: bool,
}

impl Fanout {
    pub(crate) fn shares(run: &str, sessions: usize) -> Vec<Share> {
        vec![shapes::crowd(run, 0, sessions, CONVERSATIONS)]
    }

    pub(crate) async fn play(&self, stage: &Stage) {
        if self.saturate { saturate(stage).await } else { steadily(stage).await }
    }
}

async fn steadily(stage: &Stage) {
    let Some(organization) = stage.organizations.first().filter(|only| only.share.drives) else {
        return sleep(stage.time).await;
    };
    pace::evenly(&stage.world, stage.rate, stage.time, |meant| {
        stage.patient(organization, meant);
    })
    .await;
}

/// Closed loop: a message more is sent whenever there are fewer than [`WINDOW`] that somebody has not read.
async fn saturate(stage: &Stage) {
    let Some(organization) = stage.organizations.first().filter(|only| only.share.drives) else {
        return sleep(stage.time).await;
    };
    let (end, readers) = (Instant::now() + stage.time, stage.sessions.len() as u64);
    let sent = Rc::new(Cell::new(0_u64));
    while Instant::now() < end {
        let read = stage.world.meter.borrow().deliveries / readers.max(1);
        if sent.get() >= read + WINDOW {
            sleep(LOOK_EVERY).await;
            continue;
        }
        let number = usize::try_from(sent.get()).unwrap_or(0);
        sent.set(sent.get() + 1);
        let (endpoint, patient) = setup::place_of(number % CONVERSATIONS, 1);
        setup::patient_writes(&stage.world, organization, endpoint, patient, Nanos::now());
        tokio::task::yield_now().await;
    }
}
