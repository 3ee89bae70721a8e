//! What processes take, read from the kernel: a handful of system calls a look, cheap enough for several a second.

use std::io;
use std::iter::Sum;
use std::ops::Add;
use std::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

/// What processes took since they began, all together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time, for itself and in the kernel. It is read from the process's own CPU clock, which counts
    /// nanoseconds, and threads that have ended; `/proc/PID/stat` has ticks of 10 ms, and `/proc/PID/schedstat` forgets
    /// a thread when it ends.
    pub cpu: Duration,
    /// Resident memory now, `VmRSS` of `/proc/PID/status`. The kernel keeps it a core at a time and adds it up roughly:
    /// it may be wrong by some 128 KiB a core. What is exact, `smaps_rollup`, walks all pages and holds the process up.
    pub resident_bytes: u64,
    /// Calls of the `read` and `write` family, `syscr` and `syscw` of `/proc/PID/io`: on files, pipes and sockets,
    /// vectored ones too. What goes by `recv` and `send` and their kin is not in it, nor is waiting (`epoll_wait`): of a
    /// hub this counts its database and what it answers over HTTP, and not what it writes to its
    /// sessions. Those of children that it has waited for are in it, too.
    pub calls: u64,
    /// Threads now.
    pub threads: u64,
}

impl Usage {
    /// What a process took. A process that has ended still tells until it is waited for.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let io = std::fs::read_to_string(format!("/proc/{pid}/io"))?;
        Self::told(cpu(pid)?, &status, &io)
            .ok_or_else(|| io::Error::other(format!("/proc/{pid} is not as expected")))
    }

    fn told(cpu: Duration, status: &str, io: &str) -> Option<Self> {
        Some(Self {
            cpu,
            // What has ended has none.
            resident_bytes: number(status, "VmRSS:").unwrap_or_default() * 1024,
            calls: number(io, "syscr:")? + number(io, "syscw:")?,
            threads: number(status, "Threads:")?,
        })
    }

    /// What stays of it when the process has ended.
    fn ended(self) -> Self {
        Self { resident_bytes: 0, threads: 0, ..self }
    }
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            resident_bytes: self.resident_bytes + other.resident_bytes,
            calls: self.calls + other.calls,
            threads: self.threads + other.threads,
        }
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

fn cpu(pid: u32) -> io::Result<Duration> {
    let pid = Pid::from_raw(i32::try_from(pid).map_err(io::Error::other)?);
    let clock: ClockId = clock_getcpuclockid(pid)?;
    Ok(Duration::from(clock.now()?))
}

/// The number of the line that begins with this name.
fn number(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}

/// What the processes at one address took, one after the other: it never falls when one is replaced, but for memory and
/// threads, which are of now.
#[derive(Debug)]
pub(super) struct Account {
    pid: Option<u32>,
    last: Usage,
    before: Usage,
}

impl Account {
    pub(super) fn of(pid: u32) -> Self {
        Self { pid: Some(pid), last: Usage::default(), before: Usage::default() }
    }

    /// What was taken until now; the last that was seen if the process is gone.
    pub(super) fn look(&mut self) -> Usage {
        if let Some(pid) = self.pid {
            self.last = Usage::of(pid).unwrap_or_else(|_| self.last.ended());
        }
        self.before + self.last
    }

    /// The process has ended. It should not have been waited for yet: then nothing of what it took is missed.
    pub(super) fn close(&mut self) {
        self.before = self.look().ended();
        self.last = Usage::default();
        self.pid = None;
    }

    /// Another process takes the place of the one before.
    pub(super) fn replace(&mut self, pid: u32) {
        self.close();
        self.pid = Some(pid);
    }

    /// The process of somebody else, if it has ended since.
    pub(super) fn gone(&self) -> Option<u32> {
        self.pid.filter(|pid| Usage::of(*pid).map_or(0, |usage| usage.resident_bytes) == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str =
        "Name:\trotunda\nState:\tS (sleeping)\nVmPeak:\t  900 kB\nVmRSS:\t    1432 kB\nThreads:\t3\n";
    const IO: &str = "rchar: 7\nwchar: 9\nsyscr: 10\nsyscw: 32\nread_bytes: 4096\n";

    #[test]
    fn what_the_kernel_tells_is_understood() {
        let cpu = Duration::from_nanos(5);
        let usage = Usage::told(cpu, STATUS, IO).unwrap();
        assert_eq!(usage, Usage { cpu, resident_bytes: 1432 * 1024, calls: 42, threads: 3 });
        let ended = Usage::told(cpu, "State:\tZ (zombie)\nThreads:\t1\n", IO).unwrap();
        assert_eq!(ended.resident_bytes, 0);
        assert_eq!(Usage::told(cpu, STATUS, "nothing of it"), None);
    }

    #[test]
    fn a_process_tells_what_it_took() {
        let before = Usage::of(std::process::id()).unwrap();
        let mut spent = 0_u64;
        while cpu(std::process::id()).unwrap() <= before.cpu {
            spent += 1;
        }
        let after = Usage::of(std::process::id()).unwrap();
        assert!(after.cpu > before.cpu && after.calls > before.calls, "{before:?} {after:?} {spent}");
        assert!(after.resident_bytes > 1_000_000 && after.threads >= 1, "{after:?}");
    }

    #[test]
    fn nothing_is_forgotten_when_a_process_is_replaced() {
        let mut account = Account::of(std::process::id());
        let first = account.look();
        account.close();
        let closed = account.look();
        assert!(closed.cpu >= first.cpu && closed.calls >= first.calls);
        assert_eq!((closed.resident_bytes, closed.threads), (0, 0));
        account.replace(std::process::id());
        let second = account.look();
        assert!(second.cpu >= closed.cpu + first.cpu && second.resident_bytes > 0);
        assert_eq!(account.gone(), None);
    }
}
