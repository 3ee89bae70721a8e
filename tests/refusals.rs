//! Bad input: each gets a refusal or a close code of the closed lists, and nobody else notices.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use futures::SinkExt;
use rotunda::clock;
use rotunda::limits::Limits;
use rotunda::session::token::Tokens;
use rotunda_protocol::ask::Ask;
use rotunda_protocol::close::CloseCode;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Done, NewTeammate};
use rotunda_protocol::directory::Role;
use rotunda_protocol::frame::{Answer, ClientFrame, ServerFrame};
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::refusal::Refusal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::support::client::{Came, Refused, is_about};
use crate::support::node::{SECRET, token};
use crate::support::practice::{MAIN, ORGANIZATION, id};
use crate::support::{Client, Node, TestNode};

const HOUR: Duration = Duration::from_hours(1);

/// Somebody else's session, which has to go on.
struct Bystander {
    client: Client,
    messages: u32,
}

impl Bystander {
    async fn at(node: &Node) -> Self {
        Self { client: node.session("dee").await, messages: 0 }
    }

    /// What comes in is still pushed to them, and they are still answered.
    async fn goes_on(&mut self, node: &Node) {
        self.messages += 1;
        let conversation = node.receive(MAIN, "+14155550999", &format!("message {}", self.messages)).await;
        self.client.push(|push| is_about(push, &conversation)).await;
        self.client.pushed_until_now().await;
    }
}

/// A session that will not last.
async fn ben(node: &Node, codec: Codec) -> Client {
    node.session_in("ben", codec, None).await.0
}

