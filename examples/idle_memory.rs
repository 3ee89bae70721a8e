//! Measures what an idle session costs the hub: resident memory of a `rotunda serve` process before and after
//! sessions were greeted, everything that the hub keeps for them included.
//!
//! `make measure` builds the hub and runs it: 5,000 sessions, 100 teammates in each of 50 organizations. Other
//! numbers: `cargo run --release --example idle_memory -- SESSIONS TEAMMATES_PER_ORGANIZATION`.

#![expect(clippy::print_stdout, reason = "a measurement prints what it measured")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures::{SinkExt, StreamExt, stream};
use rotunda::clock;
use rotunda::session::token::Tokens;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{NewOrganization, NewTeammate};
use rotunda_protocol::directory::{OrganizationKind, Role};
use rotunda_protocol::frame::{ClientFrame, ServerFrame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

const SECRET: &str = "a secret of this measurement, long enough";
const SERVICE: &str = "the-service-secret-of-this-measurement";
/// Connections that are being made at once.
const AT_ONCE: usize = 64;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse());
    let sessions: usize = numbers.next().transpose()?.unwrap_or(5_000);
    let teammates: usize = numbers.next().transpose()?.unwrap_or(100);
    let folder = std::env::temp_dir().join(format!("rotunda-idle-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure(&folder, sessions, teammates).await;
    std::fs::remove_dir_all(&folder)?;
    measured
}

async fn measure(folder: &Path, sessions: usize, teammates: usize) -> anyhow::Result<()> {
    println!("{sessions} idle sessions, {teammates} teammates in each organization");
    for codec in Codec::ALL {
        let hub = Hub::start(&folder.join(codec.subprotocol())).await?;
        let organizations = sessions.div_ceil(teammates);
        for organization in 0..organizations {
            provision(hub.address, organization, teammates).await?;
        }
        // The first sessions open the rooms, which are there however many follow.
        let first = connect(hub.address, codec, (0..organizations).map(|n| (n, 0))).await?;
        let before = hub.resident()?;
        let rest = (0..sessions).filter(|n| n % teammates != 0).map(|n| (n / teammates, n % teammates));
        let rest = connect(hub.address, codec, rest).await?;
        let after = hub.resident()?;
        ensure!(first.len() + rest.len() == sessions, "sessions are missing");
        let each = (after - before) / rest.len();
        println!("{:<20} {each:>6} bytes each ({} MiB in all)", codec.subprotocol(), after >> 20);
    }
    Ok(())
}

/// A hub in a process of its own.
struct Hub {
    process: Child,
    address: SocketAddr,
}

impl Hub {
    async fn start(data: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?.with_file_name("../rotunda");
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let process = Command::new(&program)
            .args(["serve", "--listen", &address.to_string()])
            .arg("--data")
            .arg(data)
            .env("ROTUNDA_TOKEN_SECRET", SECRET)
            .env("ROTUNDA_SERVICES", format!("measure:{SERVICE}"))
            .env("ROTUNDA_LOG", "warn")
            .spawn()
            .with_context(|| format!("cannot start {}: build it with `make measure`", program.display()))?;
        let hub = Self { process, address };
        let began = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            ensure!(began.elapsed() < Duration::from_secs(10), "the hub does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(hub)
    }

    /// Resident memory, in bytes.
    fn resident(&self) -> anyhow::Result<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
        let kilobytes: usize = line.split_whitespace().nth(1).context("no number")?.parse()?;
        Ok(kilobytes * 1024)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

async fn provision(hub: SocketAddr, organization: usize, teammates: usize) -> anyhow::Result<()> {
    let teammate = |n: usize| NewTeammate {
        id: format!("t{n}").parse().ok(),
        name: format!("Teammate {n}"),
        role: Role::Member,
        active: true,
    };
    let new = NewOrganization {
        name: format!("Practice {organization}"),
        kind: OrganizationKind::Team,
        teammates: (0..teammates).map(teammate).collect(),
        teams: vec![],
        endpoints: vec![],
    };
    let body = serde_json::to_string(&new)?;
    let request = format!(
        "PUT /v1/organizations/o{organization} HTTP/1.1\r\nHost: {hub}\r\nConnection: close\r\n\
         Authorization: Bearer {SERVICE}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(hub).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 2"), "not provisioned: {answer}");
    Ok(())
}

/// Sessions of these teammates, greeted.
async fn connect(
    hub: SocketAddr,
    codec: Codec,
    whose: impl Iterator<Item = (usize, usize)>,
) -> anyhow::Result<Vec<Socket>> {
    let tokens = Tokens::with_secret(SECRET, None)?;
    let expires = clock::now_millis() + 3_600_000;
    let token = |(organization, teammate): (usize, usize)| {
        let ids = (format!("o{organization}").parse(), format!("t{teammate}").parse());
        let (Ok(organization), Ok(teammate)) = ids else { bail!("no ids") };
        tokens.sign(&organization, &teammate, expires).context("cannot sign")
    };
    let greeted = stream::iter(whose.map(token)).map(|token| async { greet(hub, codec, token?).await });
    greeted.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await.into_iter().collect()
}

async fn greet(hub: SocketAddr, codec: Codec, token: String) -> anyhow::Result<Socket> {
    let mut request = format!("ws://{hub}/v1/socket").into_client_request()?;
    request.headers_mut().insert("Sec-WebSocket-Protocol", codec.subprotocol().parse()?);
    let config = WebSocketConfig::default().read_buffer_size(4_096).write_buffer_size(0);
    let (mut socket, _) = connect_async_with_config(request, Some(config), true).await?;
    let hello = codec.encode(&ClientFrame::Hello { token, cursor: None, device: None, open: vec![] });
    let hello = match codec {
        Codec::Json => Message::text(String::from_utf8(hello)?),
        Codec::MessagePack => Message::binary(hello),
    };
    socket.send(hello).await?;
    let welcome = socket.next().await.context("the hub closed the connection")??.into_data();
    let welcome = codec.decode::<ServerFrame>(&welcome)?;
    ensure!(matches!(welcome, ServerFrame::Welcome { .. }), "not welcome: {welcome:?}");
    Ok(socket)
}
