//! Who is told what, over real sockets, while it changes.

use std::time::Instant;

use hyper::Method;
use rotunda_protocol::ask::{Ask, Told};
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Done, OnUnseen};
use rotunda_protocol::frame::{Answer, Signal};
use rotunda_protocol::principal::{AssignTo, Principal};
use rotunda_protocol::push::{Push, TypingMode};
use rotunda_protocol::refusal::Refusal;
use serde_json::json;

use crate::support::client::is_about;
use crate::support::practice::{BENS, DESK, MAIN, ORGANIZATION, id};
use crate::support::{Client, TestNode};

fn set_members(endpoint: &str, members: &[&str]) -> Command {
    Command::UpdateEndpoint {
        endpoint: id(endpoint),
        label: None,
        owner: None,
        members: Some(members.iter().map(|member| id::<Principal>(member)).collect()),
        auto_assign: None,
        force: false,
    }
}

#[tokio::test]
async fn a_message_reaches_members_at_once_and_nobody_else() {
    let node = TestNode::start().await;
    let (mut ben, mut dee) = (node.session("ben").await, node.session("dee").await);
    let conversation = node.receive(BENS, "+14155550999", "hello").await;
    let push = ben.push(|push| is_about(push, &conversation)).await;
    let Push::Conversation { conversation: row, was: None, .. } = push else { panic!("{push:?}") };
    assert_eq!(row.mailbox.to_string(), "teammate:ben", "R21: straight to the owner's mailbox");
    let told = dee.pushed_until_now().await;
    assert!(told.iter().all(|push| !is_about(push, &conversation)), "{told:?}");
    assert!(dee.list("shared").await.is_empty() && dee.list("teammate:ben").await.is_empty());
}

#[tokio::test]
async fn r52_what_one_may_not_see_and_what_does_not_exist_are_the_same_answer() {
    let node = TestNode::start().await;
    let hidden = node.receive(BENS, "+14155550999", "hello").await;
    let mut dee = node.session("dee").await;
    for conversation in [hidden, id("nowhere")] {
        let c = || conversation.clone();
        let commands = [
            Command::Claim { conversation: c(), expect_rev: Some(7) },
            Command::Assign { conversation: c(), to: AssignTo::Nobody, grant: true, expect_rev: None },
            Command::Archive { conversation: c(), seen: 0, force: true, expect_rev: None },
            Command::AddTag { conversation: c(), tag: "x".into() },
            Command::MarkRead { conversation: c(), number: 1 },
            Command::PostNote { conversation: c(), body: "x".into() },
            Command::AddMembers { conversation: c(), members: vec![id("teammate:dee")] },
            Command::Leave { conversation: c() },
            Command::Send {
                conversation: c(),
                body: "x".into(),
                seen: 0,
                on_unseen: OnUnseen::Hold,
                stay_archived: false,
            },
        ];
        for command in commands {
            assert_eq!(dee.call(command.clone()).await, Err(Refusal::NotFound), "{command:?}");
        }
        let asks = [
            Ask::Open { conversation: c(), limit: 10 },
            Ask::History { conversation: c(), before: 10, limit: 10 },
            Ask::Access { conversation: c() },
        ];
        for ask in asks {
            assert_eq!(dee.ask(ask.clone()).await, Err(Refusal::NotFound), "{ask:?}");
        }
    }
    let endpoint = set_members("bens", &[]);
    assert_eq!(dee.call(endpoint).await, Err(Refusal::NotFound));
}

