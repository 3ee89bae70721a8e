//! Watches while things happen: the hub's processes and the generator's, several times a second.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, interval};

use super::crew::Crew;
use super::progress::Progress;
use super::{LOOK_EVERY, trouble};
use crate::hubs::{Target, Usage};
use crate::report::Sample;
use crate::scenario::Scenario;
use crate::wire::{Counts, Step};

/// What was seen of the hub from outside.
pub(super) struct Watched {
    /// Resident memory: with organizations and no session, with the first of each, with those that speak MessagePack, with
    /// all, and at the end.
    pub(super) rss: Vec<Option<u64>>,
    /// Sessions that speak MessagePack, without the first of each share; and those that speak JSON.
    pub(super) message_pack: usize,
    pub(super) json: usize,
    /// Its processor time while things happened.
    pub(super) cpu: Option<Duration>,
    /// Its calls meanwhile; not known where nodes end, whose counts end with them.
    pub(super) calls: Option<u64>,
    /// By the time during which things happened, turn after turn.
    pub(super) samples: Vec<Sample>,
    /// How long things had happened by the last sample, and what had been counted.
    happened: Duration,
    counted: Option<Counts>,
}

impl Watched {
    pub(super) fn new(scenario: &Scenario, message_pack: usize, json: usize) -> Self {
        Self {
            rss: Vec::new(),
            message_pack,
            json,
            cpu: Some(Duration::ZERO),
            calls: (!matches!(scenario, Scenario::Cluster(_))).then_some(0),
            samples: Vec::new(),
            happened: Duration::ZERO,
            counted: None,
        }
    }
}

/// Has things happen for a turn, and watches what it takes.
pub(super) async fn turn(
    scenario: &Scenario,
    crew: &mut Crew,
    target: &Target,
    progress: &Progress,
    lasting: Duration,
    watched: &mut Watched,
) -> anyhow::Result<()> {
    let calls = if watched.calls.is_some() { target.calls().await } else { None };
    let usage = target.usage();
    played(scenario, crew, target, progress, lasting, watched).await?;
    let cpu = target.usage().zip(usage).map(|(after, before)| after.cpu.saturating_sub(before.cpu));
    watched.cpu = watched.cpu.zip(cpu).map(|(sum, more)| sum + more);
    if let Some(sum) = watched.calls {
        let after = target.calls().await;
        watched.calls = after.zip(calls).map(|(after, before)| sum + after.saturating_sub(before));
    }
    Ok(())
}

async fn played(
    scenario: &Scenario,
    crew: &mut Crew,
    target: &Target,
    progress: &Progress,
    lasting: Duration,
    watched: &mut Watched,
) -> anyhow::Result<()> {
    crew.tell(Step::Play).await?;
    let trouble = async {
        if matches!(scenario, Scenario::Cluster(_)) {
            trouble::make(target, lasting).await
        } else {
            std::future::pending().await
        }
    };
    tokio::pin!(trouble);
    let (mut looks, mut made) = (interval(LOOK_EVERY), false);
    looks.tick().await;
    let mut last = Look::now(watched.counted.unwrap_or_else(|| crew.counts()), target);
    let mut sample = |crew: &mut Crew| {
        let look = Look::now(crew.take_counts(), target);
        watched.happened += look.at - last.at;
        watched.counted = Some(look.counts);
        let sample = look.sample(&last, watched.happened);
        progress.plays_on(&sample, (look.at - last.at).as_secs_f64());
        watched.samples.push(sample);
        last = look;
    };
    loop {
        tokio::select! {
            done = crew.until_done(Step::Play) => {
                done?;
                // Nodes that were ended are to be back before anything is compared.
                if matches!(scenario, Scenario::Cluster(_)) && !made {
                    trouble.await?;
                }
                return Ok(());
            }
            troubled = &mut trouble, if !made => {
                troubled?;
                made = true;
            }
            _ = looks.tick() => {
                if let Some(why) = target.ended() {
                    bail!("the hub has ended in the middle of the run: {why}");
                }
                sample(crew);
            }
        }
    }
}

/// What is seen of a moment.
struct Look {
    at: Instant,
    counts: Counts,
    usage: Option<Usage>,
}

impl Look {
    fn now(counts: Counts, target: &Target) -> Self {
        Self { at: Instant::now(), counts, usage: target.usage() }
    }

    /// What has happened since another, until so long after the beginning.
    fn sample(&self, last: &Self, at: Duration) -> Sample {
        let (since_s, counts) = ((self.at - last.at).as_secs_f64(), self.counts);
        let cpu = self.usage.zip(last.usage).map(|(usage, last)| usage.cpu.saturating_sub(last.cpu));
        Sample {
            at: at.as_secs_f64(),
            connected: counts.connected,
            deliveries: counts.deliveries.saturating_sub(last.counts.deliveries),
            commands: counts.commands.saturating_sub(last.counts.commands),
            reconnects: counts.reconnects.saturating_sub(last.counts.reconnects),
            p99_ms: counts.p99_ms,
            hub_cores: cpu.map(|cpu| cpu.as_secs_f64() / since_s),
            hub_rss: self.usage.map(|usage| usage.resident_bytes),
            generator_cores: (counts.cpu_s - last.counts.cpu_s).max(0.0) / since_s,
        }
    }
}
