//! A bare `write()` of the same frame beside the hub, turn by turn.

use std::time::Duration;

use anyhow::Context;

use super::deal::Pace;
use super::summary;
use crate::floor::{Floor, Plan};
use crate::hubs::Target;
use crate::options::Run;
use crate::report::Report;
use crate::scenario::Scenario;
use crate::scenario::fanout::Fanout;
use crate::wire::Counts;

/// The most sockets of the floor: writer and readers hold 20,000 file descriptors each at most.
const CONNECTIONS_MAX: u32 = 18_000;
/// A turn of the floor has some twenty rounds, if that takes as many seconds, and is no longer than the hub's.
const TURN_ROUNDS: f64 = 20.0;
const TURN_S_MIN: f64 = 2.0;
const TURN_S_MAX: f64 = 30.0;
/// The header of a server's WebSocket frame of up to 64 KiB.
const HEADER_BYTES: u64 = 4;

/// How far the floor is.
pub(super) enum Beside {
    /// There is nothing to put beside this scenario.
    Nothing,
    /// The frame is known after the hub's first turn.
    Planned(Plan),
    Turns(Floor),
    /// A floor that cannot be measured takes nothing from what the hub did.
    Failed(String),
}

/// Whether a scenario is put beside a bare `write()`.
pub(super) fn is_compared(scenario: &Scenario) -> bool {
    matches!(scenario, Scenario::Fanout(Fanout { saturate: false }))
}

impl Beside {
    pub(super) fn new(
        scenario: &Scenario,
        run: &Run,
        target: &Target,
        sessions: usize,
        pace: &Pace,
    ) -> anyhow::Result<Self> {
        if !is_compared(scenario) {
            return Ok(Self::Nothing);
        }
        let cores = target.cores().filter(|_| run.hub.pin).map(|cores| cores.hub.clone());
        Ok(Self::Planned(Plan {
            program: std::env::current_exe()?,
            cores: cores.unwrap_or_default(),
            frame: Vec::new(),
            connections: u32::try_from(sessions)?.min(CONNECTIONS_MAX),
            rounds_per_second: pace.rate,
            turn: turn(pace),
        }))
    }

    /// Has the floor take a turn, after one of the hub. The frame is as large as those that were pushed so far.
    pub(super) async fn turn(self, counts: &Counts) -> Self {
        self.turned(counts).await.unwrap_or_else(|error| Self::Failed(format!("{error:#}")))
    }

    async fn turned(self, counts: &Counts) -> anyhow::Result<Self> {
        let floor = match self {
            Self::Nothing | Self::Failed(_) => return Ok(self),
            Self::Planned(plan) => {
                let frame = frame(counts).context("nothing was pushed whose size it could have")?;
                Floor::start(Plan { frame, ..plan }).await?
            }
            Self::Turns(floor) => floor,
        };
        Ok(Self::Turns(floor.turn().await?))
    }

    /// Adds to the report what it came to.
    pub(super) fn report(&self, report: &mut Report) {
        match self {
            Self::Nothing | Self::Planned(_) => {}
            Self::Turns(floor) => {
                if report.sessions > u64::from(CONNECTIONS_MAX) {
                    report.warnings.push(format!(
                        "the floor writes to {CONNECTIONS_MAX} sockets, the hub to {}: their latencies are not alike",
                        report.sessions
                    ));
                }
                summary::compare_with_floor(report, floor.frame_bytes(), floor.measured());
            }
            Self::Failed(why) => report.warnings.push(format!("there is no floor: {why}")),
        }
    }
}

fn turn(pace: &Pace) -> Duration {
    let seconds = (TURN_ROUNDS / pace.rate).clamp(TURN_S_MIN, TURN_S_MAX);
    pace.turn.min(Duration::from_secs_f64(seconds))
}

/// A frame as large as a pushed row was, with its header; none if none was pushed.
fn frame(counts: &Counts) -> Option<Vec<u8>> {
    let bytes = counts.row_bytes.checked_div(counts.rows)? + HEADER_BYTES;
    Some(vec![b'x'; usize::try_from(bytes).ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_short_but_for_few_rounds() {
        let seconds = |turn, rate| {
            let turn = Duration::from_secs(turn);
            super::turn(&Pace { turns: 1, turn, rate }).as_secs_f64()
        };
        assert_eq!((seconds(6, 20.0), seconds(20, 2.0), seconds(1, 20.0)), (2.0, 10.0, 1.0));
        assert_eq!((seconds(20, 0.4), seconds(3_600, 1e-18)), (20.0, 30.0));
    }
}
