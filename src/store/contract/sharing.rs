//! What nodes that share a database rely on: they know of each other, and take turns.

use futures::future::join_all;

use super::sample::{batch, event, id, small_event};
use super::{append, begin, committed};
use crate::domain::event::Seq;
use crate::domain::node::NodeId;
use crate::store::nodes::Beat;
use crate::store::{Appended, Batch, Needs, Store};

fn beat(node: &str, number: u64, applied: u64) -> Beat {
    Beat { node: NodeId::new(node), number, applied }
}

pub(crate) async fn what_is_found_is_as_of_a_head(store: &dyn Store) {
    let found = async || store.find(&id("o"), Needs::default()).await.unwrap().head;
    assert_eq!(found().await, Seq(0));
    begin(store, Vec::new()).await;
    assert_eq!(found().await, Seq(1));
    append(store, batch("o", 1, vec![event(Vec::new()), event(Vec::new())])).await;
    assert_eq!(found().await, Seq(3));
}

pub(crate) async fn heads_are_those_of_the_organizations_that_there_are(store: &dyn Store) {
    begin(store, Vec::new()).await;
    append(store, batch("p", 0, vec![small_event("1"), small_event("2")])).await;
    append(store, batch("q", 0, vec![small_event("1")])).await;
    let mut heads = store.heads(&[id("p"), id("nobody"), id("o")]).await.unwrap();
    heads.sort();
    assert_eq!(heads, [(id("o"), Seq(1)), (id("p"), Seq(2))]);
    assert!(store.heads(&[]).await.unwrap().is_empty());
}

pub(crate) async fn a_node_is_known_by_its_newest_beat(store: &dyn Store) {
    assert!(store.nodes().await.unwrap().is_empty());
    for beat in [beat("b", 1, 0), beat("a", 7, 7), beat("b", 2, 1)] {
        store.beat(beat).await.unwrap();
    }
    assert_eq!(store.nodes().await.unwrap(), [beat("a", 7, 7), beat("b", 2, 1)]);
    // A beat that was late.
    store.beat(beat("a", 6, 7)).await.unwrap();
    assert_eq!(store.nodes().await.unwrap(), [beat("a", 7, 7), beat("b", 2, 1)]);
}

pub(crate) async fn a_node_is_forgotten_unless_it_has_beaten_since(store: &dyn Store) {
    for (node, number) in [("a", 1), ("b", 5), ("b", 6), ("c", 2)] {
        store.beat(beat(node, number, 0)).await.unwrap();
    }
    for (node, number) in [("a", 1), ("b", 5), ("c", 3), ("nobody", 1)] {
        store.forget(&NodeId::new(node), number).await.unwrap();
    }
    assert_eq!(store.nodes().await.unwrap(), [beat("b", 6, 0)]);
}

/// Appends one event as a room does: at once, or if somebody was there first, in a turn after looking again.
pub(crate) async fn append_as_a_room(store: &dyn Store, expected: Seq, name: &str) -> Seq {
    let at = |expected: Seq| batch("o", expected.0, vec![small_event(name)]);
    let mut appended = store.append(at(expected)).await.unwrap();
    let mut conflicts = 0;
    loop {
        if let Appended::Committed(seq) = appended {
            return seq;
        }
        conflicts += 1;
        let turn = store.turn(&id("o")).await.unwrap();
        assert!(turn.is_none() || conflicts == 1, "a turn is enough");
        let head = store.find(&id("o"), Needs::default()).await.unwrap().head;
        appended = match turn {
            Some(turn) => turn.append(at(head)).await.unwrap(),
            None => store.append(at(head)).await.unwrap(),
        };
    }
}

pub(crate) async fn racing_rooms_each_commit_once(store: &dyn Store) {
    begin(store, Vec::new()).await;
    let room = async |name: String| {
        let mut head = Seq(1);
        for n in 0..5 {
            head = append_as_a_room(store, head, &format!("{name} {n}")).await;
        }
    };
    join_all((0..8).map(|n| room(n.to_string()))).await;
    let events = store.events(&id("o"), Seq(0), 100).await.unwrap();
    assert_eq!(events.last().map(|(seq, _)| *seq), Some(Seq(41)));
    assert_eq!(store.load(&id("o")).await.unwrap().unwrap().tags.len(), 40, "each once");
}

pub(crate) async fn a_turn_that_is_dropped_lets_the_next_go_on(store: &dyn Store) {
    begin(store, Vec::new()).await;
    drop(store.turn(&id("o")).await.unwrap());
    let turn = store.turn(&id("o")).await.unwrap();
    if let Some(turn) = turn {
        let elsewhere = Batch { expected: Seq(7), ..batch("o", 1, vec![small_event("lost")]) };
        assert_eq!(turn.append(elsewhere).await.unwrap(), Appended::Conflict);
    }
    let next = batch("o", 1, vec![small_event("next")]);
    assert_eq!(store.append(next).await.unwrap(), committed(2));
}
