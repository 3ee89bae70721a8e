//! The two laws, under random commands, absences and slow readers. For every session: rows and pushes are
//! what a fresh list shows; and nothing leaves that its subject may not see at that moment.
//!
//! A failure prints its seed; `ROTUNDA_SEED=n` runs only that one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rotunda_protocol::ask::Ask;
use rotunda_protocol::ask::Told;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, ConversationUpdate, OnUnseen};
use rotunda_protocol::directory::{Features, Role};
use rotunda_protocol::frame::Signal;
use rotunda_protocol::id::{ConversationId, TeammateId};
use rotunda_protocol::principal::{Actor, AssignTo, Mailbox, Principal};
use rotunda_protocol::push::{ConversationPresence, TypingMode};

use super::member::Member;
use super::model::{Model, Tells};
use super::practice::{ENDPOINTS, Practice, TEAMMATES, id, principal};
use crate::bus::trouble::Odds;
use crate::domain::event::Seq;
use crate::hub::NotJoined;
use crate::limits::Limits;

/// A generator of numbers that one seed determines (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % below as u64).unwrap()
    }

    fn of<'a, T: ?Sized>(&mut self, all: &'a [&'a T]) -> &'a T {
        all[self.roll(all.len())]
    }

    fn often(&mut self, one_in: usize) -> bool {
        self.roll(one_in) == 0
    }
}

/// Reports of presence that got lost are made up for by then.
const PATIENCE: Duration = Duration::from_secs(10);

const PRINCIPALS: [&str; 7] = [
    "organization",
    "team:desk",
    "team:night",
    "teammate:ben",
    "teammate:dee",
    "teammate:eve",
    "teammate:fay",
];

struct World {
    practice: Practice,
    members: Vec<Member>,
    model: Model,
    /// The model before each event.
    past: Vec<Model>,
    /// How many events had happened when each member last read.
    read_at: Vec<usize>,
    seq: Seq,
    conversations: Vec<ConversationId>,
    dice: Dice,
}

impl World {
    async fn new(seed: u64) -> Self {
        Self::among(1, seed).await
    }

    async fn among(nodes: usize, seed: u64) -> Self {
        let limits = Limits { catch_up_rows_max: 12, ..Limits::default() };
        let odds = Odds { lost: 4, doubled: 6, late: 6 };
        let practice = match nodes {
            1 => Practice::with(limits).await,
            nodes => Practice::among(nodes, odds, seed, limits).await,
        };
        let mut members = Vec::new();
        for (n, teammate) in TEAMMATES.iter().chain(&TEAMMATES[..3]).enumerate() {
            let codec = Codec::ALL[n % 2];
            let mut member = practice.join(teammate, codec).await.unwrap();
            member.node = n % nodes;
            member.plugged = n / 2 % 2 == 0;
            // Every third reads from a queue so small that it often falls behind.
            member.queue_bytes = if n % 3 == 2 { 2_500 } else { 256 * 1024 };
            practice.rejoin(&mut member).await.unwrap();
            members.push(member);
        }
        let (model, seq, conversations) = (Model::default(), Seq(0), Vec::new());
        let (past, read_at) = (Vec::new(), vec![0; members.len()]);
        let mut world =
            Self { practice, members, model, past, read_at, seq, conversations, dice: Dice(seed) };
        world.follow().await;
        world
    }

    /// What happened since, for the model.
    async fn follow(&mut self) {
        for (seq, event) in self.practice.log(self.seq).await {
            self.past.push(self.model.clone());
            self.model.apply(&event);
            self.seq = seq;
        }
    }

    fn conversation(&mut self) -> ConversationId {
        match self.conversations.len() {
            0 => id("none"),
            n => self.conversations[self.dice.roll(n)].clone(),
        }
    }

    fn actor(&mut self) -> Actor {
        if self.dice.often(12) {
            return Actor::Service("test".into());
        }
        Actor::Teammate(id(self.dice.of(&TEAMMATES)))
    }

    fn some(&mut self) -> Principal {
        principal(self.dice.of(&PRINCIPALS))
    }

    fn assignee(&mut self) -> AssignTo {
        const TO: [&str; 6] =
            ["nobody", "team:desk", "team:night", "teammate:ada", "teammate:ben", "teammate:eve"];
        self.dice.of(&TO).parse().unwrap()
    }

