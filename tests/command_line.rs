//! The command line, as the real program: a demo and two who watch it, commands and their exit codes, tokens, a hub that
//! comes back, and what is said about arguments that make no sense.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hyper::Method;
use rotunda_protocol::command::Command;
use serde_json::{Value, json};

use crate::support::http;
use crate::support::node::{SECRET, SERVICE_SECRET};
use crate::support::practice::{BENS, MAIN, ORGANIZATION, bayview, id};
use crate::support::program::{Running, ran, rotunda, row_of};
use crate::support::{Node, TestNode};

/// A demo, and what is needed to write to it.
struct Demo {
    running: Running,
    address: SocketAddr,
    url: String,
    secret: String,
    folder: tempfile::TempDir,
}

impl Demo {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut running =
            Running::start(&["demo", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
        let open = running.line("is open at").await;
        let address = open.split("http://").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let secret = std::fs::read_to_string(data.join("service-token")).unwrap().trim().to_owned();
        Self { running, address, url: format!("ws://{address}"), secret, folder }
    }

    /// A patient writes.
    async fn writes(&self, to: &str, from: &str, name: &str) -> String {
        let content = json!({"kind": "message", "direction": "in", "body": "Hello!"});
        let inbound = json!({"to": to, "from": from, "name": name, "content": content});
        let authorization = format!("Bearer {}", self.secret);
        let headers = [("Authorization", authorization.as_str()), ("Idempotency-Key", name)];
        let path = "/v1/organizations/lakeside/inbound";
        let done = http::request(self.address, Method::POST, path, &headers, inbound.to_string()).await;
        assert_eq!(done.status, 200, "{}", done.body);
        done.json()["conversation"].as_str().unwrap().to_owned()
    }

    /// A teammate who watches, once their inbox was told.
    async fn watched_by(&self, teammate: &str) -> Running {
        let mut watch = Running::start(&["watch", "--as", teammate, "--url", &self.url, "--json"]);
        let (welcome, before) = watch.frame(|frame| frame["t"] == "welcome").await;
        assert_eq!(
            (before.len(), &welcome["start"], &welcome["you"]["id"]),
            (0, &json!("fresh"), &json!(teammate))
        );
        watch.told().await;
        watch
    }

    async fn called(&self, teammate: &str, what: &Value) -> (i32, Value) {
        let output = ran(&["call", "--as", teammate, "--url", &self.url, &what.to_string()]).await;
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        (output.status.code().unwrap(), serde_json::from_str(&said).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_shows_each_of_two_what_they_may_see_and_nothing_else() {
    let demo = Demo::start().await;
    let (mut ada, mut ben) = tokio::join!(demo.watched_by("ada"), demo.watched_by("ben"));

    // To the link that only ada belongs to.
    let hidden = demo.writes("dr-okafor", "mara@example.org", "Mara Lindqvist").await;
    let (push, _) = ada.frame(row_of("Mara Lindqvist")).await;
    assert_eq!(
        (&push["conversation"]["id"], &push["conversation"]["endpoint"]),
        (&json!(hidden), &json!("dr-okafor"))
    );
    assert_eq!(push["conversation"]["mailbox"], "teammate:ada");
    // Assigned to nobody it goes to her shared mailbox, and still nowhere else.
    let assign = |conversation: &str, to: &str, grant: bool| json!({"do": "conversation.assign", "conversation": conversation, "to": to, "grant": grant});
    let (code, answer) = demo.called("ada", &assign(&hidden, "nobody", false)).await;
    assert_eq!((code, &answer["result"]), (0, &json!("done")));
    let (push, _) = ada.frame(row_of("Mara Lindqvist")).await;
    assert_eq!(
        (&push["was"]["mailbox"], &push["conversation"]["mailbox"]),
        (&json!("teammate:ada"), &json!("shared"))
    );
    // For ben it does not exist, and he cannot be given it by accident.
    let (code, answer) = demo.called("ben", &assign(&hidden, "teammate:ben", false)).await;
    assert_eq!((code, &answer["refusal"]["code"]), (1, &json!("not_found")));
    let (code, answer) = demo.called("ada", &assign(&hidden, "teammate:ben", false)).await;
    assert_eq!((code, &answer["refusal"]["code"]), (1, &json!("assignee_not_member")));

    // What both see comes after all that, and ben has heard nothing of it.
    let shared = demo.writes("+14155550100", "+14155550998", "Marker").await;
    ada.frame(row_of("Marker")).await;
    let (_, before) = ben.frame(row_of("Marker")).await;
    for text in before {
        assert!(!text.contains(&hidden) && !text.contains("Mara Lindqvist"), "{text}");
    }
    // Assigning it moves it between mailboxes for both.
    let (code, _) = demo.called("ada", &assign(&shared, "teammate:ben", false)).await;
    assert_eq!(code, 0);
    for watch in [&mut ada, &mut ben] {
        let (push, _) = watch.frame(row_of("Marker")).await;
        assert_eq!(
            (&push["was"]["mailbox"], &push["conversation"]["mailbox"]),
            (&json!("shared"), &json!("teammate:ben"))
        );
    }
    // Granted on purpose the hidden one is his too: new in view, without what it was.
    let (code, _) = demo.called("ada", &assign(&hidden, "teammate:ben", true)).await;
    assert_eq!(code, 0);
    let (at_ada, _) = ada.frame(row_of("Mara Lindqvist")).await;
    assert_eq!(
        (&at_ada["was"]["mailbox"], &at_ada["conversation"]["mailbox"]),
        (&json!("shared"), &json!("teammate:ben"))
    );
    let (at_ben, _) = ben.frame(row_of("Mara Lindqvist")).await;
    assert_eq!((&at_ben["was"], &at_ben["conversation"]["mailbox"]), (&Value::Null, &json!("teammate:ben")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_that_is_started_again_goes_on() {
    let mut demo = Demo::start().await;
    let conversation = demo.writes("+14155550100", "+14155550998", "Marker").await;
    demo.running.signal("-TERM");
    assert_eq!(demo.running.ended().await.code(), Some(0));
    let (data, listen) = (demo.folder.path().join("data"), demo.address.to_string());
    let mut again = Running::start(&["demo", "--listen", &listen, "--data", data.to_str().unwrap()]);
    again.line("is open at").await;
    let history = json!({"ask": "history", "conversation": conversation, "before": 9});
    let (code, answer) = demo.called("ada", &history).await;
    assert_eq!((code, &answer["told"]["items"][0]["body"]), (0, &json!("Hello!")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_was_made_opens_a_session() {
    let node = TestNode::start().await;
    let url = node.url();
    let make = async |organization: &str, teammate: &str, secret: &str, more: &[&str]| {
        let arguments = ["token", "--organization", organization, "--teammate", teammate, "--secret", secret];
        let output = ran(&[&arguments, more].concat()).await;
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    let call = async |teammate: &str, token: &str, more: &[&str]| {
        let arguments = ["call", "--as", teammate, "--url", &url, "--token", token];
        let output = ran(&[&arguments, more, &[r#"{"ask":"counts","mailboxes":["shared"]}"#]].concat()).await;
        (output.status.code().unwrap(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    node.receive(MAIN, "+14155550999", "hello").await;
    for codec in ["json", "msgpack"] {
        let token = make(ORGANIZATION, "ben", SECRET, &["--ttl", "90s"]).await;
        let (code, said) = call("ben", &token, &["--codec", codec]).await;
        let answer: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((code, &answer["told"]["counts"][0]["conversations"]), (0, &json!(1)));
    }
    let elsewhere = "another secret, as long as it has to be";
    for token in [
        make(ORGANIZATION, "ben", elsewhere, &[]).await,
        make(ORGANIZATION, "nobody", SECRET, &[]).await,
        make("nowhere", "ben", SECRET, &[]).await,
        "garbage".to_owned(),
    ] {
        let (code, said) = call("ben", &token, &[]).await;
        assert_eq!((code, said.contains("4204 token_rejected; check the token")), (2, true), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_done_once_for_each_ref_and_says_how_it_ended() {
    let node = TestNode::start().await;
    let (url, conversation) = (node.url(), node.receive(MAIN, "+14155550999", "hello").await);
    let token = crate::support::node::token(ORGANIZATION, "ben", Duration::from_mins(5));
    let call = async |r#ref: &str, what: &str| {
        let output =
            ran(&["call", "--as", "ben", "--url", &url, "--token", &token, "--ref", r#ref, what]).await;
        assert!(output.stderr.is_empty(), "{output:?}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), answer)
    };
    let noted = json!({"do": "note.post", "conversation": conversation, "body": "once"}).to_string();
    let first = call("n1", &noted).await;
    assert_eq!((first.0, &first.1["done"]["item"]), (0, &json!(2)));
    assert_eq!(call("n1", &noted).await, first);
    let other = json!({"do": "note.post", "conversation": conversation, "body": "other"}).to_string();
    let (code, answer) = call("n1", &other).await;
    assert_eq!(
        (code, &answer["refusal"]["code"], &answer["retry"]),
        (1, &json!("ref_reused"), &json!(false))
    );
    let (code, answer) = call("q1", r#"{"ask":"list","mailbox":"shared","limit":0}"#).await;
    assert_eq!((code, &answer["refusal"]["code"]), (1, &json!("invalid")));
    assert_eq!(call("q1", r#"{"ask":"list","mailbox":"shared"}"#).await.0, 0);
}

/// A hub in a process of its own.
struct Served {
    running: Running,
    node: Node,
}

impl Served {
    async fn start(data: &Path, listen: &str) -> Self {
        let service = format!("test:{SERVICE_SECRET}");
        let secrets = ["--token-secret", SECRET, "--service", &service, "--drain-seconds", "0"];
        let place = ["serve", "--listen", listen, "--data", data.to_str().unwrap()];
        let mut running = Running::start(&[place.as_slice(), &secrets].concat());
        let line = running.complaint("listening").await;
        let address = line.split("address=").nth(1).unwrap().trim().parse().unwrap();
        Self { running, node: Node { address } }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_survives_the_hub_s_end_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut hub = Served::start(folder.path(), "127.0.0.1:0").await;
    let listen = hub.node.address.to_string();
    hub.node.provision(ORGANIZATION, &bayview(0)).await;
    let conversation = hub.node.receive(MAIN, "+14155550999", "0").await;
    let token = crate::support::node::token(ORGANIZATION, "ben", Duration::from_hours(1));
    let mut watch = Running::start(&[
        "watch",
        "--as",
        "ben",
        "--url",
        &format!("ws://{listen}"),
        "--token",
        &token,
        "--json",
    ]);
    let (welcome, _) = watch.frame(|frame| frame["t"] == "welcome").await;
    assert_eq!(welcome["start"], "fresh");
    watch.told().await;
    let mut items = 1;
    for signal in ["-TERM", "-KILL", "-TERM"] {
        // While it is held, a message comes before the hub ends and one after it is back: neither is pushed to it.
        watch.signal("-STOP");
        hub.node.receive(MAIN, "+14155550999", &format!("before {items}")).await;
        hub.running.signal(signal);
        let status = hub.running.ended().await;
        assert_eq!(status.success(), signal == "-TERM", "{status}");
        hub = Served::start(folder.path(), &listen).await;
        hub.node.receive(MAIN, "+14155550999", &format!("after {items}")).await;
        let bens = hub.node.receive(BENS, "+14155550999", &format!("own {items}")).await;
        items += 2;
        watch.signal("-CONT");
        watch.complaint("connection lost").await;
        let (welcome, _) = watch.frame(|frame| frame["t"] == "welcome").await;
        assert_eq!(welcome["start"], "resumed", "{welcome}");
        let rows = welcome["state"]["conversations"].as_array().unwrap();
        let row = |id: &str| rows.iter().find(|row| row["conversation"]["id"] == id).unwrap();
        assert_eq!(row(conversation.as_str())["conversation"]["items"], items);
        row(bens.as_str());
        // And it goes on.
        hub.node.receive(MAIN, "+14155550999", &format!("live {items}")).await;
        items += 1;
        let (push, _) = watch.frame(|frame| frame["push"] == "conversation").await;
        assert_eq!(push["conversation"]["items"], items);
    }
    // What is final ends it, with a reason and without trying for ever.
    let suspend = Command::Suspend { teammate: id("ben") };
    assert_eq!(hub.node.command("suspend", &suspend).await.status, 200);
    watch.complaint("4205 access_ended").await;
    assert_eq!(watch.ended().await.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_for_people_has_a_line_for_each_piece_of_news() {
    let node = TestNode::start().await;
    let url = node.url();
    let token = crate::support::node::token(ORGANIZATION, "ben", Duration::from_mins(5));
    let mut watch = Running::start(&["watch", "--as", "ben", "--url", &url, "--token", &token]);
    watch.line("ben at Bayview, watching").await;
    watch.line("shared 0 · assigned to you 0").await;
    node.receive(MAIN, "+14155550999", "hello").await;
    let line = watch.line("wrote").await;
    assert!(line.contains("+14155550999") && line.contains("shared") && !line.contains('{'), "{line}");
    assert!(!line.contains("hello"), "what is said goes only to who has it open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_goes_ends_the_program_quietly() {
    let node = TestNode::start().await;
    let url = node.url();
    let token = crate::support::node::token(ORGANIZATION, "ben", Duration::from_mins(5));
    for more in [&["--json"][..], &[]] {
        let arguments = ["watch", "--as", "ben", "--url", &url, "--token", &token];
        let mut process = rotunda(&[&arguments, more].concat()).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut first = String::new();
        output.read_line(&mut first).unwrap();
        drop(output);
        node.receive(MAIN, "+14155550999", if more.is_empty() { "one" } else { "other" }).await;
        let output = tokio::task::spawn_blocking(|| process.wait_with_output().unwrap()).await.unwrap();
        assert_eq!(
            (output.status.code(), String::from_utf8(output.stderr).unwrap()),
            (Some(0), String::new())
        );
    }
    // Also where there is only one line to write.
    let arguments = ["token", "--organization", "a", "--teammate", "b", "--secret", SECRET];
    for arguments in [&arguments[..], &["--help"], &["serve", "--help"], &["--version"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = rotunda(arguments).stdout(writer).spawn().unwrap().wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), String::from_utf8(output.stderr).unwrap()),
            (Some(0), String::new())
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_that_make_no_sense_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("file"));
    std::fs::write(&file, "no folder").unwrap();
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let serve = |more: &[&'static str]| {
        let all = ["serve", "--listen", "127.0.0.1:0", "--data", data];
        all.iter().map(ToString::to_string).chain(more.iter().map(ToString::to_string)).collect::<Vec<_>>()
    };
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let with_key = |arguments: &[&str]| words(&[arguments, &["--token-secret", SECRET]].concat());
    let cases = [
        (words(&[]), "Usage: rotunda <COMMAND>"),
        (words(&["dance"]), "unrecognized subcommand 'dance'"),
        (serve(&[]), "--token-secret <SECRET>"),
        (serve(&["--token-secret", "short"]), "32 bytes"),
        (serve(&["--token-secret", SECRET, "--token-public-key", "key.pem"]), "cannot be used with"),
        (serve(&["--token-public-key", "/nowhere/key.pem"]), "cannot read /nowhere/key.pem"),
        (serve(&["--token-secret", SECRET, "--service", "backoffice:short"]), "at least 32 bytes"),
        (serve(&["--token-secret", SECRET, "--twilio-auth-token", "a b:c"]), "ORGANIZATION:TOKEN"),
        (serve(&["--token-secret", SECRET, "--public-url", "hub.example.org"]), "https://hub.example.org"),
        (serve(&["--token-secret", SECRET, "--frames-burst", "0"]), "--frames-burst"),
        (with_key(&["serve", "--listen", "here"]), "invalid socket address"),
        (with_key(&["serve", "--listen", &address, "--data", data]), "cannot listen on"),
        (with_key(&["serve", "--listen", "127.0.0.1:0", "--data", file]), file),
        (words(&["demo", "--listen", "127.0.0.1:0", "--data", file]), "choose another --data"),
        (words(&["watch"]), "--as <TEAMMATE>"),
        (words(&["watch", "--as", "a b"]), "'a b'"),
        (words(&["watch", "--as", "ada", "--url", "http://127.0.0.1:4400"]), "ws://127.0.0.1:4400"),
        (words(&["watch", "--as", "ada", "--url", "wss://hub.example.org"]), "proxy"),
        (words(&["watch", "--as", "ada", "--url", "ws://127.0.0.1:1"]), "cannot be reached"),
        (words(&["call", "--as", "ada", "claim"]), "this is no JSON"),
        (words(&["call", "--as", "ada", "{}"]), "give a JSON object with a `do`"),
        (words(&["call", "--as", "ada", r#"{"do":"dance"}"#]), "unknown variant `dance`"),
        (with_key(&["token", "--organization", "a"]), "--teammate <TEAMMATE>"),
        (words(&["token", "--organization", "a", "--teammate", "b", "--secret", "short"]), "32 bytes"),
        (
            words(&["token", "--organization", "a", "--teammate", "b", "--secret", SECRET, "--ttl", "1"]),
            "write one like 90s, 15m, 8h or 30d",
        ),
    ];
    for (arguments, said) in &cases {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let output = ran(&arguments).await;
        let complained = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {complained}");
        assert!(complained.contains(said), "{arguments:?} should say {said}: {complained}");
        assert!(!complained.contains(SECRET) && output.stdout.is_empty(), "{arguments:?}: {complained}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_help_shows_every_setting_and_no_secret() {
    let mut process = rotunda(&["serve", "--help"]);
    process.env("ROTUNDA_TOKEN_SECRET", SECRET).env("ROTUNDA_TWILIO_AUTH_TOKENS", SERVICE_SECRET);
    let output = tokio::task::spawn_blocking(move || process.output().unwrap()).await.unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !help.contains(SECRET) && !help.contains(SERVICE_SECRET));
    for part in
        ["Example:", "Session tokens", "Limits:", "--service <NAME:SECRET>", "ROTUNDA_TWILIO_AUTH_TOKENS"]
    {
        assert!(help.contains(part), "{part}: {help}");
    }
}
