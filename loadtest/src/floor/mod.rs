//! The floor: what a bare `write()` of the same frame to as many sockets takes, on the same machine in the same run. A hub
//! cannot be faster; how much slower it is says more than any number alone.
//!
//! It is measured in turns, between those of the hub: what slows the machine for some seconds slows both. A process of its
//! own writes, so that what it takes is its own. Readers are here. Both go by the machine's monotonic clock, and latency is
//! from when a round was meant to begin: a round that comes late counts as late.

mod clock;
mod readers;
mod writer;

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use hdrhistogram::Histogram;
use rotunda_servers::Process;
use rustix::thread::{sched_getaffinity, sched_setaffinity};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use self::writer::{Order, Told};
use crate::hubs::start_on;

/// What makes the harness's program the writer of the floor.
pub const WRITER_COMMAND: &str = "floor";

/// Rounds of a turn before those that count: caches, and at first the sockets' windows.
const ROUNDS_WARM: u32 = 5;
/// How much longer than planned a turn may take.
const LATE_MAX: Duration = Duration::from_secs(30);

/// What is written.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The harness's program, which is the writer as well.
    pub program: PathBuf,
    /// The cores of the writer; all that this process may use if none are named. Readers are where the thread is that
    /// asks for a turn.
    pub cores: Vec<usize>,
    /// The frame, as its bytes go over a socket.
    pub frame: Vec<u8>,
    /// To how many sockets.
    pub connections: u32,
    /// How often.
    pub rounds_per_second: f64,
    /// For how long in a turn, without the rounds before those that count.
    pub turn: Duration,
}

impl Plan {
    fn order(&self) -> anyhow::Result<Order> {
        ensure!(!self.frame.is_empty() && self.connections > 0, "there is nothing to write");
        let period = Duration::try_from_secs_f64(1.0 / self.rounds_per_second).context("no such rate")?;
        ensure!(!period.is_zero(), "there are too many rounds a second");
        let rounds = u32::try_from(self.turn.as_nanos() / period.as_nanos()).context("too many rounds")?;
        ensure!(rounds > 0, "there is no time for a round");
        Ok(Order {
            frame: self.frame.clone(),
            connections: self.connections,
            rounds_warm: ROUNDS_WARM,
            rounds,
            period: u64::try_from(period.as_nanos())?,
        })
    }
}

/// What all turns together took.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The writer's processor time.
    pub cpu: Duration,
    /// Frames that were read.
    pub deliveries: u64,
    /// From when a round was meant to begin to when a socket's frame was read, in microseconds.
    pub latency: Histogram<u64>,
}

impl Measured {
    /// The writer's processor time for one frame to one socket, in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "deliveries of a run are far below 2^52")]
    pub fn cpu_us_per_delivery(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.deliveries as f64
    }
}

/// A writer and its readers, all connected. The writer ends when this is dropped.
pub struct Floor {
    writer: Writer,
    order: Order,
    sockets: Vec<TcpStream>,
    measured: Measured,
}

impl Floor {
    /// Starts the writer and connects the readers. Whoever no longer waits for it ends it all the same.
    pub async fn start(plan: Plan) -> anyhow::Result<Self> {
        let started = on_a_thread(move || Self::start_here(&plan)).await;
        started.context("the floor cannot be measured")
    }

    /// A turn. Readers have a thread of their own meanwhile. It ends when nobody waits for it any more.
    pub async fn turn(mut self) -> anyhow::Result<Self> {
        let (_waits, nobody_waits) = oneshot::channel();
        let taken = on_a_thread(move || self.turn_here(nobody_waits).map(|()| self)).await;
        taken.context("the floor could not be measured")
    }

    /// How long the frame is.
    pub fn frame_bytes(&self) -> usize {
        self.order.frame.len()
    }

    /// What the turns so far took.
    pub fn measured(&self) -> &Measured {
        &self.measured
    }

