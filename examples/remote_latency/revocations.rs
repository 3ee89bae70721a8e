//! How long a revocation takes until it is answered, and that whoever lost something is sent nothing more of it then:
//! an admin on one node removes somebody from the team while the other node delivers to them at full rate.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rotunda_protocol::command::Command;
use rotunda_protocol::frame::ServerFrame;
use rotunda_protocol::push::{Access, Push};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use crate::Load;
use crate::client::{Reader, Writer};
use crate::node::Node;
use crate::pace::{Meant, pace};
use crate::practice::{Practice, TEAM, done, teammate};

/// Who loses access and gets it back: the first with a session on the second node.
const LOSER: usize = 1;
/// How many frames the loser is sent before access is taken again.
const FRAMES_MIN: usize = 10;
/// And then up to so many milliseconds, another part of it each time: never in step with what nodes do by the clock.
const PHASES: u64 = 200;
/// A step through all phases, which has no divisor in common with them.
const PHASE_STEP: u64 = 37;
/// How long it is listened to what comes after an answer.
const LISTEN: Duration = Duration::from_millis(50);
/// One revocation and what belongs to it take less.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Revoked {
    pub(crate) count: usize,
    /// From the command to its answer.
    pub(crate) answered: Vec<Duration>,
    /// From the last frame that the loser read of what was lost to the answer.
    pub(crate) last_before: Vec<Duration>,
    /// Frames of what was lost that came after the answer.
    pub(crate) after_answer: usize,
    /// And those that came after the loser was told of the loss.
    pub(crate) after_notice: usize,
    /// What the loser was sent while nothing was lost.
    pub(crate) frames_per_second: f64,
}

/// Takes access and gives it back, time and again.
pub(crate) async fn measure(run: &str, nodes: &[Node; 2], load: Load) -> anyhow::Result<Revoked> {
    let [a, b] = nodes;
    let practice = Practice::set_up(a, &format!("{run}-ward")).await?;
    let mut on_a = practice.sessions(a, 0).await?.into_iter();
    let mut on_b = practice.sessions(b, LOSER).await?.into_iter();
    let (admin, loser) = on_a.next().zip(on_b.next()).context("there is nobody")?;
    let mut others = JoinSet::new();
    let (practice, count) = (std::sync::Arc::new(practice), on_a.len());
    for (place, (session, meant)) in on_a.zip(pace(load.events_per_second, u32::MAX, count)).enumerate() {
        let practice = std::sync::Arc::clone(&practice);
        others.spawn(async move { work(&practice, place, session, meant).await });
    }
    for (writer, mut reader) in on_b {
        others.spawn(async move {
            let _open = writer;
            loop {
                reader.next().await?;
            }
        });
    }
    let mut watched = Watched { admin, loser, stream: Stream { may: true, ..Stream::default() } };
    let (mut seen, began) = (Revoked::default(), Instant::now());
    let mut away = Duration::ZERO;
    for number in 0..load.revocations {
        let round = timeout(PATIENCE, watched.round(number, &mut seen)).await;
        away += round.context("a revocation did not end")??;
        ensure!(others.try_join_next().is_none(), "a session of somebody else has ended");
    }
    seen.after_notice = watched.stream.after_notice;
    let there = began.elapsed().saturating_sub(away);
    seen.frames_per_second = f64::from(watched.stream.frames) / there.as_secs_f64();
    Ok(seen)
}

/// Somebody who writes whenever it is meant.
async fn work(
    practice: &Practice,
    place: usize,
    (mut writer, mut reader): (Writer, Reader),
    mut meant: Meant,
) -> anyhow::Result<()> {
    for number in 0_usize.. {
        let at = loop {
            tokio::select! {
                at = meant.recv() => break at,
                frame = reader.next() => drop(frame?),
            }
        };
        if at.is_none() {
            break;
        }
        writer.call(format!("{place}-{number}"), practice.event(number)).await?;
    }
    Ok(())
}

/// What the loser was sent, in its order.
#[derive(Default)]
struct Stream {
    /// As far as they were told, they may see it.
    may: bool,
    /// Frames of it.
    frames: u32,
    last: Option<Instant>,
    after_notice: usize,
}