#[tokio::test]
async fn e15_a_link_with_many_conversations_is_granted_and_revoked_with_one_push_each() {
    let node = TestNode::start().await;
    for n in 0..300 {
        node.receive(DESK, &format!("patient-{n}"), "hello").await;
    }
    let mut ada = node.session("ada").await;
    let (mut dee, mut eve) = (node.session("dee").await, node.session("eve").await);
    dee.pushed_until_now().await;
    eve.pushed_until_now().await;

    ada.call(set_members("desk-link", &["teammate:dee"])).await.unwrap();
    let told = dee.pushed_until_now().await;
    let about = |push: &Push| !matches!(push, Push::Here { .. } | Push::Endpoint { .. });
    let told: Vec<_> = told.into_iter().filter(about).collect();
    let [Push::Scope { granted, revoked, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((granted.endpoints.as_slice(), revoked.endpoints.len()), ([id("desk-link")].as_slice(), 0));
    assert_eq!(dee.list("team:desk").await.len(), 300, "with all that came before");
    let newest = node.receive(DESK, "patient-0", "again").await;
    dee.push(|push| is_about(push, &newest)).await;

    let began = Instant::now();
    ada.call(set_members("desk-link", &[])).await.unwrap();
    eprintln!("revoked from 1 session, with 300 conversations, in {:?}", began.elapsed());
    let told: Vec<_> = dee.pushed_until_now().await.into_iter().filter(about).collect();
    let [Push::Scope { revoked, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(revoked.endpoints, [id("desk-link")]);
    assert!(dee.list("team:desk").await.is_empty());
    let hidden = node.receive(DESK, "patient-0", "once more").await;
    for client in [&mut dee, &mut eve] {
        assert!(client.pushed_until_now().await.iter().all(|push| !is_about(push, &hidden)));
    }
}

#[tokio::test]
async fn b2_an_open_conversation_ends_with_the_access_to_it() {
    let node = TestNode::start().await;
    let conversation = node.receive(DESK, "patient", "hello").await;
    let mut ada = node.session("ada").await;
    ada.call(set_members("desk-link", &["teammate:dee"])).await.unwrap();
    let (mut dee, mut cyd) = (node.session("dee").await, node.session("cyd").await);
    dee.ask(Ask::Open { conversation: conversation.clone(), limit: 10 }).await.unwrap();
    let seen = cyd.push(|push| matches!(push, Push::Presence(at) if !at.viewing.is_empty())).await;
    assert!(matches!(seen, Push::Presence(at) if at.viewing == [id("dee")]));

    ada.call(set_members("desk-link", &[])).await.unwrap();
    // B10: nobody is shown where they may not be.
    cyd.push(|push| matches!(push, Push::Presence(at) if at.viewing.is_empty())).await;
    node.receive(DESK, "patient", "secret").await;
    dee.signal(Signal::Typing { conversation: conversation.clone(), mode: TypingMode::Reply }).await;
    let told = dee.pushed_until_now().await;
    let after = told.iter().skip_while(|push| !matches!(push, Push::Scope { .. })).skip(1);
    assert!(after.clone().all(|push| !is_about(push, &conversation)), "{told:?}");
    let told = cyd.pushed_until_now().await;
    assert!(told.iter().all(|push| !matches!(push, Push::Presence(at) if !at.typing.is_empty())), "{told:?}");
}

#[tokio::test]
async fn a_suspended_teammate_is_out_at_once_and_back_with_everything() {
    let node = TestNode::start().await;
    node.receive(MAIN, "+14155550999", "hello").await;
    let (mut ada, mut dee) = (node.session("ada").await, node.session("dee").await);
    ada.call(Command::Suspend { teammate: id("dee") }).await.unwrap();
    assert_eq!(dee.closed().await, 4205);
    let token = crate::support::node::token(ORGANIZATION, "dee", std::time::Duration::from_mins(1));
    assert_eq!(node.turned_away(&token).await.number(), 4204);
    ada.call(Command::Restore { teammate: id("dee") }).await.unwrap();
    let mut dee = node.session("dee").await;
    assert_eq!(dee.list("shared").await.len(), 1);
}

#[tokio::test]
async fn http_and_socket_show_the_same() {
    let node = TestNode::start().await;
    for n in 0..5 {
        node.receive(MAIN, &format!("+1415555020{n}"), "hello").await;
        node.receive(BENS, &format!("+1415555020{n}"), "hello").await;
    }
    for teammate in ["ada", "ben", "dee"] {
        let mut client = node.session(teammate).await;
        for mailbox in ["shared", "teammate:ben"] {
            let path = format!("/v1/organizations/{ORGANIZATION}/asks");
            let ask = json!({"as": teammate, "ask": {"ask": "list", "mailbox": mailbox, "limit": 200}});
            let response = node.service(Method::POST, &path, ask, &[]).await;
            let told: Told = serde_json::from_value(response.json()).unwrap();
            let Told::List { rows, .. } = told else { panic!("{told:?}") };
            assert_eq!(client.list(mailbox).await, rows, "{teammate} {mailbox}");
        }
    }
}

#[tokio::test]
async fn both_codecs_say_the_same() {
    let node = TestNode::start().await;
    let (mut json, _) = node.session_in("ben", Codec::Json, None).await;
    let (mut pack, _) = node.session_in("ben", Codec::MessagePack, None).await;
    let conversation = node.receive(MAIN, "+14155550999", "hello").await;
    let of = |push: Push| match push {
        Push::Conversation { conversation, happened, by, at, was } => (conversation, happened, by, at, was),
        other => panic!("{other:?}"),
    };
    let claim = Command::Claim { conversation: conversation.clone(), expect_rev: None };
    json.call(claim).await.unwrap();
    for _ in 0..2 {
        let mine = of(json.push(|push| is_about(push, &conversation)).await);
        assert_eq!(mine, of(pack.push(|push| is_about(push, &conversation)).await));
    }
    assert_eq!(json.list("teammate:ben").await, pack.list("teammate:ben").await);
    let ask = Ask::Open { conversation, limit: 10 };
    let (Ok(Told::Opened { items: mine, .. }), Ok(Told::Opened { items: other, .. })) =
        (json.ask(ask.clone()).await, pack.ask(ask).await)
    else {
        panic!("not opened");
    };
    assert_eq!((mine.len(), &mine), (1, &other));
}

#[tokio::test]
async fn c5_typing_is_seen_by_colleagues_who_may_see_the_conversation() {
    let node = TestNode::start().await;
    let conversation = node.receive(DESK, "patient", "hello").await;
    let (mut ben, mut cyd, mut dee) =
        (node.session("ben").await, node.session("cyd").await, node.session("dee").await);
    ben.signal(Signal::Typing { conversation: conversation.clone(), mode: TypingMode::Note }).await;
    let push = cyd.push(|push| matches!(push, Push::Presence(_))).await;
    let Push::Presence(at) = push else { panic!() };
    assert_eq!((at.typing[0].teammate.as_str(), at.typing[0].mode), ("ben", TypingMode::Note));
    ben.signal(Signal::Idle { conversation: conversation.clone() }).await;
    cyd.push(|push| matches!(push, Push::Presence(at) if at.typing.is_empty())).await;
    assert!(dee.pushed_until_now().await.iter().all(|push| !is_about(push, &conversation)));
    // B41: whoever opens later is told who types.
    ben.signal(Signal::Typing { conversation: conversation.clone(), mode: TypingMode::Reply }).await;
    cyd.push(|push| matches!(push, Push::Presence(_))).await;
    let Ok(Told::Opened { presence, .. }) = cyd.ask(Ask::Open { conversation, limit: 1 }).await else {
        panic!("not opened")
    };
    assert_eq!(presence.typing.len(), 1);
}

#[tokio::test]
async fn a_renewed_token_must_be_the_same_teammates() {
    let node = TestNode::start().await;
    let mut ben: Client = node.session("ben").await;
    let hour = std::time::Duration::from_hours(1);
    let renew = |token: String| rotunda_protocol::frame::ClientFrame::Renew { r#ref: "n".into(), token };
    ben.send(&renew(crate::support::node::token(ORGANIZATION, "ben", hour))).await;
    assert_eq!(ben.answer("n").await, Answer::Renewed);
    for foreign in [("bayview", "ada"), ("harbor", "ben")] {
        ben.send(&renew(crate::support::node::token(foreign.0, foreign.1, hour))).await;
        let Answer::Refused { refusal: Refusal::Invalid { field, .. }, .. } = ben.answer("n").await else {
            panic!("not refused")
        };
        assert_eq!(field, "token");
    }
    // The old one is still in force.
    ben.pushed_until_now().await;
}

#[tokio::test]
async fn a_teammate_of_another_organization_is_nobody_here() {
    let node = TestNode::start().await;
    node.provision("harbor", &crate::support::practice::bayview(0)).await;
    let conversation = node.receive(MAIN, "+14155550999", "hello").await;
    let token = crate::support::node::token("harbor", "ada", std::time::Duration::from_mins(1));
    let mut foreign = Client::connect(&node.url(), Codec::Json).await;
    foreign.hello(&token, None).await;
    let claim = Command::Claim { conversation: conversation.clone(), expect_rev: None };
    assert_eq!(foreign.call(claim).await, Err(Refusal::NotFound));
    assert!(foreign.list("shared").await.is_empty());
    let done = node.session("ada").await.call(Command::Claim { conversation, expect_rev: None }).await;
    assert!(matches!(done, Ok(Done::Conversation { .. })));
}
