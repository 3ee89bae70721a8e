//! `rotunda serve`: the hub itself, from its database to its doors.

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Outcome, log};
use crate::config::Config;
use crate::http::openapi;
use crate::http::ops::Ops;
use crate::http::service::caller::Service;
use crate::http::service::{Door, Settings};
use crate::hub::Hub;
use crate::metrics::Metrics;
use crate::server::{Running, Server};
use crate::store::Store;
use crate::store::sqlite::SqliteStore;

/// The database, in the data folder.
const DATABASE: &str = "rotunda.db";

/// Runs the hub until it is told to end; on SIGTERM or Ctrl-C it drains first.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    config: Config,
}

impl Serve {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<Outcome> {
        log("info", self.config.log_format);
        Node::start(&self.config, Router::new()).await?.until_told_to_end().await?;
        Ok(Outcome::Done)
    }
}

/// A node with everything it needs.
pub(super) struct Node {
    /// Its organizations.
    pub(super) hub: Hub,
    /// Its connections.
    pub(super) running: Running,
    store: Arc<SqliteStore>,
    draining: CancellationToken,
}

impl Node {
    /// Opens the database and the doors; `more` are routes that only this node has.
    pub(super) async fn start(config: &Config, more: Router) -> anyhow::Result<Self> {
        let settings = settings(config)?;
        let store = Arc::new(SqliteStore::open(&config.data.join(DATABASE)).await?);
        let (metrics, draining) = (Metrics::new(), CancellationToken::new());
        let shared: Arc<dyn Store> = store.clone();
        let hub = Hub::new(shared, Arc::clone(&metrics), config.numbers.limits());
        let ops = Ops { hub: hub.clone(), metrics, draining: draining.clone() };
        let routes = openapi::router(Door::new(hub.clone(), settings), ops).merge(more);
        let running = Server::start(config, hub.clone(), routes)?;
        Ok(Self { hub, running, store, draining })
    }

    /// Waits for SIGTERM or Ctrl-C, lets the sessions go, and closes the database.
    pub(super) async fn until_told_to_end(self) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
        tokio::select! {
            _ = terminate.recv() => {}
            pressed = tokio::signal::ctrl_c() => pressed.context("cannot wait for Ctrl-C")?,
        }
        self.draining.cancel();
        self.running.drain().await;
        Ok(self.store.close().await?)
    }
}

/// What the back office's door is set up with.
fn settings(config: &Config) -> anyhow::Result<Settings> {
    let services =
        config.services.iter().map(|service| Service::new(&service.name, service.secret.reveal())).collect();
    let twilio =
        config.twilio_auth_token.iter().map(|token| token.reveal().parse()).collect::<Result<_, _>>()?;
    let public_url = config.public_url.as_deref().map(str::parse).transpose()?;
    Ok(Settings { services, twilio, public_url })
}
