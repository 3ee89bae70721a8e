//! A cluster: every member is watched, and slots move.

use bytes::Bytes;
use redis::cluster_routing::Slot;
use rotunda_servers::redis::{RedisCluster, Settings};

use super::{DEAF_WITHIN, connect, counted, deaf_in_time, nodes, well_in_time, within};
use crate::bus::contract::{Listener, log, until};
use crate::bus::{Bus, Health};

/// The slot of an organization.
fn slot(organization: &str) -> u16 {
    (0..=16_383).find(|slot| Slot::new(*slot) == Some(Slot::for_key(organization))).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_dies_or_freezes_makes_the_bus_deaf_until_it_is_back() {
    let mut cluster = RedisCluster::start().unwrap();
    let (bus, _) = connect(&cluster.url(), None, "n");
    until(bus.as_ref(), Health::Delivering).await;
    let mut listeners = Vec::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        listeners.push((name, Listener::new(bus.as_ref(), log(name)).await));
    }
    cluster.nodes()[1].signal("STOP").unwrap();
    deaf_in_time(&bus).await;
    cluster.nodes()[1].signal("CONT").unwrap();
    well_in_time(&bus).await;
    cluster.nodes_mut()[2].kill().unwrap();
    deaf_in_time(&bus).await;
    cluster.nodes_mut()[2].restart().unwrap();
    cluster.until_it_serves().unwrap();
    well_in_time(&bus).await;
    for (name, listener) in &mut listeners {
        bus.publish(&log(name), Bytes::from(*name));
        assert_eq!(listener.next().await, *name);
    }
}

/// How long it takes is the cluster's business: it has to agree that the master is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_takes_the_place_of_its_master_is_used() {
    let mut cluster = RedisCluster::start().unwrap();
    let place = cluster.owner(slot("o"));
    cluster.add_replica(place).unwrap();
    let (bus, _) = connect(&cluster.url(), None, "n");
    until(bus.as_ref(), Health::Delivering).await;
    let mut listener = Listener::new(bus.as_ref(), log("o")).await;
    cluster.nodes_mut()[place].kill().unwrap();
    deaf_in_time(&bus).await;
    until(bus.as_ref(), Health::Delivering).await;
    bus.publish(&log("o"), Bytes::from("here"));
    assert_eq!(listener.next().await, "here");
    let replica = &cluster.nodes()[3];
    assert!(replica.command(&["ROLE"]).unwrap().starts_with("master"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_asked_over_tls_and_with_the_password_of_the_first() {
    let settings = Settings { password: Some("sesame".into()), tls: true };
    let cluster = RedisCluster::start_with(&settings).unwrap();
    let nodes = nodes(&cluster.url(), Some(&cluster.authority())).await;
    for name in ["a", "b", "c", "d", "e", "f"] {
        let mut listener = Listener::new(nodes.there.as_ref(), log(name)).await;
        nodes.here.publish(&log(name), Bytes::from(name));
        assert_eq!(listener.next().await, name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_takes_its_organizations_along() {
    let cluster = RedisCluster::start().unwrap();
    let (here, _) = connect(&cluster.url(), None, "here");
    let (there, metrics) = connect(&cluster.url(), None, "there");
    until(here.as_ref(), Health::Delivering).await;
    until(there.as_ref(), Health::Delivering).await;
    let mut listener = Listener::new(there.as_ref(), log("o")).await;
    let slot = slot("o");
    let to = (cluster.owner(slot) + 1) % 3;
    let mut health = there.health();
    health.mark_unchanged();
    cluster.move_slot(slot, to).unwrap();
    within(DEAF_WITHIN, "noticed", health.changed()).await.unwrap();
    well_in_time(&there).await;
    here.publish(&log("o"), Bytes::from("moved"));
    assert_eq!(listener.next().await, "moved");
    assert!(counted(&metrics, "bus_reconnects_total") >= 1);
    let subscribers = cluster.nodes()[to].command(&["PUBSUB", "SHARDNUMSUB", "rotunda:log:{o}"]).unwrap();
    assert_eq!(subscribers.lines().last(), Some("1"));
}
