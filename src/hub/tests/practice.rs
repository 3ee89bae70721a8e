//! A hub with one practice, on a database in a folder that goes with it.

use std::sync::Arc;

use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Done, Inbound, NewEndpoint, NewOrganization, NewTeam, NewTeammate};
use rotunda_protocol::directory::{EndpointKind, OrganizationKind, Role};
use rotunda_protocol::id::{ConversationId, OrganizationId, TeammateId};
use rotunda_protocol::item::{Content, Direction};
use rotunda_protocol::principal::{Actor, Principal};
use rotunda_protocol::refusal::Refusal;

use rusqlite::Connection;

use super::member::Member;
use crate::bus::local::LocalBus;
use crate::bus::trouble::{Odds, Trouble};
use crate::domain::event::{Event, Seq};
use crate::domain::node::NodeId;
use crate::hub::send_queue::SendQueue;
use crate::hub::{Cluster, Hub, Joining, NotJoined, mint};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::store::SharedStore;
use crate::store::sqlite::SqliteStore;

/// The teammates: ada is an admin.
pub(super) const TEAMMATES: [&str; 6] = ["ada", "ben", "cyd", "dee", "eve", "fay"];
/// Name, kind, address, owner, other members, and whether it assigns to its owner.
type Described = (&'static str, EndpointKind, &'static str, &'static str, &'static [&'static str], bool);
/// The endpoints.
pub(super) const ENDPOINTS: [Described; 4] = [
    ("main", EndpointKind::Phone, "+14155550100", "organization", &[], false),
    ("desk", EndpointKind::Link, "front-desk", "team:desk", &[], true),
    ("ben-direct", EndpointKind::Phone, "+14155550101", "teammate:ben", &["teammate:cyd"], true),
    ("private", EndpointKind::Link, "private", "teammate:dee", &[], false),
];

pub(super) fn id<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

pub(super) fn principal(text: &str) -> Principal {
    text.parse().unwrap()
}

/// A hub with one practice.
pub(super) struct Practice {
    /// The only node, or the first.
    pub(super) hub: Hub,
    /// The other nodes, and what each of them hears by.
    pub(super) others: Vec<(Hub, Arc<Trouble>)>,
    pub(super) organization: OrganizationId,
    pub(super) store: SharedStore,
    refs: u64,
    folder: tempfile::TempDir,
}

impl Practice {
    pub(super) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(super) async fn with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("rotunda.db")).await.unwrap();
        let store: SharedStore = Arc::new(store);
        let hub = Hub::new(store.clone(), Metrics::new(), limits);
        Self::on(hub, Vec::new(), store, folder).await
    }

    /// A practice on several nodes that hear each other badly.
    pub(super) async fn among(nodes: usize, odds: Odds, seed: u64, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("rotunda.db")).await.unwrap();
        let (store, local): (SharedStore, _) = (Arc::new(store), LocalBus::new());
        let node = |n: usize| {
            let bus = Trouble::new(local.clone(), odds, seed + n as u64);
            let cluster = Cluster { node: NodeId::new(&format!("node-{n}")), bus: bus.clone() };
            (Hub::among(store.clone(), Metrics::new(), limits.clone(), cluster), bus)
        };
        let others = (1..nodes).map(node).collect();
        Self::on(node(0).0, others, store.clone(), folder).await
    }

    async fn on(
        hub: Hub,
        others: Vec<(Hub, Arc<Trouble>)>,
        store: SharedStore,
        folder: tempfile::TempDir,
    ) -> Self {
        let mut practice = Self { hub, others, organization: id("practice"), store, refs: 0, folder };
        for node in 0..practice.nodes() {
            practice.node(node).fresh(&practice.organization).await;
        }
        practice.service(Command::Provision(provision())).await.unwrap();
        practice
    }

    pub(super) async fn call(&mut self, actor: Actor, command: Command) -> Result<Done, Refusal> {
        self.refs += 1;
        let node = usize::try_from(self.refs).unwrap() % self.nodes();
        self.node(node)
            .call(&self.organization, actor, format!("r{}", self.refs), command)
            .await
            .map(|outcome| outcome.done)
    }

    pub(super) fn nodes(&self) -> usize {
        1 + self.others.len()
    }

    pub(super) fn node(&self, n: usize) -> &Hub {
        if n == 0 { &self.hub } else { &self.others[n - 1].0 }
    }

    /// Waits until every node has applied everything up to an event.
    pub(super) async fn level(&self, seq: Seq) {
        for node in 0..self.nodes() {
            self.node(node).level(&self.organization, seq).await;
        }
    }

    pub(super) async fn service(&mut self, command: Command) -> Result<Done, Refusal> {
        self.call(Actor::Service("test".into()), command).await
    }

    pub(super) async fn teammate(&mut self, teammate: &str, command: Command) -> Result<Done, Refusal> {
        self.call(Actor::Teammate(id(teammate)), command).await
    }

    /// A message from a contact; the conversation it went into.
    pub(super) async fn receive(&mut self, to: &str, from: &str, body: &str) -> ConversationId {
        match self.service(inbound(to, from, body)).await {
            Ok(Done::Conversation { conversation, .. }) => conversation,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn join(&self, teammate: &str, codec: Codec) -> Result<Member, NotJoined> {
        self.join_at(0, teammate, codec).await
    }

    pub(super) async fn join_at(
        &self,
        node: usize,
        teammate: &str,
        codec: Codec,
    ) -> Result<Member, NotJoined> {
        let mut member = Member::new(id(teammate), codec);
        member.node = node;
        self.rejoin(&mut member).await?;
        Ok(member)
    }

    /// A member's next session, from the cursor it holds.
    pub(super) async fn rejoin(&self, member: &mut Member) -> Result<(), NotJoined> {
        let queue = Arc::new(SendQueue::new(member.queue_bytes));
        let joining = Joining {
            session: id(&mint::mint(0)),
            teammate: member.teammate.clone(),
            device: None,
            codec: member.codec,
            queue: queue.clone(),
            cursor: member.cursor.clone(),
            open: member.open.iter().cloned().collect(),
        };
        member.leave();
        member.take_place(self.node(member.node).join(&self.organization, joining).await?, queue);
        Ok(())
    }

    /// A newer release on the same database writes an event that this one does not know.
    pub(super) fn write_unknown_event(&self, seq: i64) {
        let body = r#"[{"change":"moon","phase":1}]"#;
        let connection = self.database();
        let event = "INSERT INTO events (organization, seq, at, by, body) VALUES (?1, ?2, 0, 'contact', ?3)";
        connection.execute(event, (self.organization.as_str(), seq, body)).unwrap();
        self.set_head(&connection, seq);
    }

    /// The database is replaced by an older copy of itself.
    pub(super) fn go_back_to(&self, seq: i64) {
        let connection = self.database();
        let later = "DELETE FROM events WHERE organization = ?1 AND seq > ?2";
        connection.execute(later, (self.organization.as_str(), seq)).unwrap();
        self.set_head(&connection, seq);
    }

    fn set_head(&self, connection: &Connection, seq: i64) {
        let head = "UPDATE organizations SET head = ?2 WHERE id = ?1";
        connection.execute(head, (self.organization.as_str(), seq)).unwrap();
    }

    fn database(&self) -> Connection {
        Connection::open(self.folder.path().join("rotunda.db")).unwrap()
    }

    /// Everything that happened.
    pub(super) async fn log(&self, after: Seq) -> Vec<(Seq, Event)> {
        self.hub.events(&self.organization, after, 100_000).await.unwrap()
    }
}

/// A message from a contact.
pub(super) fn message(to: &str, from: &str) -> Command {
    inbound(to, from, "hi")
}

fn inbound(to: &str, from: &str, body: &str) -> Command {
    let content = Content::Message { direction: Direction::In, body: body.into(), media: vec![] };
    Command::Receive(Inbound { to: to.into(), from: from.into(), name: None, content })
}

fn provision() -> NewOrganization {
    let teammate = |name: &&str| NewTeammate {
        id: Some(id::<TeammateId>(name)),
        name: (*name).to_owned(),
        role: if *name == "ada" { Role::Admin } else { Role::Member },
        active: true,
    };
    let team = |name: &str, members: &[&str]| NewTeam {
        id: Some(id(name)),
        name: name.into(),
        members: members.iter().map(|member| id(member)).collect(),
    };
    let endpoint = |&(name, kind, address, owner, members, auto_assign): &Described| NewEndpoint {
        id: Some(id(name)),
        kind,
        address: address.to_owned(),
        label: String::from(name),
        owner: principal(owner),
        members: members.iter().map(|member| principal(member)).collect(),
        auto_assign,
    };
    NewOrganization {
        name: "Practice".into(),
        kind: OrganizationKind::Team,
        teammates: TEAMMATES.iter().map(teammate).collect(),
        teams: vec![team("desk", &["ben", "cyd"]), team("night", &["cyd", "eve"])],
        endpoints: ENDPOINTS.iter().map(endpoint).collect(),
    }
}

/// A second node on the same database.
pub(super) fn second(practice: &Practice) -> Hub {
    Hub::new(practice.store.clone(), Metrics::new(), Limits::default())
}
