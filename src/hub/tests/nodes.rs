//! Several nodes on one database: what each of them does when it does not hear the others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rotunda_protocol::ask::{Ask, Told};
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Done, Outcome, Revoked};
use rotunda_protocol::directory::Role;
use rotunda_protocol::frame::{Answer, ServerFrame, Start};
use rotunda_protocol::id::{ConversationId, TeammateId};
use rotunda_protocol::principal::Actor;
use rotunda_protocol::refusal::Refusal;
use tokio::time::timeout;

use super::member::Member;
use super::practice::{Practice, id};
use super::store::Between;
use crate::bus::local::LocalBus;
use crate::bus::silent::Silent;
use crate::bus::trouble::{Odds, Trouble};
use crate::domain::event::Seq;
use crate::domain::node::NodeId;
use crate::hub::{Cluster, Hub};
use crate::limits::Limits;
use crate::metrics::Metrics;

/// Whatever takes longer never happens.
const PATIENCE: Duration = Duration::from_secs(10);

/// Two nodes that hear each other well, until they are made not to.
async fn two() -> Practice {
    Practice::among(2, Odds::default(), 1, Limits::default()).await
}

/// Reads until something is so.
async fn until(member: &mut Member, is: impl Fn(&Member) -> bool) {
    let waited = async {
        member.read().await;
        while !is(member) {
            member.wait().await;
            member.read().await;
        }
    };
    timeout(PATIENCE, waited).await.expect("it comes to be so");
}

fn note(conversation: &ConversationId, body: &str) -> Command {
    Command::PostNote { conversation: conversation.clone(), body: body.into() }
}

/// Takes cyd out of the team whose link the conversation came in by.
fn take_cyd_out() -> Command {
    Command::UpdateTeam { team: id("desk"), name: None, add: vec![], remove: vec![id("cyd")] }
}

