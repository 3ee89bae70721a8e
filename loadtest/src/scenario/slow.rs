//! `slow`: a share of the sessions stops reading for a while, again and again, while people work. The others must not
//! notice, and who was slow must end up with everything.

use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{Size, day};
use crate::client::session::Order;
use crate::load::mix::{Act, Mix};
use crate::load::stage::Stage;

pub(crate) const SIZE: Size = Size { sessions: 200, seconds: 20.0, rate_per_session: 1.0 };
/// Times that a slow session stops reading in a run.
const STOPS: u32 = 2;

/// A share of the sessions stops reading, while people work.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
#[expect(clippy::unsafe_derive_deserialize, reason = "what is unsafe is not of this type")]
pub(crate) struct Slow {
    /// How many of a hundred sessions are slow
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) share: u8,
}

impl Slow {
    pub(crate) async fn play(&self, stage: &Stage) {
        let mix = Mix::default().without(Act::Away);
        tokio::join!(day::work(stage, &mix), self.stop(stage));
    }

    async fn stop(&self, stage: &Stage) {
        let count = (stage.sessions.len() * usize::from(self.share) / 100).max(1);
        let slow: Vec<_> = stage.sessions.iter().rev().take(count).collect();
        for session in &slow {
            session.is_slow.set(true);
        }
        let turn = stage.time / STOPS;
        for _ in 0..STOPS {
            for session in &slow {
                // So much of the turn that there is time to catch up before the next.
                session.order(Order::Deaf(turn.mul_f64(0.7)));
            }
            sleep(turn).await;
        }
        stage.figure("slow_sessions", f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    }
}
