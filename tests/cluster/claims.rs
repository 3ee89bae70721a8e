//! Who comes first on any node has it; everybody else is told who that was.

use std::collections::BTreeSet;

use rotunda_protocol::command::Command;
use rotunda_protocol::frame::{Answer, ClientFrame, ServerFrame};
use rotunda_protocol::principal::Assignee;
use rotunda_protocol::refusal::Refusal;

use super::harness::Cluster;
use super::scene::converges;
use super::watch::Watcher;
use crate::support::Client;
use crate::support::practice::{MAIN, id};

/// Conversations that everybody wants.
const WANTED: usize = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b25_of_many_claims_on_many_nodes_one_wins() {
    let cluster = Cluster::start(3).await;
    let mut wanted = Vec::new();
    for n in 0..WANTED {
        wanted.push(cluster.receive(MAIN, &format!("+141555509{n:02}")).await);
    }
    let nodes = cluster.addresses();
    let watcher = Watcher::start(&nodes, 2, "ada", &[]).await;
    let (mut clients, names) = (Vec::new(), ["ben", "cyd", "dee", "eve", "ben", "cyd"]);
    for (n, name) in names.into_iter().enumerate() {
        let mut client = cluster.node(n % 3).session(name).await;
        let known = client.list("shared").await.into_iter().map(|row| row.conversation.id);
        assert_eq!(known.collect::<BTreeSet<_>>().len(), WANTED);
        clients.push((name, client));
    }
    // All at once: everything is sent before anybody reads.
    for (_, client) in &mut clients {
        for (n, conversation) in wanted.iter().enumerate() {
            let command = Command::Claim { conversation: conversation.clone(), expect_rev: None };
            client.send(&ClientFrame::Call { r#ref: n.to_string(), command }).await;
        }
    }
    let mut won = vec![Vec::new(); WANTED];
    let mut lost = Vec::new();
    for (name, client) in &mut clients {
        for (n, answer) in answers(client).await {
            match answer {
                // Somebody's other session may have it already: then nothing was to be done.
                Answer::Done { .. } => won[n].push(*name),
                Answer::Refused { refusal: Refusal::AlreadyAssigned { to, .. }, .. } => lost.push((n, to)),
                other => panic!("{other:?}"),
            }
        }
    }
    for (n, winners) in won.iter().enumerate() {
        let names: BTreeSet<_> = winners.iter().collect();
        assert_eq!(names.len(), 1, "conversation {n}: {winners:?}");
        let winner = Assignee::Teammate(id(winners[0]));
        let told = lost.iter().filter(|(of, _)| *of == n).all(|(_, to)| *to == winner);
        assert!(told, "whoever lost {n} is told who has it");
    }
    for node in 0..3 {
        converges(&watcher, &cluster, node).await;
    }
    let seen = watcher.seen();
    for (conversation, winners) in wanted.iter().zip(&won) {
        let row = &seen.picture.rows[conversation];
        assert_eq!((row.assignee.clone(), row.rev), (Some(Assignee::Teammate(id(winners[0]))), 2));
    }
    let winners = won.iter().map(|winners| winners[0]);
    eprintln!("{lost} lost; won by {:?}", winners.collect::<Vec<_>>(), lost = lost.len());
}

async fn answers(client: &mut Client) -> Vec<(usize, Answer)> {
    let mut answers = Vec::new();
    while answers.len() < WANTED {
        if let ServerFrame::Answer { r#ref, answer } = client.frame().await {
            answers.push((r#ref.parse().unwrap(), answer));
        }
    }
    answers
}