/// Does a command as an admin, on the first node.
async fn on_first(practice: &Practice, r#ref: &str, command: Command) -> Result<Outcome, Refusal> {
    practice.hub.call(&practice.organization, Actor::Teammate(id("ada")), r#ref.into(), command).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_on_one_node_is_told_on_another_at_once() {
    let mut practice = two().await;
    let mut ben = practice.join_at(1, "ben", Codec::Json).await.unwrap();
    let conversation = practice.receive("+14155550100", "+14155550999", "hi").await;
    until(&mut ben, |ben| ben.rows.contains_key(&conversation)).await;
    assert!(practice.node(1).services.metrics.text().contains("events_followed_total 0"), "the bus told it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_hears_nothing_follows_the_log_within_a_second() {
    let mut practice = two().await;
    let mut ben = practice.join_at(1, "ben", Codec::Json).await.unwrap();
    practice.others[0].1.deafen();
    for n in 0..5 {
        let conversation = practice.receive("+14155550100", &format!("+1415555099{n}"), "hi").await;
        let began = Instant::now();
        until(&mut ben, |ben| ben.rows.contains_key(&conversation)).await;
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b3_a_revocation_is_answered_when_it_is_so_on_every_node() {
    let mut practice = two().await;
    let mut cyd = practice.join_at(1, "cyd", Codec::Json).await.unwrap();
    cyd.read().await;
    let conversation = practice.receive("front-desk", "mara@example.org", "hi").await;
    practice.level(Seq(2)).await;
    let outcome = on_first(&practice, "out", take_cyd_out()).await.unwrap();
    let revoked = outcome.revoked.unwrap();
    assert_eq!((revoked.nodes, revoked.lapsed, revoked.sessions), (2, 0, 1), "{revoked:?}");
    let told = cyd.read().await;
    assert!(!format!("{told:?}").contains(conversation.as_str()), "it waited in the queue: {told:?}");
    // A repeat waits, too, and tells nothing of what the first call took.
    let again = on_first(&practice, "out", take_cyd_out()).await.unwrap();
    assert_eq!(again, Outcome { done: outcome.done, revoked: None });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b14_how_many_sessions_a_loss_touched_is_told_to_those_who_administer() {
    let mut practice = two().await;
    let started = Command::StartTeam { title: "us".into(), members: vec!["teammate:eve".parse().unwrap()] };
    let Ok(Done::Conversation { conversation, .. }) = practice.teammate("ben", started).await else {
        panic!("not started")
    };
    let mut eve = practice.join_at(1, "eve", Codec::Json).await.unwrap();
    eve.read().await;
    let members = vec!["teammate:eve".parse().unwrap()];
    let out = Command::RemoveMembers { conversation: conversation.clone(), members };
    let ben = Actor::Teammate(id("ben"));
    let outcome = practice.hub.call(&practice.organization, ben, "out".into(), out).await.unwrap();
    assert_eq!(outcome.revoked, None, "ben is no admin");
    let told = format!("{:?}", eve.read().await);
    assert!(told.contains("Gone"), "and it is so on the other node all the same: {told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b14_and_not_to_who_ceased_to_while_the_answer_waited() {
    let mut practice = two().await;
    let role = |role| Command::SetRole { teammate: id("ben"), role };
    practice.service(role(Role::Admin)).await.unwrap();
    let mut ada = practice.join("ada", Codec::Json).await.unwrap();
    let mut ben = practice.join("ben", Codec::Json).await.unwrap();
    ada.read().await;
    ben.read().await;
    // A node that says nothing holds the answers up.
    let beat = crate::store::nodes::Beat { node: NodeId::new("dead"), number: 7, applied: 6 };
    practice.store.beat(beat).await.unwrap();
    for (admin, team, out) in [(&ada, "desk", "cyd"), (&ben, "night", "eve")] {
        let command = Command::UpdateTeam { team: id(team), name: None, add: vec![], remove: vec![id(out)] };
        admin.seat().call("out".into(), command, admin.queue().permit(10).unwrap());
    }
    // Both are decided, and wait.
    let decided = async {
        while practice.log(Seq(2)).await.len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, decided).await.unwrap();
    practice.service(role(Role::Member)).await.unwrap();
    for (admin, is_told) in [(&mut ada, true), (&mut ben, false)] {
        let answer = admin.answer_to("out").await.unwrap();
        let Answer::Done { revoked, .. } = &answer else { panic!("{answer:?}") };
        assert_eq!(revoked.is_some(), is_told, "{}: {answer:?}", admin.teammate);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b3_a_revocation_waits_for_a_node_that_hears_nothing() {
    let mut practice = two().await;
    let mut cyd = practice.join_at(1, "cyd", Codec::Json).await.unwrap();
    cyd.read().await;
    practice.others[0].1.deafen();
    let conversation = practice.receive("front-desk", "mara@example.org", "hi").await;
    practice.level(Seq(2)).await;
    let Revoked { nodes, lapsed, .. } =
        on_first(&practice, "out", take_cyd_out()).await.unwrap().revoked.unwrap();
    assert_eq!((nodes, lapsed), (2, 0), "its beats say that it has applied it");
    let told = cyd.read().await;
    assert!(!format!("{told:?}").contains(conversation.as_str()), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b3_a_revocation_does_not_wait_for_a_node_whose_lease_has_run_out() {
    let practice = two().await;
    // A node that was killed: it is on the list and says nothing.
    let dead = NodeId::new("dead");
    let beat = crate::store::nodes::Beat { node: dead.clone(), number: 7, applied: 6 };
    practice.store.beat(beat).await.unwrap();
    let began = Instant::now();
    // Whoever finds it done already must not hear so any sooner.
    let (first, second) = tokio::join!(on_first(&practice, "out", take_cyd_out()), async {
        let found = on_first(&practice, "out as well", take_cyd_out()).await;
        (found, began.elapsed())
    });
    let revoked = first.unwrap().revoked.unwrap();
    assert_eq!((revoked.nodes, revoked.lapsed), (2, 1), "{revoked:?}");
    assert!(began.elapsed() >= Duration::from_secs(4), "it might have shown something until then");
    let (found, after) = second;
    assert_eq!(found.unwrap(), Outcome { done: Done::Unchanged, revoked: None });
    assert!(after >= Duration::from_secs(4), "{after:?}");
    assert!(revoked.took_ms < 6_000, "{revoked:?}");
    // By now everybody knows that it is dead.
    let add = Command::UpdateTeam { team: id("desk"), name: None, add: vec![id("cyd")], remove: vec![] };
    assert_eq!(on_first(&practice, "in", add).await.unwrap().revoked, None, "nobody lost anything");
    let revoked = on_first(&practice, "out again", take_cyd_out()).await.unwrap().revoked.unwrap();
    assert_eq!((revoked.nodes, revoked.lapsed), (2, 1));
    assert!(revoked.took_ms < 500, "{revoked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b36_whoever_comes_from_a_node_that_was_ahead_is_caught_up() {
    let mut practice = two().await;
    let mut ben = practice.join("ben", Codec::Json).await.unwrap();
    practice.others[0].1.deafen();
    let conversation = practice.receive("+14155550100", "+14155550999", "hi").await;
    on_first(&practice, "note", note(&conversation, "first")).await.unwrap();
    until(&mut ben, |ben| ben.rows.get(&conversation).is_some_and(|row| row.items == 2)).await;
    ben.node = 1;
    practice.rejoin(&mut ben).await.unwrap();
    ben.read().await;
    assert_eq!(ben.starts, [Start::Fresh, Start::Resumed], "the other node looked first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_just_let_in_may_connect_to_any_node() {
    let practice = two().await;
    practice.join_at(1, "ben", Codec::Json).await.unwrap();
    practice.others[0].1.deafen();
    let gus: TeammateId = id("gus");
    let new = rotunda_protocol::command::NewTeammate {
        id: Some(gus),
        name: "Gus".into(),
        role: rotunda_protocol::directory::Role::Member,
        active: true,
    };
    let service = Actor::Service("test".into());
    let invite = Command::Invite(new);
    practice.hub.call(&practice.organization, service, "gus".into(), invite).await.unwrap();
    assert!(practice.join_at(1, "gus", Codec::Json).await.is_ok());
    assert!(practice.join_at(1, "nobody", Codec::Json).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_where_is_known_on_every_node_and_ends_with_the_node() {
    let mut practice = two().await;
    let conversation = practice.receive("+14155550100", "+14155550999", "hi").await;
    practice.level(Seq(2)).await;
    let mut ada = practice.join("ada", Codec::Json).await.unwrap();
    ada.open(&conversation).await.unwrap().unwrap();
    // It comes later, and is told of who was there before.
    let mut ben = practice.join_at(1, "ben", Codec::Json).await.unwrap();
    until(&mut ben, |ben| ben.here.contains(&id("ada"))).await;
    let at = |ben: &Member| ben.presence.get(&conversation).map(|at| at.viewing.clone()).unwrap_or_default();
    until(&mut ben, |ben| at(ben) == [id("ada")]).await;
    until(&mut ada, |ada| ada.here.contains(&id("ben"))).await;
    // Whoever may not see the conversation is told of nobody there, on any node.
    ada.leave();
    until(&mut ben, |ben| at(ben).is_empty() && !ben.here.contains(&id("ada"))).await;
    // A room that ends says so.
    let mut ada = practice.join("ada", Codec::Json).await.unwrap();
    ada.open(&conversation).await.unwrap().unwrap();
    until(&mut ben, |ben| at(ben) == [id("ada")]).await;
    practice.hub.break_room(&practice.organization).await;
    until(&mut ben, |ben| at(ben).is_empty() && !ben.here.contains(&id("ada"))).await;
}

/// A node whose database can be made to fail, with one session of ben's on it.
async fn with_failing_store(practice: &Practice) -> (Hub, Arc<Between>) {
    let between = Arc::new(Between::new(practice.store.clone()));
    let bus = Trouble::new(LocalBus::new(), Odds::default(), 1);
    let cluster = Cluster { node: NodeId::new("failing"), bus };
    let hub = Hub::among(between.clone(), Metrics::new(), Limits::default(), cluster);
    hub.fresh(&practice.organization).await;
    (hub, between)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_cannot_confirm_that_it_is_current_says_so_and_shows_nothing() {
    let mut practice = Practice::new().await;
    let (hub, between) = with_failing_store(&practice).await;
    practice.others = vec![(hub.clone(), Trouble::new(LocalBus::new(), Odds::default(), 2))];
    let mut ben = practice.join_at(1, "ben", Codec::Json).await.unwrap();
    ben.read().await;
    between.is_lost(true);
    let freshness = |frames: &[ServerFrame]| {
        frames.iter().find_map(|frame| match frame {
            ServerFrame::Freshness { fresh } => Some(*fresh),
            _ => None,
        })
    };
    let hears = async |ben: &mut Member| loop {
        if let Some(fresh) = freshness(&ben.read().await) {
            return fresh;
        }
        ben.wait().await;
    };
    assert!(!timeout(PATIENCE, hears(&mut ben)).await.expect("it says so"));
    let list = Ask::List { mailbox: id("shared"), endpoint: None, after: None, limit: 10 };
    assert_eq!(ben.ask(list.clone()).await.unwrap(), Err(Refusal::Unavailable));
    // A session that comes now hears it as well, and no more.
    let mut dee = practice.join_at(1, "dee", Codec::Json).await;
    if let Ok(dee) = &mut dee {
        assert!(!timeout(PATIENCE, hears(dee)).await.expect("it says so"));
    }
    // What happens meanwhile elsewhere is told once the database is back.
    let conversation = practice.hub.call(
        &practice.organization,
        Actor::Service("test".into()),
        "meanwhile".into(),
        super::practice::message("+14155550100", "+14155550999"),
    );
    conversation.await.unwrap();
    assert!(ben.rows.is_empty());
    between.is_lost(false);
    assert!(timeout(PATIENCE, hears(&mut ben)).await.expect("it says so"));
    until(&mut ben, |ben| ben.rows.len() == 1).await;
    assert!(matches!(ben.ask(list).await, Some(Ok(Told::List { .. }))));
    hub.leave().await;
    assert!(practice.store.nodes().await.unwrap().is_empty(), "it took its name off the list");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_release_wrote_is_not_guessed_at() {
    let mut practice = two().await;
    let conversation = practice.receive("+14155550100", "+14155550999", "hi").await;
    practice.level(Seq(2)).await;
    let mut ben = practice.join_at(1, "ben", Codec::Json).await.unwrap();
    ben.read().await;
    practice.write_unknown_event(3);
    let ended = async {
        while ben.is_here() {
            ben.wait().await;
            ben.read().await;
        }
    };
    timeout(PATIENCE, ended).await.expect("the session is told to come back");
    practice.rejoin(&mut ben).await.unwrap();
    ben.read().await;
    let mut dee = practice.join_at(1, "dee", Codec::Json).await.unwrap();
    dee.list_all(&["shared".parse().unwrap()]).await;
    assert!(dee.rows.contains_key(&conversation), "rows are what this release can read");
    // And life goes on from there, on the other node as well once it has seen it.
    while on_first(&practice, "note", note(&conversation, "after")).await == Err(Refusal::Unavailable) {}
    until(&mut dee, |dee| dee.rows[&conversation].items == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_with_no_bus_between_them_follow_the_log() {
    let mut practice = Practice::new().await;
    let cluster = Cluster { node: NodeId::new("second"), bus: Arc::new(Silent::new()) };
    let hub = Hub::among(practice.store.clone(), Metrics::new(), Limits::default(), cluster);
    hub.fresh(&practice.organization).await;
    practice.others = vec![(hub.clone(), Trouble::new(LocalBus::new(), Odds::default(), 2))];
    let mut ben = practice.join_at(1, "ben", Codec::Json).await.unwrap();
    let began = Instant::now();
    let command = super::practice::message("+14155550100", "+14155550999");
    let service = Actor::Service("test".into());
    practice.hub.call(&practice.organization, service, "message".into(), command).await.unwrap();
    until(&mut ben, |ben| !ben.rows.is_empty()).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    hub.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_went_back_makes_its_rooms_anew_on_every_node() {
    let mut practice = two().await;
    let conversation = practice.receive("+14155550100", "+14155550999", "hi").await;
    on_first(&practice, "note", note(&conversation, "lost")).await.unwrap();
    practice.level(Seq(3)).await;
    let mut ben = practice.join_at(1, "ben", Codec::Json).await.unwrap();
    ben.read().await;
    practice.go_back_to(2);
    let ended = async {
        while ben.is_here() {
            ben.wait().await;
            ben.read().await;
        }
    };
    timeout(PATIENCE, ended).await.expect("nobody on that node has asked for anything");
    practice.rejoin(&mut ben).await.unwrap();
    ben.read().await;
    assert_eq!(ben.starts, [Start::Fresh, Start::Reset], "it had seen what no longer is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organization_that_only_other_nodes_need_leaves_memory() {
    let limits = Limits { room_idle: Duration::from_millis(300), ..Limits::default() };
    let practice = Practice::among(2, Odds::default(), 1, limits).await;
    let _ada = practice.join("ada", Codec::Json).await.unwrap();
    let began = Instant::now();
    let mut n = 0;
    while practice.node(1).rooms() > 0 {
        assert!(began.elapsed() < PATIENCE, "what other nodes say keeps it");
        n += 1;
        let message = super::practice::message("+14155550100", &format!("+1415555{n:04}"));
        let service = Actor::Service("test".into());
        practice.hub.call(&practice.organization, service, format!("m{n}"), message).await.unwrap();
    }
    // It is opened again when somebody comes.
    assert!(practice.join_at(1, "ben", Codec::Json).await.is_ok());
}