impl Stream {
    /// Whether the frame tells something of a conversation, all of which are the team's.
    fn hear(&mut self, (at, frame): (Instant, ServerFrame)) -> bool {
        let tells = match &frame {
            ServerFrame::Push { push: Push::Scope { access, .. }, .. } => {
                self.may = sees(access);
                false
            }
            ServerFrame::CatchUp { state, .. } | ServerFrame::Resync { state, .. } => {
                self.may = sees(&state.access);
                !state.conversations.is_empty()
            }
            ServerFrame::Push { push, .. } => is_about_a_conversation(push),
            ServerFrame::Welcome { .. }
            | ServerFrame::Answer { .. }
            | ServerFrame::Beat
            | ServerFrame::Freshness { .. }
            | ServerFrame::Closing { .. } => false,
        };
        if tells {
            self.frames += 1;
            self.last = Some(at);
            self.after_notice += usize::from(!self.may);
        }
        tells
    }
}

fn sees(access: &Access) -> bool {
    access.teams.iter().any(|team| team.as_str() == TEAM)
}

fn is_about_a_conversation(push: &Push) -> bool {
    match push {
        Push::Conversation { .. } | Push::Item { .. } | Push::Mark(_) | Push::Presence(_) => true,
        Push::Gone { .. }
        | Push::Scope { .. }
        | Push::Teammate { .. }
        | Push::Team { .. }
        | Push::Endpoint { .. }
        | Push::Organization { .. }
        | Push::Here { .. } => false,
    }
}

/// The two that it is about.
struct Watched {
    admin: (Writer, Reader),
    loser: (Writer, Reader),
    stream: Stream,
}

impl Watched {
    /// Waits until the loser is sent at full rate, takes the access, listens, and gives it back; how long that was.
    async fn round(&mut self, number: usize, seen: &mut Revoked) -> anyhow::Result<Duration> {
        let mut heard = 0;
        while heard < FRAMES_MIN {
            tokio::select! {
                frame = self.loser.1.next() => heard += usize::from(self.stream.hear(frame?)),
                frame = self.admin.1.next() => drop(frame?),
            }
        }
        let phase = Duration::from_millis(number as u64 * PHASE_STEP % PHASES);
        self.listen(Instant::now() + phase).await?;
        let sent = Instant::now();
        let answered = self.change(&format!("remove-{number}"), false).await?;
        seen.count += 1;
        seen.answered.push(answered - sent);
        let last = self.stream.last.context("the loser was sent nothing")?;
        seen.last_before.push(answered.saturating_duration_since(last));
        // What the loser could read before the answer was read before it: see `change`.
        seen.after_answer += self.listen(answered + LISTEN).await?;
        self.change(&format!("add-{number}"), true).await?;
        Ok(sent.elapsed())
    }

    /// How many frames of a conversation the loser is sent until then.
    async fn listen(&mut self, until: Instant) -> anyhow::Result<usize> {
        let mut heard = 0;
        loop {
            tokio::select! {
                () = sleep_until(until.into()) => return Ok(heard),
                frame = self.loser.1.next() => heard += usize::from(self.stream.hear(frame?)),
                frame = self.admin.1.next() => drop(frame?),
            }
        }
    }

    /// Changes who is in the team, and says when that was answered.
    async fn change(&mut self, name: &str, member: bool) -> anyhow::Result<Instant> {
        let (team, loser) = (TEAM.parse()?, vec![teammate(LOSER).parse()?]);
        let (add, remove) = if member { (loser, vec![]) } else { (vec![], loser) };
        self.admin.0.call(name.into(), Command::UpdateTeam { team, name: None, add, remove }).await?;
        loop {
            // The loser first: all that had come for them when the answer came is read before it.
            tokio::select! {
                biased;
                frame = self.loser.1.next() => drop(self.stream.hear(frame?)),
                frame = self.admin.1.next() => {
                    let (at, frame) = frame?;
                    if done(frame)?.is_some_and(|(r#ref, _)| r#ref == name) {
                        return Ok(at);
                    }
                }
            }
        }
    }
}
