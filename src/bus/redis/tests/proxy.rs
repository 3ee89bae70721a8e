//! A link to Redis that does what real ones do at their worst: fall silent, and change what they carry.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A link to one server. Ends when it is dropped.
pub(super) struct Proxy {
    /// Where to connect instead.
    pub(super) port: u16,
    state: Arc<State>,
    _accepting: JoinSet<()>,
}

#[derive(Default)]
struct State {
    silent: AtomicBool,
    /// What is said to the server next, by nobody.
    forged: Mutex<Option<Vec<u8>>>,
    /// What the server says next that nobody hears.
    hidden: Mutex<Option<Vec<u8>>>,
}

impl Proxy {
    /// A link to the server on a port.
    pub(super) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, port, Arc::clone(&state)));
        Self { port: own, state, _accepting: accepting }
    }

    /// From now on nothing comes through, and no connection ends.
    pub(super) fn silence(&self, silent: bool) {
        self.state.silent.store(silent, Ordering::SeqCst);
    }

    /// Says something to the server after the next that a client says, and keeps its answer from the client.
    pub(super) fn forge(&self, words: &[u8], answer: &[u8]) {
        *self.state.hidden.lock().unwrap() = Some(answer.into());
        *self.state.forged.lock().unwrap() = Some(words.into());
    }

    /// What was forged has been answered.
    pub(super) fn has_forged(&self) -> bool {
        self.state.hidden.lock().unwrap().is_none()
    }
}

async fn accept(listener: TcpListener, port: u16, state: Arc<State>) {
    let mut pumps = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
        let ((client_in, client_out), (server_in, server_out)) = (client.into_split(), server.into_split());
        pumps.spawn(upwards(client_in, server_out, Arc::clone(&state)));
        pumps.spawn(downwards(server_in, client_out, Arc::clone(&state)));
    }
}

async fn upwards(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: Arc<State>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if state.silent.load(Ordering::SeqCst) {
            continue;
        }
        let mut bytes = buffer[..read].to_vec();
        bytes.extend(state.forged.lock().unwrap().take().unwrap_or_default());
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn downwards(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: Arc<State>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if state.silent.load(Ordering::SeqCst) {
            continue;
        }
        let bytes = state.without_hidden(&buffer[..read]);
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

impl State {
    fn without_hidden(&self, bytes: &[u8]) -> Vec<u8> {
        let mut hidden = self.hidden.lock().unwrap();
        let found = hidden
            .as_ref()
            .and_then(|h| bytes.windows(h.len()).position(|window| window == h).map(|at| (at, h.len())));
        let Some((at, length)) = found else { return bytes.to_vec() };
        *hidden = None;
        [&bytes[..at], &bytes[at + length..]].concat()
    }
}
