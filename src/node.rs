//! A node with everything it needs, from its database to its doors: what `rotunda serve` runs, and what tests start
//! on port 0. Alone with its database, or one of several that share one.

mod shared;

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use tokio_util::sync::CancellationToken;

use self::shared::{Between, Database, FolderLock};
use crate::config::Config;
use crate::http::openapi;
use crate::http::ops::Ops;
use crate::http::service::caller::Service;
use crate::http::service::{Door, Settings};
use crate::hub::Hub;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::server::{Running, Server};

/// A node with everything it needs.
pub struct Node {
    /// Its organizations.
    pub hub: Hub,
    /// Its connections.
    pub running: Running,
    database: Database,
    between: Option<Between>,
    draining: CancellationToken,
    _lock: Option<FolderLock>,
}

impl Node {
    /// Opens the database and the doors; `more` are routes that only this node has.
    pub async fn start(config: &Config, more: Router) -> anyhow::Result<Self> {
        Self::start_within(config, config.numbers.limits(), more).await
    }

    /// The same with limits of one's own: a test need not wait as long as a client may.
    pub async fn start_within(config: &Config, limits: Limits, more: Router) -> anyhow::Result<Self> {
        let settings = settings(config)?;
        let (metrics, draining) = (Metrics::new(), CancellationToken::new());
        let lock = FolderLock::take(config)?;
        let database = Database::open(config).await?;
        let between = Between::join(config, &metrics)?;
        let hub = match &between {
            None => Hub::new(database.store(), Arc::clone(&metrics), limits.clone()),
            Some(between) => {
                Hub::among(database.store(), Arc::clone(&metrics), limits.clone(), between.cluster())
            }
        };
        hub.begin().await;
        let ops = Ops { hub: hub.clone(), metrics: Arc::clone(&metrics), draining: draining.clone() };
        let routes = openapi::router(Door::new(hub.clone(), settings), ops).merge(more);
        let running = match Server::start_within(config, limits, hub.clone(), metrics, routes) {
            Ok(running) => running,
            Err(error) => {
                hub.leave().await;
                return Err(error.into());
            }
        };
        Ok(Self { hub, running, database, between, draining, _lock: lock })
    }

    /// Lets the sessions go, says goodbye to the other nodes, and closes the database.
    pub async fn drain(self) -> anyhow::Result<()> {
        self.draining.cancel();
        self.running.drain().await;
        self.hub.leave().await;
        if let Some(between) = &self.between {
            between.close().await;
        }
        self.database.close().await.context("the database could not be closed")
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
