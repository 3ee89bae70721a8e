//! A PostgreSQL server of one's own.

mod template;

use std::fs::OpenOptions;
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{Process, free_port};

/// Where Debian keeps the programs of each version; elsewhere they are on the path.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Whose the server is when root starts it, for it refuses to run as root; the first of these that there is.
const OWNERS: [&str; 2] = ["postgres", "nobody"];
/// How long a server may take to start: much longer than it does.
const START_MAX: Duration = Duration::from_secs(30);
/// How often it is asked meanwhile.
const START_POLL: Duration = Duration::from_millis(10);
/// How long a server may take to end.
const STOP_MAX: Duration = Duration::from_secs(10);

/// Whether what was answered survives the loss of power. It survives the end of the server's processes anyhow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// Every commit waits for the disk, as it does out there.
    Always,
    /// Never: as fast as it gets, for what is not about the disk.
    Never,
}

/// A server with an empty database `rotunda` and a user `rotunda` who owns it, on a port of this machine.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    owner: Option<Owner>,
    port: u16,
    flush: Flush,
    process: Process,
}

/// Whose processes and files are not those of who started them.
#[derive(Debug, Clone, Copy)]
struct Owner {
    user: u32,
    group: u32,
}

impl Postgres {
    /// Starts a server that flushes every commit.
    pub fn start() -> io::Result<Self> {
        Self::start_with(Flush::Always)
    }

    /// Starts a server.
    pub fn start_with(flush: Flush) -> io::Result<Self> {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("rotunda-postgres-").tempdir()?;
        let owner = owner(folder.path())?;
        template::fill(&programs, folder.path(), owner)?;
        let port = free_port()?;
        let process = serve(&programs, folder.path(), owner, port, flush)?;
        let mut server = Self { programs, folder, owner, port, flush, process };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Where a database of this server is. Everybody is trusted, so a password is not asked for.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://rotunda@127.0.0.1:{}/{database}", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its first process, to look at.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// From now on a connection is asked for a password.
    pub fn ask_for_passwords(&self) -> io::Result<()> {
        let rules = "host all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(self.folder.path().join("data/pg_hba.conf"), rules)?;
        self.process.signal("HUP")
    }

    /// Has somebody else carry out a statement.
    pub fn execute(&self, database: &str, statement: &str) -> io::Result<()> {
        let mut psql = command(&self.programs, "psql", self.folder.path(), self.owner)?;
        psql.args([
            "--no-psqlrc",
            "--quiet",
            "--host=127.0.0.1",
            "--username=rotunda",
            "--set=ON_ERROR_STOP=1",
        ]);
        finished(psql.arg(format!("--port={}", self.port)).args([
            "--dbname",
            database,
            "--command",
            statement,
        ]))
    }

    /// Stops the server as a failing machine would, and starts it again with the same data, on the same port.
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill()?;
        self.start_again()
    }

    /// Ends the server at once, and its connections. What was committed is there when it starts again.
    pub fn kill(&mut self) -> io::Result<()> {
        end(&mut self.process)
    }

    /// Starts a server that was killed.
    pub fn start_again(&mut self) -> io::Result<()> {
        self.process = serve(&self.programs, self.folder.path(), self.owner, self.port, self.flush)?;
        self.wait_until_ready()
    }

    /// Has the server and all its connections stand still, as those of a machine that hangs.
    pub fn freeze(&self) -> io::Result<()> {
        self.signal_all("STOP")
    }

    /// Lets them go on.
    pub fn thaw(&self) -> io::Result<()> {
        self.signal_all("CONT")
    }

    fn signal_all(&self, name: &str) -> io::Result<()> {
        self.process.signal(name)?;
        for child in children(self.process.id())? {
            // One that fails has ended by itself meanwhile.
            Command::new("kill").arg(format!("-{name}")).arg(child).stderr(Stdio::null()).status()?;
        }
        Ok(())
    }

