//! How a connection lives and ends: what keeps it alive, what others see of its end, and what is counted of it.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use rotunda::limits::Limits;
use rotunda_protocol::ask::Ask;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::Command;
use rotunda_protocol::frame::{Answer, ClientFrame, ServerFrame};
use rotunda_protocol::push::Push;
use rotunda_protocol::refusal::Refusal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};

use crate::support::client::is_about;
use crate::support::node::token;
use crate::support::practice::{MAIN, ORGANIZATION, id};
use crate::support::{Client, TestNode};

const QUESTION: &str = r#"{"t":"ask","ref":"a","ask":{"ask":"counts","mailboxes":[]}}"#;

/// Ben has gone.
fn went(push: &Push) -> bool {
    matches!(push, Push::Here { went, .. } if went.contains(&id("ben")))
}

#[tokio::test]
async fn a_client_that_answers_no_pings_goes_and_one_that_does_stays() {
    let limits = Limits {
        heartbeat: Duration::from_millis(300),
        heartbeat_margin: Duration::from_millis(400),
        linger: Duration::from_millis(100),
        ..Limits::default()
    };
    let node = TestNode::start_with(limits, &[], 0).await;
    let (mut dead, _) = node.session_in("ben", Codec::Json, None).await;
    let mut alive = node.session("dee").await;
    // What reads the bare bytes answers nothing.
    let mut told = Vec::new();
    let reading = dead.socket.get_mut().read_to_end(&mut told);
    let watching = async {
        let (mut beats, mut gone) = (0, false);
        // Longer than silence is allowed, and until the others are told.
        while beats < 5 || !gone {
            match alive.frame().await {
                ServerFrame::Beat => beats += 1,
                ServerFrame::Push { push, .. } => gone |= went(&push),
                other => panic!("{other:?}"),
            }
        }
    };
    let (read, ()) = tokio::join!(reading, watching);
    read.unwrap();
    let told = String::from_utf8_lossy(&told);
    assert!(told.contains("beat") && told.contains("heartbeat_missed"), "{told}");
    alive.pushed_until_now().await;
    assert_eq!(node.count("rotunda_closes_total{code=\"heartbeat_missed\"}").await, 1);
}

#[tokio::test]
async fn whoever_is_cut_off_is_no_longer_shown_to_the_others() {
    let node = TestNode::start().await;
    let conversation = node.receive(MAIN, "+14155550999", "hello").await;
    let (mut ben, mut dee) = (node.session("ben").await, node.session("dee").await);
    ben.ask(Ask::Open { conversation: conversation.clone(), limit: 10 }).await.unwrap();
    dee.push(|push| matches!(push, Push::Presence(at) if at.viewing == [id("ben")])).await;
    dee.push(|push| matches!(push, Push::Here { came, .. } if came.contains(&id("ben")))).await;
    let MaybeTlsStream::Plain(stream) = ben.socket.get_mut() else { panic!("not plain") };
    // No close frame, not even the end of the stream: a reset.
    stream.set_zero_linger().unwrap();
    drop(ben);
    dee.push(|push| matches!(push, Push::Presence(at) if at.viewing.is_empty())).await;
    dee.push(went).await;
    node.counted("rotunda_sessions", 1).await;
    assert_eq!(node.count("rotunda_closes_by_client_total").await, 1);
    let (_, welcome) = node.session_in("cyd", Codec::Json, None).await;
    let ServerFrame::Welcome { state, .. } = welcome else { panic!("{welcome:?}") };
    assert!(!state.presence.here.contains(&id("ben")) && state.presence.conversations.is_empty());
}

#[tokio::test]
async fn a_frame_may_come_byte_by_byte_while_others_are_served() {
    let node = TestNode::start().await;
    let (mut slow, _) = node.session_in("ben", Codec::Json, None).await;
    let mut other = node.session("dee").await;
    let length = u8::try_from(QUESTION.len()).unwrap();
    let frame = [&[0x81, 0x80 | length, 0, 0, 0, 0], QUESTION.as_bytes()].concat();
    for byte in frame {
        slow.socket.get_mut().write_all(&[byte]).await.unwrap();
        // Answered only after what was sent had its turn.
        other.pushed_until_now().await;
    }
    assert!(matches!(slow.answer("a").await, Answer::Told { .. }));
}

