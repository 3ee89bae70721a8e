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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::limits::Limits;
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
    /// What a connection is granted.
    pub limits: Limits,
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
        let places = Arc::new(Semaphore::new(self.limits.plain_connections_max));
        while let Some(accepted) = self.stop.run_until_cancelled(next(&listener, &places)).await {
            match accepted {
                Ok((connection, place)) => {
                    let served =
                        serve_one(connection, self.router.clone(), self.limits.clone(), self.stop.clone());
                    self.tasks.spawn(async move {
                        served.await;
                        drop(place);
                    });
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

/// The next connection, once there is a place for it; who comes meanwhile waits in the backlog.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<((TcpStream, SocketAddr), OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    Ok((listener.accept().await?, place))
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
    limits: Limits,
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
        .header_read_timeout(limits.header_time_max)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let enough = stop.run_until_cancelled(tokio::time::sleep(limits.plain_time_max));
    let served = tokio::select! {
        served = connection.as_mut() => Ok(served),
        _ = enough => {
            // What is being answered is answered, unless its peer does not read.
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(limits.linger, connection).await
        }
    };
    if let Ok(Err(error)) = served {
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
        served_within(Limits { header_time_max, ..Limits::default() })
    }

    fn served_within(limits: Limits) -> Server {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let router = Router::new().route("/", get(|| async { "here" }));
        let address = listener.local_addr().unwrap();
        let (metrics, stop_too, tasks_too) = (Metrics::new(), stop.clone(), tasks.clone());
        let served = Served { router, limits, metrics, stop: stop_too, tasks: tasks_too };
        tasks.spawn(served.run(listener));
        tasks.close();
        Server { address, stop, tasks }
    }

    /// Asks, and reads the answer and whatever follows it until the end.
    async fn ask(stream: &mut TcpStream) -> String {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_connection_that_becomes_no_session_ends() {
        let plain_time_max = Duration::from_millis(100);
        let served = served_within(Limits { plain_time_max, ..Limits::default() });
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        assert!(ask(&mut stream).await.ends_with("here"));
        served.stop.cancel();
    }

    #[tokio::test]
    async fn who_finds_no_place_is_served_when_there_is_one() {
        let (plain_connections_max, plain_time_max) = (1, Duration::from_millis(100));
        let served = served_within(Limits { plain_connections_max, plain_time_max, ..Limits::default() });
        let mut silent = TcpStream::connect(served.address).await.unwrap();
        let mut waiting = TcpStream::connect(served.address).await.unwrap();
        assert!(ask(&mut waiting).await.ends_with("here"));
        assert_eq!(silent.read(&mut [0]).await.unwrap(), 0, "the one who held the place had to go first");
        served.stop.cancel();
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
