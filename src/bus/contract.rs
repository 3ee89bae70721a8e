//! What every bus keeps to, as tests. Each check is given two nodes on one healthy bus that nobody else is on.
//!
//! A bus's own tests say `contract::checks!(fresh)`, where `fresh` makes the nodes and whatever has to live as long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Bus, Ear, Health, SharedBus, Subscription, Topic};
use crate::domain::node::NodeId;

/// Two nodes that hear each other. They may be one and the same bus.
pub(crate) struct Nodes {
    pub(crate) here: SharedBus,
    pub(crate) there: SharedBus,
}

/// Makes a test of each check, for one kind of bus.
macro_rules! checks {
    ($fresh:path) => {
        $crate::bus::contract::checks! { $fresh:
            a_message_reaches_all_who_hear_its_topic_and_nobody_else
            messages_of_one_publisher_keep_their_order
            who_has_stopped_listening_hears_nothing_more
            a_topic_can_be_listened_to_again
            a_large_message_arrives_whole
            publishing_waits_for_nothing
        }
    };
    ($fresh:path: $($check:ident)*) => {$(
        #[tokio::test]
        async fn $check() {
            let (nodes, _keep) = $fresh().await;
            $crate::bus::contract::$check(&nodes).await;
        }
    )*};
}
pub(crate) use checks;

/// Nothing here takes nearly as long; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// The topic of an organization's log.
pub(crate) fn log(organization: &str) -> Topic {
    Topic::Log(organization.parse().unwrap())
}

/// The topic of an organization's presence.
pub(crate) fn presence(organization: &str) -> Topic {
    Topic::Presence(organization.parse().unwrap())
}

/// What was heard on one topic, and the subscription that hears it.
pub(crate) struct Listener {
    heard: mpsc::Receiver<Bytes>,
    _subscription: Subscription,
}

impl Listener {
    /// Listens to a topic.
    pub(crate) async fn new(bus: &dyn Bus, topic: Topic) -> Self {
        let (subscription, heard) = listen(bus, topic).await;
        Self { heard, _subscription: subscription }
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Bytes {
        timeout(PATIENCE, self.heard.recv()).await.expect("a message arrives").expect("the ear lives")
    }

    /// The next message, when it was heard already.
    pub(crate) fn already(&mut self) -> Option<Bytes> {
        self.heard.try_recv().ok()
    }
}

/// Listens to a topic; what is heard waits in a channel with room for all of a test.
pub(crate) async fn listen(bus: &dyn Bus, topic: Topic) -> (Subscription, mpsc::Receiver<Bytes>) {
    let (tell, heard) = mpsc::channel(1 << 14);
    let ear: Ear = Arc::new(move |message| {
        // The test may have heard enough.
        drop(tell.try_send(message));
    });
    let subscription = timeout(PATIENCE, bus.subscribe(topic, ear)).await.expect("a subscription is held");
    (subscription, heard)
}

/// Waits until the bus is well, or is not.
pub(crate) async fn until(bus: &dyn Bus, health: Health) {
    let mut changes = bus.health();
    let came = timeout(PATIENCE, changes.wait_for(|now| *now == health)).await;
    came.unwrap_or_else(|_| panic!("{health:?} in time")).expect("the bus lives");
}

/// To show that nothing else was heard, each topic is told a second message and hears it as its second.
pub(crate) async fn a_message_reaches_all_who_hear_its_topic_and_nobody_else(nodes: &Nodes) {
    let node = |name| Topic::Node(NodeId::new(name));
    // The same names on purpose: it is the kind that tells these topics apart.
    let topics = [log("north"), presence("north"), node("north"), log("south"), node("x-1.2_3")];
    let mut listeners = Vec::new();
    for topic in &topics {
        for bus in [&nodes.here, &nodes.there] {
            listeners.push((topic, Listener::new(bus.as_ref(), topic.clone()).await));
        }
    }
    nodes.here.publish(&log("nobody"), Bytes::from("nobody hears this"));
    for (number, bus) in [(1, &nodes.here), (2, &nodes.there)] {
        for topic in &topics {
            bus.publish(topic, Bytes::from(format!("{number} {topic:?}")));
        }
        for (topic, listener) in &mut listeners {
            assert_eq!(listener.next().await, format!("{number} {topic:?}"));
        }
    }
}

pub(crate) async fn messages_of_one_publisher_keep_their_order(nodes: &Nodes) {
    let mut listener = Listener::new(nodes.there.as_ref(), log("o")).await;
    let count = 5_000_u32;
    for number in 0..count {
        nodes.here.publish(&log("o"), Bytes::from(number.to_string()));
    }
    for number in 0..count {
        assert_eq!(listener.next().await, number.to_string());
    }
}

/// Presence of an organization takes the same way as its log, so what comes after on the one came after on the other.
pub(crate) async fn who_has_stopped_listening_hears_nothing_more(nodes: &Nodes) {
    let mut stays = Listener::new(nodes.there.as_ref(), presence("o")).await;
    let (subscription, mut left) = listen(nodes.there.as_ref(), log("o")).await;
    nodes.here.publish(&log("o"), Bytes::from("before"));
    assert_eq!(timeout(PATIENCE, left.recv()).await.unwrap().unwrap(), "before");
    drop(subscription);
    nodes.here.publish(&log("o"), Bytes::from("after"));
    nodes.here.publish(&presence("o"), Bytes::from("later"));
    assert_eq!(stays.next().await, "later");
    assert!(left.try_recv().is_err(), "nothing was heard");
}

pub(crate) async fn a_topic_can_be_listened_to_again(nodes: &Nodes) {
    for round in 0..20 {
        let mut listener = Listener::new(nodes.there.as_ref(), log("o")).await;
        nodes.here.publish(&log("o"), Bytes::from(round.to_string()));
        assert_eq!(listener.next().await, round.to_string());
        assert_eq!(listener.already(), None);
    }
}

pub(crate) async fn a_large_message_arrives_whole(nodes: &Nodes) {
    let mut listener = Listener::new(nodes.there.as_ref(), log("o")).await;
    let large: Bytes = (0..1_u32 << 20).map(|n| (n % 251).to_le_bytes()[0]).collect();
    nodes.here.publish(&log("o"), large.clone());
    nodes.here.publish(&log("o"), Bytes::new());
    assert!(listener.next().await == large, "as it was");
    assert!(listener.next().await.is_empty());
}

/// Without an `await` no task of a test's one thread can run: so whatever is published here waits for nobody.
pub(crate) async fn publishing_waits_for_nothing(nodes: &Nodes) {
    let mut listener = Listener::new(nodes.there.as_ref(), presence("o")).await;
    let began = Instant::now();
    for _ in 0..100_000 {
        nodes.here.publish(&log("o"), Bytes::from_static(&[0; 256]));
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    nodes.here.publish(&presence("o"), Bytes::from("after"));
    assert_eq!(listener.next().await, "after");
}
