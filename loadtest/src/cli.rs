//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::conductor;
use crate::report::{compare, growth, html, json, table};
use crate::scenario::{
    Scenario, cluster::Cluster, commands::Commands, day::Day, fanout::Fanout, flaky::Flaky, idle::Idle,
    revoke::Revoke, slow::Slow, storm::Storm,
};

/// Loads a Rotunda hub, checks every frame against the log, and tells what it took.
#[derive(Debug, Parser)]
#[command(name = "rotunda-loadtest", version, after_help = AFTER)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "\
Exit codes: 0 nothing was wrong, 1 something was lost, duplicated, leaked or diverged, 2 the run could not be made.

Examples:
  rotunda-loadtest day --spawn --sessions 2000 --seconds 30 --html report.html
  rotunda-loadtest cluster --spawn-cluster 3
  rotunda-loadtest fanout --url http://127.0.0.1:4400 --token-secret … --service-token …
  rotunda-loadtest compare before.json after.json

Organizations that a run makes in a hub given by --url stay there, under ids that begin with `load-`.";

#[derive(Debug, Subcommand)]
enum Command {
    Idle(Play<Idle>),
    Fanout(Play<Fanout>),
    Day(Play<Day>),
    Storm(Play<Storm>),
    Flaky(Play<Flaky>),
    Slow(Play<Slow>),
    Revoke(Play<Revoke>),
    Commands(Play<Commands>),
    Cluster(Play<Cluster>),
    /// Tells how costs grow with what differs between several runs.
    Growth {
        /// Reports that --json wrote.
        #[arg(required = true, num_args = 2..)]
        runs: Vec<PathBuf>,
    },
    /// Puts two runs side by side.
    Compare {
        /// A report that --json wrote.
        a: PathBuf,
        /// Another one.
        b: PathBuf,
    },
}

/// A scenario with its own options and those of every run.
#[derive(Debug, Args)]
struct Play<S: Args> {
    #[command(flatten)]
    scenario: S,
    #[command(flatten)]
    run: Run,
}

/// The options of every run.
#[derive(Debug, Clone, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) hub: Hub,

    /// Sessions in all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) sessions: Option<u32>,

    /// Organizations, all alike; without it practices are small and large as they are in life
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) organizations: Option<u32>,

    /// Conversations that each organization has from the start
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) conversations: Option<u32>,

    /// How long things happen
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) seconds: Option<u32>,

    /// How many things happen in a second, in all organizations together
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<f64>,

    /// What sessions speak
    #[arg(long, value_enum, default_value_t)]
    pub(crate) codec: Codecs,

    /// Processes that hold the sessions; without it one for every 15,000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) processes: Option<u32>,

    /// What chance begins with: the same seed does the same things in the same order
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Write the report as JSON
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub(crate) json: Option<PathBuf>,

    /// Write the report as a page that needs nothing else
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub(crate) html: Option<PathBuf>,

    /// Show no progress
    #[arg(long, help_heading = "Report")]
    pub(crate) quiet: bool,
}

/// Which hub.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Hub: one of --spawn, --spawn-cluster, --url")]
#[group(id = "which hub", required = true, multiple = true, args = ["spawn", "spawn_cluster", "url"])]
pub(crate) struct Hub {
    /// Start a hub with an embedded database, on a free port and in a temporary folder
    #[arg(long, conflicts_with_all = ["spawn_cluster", "url"])]
    pub(crate) spawn: bool,

    /// Start so many nodes with a PostgreSQL and a Redis
    #[arg(long, value_name = "NODES", conflicts_with = "url", value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) spawn_cluster: Option<u32>,

    /// Load a hub that runs, such as `http://127.0.0.1:4400`: its node, not a proxy that speaks TLS; repeatable for
    /// several nodes
    #[arg(long, value_name = "URL", requires_all = ["token_secret", "service_token"])]
    pub(crate) url: Vec<String>,

    /// What that hub checks session tokens with (HS256)
    #[arg(long, value_name = "SECRET", env = "ROTUNDA_TOKEN_SECRET", hide_env_values = true)]
    pub(crate) token_secret: Option<String>,

    /// The secret of one of its services
    #[arg(long, value_name = "SECRET", env = "ROTUNDA_SERVICE_TOKEN", hide_env_values = true)]
    pub(crate) service_token: Option<String>,