    /// A server that takes connections has made its socket, and answers `pg_isready`.
    fn wait_until_ready(&mut self) -> io::Result<()> {
        let began = Instant::now();
        while !self.is_ready()? {
            if !self.process.is_running() || began.elapsed() > START_MAX {
                let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                return Err(io::Error::other(format!("PostgreSQL does not start:\n{log}")));
            }
            sleep(START_POLL);
        }
        Ok(())
    }

    fn is_ready(&self) -> io::Result<bool> {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            return Ok(false);
        }
        let mut ask = command(&self.programs, "pg_isready", self.folder.path(), self.owner)?;
        ask.args(["--quiet", "--host=127.0.0.1"]).arg(format!("--port={}", self.port));
        Ok(ask.status()?.success())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Frozen processes do not hear that they are to end.
        drop(self.thaw());
        drop(self.kill());
    }
}

/// The folder of the newest version's programs; none if they are looked for on the path.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let newest = versions.max_by_key(|version| {
        version.file_name().to_str().and_then(|name| name.parse::<u32>().ok()).unwrap_or_default()
    });
    newest.map(|version| version.path().join("bin")).unwrap_or_default()
}

/// Gives the folder to somebody who may run a server, unless that is who runs this.
fn owner(folder: &Path) -> io::Result<Option<Owner>> {
    if std::fs::metadata(folder)?.uid() != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let found = OWNERS.iter().find_map(|name| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2);
        Some(Owner { user: numbers.next()?.parse().ok()?, group: numbers.next()?.parse().ok()? })
    });
    let owner = found.ok_or_else(|| io::Error::other("there is no user who may run PostgreSQL"))?;
    chown(folder, Some(owner.user), Some(owner.group))?;
    Ok(Some(owner))
}

/// One of the programs, which writes into the folder's log.
fn command(programs: &Path, name: &str, folder: &Path, owner: Option<Owner>) -> io::Result<Command> {
    let log = OpenOptions::new().create(true).append(true).open(folder.join("log"))?;
    let mut command = Command::new(programs.join(name));
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).current_dir(folder);
    if let Some(Owner { user, group }) = owner {
        command.gid(group).uid(user);
    }
    Ok(command)
}

fn finished(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{command:?} failed: {status}"))) }
}

fn serve(
    programs: &Path,
    folder: &Path,
    owner: Option<Owner>,
    port: u16,
    flush: Flush,
) -> io::Result<Process> {
    let mut serve = command(programs, "postgres", folder, owner)?;
    serve.arg("-D").arg(folder.join("data")).arg("-p").arg(port.to_string());
    serve.args(["-c", "listen_addresses=127.0.0.1"]);
    serve.arg("-c").arg(format!("unix_socket_directories={}", folder.display()));
    if flush == Flush::Never {
        serve.args(["-c", "fsync=off", "-c", "full_page_writes=off"]);
    }
    Process::start(&mut serve)
}

/// Ends a server at once. Its other processes end with it, by its own doing: one that is killed leaves them and its
/// shared memory behind.
fn end(process: &mut Process) -> io::Result<()> {
    if !process.is_running() {
        return Ok(());
    }
    process.signal("QUIT")?;
    let began = Instant::now();
    while process.is_running() {
        if began.elapsed() > STOP_MAX {
            return process.kill().map(drop);
        }
        sleep(START_POLL);
    }
    Ok(())
}

/// The pids of a process's children.
fn children(process: u32) -> io::Result<Vec<String>> {
    let listed = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children"))?;
    Ok(listed.split_whitespace().map(String::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_keeps_what_was_committed_and_leaves_nothing_behind() {
        let mut server = Postgres::start_with(Flush::Never).unwrap();
        server.execute("rotunda", "CREATE TABLE kept (id INT); INSERT INTO kept VALUES (1)").unwrap();
        server.restart().unwrap();
        server.execute("rotunda", "SELECT 1 / count(*) FROM kept").unwrap();
        server.freeze().unwrap();
        let (folder, children) = (server.folder.path().to_owned(), children(server.process.id()).unwrap());
        assert!(!children.is_empty());
        drop(server);
        assert!(!folder.exists());
        let left = children.iter().filter(|child| Path::new("/proc").join(child).exists()).count();
        assert_eq!(left, 0, "its other processes ended with it");
    }
}
