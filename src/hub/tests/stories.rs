//! Single things that once went wrong elsewhere, or that must hold at the hub's edges.

use std::time::Duration;

use futures::future::join_all;
use rotunda_protocol::ask::{Ask, Told};
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Done, Outcome};
use rotunda_protocol::conversation::Mark;
use rotunda_protocol::directory::Features;
use rotunda_protocol::frame::ServerFrame;
use rotunda_protocol::principal::{Actor, Mailbox};
use rotunda_protocol::push::Push;
use rotunda_protocol::refusal::Refusal;

use super::practice::{Practice, id, message, second};
use crate::domain::event::{Change, Seq};
use crate::limits::Limits;

fn claim(conversation: &str) -> Command {
    Command::Claim { conversation: id(conversation), expect_rev: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e11_of_many_who_claim_on_two_nodes_one_wins() {
    let mut practice = Practice::new().await;
    let conversation = practice.receive("+14155550100", "+14155550999", "hi").await;
    let hubs = [practice.hub.clone(), second(&practice)];
    let calls = (0..40).map(|n| {
        let (hub, organization) = (hubs[n % 2].clone(), practice.organization.clone());
        let actor = Actor::Teammate(id(["ada", "ben", "cyd", "dee", "eve", "fay"][n % 6]));
        let command = claim(conversation.as_str());
        tokio::spawn(async move { hub.call(&organization, actor, format!("claim {n}"), command).await })
    });
    let results: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    let won = results
        .iter()
        .filter(|result| matches!(result, Ok(Outcome { done: Done::Conversation { .. }, .. })))
        .count();
    assert_eq!(won, 1, "{results:?}");
    for result in results {
        let fine = matches!(result, Ok(Outcome { done: Done::Conversation { .. } | Done::Unchanged, .. }));
        assert!(fine || matches!(result, Err(Refusal::AlreadyAssigned { .. })), "{result:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ref_that_arrives_on_two_nodes_at_once_is_done_once() {
    let mut practice = Practice::new().await;
    let conversation = practice.receive("+14155550100", "+14155550999", "hi").await;
    let hubs = [practice.hub.clone(), second(&practice)];
    for n in 0..20 {
        let calls = hubs.iter().map(|hub| {
            let note = Command::PostNote { conversation: conversation.clone(), body: format!("note {n}") };
            hub.call(&practice.organization, Actor::Teammate(id("ben")), format!("note {n}"), note)
        });
        let results = join_all(calls).await;
        assert!(results[0].is_ok() && results[0] == results[1], "{results:?}");
    }
    let row = practice.hub.conversation(&practice.organization, &conversation).await.unwrap();
    assert_eq!(row.items, 21);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r65_first_messages_that_arrive_together_make_one_contact_and_one_conversation() {
    let practice = Practice::new().await;
    let calls = (0..30).map(|n| {
        let (hub, organization) = (practice.hub.clone(), practice.organization.clone());
        let command = message("+14155550100", "+1 (415) 555-0999");
        let actor = Actor::Service("test".into());
        tokio::spawn(async move { hub.call(&organization, actor, format!("message {n}"), command).await })
    });
    for result in join_all(calls).await {
        assert!(matches!(result, Ok(Ok(Outcome { done: Done::Conversation { .. }, .. }))), "{result:?}");
    }
    let log = practice.log(Seq(0)).await;
    let changes = log.iter().flat_map(|(_, event)| &event.changes);
    let contacts = changes.filter(|change| matches!(change, Change::Contact(_))).count();
    let conversations: std::collections::BTreeSet<_> = log
        .iter()
        .flat_map(|(_, event)| event.conversations())
        .map(|change| change.after.id.clone())
        .collect();
    assert_eq!((contacts, conversations.len()), (1, 1));
}

#[tokio::test]
async fn a_page_of_the_archive_that_leaves_out_what_is_newer_is_not_the_last_one() {
    let mut practice = Practice::new().await;
    let archive = |conversation| Command::Archive { conversation, seen: 1, force: false, expect_rev: None };
    let mut all = Vec::new();
    for n in 0..6 {
        let conversation = practice.receive("+14155550100", &format!("+1415555090{n}"), "hi").await;
        all.push(conversation.clone());
        if n < 4 {
            practice.teammate("ben", archive(conversation)).await.unwrap();
        }
    }
    // A snapshot from before the newest two are archived, as there is while their commit is under way.
    let before = second(&practice);
    let ask = |after| Ask::List { mailbox: Mailbox::None, endpoint: None, after, limit: 1 };
    before.ask(&practice.organization, &id("ben"), ask(None)).await.unwrap();
    for conversation in &all[4..] {
        practice.teammate("ben", archive(conversation.clone())).await.unwrap();
    }
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let told = before.ask(&practice.organization, &id("ben"), ask(after)).await.unwrap();
        let Told::List { rows, next } = told else { panic!("{told:?}") };
        listed.extend(rows.into_iter().map(|row| row.conversation.id));
        after = next;
        if after.is_none() {
            break;
        }
    }
    listed.reverse();
    assert_eq!(listed, all[..4]);
}

#[tokio::test]
async fn e20_when_the_assignment_switch_turns_sessions_start_over_where_they_are() {
    let mut practice = Practice::new().await;
    let conversation = practice.receive("+14155550100", "+14155550999", "hi").await;
    let mut ben = practice.join("ben", Codec::Json).await.unwrap();
    ben.read().await;
    ben.call(claim(conversation.as_str())).await.unwrap();
    let features = Some(Features { assignment: false, viewing: true, typing: true });
    practice.service(Command::SetOrganization { features, policy: None }).await.unwrap();
    let frames = ben.read().await;
    assert!(frames.iter().any(|frame| matches!(frame, ServerFrame::Resync { .. })), "{frames:?}");
    assert!(ben.is_here() && ben.must_list);
    ben.list_all(&["shared".parse().unwrap()]).await;
    let row = &ben.rows[&conversation];
    assert_eq!(
        (row.mailbox.to_string().as_str(), row.assignee.clone()),
        ("shared", None),
        "kept, but hidden"
    );
    let refused = ben.call(claim(conversation.as_str())).await;
    assert_eq!(refused, Err(Refusal::FeatureDisabled));
}

#[tokio::test]
async fn what_comes_back_brings_ones_own_mark_along() {
    let mut practice = Practice::new().await;
    let conversation = practice.receive("+14155550100", "+14155550999", "hi").await;
    let mark = Command::SetStar { conversation: conversation.clone(), starred: true };
    practice.teammate("ben", mark).await.unwrap();
    let archive =
        Command::Archive { conversation: conversation.clone(), seen: 1, force: false, expect_rev: None };
    practice.teammate("ben", archive).await.unwrap();
    let mut ben = practice.join("ben", Codec::MessagePack).await.unwrap();
    let mut cyd = practice.join("cyd", Codec::MessagePack).await.unwrap();
    ben.read().await;
    cyd.read().await;
    practice.receive("+14155550100", "+14155550999", "again").await;
    ben.read().await;
    assert_eq!(ben.marks[&conversation], Mark { read: 0, starred: true, rev: 1 });
    let told = cyd.read().await;
    assert!(!told.iter().any(|frame| matches!(frame, ServerFrame::Push { push: Push::Mark(_), .. })));
}

#[tokio::test]
async fn comings_and_goings_are_told_together_and_short_absences_not_at_all() {
    let practice = Practice::new().await;
    let mut ada = practice.join("ada", Codec::Json).await.unwrap();
    let mut others = Vec::new();
    for teammate in ["ben", "cyd", "dee"] {
        others.push(practice.join(teammate, Codec::Json).await.unwrap());
    }
    let here = |frames: &[ServerFrame]| -> Vec<(usize, usize)> {
        let push = |frame: &ServerFrame| match frame {
            ServerFrame::Push { push: Push::Here { came, went }, .. } => Some((came.len(), went.len())),
            _ => None,
        };
        frames.iter().filter_map(push).collect()
    };
    let mut told = Vec::new();
    while told.is_empty() {
        told = here(&ada.read().await);
        if told.is_empty() {
            ada.wait().await;
        }
    }
    assert_eq!(told.len(), 1, "in one push, however many came");
    // Ben is back before anybody is told that he went; dee is not.
    practice.rejoin(&mut others[0]).await.unwrap();
    others[2].leave();
    ada.wait().await;
    let expected = std::collections::BTreeSet::from(["ada", "ben", "cyd"].map(id));
    assert_eq!(here(&ada.read().await), [(0, 1)]);
    assert_eq!(ada.here, expected);
    // Whoever is welcomed between two tellings continues from what the others were told.
    let mut eve = practice.join("eve", Codec::Json).await.unwrap();
    others.remove(1).leave();
    let mut fay = practice.join("fay", Codec::Json).await.unwrap();
    fay.read().await;
    fay.wait().await;
    let expected = std::collections::BTreeSet::from(["ada", "ben", "eve", "fay"].map(id));
    for member in [&mut ada, &mut eve, &mut fay] {
        while member.here != expected {
            member.wait().await;
            member.read().await;
        }
    }
}

#[tokio::test]
async fn a_room_without_sessions_closes_and_opens_again_with_everything() {
    let limits = Limits { room_idle: Duration::from_millis(20), ..Limits::default() };
    let mut practice = Practice::with(limits).await;
    for n in 0..10 {
        let conversation = practice.receive("+14155550100", "+14155550999", &format!("{n}")).await;
        // Every other message finds the room closed; nothing shows it.
        while n % 2 == 0 && practice.hub.rooms() > 0 {
            tokio::task::yield_now().await;
        }
        let row = practice.hub.conversation(&practice.organization, &conversation).await.unwrap();
        assert_eq!(row.items, n + 1);
    }
}

#[tokio::test]
async fn a_page_of_long_items_ends_early_and_the_next_one_goes_on() {
    let mut practice = Practice::new().await;
    let conversation = practice.receive("+14155550100", "+14155550999", "hi").await;
    for _ in 0..30 {
        let note = Command::PostNote { conversation: conversation.clone(), body: "x".repeat(16_000) };
        practice.teammate("ben", note).await.unwrap();
    }
    let (mut before, mut numbers) = (u32::MAX, Vec::new());
    loop {
        let ask = Ask::History { conversation: conversation.clone(), before, limit: 200 };
        let Ok(Told::History { items }) = practice.hub.ask(&practice.organization, &id("ben"), ask).await
        else {
            panic!("no history")
        };
        assert!(items.len() <= 10, "{} long items at once", items.len());
        let Some(first) = items.first() else { break };
        before = first.number;
        numbers.extend(items.iter().rev().map(|item| item.number));
    }
    assert_eq!(numbers, (1..=31).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_session_that_goes_while_it_joins_leaves_nothing_behind() {
    let practice = Practice::new().await;
    for _ in 0..50 {
        let mut joining = Box::pin(practice.join("ben", Codec::Json));
        // Somewhere in the middle of it the connection is lost.
        for _ in 0..3 {
            let polled =
                std::future::poll_fn(|context| std::task::Poll::Ready(joining.as_mut().poll(context))).await;
            if polled.is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(joining);
    }
    let mut ada = practice.join("ada", Codec::Json).await.unwrap();
    let expected = std::collections::BTreeSet::from([id("ada")]);
    while ada.here != expected {
        ada.wait().await;
        ada.read().await;
    }
}
