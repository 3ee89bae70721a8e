//! The real program as a process of its own, in a folder that it keeps its port, its log and, unless told otherwise,
//! its data in. It can be frozen, told to end, and killed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rotunda_servers::{Process, free_port};
use tokio::net::TcpStream;

use super::Node;
use super::node::{SECRET, SERVICE_SECRET};

/// A hub that does not listen by then never does.
const START_MAX: Duration = Duration::from_secs(20);
/// Lines of its log that are shown when a test fails.
const LOG_LINES: usize = 40;

/// A hub in a process of its own, killed when it is no longer needed.
pub(crate) struct Hub {
    pub(crate) process: Process,
    pub(crate) node: Node,
    home: PathBuf,
}

impl Hub {
    /// How it is started: with the flags' own defaults, but for `more`.
    pub(crate) fn command(home: &Path, more: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rotunda"));
        command
            .arg("serve")
            .env("ROTUNDA_DATA", home)
            .env("ROTUNDA_TOKEN_SECRET", SECRET)
            .env("ROTUNDA_SERVICES", format!("test:{SERVICE_SECRET}"))
            .env("ROTUNDA_DRAIN_SECONDS", "1")
            .env("ROTUNDA_LISTEN", format!("127.0.0.1:{}", Self::port(home)))
            .env("NO_COLOR", "1")
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// A free port, the same for the same folder.
    fn port(home: &Path) -> u16 {
        let file = home.join("port");
        if let Ok(port) = fs::read_to_string(&file) {
            return port.parse().unwrap();
        }
        let port = free_port().unwrap();
        fs::write(&file, port.to_string()).unwrap();
        port
    }

    pub(crate) async fn running(home: &Path) -> Self {
        Self::running_with(home, &[]).await
    }

    pub(crate) async fn running_with(home: &Path, more: &[(&str, &str)]) -> Self {
        let log = File::options().create(true).append(true).open(home.join("log")).unwrap();
        let process = Process::start(Self::command(home, more).stderr(log)).unwrap();
        let address = ([127, 0, 0, 1], Self::port(home)).into();
        let mut hub = Self { process, node: Node { address }, home: home.to_owned() };
        let began = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            assert!(hub.process.is_running(), "the hub has ended: {}", hub.log());
            assert!(began.elapsed() < START_MAX, "the hub does not listen: {}", hub.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        hub
    }

    /// Its resident memory, in bytes.
    pub(crate) fn resident(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
    }

    /// Sends it a signal by its name, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name).unwrap();
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
    }

    /// What it has written into its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.join("log")).unwrap_or_default()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
            eprintln!("the log of {} ends with:\n{last}", self.node.address);
        }
    }
}
