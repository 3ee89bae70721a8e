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
#[derive(Default)]
pub(super) struct Watched {
    /// Resident memory: with organizations and no session, with the first of each, with those that speak MessagePack, with
    /// all, and at the end.
    pub(super) rss: Vec<Option<u64>>,
    /// Sessions that speak MessagePack, without the first of each share; and those that speak JSON.
    pub(super) message_pack: usize,
    pub(super) json: usize,
    pub(super) before: Option<Usage>,
    pub(super) after: Option<Usage>,
    /// Calls of the hub in between; not known where nodes end, whose counts end with them.
    pub(super) calls: Option<u64>,
    pub(super) samples: Vec<Sample>,
}

/// Has things happen, and takes samples.
pub(super) async fn played(
    scenario: &Scenario,
    crew: &mut Crew,
    target: &Target,
    progress: &Progress,
    watched: &mut Watched,
) -> anyhow::Result<()> {
    let began = Instant::now();
    crew.tell(Step::Play).await?;
    let seconds = Duration::from_secs_f64(crew.seconds());
    let trouble = async {
        if matches!(scenario, Scenario::Cluster(_)) {
            trouble::make(target, seconds).await
        } else {
            std::future::pending().await
        }
    };
    tokio::pin!(trouble);
    let (mut looks, mut made) = (interval(LOOK_EVERY), false);
    looks.tick().await;
    let (mut last, mut last_usage, mut last_at) = (crew.counts(), target.usage(), began);
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
                let (counts, usage, now) = (crew.take_counts(), target.usage(), Instant::now());
                let sample = sample(began, (now - last_at).as_secs_f64(), last, counts, last_usage, usage);
                progress.plays_on(&sample, (now - last_at).as_secs_f64());
                watched.samples.push(sample);
                (last, last_usage, last_at) = (counts, usage, now);
            }
        }
    }
}

fn sample(
    began: Instant,
    since_s: f64,
    last: Counts,
    counts: Counts,
    last_usage: Option<Usage>,
    usage: Option<Usage>,
) -> Sample {
    let hub_cores =
        last_usage.zip(usage).map(|(last, usage)| usage.cpu.saturating_sub(last.cpu).as_secs_f64() / since_s);
    Sample {
        at: began.elapsed().as_secs_f64(),
        connected: counts.connected,
        deliveries: counts.deliveries.saturating_sub(last.deliveries),
        commands: counts.commands.saturating_sub(last.commands),
        reconnects: counts.reconnects.saturating_sub(last.reconnects),
        p99_ms: counts.p99_ms,
        hub_cores,
        hub_rss: usage.map(|usage| usage.resident_bytes),
        generator_cores: (counts.cpu_s - last.cpu_s).max(0.0) / since_s,
    }
}
