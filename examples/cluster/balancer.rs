//! A balancer in front of the nodes: `haproxy`, if it is installed. Connections go to the node with the fewest, and none
//! to one that does not say it is ready.

use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;
use rotunda_servers::{Process, free_port};

/// Where it is: not all users have Debian's place on their path.
const PROGRAMS: [&str; 2] = ["haproxy", "/usr/sbin/haproxy"];
/// How long it may take to start.
const START_MAX: Duration = Duration::from_secs(10);
/// How often it is asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// A session may be silent for 25 s, and is ended by the hub when it is for too long: the balancer has only to wait
/// longer. A node that drains gets nothing new and keeps its sessions, which it sends away itself.
const SETTINGS: &str = "\
defaults
  mode tcp
  timeout connect 1s
  timeout client 2m
  timeout server 2m
  retries 3
  option redispatch 1
  option httpchk GET /readyz
  default-server check inter 500ms fall 1 rise 1

listen rotunda
  balance leastconn
";

/// The balancer.
pub(crate) struct Balancer {
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
}

impl Balancer {
    /// Starts it and waits until it listens; none if it is not installed.
    pub(crate) fn start(folder: &Path, nodes: &[SocketAddr]) -> anyhow::Result<Option<Self>> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let file = folder.join("haproxy.cfg");
        std::fs::write(&file, settings(address, nodes))?;
        let Some(process) = launch(&file)? else { return Ok(None) };
        let mut balancer = Self { address, process };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            let waits = balancer.process.is_running() && began.elapsed() < START_MAX;
            ensure!(waits, "HAProxy does not start with {}", file.display());
            std::thread::sleep(ASK_EVERY);
        }
        Ok(Some(balancer))
    }
}

fn settings(address: SocketAddr, nodes: &[SocketAddr]) -> String {
    let mut settings = format!("{SETTINGS}  bind {address}\n");
    for (place, node) in nodes.iter().enumerate() {
        writeln!(settings, "  server node{} {node}", place + 1).expect("text can be written to");
    }
    settings
}

fn launch(file: &Path) -> io::Result<Option<Process>> {
    for program in PROGRAMS {
        let mut command = Command::new(program);
        command.arg("-q").arg("-db").arg("-f").arg(file).stdin(Stdio::null()).stdout(Stdio::null());
        match Process::start(&mut command) {
            Ok(process) => return Ok(Some(process)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
