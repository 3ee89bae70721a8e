//! `cluster`: the `day` on several nodes, while nodes are killed, drained and come back.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{Size, day};
use crate::load::mix::Mix;
use crate::load::stage::Stage;

pub(crate) const SIZE: Size = Size { sessions: 600, seconds: 45.0, rate_per_session: 0.05 };

/// The day across nodes while nodes are killed and drained.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub(crate) struct Cluster {
    /// How often each thing happens, against the others: `inbound=25,claim=8,…`; those not named keep their share
    #[arg(long, value_name = "NAME=SHARE,…", default_value_t)]
    pub(crate) mix: Mix,
}

impl Cluster {
    pub(crate) async fn play(&self, stage: &Stage) {
        day::work(stage, &self.mix).await;
    }
}
