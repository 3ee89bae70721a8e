//! A node, from its start to its drain: the listener, the routes and the sessions behind it. Used by `main` and,
//! on port 0, by tests.

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, TokenConfigError};
use crate::http::{self, accept, accept::Served, upgrade::Gate};
use crate::hub::Hub;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::session::Sessions;
use crate::session::live::Live;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No session token could be checked.
    #[error("the key of session tokens cannot be used")]
    Tokens(#[from] TokenConfigError),
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

/// A node to be.
pub struct Server;

/// A node that runs until it is drained.
pub struct Running {
    /// Where it listens; the port is the real one.
    pub address: SocketAddr,
    sessions: Arc<Sessions>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    /// Starts listening, with `others` beside the socket. Must be called within a runtime.
    pub fn start_within(
        config: &Config,
        limits: Limits,
        hub: Hub,
        metrics: Arc<Metrics>,
        others: Router,
    ) -> Result<Running, StartError> {
        let sessions = Arc::new(Sessions {
            tokens: config.tokens.tokens()?,
            live: Live::new(limits.connections_max),
            limits,
            metrics: Arc::clone(&metrics),
        });
        let gate = Gate { hub, sessions: Arc::clone(&sessions), origins: config.origins.clone() };
        let failed = |source| StartError::Listen { address: config.listen, source };
        let listener = accept::listen(config.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let router = http::router(Arc::new(gate), others);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let served = Served {
            router,
            limits: sessions.limits.clone(),
            metrics,
            stop: stop.clone(),
            tasks: tasks.clone(),
        };
        tasks.spawn(served.run(listener));
        tracing::info!(%address, "listening");
        Ok(Running { address, sessions, stop, tasks })
    }
}

impl Running {
    /// What its sessions share.
    pub fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// Takes no more sessions, tells all to go in waves, and returns when they have gone or their time is over.
    /// Until then plain requests are answered: whoever asks `/readyz` hears why there are no more sessions.
    pub async fn drain(self) {
        tracing::info!(connections = self.sessions.live.count(), "draining");
        let limits = &self.sessions.limits;
        self.sessions.live.drain(limits.drain, limits.drain_flush_max, limits.linger).await;
        self.stop.cancel();
        self.tasks.close();
        if timeout(limits.linger, self.tasks.wait()).await.is_err() {
            tracing::warn!(requests = self.tasks.len(), "requests cut by the end of the drain");
        }
        tracing::info!("drained");
    }
}
