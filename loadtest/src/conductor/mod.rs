//! Conducts a run: hubs, processes of the generator, one step after the other, and what it all came to.

mod crew;
mod machine;
mod progress;
mod summary;
mod trouble;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use tokio::time::{Instant, interval};

use self::crew::Crew;
use self::progress::Progress;
use self::summary::Watched;
use crate::cli::{Codecs, Run};
use crate::floor;
use crate::hubs::{Given, Options, Program, Target, Usage};
use crate::plan::{Plan, Share};
use crate::report::{Report, Sample};
use crate::scenario::Scenario;
use crate::wire::Step;

/// The most sessions of a process: it holds 20,000 file descriptors at most.
const SESSIONS_MAX: usize = 15_000;
/// How often the hub is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What the hub allows a client that does what many would.
const QUOTAS: [&str; 6] =
    ["--frames-per-second", "10000", "--frames-burst", "20000", "--in-flight-max", "1000"];

/// Makes a run. An error says why it could not be made, or not be brought to its end.
pub(crate) async fn conduct(scenario: &Scenario, run: &Run) -> anyhow::Result<Report> {
    tokio::select! {
        report = conducted(scenario, run) => report,
        pressed = tokio::signal::ctrl_c() => {
            pressed?;
            bail!("ended by Ctrl-C")
        }
    }
}

async fn conducted(scenario: &Scenario, run: &Run) -> anyhow::Result<Report> {
    let progress = Progress::new(run.quiet);
    let (load, began_at) = (machine::load(), now_millis());
    let size = scenario.size();
    let sessions = run.sessions.map_or(size.sessions, |number| number as usize);
    let name = format!("load-{:x}", began_at);
    let mut shares = scenario.shares(&name, sessions, run.organizations.map(|number| number as usize));
    ensure!(
        run.organizations.is_none_or(|number| number as usize <= sessions),
        "there are fewer sessions than organizations: give at least a session to each"
    );
    speak(&mut shares, run.codec);

    progress.says("starting the hub");
    machine::raise_descriptors()?;
    let target = target(scenario, run, sessions).await?;
    if let Some(cores) = target.cores() {
        crate::hubs::pin_this_thread(&cores.left).context("cannot keep to the cores that are left")?;
    }
    let plans = plans(scenario, run, &target, &name, shares);
    let organizations = count_organizations(&plans);
    let mut crew = Crew::start(plans)?;
    let mut watched = Watched::default();

    let rss = |target: &Target| target.usage().map(|usage| usage.resident_bytes);
    progress.says(&format!("making {organizations} organizations"));
    step(&mut crew, &target, &progress, Step::SetUp).await?;
    watched.rss.push(rss(&target));
    for json in [false, true] {
        progress.connects(sessions);
        step(&mut crew, &target, &progress, Step::Connect { json }).await?;
        watched.rss.push(rss(&target));
    }
    step(&mut crew, &target, &progress, Step::Begin).await?;

    progress.plays(scenario.name(), crew.seconds());
    watched.before = target.usage();
    played(scenario, &mut crew, &target, &progress, &mut watched).await?;
    watched.after = target.usage();
    progress.says("checking every frame against the log");
    let tallies = check(&mut crew, &target, &progress).await?;
    watched.rss.push(rss(&target));

    let mut report = summary::summary(scenario, sessions, organizations, target.nodes(), &watched, &tallies)?;
    if let (Scenario::Fanout(_), Some(frame)) = (scenario, summary::frame(&tallies)) {
        progress.says("measuring a bare write() of the same frame");
        let bytes = frame.len();
        let floor = floor(run, &target, &report, frame, crew.rate()).await?;
        summary::compare_with_floor(&mut report, bytes, &floor);
    }
    report.command = std::iter::once("rotunda-loadtest".into())
        .chain(std::env::args().skip(1))
        .collect::<Vec<_>>()
        .join(" ");
    report.began_at = began_at;
    report.machine = machine::machine(load);
    progress.done();
    Ok(report)
}

