//! Where a run is made.

use anyhow::Context;
use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::system::uname;

use crate::report::Machine;

/// What the machine is, with how busy it was before the run.
pub(super) fn machine(load: f64) -> Machine {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).and_then(|line| line.split_once(':'));
        line.map(|(_, value)| value.trim().to_owned())
    };
    let kilobytes = field(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    // All of them, also if this process keeps to some.
    let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
    Machine {
        cpu: field(&cpus, "model name").unwrap_or_else(|| std::env::consts::ARCH.into()),
        cores: cores as u64,
        memory_bytes: kilobytes.unwrap_or(0) * 1024,
        kernel: uname().release().to_string_lossy().into_owned(),
        load,
    }
}

/// Processes that waited during the last minute, on average.
pub(super) fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0.0)
}

/// Lets this process and those that it starts hold as many sockets as they may.
pub(super) fn raise_descriptors() -> anyhow::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("cannot raise the limit of open files")
}
