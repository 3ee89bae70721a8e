//! `rotunda serve`: the hub itself.

use anyhow::Context;
use axum::Router;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{Outcome, log};
use crate::config::Config;
use crate::node::Node;

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
