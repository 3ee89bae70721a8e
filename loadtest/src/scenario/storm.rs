//! `storm`: in the middle of the work every connection is cut at once, and everybody comes back with their cursor.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{Size, day};
use crate::client::session::Order;
use crate::load::mix::{Act, Mix};
use crate::load::stage::Stage;

pub(crate) const SIZE: Size = Size { sessions: 1_000, seconds: 20.0, rate_per_session: 0.05 };

/// All sessions are cut at once and come back with their cursor, while people work.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
#[expect(clippy::unsafe_derive_deserialize, reason = "what is unsafe is not of this type")]
pub(crate) struct Storm {
    /// How many times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) storms: u32,

    /// Over how many milliseconds they come back
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) spread_ms: u32,
}

impl Storm {
    pub(crate) async fn play(&self, stage: &Stage) {
        // Nobody is away at the moment of the storm: all come back.
        let mix = Mix::default().without(Act::Away);
        tokio::join!(day::work(stage, &mix), self.storms(stage));
    }

    async fn storms(&self, stage: &Stage) {
        let pause = stage.time / (self.storms + 1);
        let spread = Duration::from_millis(self.spread_ms.into());
        for _ in 0..self.storms {
            sleep(pause).await;
            for session in &stage.sessions {
                let away = spread.mul_f64(stage.world.chance.borrow_mut().f64());
                session.order(Order::Cut { away, forget: false });
            }
        }
    }
}
