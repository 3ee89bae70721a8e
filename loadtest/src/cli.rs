//! The command line.

use std::io::{ErrorKind, Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{Args, Parser, Subcommand};

use crate::conductor;
use crate::options::Run;
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
`compare` and `growth` exit with 0 when they could be made, whatever they say.

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
        // A terminal that is closed, which ends a run as well, hears nothing any more.
        drop(writeln!(stderr(), "rotunda-loadtest: {error:#}"));
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
    // Files first: whoever reads along may have gone.
    if let Some(file) = &run.json {
        json::write(&report, file)?;
    }
    if let Some(file) = &run.html {
        html::write(&report, file)?;
    }
    print(&table::table(&report))?;
    Ok(if report.verdict.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn compare_files(a: &std::path::Path, b: &std::path::Path) -> anyhow::Result<ExitCode> {
    print(&compare::compare(&json::read(a)?, &json::read(b)?))?;
    Ok(ExitCode::SUCCESS)
}

fn growth_of(runs: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let runs: Vec<_> = runs.iter().map(|run| json::read(run)).collect::<anyhow::Result<_>>()?;
    print(&growth::growth(&runs)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the result of a command to standard output. Nobody has to read it to its end.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.context("cannot write to standard output"),
    }
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
