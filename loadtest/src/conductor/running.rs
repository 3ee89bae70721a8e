//! A run while it goes: the processes of the generator do one step after the other, while somebody looks at the hub.

use std::pin::pin;
use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, interval_at, sleep};

use super::beside::Beside;
use super::crew::Crew;
use super::deal::Pace;
use super::progress::Progress;
use super::trouble;
use super::watch::{Took, Watched};
use crate::hubs::Target;
use crate::scenario::Scenario;
use crate::wire::{Step, Tally, Which};

/// How often the hub is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a hub has for what is left to do after a turn. It brings commits into its file within half a second, of which
/// most has passed when nothing more came.
const SETTLED_AFTER: Duration = Duration::from_millis(300);

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

    /// Has things happen, in turns with what the hub is put beside.
    pub(super) async fn play(&mut self, pace: &Pace, mut beside: Beside) -> anyhow::Result<Beside> {
        self.progress.plays(self.scenario.name(), pace.seconds());
        for _ in 0..pace.turns {
            self.turn(pace.turn).await?;
            let counts = self.crew.counts();
            beside = self.meanwhile(beside.turn(&counts)).await?;
        }
        Ok(beside)
    }

    /// A turn of the hub's, until all of it was read.
    async fn turn(&mut self, lasting: Duration) -> anyhow::Result<()> {
        let before = Took::so_far(self.target, self.scenario).await;
        self.watched.begin_turn(self.target, self.crew.take_counts());
        if let Scenario::Cluster(_) = self.scenario {
            self.play_in_trouble(lasting).await?;
        } else {
            self.play_turn().await?;
        }
        self.meanwhile(sleep(SETTLED_AFTER)).await?;
        let after = Took::so_far(self.target, self.scenario).await;
        self.watched.took(after.zip(before).map(|(after, before)| after.since(before)));
        Ok(())
    }

    /// Nodes that are ended meanwhile are back in the end.
    async fn play_in_trouble(&mut self, lasting: Duration) -> anyhow::Result<()> {
        let mut trouble = pin!(trouble::make(self.target, lasting));
        {
            let mut play = pin!(self.play_turn());
            tokio::select! {
                played = &mut play => played?,
                made = &mut trouble => {
                    made?;
                    return play.await;
                }
            }
        }
        self.meanwhile(trouble).await?
    }

    async fn play_turn(&mut self) -> anyhow::Result<()> {
        self.step(Step::Play).await?;
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
        while !self.crew.did(step) {
            tokio::select! {
                heard = self.crew.hear() => heard?,
                _ = looks.tick() => {
                    self.is_there()?;
                    self.look(step);
                }
            }
        }
        Ok(())
    }

    /// Waits for something while the processes have nothing to do but to say how they are.
    async fn meanwhile<T>(&mut self, something: impl Future<Output = T>) -> anyhow::Result<T> {
        let mut something = pin!(something);
        let mut looks = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
        loop {
            tokio::select! {
                done = &mut something => return Ok(done),
                heard = self.crew.hear() => heard?,
                _ = looks.tick() => self.is_there()?,
            }
        }
    }

    fn is_there(&self) -> anyhow::Result<()> {
        if let Some(why) = self.target.ended() {
            bail!("the hub has ended in the middle of the run: {why}");
        }
        Ok(())
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