fn ask(r#ref: &str) -> ClientFrame {
    ClientFrame::Ask { r#ref: r#ref.into(), ask: Ask::Counts { mailboxes: vec![] } }
}

async fn send_json(client: &mut Client, frame: &Value) {
    client.socket.send(Message::text(frame.to_string())).await.unwrap();
}

fn invalid(answer: Answer) -> String {
    match answer {
        Answer::Refused { refusal: Refusal::Invalid { field, .. }, retry: false } => field,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_malformed_frame_ends_its_connection_and_no_other() {
    let node = TestNode::start().await;
    let mut bystander = Bystander::at(&node).await;
    let truncated = |codec: Codec| {
        let mut bytes = codec.encode(&ask("a"));
        bytes.truncate(bytes.len() - 3);
        bytes
    };
    let twice = [Codec::Json.encode(&ask("a")), Codec::Json.encode(&ask("b"))].concat();
    let text = |bytes: Vec<u8>| Message::text(String::from_utf8(bytes).unwrap());
    let bad = [
        (Codec::Json, Message::text("Lorem ipsum dolor sit amet")),
        (Codec::Json, Message::text("")),
        (Codec::Json, text(truncated(Codec::Json))),
        (Codec::Json, text(twice)),
        (Codec::Json, Message::text(json!({"t": "sing"}).to_string())),
        (Codec::Json, Message::text("[".repeat(60_000))),
        (Codec::MessagePack, Message::binary(truncated(Codec::MessagePack))),
        (Codec::MessagePack, Message::binary(rmp_serde::to_vec_named(&json!({"t": "sing"})).unwrap())),
        (Codec::MessagePack, Message::binary(vec![0xc1; 50])),
        (Codec::MessagePack, Message::binary((0..=255).rev().collect::<Vec<u8>>())),
        (Codec::MessagePack, Message::binary(vec![0x91; 60_000])),
        (Codec::MessagePack, Message::binary([b"\x81\xa7command".as_slice(), &vec![0x91; 60_000]].concat())),
    ];
    for (codec, message) in bad {
        let mut client = ben(&node, codec).await;
        client.socket.send(message).await.unwrap();
        assert_eq!(client.goodbye().await.1.code, 4200.into());
        bystander.goes_on(&node).await;
    }
    node.counted("rotunda_closes_total{code=\"malformed_frame\"}", 12).await;
}

#[tokio::test]
async fn what_is_no_websocket_frame_ends_its_connection_and_no_other() {
    let node = TestNode::start().await;
    let mut bystander = Bystander::at(&node).await;
    let bad: [&[u8]; 4] = [
        // Reserved bits and an unknown opcode; not masked; not UTF-8; a continuation of nothing.
        &[0xff; 64],
        b"\x81\x02{}",
        b"\x81\x82\0\0\0\0\xc3\x28",
        b"\x80\x81\0\0\0\0x",
    ];
    for bytes in bad {
        let mut client = ben(&node, Codec::Json).await;
        client.socket.get_mut().write_all(bytes).await.unwrap();
        assert_eq!(client.goodbye().await.1.code, 4200.into(), "{bytes:?}");
        bystander.goes_on(&node).await;
    }
}

#[tokio::test]
async fn an_unknown_command_or_question_is_refused_and_the_session_lives() {
    let node = TestNode::start().await;
    let mut client = ben(&node, Codec::Json).await;
    send_json(&mut client, &json!({"t": "call", "ref": "a", "command": {"do": "coffee.make"}})).await;
    assert_eq!(invalid(client.answer("a").await), "command");
    let unusable = json!({"do": "conversation.claim", "conversation": "not an id"});
    send_json(&mut client, &json!({"t": "call", "ref": "b", "command": unusable})).await;
    assert_eq!(invalid(client.answer("b").await), "command");
    send_json(&mut client, &json!({"t": "ask", "ref": "c", "ask": {"ask": "why"}})).await;
    assert_eq!(invalid(client.answer("c").await), "ask");
    send_json(&mut client, &json!({"t": "signal", "signal": {"signal": "wave"}})).await;
    client.pushed_until_now().await;
    assert_eq!(node.count("rotunda_commands_refused_total{code=\"invalid\"}").await, 3);
}

#[tokio::test]
async fn a_ref_that_is_empty_or_too_long_is_refused_under_what_can_be_used_of_it() {
    let node = TestNode::start().await;
    let conversation = node.receive(MAIN, "+14155550999", "hello").await;
    let mut client = node.session("ben").await;
    for (r#ref, under) in [(String::new(), String::new()), ("x".repeat(65), "x".repeat(64))] {
        let command = Command::PostNote { conversation: conversation.clone(), body: "never".into() };
        client.send(&ClientFrame::Call { r#ref: r#ref.clone(), command }).await;
        assert_eq!(invalid(client.answer(&under).await), "ref");
        client.send(&ask(&r#ref)).await;
        assert_eq!(invalid(client.answer(&under).await), "ref");
        client.send(&ClientFrame::Renew { r#ref, token: token(ORGANIZATION, "ben", HOUR) }).await;
        assert_eq!(invalid(client.answer(&under).await), "ref");
    }
    assert_eq!(client.list("shared").await[0].conversation.items, 1, "nothing was done");
    let longest = "x".repeat(64);
    let command = Command::PostNote { conversation, body: "once".into() };
    client.call_as(&longest, command).await.unwrap();
}

#[tokio::test]
async fn a_message_of_the_other_codec_ends_the_connection() {
    let node = TestNode::start().await;
    let mut bystander = Bystander::at(&node).await;
    let good = |codec: Codec| codec.encode(&ask("a"));
    for (codec, message) in [
        (Codec::Json, Message::binary(good(Codec::Json))),
        (Codec::Json, Message::binary(good(Codec::MessagePack))),
        (Codec::MessagePack, Message::text(String::from_utf8(good(Codec::Json)).unwrap())),
    ] {
        let mut client = ben(&node, codec).await;
        client.socket.send(message.clone()).await.unwrap();
        assert_eq!(client.goodbye().await.1.code, 4201.into());
        let mut guest = Client::connect(&node.url(), codec).await;
        guest.socket.send(message).await.unwrap();
        assert_eq!(guest.goodbye().await.1.code, 4201.into());
        bystander.goes_on(&node).await;
    }
}

fn fragment(opcode: Data, bytes: Vec<u8>, last: bool) -> Message {
    Message::Frame(Frame::message(bytes, OpCode::Data(opcode), last))
}

#[tokio::test]
async fn a_frame_above_the_limit_ends_the_connection_also_in_pieces() {
    let node = TestNode::start().await;
    let mut bystander = Bystander::at(&node).await;
    let frame_bytes_max = Limits::default().frame_bytes_max;

    let mut whole = ben(&node, Codec::Json).await;
    whole.socket.send(Message::text("x".repeat(frame_bytes_max + 1))).await.unwrap();
    assert_eq!(whole.goodbye().await.1.code, 4202.into());
    bystander.goes_on(&node).await;

    let mut pieces = ben(&node, Codec::Json).await;
    pieces.socket.feed(fragment(Data::Text, vec![b'x'; 1_000], false)).await.unwrap();
    for _ in 0..frame_bytes_max / 1_000 {
        pieces.socket.feed(fragment(Data::Continue, vec![b'x'; 1_000], false)).await.unwrap();
    }
    pieces.socket.flush().await.unwrap();
    assert_eq!(pieces.goodbye().await.1.code, 4202.into());
    bystander.goes_on(&node).await;

    // It need not come to be known to be too long.
    let mut announced = ben(&node, Codec::Json).await;
    let header = [b"\x81\xff".as_slice(), &(1_u64 << 40).to_be_bytes(), &[0; 4]].concat();
    announced.socket.get_mut().write_all(&header).await.unwrap();
    assert_eq!(announced.goodbye().await.1.code, 4202.into());
    bystander.goes_on(&node).await;
}

#[tokio::test]
async fn the_longest_frame_is_taken_also_in_pieces() {
    let node = TestNode::start().await;
    let mut client = ben(&node, Codec::Json).await;
    let start = r#"{"t":"ask","ref":"a","ask":{"ask":"counts","mailboxes":[]}"#;
    let filling = Limits::default().frame_bytes_max - start.len() - 1;
    let longest = format!("{start}{}}}", " ".repeat(filling));
    client.socket.send(Message::text(longest.clone())).await.unwrap();
    assert!(matches!(client.answer("a").await, Answer::Told { .. }));
    let pieces: Vec<_> = longest.as_bytes().chunks(1_000).collect();
    for (n, piece) in pieces.iter().enumerate() {
        let opcode = if n == 0 { Data::Text } else { Data::Continue };
        let last = n + 1 == pieces.len();
        client.socket.send(fragment(opcode, piece.to_vec(), last)).await.unwrap();
    }
    assert!(matches!(client.answer("a").await, Answer::Told { .. }));
}

#[tokio::test]
async fn a_message_in_endless_pieces_counts_against_the_quota() {
    let limits = Limits { frames_burst: 5, frames_per_second: 1, ..Limits::default() };
    let node = TestNode::start_with(limits, &[], 0).await;
    let mut bystander = Bystander::at(&node).await;
    let mut client = ben(&node, Codec::Json).await;
    let start = b"\x01\x80\0\0\0\0".as_slice();
    let pieces = [start, &b"\x00\x80\0\0\0\0".repeat(400_000)].concat();
    client.socket.get_mut().write_all(&pieces).await.unwrap();
    assert_eq!(client.goodbye().await.1.code, 4101.into());
    bystander.goes_on(&node).await;
}

#[tokio::test]
async fn whoever_says_no_hello_in_time_goes_also_byte_by_byte() {
    let limits = Limits { hello_time_max: Duration::from_millis(200), ..Limits::default() };
    let node = TestNode::start_with(limits, &[], 0).await;
    let mut silent = Client::connect(&node.url(), Codec::Json).await;
    assert_eq!(silent.goodbye().await.1.code, 4203.into());

    // Each byte is a sign of life, and none of them buys time.
    let mut slow = Client::connect(&node.url(), Codec::Json).await;
    let socket = slow.socket.get_mut();
    socket.write_all(b"\x81\xfe\x40\0\0\0\0\0").await.unwrap();
    while node.count("rotunda_closes_total{code=\"hello_expected\"}").await == 1 {
        socket.write_all(b" ").await.unwrap();
    }
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await.unwrap();
    assert!(String::from_utf8_lossy(&rest).contains("hello_expected"));
}

#[tokio::test]
async fn a_first_frame_that_is_no_hello_ends_the_connection() {
    let node = TestNode::start().await;
    let renew = ClientFrame::Renew { r#ref: "a".into(), token: token(ORGANIZATION, "ben", HOUR) };
    for frame in [ask("a"), renew] {
        let mut client = Client::connect(&node.url(), Codec::MessagePack).await;
        client.send(&frame).await;
        assert_eq!(client.goodbye().await.1.code, 4203.into());
    }
    let mut client = ben(&node, Codec::Json).await;
    let hello = token(ORGANIZATION, "ben", HOUR);
    assert!(matches!(client.hello(&hello, None).await, Came::Frame(ServerFrame::Closing { .. })));
    assert_eq!(client.closed().await, 4200, "one hello is enough");
}

/// A token with a header of one's own, signed with whatever.
fn forged(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    format!("{}.{}.{}", part(header), part(claims), BASE64URL_NOPAD.encode(signature))
}

#[tokio::test]
async fn tokens_that_give_no_access_are_all_told_the_same() {
    let node = TestNode::start().await;
    let mut ada = node.session("ada").await;
    let invited = NewTeammate { id: Some(id("ivy")), name: "Ivy".into(), role: Role::Member, active: false };
    ada.call(Command::Invite(invited)).await.unwrap();
    ada.call(Command::Suspend { teammate: id("cyd") }).await.unwrap();
    let remove = Command::Remove { teammate: id("eve"), transfer_to: None, transfer_assignments: false };
    ada.call(remove).await.unwrap();

    let signed = |secret: &str, expires_in: i64| {
        let tokens = Tokens::with_secret(secret, None).unwrap();
        tokens.sign(&id(ORGANIZATION), &id("ben"), clock::now_millis() + expires_in).unwrap()
    };
    let claims = json!({"sub": "ben", "org": ORGANIZATION, "exp": 4_000_000_000_u64});
    let good = token(ORGANIZATION, "ben", HOUR);
    let changed = format!("{}x", &good[..good.len() - 1]);
    let tokens = [
        ("empty", String::new()),
        ("no token", "ben".into()),
        ("cut short", good[..good.len() - 10].into()),
        ("changed", if changed == good { format!("{}y", &good[..good.len() - 1]) } else { changed }),
        ("expired", signed(SECRET, -3_600_000)),
        ("foreign key", signed("another secret, long enough to be one", 3_600_000)),
        ("foreign and expired", signed("another secret, long enough to be one", -3_600_000)),
        ("no algorithm", forged(&json!({"alg": "none", "typ": "JWT"}), &claims, b"")),
        ("other algorithm", forged(&json!({"alg": "RS256", "typ": "JWT"}), &claims, &[7; 256])),
        ("unknown organization", token("nowhere", "ben", HOUR)),
        ("unknown teammate", token(ORGANIZATION, "nobody", HOUR)),
        ("invited", token(ORGANIZATION, "ivy", HOUR)),
        ("suspended", token(ORGANIZATION, "cyd", HOUR)),
        ("removed", token(ORGANIZATION, "eve", HOUR)),
    ];
    for (what, token) in &tokens {
        let mut client = Client::connect(&node.url(), Codec::Json).await;
        client
            .send(&ClientFrame::Hello { token: token.clone(), cursor: None, device: None, open: vec![] })
            .await;
        let (closing, close) = client.goodbye().await;
        let rejected = ServerFrame::Closing { code: CloseCode::TokenRejected, retry_after_ms: None };
        assert_eq!(closing, rejected, "{what}");
        assert_eq!((u16::from(close.code), close.reason.as_str()), (4204, "token_rejected"), "{what}");
    }
    let rejected = node.count("rotunda_closes_total{code=\"token_rejected\"}").await;
    assert_eq!(rejected, tokens.len() as u64);
    ben(&node, Codec::Json).await;
}

#[tokio::test]
async fn whoever_sends_more_than_the_quota_goes_and_nobody_else() {
    let limits = Limits { frames_burst: 20, frames_per_second: 1, ..Limits::default() };
    let node = TestNode::start_with(limits, &[], 0).await;
    let mut bystander = Bystander::at(&node).await;
    let mut client = ben(&node, Codec::MessagePack).await;
    for n in 0..30 {
        client.socket.feed(Message::binary(Codec::MessagePack.encode(&ask(&n.to_string())))).await.unwrap();
    }
    client.socket.flush().await.unwrap();
    let (closing, close) = client.goodbye().await;
    assert_eq!(close.code, 4101.into());
    let ServerFrame::Closing { retry_after_ms: Some(wait), .. } = closing else { panic!("{closing:?}") };
    assert!(wait >= 10_000, "{wait}");
    bystander.goes_on(&node).await;

    let mut pinging = ben(&node, Codec::MessagePack).await;
    for _ in 0..30 {
        pinging.socket.feed(Message::Ping("x".into())).await.unwrap();
    }
    pinging.socket.flush().await.unwrap();
    assert_eq!(pinging.goodbye().await.1.code, 4101.into(), "pings count");
    bystander.goes_on(&node).await;
}

fn note(conversation: &ConversationId, body: &str) -> Command {
    Command::PostNote { conversation: conversation.clone(), body: body.into() }
}

#[tokio::test]
async fn too_many_in_flight_are_refused_and_the_others_are_answered() {
    let limits = Limits { in_flight_max: 3, ..Limits::default() };
    let node = TestNode::start_with(limits, &[], 0).await;
    let conversation = node.receive(MAIN, "+14155550999", "hello").await;
    let mut client = node.session("ben").await;
    // Nothing is answered while the database is somebody else's.
    let lock = node.locked_database();
    for n in 0..5 {
        let (r#ref, command) = (n.to_string(), note(&conversation, &format!("note {n}")));
        client.send(&ClientFrame::Call { r#ref, command }).await;
    }
    for n in [3, 4] {
        let answer = client.answer(&n.to_string()).await;
        assert_eq!(answer, Answer::Refused { refusal: Refusal::TooManyInFlight, retry: true });
    }
    lock.close().unwrap();
    for n in 0..3 {
        assert!(matches!(client.answer(&n.to_string()).await, Answer::Done { .. }));
    }
    client.call_as("3", note(&conversation, "note 3")).await.unwrap();
    assert_eq!(node.count("rotunda_commands_refused_total{code=\"too_many_in_flight\"}").await, 2);
}

#[tokio::test]
async fn one_session_too_many_goes_and_one_that_leaves_makes_room() {
    let limits = Limits { sessions_per_teammate_max: 3, ..Limits::default() };
    let node = TestNode::start_with(limits, &[], 0).await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(ben(&node, Codec::Json).await);
    }
    let good = token(ORGANIZATION, "ben", HOUR);
    assert_eq!(node.turned_away(&good).await, CloseCode::TooManySessions);
    for session in &mut sessions {
        session.pushed_until_now().await;
    }
    node.session("dee").await.pushed_until_now().await;

    // The close is answered once the place is free.
    let mut first = sessions.remove(0);
    first.socket.close(None).await.unwrap();
    first.closed().await;
    sessions.push(ben(&node, Codec::Json).await);
    assert_eq!(node.turned_away(&good).await, CloseCode::TooManySessions);
}

async fn refused(node: &Node, headers: &[(&'static str, &str)]) -> Refused {
    match Client::request(&node.url(), headers).await {
        Ok(_) => panic!("{headers:?} were accepted"),
        Err(refused) => refused,
    }
}

const JSON: (&str, &str) = ("sec-websocket-protocol", "rotunda.v1.json");

#[tokio::test]
async fn without_a_known_subprotocol_there_is_no_upgrade() {
    let node = TestNode::start().await;
    assert_eq!(refused(&node, &[]).await.status(), 400);
    for unknown in ["chat", "rotunda.v2.json, rotunda", "ROTUNDA.V1.JSON"] {
        assert_eq!(refused(&node, &[("sec-websocket-protocol", unknown)]).await.status(), 400, "{unknown}");
    }
    let both = "chat, rotunda.v1.json, rotunda.v1.msgpack";
    let client = Client::request(&node.url(), &[("sec-websocket-protocol", both)]).await;
    assert!(client.is_ok());
}

#[tokio::test]
async fn a_foreign_page_gets_no_session() {
    let flags = ["--origin", "https://inbox.example", "--origin", "https://app.example:8443"];
    let node = TestNode::start_with(Limits::default(), &flags, 0).await;
    for foreign in [
        "https://evil.example",
        "http://inbox.example",
        "https://inbox.example.evil",
        "https://app.example",
        "null",
    ] {
        assert_eq!(refused(&node, &[JSON, ("origin", foreign)]).await.status(), 403, "{foreign}");
    }
    for known in ["https://inbox.example", "https://app.example:8443"] {
        assert!(Client::request(&node.url(), &[JSON, ("origin", known)]).await.is_ok(), "{known}");
    }
    assert!(Client::request(&node.url(), &[JSON]).await.is_ok(), "no browser");
}

#[tokio::test]
async fn a_full_node_says_when_to_come_back() {
    let limits = Limits { connections_max: 2, ..Limits::default() };
    let node = TestNode::start_with(limits, &[], 0).await;
    let (mut session, mut guest) =
        (ben(&node, Codec::Json).await, Client::connect(&node.url(), Codec::Json).await);
    let full = refused(&node, &[JSON]).await;
    assert_eq!(full.status(), 503);
    let wait: u32 = full.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(node.count("rotunda_connections_refused_total").await, 1);
    session.pushed_until_now().await;

    guest.socket.close(None).await.unwrap();
    guest.closed().await;
    // The last bytes and the place are given back one after the other.
    while Client::request(&node.url(), &[JSON]).await.is_err() {}
}

#[tokio::test]
async fn half_a_request_is_not_waited_for() {
    let limits = Limits { header_time_max: Duration::from_millis(100), ..Limits::default() };
    let node = TestNode::start_with(limits, &[], 0).await;
    for start in ["", "GET /v1/sock", "GET /v1/socket HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\n"] {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest));
        assert!(ended.await.is_ok(), "{start:?} is still waited for");
    }
    node.session("ben").await;
}

#[tokio::test]
async fn while_the_database_is_locked_commands_are_refused_and_everything_else_goes_on() {
    let node = TestNode::start().await;
    let conversation = node.receive(MAIN, "+14155550999", "hello").await;
    let (mut client, mut other) = (node.session("ben").await, node.session("dee").await);
    let lock = node.locked_database();
    let call = ClientFrame::Call { r#ref: "once".into(), command: note(&conversation, "written late") };
    client.send(&call).await;
    // Meanwhile: what is read is read, whoever asks.
    assert_eq!(other.list("shared").await[0].conversation.items, 1);
    let answer = client.answer("once").await;
    assert_eq!(answer, Answer::Refused { refusal: Refusal::Unavailable, retry: true });
    assert_eq!(client.list("shared").await[0].conversation.items, 1, "nothing happened");
    let history = Ask::History { conversation: conversation.clone(), before: 10, limit: 10 };
    other.ask(history.clone()).await.unwrap();
    let mut late = node.session("cyd").await;
    assert_eq!(late.list("shared").await.len(), 1, "sessions begin");
    assert!(node.count("rotunda_store_faults_total").await >= 1);

    lock.close().unwrap();
    let first = client.call_as("once", note(&conversation, "written late")).await.unwrap();
    assert!(matches!(first, Done::Conversation { .. }));
    assert_eq!(client.call_as("once", note(&conversation, "written late")).await.unwrap(), first);
    other.push(|push| is_about(push, &conversation)).await;
    assert_eq!(other.list("shared").await[0].conversation.items, 2, "once");
    assert!(late.pushed_until_now().await.iter().any(|push| is_about(push, &conversation)));
}
