//! `rotunda serve`: the hub itself.

use axum::Router;
use clap::Args;

use super::Outcome;
use crate::config::Config;
use crate::server::Server;

/// Runs the hub until it is told to end; on SIGTERM or Ctrl-C it drains first.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    config: Config,
}

impl Serve {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<Outcome> {
        Server::start(self.config, Router::new()).await?.run().await?;
        Ok(Outcome::Done)
    }
}
