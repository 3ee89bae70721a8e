//! The floor: what a bare `write()` of the same frame to as many sockets takes, on the same machine in the same run. A hub
//! cannot be faster; how much slower it is says more than any number alone.
//!
//! A process of its own writes, so that what it takes is its own. Readers are here. Both go by the machine's monotonic
//! clock, and latency is from when a round was meant to begin: a round that comes late counts as late.

mod clock;
mod readers;
mod writer;

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use hdrhistogram::Histogram;
use rotunda_servers::Process;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use self::writer::{Order, Told};
use crate::hubs::start_on;

/// What makes the harness's program the writer of the floor.
pub const WRITER_COMMAND: &str = "floor";

/// Rounds before those that count: caches, and the sockets' first windows.
const ROUNDS_WARM: u32 = 5;
/// How much longer than planned it may take.
const LATE_MAX: Duration = Duration::from_secs(30);

/// What is written.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The harness's program, which is the writer as well.
    pub program: PathBuf,
    /// The cores of the writer; all that this process may use if none are named. Readers are where the caller is.
    pub cores: Vec<usize>,
    /// The frame, as its bytes go over a socket.
    pub frame: Vec<u8>,
    /// To how many sockets.
    pub connections: u32,
    /// How often.
    pub rounds_per_second: f64,
    /// For how long, without the rounds before those that count.
    pub lasting: Duration,
}

impl Plan {
    /// A frame to so many sockets, so often a second, written by the program that runs.
    pub fn new(
        frame: Vec<u8>,
        connections: u32,
        rounds_per_second: f64,
        lasting: Duration,
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program does not know its own file")?;
        Ok(Self { program, cores: Vec::new(), frame, connections, rounds_per_second, lasting })
    }
}

/// What it took.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The writer's processor time for one frame to one socket, in microseconds.
    pub cpu_us_per_delivery: f64,
    /// Frames that were read.
    pub deliveries: u64,
    /// From when a round was meant to begin to when a socket's frame was read, in microseconds.
    pub latency: Histogram<u64>,
}

/// Measures the floor. Readers have a thread of their own meanwhile. It ends when nobody waits for it any more.
pub async fn measure(plan: Plan) -> anyhow::Result<Measured> {
    let (_waits, nobody_waits) = oneshot::channel();
    let measured = spawn_blocking(move || measure_here(&plan, nobody_waits)).await?;
    measured.context("the floor could not be measured")
}

/// Is the writer. What it is to do comes on its standard input.
pub fn write() -> ExitCode {
    writer::run()
}

fn measure_here(plan: &Plan, nobody_waits: oneshot::Receiver<Infallible>) -> anyhow::Result<Measured> {
    let order = order(plan)?;
    let mut writer = Writer::start(plan, &order)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Told::Listens(port) = writer.told()? else { bail!("the writer does not listen") };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let connected = runtime.block_on(readers::connect(address, order.connections));
    let streams = connected.context("the readers cannot connect: are there enough file descriptors?")?;
    let Told::Begins(begin) = writer.told()? else { bail!("the writer does not begin") };
    let limit = Duration::from_nanos(order.period) * (order.rounds_warm + order.rounds) + LATE_MAX;
    let read = runtime.block_on(async {
        tokio::select! {
            read = timeout(limit, readers::read(streams, &order, begin)) => Ok(read),
            _ = nobody_waits => bail!("nobody waits for it any more"),
        }
    })?;
    let Ok(read) = read else {
        bail!("a bare write() does not keep this pace: take fewer connections or fewer rounds a second");
    };
    // Why the writer hung up is more than that it did.
    let Told::Took(cpu) = writer.told()? else { bail!("the writer does not say what it took") };
    let latency = read?;
    let deliveries = u64::from(order.rounds) * u64::from(order.connections);
    ensure!(latency.len() == deliveries, "{} of {deliveries} frames were read", latency.len());
    let frames = f64::from(order.rounds) * f64::from(order.connections);
    let cpu_us_per_delivery = Duration::from_nanos(cpu).as_secs_f64() * 1e6 / frames;
    Ok(Measured { cpu_us_per_delivery, deliveries, latency })
}

fn order(plan: &Plan) -> anyhow::Result<Order> {
    ensure!(!plan.frame.is_empty() && plan.connections > 0, "there is nothing to write");
    let period = Duration::try_from_secs_f64(1.0 / plan.rounds_per_second).context("no such rate")?;
    ensure!(!period.is_zero(), "there are too many rounds a second");
    let rounds = u32::try_from(plan.lasting.as_nanos() / period.as_nanos()).context("too many rounds")?;
    ensure!(rounds > 0, "there is no time for a round");
    Ok(Order {
        frame: plan.frame.clone(),
        connections: plan.connections,
        rounds_warm: ROUNDS_WARM,
        rounds,
        period: u64::try_from(period.as_nanos())?,
    })
}

/// The process that writes. Ends when it is dropped.
struct Writer {
    said: BufReader<ChildStdout>,
    _process: Process,
}

impl Writer {
    fn start(plan: &Plan, order: &Order) -> anyhow::Result<Self> {
        let mut command = Command::new(&plan.program);
        command.arg(WRITER_COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = start_on(&plan.cores, || Process::start(&mut command))
            .with_context(|| format!("cannot start {}", plan.program.display()))?;
        let said = BufReader::new(process.child().stdout.take().context("no output")?);
        // It reads until this is closed.
        let told = process.child().stdin.take().context("no input")?;
        serde_json::to_writer(told, order)?;
        Ok(Self { said, _process: process })
    }

    /// The next that it tells.
    fn told(&mut self) -> anyhow::Result<Told> {
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        match serde_json::from_str(&line).with_context(|| format!("the writer says `{}`", line.trim()))? {
            Told::Failed(why) => bail!("the writer failed: {why}"),
            told @ (Told::Listens(_) | Told::Begins(_) | Told::Took(_)) => Ok(told),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_cannot_be_is_told() {
        let plan = |frame: &[u8], connections, rate, lasting| {
            let lasting = Duration::from_millis(lasting);
            order(&Plan::new(frame.to_vec(), connections, rate, lasting).unwrap())
        };
        assert_eq!(plan(b"frame", 1, 20.0, 500).unwrap().rounds, 10);
        for bad in [
            plan(b"", 1, 20.0, 500),
            plan(b"frame", 0, 20.0, 500),
            plan(b"frame", 1, 0.0, 500),
            plan(b"frame", 1, -1.0, 500),
            plan(b"frame", 1, 1e12, 500),
            plan(b"frame", 1, 20.0, 10),
        ] {
            assert!(bad.is_err(), "{bad:?}");
        }
    }
}
