//! `rotunda serve`: the hub itself.

use anyhow::Context;
use axum::Router;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{Outcome, log};
use crate::config::Config;
use crate::node::Node;

/// Runs the hub until it is told to end; on SIGTERM or Ctrl-C it drains first.
///
/// Everything can be given by flags or by the environment. Secrets belong into the environment: flags are seen
/// by everybody who lists processes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct Serve {
    #[command(flatten)]
    config: Config,
}

/// How it is begun.
const EXAMPLE: &str = "\
Example:
  export ROTUNDA_TOKEN_SECRET=$(openssl rand -hex 32)
  export ROTUNDA_SERVICES=backoffice:$(openssl rand -hex 32)
  rotunda serve --listen 127.0.0.1:4400 --data /var/lib/rotunda

It answers at /v1/socket (sessions), /v1/organizations (back offices; described at /openapi.json),
/healthz, /readyz and /metrics.";

impl Serve {
    /// Runs it.
    pub async fn run(self) -> anyhow::Result<Outcome> {
        log("info", self.config.log_format);
        let node = Node::start(&self.config, Router::new()).await?;
        told_to_end().await?;
        node.drain().await?;
        Ok(Outcome::Done)
    }
}

/// Waits for SIGTERM or Ctrl-C.
pub(super) async fn told_to_end() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        pressed = tokio::signal::ctrl_c() => pressed.context("cannot wait for Ctrl-C"),
    }
}
