//! Redis servers of one's own: a single one, or a cluster.

mod certificates;
mod cluster;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use self::certificates::{AUTHORITY, CERTIFICATE, KEY, make_certificates};
use crate::process::{Process, free_port};

pub use self::cluster::RedisCluster;

/// How long a server may take until it answers.
const START_MAX: Duration = Duration::from_secs(10);
/// How often it is asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// How a server is asked for what it holds.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What everybody has to say first.
    pub password: Option<String>,
    /// It is reached over TLS only, with a certificate by an authority of its own.
    pub tls: bool,
}

/// What a member of a cluster has more.
#[derive(Debug)]
struct Member {
    /// The port that the members talk to each other on.
    port: u16,
    /// Where the certificates of all members are.
    certificates: PathBuf,
}

/// A Redis server that keeps nothing. Ends when it is dropped.
#[derive(Debug)]
pub struct Redis {
    settings: Settings,
    member: Option<Member>,
    port: u16,
    process: Process,
    folder: TempDir,
}

impl Redis {
    /// Starts a server that anybody on this machine may ask.
    pub fn start() -> io::Result<Self> {
        Self::start_with(Settings::default())
    }

    /// Starts one that is set up like this, and waits until it answers.
    pub fn start_with(settings: Settings) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        if settings.tls {
            make_certificates(folder.path())?;
        }
        Self::start_in(folder, settings, None)
    }

    fn start_in(folder: TempDir, settings: Settings, member: Option<Member>) -> io::Result<Self> {
        let port = free_port()?;
        let process = launch(&settings, member.as_ref(), port, folder.path())?;
        let mut redis = Self { settings, member, port, process, folder };
        redis.until_it_answers()?;
        Ok(redis)
    }

    /// The port that it listens on, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a client needs to reach it.
    pub fn url(&self) -> String {
        self.url_through(self.port)
    }

    /// The same by way of another port.
    pub fn url_through(&self, port: u16) -> String {
        let scheme = if self.settings.tls { "rediss" } else { "redis" };
        let user =
            self.settings.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default();
        format!("{scheme}://{user}127.0.0.1:{port}")
    }

    /// The authority that its certificate is by, when it has one.
    pub fn authority(&self) -> PathBuf {
        let certificates = self.member.as_ref().map_or(self.folder.path(), |member| &member.certificates);
        certificates.join(AUTHORITY)
    }

    /// Its process, to look at.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it at once, as a failing machine would.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill().map(drop)
    }

    /// Starts it again where it was, and waits until it answers.
    pub fn restart(&mut self) -> io::Result<()> {
        self.process = launch(&self.settings, self.member.as_ref(), self.port, self.folder.path())?;
        self.until_it_answers()
    }

    /// Sends its process a signal by its name, such as `STOP`.
    pub fn signal(&self, name: &str) -> io::Result<()> {
        self.process.signal(name)
    }

    /// Asks it something, and gives the answer as `redis-cli` prints it. An error is an answer too.
    pub fn command(&self, words: &[&str]) -> io::Result<String> {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        if self.settings.tls {
            command.arg("--tls").arg("--cacert").arg(self.authority());
        }
        if let Some(password) = &self.settings.password {
            // Not as an argument: those are for everybody on the machine to read.
            command.env("REDISCLI_AUTH", password);
        }
        let output = command.args(words).stdin(Stdio::null()).stderr(Stdio::null()).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().into())
    }

    fn until_it_answers(&mut self) -> io::Result<()> {
        let began = Instant::now();
        while self.command(&["PING"])? != "PONG" {
            if !self.process.is_running() || began.elapsed() > START_MAX {
                return Err(io::Error::other("redis-server does not start"));
            }
            std::thread::sleep(ASK_EVERY);
        }
        Ok(())
    }
}

impl Settings {
    /// What comes before the host in a URL.
    fn user(&self) -> String {
        self.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default()
    }
}

/// Starts the process.
fn launch(settings: &Settings, member: Option<&Member>, port: u16, folder: &Path) -> io::Result<Process> {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--loglevel", "warning"]);
    command.arg("--dir").arg(folder);
    let port = port.to_string();
    if settings.tls {
        command.args(["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"]);
        let certificates = member.map_or(folder, |member| &member.certificates);
        command.arg("--tls-ca-cert-file").arg(certificates.join(AUTHORITY));
        command.arg("--tls-cert-file").arg(certificates.join(CERTIFICATE));
        command.arg("--tls-key-file").arg(certificates.join(KEY));
    } else {
        command.args(["--port", &port]);
    }
    if let Some(password) = &settings.password {
        command.args(["--requirepass", password]);
    }
    if let Some(member) = member {
        command.args(["--cluster-enabled", "yes", "--cluster-port", &member.port.to_string()]);
        command.args(["--tls-cluster", if settings.tls { "yes" } else { "no" }]);
        // The shortest that a busy machine keeps to: how soon the others notice that one is gone.
        command.args(["--cluster-node-timeout", "2000"]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Process::start(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_answers_dies_and_comes_back_where_it_was() {
        let mut redis = Redis::start().unwrap();
        assert_eq!(redis.command(&["SET", "a", "1"]).unwrap(), "OK");
        redis.kill().unwrap();
        assert_eq!(redis.command(&["GET", "a"]).unwrap(), "");
        redis.restart().unwrap();
        assert_eq!(redis.command(&["EXISTS", "a"]).unwrap(), "0", "it keeps nothing");
    }

    #[test]
    fn a_server_may_want_a_password_and_tls() {
        let settings = Settings { password: Some("hush".into()), tls: true };
        let redis = Redis::start_with(settings).unwrap();
        assert_eq!(redis.url(), format!("rediss://:hush@127.0.0.1:{}", redis.port()));
        assert_eq!(redis.command(&["PING"]).unwrap(), "PONG");
    }

    #[test]
    fn a_cluster_serves_every_slot_over_tls_too() {
        let cluster = RedisCluster::start_with(&Settings { tls: true, ..Settings::default() }).unwrap();
        assert!(cluster.url().starts_with("rediss+cluster://127.0.0.1:"));
        for node in cluster.nodes() {
            assert!(node.command(&["CLUSTER", "INFO"]).unwrap().contains("cluster_slots_ok:16384"));
        }
    }
}
