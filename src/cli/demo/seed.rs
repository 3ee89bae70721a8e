//! Sets up the demo's practice and plays what has happened there, once for each data folder.

use std::path::Path;

use anyhow::{Context, bail};
use futures::{TryStreamExt, stream};
use rotunda_protocol::command::{Command, Done, OnUnseen};
use rotunda_protocol::frame::Ref;
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::principal::Actor;
use rotunda_protocol::refusal::Refusal;

use super::plan::{Place, Thread, threads};
use super::practice::{organization, practice, teammate};
use super::service;
use super::talk::{INTERNALS, Internal};
use crate::hub::Hub;

/// How many conversations are played at once; their commits are made together.
const AT_ONCE: usize = 64;

/// Says that the story has been played to its end. Without it the story is played again, and its `ref`s keep what has
/// happened from happening twice.
const PLAYED: &str = "practice-is-set-up";

/// Makes sure that the practice is there.
pub(super) async fn seed(hub: &Hub, folder: &Path) -> anyhow::Result<()> {
    if folder.join(PLAYED).exists() {
        return Ok(());
    }
    let new = Command::Provision(practice());
    match hub.call(&organization(), service(), "demo-practice".into(), new).await {
        Ok(_) | Err(Refusal::AlreadyExists) => {}
        Err(refusal) => bail!("the practice cannot be set up: {}", refusal.code()),
    }
    stream::iter(threads().into_iter().enumerate().map(Ok::<_, anyhow::Error>))
        .try_for_each_concurrent(AT_ONCE, |(number, thread)| play(hub, number, thread))
        .await?;
    for (number, internal) in INTERNALS.iter().enumerate() {
        talk(hub, number, internal).await?;
    }
    std::fs::write(folder.join(PLAYED), "").context("cannot write into the data folder")
}

/// A patient's conversation, act by act.
async fn play(hub: &Hub, number: usize, Thread { patient, acts }: Thread) -> anyhow::Result<()> {
    let mut place: Option<Place> = None;
    for (step, act) in acts.into_iter().enumerate() {
        let Some((actor, command)) = act.command(&patient, place.as_ref()) else { continue };
        if let Some((conversation, item)) = done(hub, actor, format!("demo-{number}-{step}"), command).await?
        {
            let seen = item.or(place.map(|place| place.seen)).unwrap_or(0);
            place = Some(Place { conversation, seen });
        }
    }
    Ok(())
}

/// A conversation among teammates.
async fn talk(hub: &Hub, number: usize, internal: &Internal) -> anyhow::Result<()> {
    let members = internal.members.iter().map(|member| member.parse()).collect::<Result<_, _>>()?;
    let start = Command::StartTeam { title: internal.title.into(), members };
    let actor = Actor::Teammate(teammate(internal.by));
    let Some((conversation, _)) = done(hub, actor, format!("demo-talk-{number}"), start).await? else {
        return Ok(());
    };
    for (step, (by, line)) in internal.lines.iter().enumerate() {
        let send = Command::Send {
            conversation: conversation.clone(),
            body: (*line).into(),
            seen: 0,
            on_unseen: OnUnseen::Send,
            stay_archived: false,
        };
        done(hub, Actor::Teammate(teammate(by)), format!("demo-talk-{number}-{step}"), send).await?;
    }
    Ok(())
}

/// Does a command; the conversation it changed and its newest item, if it says so. What is refused is only skipped:
/// a story that has a hole is still a story.
pub(super) async fn done(
    hub: &Hub,
    actor: Actor,
    r#ref: Ref,
    command: Command,
) -> anyhow::Result<Option<(ConversationId, Option<u32>)>> {
    match hub.call(&organization(), actor, r#ref.clone(), command).await.map(|outcome| outcome.done) {
        Ok(Done::Conversation { conversation, item, .. }) => Ok(Some((conversation, item))),
        Ok(
            Done::Unchanged
            | Done::Marked { .. }
            | Done::Teammate { .. }
            | Done::Team { .. }
            | Done::Endpoint { .. }
            | Done::Organization,
        ) => Ok(None),
        Err(Refusal::Unavailable) => bail!("the database does not answer; see the log"),
        Err(refusal) => {
            tracing::debug!(r#ref, code = refusal.code(), "an act of the demo was refused");
            Ok(None)
        }
    }
}
