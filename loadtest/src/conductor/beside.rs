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
/// How long a turn of the floor is at most, however long the hub's are; and how many rounds it has all the same.
const TURN_MAX: Duration = Duration::from_secs(2);
const ROUNDS_MIN: f64 = 20.0;
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
        let turn_max = Duration::try_from_secs_f64(ROUNDS_MIN / pace.rate)?.max(TURN_MAX);
        let cores = target.cores().filter(|_| run.hub.pin).map(|cores| cores.hub.clone());
        Ok(Self::Planned(Plan {
            program: std::env::current_exe()?,
            cores: cores.unwrap_or_default(),
            frame: Vec::new(),
            connections: u32::try_from(sessions)?.min(CONNECTIONS_MAX),
            rounds_per_second: pace.rate,
            turn: pace.turn.min(turn_max),
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

/// A frame as large as a pushed row was, with its header; none if none was pushed.
fn frame(counts: &Counts) -> Option<Vec<u8>> {
    let bytes = counts.row_bytes.checked_div(counts.rows)? + HEADER_BYTES;
    Some(vec![b'x'; usize::try_from(bytes).ok()?])
}
