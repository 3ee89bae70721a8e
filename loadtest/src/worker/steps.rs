//! The steps of a run, in one process.

use std::rc::Rc;
use std::time::Duration;

use anyhow::bail;
use futures::{StreamExt, TryStreamExt, stream};
use rotunda_protocol::codec::Codec;
use tokio::time::{Instant, sleep, timeout};

use super::books::Books;
use super::cpu_s;
use crate::client::meter::Times;
use crate::client::session::{Order, Session};
use crate::clock::Nanos;
use crate::load::setup;
use crate::load::stage::Stage;
use crate::plan::Plan;
use crate::wire::{Packed, Tally, Which};

/// How often a state is looked at that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// All sessions are connected within this, or the run fails. A hub greets thousands a second.
const CONNECTED_WITHIN: Duration = Duration::from_mins(2);
/// When nothing was read for so long after the last command was answered, all has been read.
const QUIET: Duration = Duration::from_millis(300);
/// Every session is back, and every command answered, within this.
const DRAINED_WITHIN: Duration = Duration::from_secs(90);
/// Organizations that are made at once.
const AT_ONCE: usize = 16;

/// What a process has to do.
pub(super) struct Work {
    plan: Plan,
    pub(super) stage: Rc<Stage>,
    books: Books,
    tally: Tally,
}

impl Work {
    pub(super) fn new(plan: Plan, stage: Rc<Stage>) -> Self {
        Self { plan, books: Books::new(&stage), stage, tally: Tally::default() }
    }

    /// Makes the organizations that things happen in.
    pub(super) async fn set_up(&self) -> anyhow::Result<()> {
        let driven = self.stage.organizations.iter().filter(|organization| organization.share.drives);
        stream::iter(driven.map(|organization| setup::set_up(&self.stage.world, organization)))
            .buffer_unordered(AT_ONCE)
            .try_for_each(|()| async { Ok(()) })
            .await
    }

    /// Connects some of the sessions.
    pub(super) async fn connect(&self, which: Which) -> anyhow::Result<()> {
        let mut these: Vec<Rc<Session>> = Vec::new();
        for organization in &self.stage.organizations {
            let sessions = organization.sessions.borrow();
            let is_one = |(number, session): &(usize, &Rc<Session>)| {
                Which::of(*number, session.codec == Codec::Json) == which
            };
            these.extend(sessions.iter().enumerate().filter(is_one).map(|(_, session)| Rc::clone(session)));
        }
        self.stage.world.heard_at.set(Nanos::now());
        for session in &these {
            session.order(Order::Come);
        }
        if !until(CONNECTED_WITHIN, || these.iter().all(|session| session.is_ready())).await {
            let ready = these.iter().filter(|session| session.is_ready()).count();
            let why =
                self.stage.world.no_line.borrow().clone().unwrap_or_else(|| "the hub does not answer".into());
            bail!(
                "{ready} of {} sessions were connected within {CONNECTED_WITHIN:?}; last: {why}",
                these.len()
            );
        }
        Ok(())
    }

    /// From here on every session has to be told everything.
    pub(super) async fn begin(&self) -> anyhow::Result<()> {
        // What came about while sessions connected is still on its way to some.
        sleep(QUIET).await;
        self.books.begin().await
    }

    /// Has things happen for a turn, until all of it was read.
    pub(super) async fn play(&mut self) -> anyhow::Result<()> {
        self.stage.world.meter.borrow_mut().on = true;
        let (began, began_at, cpu) = (Instant::now(), Nanos::now(), cpu_s());
        tokio::select! {
            played = self.plan.scenario.play(&self.stage) => played?,
            broken = self.books.keep() => broken?,
        }
        let played_s = began.elapsed().as_secs_f64();
        self.drain().await?;
        let last =
            self.stage.world.meter.borrow().last_at.map_or(0.0, |last| last.since(began_at).as_secs_f64());
        self.tally.played_s += played_s;
        self.tally.drained_s += last.max(played_s);
        self.tally.cpu_s += cpu_s() - cpu;
        Ok(())
    }

    /// Waits until everybody is back, every command is answered, and nothing more comes.
    async fn drain(&self) -> anyhow::Result<()> {
        let done =
            || self.stage.sessions.iter().all(|session| session.is_ready() && session.unanswered() == 0);
        if !until(DRAINED_WITHIN, done).await {
            let away = self.stage.sessions.iter().filter(|session| !session.is_ready()).count();
            let unanswered: usize = self.stage.sessions.iter().map(|session| session.unanswered()).sum();
            let why = self.stage.world.no_line.borrow().clone().unwrap_or_default();
            bail!(
                "{DRAINED_WITHIN:?} after the end {away} sessions are not back and {unanswered} commands are not answered; {why}"
            );
        }
        let limit = Instant::now() + DRAINED_WITHIN;
        loop {
            if Instant::now() > limit {
                bail!("{DRAINED_WITHIN:?} after the end news still come");
            }
            let before = self.stage.world.meter.borrow().deliveries;
            sleep(QUIET).await;
            if self.stage.world.meter.borrow().deliveries == before && self.stage.world.office.is_idle() {
                return Ok(());
            }
        }
    }

    /// Compares everything, and tells what it came to.
    pub(super) async fn check(&mut self) -> anyhow::Result<Tally> {
        self.tally.verdict = self.books.close().await?;
        self.fill();
        Ok(std::mem::take(&mut self.tally))
    }

    fn fill(&mut self) {
        let tally = &mut self.tally;
        let meter = self.stage.world.meter.borrow();
        tally.deliveries = meter.deliveries;
        tally.commands = meter.commands;
        tally.refused = meter.refused;
        tally.refusals = meter.refusals.iter().map(|(code, count)| ((*code).into(), *count)).collect();
        (tally.catch_ups, tally.resyncs, tally.resets) = (meter.catch_ups, meter.resyncs, meter.resets);
        tally.closes.clone_from(&meter.closes);
        (tally.skipped, tally.refused_questions) = (meter.skipped, meter.refused_questions);
        tally.unknown =
            self.stage.organizations.iter().map(|organization| organization.reader.borrow().unknown).sum();
        let pack = |times: &Times| Packed::pack(times.histogram());
        tally.latency = pack(&meter.latency);
        tally.commit = pack(&meter.commit);
        tally.revocation = pack(&meter.revocation);
        tally.reconnect = pack(&meter.reconnect);
        tally.lag = pack(&meter.lag);
        tally.figures = self.stage.figures.borrow().clone();
    }
}

/// Looks until something is so. False if it has not become so in time.
async fn until(limit: Duration, so: impl Fn() -> bool) -> bool {
    let look = async {
        while !so() {
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(limit, look).await.is_ok()
}
