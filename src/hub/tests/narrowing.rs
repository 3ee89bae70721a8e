//! What a session shows and is told when access narrows while something still waits to be written to it.

use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::Command;
use rotunda_protocol::directory::{Role, Teammate, TeammateStatus};
use rotunda_protocol::frame::{Answer, ServerFrame, Start};
use rotunda_protocol::push::Push;
use rotunda_protocol::refusal::Refusal;

use super::practice::{Practice, id, principal};
use crate::domain::event::Seq;

fn set_members(endpoint: &str, members: &[&str]) -> Command {
    Command::UpdateEndpoint {
        endpoint: id(endpoint),
        label: None,
        owner: None,
        members: Some(members.iter().map(|member| principal(member)).collect()),
        auto_assign: None,
        force: false,
    }
}

/// What a frame tells of a teammate.
fn told_of(frame: &ServerFrame, who: &str) -> Option<Teammate> {
    let told = if let ServerFrame::Push { push: Push::Teammate { teammate }, .. } = frame {
        Some(teammate)
    } else if let ServerFrame::CatchUp { state, .. } = frame {
        state.teammates.iter().find(|other| other.id == id(who))
    } else {
        None
    };
    told.filter(|teammate| teammate.id == id(who)).cloned()
}

#[tokio::test]
async fn b7_whoever_never_heard_that_they_are_no_member_keeps_nothing_when_the_endpoint_goes_too() {
    let mut practice = Practice::new().await;
    let conversation = practice.receive("+14155550101", "+14155550999", "hi").await;
    let cyd = || (conversation.clone(), vec![principal("teammate:cyd")]);
    let (id, members) = cyd();
    practice.service(Command::AddMembers { conversation: id, members }).await.unwrap();
    let mut client = practice.join("cyd", Codec::Json).await.unwrap();
    client.read().await;
    client.list_all(&["teammate:ben".parse().unwrap()]).await;
    assert!(client.rows.contains_key(&conversation));
    // They still see it through the endpoint; the row that says that they are no member waits …
    let (id, members) = cyd();
    practice.service(Command::RemoveMembers { conversation: id, members }).await.unwrap();
    // … and may not be written any more.
    practice.service(set_members("ben-direct", &[])).await.unwrap();
    client.read().await;
    assert_eq!(client.rows.get(&conversation), None, "the old row named them as a member");
}

#[tokio::test]
async fn b7_whoever_was_away_while_one_reason_went_and_then_the_other_keeps_nothing() {
    let mut practice = Practice::new().await;
    let conversation = practice.receive("+14155550101", "+14155550999", "hi").await;
    let (everybody, night) = (principal("organization"), principal("team:night"));
    let members = vec![everybody.clone(), night];
    practice.service(Command::AddMembers { conversation: conversation.clone(), members }).await.unwrap();
    let mut eve = practice.join("eve", Codec::Json).await.unwrap();
    eve.read().await;
    eve.list_all(&["teammate:ben".parse().unwrap()]).await;
    assert!(eve.rows.contains_key(&conversation));
    eve.leave();
    // By her team she sees it still, but not as what she holds …
    let (of, members) = (conversation.clone(), vec![everybody]);
    practice.service(Command::RemoveMembers { conversation: of, members }).await.unwrap();
    // … and what she holds says that everybody may.
    let leave = Command::UpdateTeam { team: id("night"), name: None, add: vec![], remove: vec![id("eve")] };
    practice.service(leave).await.unwrap();
    practice.rejoin(&mut eve).await.unwrap();
    eve.read().await;
    assert_eq!(eve.starts.last(), Some(&Start::Resumed));
    assert_eq!(eve.rows.get(&conversation), None, "the old row named everybody a member");
}

#[tokio::test]
async fn a_scope_that_waits_shows_no_endpoint_that_was_lost_since() {
    let mut practice = Practice::new().await;
    let members = ["teammate:cyd", "teammate:eve"];
    practice.service(set_members("private", &members)).await.unwrap();
    let mut cyd = practice.join("cyd", Codec::Json).await.unwrap();
    cyd.read().await;
    // What tells of the one loss waits, and shows what is left …
    practice.service(set_members("ben-direct", &[])).await.unwrap();
    // … of which there is less, before it is written.
    practice.service(set_members("private", &[])).await.unwrap();
    let frames = cyd.read().await;
    assert!(!frames.is_empty());
    for frame in &frames {
        assert!(!format!("{frame:?}").contains("label: \"private\""), "{frame:?}");
    }
    assert!(cyd.access.endpoints.iter().all(|endpoint| *endpoint != id("private")));
}