    /// The process of the hub at --url, if it is on this machine: what it takes is measured, too. One for each --url
    #[arg(long, value_name = "PID", requires = "url")]
    pub(crate) pid: Vec<u32>,

    /// Start this program as `FILE serve …` in place of the hub that was built with the harness
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    pub(crate) program: Option<PathBuf>,

    /// A further flag of `rotunda serve`; repeatable
    #[arg(long = "hub-arg", value_name = "FLAG", allow_hyphen_values = true, conflicts_with = "url")]
    pub(crate) flags: Vec<String>,

    /// The hub and the generator each have cores of their own
    #[arg(long, conflicts_with = "url")]
    pub(crate) pin: bool,
}

/// What sessions speak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Codecs {
    /// By turns one and the other
    #[default]
    Both,
    Json,
    #[value(name = "msgpack")]
    MessagePack,
}

impl<S: Args> Play<S> {
    fn with(self, scenario: impl FnOnce(S) -> Scenario) -> (Scenario, Run) {
        (scenario(self.scenario), self.run)
    }
}

/// Runs the command that the process was started with.
pub(crate) fn run() -> ExitCode {
    let (scenario, run) = match Cli::parse().command {
        Command::Idle(play) => play.with(Scenario::Idle),
        Command::Fanout(play) => play.with(Scenario::Fanout),
        Command::Day(play) => play.with(Scenario::Day),
        Command::Storm(play) => play.with(Scenario::Storm),
        Command::Flaky(play) => play.with(Scenario::Flaky),
        Command::Slow(play) => play.with(Scenario::Slow),
        Command::Revoke(play) => play.with(Scenario::Revoke),
        Command::Commands(play) => play.with(Scenario::Commands),
        Command::Cluster(play) => play.with(Scenario::Cluster),
        Command::Compare { a, b } => return ended(compare_files(&a, &b)),
        Command::Growth { runs } => return ended(growth_of(&runs)),
    };
    ended(play(&scenario, &run))
}

fn ended(done: anyhow::Result<ExitCode>) -> ExitCode {
    done.unwrap_or_else(|error| {
        eprintln!("rotunda-loadtest: {error:#}");
        ExitCode::from(2)
    })
}

fn play(scenario: &Scenario, run: &Run) -> anyhow::Result<ExitCode> {
    if let Some(rate) = run.rate {
        ensure!(
            rate.is_finite() && rate > 0.0 && rate <= 1e6,
            "--rate {rate} is no rate: give a number above 0"
        );
    }
    for file in [&run.json, &run.html].into_iter().flatten() {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            ensure!(folder.is_dir(), "there is no folder {} to write the report into", folder.display());
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let report = runtime.context("cannot watch sockets")?.block_on(conductor::conduct(scenario, run))?;
    print(&table::table(&report));
    if let Some(file) = &run.json {
        json::write(&report, file)?;
    }
    if let Some(file) = &run.html {
        html::write(&report, file)?;
    }
    Ok(if report.verdict.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn compare_files(a: &std::path::Path, b: &std::path::Path) -> anyhow::Result<ExitCode> {
    print(&compare::compare(&json::read(a)?, &json::read(b)?));
    Ok(ExitCode::SUCCESS)
}

fn growth_of(runs: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let runs: Vec<_> = runs.iter().map(|run| json::read(run)).collect::<anyhow::Result<_>>()?;
    print(&growth::growth(&runs)?);
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "the result of a command goes to standard output")]
fn print(text: &str) {
    print!("{text}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (line, why) in [
            ("day", "--spawn"),
            ("day --spawn --sessions 0", "0 is not in 1.."),
            ("day --spawn --seconds 0", "0 is not in 1.."),
            ("day --spawn --url http://127.0.0.1:1", "cannot be used with"),
            ("day --url http://127.0.0.1:1", "--token-secret"),
            ("day --spawn --mix clam=1", "there is no `clam`"),
            ("cluster --spawn-cluster 0", "0 is not in 1.."),
            ("nonsense", "unrecognized subcommand"),
        ] {
            let words = std::iter::once("rotunda-loadtest").chain(line.split(' '));
            let error = Cli::try_parse_from(words).map(drop).unwrap_err().to_string();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
