//! `revoke`: while patients and teammates write, people are taken out of the team whose link they write to, and put
//! back. Nobody may be shown anything of it in between.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use futures::future::try_join_all;
use rotunda_protocol::command::Command;
use rotunda_protocol::id::TeammateId;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::{Size, day};
use crate::client::organization::Organization;
use crate::client::session::Session;
use crate::clock::Nanos;
use crate::load::mix::{Act, Mix};
use crate::load::setup::patient_writes;
use crate::load::stage::Stage;
use crate::practice::team;

pub(crate) const SIZE: Size = Size { sessions: 400, seconds: 30.0, rate_per_session: 0.25 };
/// How long a revocation may take. A node that is dead holds it up for some seconds.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);
/// How long somebody is out of the team, and back in it, on average.
const STAY: Duration = Duration::from_millis(400);

/// Membership changes all the time under full traffic: is anything shown to whom it is no longer for, and how long does
/// a revocation take?
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
#[expect(clippy::unsafe_derive_deserialize, reason = "what is unsafe is not of this type")]
pub(crate) struct Revoke {}

/// Frames about what somebody had lost, read after the loss was answered.
#[derive(Default)]
struct Late {
    revocations: Cell<u32>,
    read_after: Cell<u32>,
}

impl Revoke {
    pub(crate) async fn play(&self, stage: &Stage) -> anyhow::Result<()> {
        // Whoever is assigned something may see it for that reason, team or not.
        let mix = Mix::default().without(Act::Away).without(Act::Assign);
        let late = Late::default();
        let driven = stage.organizations.iter().filter(|organization| organization.share.drives);
        let churns = try_join_all(driven.map(|organization| churn(stage, organization, &late)));
        let ((), churned) = tokio::join!(day::work(stage, &mix), churns);
        churned?;
        stage.figure("revocations", f64::from(late.revocations.get()));
        stage.figure("frame_after_the_answer_revocations", f64::from(late.read_after.get()));
        Ok(())
    }
}

/// Takes one teammate after the other out of the organization's first team, and puts them back.
async fn churn(stage: &Stage, organization: &Rc<Organization>, late: &Late) -> anyhow::Result<()> {
    if organization.share.practice.teams() == 0 {
        return Ok(());
    }
    let end = Instant::now() + stage.time;
    let sessions = organization.sessions.borrow().clone();
    let admin = sessions.iter().find(|session| session.teammate.as_str() == "t0").context("no admin")?;
    let members = sessions.iter().filter(|session| is_member(session));
    let mut members: Vec<TeammateId> = members.map(|session| session.teammate.clone()).collect();
    members.dedup();
    while Instant::now() < end && !members.is_empty() {
        sleep(stage.world.around(STAY)).await;
        let loser = &members[stage.world.below(members.len())];
        let answered = update(admin, loser, true).await?;
        late.revocations.set(late.revocations.get() + 1);
        // Somebody writes to what was lost.
        let patient = 2 * stage.world.below(50) + 1;
        patient_writes(&stage.world, organization, 1, patient, Nanos::now());
        sleep(stage.world.around(STAY)).await;
        let of_loser = sessions.iter().filter(|session| session.teammate == *loser);
        let read_after = of_loser.filter(|session| session.last_row_at.get().is_some_and(|at| at > answered));
        late.read_after.set(late.read_after.get() + u32::from(read_after.count() > 0));
        update(admin, loser, false).await?;
    }
    Ok(())
}

/// Is in the first team, and is not who changes it.
fn is_member(session: &Session) -> bool {
    session.teammate.as_str() != "t0" && session.held.borrow().picture.access.teams.contains(&team(0))
}

/// Takes somebody out of the team or puts them back. Gives when that was answered.
async fn update(admin: &Session, teammate: &TeammateId, out: bool) -> anyhow::Result<Nanos> {
    let (answered, heard) = oneshot::channel();
    let (add, remove) = if out { (vec![], vec![teammate.clone()]) } else { (vec![teammate.clone()], vec![]) };
    let command = Command::UpdateTeam { team: team(0), name: None, add, remove };
    admin.call_with(Nanos::now(), command, out, Some(answered));
    let heard = timeout(ANSWERED_WITHIN, heard).await.context("a revocation was not answered in time")?;
    heard.context("a revocation was not answered")
}
