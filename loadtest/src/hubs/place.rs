//! What the nodes that the harness starts share: a program, a folder, secrets, and a database with a bus if there are
//! several.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rotunda_servers::Process;
use rotunda_servers::postgres::Postgres;
use rotunda_servers::redis::Redis;
use rustix::rand::{GetRandomFlags, getrandom};
use tempfile::TempDir;

use super::cores::{Cores, start_on};
use super::{HUB_COMMAND, Options, Program};

/// What the hub calls the harness in its log.
const SERVICE: &str = "loadtest";
/// Whatever the hub is set up with by its environment begins like this.
const SETTINGS: &str = "ROTUNDA_";

/// Who may come in.
#[derive(Clone)]
pub(super) struct Secrets {
    /// What session tokens are signed with.
    pub(super) token_secret: String,
    /// What the back office shows.
    pub(super) service_token: String,
}

impl Secrets {
    fn random() -> io::Result<Self> {
        Ok(Self { token_secret: secret()?, service_token: secret()? })
    }
}

/// 128 random bits in hexadecimal digits, which is as short as a hub allows.
fn secret() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    // So few come in one piece.
    getrandom(&mut bytes, GetRandomFlags::empty())?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

/// The database and the bus of several nodes. Nobody else uses them, and every commit waits for the disk.
pub(super) struct Servers {
    redis: Redis,
    postgres: Postgres,
}

impl Servers {
    pub(super) fn start(cores: &[usize]) -> anyhow::Result<Self> {
        let failed = |name: &str, error: io::Error| {
            let told = if error.kind() == io::ErrorKind::NotFound {
                format!(
                    "a cluster needs {name}, which is not installed; on Debian: sudo apt-get install postgresql redis-server"
                )
            } else {
                format!("cannot start {name} for the cluster")
            };
            anyhow::Error::new(error).context(told)
        };
        let postgres = start_on(cores, Postgres::start).map_err(|error| failed("PostgreSQL", error))?;
        let redis = start_on(cores, Redis::start).map_err(|error| failed("Redis", error))?;
        Ok(Self { redis, postgres })
    }
}

/// What nodes share. Ends its servers and removes its folder when it is dropped.
pub(super) struct Place {
    program: Program,
    arguments: Vec<String>,
    pub(super) secrets: Secrets,
    pub(super) cores: Option<Cores>,
    servers: Option<Servers>,
    folder: TempDir,
}

impl Place {
    /// A place for one node with a database of its own, or for several.
    pub(super) fn make(options: &Options, is_cluster: bool) -> anyhow::Result<Self> {
        // Ctrl-C reaches the harness alone, which ends what it has started.
        rotunda_servers::keep_apart();
        let cores = options.pin.then(Cores::split).transpose()?;
        let hub = cores.as_ref().map_or(&[][..], |cores| &cores.hub);
        Ok(Self {
            program: options.program.clone(),
            arguments: options.hub_args.clone(),
            secrets: Secrets::random()?,
            servers: is_cluster.then(|| Servers::start(hub)).transpose()?,
            folder: tempfile::Builder::new().prefix("rotunda-loadtest-").tempdir()?,
            cores,
        })
    }

    /// Starts a node.
    pub(super) fn start(&self, number: usize, address: SocketAddr) -> io::Result<Process> {
        let mut command = self.command(number, address)?;
        let cores = self.cores.as_ref().map_or(&[][..], |cores| &cores.hub);
        start_on(cores, || Process::start(&mut command))
    }

    /// Where a node's warnings and last words go: to a file, which needs nobody to read along. It is as long as they are.
    pub(super) fn log(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("node-{number}.log"))
    }

    fn command(&self, number: usize, address: SocketAddr) -> io::Result<Command> {
        let log = OpenOptions::new().create(true).append(true).open(self.log(number))?;
        let mut command = match &self.program {
            Program::Itself(harness) => {
                let mut command = Command::new(harness);
                command.arg(HUB_COMMAND);
                command
            }
            Program::Other(hub) => Command::new(hub),
        };
        // Settings of whoever calls are for another hub: perhaps one with people on it.
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
            command.env_remove(name);
        }
        command.arg("serve").args(["--listen", &address.to_string()]);
        command.arg("--data").arg(self.folder.path().join(format!("node-{number}")));
        command.env("ROTUNDA_TOKEN_SECRET", &self.secrets.token_secret);
        command.env("ROTUNDA_SERVICES", format!("{SERVICE}:{}", self.secrets.service_token));
        command.env("ROTUNDA_LOG", "warn");
        if let Some(servers) = &self.servers {
            command.env("ROTUNDA_STORE", servers.postgres.url("rotunda"));
            command.env("ROTUNDA_BUS", servers.redis.url());
        }
        command.args(&self.arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Ok(command)
    }
}

fn is_setting(name: &OsString) -> bool {
    name.to_string_lossy().starts_with(SETTINGS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_enough_for_a_hub_and_never_the_same() {
        let (one, other) = (secret().unwrap(), secret().unwrap());
        assert_eq!(one.len(), 32);
        assert_ne!(one, other);
    }
}
