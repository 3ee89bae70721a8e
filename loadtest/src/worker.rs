//! One process of the generator: does one step after the other as the harness tells it to.

use std::cell::RefCell;
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail};
use futures::{StreamExt, TryStreamExt, stream};
use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};
use tokio::task::LocalSet;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::check::ledger::Ledger;
use crate::client::life;
use crate::client::reader::Reader;
use crate::client::session::{Order, Session};
use crate::clock::Nanos;
use crate::load::practice;
use crate::load::setup;
use crate::meter::Times;
use crate::organization::Organization;
use crate::plan::Plan;
use crate::report::Verdict;
use crate::stage::Stage;
use crate::wire::{Counts, Packed, Step, Tally, Told};
use crate::world::World;

/// How often it says how it goes.
const SAMPLE_EVERY: Duration = Duration::from_millis(250);
/// How often a state is looked at that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// All sessions are connected within this, or the run fails. A hub greets thousands a second.
const CONNECTED_WITHIN: Duration = Duration::from_mins(2);
/// With not one session connected and nothing heard for so long, the hub is gone.
const GONE_AFTER: Duration = Duration::from_secs(10);
/// When nothing was read for so long after the last command was answered, all has been read.
const QUIET: Duration = Duration::from_millis(300);
/// Every session is back, and every command answered, within this.
const DRAINED_WITHIN: Duration = Duration::from_secs(90);
/// What a session has not been told by then is lost.
const SETTLED_WITHIN: Duration = Duration::from_secs(15);
/// Notes of all sessions before they are checked.
const NOTES_MAX: usize = 20_000_000;
/// Organizations that are made, or compared, at once.
const AT_ONCE: usize = 16;

