//! One process of the generator: does one step after the other as the harness tells it to.

mod books;
mod ledger;
mod scenery;
mod steps;

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};
use tokio::task::LocalSet;
use tokio::time::interval;

use self::steps::Work;
use crate::client::meter::Times;
use crate::load::stage::Stage;
use crate::plan::Plan;
use crate::wire::{Counts, Step, Told};

/// How often it says how it goes, and how often with how long deliveries took.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
const LATENCY_EVERY: usize = 2;
/// With not one session connected and nothing heard for so long, the hub is gone.
const GONE_AFTER: Duration = Duration::from_secs(10);

/// Is a process of the generator, until its standard input ends.
pub(crate) fn run() -> ExitCode {
    // A session that panics would only be missing: then nothing can be believed.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        hook(panic);
        std::process::exit(101);
    }));
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
    let stage = Rc::new(scenery::stage(&plan));
    let world = Rc::clone(&stage.world);
    let work = Work::new(plan, Rc::clone(&stage));
    tokio::select! {
        done = steps(work, &mut lines) => done,
        never = samples(&stage) => never,
        why = world.failure() => bail!(why),
    }
}

/// Does each step that it is told, and says so.
async fn steps(mut work: Work, lines: &mut Lines<BufReader<Stdin>>) -> anyhow::Result<()> {
    while let Some(line) = lines.next_line().await? {
        let step: Step = serde_json::from_str(&line).context("a step that cannot be read")?;
        match step {
            Step::SetUp => work.set_up().await?,
            Step::Connect { which } => work.connect(which).await?,
            Step::Begin => work.begin().await?,
            Step::Play => {
                work.play().await?;
                say(&sample(&work.stage, true));
            }
            Step::Check => {
                say(&Told::Tally(Box::new(work.check().await?)));
                continue;
            }
        }
        say(&Told::Did(step));
    }
    Ok(())
}

/// Says how it goes, and notices that the hub is gone.
async fn samples(stage: &Stage) -> anyhow::Result<()> {
    let mut ticks = interval(SAMPLE_EVERY);
    let mut number: usize = 0;
    loop {
        ticks.tick().await;
        number += 1;
        say(&sample(stage, number.is_multiple_of(LATENCY_EVERY)));
        let world = &stage.world;
        let silent = world.heard_at.get().plus(GONE_AFTER).left().is_zero();
        if world.connected.get() == 0
            && silent
            && let Some(why) = world.no_line.borrow().as_ref()
        {
            bail!("the hub is gone: no session is connected for {GONE_AFTER:?}; {why}");
        }
    }
}

/// How it goes. With the latency of a while, the next while begins.
fn sample(stage: &Stage, with_latency: bool) -> Told {
    let world = &stage.world;
    let mut meter = world.meter.borrow_mut();
    let counts = Counts {
        cpu_s: cpu_s(),
        connected: world.connected.get() as u64,
        ready: stage.sessions.iter().filter(|session| session.is_ready()).count() as u64,
        deliveries: meter.deliveries,
        commands: meter.commands,
        reconnects: meter.reconnects,
        row_bytes: meter.row_bytes,
        rows: meter.rows,
        p99_ms: if with_latency { p99_ms(&meter.latency_lately) } else { None },
    };
    if with_latency {
        meter.latency_lately.clear();
    }
    Told::Sample(counts)
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
