//! Several processes on one machine that share a file, and Redis.

use std::time::Duration;

use super::harness::Cluster;
use super::scene::Scene;
use crate::support::Hub;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_share_a_file_work_as_others_do() {
    let mut scene = Scene::begin(Cluster::start_on_file(2).await).await;
    let revoked = scene.cyd_leaves_the_desk(1).await.revoked.unwrap();
    assert_eq!((revoked.nodes, revoked.lapsed), (2, 0), "{revoked:?}");
    scene.cluster.redis.kill().unwrap();
    scene.goes_on(Duration::from_secs(1)).await;
    scene.cluster.nodes[0].kill();
    scene.written(3).await;
    scene.cluster.redis.restart().unwrap();
    scene.cluster.restart(0).await;
    scene.cluster.delivers().await;
    scene.written(3).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_without_a_bus_does_not_join_those_who_share_a_file() {
    let cluster = Cluster::start_on_file(1).await;
    let home = tempfile::tempdir().unwrap();
    let data = cluster.data().to_str().unwrap();
    let refused = Hub::command(home.path(), &[("ROTUNDA_DATA", data)]).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("--bus") && said.contains(data), "{said}");
    // And the other way round.
    let alone = Hub::running(home.path()).await;
    let other = tempfile::tempdir().unwrap();
    let (data, bus) = (home.path().to_str().unwrap(), cluster.redis.url());
    let second = [("ROTUNDA_DATA", data), ("ROTUNDA_BUS", bus.as_str())];
    let refused = Hub::command(other.path(), &second).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("--bus") && said.contains(data), "{said}");
    drop(alone);
}
