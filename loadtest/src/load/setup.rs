//! Makes organizations, and what patients wrote before the run begins. And writes as a patient.

use std::rc::Rc;

use anyhow::{Context, bail};
use futures::{StreamExt, TryStreamExt, stream};
use hyper::Method;
use rotunda_protocol::command::{Inbound, Outcome};
use rotunda_protocol::item::{Content, Direction};

use crate::client::organization::Organization;
use crate::client::world::World;
use crate::clock::Nanos;
use crate::practice::Practice;

/// Requests under way at once while practices are made.
const AT_ONCE: usize = 32;

/// Makes one of the practices that this process drives, with its first conversations.
pub(crate) async fn set_up(world: &World, organization: &Organization) -> anyhow::Result<()> {
    let practice = organization.share.practice;
    let body = serde_json::to_vec(&practice.provision())?;
    let path = format!("/v1/organizations/{}", organization.id);
    let (status, body) = world.office.ask(Method::PUT, &path, "set-up", body.into()).await?;
    if !status.is_success() {
        bail!("the hub does not set {} up: {status} {}", organization.id, String::from_utf8_lossy(&body));
    }
    let first = (0..practice.conversations).map(|number| async move {
        let (endpoint, patient) = place_of(number, practice.endpoints());
        write_as_patient(world, organization, endpoint, patient, "Hello, I have a question.".into()).await
    });
    stream::iter(first).buffer_unordered(AT_ONCE).try_for_each(|_| async { Ok(()) }).await
}

/// Where a conversation comes in, and from whom: half of all to the line that everybody answers.
pub(crate) fn place_of(number: usize, endpoints: usize) -> (usize, usize) {
    let endpoint =
        if number.is_multiple_of(2) || endpoints == 1 { 0 } else { 1 + number / 2 % (endpoints - 1) };
    (endpoint, number)
}

/// A patient writes.
pub(crate) async fn write_as_patient(
    world: &World,
    organization: &Organization,
    endpoint: usize,
    patient: usize,
    body: String,
) -> anyhow::Result<Outcome> {
    let inbound = Inbound {
        to: Practice::address(endpoint),
        from: Practice::patient(endpoint, patient),
        name: Some(format!("Patient Number{patient}")),
        content: Content::Message { direction: Direction::In, body, media: vec![] },
    };
    let path = format!("/v1/organizations/{}/inbound", organization.id);
    let key = world.name_of_ref(world.next_ref());
    let (status, answer) =
        world.office.ask(Method::POST, &path, &key, serde_json::to_vec(&inbound)?.into()).await?;
    if !status.is_success() {
        bail!("the hub refuses a patient's message: {status} {}", String::from_utf8_lossy(&answer));
    }
    serde_json::from_slice(&answer).context("the hub's answer to a patient's message cannot be read")
}

/// A patient writes at a moment; what comes of it counts from then.
pub(crate) fn patient_writes(
    world: &Rc<World>,
    organization: &Rc<Organization>,
    endpoint: usize,
    patient: usize,
    meant: Nanos,
) {
    let (world, organization) = (Rc::clone(world), Rc::clone(organization));
    tokio::task::spawn_local(async move {
        let body = text(&world);
        match write_as_patient(&world, &organization, endpoint, patient, body).await {
            Ok(outcome) => {
                world.meter.borrow_mut().done(meant, Nanos::now());
                organization.made(&world, &outcome, meant);
            }
            Err(error) => world.fail(format!("{error:#}")),
        }
    });
}

/// What somebody writes: a sentence or a few.
pub(crate) fn text(world: &World) -> String {
    const WORDS: [&str; 12] = [
        "appointment",
        "tomorrow",
        "please",
        "refill",
        "the",
        "doctor",
        "results",
        "when",
        "could",
        "I",
        "thanks",
        "fever",
    ];
    let words = 4 + world.below(28);
    let words: Vec<&str> = (0..words).map(|_| WORDS[world.below(WORDS.len())]).collect();
    words.join(" ")
}