fn now_millis() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Lets all sessions speak what was asked for.
fn speak(shares: &mut [Share], codecs: Codecs) {
    for seat in shares.iter_mut().flat_map(|share| &mut share.seats) {
        match codecs {
            Codecs::Both => {}
            Codecs::Json => seat.json = true,
            Codecs::MessagePack => seat.json = false,
        }
    }
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
    options.hub_args.extend(hub.hub_arg.iter().cloned());
    match hub.spawn_cluster {
        Some(nodes) => Target::spawn_cluster(nodes as usize, &options).await,
        None => Target::spawn(&options).await,
    }
}

/// What each process is to be: organizations are dealt out whole, but one that is too large for a process.
fn plans(scenario: &Scenario, run: &Run, target: &Target, name: &str, shares: Vec<Share>) -> Vec<Plan> {
    let sessions: usize = shares.iter().map(|share| share.seats.len()).sum();
    let processes = run.processes.map_or(sessions.div_ceil(SESSIONS_MAX), |number| number as usize);
    let processes = processes.clamp(1, sessions.max(1));
    let mut dealt: Vec<Vec<Share>> = vec![Vec::new(); processes];
    for share in shares {
        for (number, part) in parts(share, sessions.div_ceil(processes)).into_iter().enumerate() {
            let seats = |shares: &Vec<Share>| shares.iter().map(|share| share.seats.len()).sum::<usize>();
            let least = (0..processes).min_by_key(|process| seats(&dealt[*process])).unwrap_or(number);
            dealt[least].push(part);
        }
    }
    dealt.retain(|shares| !shares.is_empty());
    let driven = |shares: &[Share]| {
        shares.iter().filter(|share| share.drives).map(|share| share.seats.len()).sum::<usize>()
    };
    let all_driven = dealt.iter().map(|shares| driven(shares)).sum::<usize>().max(1);
    let size = scenario.size();
    let rate = run.rate.unwrap_or(size.rate_per_session * as_f64(sessions));
    let plan = |(number, shares): (usize, Vec<Share>)| Plan {
        addresses: target.addresses().to_vec(),
        source: source(target, number),
        token_secret: target.token_secret().into(),
        service_token: target.service_token().into(),
        refs: format!("{name}-{number}"),
        seed: run.seed.wrapping_add(number as u64),
        scenario: scenario.clone(),
        seconds: run.seconds.map_or(size.seconds, f64::from),
        rate: rate * as_f64(driven(&shares)) / as_f64(all_driven),
        shares,
    };
    dealt.into_iter().enumerate().map(plan).collect()
}

/// An organization in parts of so many sessions at most, of which the first makes things happen.
fn parts(share: Share, seats_max: usize) -> Vec<Share> {
    let parts = share.seats.chunks(seats_max.max(1)).enumerate();
    parts
        .map(|(number, seats)| Share { seats: seats.to_vec(), drives: number == 0, ..share.clone() })
        .collect()
}

/// Each process has an address of its own on this machine, for one has 28,000 ports to connect from.
fn source(target: &Target, number: usize) -> Option<std::net::IpAddr> {
    let local = target.addresses().iter().all(|address| address.ip().is_loopback() && address.is_ipv4());
    let last = u8::try_from(number + 1).ok()?;
    local.then(|| std::net::Ipv4Addr::new(127, 0, 1, last).into())
}