    fn command(&mut self) -> Command {
        let conversation = self.conversation();
        match self.dice.roll(24) {
            0 => Command::Claim { conversation, expect_rev: None },
            1 | 2 => Command::Assign {
                conversation,
                to: self.assignee(),
                grant: self.dice.often(2),
                expect_rev: None,
            },
            3 | 4 => Command::Archive { conversation, seen: 0, force: true, expect_rev: None },
            5 => Command::Unarchive { conversation, expect_rev: None },
            6 => Command::AddTag { conversation, tag: self.dice.of(&["New", "Urgent", "new"]).to_owned() },
            7 => Command::RemoveTag { conversation, tag: "new".to_owned() },
            8 | 9 => Command::AddMembers { conversation, members: vec![self.some()] },
            10 | 11 => Command::RemoveMembers { conversation, members: vec![self.some()] },
            12 => Command::Leave { conversation },
            13 => Command::Send {
                conversation,
                body: "hello".into(),
                seen: 0,
                on_unseen: OnUnseen::Send,
                stay_archived: self.dice.often(3),
            },
            14 => Command::PostNote { conversation, body: "note".into() },
            15 => Command::MarkRead { conversation, number: 100 },
            16 => Command::SetStar { conversation, starred: self.dice.often(2) },
            17 => {
                let update = ConversationUpdate {
                    archived: Some(self.dice.often(2)),
                    add_tags: vec!["Both".into()],
                    force: true,
                    ..ConversationUpdate::default()
                };
                Command::Update { conversation, update, expect_rev: None }
            }
            18 => Command::StartTeam { title: "us".into(), members: vec![self.some(), self.some()] },
            _ => self.administration(),
        }
    }

    fn administration(&mut self) -> Command {
        let teammate: TeammateId = id(self.dice.of(&TEAMMATES));
        let team = id(self.dice.of(&["desk", "night"]));
        match self.dice.roll(11) {
            0 => Command::Suspend { teammate },
            1 | 2 => Command::Restore { teammate },
            3 => {
                let role = if self.dice.often(2) { Role::Admin } else { Role::Member };
                Command::SetRole { teammate, role }
            }
            4 | 5 => {
                let remove = vec![id(self.dice.of(&TEAMMATES))];
                Command::UpdateTeam { team, name: None, add: vec![teammate], remove }
            }
            6 if self.dice.often(4) => Command::SetOrganization {
                features: Some(Features { assignment: self.dice.often(2), viewing: true, typing: true }),
                policy: None,
            },
            _ => {
                let (endpoint, ..) = ENDPOINTS[self.dice.roll(ENDPOINTS.len())];
                let owner = self.dice.often(3).then(|| self.some());
                let members = vec![self.some(), self.some()];
                Command::UpdateEndpoint {
                    endpoint: id(endpoint),
                    label: None,
                    owner,
                    members: Some(members),
                    auto_assign: None,
                    force: self.dice.often(2),
                }
            }
        }
    }

    async fn step(&mut self) {
        match self.dice.roll(12) {
            0..=2 => {
                let (_, _, to, ..) = ENDPOINTS[self.dice.roll(ENDPOINTS.len())];
                let from = format!("+1415555{:04}", self.dice.roll(4));
                let conversation = self.practice.receive(to, &from, "hi").await;
                if !self.conversations.contains(&conversation) {
                    self.conversations.push(conversation);
                }
            }
            3 | 4 => self.somebody_opens().await,
            5 => self.somebody_drops(),
            _ => {
                let (actor, command) = (self.actor(), self.command());
                let done = self.practice.call(actor, command).await;
                if let Ok(rotunda_protocol::command::Done::Conversation { conversation, .. }) = done
                    && !self.conversations.contains(&conversation)
                {
                    self.conversations.push(conversation);
                }
            }
        }
        self.follow().await;
        self.read_some().await;
        // Whoever is told later, on a node that has not heard yet, is told only what they may see now.
        self.practice.level(self.seq).await;
        if self.practice.nodes() > 1 {
            self.read_some().await;
        }
    }

    async fn read_some(&mut self) {
        for n in 0..self.members.len() {
            // Somebody who does not read now reads later, and is told only what they may see then.
            if !self.dice.often(4) {
                self.read(n).await;
            }
        }
    }

    async fn read(&mut self, n: usize) {
        let member = &mut self.members[n];
        let since = std::mem::replace(&mut self.read_at[n], self.past.len());
        let mut frames = std::mem::take(&mut member.aside);
        let aside = frames.len();
        frames.extend(member.read().await);
        for (place, frame) in frames.iter().enumerate() {
            let tells = Tells::of(frame);
            let hidden = |model: &Model| model.hidden(&member.teammate, &tells);
            // What had left before was to be seen at some moment since the last read.
            let early = place < aside + member.early;
            let then = early && self.past[since..].iter().any(|model| hidden(model).is_none());
            let hidden = hidden(&self.model).filter(|_| !then);
            assert!(hidden.is_none(), "{} was told of {hidden:?} by {frame:?}", member.teammate);
        }
    }