#[tokio::test]
async fn pushes_and_pongs_come_while_a_message_is_still_on_its_way() {
    let node = TestNode::start().await;
    let (mut client, _) = node.session_in("ben", Codec::Json, None).await;
    let piece = |opcode, text: &str, last| {
        Message::Frame(Frame::message(text.as_bytes().to_vec(), OpCode::Data(opcode), last))
    };
    let (first, second) = QUESTION.split_at(20);
    client.socket.send(piece(Data::Text, first, false)).await.unwrap();
    let conversation = node.receive(MAIN, "+14155550999", "hello").await;
    client.push(|push| is_about(push, &conversation)).await;
    client.socket.send(Message::Ping("between".into())).await.unwrap();
    loop {
        match client.socket.next().await.unwrap().unwrap() {
            Message::Pong(bytes) => break assert_eq!(bytes, "between"),
            Message::Text(_) => {}
            other => panic!("{other:?}"),
        }
    }
    client.socket.send(piece(Data::Continue, second, true)).await.unwrap();
    assert!(matches!(client.answer("a").await, Answer::Told { .. }));
}

#[tokio::test]
async fn a_close_is_answered_with_the_clients_own_code() {
    let node = TestNode::start().await;
    for (frame, code) in [
        (Some(CloseFrame { code: CloseCode::Normal, reason: "bye".into() }), Some(CloseCode::Normal)),
        (Some(CloseFrame { code: CloseCode::Away, reason: "".into() }), Some(CloseCode::Away)),
        (None, None),
    ] {
        let (mut client, _) = node.session_in("ben", Codec::Json, None).await;
        client.socket.close(frame).await.unwrap();
        let answer = loop {
            match client.socket.next().await.unwrap().unwrap() {
                Message::Close(answer) => break answer,
                Message::Text(_) | Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(answer.map(|frame| frame.code), code);
        assert!(client.socket.next().await.is_none(), "and then the connection ends");
    }
    assert_eq!(node.count("rotunda_closes_by_client_total").await, 3);
}

#[tokio::test]
async fn what_happens_to_connections_is_counted() {
    let node = TestNode::start().await;
    let conversation = node.receive(MAIN, "+14155550999", "hello").await;
    let (mut ben, _) = node.session_in("ben", Codec::Json, None).await;
    let mut dee = node.session("dee").await;
    let _guest = Client::connect(&node.url(), Codec::Json).await;
    assert_eq!(node.count("rotunda_sessions").await, 2, "a guest is none yet");

    let before = node.count("rotunda_bytes_in_total").await;
    ben.socket.send(Message::text(QUESTION)).await.unwrap();
    ben.answer("a").await;
    assert_eq!(node.count("rotunda_bytes_in_total").await - before, QUESTION.len() as u64);
    let claim = Command::Claim { conversation: conversation.clone(), expect_rev: None };
    ben.call(claim.clone()).await.unwrap();
    let refused = dee.call(claim).await;
    assert!(matches!(refused, Err(Refusal::AlreadyAssigned { .. })));
    dee.push(|push| is_about(push, &conversation)).await;
    assert_eq!(node.count("rotunda_frames_in_total").await, 2 + 3, "hellos and what was asked");
    // A welcome, an answer, and the claim each; and one answer more.
    assert!(node.count("rotunda_frames_out_total").await >= 7);
    assert!(node.count("rotunda_bytes_out_total").await >= 1_000);
    assert_eq!(node.count("rotunda_commands_refused_total{code=\"already_assigned\"}").await, 1);

    let renew = ClientFrame::Renew { r#ref: "r".into(), token: token(ORGANIZATION, "dee", Duration::ZERO) };
    ben.send(&renew).await;
    assert!(matches!(ben.answer("r").await, Answer::Refused { refusal: Refusal::Invalid { .. }, .. }));
    assert_eq!(node.count("rotunda_commands_refused_total{code=\"invalid\"}").await, 1);

    node.session("ada").await.call(Command::Suspend { teammate: id("dee") }).await.unwrap();
    assert_eq!(dee.closed().await, 4205);
    assert_eq!(node.count("rotunda_closes_total{code=\"access_ended\"}").await, 1);
    ben.socket.send(Message::text("?")).await.unwrap();
    assert_eq!(ben.closed().await, 4200);
    assert_eq!(node.count("rotunda_closes_total{code=\"malformed_frame\"}").await, 1);
    node.counted("rotunda_sessions", 0).await;
    node.counted("rotunda_closes_by_client_total", 1).await;
}
