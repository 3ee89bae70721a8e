//! What `make cluster` starts: the same inbox on several nodes, and nothing that stays behind.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command as Process;

use hyper::Method;
use serde_json::json;

use crate::support::http;
use crate::support::program::{Running, row_of};

/// Ends what it has started also when the test fails.
struct Cluster(Running);

impl Drop for Cluster {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_shows_one_inbox_on_every_node_and_leaves_nothing_behind() {
    // Cargo builds the examples together with the tests.
    let program = Path::new(env!("CARGO_BIN_EXE_rotunda")).with_file_name("examples/cluster");
    let mut cluster = Cluster(Running::of(Process::new(program)));
    let cluster = &mut cluster.0;
    cluster.line("Setting up").await;
    let mut nodes = Vec::new();
    for number in 1..=3 {
        let line = cluster.line(&format!("node {number} ")).await;
        nodes.push(line.split_whitespace().find_map(|word| word.strip_prefix("ws://")).unwrap().to_owned());
    }
    let line = cluster.line("$(cat ").await;
    let token = Path::new(line.split("$(cat ").nth(1).unwrap().split(')').next().unwrap());
    let (secret, folder) = (fs::read_to_string(token).unwrap(), token.parent().unwrap().parent().unwrap());
    cluster.line("Ctrl-C ends").await;

    let watch = async |node: &str| {
        let mut watch = Running::start(&["watch", "--as", "ada", "--url", &format!("ws://{node}"), "--json"]);
        watch.told().await;
        watch
    };
    let (mut first, mut second) = tokio::join!(watch(&nodes[0]), watch(&nodes[1]));
    let content = json!({"kind": "message", "direction": "in", "body": "Hello!"});
    let inbound =
        json!({"to": "dr-okafor", "from": "mara@example.org", "name": "Marker", "content": content});
    let authorization = format!("Bearer {}", secret.trim());
    let headers = [("Authorization", authorization.as_str()), ("Idempotency-Key", "marker")];
    let path = "/v1/organizations/lakeside/inbound";
    let third = nodes[2].parse().unwrap();
    let done = http::request(third, Method::POST, path, &headers, inbound.to_string()).await;
    assert_eq!(done.status, 200, "{}", done.body);
    let (at_first, _) = first.frame(row_of("Marker")).await;
    let (at_second, _) = second.frame(row_of("Marker")).await;
    assert_eq!(at_first["conversation"], at_second["conversation"]);
    drop((first, second));

    let processes = descendants(cluster.pid());
    assert!(processes.len() > 5, "three nodes, a Redis, a Postgres and its own: {processes:?}");
    cluster.signal("-INT");
    assert!(cluster.ended().await.success());
    cluster.line("nothing is left").await;
    let left: Vec<_> = processes.iter().filter(|pid| Path::new(&format!("/proc/{pid}")).exists()).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!folder.exists(), "{}", folder.display());
}

/// All processes that a process has started, and that those have.
fn descendants(process: u32) -> Vec<u32> {
    let parents: HashMap<u32, u32> =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| parent(&entry)).collect();
    let is_below = |pid: &u32| {
        let mut above = parents.get(pid);
        while let Some(pid) = above.filter(|pid| **pid != process) {
            above = parents.get(pid);
        }
        above.is_some()
    };
    parents.keys().copied().filter(is_below).collect()
}

/// A process and its parent, unless the entry is no process or one that has just ended.
fn parent(entry: &fs::DirEntry) -> Option<(u32, u32)> {
    let pid = entry.file_name().to_str()?.parse().ok()?;
    let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
    // After the program's name, which may have any characters: the state, then the parent.
    Some((pid, stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?))
}