/// Is a process of the generator, until its standard input ends.
pub(crate) fn run() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.context("cannot watch sockets").and_then(|runtime| {
        let local = LocalSet::new();
        let done = local.block_on(&runtime, work());
        // Nothing is waited for that reads standard input or a socket.
        runtime.shutdown_background();
        done
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&Told::Failed(format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

/// Says something to the harness. Without one there is nothing left to do.
fn say(told: &Told) {
    let mut line = serde_json::to_vec(told).expect("what is told can be written");
    line.push(b'\n');
    let mut out = stdout().lock();
    if out.write_all(&line).and_then(|()| out.flush()).is_err() {
        std::process::exit(1);
    }
}

async fn work() -> anyhow::Result<()> {
    let mut lines = BufReader::new(stdin()).lines();
    let Some(plan) = lines.next_line().await? else { return Ok(()) };
    let plan: Plan = serde_json::from_str(&plan).context("the plan cannot be read")?;
    let stage = stage(&plan);
    let world = Rc::clone(&stage.world);
    tokio::select! {
        done = steps(&plan, &stage, &mut lines) => done,
        never = samples(&stage) => never,
        why = world.failure() => bail!(why),
    }
}

fn stage(plan: &Plan) -> Stage {
    let world = Rc::new(World::new(
        plan.addresses.clone(),
        plan.source,
        &plan.token_secret,
        plan.service_token.clone(),
        plan.refs.clone(),
        plan.seed,
    ));
    let (mut organizations, mut sessions, mut driven) = (Vec::new(), Vec::new(), Vec::new());
    let all: usize = plan.shares.iter().map(|share| share.seats.len()).sum();
    for share in &plan.shares {
        let organization = Rc::new(Organization {
            id: share.id.clone(),
            share: share.clone(),
            reader: RefCell::new(Reader::default()),
            sessions: RefCell::default(),
            watched: (share.practice.teams() > 0).then(|| practice::endpoint(1)),
            notes_max: NOTES_MAX / all.max(1),
            full: tokio::sync::Notify::new(),
        });
        for seat in &share.seats {
            let (number, teammate) = (sessions.len(), practice::teammate(seat.teammate));
            let (world, organization) = (Rc::clone(&world), Rc::clone(&organization));
            let (session, told) = Session::new(world, organization, number, teammate, seat.codec());
            tokio::task::spawn_local(life::live(Rc::clone(&session), told));
            session.organization.sessions.borrow_mut().push(Rc::clone(&session));
            if share.drives {
                driven.push(Rc::clone(&session));
            }
            sessions.push(session);
        }
        organizations.push(organization);
    }
    let ledger = |organization| Rc::new(Ledger::new(Rc::clone(&world), Rc::clone(organization)));
    let ledgers = organizations.iter().map(ledger).collect();
    let time = Duration::from_secs_f64(plan.seconds);
    let figures = RefCell::default();
    Stage { world, organizations, ledgers, sessions, driven, time, rate: plan.rate, figures }
}

/// Says how it goes, and notices that the hub is gone.
async fn samples(stage: &Stage) -> anyhow::Result<()> {
    let mut ticks = interval(SAMPLE_EVERY);
    loop {
        ticks.tick().await;
        let world = &stage.world;
        let mut meter = world.meter.borrow_mut();
        say(&Told::Sample(Counts {
            cpu_s: cpu_s(),
            connected: world.connected.get() as u64,
            ready: stage.sessions.iter().filter(|session| session.is_ready()).count() as u64,
            deliveries: meter.deliveries,
            commands: meter.commands,
            reconnects: meter.reconnects,
            p99_ms: p99_ms(&meter.latency_lately),
        }));
        meter.latency_lately.clear();
        let silent = world.heard_at.get().plus(GONE_AFTER).left().is_zero();
        if world.connected.get() == 0
            && silent
            && let Some(why) = world.no_line.borrow().as_ref()
        {
            bail!("the hub is gone: no session is connected for {GONE_AFTER:?}; {why}");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a run are far below 2^52")]
fn p99_ms(times: &Times) -> Option<f64> {
    let histogram = times.histogram();
    (!histogram.is_empty()).then(|| histogram.value_at_quantile(0.99) as f64 / 1e3)
}

/// Processor time of this process, in seconds.
#[expect(clippy::cast_precision_loss, reason = "seconds of a run are far below 2^52")]
fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

async fn steps(plan: &Plan, stage: &Stage, lines: &mut Lines<BufReader<Stdin>>) -> anyhow::Result<()> {
    let mut tally = Tally::default();
    while let Some(line) = lines.next_line().await? {
        let step: Step = serde_json::from_str(&line).context("a step that cannot be read")?;
        match step {
            Step::SetUp => set_up(stage).await?,
            Step::Connect { json } => connect(stage, json).await?,
            Step::Begin => begin(stage).await?,
            Step::Play => play(plan, stage, &mut tally).await?,
            Step::Check => {
                tally.verdict = check(stage).await?;
                fill(stage, &mut tally);
                say(&Told::Tally(Box::new(std::mem::take(&mut tally))));
                continue;
            }
        }
        say(&Told::Did(step));
    }
    Ok(())
}

async fn set_up(stage: &Stage) -> anyhow::Result<()> {
    let driven = stage.organizations.iter().filter(|organization| organization.share.drives);
    stream::iter(driven.map(|organization| setup::set_up(&stage.world, organization)))
        .buffer_unordered(AT_ONCE)
        .try_for_each(|()| async { Ok(()) })
        .await
}

async fn connect(stage: &Stage, json: bool) -> anyhow::Result<()> {
    let speaks = |session: &&Rc<Session>| session.codec.subprotocol().ends_with("json") == json;
    let these: Vec<_> = stage.sessions.iter().filter(speaks).collect();
    stage.world.heard_at.set(Nanos::now());
    for session in &these {
        session.order(Order::Come);
    }
    if !until(CONNECTED_WITHIN, || these.iter().all(|session| session.is_ready())).await {
        let ready = these.iter().filter(|session| session.is_ready()).count();
        let why = stage.world.no_line.borrow().clone().unwrap_or_else(|| "the hub does not answer".into());
        bail!("{ready} of {} sessions were connected within {CONNECTED_WITHIN:?}; last: {why}", these.len());
    }
    Ok(())
}

/// Looks until something is so. False if it has not become so in time.
async fn until(limit: Duration, so: impl Fn() -> bool) -> bool {
    let look = async {
        while !so() {
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(limit, look).await.is_ok()
}

async fn begin(stage: &Stage) -> anyhow::Result<()> {
    // What came about while sessions connected is still on its way to some.
    sleep(QUIET).await;
    examine(stage).await?;
    stage.ledgers.iter().for_each(|ledger| ledger.begin());
    Ok(())
}

async fn examine(stage: &Stage) -> anyhow::Result<()> {
    stream::iter(stage.ledgers.iter().map(|ledger| ledger.examine()))
        .buffer_unordered(AT_ONCE)
        .try_for_each(|()| async { Ok(()) })
        .await
}

/// Checks an organization's notes whenever there are many, so that they do not grow with the run.
async fn examine_on(stage: &Stage) -> anyhow::Result<()> {
    let each = stage.organizations.iter().zip(&stage.ledgers).map(|(organization, ledger)| async move {
        loop {
            organization.full.notified().await;
            ledger.examine().await?;
        }
    });
    futures::future::try_join_all(each).await.map(|_: Vec<()>| ())
}

async fn play(plan: &Plan, stage: &Stage, tally: &mut Tally) -> anyhow::Result<()> {
    stage.world.meter.borrow_mut().on = true;
    let (began, cpu) = (Instant::now(), cpu_s());
    tokio::select! {
        played = plan.scenario.play(stage) => played?,
        broken = examine_on(stage) => broken?,
    }
    tally.played_s = began.elapsed().as_secs_f64();
    drain(stage).await?;
    tally.cpu_s = cpu_s() - cpu;
    Ok(())
}

/// Waits until everybody is back, every command is answered, and nothing more comes.
async fn drain(stage: &Stage) -> anyhow::Result<()> {
    let done = || stage.sessions.iter().all(|session| session.is_ready() && session.unanswered() == 0);
    if !until(DRAINED_WITHIN, done).await {
        let away = stage.sessions.iter().filter(|session| !session.is_ready()).count();
        let unanswered: usize = stage.sessions.iter().map(|session| session.unanswered()).sum();
        let why = stage.world.no_line.borrow().clone().unwrap_or_default();
        bail!(
            "{DRAINED_WITHIN:?} after the end {away} sessions are not back and {unanswered} commands are not answered; {why}"
        );
    }
    loop {
        let before = stage.world.meter.borrow().deliveries;
        sleep(QUIET).await;
        if stage.world.meter.borrow().deliveries == before && stage.world.office.is_idle() {
            return Ok(());
        }
    }
}

async fn check(stage: &Stage) -> anyhow::Result<Verdict> {
    let limit = Instant::now() + SETTLED_WITHIN;
    loop {
        examine(stage).await?;
        if stage.ledgers.iter().all(|ledger| ledger.is_settled()) || Instant::now() > limit {
            break;
        }
        sleep(LOOK_EVERY).await;
    }
    let verdicts = stream::iter(stage.ledgers.iter().map(|ledger| ledger.finish())).buffer_unordered(AT_ONCE);
    let verdicts: Vec<Verdict> = verdicts.try_collect().await?;
    let mut all = Verdict::default();
    for verdict in verdicts {
        all.add(verdict);
    }
    Ok(all)
}

fn fill(stage: &Stage, tally: &mut Tally) {
    let meter = stage.world.meter.borrow();
    tally.deliveries = meter.deliveries;
    tally.commands = meter.commands;
    tally.refused = meter.refused;
    tally.refusals = meter.refusals.iter().map(|(code, count)| ((*code).into(), *count)).collect();
    (tally.catch_ups, tally.resyncs, tally.resets) = (meter.catch_ups, meter.resyncs, meter.resets);
    (tally.row_bytes, tally.rows) = (meter.row_bytes, meter.rows);
    tally.unknown = stage.organizations.iter().map(|organization| organization.reader.borrow().unknown).sum();
    let pack = |times: &Times| Packed::pack(times.histogram());
    tally.latency = pack(&meter.latency);
    tally.commit = pack(&meter.commit);
    tally.revocation = pack(&meter.revocation);
    tally.reconnect = pack(&meter.reconnect);
    tally.lag = pack(&meter.lag);
    tally.figures = stage.figures.borrow().clone();
}
