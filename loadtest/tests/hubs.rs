//! Hubs that the harness starts and ends, and those it is given.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rotunda_loadtest::hubs::{Cores, Given, Options, Program, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::PROGRAM;

fn options() -> Options {
    let hub_args = ["--drain-seconds", "0", "--frames-per-second", "100000"].map(String::from).into();
    Options { program: Program::Itself(PROGRAM.into()), hub_args, pin: false }
}

fn given(target: &Target, urls: Vec<String>) -> Given {
    Given {
        urls,
        token_secret: target.token_secret().into(),
        service_token: target.service_token().into(),
        pids: Vec::new(),
    }
}

async fn refused(given: Given) -> String {
    match Target::given(given).await {
        Ok(_) => panic!("it was taken"),
        Err(error) => format!("{error:#}"),
    }
}

/// The pid and the data folder of the process that listens here, from its command line.
fn process(address: SocketAddr) -> Option<(u32, PathBuf)> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.into_iter().find_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read_to_string(process.path().join("cmdline")).ok()?;
        let words: Vec<_> = line.split('\0').collect();
        let data = words.iter().position(|word| *word == "--data")? + 1;
        words.contains(&address.to_string().as_str()).then(|| (pid, words[data].into()))
    })
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_hub_is_started_killed_drained_and_started_again_and_leaves_nothing() {
    let target = Target::spawn(&Options { pin: Cores::split().is_ok(), ..options() }).await.unwrap();
    let address = target.addresses()[0];
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));
    let first = target.usage().unwrap();
    assert!(first.cpu.as_millis() > 0 && first.resident_bytes > 1_000_000 && first.threads > 1, "{first:?}");

    target.kill(0).unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(target.ended(), None, "it was told to");
    let killed = target.usage().unwrap();
    assert!(killed.cpu >= first.cpu && killed.calls >= first.calls, "{first:?} {killed:?}");
    assert_eq!((killed.resident_bytes, killed.threads), (0, 0));
    assert!(target.kill(0).is_err(), "it does not run");

    target.start_again(0).await.unwrap();
    assert!(target.usage().unwrap().cpu > killed.cpu);
    assert!(target.start_again(0).await.is_err(), "it runs");
    target.drain(0).await.unwrap();
    assert_eq!(target.ended(), None, "it was told to");
    target.start_again(0).await.unwrap();

    let (pid, data) = process(address).unwrap();
    assert!(data.exists());
    drop(target);
    assert!(!Path::new("/proc").join(pid.to_string()).exists());
    assert!(!data.parent().unwrap().exists());
}

#[tokio::test]
async fn a_hub_that_dies_says_why() {
    let wrong = Options { hub_args: vec!["--no-such-flag".into()], ..options() };
    let error = format!("{:#}", Target::spawn(&wrong).await.err().unwrap());
    assert!(error.contains("does not start") && error.contains("--no-such-flag"), "{error}");
    let missing = Options { program: Program::Other("/no/such/hub".into()), ..options() };
    let error = format!("{:#}", Target::spawn(&missing).await.err().unwrap());
    assert!(error.contains("cannot be started"), "{error}");

    let target = Target::spawn(&options()).await.unwrap();
    let (pid, _) = process(target.addresses()[0]).unwrap();
    let before = target.usage().unwrap();
    let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(killed.success());
    let ended = loop {
        match target.ended() {
            Some(ended) => break ended,
            None => tokio::task::yield_now().await,
        }
    };
    assert!(ended.contains("node 0") && ended.contains("signal: 9"), "{ended}");
    assert!(target.usage().unwrap().cpu >= before.cpu);
}

#[tokio::test]
async fn a_hub_that_runs_is_taken_if_it_can_be_loaded() {
    let hub = Target::spawn(&options()).await.unwrap();
    let address = hub.addresses()[0];
    let url = format!("http://{address}");
    let (pid, _) = process(address).unwrap();

    let taken = Target::given(given(&hub, vec![url.clone()])).await.unwrap();
    assert_eq!((taken.addresses(), taken.nodes(), taken.usage()), (&[address][..], 1, None));
    assert!(taken.kill(0).unwrap_err().to_string().contains("only hubs that it has started"));

    let looked_at = Given { pids: vec![pid], ..given(&hub, vec![format!("ws://{address}/")]) };
    let looked_at = Target::given(looked_at).await.unwrap();
    assert!(looked_at.usage().unwrap().cpu >= hub.usage().unwrap().cpu / 2);
    assert_eq!(looked_at.ended(), None);

    let wrong = Given { service_token: "x".repeat(32), ..given(&hub, vec![url.clone()]) };
    assert!(refused(wrong).await.contains("refuses the service token"));
    let wrong = Given { pids: vec![u32::MAX], ..given(&hub, vec![url.clone()]) };
    assert!(refused(wrong).await.contains("cannot be looked at"));
    let wrong = Given { pids: vec![pid, pid], ..given(&hub, vec![url.clone()]) };
    assert!(refused(wrong).await.contains("a pid for each"));
    assert!(refused(given(&hub, Vec::new())).await.contains("give the URL"));

    hub.kill(0).unwrap();
    assert!(looked_at.ended().unwrap().contains(&pid.to_string()));
    assert!(refused(given(&hub, vec![url])).await.contains("nothing listens at"));
}

#[tokio::test]
async fn something_else_than_a_hub_is_told() {
    let hub = Target::spawn(&options()).await.unwrap();
    for answer in ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "-ERR unknown command\r\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let other = async {
            // The first only looks whether somebody listens.
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
                drop(stream.read(&mut [0; 1024]).await);
            }
        };
        let (told, ()) = tokio::join!(refused(given(&hub, vec![url])), other);
        assert!(told.contains("something else than a hub"), "{told}");
    }
}

#[tokio::test]
async fn nodes_of_a_cluster_share_what_is_true() {
    let target = Target::spawn_cluster(2, &options()).await.unwrap();
    assert_eq!(target.nodes(), 2);
    for address in target.addresses() {
        let metrics = get(*address, "/metrics").await;
        assert!(metrics.contains("rotunda_bus_delivering"), "{metrics}");
    }
    target.kill(1).unwrap();
    assert!(get(target.addresses()[0], "/readyz").await.starts_with("HTTP/1.1 200"));
    target.start_again(1).await.unwrap();
    assert!(get(target.addresses()[1], "/readyz").await.starts_with("HTTP/1.1 200"));
    assert_eq!(target.ended(), None);
}
