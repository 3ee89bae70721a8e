//! Asking what is at an address: whether it is a hub, whether it is ready, and whether it knows the harness.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// The longest answer that is read; a hub's description of itself has less than half of it.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// What a hub calls itself.
const TITLE: &str = "Rotunda";
/// An organization that nobody has: only whoever asks is looked at.
const NOBODYS: &str = "/v1/organizations/rotunda-loadtest-probe";
/// What begins the line with the count of a hub's writes to sockets.
const SOCKET_WRITES: &str = "rotunda_socket_writes_total ";

/// What came back.
struct Answer {
    status: StatusCode,
    body: Bytes,
}

/// Looks for a hub that can be loaded at the first of these addresses where somebody listens.
pub(super) async fn hub(
    url: &str,
    addresses: &[SocketAddr],
    service_token: &str,
) -> anyhow::Result<SocketAddr> {
    let mut address = Err(format!("{url} has no address"));
    for candidate in addresses {
        match timeout(ANSWER_MAX, TcpStream::connect(candidate)).await {
            Ok(Ok(_)) => {
                address = Ok(*candidate);
                break;
            }
            Ok(Err(error)) => address = Err(error.to_string()),
            Err(_) => address = Err(format!("no answer within {} s", ANSWER_MAX.as_secs())),
        }
    }
    let address = match address {
        Ok(address) => address,
        Err(why) => bail!("nothing listens at {url} ({why}): is the hub started, and is this its --listen?"),
    };
    is_a_hub(url, address).await?;
    if let Err(why) = ready(address).await {
        bail!("the hub at {url} is not ready: {why:#}");
    }
    knows(url, address, service_token).await?;
    Ok(address)
}

async fn is_a_hub(url: &str, address: SocketAddr) -> anyhow::Result<()> {
    let other = || format!("something else than a hub answers at {url}: give the URL of a Rotunda node");
    let answer = get(address, "/openapi.json", None).await.with_context(other)?;
    let described: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    ensure!(answer.status.is_success() && described["info"]["title"] == TITLE, other());
    Ok(())
}

/// The hub takes sessions; why not otherwise.
pub(super) async fn ready(address: SocketAddr) -> anyhow::Result<()> {
    let answer = get(address, "/readyz", None).await?;
    ensure!(answer.status.is_success(), "{}", String::from_utf8_lossy(&answer.body).trim());
    Ok(())
}

/// Writes to sockets since the hub was started, as it counts them itself; none if it does not say.
pub(super) async fn socket_writes(address: SocketAddr) -> Option<u64> {
    let answer = get(address, "/metrics", None).await.ok()?;
    let text = std::str::from_utf8(&answer.body).ok()?;
    text.lines().find_map(|line| line.strip_prefix(SOCKET_WRITES))?.trim().parse().ok()
}

async fn knows(url: &str, address: SocketAddr, service_token: &str) -> anyhow::Result<()> {
    match get(address, NOBODYS, Some(service_token)).await?.status {
        StatusCode::UNAUTHORIZED => bail!(
            "the hub at {url} refuses the service token: give the secret after the colon of its --service NAME:SECRET \
             (ROTUNDA_SERVICES)"
        ),
        _ => Ok(()),
    }
}

async fn get(address: SocketAddr, path: &str, token: Option<&str>) -> anyhow::Result<Answer> {
    let answer = timeout(ANSWER_MAX, ask(address, path, token));
    answer.await.with_context(|| format!("no answer within {} s", ANSWER_MAX.as_secs()))?
}

async fn ask(address: SocketAddr, path: &str, token: Option<&str>) -> anyhow::Result<Answer> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let mut request = Request::get(path).header(HOST, address.to_string());
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let request =
        request.body(Empty::<Bytes>::new()).context("the service token cannot stand in a header")?;
    let answered = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
        anyhow::Ok(Answer { status, body })
    };
    tokio::pin!(answered, connection);
    // The connection moves the bytes, and may end before the answer has been looked at.
    tokio::select! {
        answer = &mut answered => answer,
        moved = &mut connection => {
            moved?;
            answered.await
        }
    }
}
