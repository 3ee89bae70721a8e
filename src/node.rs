//! A node with everything it needs, from its database to its doors: what `rotunda serve` runs, and what tests start
//! on port 0.

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::http::openapi;
use crate::http::ops::Ops;
use crate::http::service::caller::Service;
use crate::http::service::{Door, Settings};
use crate::hub::Hub;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::server::{Running, Server};
use crate::store::Store;
use crate::store::sqlite::SqliteStore;

/// The database, in the data folder.
const DATABASE: &str = "rotunda.db";

/// A node with everything it needs.
pub struct Node {
    /// Its organizations.
    pub hub: Hub,
    /// Its connections.
    pub running: Running,
    store: Arc<SqliteStore>,
    draining: CancellationToken,
}

impl Node {
    /// Opens the database and the doors; `more` are routes that only this node has.
    pub async fn start(config: &Config, more: Router) -> anyhow::Result<Self> {
        Self::start_within(config, config.numbers.limits(), more).await
    }

    /// The same with limits of one's own: a test need not wait as long as a client may.
    pub async fn start_within(config: &Config, limits: Limits, more: Router) -> anyhow::Result<Self> {
        let settings = settings(config)?;
        let store = Arc::new(SqliteStore::open(&config.data.join(DATABASE)).await?);
        let (metrics, draining) = (Metrics::new(), CancellationToken::new());
        let shared: Arc<dyn Store> = store.clone();
        let hub = Hub::new(shared, Arc::clone(&metrics), limits.clone());
        let ops = Ops { hub: hub.clone(), metrics: Arc::clone(&metrics), draining: draining.clone() };
        let routes = openapi::router(Door::new(hub.clone(), settings), ops).merge(more);
        let running = Server::start_within(config, limits, hub.clone(), metrics, routes)?;
        Ok(Self { hub, running, store, draining })
    }

    /// Lets the sessions go, and closes the database.
    pub async fn drain(self) -> anyhow::Result<()> {
        self.draining.cancel();
        self.running.drain().await;
        self.store.close().await.context("the database could not be closed")
    }
}

/// What the back office's door is set up with.
fn settings(config: &Config) -> anyhow::Result<Settings> {
    let services =
        config.services.iter().map(|service| Service::new(&service.name, service.secret.reveal())).collect();
    let twilio =
        config.twilio_auth_tokens.iter().map(|token| token.reveal().parse()).collect::<Result<_, _>>()?;
    let public_url = config.public_url.as_deref().map(str::parse).transpose()?;
    Ok(Settings { services, twilio, public_url })
}
