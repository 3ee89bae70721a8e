//! Measures what it costs when several nodes write to one organization at once: each decides and appends what waits,
//! as its room would, in one Postgres that they share. A node that was too late takes a turn.
//!
//! `cargo run --release --example contention -- SECONDS CALLERS`: how long each number of nodes is measured, and how
//! many callers wait at each node. Needs PostgreSQL's programs; starts a server of its own.

#![expect(clippy::print_stdout, reason = "a measurement prints what it measured")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures::future::try_join_all;
use rotunda::clock;
use rotunda::domain::decide::decide;
use rotunda::domain::draft::Working;
use rotunda::domain::event::{Event, Seq};
use rotunda::domain::organization::Organization;
use rotunda::store::postgres::PostgresStore;
use rotunda::store::{Appended, Batch, Needs, RefRecord, Store};
use rotunda_protocol::command::{Command, Done, NewEndpoint, NewOrganization, NewTeammate};
use rotunda_protocol::directory::{EndpointKind, OrganizationKind, Role};
use rotunda_protocol::id::{ConversationId, OrganizationId};
use rotunda_protocol::principal::{Actor, Principal};
use rotunda_servers::postgres::Postgres;
use tokio::sync::{mpsc, oneshot};

/// Conversations that callers write in: enough for each to have one of their own.
const CONVERSATIONS: usize = 128;
/// How many nodes write at once.
const NODES: [usize; 3] = [1, 2, 4];

/// A command that waits for its answer.
struct Waiting {
    r#ref: String,
    command: Command,
    /// Is told the `ref`.
    answer: oneshot::Sender<String>,
}

/// A node's room: the organization, and where its log is.
struct Room {
    store: Arc<PostgresStore>,
    organization: Organization,
    minted: u64,
    commits: usize,
    events: usize,
    conflicts: usize,
}

/// What some nodes did together.
struct Measured {
    elapsed: Duration,
    commits: usize,
    events: usize,
    conflicts: usize,
    latencies: Vec<Duration>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse());
    let seconds: u64 = numbers.next().transpose()?.unwrap_or(5);
    let callers: usize = numbers.next().transpose()?.unwrap_or(32).try_into()?;
    let server = Postgres::start()?;
    println!("{callers} callers at each node, {seconds} s each");
    println!("nodes  commits/s  events/s  of one's  conflicts   p50 ms   p99 ms   max ms");
    let mut alone = None;
    for nodes in NODES {
        let database = format!("nodes{nodes}");
        server.execute("postgres", &format!("CREATE DATABASE {database}"))?;
        let mut measured =
            measure(&server.url(&database), nodes, callers, Duration::from_secs(seconds)).await?;
        measured.latencies.sort();
        let per_second = |count: usize| {
            u32::try_from(count).map(|count| f64::from(count) / measured.elapsed.as_secs_f64())
        };
        let events = per_second(measured.events)?;
        println!(
            "{nodes:>5} {:>10.0} {events:>9.0} {:>8.2}x {:>10} {:>8.1} {:>8.1} {:>8.1}",
            per_second(measured.commits)?,
            events / *alone.get_or_insert(events),
            measured.conflicts,
            millis(&measured.latencies, 50),
            millis(&measured.latencies, 99),
            millis(&measured.latencies, 100),
        );
    }
    Ok(())
}

/// The time within which so many of a hundred were answered.
fn millis(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).map_or(f64::NAN, Duration::as_secs_f64) * 1_000.0
}

async fn measure(url: &str, nodes: usize, callers: usize, during: Duration) -> anyhow::Result<Measured> {
    let conversations = practice(url).await?;
    let mut rooms = Vec::new();
    let mut calls = Vec::new();
    let until = Instant::now() + during;
    for node in 0..nodes {
        let (commands, waiting) = mpsc::channel(callers);
        let room = Room::open(url).await?;
        rooms.push(tokio::spawn(room.run(waiting)));
        for caller in 0..callers {
            let conversation = conversations[(node * callers + caller) % CONVERSATIONS].clone();
            calls.push(tokio::spawn(call(commands.clone(), conversation, format!("{node} {caller}"), until)));
        }
    }
    let began = Instant::now();
    let latencies = try_join_all(calls).await?.into_iter().flatten().collect();
    let elapsed = began.elapsed();
    let rooms = try_join_all(rooms).await?.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let total = |count: fn(&Room) -> usize| rooms.iter().map(count).sum();
    let measured = Measured {
        elapsed,
        latencies,
        commits: total(|room| room.commits),
        events: total(|room| room.events),
        conflicts: total(|room| room.conflicts),
    };
    ensure!(measured.events == measured.latencies.len(), "each command happened once");
    Ok(measured)
}

/// One caller: the next command goes out when the one before was answered.
async fn call(
    room: mpsc::Sender<Waiting>,
    conversation: ConversationId,
    name: String,
    until: Instant,
) -> Vec<Duration> {
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let began = Instant::now();
        let (answer, answered) = oneshot::channel();
        let body = format!("{name} took a note of what was said, for the {}th time", latencies.len());
        let command = Command::PostNote { conversation: conversation.clone(), body };
        let waiting = Waiting { r#ref: format!("{name} {}", latencies.len()), command, answer };
        if room.send(waiting).await.is_err() || answered.await.is_err() {
            break;
        }
        latencies.push(began.elapsed());
    }
    latencies
}

