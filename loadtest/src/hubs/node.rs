//! A hub that the harness has started: one process after the other at one address.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rotunda_servers::Process;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::time::sleep;

use super::place::Place;
use super::port::port;
use super::probe;
use super::usage::{Account, Usage};

/// How long a hub may take until it is ready: a debug build that sets up a database, on a busy machine.
const START_MAX: Duration = Duration::from_mins(1);
/// How long a hub may take to let its sessions go: much longer than its own limit.
const DRAIN_MAX: Duration = Duration::from_mins(1);
/// How often it is looked meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How much is told of what a hub said last.
const LAST_WORDS_BYTES: u64 = 2048;

/// A hub that the harness has started.
pub(super) struct Node {
    number: usize,
    pub(super) address: SocketAddr,
    state: Mutex<State>,
}

/// Its process, and what all of them took.
struct State {
    run: Run,
    account: Account,
}

/// How its process is.
enum Run {
    Up(Process),
    /// It was told to end.
    Leaving(Process),
    /// It was told to end, and has.
    Ended,
    /// Nobody told it to end, and it has.
    Died(ExitStatus),
}

impl Node {
    /// Starts a hub on a free port and waits until it is ready. Nodes count from 0, as [`super::Target`] has them.
    pub(super) async fn start(place: &Place, number: usize) -> anyhow::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port()?));
        let process = place.start(number, address).context("the hub's program cannot be started")?;
        let account = Account::of(process.id());
        let state = Mutex::new(State { run: Run::Up(process), account });
        let node = Self { number, address, state };
        node.until_ready(place).await?;
        Ok(node)
    }

    /// Starts a hub that has ended, where it was, and waits until it is ready.
    pub(super) async fn start_again(&self, place: &Place) -> anyhow::Result<()> {
        {
            let mut state = self.state();
            state.settle()?;
            ensure!(state.run.process().is_none(), "node {} runs: end it first", self.number);
            let process = place.start(self.number, self.address)?;
            state.account.replace(process.id());
            state.run = Run::Up(process);
        }
        self.until_ready(place).await
    }

    /// Ends it at once, as a failing machine would.
    pub(super) fn kill(&self) -> anyhow::Result<()> {
        let mut state = self.state();
        let pid = state.leave(self.number, Signal::KILL)?;
        // It is not taken off the kernel's hands yet, which knows what it took until then.
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
        state.settle()
    }

    /// Tells it to let its sessions go, and waits until it has ended; tells how long that took.
    pub(super) async fn drain(&self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        self.state().leave(self.number, Signal::TERM)?;
        while self.is_there()? {
            ensure!(
                began.elapsed() < DRAIN_MAX,
                "node {} does not end: it was told to {} s ago",
                self.number,
                DRAIN_MAX.as_secs()
            );
            sleep(LOOK_EVERY).await;
        }
        Ok(began.elapsed())
    }

    /// What its processes took.
    pub(super) fn usage(&self) -> Usage {
        self.state().account.look()
    }

    /// What it said last, if it has ended and nobody told it to.
    pub(super) fn ended(&self, place: &Place) -> anyhow::Result<Option<String>> {
        let mut state = self.state();
        state.settle()?;
        let Run::Died(status) = &state.run else { return Ok(None) };
        let words = last_words(&place.log(self.number)).unwrap_or_default();
        let words = if words.is_empty() { "nothing".into() } else { format!("\n{words}") };
        Ok(Some(format!(
            "node {} at {} has ended by itself ({status}) and said last: {words}",
            self.number, self.address
        )))
    }

    async fn until_ready(&self, place: &Place) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            if let Some(ended) = self.ended(place)? {
                bail!("the hub does not start: {ended}");
            }
            match probe::ready(self.address).await {
                Ok(()) => return Ok(()),
                Err(why) if began.elapsed() > START_MAX => {
                    return Err(why.context(format!("the hub is not ready after {} s", START_MAX.as_secs())));
                }
                Err(_) => sleep(LOOK_EVERY).await,
            }
        }
    }

    fn is_there(&self) -> anyhow::Result<bool> {
        let mut state = self.state();
        state.settle()?;
        Ok(state.run.process().is_some())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    fn process(&self) -> Option<&Process> {
        match self {
            Self::Up(process) | Self::Leaving(process) => Some(process),
            Self::Ended | Self::Died(_) => None,
        }
    }
}

impl State {
    /// Tells the process to end.
    fn leave(&mut self, number: usize, signal: Signal) -> anyhow::Result<Pid> {
        self.settle()?;
        let pid = self.run.process().with_context(|| format!("node {number} does not run"))?.id();
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("that is no pid")?;
        kill_process(pid, signal)?;
        self.run = match std::mem::replace(&mut self.run, Run::Ended) {
            Run::Up(process) | Run::Leaving(process) => Run::Leaving(process),
            run @ (Run::Ended | Run::Died(_)) => run,
        };
        Ok(pid)
    }

    /// Takes note of a process that has ended, and of what it took before it is forgotten.
    fn settle(&mut self) -> anyhow::Result<()> {
        let Some(process) = self.run.process() else { return Ok(()) };
        let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw).context("that is no pid")?;
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if waitid(WaitId::Pid(pid), look)?.is_none() {
            return Ok(());
        }
        self.account.close();
        self.run = match std::mem::replace(&mut self.run, Run::Ended) {
            Run::Up(mut process) => Run::Died(process.wait()?),
            // Its end takes it off the kernel's hands.
            Run::Leaving(_) | Run::Ended => Run::Ended,
            Run::Died(status) => Run::Died(status),
        };
        Ok(())
    }
}

/// The last lines of a file.
fn last_words(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let mut last = Vec::new();
    file.seek(SeekFrom::Start(bytes.saturating_sub(LAST_WORDS_BYTES)))?;
    file.take(LAST_WORDS_BYTES).read_to_end(&mut last)?;
    let text = String::from_utf8_lossy(&last);
    // The first line may be half of one.
    let whole =
        if bytes > LAST_WORDS_BYTES { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
    Ok(whole.trim_end().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_whole_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(last_words(&path).unwrap(), "one\ntwo");
        let line = format!("{}\n", "x".repeat(99));
        std::fs::write(&path, line.repeat(100)).unwrap();
        assert_eq!(last_words(&path).unwrap(), line.repeat(20).trim_end());
    }
}
