//! The process that writes: one thread, one blocking `write()` for each frame, nothing else. What it is to do comes as a
//! line of JSON on its standard input, and each further line is a turn; what it did goes as lines of JSON to its standard
//! output.

use std::io::{BufRead, Write, stdin, stdout};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use super::clock;

/// From the word to a turn's first round, in nanoseconds: enough for the readers to begin.
const LEAD: u64 = 200_000_000;

/// What is to be written.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) frame: Vec<u8>,
    pub(super) connections: u32,
    /// Rounds of a turn that are not counted, before those that are.
    pub(super) rounds_warm: u32,
    pub(super) rounds: u32,
    /// From one round to the next, in nanoseconds.
    pub(super) period: u64,
}

/// What the writer tells.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    /// Where it waits for the connections.
    Listens(u16),
    /// When the first round of a turn begins, by the monotonic clock in nanoseconds.
    Begins(u64),
    /// Its processor time over the turn's rounds that count, in nanoseconds.
    Took(u64),
    /// Why it did not do it.
    Failed(String),
}

/// Does what the standard input says, until that ends.
pub(super) fn run() -> ExitCode {
    let Err(error) = obey() else { return ExitCode::SUCCESS };
    // Without anybody to tell, nobody wants to know.
    drop(tell(&Told::Failed(format!("{error:#}"))));
    ExitCode::FAILURE
}

fn obey() -> anyhow::Result<()> {
    let mut lines = stdin().lock().lines();
    let order: Order = serde_json::from_str(&lines.next().context("no order")??)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    tell(&Told::Listens(listener.local_addr()?.port()))?;
    let sockets = accept(&listener, order.connections)?;
    for turn in lines {
        turn?;
        let begin = clock::now() + LEAD;
        tell(&Told::Begins(begin))?;
        rounds(&order, &sockets, begin, order.rounds_warm)?;
        let before = clock::cpu();
        rounds(&order, &sockets, begin + u64::from(order.rounds_warm) * order.period, order.rounds)?;
        tell(&Told::Took(clock::cpu() - before))?;
    }
    Ok(())
}

fn accept(listener: &TcpListener, count: u32) -> anyhow::Result<Vec<TcpStream>> {
    let accepted = (0..count).map(|number| {
        let (socket, _) = listener.accept().with_context(|| format!("connection {number} of {count}"))?;
        socket.set_nodelay(true)?;
        Ok(socket)
    });
    accepted.collect()
}

/// Each round has its own moment, however long the one before took.
fn rounds(order: &Order, sockets: &[TcpStream], begin: u64, count: u32) -> anyhow::Result<()> {
    for round in 0..count {
        clock::sleep_until(begin + u64::from(round) * order.period)?;
        for socket in sockets {
            let written = rustix::io::write(socket, &order.frame)?;
            ensure!(
                written == order.frame.len(),
                "a socket took {written} of {} bytes: a frame this long is no single write",
                order.frame.len()
            );
        }
    }
    Ok(())
}

fn tell(told: &Told) -> anyhow::Result<()> {
    let mut line = serde_json::to_string(told)?;
    line.push('\n');
    let mut out = stdout().lock();
    out.write_all(line.as_bytes())?;
    Ok(out.flush()?)
}
