//! What the database does to a room, and what can be seen from outside of the room's use of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rotunda_protocol::ask::Ask;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::Command;
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::refusal::Refusal;
use tokio::time::timeout;

use super::practice::{Practice, id};
use super::store::Between;
use crate::hub::Hub;
use crate::limits::Limits;
use crate::metrics::Metrics;

/// A practice whose hub has something between it and its store.
async fn between() -> (Practice, Arc<Between>) {
    let mut practice = Practice::new().await;
    let between = Arc::new(Between::new(practice.store.clone()));
    practice.hub = Hub::new(between.clone(), Metrics::new(), Limits::default());
    (practice, between)
}

#[tokio::test]
async fn r52_what_is_hidden_is_looked_for_like_what_is_not_there() {
    let (mut practice, between) = between().await;
    let hidden = practice.receive("+14155550101", "+14155550999", "hi").await;
    let nowhere: ConversationId = id("nowhere");
    let mut looks = Vec::new();
    for conversation in [&hidden, &nowhere] {
        between.found();
        let ask = Ask::Open { conversation: conversation.clone(), limit: 1 };
        let told = practice.hub.ask(&practice.organization, &id("eve"), ask).await;
        let claim = Command::Claim { conversation: conversation.clone(), expect_rev: None };
        assert_eq!(
            (told.err(), practice.teammate("eve", claim).await.err()),
            (Some(Refusal::NotFound), Some(Refusal::NotFound))
        );
        looks.push(between.found().iter().map(Vec::len).collect::<Vec<_>>());
    }
    assert_eq!(looks[0], looks[1]);
}

#[tokio::test]
async fn what_became_durable_without_a_word_of_it_is_told_without_another_command() {
    let (mut practice, between) = between().await;
    let conversation = practice.receive("+14155550100", "+14155550999", "hi").await;
    let mut ben = practice.join("ben", Codec::Json).await.unwrap();
    ben.read().await;
    between.loses_word.store(true, Ordering::Relaxed);
    between.log_faults.store(1, Ordering::Relaxed);
    let tag = Command::AddTag { conversation: conversation.clone(), tag: "urgent".into() };
    assert_eq!(practice.teammate("ada", tag).await, Err(Refusal::Unavailable));
    while !ben.rows.contains_key(&conversation) {
        timeout(Duration::from_secs(10), ben.wait()).await.expect("somebody tells ben");
        ben.read().await;
    }
    assert_eq!(ben.rows[&conversation].tags, ["urgent"]);
}

#[tokio::test]
async fn there_is_one_room_for_an_organization_whoever_opens_it_and_however_often_that_fails() {
    let (practice, between) = between().await;
    between.load_faults.store(1, Ordering::Relaxed);
    let open = || practice.hub.room(&practice.organization);
    let (first, second) = tokio::join!(open(), open());
    assert_eq!((first.err(), second.err()), (Some(Refusal::Unavailable), Some(Refusal::Unavailable)));
    assert_eq!(practice.hub.rooms(), 0, "nothing is left of what could not be opened");
    let (first, second) = tokio::join!(open(), open());
    assert!(Arc::ptr_eq(&first.unwrap(), &second.unwrap()), "nobody would keep the other up to date");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b8_a_question_that_outlives_its_room_is_asked_again() {
    let mut practice = Practice::new().await;
    let conversation = practice.receive("front-desk", "mara@example.org", "hi").await;
    let between = Arc::new(Between::new(practice.store.clone()));
    let limits = Limits { room_idle: Duration::from_millis(50), ..Limits::default() };
    practice.hub = Hub::new(between.clone(), Metrics::new(), limits);
    let gate = between.hold_items();
    let (hub, organization) = (practice.hub.clone(), practice.organization.clone());
    let ask = Ask::History { conversation, before: u32::MAX, limit: 10 };
    let asked = tokio::spawn(async move { hub.ask(&organization, &id("cyd"), ask).await });
    gate.wait().await;
    while practice.hub.rooms() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let out = Command::UpdateTeam { team: id("desk"), name: None, add: vec![], remove: vec![id("cyd")] };
    practice.teammate("ada", out).await.unwrap();
    gate.wait().await;
    assert_eq!(
        asked.await.unwrap(),
        Err(Refusal::NotFound),
        "what was read before was of a room that is gone"
    );
}