fn as_f64(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn count_organizations(plans: &[Plan]) -> usize {
    plans.iter().flat_map(|plan| &plan.shares).filter(|share| share.drives).count()
}

/// Has all processes do a step, while somebody looks whether the hub is still there.
async fn step(crew: &mut Crew, target: &Target, progress: &Progress, step: Step) -> anyhow::Result<()> {
    crew.tell(step).await?;
    let mut looks = interval(LOOK_EVERY);
    loop {
        tokio::select! {
            done = crew.until_done(step) => return done,
            _ = looks.tick() => {
                if let Some(why) = target.ended() {
                    bail!("the hub has ended in the middle of the run: {why}");
                }
                progress.shows(&crew.counts());
            }
        }
    }
}

/// Has things happen, and takes samples.
async fn played(
    scenario: &Scenario,
    crew: &mut Crew,
    target: &Target,
    progress: &Progress,
    watched: &mut Watched,
) -> anyhow::Result<()> {
    let began = Instant::now();
    crew.tell(Step::Play).await?;
    let seconds = Duration::from_secs_f64(crew.seconds());
    let trouble = async {
        match scenario {
            Scenario::Cluster(_) => trouble::make(target, seconds).await,
            _ => std::future::pending().await,
        }
    };
    tokio::pin!(trouble);
    let (mut looks, mut made) = (interval(LOOK_EVERY), false);
    looks.tick().await;
    let (mut last, mut last_usage, mut last_at) = (crew.counts(), target.usage(), began);
    loop {
        tokio::select! {
            done = crew.until_done(Step::Play) => {
                done?;
                // Nodes that were ended are to be back before anything is compared.
                if matches!(scenario, Scenario::Cluster(_)) && !made {
                    trouble.await?;
                }
                return Ok(());
            }
            troubled = &mut trouble, if !made => {
                troubled?;
                made = true;
            }
            _ = looks.tick() => {
                if let Some(why) = target.ended() {
                    bail!("the hub has ended in the middle of the run: {why}");
                }
                let (counts, usage, now) = (crew.take_counts(), target.usage(), Instant::now());
                let sample = sample(began, (now - last_at).as_secs_f64(), last, counts, last_usage, usage);
                progress.plays_on(&sample, (now - last_at).as_secs_f64());
                watched.samples.push(sample);
                (last, last_usage, last_at) = (counts, usage, now);
            }
        }
    }
}

fn sample(
    began: Instant,
    since_s: f64,
    last: crate::wire::Counts,
    counts: crate::wire::Counts,
    last_usage: Option<Usage>,
    usage: Option<Usage>,
) -> Sample {
    let hub_cores =
        last_usage.zip(usage).map(|(last, usage)| usage.cpu.saturating_sub(last.cpu).as_secs_f64() / since_s);
    Sample {
        at: began.elapsed().as_secs_f64(),
        connected: counts.connected,
        deliveries: counts.deliveries.saturating_sub(last.deliveries),
        commands: counts.commands.saturating_sub(last.commands),
        reconnects: counts.reconnects.saturating_sub(last.reconnects),
        p99_ms: counts.p99_ms,
        hub_cores,
        hub_rss: usage.map(|usage| usage.resident_bytes),
        generator_cores: (counts.cpu_s - last.cpu_s).max(0.0) / since_s,
    }
}

async fn check(
    crew: &mut Crew,
    target: &Target,
    progress: &Progress,
) -> anyhow::Result<Vec<crate::wire::Tally>> {
    crew.tell(Step::Check).await?;
    let mut looks = interval(LOOK_EVERY);
    loop {
        tokio::select! {
            done = crew.until_done(Step::Check) => {
                done?;
                return Ok(crew.tallies());
            }
            _ = looks.tick() => {
                if let Some(why) = target.ended() {
                    bail!("the hub has ended in the middle of the run: {why}");
                }
                progress.shows(&crew.counts());
            }
        }
    }
}

/// A bare `write()` of as large a frame to as many sockets.
async fn floor(
    run: &Run,
    target: &Target,
    report: &Report,
    frame: Vec<u8>,
    rate: f64,
) -> anyhow::Result<floor::Measured> {
    let connections = u32::try_from(report.sessions)?.min(18_000);
    let lasting = Duration::from_secs_f64(report.seconds.clamp(2.0, 20.0));
    let mut plan = floor::Plan::new(frame, connections, rate, lasting)?;
    if run.hub.pin
        && let Some(cores) = target.cores()
    {
        plan.cores.clone_from(&cores.hub);
    }
    floor::measure(plan).await
}
