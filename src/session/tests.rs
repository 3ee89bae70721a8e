//! A running session over a real socket, with a seat that this test answers for. Where only the clock decides it
//! is paused, and jumps whenever everybody waits.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use rotunda_protocol::ask::Ask;
use rotunda_protocol::command::Command;
use rotunda_protocol::frame::{Answer, ClientFrame, Ref, ServerFrame, Signal};
use rotunda_protocol::refusal::Refusal;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::handshake::Seated;
use super::running::{self, Counterpart};
use super::*;
use crate::clock;
use crate::domain::event::Seq;
use crate::hub::send_queue::{About, Permit, Pushed, QueuedFrame, SendQueue};
use crate::hub::wire;
use crate::metrics::Metrics;

const SECRET: &str = "a secret that is long enough for this";
const CODEC: Codec = Codec::MessagePack;

/// Refuses questions at once, and holds commands until the test lets them go.
#[derive(Clone)]
struct Fake {
    queue: Arc<SendQueue>,
    held: Arc<Mutex<Vec<(Ref, Permit)>>>,
    signals: Arc<Mutex<Vec<Signal>>>,
    behind: mpsc::Sender<()>,
}

impl Fake {
    fn answer(&self, r#ref: Ref) {
        let answer = ServerFrame::Answer { r#ref, answer: Refusal::NotFound.into() };
        let bytes = wire::encode(CODEC, &answer);
        self.queue.answer(QueuedFrame { bytes, seq: None, about: About::Anyone }, None).unwrap();
    }

    fn release(&self) {
        let (r#ref, permit) = self.held.lock().unwrap().remove(0);
        self.answer(r#ref);
        drop(permit);
    }

    /// As fan-out tells it.
    fn tell(&self, frame: QueuedFrame) {
        if self.queue.push(frame) == Pushed::Due {
            self.queue.write_due(Instant::now());
        }
    }

    fn catch_up(&self, bytes: Bytes, as_of: u64) {
        self.queue.begin_catch_up();
        let frame = QueuedFrame { bytes, seq: None, about: About::Reading };
        self.queue.finish_catch_up(frame, Seq(as_of)).unwrap();
    }
}

impl Counterpart for Fake {
    fn call(&self, r#ref: Ref, _: Command, permit: Permit) {
        self.held.lock().unwrap().push((r#ref, permit));
    }

    fn ask(&self, r#ref: Ref, _: Ask, _permit: Permit) {
        self.answer(r#ref);
    }

    fn signal(&self, signal: Signal) {
        self.signals.lock().unwrap().push(signal);
    }

    fn catch_up(&self) {
        self.behind.try_send(()).unwrap();
    }
}

struct Session {
    client: WebSocketStream<TcpStream>,
    hub: Fake,
    behind: mpsc::Receiver<()>,
    task: JoinHandle<()>,
    began: Instant,
}

fn token(teammate: &str, seconds: i64) -> String {
    let tokens = Tokens::with_secret(SECRET, None).unwrap();
    let until = clock::now_millis() + seconds * 1000;
    tokens.sign(&"clinic".parse().unwrap(), &teammate.parse().unwrap(), until).unwrap()
}

/// A session of Ada's that has been welcomed, with a token for so many seconds.
async fn session(limits: Limits, seconds: i64) -> Session {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (client, server) =
        tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let client = WebSocketStream::from_raw_socket(client.unwrap(), Role::Client, None).await;
    let tokens = Tokens::with_secret(SECRET, None).unwrap();
    let whose = tokens.verify(&token("ada", seconds), clock::now_millis()).unwrap();
    let places = Live::new(1);
    let upgraded = Upgraded { stream: server.unwrap().0, read: Vec::new(), codec: CODEC };
    let admitted = places.admit().unwrap();
    let sessions = Arc::new(Sessions { tokens, limits, live: places, metrics: Metrics::new() });
    let line = Line::new(upgraded, admitted, sessions);
    let (sender, behind) = mpsc::channel(1);
    let hub =
        Fake { queue: line.queue.clone(), held: Arc::default(), signals: Arc::default(), behind: sender };
    hub.catch_up(wire::encode(CODEC, &ServerFrame::Beat), 1);
    let task = tokio::spawn(running::run(line, Seated { seat: hub.clone(), subject: whose }));
    let mut session = Session { client, hub, behind, task, began: Instant::now() };
    assert_eq!(session.next().await, ServerFrame::Beat);
    session
}

impl Session {
    async fn send(&mut self, frame: &impl serde::Serialize) {
        self.client.send(Message::Binary(CODEC.encode(frame).into())).await.unwrap();
    }

    async fn next(&mut self) -> ServerFrame {
        loop {
            if let Message::Binary(bytes) = self.client.next().await.unwrap().unwrap() {
                return CODEC.decode(&bytes).unwrap();
            }
        }
    }

    async fn refusal(&mut self) -> (Ref, Refusal) {
        let frame = self.next().await;
        let ServerFrame::Answer { r#ref, answer: Answer::Refused { refusal, .. } } = frame else {
            panic!("{frame:?}")
        };
        (r#ref, refusal)
    }

    /// The code that it ends with, whatever comes before; and that it does end.
    async fn end(mut self) -> CloseCode {
        let code = loop {
            if let ServerFrame::Closing { code, .. } = self.next().await {
                break code;
            }
        };
        while self.client.next().await.is_some() {}
        self.task.await.unwrap();
        code
    }
}

fn call(r#ref: &str) -> serde_json::Value {
    let command = json!({ "do": "conversation.leave", "conversation": "c1" });
    json!({ "t": "call", "ref": r#ref, "command": command })
}

fn ask(r#ref: &str) -> serde_json::Value {
    json!({ "t": "ask", "ref": r#ref, "ask": { "ask": "counts", "mailboxes": [] } })
}

fn push(length: usize, seq: u64) -> QueuedFrame {
    let frame = ServerFrame::Answer { r#ref: "x".repeat(length), answer: Answer::Renewed };
    QueuedFrame { bytes: wire::encode(CODEC, &frame), seq: Some(Seq(seq)), about: About::Anyone }
}

#[tokio::test]
async fn questions_are_asked_commands_are_bounded_and_the_unknown_is_refused() {
    let mut session = session(Limits { in_flight_max: 2, ..Limits::default() }, 600).await;
    session.send(&ask("a")).await;
    assert_eq!(session.refusal().await, ("a".into(), Refusal::NotFound));
    for r#ref in ["b", "c", "d"] {
        session.send(&call(r#ref)).await;
    }
    assert_eq!(session.refusal().await, ("d".into(), Refusal::TooManyInFlight));
    session.hub.release();
    assert_eq!(session.refusal().await.0, "b");
    session.send(&json!({ "t": "call", "ref": "e", "command": { "do": "coffee.make" } })).await;
    let (r#ref, Refusal::Invalid { field, .. }) = session.refusal().await else { panic!() };
    assert_eq!((r#ref.as_str(), field.as_str()), ("e", "command"));
    session.send(&json!({ "t": "signal", "signal": { "signal": "idle", "conversation": "c1" } })).await;
    session.send(&ask("f")).await;
    session.refusal().await;
    assert_eq!(session.hub.signals.lock().unwrap().len(), 1);
    session.send(&json!({ "t": "hello", "token": "" })).await;
    assert_eq!(session.end().await, CloseCode::MalformedFrame);
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_with_its_token_unless_it_is_renewed() {
    let quiet = Limits { heartbeat: Duration::from_hours(1), ..Limits::default() };
    let mut renewed = session(quiet.clone(), 10).await;
    let renew = ClientFrame::Renew { r#ref: "r".into(), token: token("ada", 60) };
    renewed.send(&renew).await;
    assert_eq!(renewed.next().await, ServerFrame::Answer { r#ref: "r".into(), answer: Answer::Renewed });
    let began = renewed.began;
    assert_eq!(renewed.end().await, CloseCode::TokenExpired);
    // 30 s of leeway for clocks are in it; the clock on the wall goes on while this one is paused.
    assert!((85..=91).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());

    for bad in [token("ben", 60), "none".into()] {
        let mut session = session(quiet.clone(), 10).await;
        session.send(&ClientFrame::Renew { r#ref: "r".into(), token: bad }).await;
        let (r#ref, Refusal::Invalid { field, .. }) = session.refusal().await else { panic!() };
        assert_eq!((r#ref.as_str(), field.as_str()), ("r", "token"));
        let began = session.began;
        assert_eq!(session.end().await, CloseCode::TokenExpired, "the old one is still in force");
        assert!(began.elapsed() < Duration::from_mins(1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_client_hears_beats_and_lives_as_long_as_it_answers_pings() {
    let mut session = session(Limits::default(), 6_000).await;
    for beat in 1..=5 {
        assert_eq!(session.next().await, ServerFrame::Beat);
        assert_eq!(session.began.elapsed().as_secs(), 25 * beat);
    }
}

/// By the real clock: a paused one would jump over what is on its way.
#[tokio::test]
async fn a_client_that_only_listens_is_pinged_however_much_it_is_told() {
    let heartbeat = Duration::from_millis(400);
    let limits = Limits { heartbeat, heartbeat_margin: 4 * heartbeat, ..Limits::default() };
    let mut session = session(limits.clone(), 6_000).await;
    let (mut seq, mut beats) = (1, 0);
    let mut pushes = interval(heartbeat / 8);
    while session.began.elapsed() < limits.silence_max() + 3 * heartbeat {
        pushes.tick().await;
        seq += 1;
        session.hub.tell(push(100, seq));
        while session.next().await == ServerFrame::Beat {
            beats += 1;
        }
    }
    // Once in a heartbeat at most.
    assert!((3..=9).contains(&beats), "{beats}");
}

#[tokio::test(start_paused = true)]
async fn a_beat_that_waits_for_a_catch_up_is_tried_again_soon() {
    let limits = Limits { heartbeat_margin: Duration::from_secs(10), ..Limits::default() };
    let mut session = session(limits, 6_000).await;
    session.hub.queue.begin_catch_up();
    session.hub.tell(push(100, 2));
    sleep(Duration::from_secs(26)).await;
    let bytes = wire::encode(CODEC, &ServerFrame::Answer { r#ref: "r".into(), answer: Answer::Renewed });
    let frame = QueuedFrame { bytes, seq: None, about: About::Reading };
    session.hub.queue.finish_catch_up(frame, Seq(2)).unwrap();
    while session.next().await != ServerFrame::Beat {}
    // It was due at 25 s.
    assert_eq!(session.began.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_not_heard_from_is_gone() {
    let session = session(Limits::default(), 6_000).await;
    let (began, _client) = (session.began, session.client.into_inner());
    session.task.await.unwrap();
    // Two heartbeats and the margin, and the time for a goodbye that nobody agrees to.
    assert_eq!(began.elapsed().as_secs(), 55 + 2);
}

#[tokio::test]
async fn a_client_that_stops_reading_is_behind_and_gets_a_catch_up_when_it_reads() {
    let limits = Limits { queue_bytes_max: 1 << 20, ..Limits::default() };
    let mut session = session(limits, 6_000).await;
    let mut seq = 1;
    while session.hub.queue.stuck_since().is_none() {
        seq += 1;
        session.hub.tell(push(200_000, seq));
        assert!(session.hub.queue.bytes() <= 1 << 20);
        tokio::task::yield_now().await;
    }
    // What was dropped is not kept anywhere: at most the frame that is written in part.
    assert!(session.hub.queue.bytes() <= 200_100);
    let catch_up = wire::encode(CODEC, &ServerFrame::Beat);
    let (_, nothing) = mpsc::channel(1);
    let mut behind = std::mem::replace(&mut session.behind, nothing);
    let hub = session.hub.clone();
    let asked = tokio::spawn(async move {
        behind.recv().await.unwrap();
        hub.catch_up(catch_up, seq);
    });
    let mut told = 1;
    while session.next().await != ServerFrame::Beat {
        told += 1;
    }
    asked.await.unwrap();
    assert!(told < seq);
    assert_eq!((session.hub.queue.catch_ups(), session.hub.queue.stuck_since()), (1, None));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stays_behind_is_cut_although_it_is_heard() {
    let limits = Limits { queue_bytes_max: 1 << 20, ..Limits::default() };
    let mut session = session(limits, 6_000).await;
    let mut seq = 1;
    while session.hub.queue.stuck_since().is_none() {
        seq += 1;
        session.hub.tell(push(200_000, seq));
        tokio::task::yield_now().await;
    }
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(25)).await;
        session.send(&json!({ "t": "signal", "signal": { "signal": "idle", "conversation": "c1" } })).await;
    }
    session.task.await.unwrap();
    assert_eq!(session.began.elapsed().as_secs(), 60 + 2);
}

#[tokio::test]
async fn a_client_that_asks_and_does_not_read_is_not_listened_to() {
    let limits = Limits { frames_burst: 1_000_000, ..Limits::default() };
    let mut session = session(limits, 6_000).await;
    let long = json!({ "t": "call", "ref": "x".repeat(64), "command": { "do": "y".repeat(60_000) } });
    let frame = Message::Binary(CODEC.encode(&long).into());
    let waits = loop {
        let sent = tokio::time::timeout(Duration::from_secs(1), session.client.send(frame.clone()));
        if sent.await.is_err() {
            break session.hub.queue.answers_waiting();
        }
    };
    assert!(waits >= 64, "{waits}");
    assert!(waits <= 64 + 16, "{waits}");
}

#[tokio::test]
async fn a_drain_answers_what_is_in_flight_first() {
    let mut session = session(Limits::default(), 6_000).await;
    session.send(&call("a")).await;
    session.send(&ask("b")).await;
    assert_eq!(session.refusal().await.0, "b");
    session.hub.queue.close(CloseCode::Draining, true);
    session.send(&call("c")).await;
    assert_eq!(session.refusal().await, ("c".into(), Refusal::Unavailable));
    session.hub.release();
    assert_eq!(session.refusal().await.0, "a");
    assert_eq!(session.end().await, CloseCode::Draining);
}

#[tokio::test]
async fn an_idle_session_is_small() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (places, tokens) = (Live::new(1), Tokens::with_secret(SECRET, None).unwrap());
    let subject = tokens.verify(&token("ada", 9), clock::now_millis()).unwrap();
    let upgraded = Upgraded { stream, read: Vec::new(), codec: CODEC };
    let admitted = places.admit().unwrap();
    let (limits, metrics) = (Limits::default(), Metrics::new());
    let line = Line::new(upgraded, admitted, Arc::new(Sessions { tokens, limits, live: places, metrics }));
    let (behind, _) = mpsc::channel(1);
    let seat = Fake { queue: line.queue.clone(), held: Arc::default(), signals: Arc::default(), behind };
    let (line_size, queue_size) = (size_of_val(&line), size_of::<SendQueue>());
    let running = running::run(line, Seated { seat, subject });
    let size = size_of_val(&running);
    assert!(size + queue_size <= 2048, "future {size}, line {line_size}, queue {queue_size}");
}
