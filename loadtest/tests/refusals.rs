//! What cannot be run says so at once, with what to do about it, and writes no report that looks good.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::PROGRAM;
use crate::run::run;

const SECRETS: &str =
    "--token-secret 0123456789abcdef0123456789abcdef --service-token 0123456789abcdef0123456789abcdef";

fn refuses(words: &str, why: &str) {
    let began = Instant::now();
    let ran = run(words);
    assert_eq!(ran.code, 2, "{words}: {}{}", ran.out, ran.err);
    assert!(ran.err.contains(why), "{words}: {}", ran.err);
    assert!(ran.report.is_null() && ran.page.is_empty() && ran.out.is_empty(), "{words}: {}", ran.out);
    assert!(began.elapsed() < Duration::from_secs(30), "{words} took {:?}", began.elapsed());
}

#[test]
fn a_hub_that_is_not_there() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    refuses(&format!("day --url http://127.0.0.1:{port} {SECRETS} --quiet"), "nothing listens");
    refuses(&format!("day --url https://127.0.0.1:{port} {SECRETS} --quiet"), "TLS");
}

#[test]
fn something_that_is_no_hub() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut request = [0; 1024];
            drop(stream.read(&mut request));
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"));
        }
    });
    refuses(&format!("day --url http://{address} {SECRETS} --quiet"), "hub");
}

#[test]
fn what_makes_no_sense() {
    refuses("cluster --spawn --quiet", "--spawn-cluster");
    refuses("day --spawn --rate 0 --quiet", "--rate 0 is no rate");
    refuses("day --spawn --sessions 3 --organizations 9 --quiet", "fewer sessions than organizations");
    refuses("commands --spawn --processes 2 --quiet", "`commands` runs in one process");
    refuses("commands --spawn --sessions 3 --quiet", "at least 4 sessions");
    refuses("compare /no/such/a /no/such/b", "unexpected argument");
}

/// A hub of our own, which listens where its first line says.
struct Hub(Child, String);

const SECRET: &str = "0123456789abcdef0123456789abcdef";

impl Hub {
    fn start(data: &std::path::Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let mut child = Command::new(PROGRAM)
            .args(["hub", "serve", "--listen", &address, "--data"])
            .arg(data)
            .env("ROTUNDA_TOKEN_SECRET", SECRET)
            .env("ROTUNDA_SERVICES", format!("loadtest:{SECRET}"))
            .env("ROTUNDA_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("listening")), "the hub does not listen");
        std::thread::spawn(move || lines.for_each(drop));
        Self(child, format!("http://{address}"))
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_hub_that_rejects_tokens_or_services() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::start(folder.path());
    let wrong = "another-secret-that-is-long-enough-too";
    let url = &hub.1;
    let day = |token: &str, service: &str| {
        format!("day --url {url} --sessions 10 --token-secret {token} --service-token {service} --quiet")
    };
    refuses(&day(SECRET, wrong), "service");
    refuses(&day(wrong, SECRET), "token_rejected");
}

#[test]
fn a_hub_that_dies_in_the_middle() {
    let folder = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(folder.path());
    let words = format!(
        "day --url {} --sessions 10 --seconds 600 --token-secret {SECRET} --service-token {SECRET} --quiet",
        hub.1
    );
    let run = std::thread::spawn(move || run(&words));
    // It dies once it has sessions.
    let address = hub.1.trim_start_matches("http://").to_owned();
    let sessions = || {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text.contains("rotunda_sessions 10")
    };
    let began = Instant::now();
    while !sessions() {
        assert!(began.elapsed() < Duration::from_secs(30), "no sessions");
        std::thread::yield_now();
    }
    hub.0.kill().unwrap();
    let ran = run.join().unwrap();
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("the hub is gone") || ran.err.contains("no answer"), "{}", ran.err);
    assert!(ran.report.is_null());
}

#[test]
fn a_spawned_hub_that_dies_says_what_it_said_last() {
    let folder = tempfile::tempdir().unwrap();
    let hub = folder.path().join("hub");
    let script = format!("#!/bin/sh\n(sleep 3; kill -9 $$) &\nexec {PROGRAM} hub \"$@\"\n");
    std::fs::write(&hub, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&hub, mode).unwrap();
    refuses(
        &format!("day --spawn --program {} --sessions 10 --seconds 60 --quiet", hub.display()),
        "ended in the middle",
    );
}
