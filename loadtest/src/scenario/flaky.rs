//! `flaky`: everybody loses the connection for two seconds, again and again, while people work.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{Size, day};
use crate::client::session::Order;
use crate::load::mix::{Act, Mix};
use crate::load::pace;
use crate::load::stage::Stage;

pub(crate) const SIZE: Size = Size { sessions: 1_000, seconds: 30.0, rate_per_session: 0.05 };
/// How long a drop lasts.
const DROP: Duration = Duration::from_secs(2);

/// Random drops of two seconds for everyone, all the time, while people work.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
#[expect(clippy::unsafe_derive_deserialize, reason = "what is unsafe is not of this type")]
pub(crate) struct Flaky {
    /// How many seconds a session holds, on average, before it drops
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) every: u32,
}

impl Flaky {
    pub(crate) async fn play(&self, stage: &Stage) {
        let mix = Mix::default().without(Act::Away);
        let all = u32::try_from(stage.sessions.len()).unwrap_or(u32::MAX);
        let rate = f64::from(all) / f64::from(self.every);
        let drops = pace::at_random(&stage.world, rate, stage.time, |_| {
            let session = &stage.sessions[stage.world.below(stage.sessions.len())];
            if session.is_connected() {
                session.order(Order::Cut { away: DROP, forget: false });
            }
        });
        tokio::join!(day::work(stage, &mix), drops);
    }
}
