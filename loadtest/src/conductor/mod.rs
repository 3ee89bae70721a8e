//! Conducts a run: hubs, processes of the generator, one step after the other, and what it all came to.

mod beside;
mod command_line;
mod crew;
mod deal;
mod machine;
mod progress;
mod running;
mod signals;
mod summary;
mod trouble;
mod warnings;
mod watch;

use anyhow::{Context, bail, ensure};

use self::beside::Beside;
use self::crew::Crew;
use self::deal::Pace;
use self::progress::Progress;
use self::running::Running;
use self::signals::Signals;
use self::watch::Watched;
use crate::clock::wall_millis;
use crate::hubs::{Given, Options, Program, Target};
use crate::options::Run;
use crate::practice::Share;
use crate::report::Report;
use crate::scenario::Scenario;
use crate::scenario::commands::Commands;
use crate::wire::Which;

/// What the hub allows a client that does what many would.
const QUOTAS: [&str; 6] =
    ["--frames-per-second", "10000", "--frames-burst", "20000", "--in-flight-max", "1000"];

/// Makes a run. An error says why it could not be made, or not be brought to its end.
pub(crate) async fn conduct(scenario: &Scenario, run: &Run) -> anyhow::Result<Report> {
    let mut signals = Signals::listen()?;
    tokio::select! {
        report = conducted(scenario, run) => report,
        name = signals.first() => bail!("ended by {name}"),
    }
}

async fn conducted(scenario: &Scenario, run: &Run) -> anyhow::Result<Report> {
    let progress = Progress::new(run.quiet);
    let (load, began_at) = (machine::load(), wall_millis());
    let sessions = run.sessions.map_or(scenario.size().sessions, |number| number as usize);
    let name = format!("load-{began_at:x}");
    let shares = shares(scenario, run, sessions, &name)?;

    progress.says("starting the hub");
    machine::raise_descriptors()?;
    let target = target(scenario, run, sessions).await?;
    if let Some(cores) = target.cores() {
        crate::hubs::pin_this_thread(&cores.left).context("cannot keep to the cores that are left")?;
    }
    let pace = Pace::new(scenario, run, sessions);
    let plans = deal::plans(scenario, run, &pace, &target, &name, &shares);
    let connected = |which| deal::count_connected(&plans, which);
    let watched = Watched::new(connected(Which::MessagePack), connected(Which::Json));
    let crew = Crew::start(&plans)?;
    let mut running = Running { scenario, target: &target, progress: &progress, crew, watched };

    let organizations = deal::count_organizations(&plans);
    progress.says(&format!("making {organizations} organizations"));
    running.prepare(sessions).await?;
    let beside = running.play(&pace, Beside::new(scenario, run, &target, sessions, &pace)?).await?;
    progress.says("checking every frame against the log");
    let tallies = running.check().await?;

    let watched = &running.watched;
    let mut report = summary::summary(scenario, sessions, organizations, target.nodes(), watched, &tallies)?;
    if report.latency_ms.is_some() {
        report.warnings.extend(warnings::of_split(deal::count_timed(&plans), sessions));
    }
    beside.report(&mut report);
    let arguments = std::env::args_os().skip(1);
    report.command = command_line::shown(arguments.map(|word| word.to_string_lossy().into_owned()));
    report.began_at = began_at;
    report.conversations = shares.iter().map(|share| share.practice.conversations as u64).sum();
    report.rate_per_s = if scenario.is_closed_loop() { 0.0 } else { pace.rate };
    report.machine = machine::machine(load);
    progress.done();
    Ok(report)
}

/// The organizations of a run, and who sits where.
fn shares(scenario: &Scenario, run: &Run, sessions: usize, name: &str) -> anyhow::Result<Vec<Share>> {
    ensure!(
        run.organizations.is_none_or(|number| number as usize <= sessions),
        "there are fewer sessions than organizations: give at least a session to each"
    );
    if let Scenario::Commands(_) = scenario {
        Commands::check(sessions, deal::processes(run, sessions))?;
    }
    let mut shares = scenario.shares(name, sessions, run.organizations.map(|number| number as usize));
    deal::speak(&mut shares, run.codec);
    if let Some(conversations) = run.conversations {
        for share in &mut shares {
            share.practice.conversations = conversations as usize;
        }
    }
    Ok(shares)
}

async fn target(scenario: &Scenario, run: &Run, sessions: usize) -> anyhow::Result<Target> {
    let hub = &run.hub;
    if let Scenario::Cluster(_) = scenario {
        let nodes =
            hub.spawn_cluster.context("the scenario cluster ends nodes: it needs --spawn-cluster 3")?;
        ensure!(nodes > 1, "the scenario cluster ends nodes: it needs at least two, --spawn-cluster 3");
    }
    if !hub.url.is_empty() {
        let (token_secret, service_token) = (hub.token_secret.clone(), hub.service_token.clone());
        return Target::given(Given {
            urls: hub.url.clone(),
            token_secret: token_secret.context("--token-secret is missing")?,
            service_token: service_token.context("--service-token is missing")?,
            pids: hub.pid.clone(),
        })
        .await;
    }
    let mut options = Options { pin: hub.pin, ..Options::itself()? };
    if let Some(program) = &hub.program {
        options.program = Program::Other(program.clone());
    }
    let connections = (sessions + 1_000).max(18_000).to_string();
    options.hub_args =
        QUOTAS.into_iter().chain(["--connections-max", &connections]).map(String::from).collect();
    options.hub_args.extend(hub.flags.iter().cloned());
    match hub.spawn_cluster {
        Some(nodes) => Target::spawn_cluster(nodes as usize, &options).await,
        None => Target::spawn(&options).await,
    }
}
