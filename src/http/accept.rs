//! The accept loop: one task for each connection until it ends or becomes a session. It has limits that ready-made
//! loops lack: time for a request's headers, a long backlog, and patience when descriptors run out.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::Metrics;

/// Connections that the kernel holds until they are accepted: thousands come at once after a restart.
const BACKLOG: u32 = 4096;

/// How long to wait when no descriptor is left: one that ends gives its own back.
const EXHAUSTED_WAIT: Duration = Duration::from_millis(100);

/// Listens on an address; port 0 takes any that is free.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What connections are served with.
pub struct Served {
    /// Who answers.
    pub router: Router,
    /// From a request's first byte to its last header.
    pub header_time_max: Duration,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Then open requests are answered, and nothing new begins.
    pub stop: CancellationToken,
    /// The tasks of the connections.
    pub tasks: TaskTracker,
}

impl Served {
    /// Accepts connections and serves them, until `stop`.
    pub async fn run(self, listener: TcpListener) {
        while let Some(accepted) = self.stop.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok((stream, peer)) => {
                    let (router, stop) = (self.router.clone(), self.stop.clone());
                    self.tasks.spawn(serve_one((stream, peer), router, self.header_time_max, stop));
                }
                Err(error) => self.failed(&error).await,
            }
        }
    }

    async fn failed(&self, error: &io::Error) {
        self.metrics.accept_failed();
        if !of_one_connection(error) {
            tracing::error!(%error, "no connection can be accepted");
            tokio::time::sleep(EXHAUSTED_WAIT).await;
        }
    }
}

/// Whether an error concerns a connection that came, and not the listener.
fn of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

async fn serve_one(
    (stream, peer): (TcpStream, SocketAddr),
    router: Router,
    header_time_max: Duration,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        return tracing::debug!(%error, "the client went before it was served");
    }
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_time_max)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let served = if let Some(served) = stop.run_until_cancelled(connection.as_mut()).await {
        served
    } else {
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Err(error) = served {
        tracing::debug!(%error, "connection ended");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    struct Server {
        address: SocketAddr,
        stop: CancellationToken,
        tasks: TaskTracker,
    }

    fn served(header_time_max: Duration) -> Server {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let router = Router::new().route("/", get(|| async { "here" }));
        let address = listener.local_addr().unwrap();
        let (metrics, stop_too, tasks_too) = (Metrics::new(), stop.clone(), tasks.clone());
        let served = Served { router, header_time_max, metrics, stop: stop_too, tasks: tasks_too };
        tasks.spawn(served.run(listener));
        tasks.close();
        Server { address, stop, tasks }
    }

    #[tokio::test]
    async fn a_request_is_answered_and_a_stop_ends_everything() {
        let served = served(Duration::from_secs(5));
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        served.stop.cancel();
        served.tasks.wait().await;
    }

    #[tokio::test]
    async fn whoever_sends_no_whole_request_is_cut_off() {
        let served = served(Duration::from_millis(50));
        for start in ["", "GET / HTTP/1.1\r\nhost:"] {
            let mut stream = TcpStream::connect(served.address).await.unwrap();
            stream.write_all(start.as_bytes()).await.unwrap();
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.unwrap();
            assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{rest:?}");
        }
        served.stop.cancel();
        served.tasks.wait().await;
    }
}