/// Sets the organization up, with conversations to write in.
async fn practice(url: &str) -> anyhow::Result<Vec<ConversationId>> {
    let mut room = Room::open(url).await?;
    let ada = NewTeammate { id: Some("ada".parse()?), name: "Ada".into(), role: Role::Admin, active: true };
    let phone = NewEndpoint {
        id: Some("phone".parse()?),
        kind: EndpointKind::Phone,
        address: "+15550000000".into(),
        label: "Front desk".into(),
        owner: Principal::Organization,
        members: vec![],
        auto_assign: false,
    };
    let provision = Command::Provision(NewOrganization {
        name: "Practice".into(),
        kind: OrganizationKind::Team,
        teammates: vec![ada],
        teams: vec![],
        endpoints: vec![phone],
    });
    let starts = (0..CONVERSATIONS).map(|n| Command::Start {
        from_endpoint: None,
        to: format!("+1555100{n:04}"),
        name: None,
        body: "Good morning".into(),
    });
    let (_nobody, mut more) = mpsc::channel(1);
    let mut answered = Vec::new();
    for command in std::iter::once(provision).chain(starts) {
        let (answer, done) = oneshot::channel();
        room.commit(vec![Waiting { r#ref: answered.len().to_string(), command, answer }], &mut more).await?;
        answered.push(done);
    }
    Ok(room.organization.shelf().iter().map(|kept| kept.value.id.clone()).collect())
}

impl Room {
    async fn open(url: &str) -> anyhow::Result<Self> {
        let store = Arc::new(PostgresStore::open(url).await?);
        let organization = Organization::empty(organization()?);
        let mut room = Self { store, organization, minted: 0, commits: 0, events: 0, conflicts: 0 };
        room.follow().await?;
        Ok(room)
    }

    /// Commits whatever waits together, until nobody can call any more.
    async fn run(mut self, mut commands: mpsc::Receiver<Waiting>) -> anyhow::Result<Self> {
        let mut waiting = Vec::new();
        while commands.recv_many(&mut waiting, 256).await > 0 {
            self.commit(std::mem::take(&mut waiting), &mut commands).await?;
        }
        self.store.close().await?;
        Ok(self)
    }

    /// Appends where the log is known to end; if it has gone on, takes a turn, looks again and decides again, with
    /// what has come meanwhile.
    async fn commit(
        &mut self,
        mut waiting: Vec<Waiting>,
        more: &mut mpsc::Receiver<Waiting>,
    ) -> anyhow::Result<()> {
        let mut turn = None;
        loop {
            let refs =
                waiting.iter().map(|waiting| (actor(&waiting.command), waiting.r#ref.clone())).collect();
            let found = self.store.find(self.organization.id(), Needs { refs, ..Needs::default() }).await?;
            ensure!(found.refs.is_empty(), "nothing has happened before");
            if found.head > self.organization.seq() {
                self.follow().await?;
            }
            let (batch, after) = self.decide(&waiting)?;
            let count = batch.events.len();
            let appended = match turn.take() {
                Some(turn) => rotunda::store::Turn::append(turn, batch).await?,
                None => self.store.append(batch).await?,
            };
            match appended {
                Appended::Committed(_) => {
                    (self.organization, self.commits, self.events) =
                        (after, self.commits + 1, self.events + count);
                    break;
                }
                Appended::Conflict => {
                    self.conflicts += 1;
                    turn = self.store.turn(self.organization.id()).await?;
                    waiting.extend(std::iter::from_fn(|| more.try_recv().ok()));
                }
            }
        }
        for waiting in waiting {
            // At the end nobody waits.
            drop(waiting.answer.send(waiting.r#ref));
        }
        Ok(())
    }

    fn decide(&mut self, waiting: &[Waiting]) -> anyhow::Result<(Batch, Organization)> {
        let mut working = Working::new(self.organization.clone());
        let (mut events, mut refs) = (Vec::new(), Vec::new());
        for waiting in waiting {
            let (done, event) = self.decide_one(&mut working, &waiting.command)?;
            events.extend(event);
            let actor = actor(&waiting.command);
            refs.push(RefRecord { actor, r#ref: waiting.r#ref.clone(), fingerprint: [0; 32], done });
        }
        let organization = self.organization.id().clone();
        let batch = Batch { organization, expected: self.organization.seq(), events, refs };
        Ok((batch, working.organization))
    }

    fn decide_one(
        &mut self,
        working: &mut Working,
        command: &Command,
    ) -> anyhow::Result<(Done, Option<Event>)> {
        let mut mint = || {
            self.minted += 1;
            format!("c{}", self.minted)
        };
        match decide(working, &actor(command), command, clock::now_millis(), &mut mint) {
            Ok(decision) => Ok(decision),
            Err(refusal) => bail!("refused: {refusal:?}"),
        }
    }

    /// Applies what others have appended.
    async fn follow(&mut self) -> anyhow::Result<()> {
        loop {
            let from: Seq = self.organization.seq();
            let news = self.store.events(self.organization.id(), from, 1_000).await?;
            if news.is_empty() {
                return Ok(());
            }
            for (_, event) in news {
                self.organization.apply(&event);
            }
        }
    }
}

fn organization() -> anyhow::Result<OrganizationId> {
    "practice".parse().context("not an id")
}

fn actor(command: &Command) -> Actor {
    if matches!(command, Command::Provision(_)) {
        return Actor::Service("measure".into());
    }
    Actor::Teammate("ada".parse().expect("an id"))
}
