//! Who is shown as being where: to those who were there all along, and to those who came meanwhile.

use std::sync::Arc;
use std::time::Duration;

use rotunda_protocol::ask::Ask;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Done};
use rotunda_protocol::directory::Features;
use rotunda_protocol::frame::{ServerFrame, Signal, Start};
use rotunda_protocol::id::{ConversationId, TeammateId};
use rotunda_protocol::push::{Push, TypingMode};
use rotunda_protocol::refusal::Refusal;
use tokio::time::timeout;

use super::member::Member;
use super::practice::{Practice, id, principal};
use super::store::Between;
use crate::hub::Hub;
use crate::limits::Limits;
use crate::metrics::Metrics;

/// Reads until comings and goings are told.
async fn told_here(member: &mut Member) {
    let here = |frame: &ServerFrame| matches!(frame, ServerFrame::Push { push: Push::Here { .. }, .. });
    while !member.read().await.iter().any(here) {
        member.wait().await;
    }
}

#[tokio::test]
async fn whoever_comes_during_a_short_absence_or_visit_is_shown_what_the_others_are() {
    let practice = Practice::new().await;
    let mut ada = practice.join("ada", Codec::Json).await.unwrap();
    let mut ben = practice.join("ben", Codec::Json).await.unwrap();
    told_here(&mut ada).await;
    // Ben is away for a moment and dee is here for a moment; in it, cyd comes.
    ben.leave();
    let mut dee = practice.join("dee", Codec::Json).await.unwrap();
    let mut cyd = practice.join("cyd", Codec::Json).await.unwrap();
    dee.leave();
    practice.rejoin(&mut ben).await.unwrap();
    cyd.read().await;
    assert!(cyd.here.contains(&id("cyd")), "oneself is here at once");
    told_here(&mut ada).await;
    cyd.read().await;
    assert_eq!(cyd.here, std::collections::BTreeSet::from(["ada", "ben", "cyd"].map(id)));
    assert_eq!(cyd.here, ada.here);
}

/// Ada, who has a conversation open, and Ben, who does not.
async fn ada_at_it() -> (Practice, ConversationId, Member, Member) {
    let mut practice = Practice::new().await;
    let conversation = practice.receive("+14155550100", "+14155550999", "hi").await;
    let mut ada = practice.join("ada", Codec::Json).await.unwrap();
    let mut ben = practice.join("ben", Codec::MessagePack).await.unwrap();
    ada.read().await;
    ben.read().await;
    ada.open(&conversation).await.unwrap().unwrap();
    while viewing(&ben, &conversation).is_empty() {
        ben.wait().await;
        ben.read().await;
    }
    (practice, conversation, ada, ben)
}

/// Ada is at a conversation. Ben asks to open it, this happens, and the answer comes. In the end he is shown these.
async fn is_shown_after(
    meanwhile: impl AsyncFnOnce(&mut Practice, &ConversationId, Member) -> Option<Member>,
    in_the_end: &[TeammateId],
) {
    let mut practice = Practice::new().await;
    let between = Arc::new(Between::new(practice.store.clone()));
    practice.hub = Hub::new(between.clone(), Metrics::new(), Limits::default());
    let conversation = practice.receive("+14155550100", "+14155550999", "hi").await;
    let mut ada = practice.join("ada", Codec::Json).await.unwrap();
    let mut ben = practice.join("ben", Codec::MessagePack).await.unwrap();
    ada.open(&conversation).await.unwrap().unwrap();
    while viewing(&ben, &conversation).is_empty() {
        ben.wait().await;
        ben.read().await;
    }
    let gate = between.hold_items();
    let happens = async {
        gate.wait().await;
        let stays = meanwhile(&mut practice, &conversation, ada).await;
        // By the time somebody else has come, what is told of it waits, before the answer.
        drop(practice.join("dee", Codec::Json).await.unwrap());
        gate.wait().await;
        stays
    };
    let (opened, _stays) = futures::join!(ben.open(&conversation), happens);
    opened.unwrap().unwrap();
    let settles = async {
        loop {
            ben.read().await;
            let others: Vec<_> =
                viewing(&ben, &conversation).into_iter().filter(|who| *who != id("ben")).collect();
            if others == in_the_end {
                return;
            }
            ben.wait().await;
        }
    };
    timeout(Duration::from_secs(5), settles).await.expect("he is shown something else for ever");
}

#[tokio::test]
async fn whoever_leaves_while_an_opening_is_answered_is_not_shown_for_ever() {
    is_shown_after(async |_, _, ada| Some(ada), &[id("ada")]).await;
    is_shown_after(async |_, _, _ada| None, &[]).await;
}

#[tokio::test]
async fn nobody_is_shown_at_what_is_archived_while_an_opening_is_answered() {
    let archived = async |practice: &mut Practice, conversation: &ConversationId, ada| {
        let conversation = conversation.clone();
        let archive = Command::Archive { conversation, seen: 1, force: false, expect_rev: None };
        practice.service(archive).await.unwrap();
        Some(ada)
    };
    is_shown_after(archived, &[]).await;
}

/// Who is at a conversation, as a member is shown it.
fn viewing(member: &Member, conversation: &ConversationId) -> Vec<TeammateId> {
    member.presence.get(conversation).map(|at| at.viewing.clone()).unwrap_or_default()
}

