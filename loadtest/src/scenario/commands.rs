//! `commands`: how many durable commands the hub does in a second: spread over many organizations, and all in one.
//! Closed loop: each caller sends the next command when the last is answered.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use futures::future::try_join_all;
use rotunda_protocol::command::Command;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::{Size, shapes};
use crate::client::session::Session;
use crate::clock::Nanos;
use crate::load::acts::some_row;
use crate::load::stage::Stage;
use crate::practice::Share;

pub(crate) const SIZE: Size = Size { sessions: 128, seconds: 20.0, rate_per_session: 0.0 };
/// The least: two callers in one organization, two each in one of their own.
const SESSIONS_MIN: usize = 4;
/// How long a hub may take for a command.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// Durable commands per second: half of the time spread over as many organizations as callers, half in one.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub(crate) struct Commands {}

impl Commands {
    /// Half of the sessions in one organization, the other half each in one of their own.
    pub(crate) fn shares(run: &str, sessions: usize) -> Vec<Share> {
        let callers = (sessions / 2).max(1);
        let one = shapes::crowd(run, 0, callers, callers);
        let own = (1..=callers).map(|number| shapes::crowd(run, number, 1, 1));
        std::iter::once(one).chain(own).collect()
    }

    /// An error says what it cannot be played with: the two halves of the time would overlap between processes.
    pub(crate) fn check(sessions: usize, processes: usize) -> anyhow::Result<()> {
        ensure!(sessions >= SESSIONS_MIN, "give at least {SESSIONS_MIN} sessions to `commands`");
        ensure!(
            processes == 1,
            "`commands` runs in one process, this would take {processes}: give 1 to --processes, or none, and fewer sessions"
        );
        Ok(())
    }

    pub(crate) async fn play(&self, stage: &Stage) -> anyhow::Result<()> {
        let half = stage.time / 2;
        let Some(one) = stage.organizations.iter().find(|organization| organization.share.seats.len() > 1)
        else {
            return Ok(());
        };
        let is_in_one = |session: &&Rc<Session>| session.organization.id == one.id;
        let (together, spread): (Vec<_>, Vec<_>) = stage.sessions.iter().partition(is_in_one);
        for (name, callers) in
            [("spread_commands_per_s", spread), ("one_organization_commands_per_s", together)]
        {
            let (began, before) = (Instant::now(), stage.world.meter.borrow().commands);
            try_join_all(callers.into_iter().map(|session| call(session, began + half))).await?;
            // What was refused is answered, and not done.
            let done = stage.world.meter.borrow().commands - before;
            let done = f64::from(u32::try_from(done).unwrap_or(u32::MAX));
            stage.figure(name, done / began.elapsed().as_secs_f64());
        }
        Ok(())
    }
}

/// Sends one command after the other until the time is over.
async fn call(session: &Session, end: Instant) -> anyhow::Result<()> {
    let (_, version) = some_row(session, |_| true).context("a caller sees no conversation")?;
    let mut number = 0_u64;
    while Instant::now() < end {
        let (answered, heard) = oneshot::channel();
        let body = format!("note {number}");
        let command = Command::PostNote { conversation: version.row.id.clone(), body };
        session.call_with(Nanos::now(), command, false, Some(answered));
        let heard = timeout(ANSWERED_WITHIN, heard).await;
        let heard =
            heard.with_context(|| format!("a command was not answered within {ANSWERED_WITHIN:?}"))?;
        heard.context("a caller lost its connection")?;
        number += 1;
    }
    Ok(())
}
