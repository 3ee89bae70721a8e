//! `day`: practices at work. Patients write; teammates claim, reply, assign, tag, archive, type, come and go.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::Size;
use crate::load::mix::Mix;
use crate::load::pace;
use crate::load::stage::Stage;

pub(crate) const SIZE: Size = Size { sessions: 1_000, seconds: 30.0, rate_per_session: 0.05 };

/// Practices at work: patients write; teammates claim, reply, assign, tag, archive, type, come and go.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
pub(crate) struct Day {
    /// How often each thing happens, against the others: `inbound=25,claim=8,…`; those not named keep their share
    #[arg(long, value_name = "NAME=SHARE,…", default_value_t)]
    pub(crate) mix: Mix,
}

impl Day {
    pub(crate) async fn play(&self, stage: &Stage) {
        work(stage, &self.mix).await;
    }
}

/// Has people work for as long as the run lasts.
pub(crate) async fn work(stage: &Stage, mix: &Mix) {
    pace::at_random(&stage.world, stage.rate, stage.time, |meant| {
        let chance = stage.world.chance.borrow_mut().f64();
        stage.act(mix.pick(chance), meant);
    })
    .await;
}
