//! Which cores a hub runs on, so that it and who makes the load do not take each other's.

use std::io;
use std::thread;

use anyhow::ensure;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores that this process may use, in two halves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cores {
    /// What the hub runs on.
    pub hub: Vec<usize>,
    /// What is left for who makes the load.
    pub left: Vec<usize>,
}

impl Cores {
    /// Splits the cores that this process may use; the hub has the smaller half.
    pub fn split() -> anyhow::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut hub: Vec<_> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
        ensure!(
            hub.len() > 1,
            "there is one core only, so the hub cannot have one of its own: leave out --pin"
        );
        let left = hub.split_off(hub.len() / 2);
        Ok(Self { hub, left })
    }
}

/// Has this thread run on these cores only, and the threads and processes that it starts from now on; everywhere if none
/// are named.
pub fn pin_this_thread(cores: &[usize]) -> io::Result<()> {
    if cores.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// Starts something on these cores. A process has the cores of the thread that starts it, from its first instruction;
/// one that is moved later has threads that stay behind.
pub(crate) fn start_on<T: Send>(
    cores: &[usize],
    start: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    if cores.is_empty() {
        return start();
    }
    let pinned = || {
        pin_this_thread(cores)?;
        start()
    };
    thread::scope(|scope| scope.spawn(pinned).join())
        .unwrap_or_else(|_| Err(io::Error::other("what starts a process has failed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_started_has_its_cores_and_who_starts_it_keeps_theirs() {
        let Ok(cores) = Cores::split() else { return };
        assert!(!cores.hub.is_empty() && cores.left.len() >= cores.hub.len());
        let before = sched_getaffinity(None).unwrap();
        let inside = start_on(&cores.hub, || Ok(sched_getaffinity(None)?)).unwrap();
        assert!(cores.hub.iter().all(|core| inside.is_set(*core)));
        assert!(cores.left.iter().all(|core| !inside.is_set(*core)));
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