#[tokio::test]
async fn whoever_ceases_to_be_an_admin_still_hears_of_the_roster_what_everybody_hears() {
    let mut practice = Practice::new().await;
    practice.service(Command::SetRole { teammate: id("ben"), role: Role::Admin }).await.unwrap();
    let mut ben = practice.join("ben", Codec::Json).await.unwrap();
    ben.read().await;
    practice.service(Command::Suspend { teammate: id("fay") }).await.unwrap();
    practice.service(Command::SetRole { teammate: id("ben"), role: Role::Member }).await.unwrap();
    practice.service(set_members("ben-direct", &["teammate:dee"])).await.unwrap();
    let frames = ben.read().await;
    let last = |who| frames.iter().filter_map(|frame| told_of(frame, who)).next_back();
    let fay = last("fay").expect("fay was suspended");
    assert_eq!((fay.status, fay.role), (TeammateStatus::Suspended, None));
    assert_eq!(last("ben").and_then(|ben| ben.role), Some(Role::Member));
}

#[tokio::test]
async fn a_refusal_that_tells_of_a_conversation_is_not_heard_after_it_was_lost() {
    let mut practice = Practice::new().await;
    let conversation = practice.receive("+14155550101", "+14155550999", "hi").await;
    let mut cyd = practice.join("cyd", Codec::Json).await.unwrap();
    cyd.read().await;
    let commands = [
        Command::Claim { conversation: conversation.clone(), expect_rev: None },
        Command::Claim { conversation: conversation.clone(), expect_rev: Some(7) },
        Command::Leave { conversation: conversation.clone() },
    ];
    for (n, command) in commands.into_iter().enumerate() {
        cyd.seat().call(format!("{n}"), command, cyd.queue().permit(10).unwrap());
    }
    // Decided together with them, as the next.
    practice.service(set_members("ben-direct", &[])).await.unwrap();
    for n in 0..3 {
        let answer = cyd.answer_to(&format!("{n}")).await.unwrap();
        assert!(matches!(&answer, Answer::Refused { refusal: Refusal::NotFound, .. }), "{n}: {answer:?}");
    }
}

#[tokio::test]
async fn a_mark_on_what_was_archived_does_not_leave_after_it_was_lost() {
    let mut practice = Practice::new().await;
    let conversation = practice.receive("+14155550101", "+14155550999", "hi").await;
    let archive =
        Command::Archive { conversation: conversation.clone(), seen: 1, force: false, expect_rev: None };
    practice.service(archive).await.unwrap();
    let mut cyd = practice.join("cyd", Codec::Json).await.unwrap();
    cyd.read().await;
    // From another device.
    let star = Command::SetStar { conversation, starred: true };
    practice.teammate("cyd", star).await.unwrap();
    practice.service(set_members("ben-direct", &[])).await.unwrap();
    let told = cyd.read().await;
    let mark = |frame: &ServerFrame| matches!(frame, ServerFrame::Push { push: Push::Mark(_), .. });
    assert!(!told.iter().any(mark) && cyd.marks.is_empty(), "{told:?}");
}

/// It is made of a newer snapshot, and at last goes without what might be lost.
#[tokio::test]
async fn an_answer_is_not_held_up_by_access_that_narrows_again_and_again() {
    let practice = Practice::new().await;
    let mut ada = practice.join("ada", Codec::Json).await.unwrap();
    ada.read().await;
    for (r#ref, out, is_told) in [("one", "cyd", true), ("two", "ben", false)] {
        if !is_told {
            // As if something were lost after whatever snapshot.
            ada.queue().narrow(Seq(u64::MAX), &|_| true);
        }
        let command =
            Command::UpdateTeam { team: id("desk"), name: None, add: vec![], remove: vec![id(out)] };
        ada.seat().call(r#ref.into(), command, ada.queue().permit(10).unwrap());
        let answer = ada.answer_to(r#ref).await.unwrap();
        let Answer::Done { revoked, .. } = &answer else { panic!("{answer:?}") };
        assert_eq!(revoked.is_some(), is_told, "{answer:?}");
    }
}
