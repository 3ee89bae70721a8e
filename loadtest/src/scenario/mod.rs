//! What can be played. Each scenario says how large it usually is, what practices it needs, and what happens in them.

pub(crate) mod cluster;
pub(crate) mod commands;
pub(crate) mod day;
pub(crate) mod fanout;
pub(crate) mod flaky;
pub(crate) mod idle;
pub(crate) mod revoke;
pub(crate) mod shapes;
pub(crate) mod slow;
pub(crate) mod storm;

use serde::{Deserialize, Serialize};

use crate::load::stage::Stage;
use crate::practice::Share;

/// A scenario with its own options.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Scenario {
    Idle(idle::Idle),
    Fanout(fanout::Fanout),
    Day(day::Day),
    Storm(storm::Storm),
    Flaky(flaky::Flaky),
    Slow(slow::Slow),
    Revoke(revoke::Revoke),
    Commands(commands::Commands),
    Cluster(cluster::Cluster),
}

/// How large a scenario is if nothing else is said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) sessions: usize,
    pub(crate) seconds: f64,
    /// Things that happen in a second, for each session.
    pub(crate) rate_per_session: f64,
}

impl Scenario {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Idle(_) => "idle",
            Self::Fanout(_) => "fanout",
            Self::Day(_) => "day",
            Self::Storm(_) => "storm",
            Self::Flaky(_) => "flaky",
            Self::Slow(_) => "slow",
            Self::Revoke(_) => "revoke",
            Self::Commands(_) => "commands",
            Self::Cluster(_) => "cluster",
        }
    }

    /// One thing follows the other; nothing is meant for a moment.
    pub(crate) fn is_closed_loop(&self) -> bool {
        matches!(self, Self::Commands(_) | Self::Fanout(fanout::Fanout { saturate: true }))
    }

    /// Some sessions are cut or slow on purpose, and have more to read at the end than others.
    pub(crate) fn has_stragglers(&self) -> bool {
        matches!(self, Self::Storm(_) | Self::Flaky(_) | Self::Slow(_) | Self::Cluster(_))
    }

    pub(crate) fn size(&self) -> Size {
        match self {
            Self::Idle(_) => idle::SIZE,
            Self::Fanout(_) => fanout::SIZE,
            Self::Day(_) => day::SIZE,
            Self::Storm(_) => storm::SIZE,
            Self::Flaky(_) => flaky::SIZE,
            Self::Slow(_) => slow::SIZE,
            Self::Revoke(_) => revoke::SIZE,
            Self::Commands(_) => commands::SIZE,
            Self::Cluster(_) => cluster::SIZE,
        }
    }

    /// The organizations that so many sessions make, and who sits where. `organizations` is how many are asked for.
    pub(crate) fn shares(&self, run: &str, sessions: usize, organizations: Option<usize>) -> Vec<Share> {
        match self {
            Self::Idle(_) => idle::Idle::shares(run, sessions, organizations),
            Self::Fanout(_) => fanout::Fanout::shares(run, sessions),
            Self::Commands(_) => commands::Commands::shares(run, sessions),
            Self::Revoke(_) => {
                shapes::practices(run, sessions, organizations.or(Some(sessions.div_ceil(40))))
            }
            Self::Slow(_) => shapes::practices(run, sessions, organizations.or(Some(1))),
            Self::Day(_) | Self::Storm(_) | Self::Flaky(_) | Self::Cluster(_) => {
                shapes::practices(run, sessions, organizations)
            }
        }
    }

    /// Has it happen. Returns when it is over, though not yet read everywhere.
    pub(crate) async fn play(&self, stage: &Stage) -> anyhow::Result<()> {
        match self {
            Self::Idle(idle) => idle.play(stage).await,
            Self::Fanout(fanout) => fanout.play(stage).await,
            Self::Day(day) => day.play(stage).await,
            Self::Storm(storm) => storm.play(stage).await,
            Self::Flaky(flaky) => flaky.play(stage).await,
            Self::Slow(slow) => slow.play(stage).await,
            Self::Revoke(revoke) => return revoke.play(stage).await,
            Self::Commands(commands) => return commands.play(stage).await,
            Self::Cluster(cluster) => cluster.play(stage).await,
        }
        Ok(())
    }
}
