//! The real process: killed, told to end, started on what cannot be used.

use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::time::Duration;

use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Done};
use rotunda_protocol::frame::{ClientFrame, ServerFrame};
use tokio::net::TcpStream;

use crate::support::Node;
use crate::support::node::{SECRET, SERVICE_SECRET};
use crate::support::practice::{MAIN, ORGANIZATION, bayview};

/// A hub in a process of its own, killed when it is no longer needed.
struct Hub {
    process: Child,
    node: Node,
}

impl Hub {
    fn start(data: &Path) -> Child {
        Process::new(env!("CARGO_BIN_EXE_rotunda"))
            .args(["serve", "--data", data.to_str().unwrap()])
            .env("ROTUNDA_TOKEN_SECRET", SECRET)
            .env("ROTUNDA_SERVICES", format!("test:{SERVICE_SECRET}"))
            .env("ROTUNDA_DRAIN_SECONDS", "1")
            .env("ROTUNDA_LISTEN", format!("127.0.0.1:{}", Self::port(data)))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// A free port, the same for the same folder.
    fn port(data: &Path) -> u16 {
        let file = data.join("port");
        if let Ok(port) = std::fs::read_to_string(&file) {
            return port.parse().unwrap();
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        std::fs::write(&file, port.to_string()).unwrap();
        port
    }

    async fn running(data: &Path) -> Self {
        let process = Self::start(data);
        let address = ([127, 0, 0, 1], Self::port(data)).into();
        let began = std::time::Instant::now();
        while TcpStream::connect(address).await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "the hub does not listen");
            tokio::task::yield_now().await;
        }
        Self { process, node: Node { address } }
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        assert!(Process::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_during_writes_loses_no_answered_command() {
    let folder = tempfile::tempdir().unwrap();
    let mut hub = Hub::running(folder.path()).await;
    hub.node.provision(ORGANIZATION, &bayview(0)).await;
    let conversation = hub.node.receive(MAIN, "+14155550999", "hello").await;
    let mut noted = 1;
    for round in 0..3 {
        let mut ben = hub.node.session("ben").await;
        let note =
            |n: u32| Command::PostNote { conversation: conversation.clone(), body: format!("note {n}") };
        // Many in flight, so that it dies in the middle of writing some.
        let mut answered = Vec::new();
        let mut sent = 0;
        loop {
            while sent < u32::try_from(answered.len()).unwrap() + 16 {
                let r#ref = format!("{round}-{sent}");
                ben.send(&ClientFrame::Call { r#ref, command: note(sent) }).await;
                sent += 1;
            }
            if let ServerFrame::Answer { r#ref, answer } = ben.frame().await {
                let rotunda_protocol::frame::Answer::Done { done } = answer else { panic!("{answer:?}") };
                answered.push((r#ref, done));
            }
            if answered.len() == 30 {
                break;
            }
        }
        hub.signal("-9");
        hub.process.wait().unwrap();
        hub = Hub::running(folder.path()).await;
        let mut ben = hub.node.session("ben").await;
        // Everything answered is there; what was not answered is done once, whether it was written or not.
        for (r#ref, done) in &answered {
            let n: u32 = r#ref.split_once('-').unwrap().1.parse().unwrap();
            assert_eq!(ben.call_as(r#ref, note(n)).await.as_ref(), Ok(done), "{ref}");
        }
        let mut items = std::collections::BTreeSet::new();
        for n in 0..sent {
            let Ok(Done::Conversation { item: Some(item), .. }) =
                ben.call_as(&format!("{round}-{n}"), note(n)).await
            else {
                panic!("{n} was not done")
            };
            assert!(items.insert(item), "item {item} twice");
        }
        noted += sent;
        assert_eq!(ben.list("shared").await[0].conversation.items, noted, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_drains_with_a_code_a_delay_and_nothing_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut hub = Hub::running(folder.path()).await;
    hub.node.provision(ORGANIZATION, &bayview(0)).await;
    let conversation = hub.node.receive(MAIN, "+14155550999", "hello").await;
    let (mut ben, _) = hub.node.session_in("ben", Codec::Json, None).await;
    let (mut dee, _) = hub.node.session_in("dee", Codec::Json, None).await;
    let note = |n: u32| Command::PostNote { conversation: conversation.clone(), body: format!("note {n}") };
    for n in 0..10 {
        ben.send(&ClientFrame::Call { r#ref: n.to_string(), command: note(n) }).await;
    }
    hub.signal("-TERM");
    let (mut answered, mut delays) = (0, Vec::new());
    for client in [&mut ben, &mut dee] {
        loop {
            match client.next().await {
                crate::support::client::Came::Frame(ServerFrame::Answer { .. }) => answered += 1,
                crate::support::client::Came::Frame(ServerFrame::Closing { code, retry_after_ms }) => {
                    assert_eq!(code.number(), 4000);
                    delays.push(retry_after_ms.unwrap());
                }
                crate::support::client::Came::Frame(_) => {}
                crate::support::client::Came::Closed(frame) => {
                    assert_eq!(frame.map(|frame| frame.code.into()), Some(4000u16));
                    break;
                }
            }
        }
    }
    assert_eq!(delays.len(), 2);
    assert!(hub.process.wait().unwrap().success());
    let hub = Hub::running(folder.path()).await;
    let mut ben = hub.node.session("ben").await;
    let items = ben.list("shared").await[0].conversation.items;
    assert!(items > answered, "{items} items, {answered} notes answered");
}

#[tokio::test]
async fn a_damaged_database_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::running(folder.path()).await;
    hub.node.provision(ORGANIZATION, &bayview(200)).await;
    hub.signal("-TERM");
    let mut hub = hub;
    hub.process.wait().unwrap();
    let file = folder.path().join("rotunda.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let length = bytes.len();
    bytes[8_192..length].fill(0xA5);
    std::fs::write(&file, &bytes).unwrap();
    let output = Hub::start(folder.path()).wait_with_output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("backup") && said.contains("rotunda.db"), "{said}");

    std::fs::write(&file, "not a database at all, but long enough to look at").unwrap();
    let output = Hub::start(folder.path()).wait_with_output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("not a SQLite database"), "{said}");
}
