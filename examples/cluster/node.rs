//! A node in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ChildStdout, Command, Stdio};

use anyhow::Context;
use rotunda_servers::Process;

use crate::revival::Revival;

/// What nodes share.
pub(crate) struct Place {
    /// The hub's program.
    pub(crate) program: PathBuf,
    /// The URL of their database.
    pub(crate) store: String,
    /// The URL of what they tell each other by.
    pub(crate) bus: String,
    /// The folder with their secrets.
    pub(crate) data: PathBuf,
}

/// A node.
pub(crate) struct Node {
    pub(crate) number: usize,
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
    pub(crate) revival: Revival,
    /// What it says is not lost on it while this is there.
    _output: BufReader<ChildStdout>,
}

impl Node {
    /// Starts it on a free port, and waits until it is open.
    pub(crate) fn start(place: &Place, number: usize) -> anyhow::Result<Self> {
        Self::start_at(place, number, SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts it where it was.
    pub(crate) fn start_again(&mut self, place: &Place) -> anyhow::Result<()> {
        *self = Self::start_at(place, self.number, self.address)?;
        Ok(())
    }

    fn start_at(place: &Place, number: usize, listen: SocketAddr) -> anyhow::Result<Self> {
        let mut command = Command::new(&place.program);
        command.args(["demo", "--listen", &listen.to_string(), "--store", &place.store, "--bus", &place.bus]);
        command.arg("--data").arg(&place.data);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::start(&mut command)?;
        let (output, problems) = (process.child().stdout.take(), process.child().stderr.take());
        let (mut output, problems) =
            (BufReader::new(output.context("no output")?), problems.context("none")?);
        std::thread::spawn(move || {
            for line in BufReader::new(problems).lines().map_while(Result::ok) {
                eprintln!("node {number}: {line}");
            }
        });
        let address = opened(&mut output).with_context(|| format!("node {number} does not open"))?;
        Ok(Self { number, address, process, revival: Revival::default(), _output: output })
    }
}

/// Where a demo says that it is open.
fn opened(output: &mut impl BufRead) -> Option<SocketAddr> {
    let open = output.lines().map_while(Result::ok).find(|line| line.contains("is open at"))?;
    open.split("http://").nth(1)?.split(' ').next()?.parse().ok()
}
