//! A node in a process of its own, and its doors for those who are no sessions.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rotunda_servers::{Process, free_port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What session tokens are signed with.
pub(crate) const SECRET: &str = "a secret of this measurement, long enough";
const SERVICE: &str = "the-service-secret-of-this-measurement";
/// Whatever a node has to come to, it does within this.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A node.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    _process: Process,
}

impl Node {
    pub(crate) async fn start(data: &Path, store: &str, bus: &str) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?.with_file_name("../rotunda");
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut command = Command::new(&program);
        command
            .args(["serve", "--listen", &address.to_string(), "--store", store, "--bus", bus])
            .arg("--data")
            .arg(data)
            .env("ROTUNDA_TOKEN_SECRET", SECRET)
            .env("ROTUNDA_SERVICES", format!("measure:{SERVICE}"))
            .env("ROTUNDA_LOG", "error")
            // A few sessions send what many would.
            .env("ROTUNDA_FRAMES_PER_SECOND", "100000")
            .env("ROTUNDA_FRAMES_BURST", "100000")
            .env("ROTUNDA_IN_FLIGHT_MAX", "10000")
            .stdin(Stdio::null());
        let process = Process::start(&mut command).with_context(|| {
            format!("cannot start {}: `make measure-cluster` builds it", program.display())
        })?;
        let began = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            ensure!(began.elapsed() < PATIENCE, "a node does not listen");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(Self { address, _process: process })
    }

    /// Waits until its bus delivers, or does not any more.
    pub(crate) async fn until_it_delivers(&self, delivers: bool) -> anyhow::Result<()> {
        let line = format!("rotunda_bus_delivering {}\n", u8::from(delivers));
        let began = Instant::now();
        while !self.ask("GET", "/metrics", "look", "").await?.contains(&line) {
            ensure!(began.elapsed() < PATIENCE, "the bus did not come to what it should");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Does something as the back office. A key makes it happen once.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        key: &str,
        body: &str,
    ) -> anyhow::Result<String> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {SERVICE}\r\n\
             Idempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        ensure!(head.starts_with("HTTP/1.1 2"), "{method} {path} is refused: {answer}");
        Ok(body.into())
    }
}