    async fn somebody_opens(&mut self) {
        let conversation = self.conversation();
        let n = self.dice.roll(self.members.len());
        let sees = self.model.can_see(&self.members[n].teammate, &conversation);
        let member = &mut self.members[n];
        if !member.is_here() {
            return;
        }
        if let Some(opened) = member.open(&conversation).await {
            assert_eq!(opened.is_ok(), sees, "{} opens {conversation}", member.teammate);
            let mode = TypingMode::Reply;
            if member.is_here() {
                member.seat().signal(Signal::Typing { conversation, mode });
            }
        }
    }

    fn somebody_drops(&mut self) {
        let n = self.dice.roll(self.members.len());
        self.members[n].leave();
    }

    /// Everybody comes back and reads; then what they show is what a fresh list shows.
    async fn converge(&mut self) {
        self.practice.level(self.seq).await;
        for n in 0..self.members.len() {
            self.bring_back(n).await;
            let shows = self.members[n].shows();
            let fresh = self.fresh(&self.members[n].teammate.clone()).await;
            let who = &self.members[n].teammate;
            if self.members[n].is_here() {
                assert_eq!(shows, fresh, "{who} (member {n}) shows something else than a fresh list");
                self.check_directory(n).await;
                self.check_items(n).await;
                self.members[n].presence.values().for_each(|at| self.model.check_present(at));
            } else {
                assert!(fresh.is_empty(), "{who} was shut out and may still list");
            }
        }
    }

    async fn bring_back(&mut self, n: usize) {
        loop {
            self.read(n).await;
            let mailboxes = mailboxes();
            let member = &mut self.members[n];
            if !member.is_here() {
                match self.practice.rejoin(member).await {
                    Ok(()) => continue,
                    Err(NotJoined::Unknown) => return,
                    Err(other) => panic!("{other:?}"),
                }
            }
            if !member.must_list {
                return;
            }
            member.list_all(&mailboxes).await;
        }
    }

    /// It knows of the organization, and of who is at conversations, what who comes anew is told.
    async fn check_directory(&mut self, n: usize) {
        let who = self.members[n].teammate.clone();
        let node = self.members[n].node;
        let mut anew = self.practice.join_at(node, who.as_str(), Codec::Json).await.unwrap();
        // Everything that was sent to the room before has been told.
        assert_eq!(
            anew.ask(Ask::Counts { mailboxes: Vec::new() }).await.map(|told| told.is_ok()),
            Some(true)
        );
        self.read(n).await;
        anew.read().await;
        assert_eq!(self.members[n].directory.public(), anew.directory.public(), "{who} (member {n})");
        // Of conversations that it has not listed yet it may not know all; but it shows nobody who is not there.
        let began = Instant::now();
        loop {
            let (shown, there) = (others(&self.members[n]), others(&anew));
            if shown.iter().all(|at| there.contains(at)) {
                return;
            }
            // Between reading the two, another node's report may have come.
            let may_come = self.practice.nodes() > 1 && began.elapsed() < PATIENCE;
            assert!(may_come, "{who} (member {n}): {shown:?}, not {there:?}");
            tokio::task::yield_now().await;
            self.read(n).await;
            anew.read().await;
        }
    }

    /// The items of what is open are all there (B36).
    async fn check_items(&mut self, n: usize) {
        for conversation in self.members[n].open.clone() {
            let who = self.members[n].teammate.clone();
            let ask = Ask::History { conversation: conversation.clone(), before: u32::MAX, limit: 200 };
            let Ok(Told::History { items }) =
                self.practice.hub.ask(&self.practice.organization, &who, ask).await
            else {
                panic!("{who} has {conversation} open and cannot read it");
            };
            let known = self.members[n].items.iter().filter(|((of, _), _)| *of == conversation);
            let known: Vec<_> = known.map(|(_, item)| item.clone()).collect();
            assert_eq!(known, items, "{who} (member {n}) has other items of {conversation}");
        }
    }

    /// What somebody who comes anew would list.
    async fn fresh(
        &self,
        who: &TeammateId,
    ) -> BTreeMap<
        ConversationId,
        (rotunda_protocol::conversation::Conversation, rotunda_protocol::conversation::Mark),
    > {
        let mut fresh = BTreeMap::new();
        for mailbox in mailboxes() {
            let ask = Ask::List { mailbox: mailbox.clone(), endpoint: None, after: None, limit: 200 };
            if let Ok(Told::List { rows, next }) =
                self.practice.hub.ask(&self.practice.organization, who, ask).await
            {
                assert_eq!(next, None);
                for row in rows {
                    let sees = self.model.can_see(who, &row.conversation.id);
                    assert!(sees, "{who} lists {}", row.conversation.id);
                    assert_eq!(row.conversation.mailbox, mailbox);
                    let known = fresh.insert(row.conversation.id.clone(), (row.conversation, row.mark));
                    assert_eq!(known, None, "in two mailboxes at once (R5)");
                }
            }
        }
        let all = self.conversations.iter().filter(|id| self.model.can_see(who, id)).count();
        assert_eq!(fresh.len(), all, "{who} lists everything they may see");
        fresh
    }
}