async fn archive(practice: &mut Practice, conversation: &ConversationId) -> Result<Done, Refusal> {
    let conversation = conversation.clone();
    practice.teammate("ben", Command::Archive { conversation, seen: 9, force: false, expect_rev: None }).await
}

#[tokio::test]
async fn b41_nobody_is_left_typing_in_what_was_archived_and_who_has_it_open_is_at_it_once_it_is_back() {
    let (mut practice, conversation, mut ada, mut ben) = ada_at_it().await;
    ada.seat().signal(Signal::Typing { conversation: conversation.clone(), mode: TypingMode::Reply });
    archive(&mut practice, &conversation).await.unwrap();
    ben.read().await;
    let at = &ben.presence[&conversation];
    assert!(at.viewing.is_empty() && at.typing.is_empty(), "{at:?}");
    practice.receive("+14155550100", "+14155550999", "again").await;
    ada.read().await;
    ben.read().await;
    assert_eq!(viewing(&ben, &conversation), [id("ada")]);
    assert!(ben.presence[&conversation].typing.is_empty());
}

#[tokio::test]
async fn who_opened_it_while_it_was_archived_is_at_it_once_it_is_back() {
    let mut practice = Practice::new().await;
    let conversation = practice.receive("+14155550100", "+14155550999", "hi").await;
    archive(&mut practice, &conversation).await.unwrap();
    let mut ada = practice.join("ada", Codec::Json).await.unwrap();
    let mut ben = practice.join("ben", Codec::Json).await.unwrap();
    ada.read().await;
    ada.open(&conversation).await.unwrap().unwrap();
    practice.receive("+14155550100", "+14155550999", "again").await;
    ben.read().await;
    assert_eq!(viewing(&ben, &conversation), [id("ada")]);
}

#[tokio::test]
async fn c5_what_is_switched_off_is_no_longer_shown_and_shown_again_when_it_is_on() {
    let (mut practice, conversation, _ada, mut ben) = ada_at_it().await;
    for (viewing_on, shown) in [(false, vec![]), (true, vec![id("ada")])] {
        let features = Some(Features { assignment: true, viewing: viewing_on, typing: true });
        practice.service(Command::SetOrganization { features, policy: None }).await.unwrap();
        ben.read().await;
        assert_eq!(viewing(&ben, &conversation), shown);
    }
}

#[tokio::test]
async fn who_resumes_with_a_conversation_open_is_at_it() {
    let (practice, conversation, mut ada, mut ben) = ada_at_it().await;
    ada.leave();
    while !viewing(&ben, &conversation).is_empty() {
        ben.wait().await;
        ben.read().await;
    }
    practice.rejoin(&mut ada).await.unwrap();
    ada.read().await;
    ben.read().await;
    assert_eq!(ada.starts.last(), Some(&Start::Resumed));
    assert_eq!(viewing(&ben, &conversation), [id("ada")]);
}

#[tokio::test]
async fn what_is_opened_and_closed_at_once_is_closed() {
    let mut practice = Practice::new().await;
    let conversation = practice.receive("+14155550100", "+14155550999", "hi").await;
    let mut ada = practice.join("ada", Codec::Json).await.unwrap();
    let mut ben = practice.join("ben", Codec::Json).await.unwrap();
    ada.read().await;
    ben.read().await;
    let permit = ada.queue().permit(10).unwrap();
    ada.seat().ask("open".into(), Ask::Open { conversation: conversation.clone(), limit: 10 }, permit);
    ada.seat().signal(Signal::Close { conversation: conversation.clone() });
    ada.answer_to("open").await;
    practice.receive("+14155550100", "+14155550999", "again").await;
    let told = ada.read().await;
    let item = |frame: &ServerFrame| matches!(frame, ServerFrame::Push { push: Push::Item { .. }, .. });
    assert!(!told.iter().any(item), "{told:?}");
    ben.read().await;
    assert!(viewing(&ben, &conversation).is_empty());
}

#[tokio::test]
async fn into_whose_view_a_conversation_comes_sees_who_is_at_it() {
    let mut practice = Practice::new().await;
    let conversation = practice.receive("+14155550101", "+14155550999", "hi").await;
    let mut ben = practice.join("ben", Codec::Json).await.unwrap();
    let mut dee = practice.join("dee", Codec::Json).await.unwrap();
    let mut eve = practice.join("eve", Codec::Json).await.unwrap();
    ben.read().await;
    ben.open(&conversation).await.unwrap().unwrap();
    let members = vec![principal("teammate:dee")];
    practice.service(Command::AddMembers { conversation: conversation.clone(), members }).await.unwrap();
    let members = vec![id("eve")];
    let join = Command::UpdateTeam { team: id("desk"), name: None, add: members, remove: Vec::new() };
    practice.service(join).await.unwrap();
    let through = Command::UpdateEndpoint {
        endpoint: id("ben-direct"),
        label: None,
        owner: None,
        members: Some(vec![principal("team:desk")]),
        auto_assign: None,
        force: false,
    };
    practice.service(through).await.unwrap();
    dee.read().await;
    eve.read().await;
    assert_eq!(
        (viewing(&dee, &conversation), viewing(&eve, &conversation)),
        (vec![id("ben")], vec![id("ben")])
    );
}
