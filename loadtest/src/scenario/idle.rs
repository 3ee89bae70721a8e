//! `idle`: sessions that are connected, have read their lists, and then do nothing. What they take is memory.

use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{Size, shapes};
use crate::load::stage::Stage;
use crate::practice::Share;

pub(crate) const SIZE: Size = Size { sessions: 5_000, seconds: 5.0, rate_per_session: 0.0 };
/// Sessions of an organization.
const ORGANIZATION: usize = 100;

/// What a session takes that does nothing: resident memory, for each codec.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub(crate) struct Idle {}

impl Idle {
    pub(crate) fn shares(run: &str, sessions: usize, organizations: Option<usize>) -> Vec<Share> {
        let all = organizations.unwrap_or(sessions.div_ceil(ORGANIZATION)).max(1);
        let seats = |number: usize| sessions / all + usize::from(number < sessions % all);
        (0..all).map(|number| shapes::crowd(run, number, seats(number), 0)).collect()
    }

    pub(crate) async fn play(&self, stage: &Stage) {
        sleep(stage.time).await;
    }
}