    fn start_here(plan: &Plan) -> anyhow::Result<Self> {
        let order = plan.order()?;
        let mut writer = Writer::start(plan, &order)?;
        let Told::Listens(port) = writer.told()? else { bail!("the writer does not listen") };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let sockets = readers::connect(address, order.connections)
            .context("the readers cannot connect: are there enough file descriptors?")?;
        let measured = Measured { cpu: Duration::ZERO, deliveries: 0, latency: readers::no_latency()? };
        Ok(Self { writer, order, sockets, measured })
    }

    fn turn_here(&mut self, nobody_waits: oneshot::Receiver<Infallible>) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        self.writer.tell_turn();
        let Told::Begins(begin) = self.writer.told()? else { bail!("the writer does not begin") };
        let order = &self.order;
        let limit = Duration::from_nanos(order.period) * (order.rounds_warm + order.rounds) + LATE_MAX;
        let sockets = std::mem::take(&mut self.sockets);
        let read = runtime.block_on(async {
            tokio::select! {
                read = timeout(limit, readers::read(sockets, order, begin)) => Ok(read),
                _ = nobody_waits => bail!("nobody waits for it any more"),
            }
        })?;
        let Ok(read) = read else {
            bail!("a bare write() does not keep this pace: take fewer connections or fewer rounds a second");
        };
        // Why the writer hung up is more than that it did.
        let Told::Took(cpu) = self.writer.told()? else { bail!("the writer does not say what it took") };
        let (sockets, latency) = read?;
        let deliveries = u64::from(order.rounds) * u64::from(order.connections);
        ensure!(latency.len() == deliveries, "{} of {deliveries} frames were read", latency.len());
        self.sockets = sockets;
        self.measured.cpu += Duration::from_nanos(cpu);
        self.measured.deliveries += deliveries;
        self.measured.latency.add(latency)?;
        Ok(())
    }
}

/// Has something done on a thread that keeps to the caller's cores: one of Tokio's, which may be older than those, and for
/// which a runtime that ends waits.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let cores = sched_getaffinity(None)?;
    let pinned = move || {
        sched_setaffinity(None, &cores)?;
        work()
    };
    spawn_blocking(pinned).await?
}

/// Is the writer. What it is to do comes on its standard input.
pub fn write() -> ExitCode {
    writer::run()
}

/// The process that writes. Ends when it is dropped.
struct Writer {
    to: ChildStdin,
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
        let mut to = process.child().stdin.take().context("no input")?;
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        to.write_all(&line)?;
        Ok(Self { to, said, _process: process })
    }

    /// Tells it to take a turn.
    fn tell_turn(&mut self) {
        // One that has ended says why by its last line.
        drop(self.to.write_all(b"\n"));
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
    use crate::hubs::{Cores, pin_this_thread};

    #[tokio::test]
    async fn readers_are_where_the_caller_is_not_where_tokios_threads_are() {
        let Ok(cores) = Cores::split() else { return };
        tokio::task::spawn_blocking(|| {}).await.unwrap();
        pin_this_thread(&cores.left).unwrap();
        let there = on_a_thread(|| Ok(sched_getaffinity(None)?)).await.unwrap();
        assert_eq!(there, sched_getaffinity(None).unwrap());
    }

    #[test]
    fn a_plan_that_cannot_be_is_told() {
        let order = |frame: &[u8], connections, rounds_per_second, turn| {
            let (program, cores, frame) = (PathBuf::new(), Vec::new(), frame.to_vec());
            let turn = Duration::from_millis(turn);
            Plan { program, cores, frame, connections, rounds_per_second, turn }.order()
        };
        assert_eq!(order(b"frame", 1, 20.0, 500).unwrap().rounds, 10);
        for bad in [
            order(b"", 1, 20.0, 500),
            order(b"frame", 0, 20.0, 500),
            order(b"frame", 1, 0.0, 500),
            order(b"frame", 1, -1.0, 500),
            order(b"frame", 1, 1e12, 500),
            order(b"frame", 1, 20.0, 10),
        ] {
            assert!(bad.is_err(), "{bad:?}");
        }
    }
}
