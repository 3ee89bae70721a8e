//! A run while it goes: the processes of the generator do one step after the other, while somebody looks at the hub.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, interval_at};

use super::crew::Crew;
use super::progress::Progress;
use super::trouble;
use super::watch::Watched;
use crate::hubs::Target;
use crate::scenario::Scenario;
use crate::wire::{Step, Tally, Which};

/// How often the hub is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// All that is at work.
pub(super) struct Running<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) target: &'a Target,
    pub(super) progress: &'a Progress,
    pub(super) crew: Crew,
    pub(super) watched: Watched,
}

impl Running<'_> {
    /// Makes the organizations, and connects the sessions.
    pub(super) async fn prepare(&mut self, sessions: usize) -> anyhow::Result<()> {
        self.step(Step::SetUp).await?;
        self.watched.weigh(self.target);
        for which in [Which::First, Which::MessagePack, Which::Json] {
            self.progress.connects(sessions);
            self.step(Step::Connect { which }).await?;
            self.watched.weigh(self.target);
        }
        self.step(Step::Begin).await
    }

    /// Has things happen for a turn, until all of it was read.
    pub(super) async fn turn(&mut self, lasting: Duration) -> anyhow::Result<()> {
        self.watched.begin_turn(self.target, self.crew.take_counts());
        if let Scenario::Cluster(_) = self.scenario {
            // Nodes that were ended are to be back before anything is compared.
            tokio::try_join!(trouble::make(self.target, lasting), self.step(Step::Play))?;
        } else {
            self.step(Step::Play).await?;
        }
        self.watched.end_turn(self.crew.take_counts());
        Ok(())
    }

    /// Compares everything, and gives what each process has come to.
    pub(super) async fn check(&mut self) -> anyhow::Result<Vec<Tally>> {
        self.step(Step::Check).await?;
        self.watched.weigh(self.target);
        Ok(self.crew.tallies())
    }

    /// Has all processes do a step.
    async fn step(&mut self, step: Step) -> anyhow::Result<()> {
        self.crew.tell(step).await?;
        let mut looks = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
        loop {
            tokio::select! {
                done = self.crew.until_done(step) => return done,
                _ = looks.tick() => {
                    if let Some(why) = self.target.ended() {
                        bail!("the hub has ended in the middle of the run: {why}");
                    }
                    self.look(step);
                }
            }
        }
    }

    fn look(&mut self, step: Step) {
        if step == Step::Play {
            let (sample, since_s) = self.watched.sample(self.target, self.crew.take_counts());
            self.progress.plays_on(&sample, since_s);
        } else {
            self.progress.shows(&self.crew.counts());
        }
    }
}