/// Who else is shown at conversations: what one does oneself is not told to the session that did it.
fn others(of: &Member) -> Vec<ConversationPresence> {
    let others = of.presence.values().cloned().map(|mut at| {
        at.viewing.retain(|other| *other != of.teammate);
        at.typing.retain(|other| other.teammate != of.teammate);
        at
    });
    others.filter(|at| !at.viewing.is_empty() || !at.typing.is_empty()).collect()
}

fn mailboxes() -> Vec<Mailbox> {
    let teammates = TEAMMATES.iter().map(|id| format!("teammate:{id}"));
    let names = ["shared", "internal", "none", "team:desk", "team:night"].map(String::from);
    names.into_iter().chain(teammates).map(|text| text.parse().unwrap()).collect()
}

async fn run(seed: u64) {
    run_among(1, seed).await;
}

async fn run_among(nodes: usize, seed: u64) {
    let mut world = World::among(nodes, seed).await;
    for step in 0..150 {
        world.step().await;
        if step % 15 == 14 {
            world.converge().await;
        }
    }
    world.converge().await;
}

/// The seeds to try: one, if it is given.
fn seeds(all: std::ops::RangeInclusive<u64>) -> std::ops::RangeInclusive<u64> {
    match std::env::var("ROTUNDA_SEED") {
        Ok(seed) => seed.parse().unwrap()..=seed.parse().unwrap(),
        Err(_) => all,
    }
}

#[tokio::test]
async fn rows_and_pushes_are_a_fresh_list_and_nobody_is_told_what_they_may_not_see() {
    for seed in seeds(1..=12) {
        eprintln!("seed {seed}");
        Box::pin(run(seed)).await;
    }
}

/// The same where rooms, reads and readers really run side by side.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_laws_hold_on_several_threads() {
    for seed in seeds(101..=106) {
        eprintln!("seed {seed}");
        Box::pin(run(seed)).await;
    }
}

/// The same on three nodes that hear each other badly. A loss of access is so on all of them when it is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_laws_hold_on_several_nodes() {
    for seed in seeds(301..=304) {
        eprintln!("seed {seed}");
        Box::pin(run_among(3, seed)).await;
    }
}

/// Commands from all sides at once, while sessions read, drop and come back: nobody waits for anybody. What is told
/// in the middle of it cannot be held against a model, but in the end everybody shows what a fresh list shows.
async fn storm(seed: u64) {
    let mut world = World::new(seed).await;
    for n in 0..12 {
        let (_, _, to, ..) = ENDPOINTS[n % ENDPOINTS.len()];
        let conversation = world.practice.receive(to, &format!("+1415555{n:04}"), "hi").await;
        world.conversations.push(conversation);
    }
    world.follow().await;
    let commands: Vec<_> = (0..400).map(|_| (world.actor(), world.command())).collect();
    let (hub, organization) = (world.practice.hub.clone(), world.practice.organization.clone());
    let callers = commands.chunks(100).enumerate().map(|(caller, commands)| {
        let (hub, organization, commands) = (hub.clone(), organization.clone(), commands.to_vec());
        tokio::spawn(async move {
            for (n, (actor, command)) in commands.into_iter().enumerate() {
                // Done or refused: both happen, and both are fine.
                drop(hub.call(&organization, actor, format!("storm {caller} {n}"), command).await);
            }
        })
    });
    let mut callers: Vec<_> = callers.collect();
    while callers.iter().any(|caller| !caller.is_finished()) {
        let n = world.dice.roll(world.members.len());
        match world.dice.roll(8) {
            0 => world.members[n].leave(),
            1 if !world.members[n].is_here() => drop(world.practice.rejoin(&mut world.members[n]).await),
            2 => {
                let conversation = world.conversation();
                if world.members[n].is_here() {
                    drop(world.members[n].open(&conversation).await);
                }
            }
            _ => drop(world.members[n].read().await),
        }
        tokio::task::yield_now().await;
    }
    for caller in &mut callers {
        caller.await.unwrap();
    }
    for (_, event) in world.practice.log(world.seq).await {
        for change in event.conversations() {
            if !world.conversations.contains(&change.after.id) {
                world.conversations.push(change.after.id.clone());
            }
        }
    }
    world.follow().await;
    world.converge().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_storm_everybody_shows_what_a_fresh_list_shows() {
    for seed in seeds(201..=206) {
        eprintln!("seed {seed}");
        Box::pin(storm(seed)).await;
    }
}
