//! Values to store: small ones built by hand, and whole histories made from a seed.

use std::collections::BTreeSet;
use std::str::FromStr;

use rotunda_protocol::Millis;
use rotunda_protocol::command::Done;
use rotunda_protocol::conversation::{Contact, LastItem, Mark};
use rotunda_protocol::directory::{
    AssignNonMember, EndpointKind, Features, OrganizationKind, Policy, Role, TeammateStatus,
};
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::item::{Content, Direction, Item};
use rotunda_protocol::principal::{Actor, Assignee, Principal};

use super::model::Model;
use crate::domain::conversation::{Assignment, Conversation, Counterpart, State};
use crate::domain::directory::{Endpoint, Profile, Team, Teammate};
use crate::domain::event::{Change, ConversationChange, Event, Seq};
use crate::store::{Batch, RefRecord};

/// When everything happens, unless it matters.
pub(crate) const NOON: Millis = 1_700_000_000_000;

/// Any id, principal or actor from its text.
pub(crate) fn id<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn event(changes: Vec<Change>) -> Event {
    Event { at: NOON, by: id("teammate:ada"), changes }
}

/// An event that changes as little as can be.
pub(crate) fn small_event(name: &str) -> Event {
    event(vec![Change::Tag { name: name.into() }])
}

pub(crate) fn batch(organization: &str, expected: u64, events: Vec<Event>) -> Batch {
    Batch { organization: id(organization), expected: Seq(expected), events, refs: Vec::new() }
}

pub(crate) fn record(actor: &str, r#ref: &str, item: u32) -> RefRecord {
    RefRecord {
        actor: id(actor),
        r#ref: r#ref.into(),
        fingerprint: [7; 32],
        done: Done::Conversation { conversation: id("c1"), rev: 3, item: Some(item) },
    }
}

pub(crate) fn profile() -> Profile {
    Profile {
        name: "Dr. Müller & Partner".into(),
        kind: OrganizationKind::Solo,
        features: Features { assignment: true, viewing: false, typing: true },
        policy: Policy { assign_non_member: AssignNonMember::Grant, reply_claims: true },
    }
}

pub(crate) fn teammate(name: &str) -> Teammate {
    Teammate { id: id(name), name: name.into(), role: Role::Admin, status: TeammateStatus::Suspended }
}

pub(crate) fn team(name: &str, members: &[&str]) -> Team {
    Team {
        id: id(name),
        name: name.into(),
        members: members.iter().map(|member| id(member)).collect(),
        deleted: false,
    }
}

pub(crate) fn endpoint(name: &str, members: &[&str]) -> Endpoint {
    Endpoint {
        id: id(name),
        kind: EndpointKind::Phone,
        address: format!("+1555{name}"),
        label: "Front desk".into(),
        owner: id("team:desk"),
        members: principals(members),
        auto_assign: true,
    }
}

pub(crate) fn contact(address: &str) -> Contact {
    let plain = address.replace(|c: char| !c.is_ascii_alphanumeric(), ".");
    Contact { id: id(&plain), name: "Zoë \"Z\" O'Hara".into(), address: address.into() }
}

pub(crate) fn principals(texts: &[&str]) -> BTreeSet<Principal> {
    texts.iter().map(|text| id(text)).collect()
}

/// An open conversation with a contact.
pub(crate) fn patient(name: &str, through: &str, address: &str) -> Conversation {
    Conversation {
        id: id(name),
        counterpart: Counterpart::Contact { endpoint: id(through), contact: contact(address) },
        members: BTreeSet::new(),
        state: State::SHARED,
        tags: BTreeSet::new(),
        items: 0,
        inbound: 0,
        last: None,
        created_at: NOON,
        activity_at: NOON,
        rev: 1,
    }
}

/// An open conversation between teammates.
pub(crate) fn between(name: &str, members: &[&str]) -> Conversation {
    Conversation {
        counterpart: Counterpart::Team { title: "Friday's rota".into() },
        members: principals(members),
        ..patient(name, "unused", "unused")
    }
}

/// An archived conversation.
pub(crate) fn archived(conversation: Conversation, activity_at: Millis) -> Conversation {
    Conversation { state: State::Archived, activity_at, ..conversation }
}

/// A conversation begins.
pub(crate) fn begun(after: Conversation) -> Change {
    change(None, after, &[])
}

/// A conversation changes.
pub(crate) fn change(before: Option<&Conversation>, after: Conversation, departed: &[&str]) -> Change {
    Change::Conversation(Box::new(ConversationChange {
        after,
        before: before.map(Conversation::before),
        happened: Vec::new(),
        departed: departed.iter().map(|teammate| id(teammate)).collect(),
        marks: Vec::new(),
    }))
}

pub(crate) fn item(conversation: &str, number: u32, content: Content) -> Item {
    Item { conversation: id(conversation), number, by: Actor::Contact, at: NOON, content }
}

pub(crate) fn message(body: &str) -> Content {
    Content::Message { direction: Direction::In, body: body.into(), media: Vec::new() }
}

pub(crate) fn mark(teammate: &str, conversation: &str, read: u32, starred: bool) -> Change {
    Change::Mark {
        teammate: id(teammate),
        conversation: id(conversation),
        mark: Mark { read, starred, rev: read },
    }
}

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let index = usize::try_from(self.roll(from.len() as u64)).unwrap();
        from[index].clone()
    }

    fn some<'a>(&mut self, from: &[&'a str]) -> Vec<&'a str> {
        from.iter().filter(|_| self.roll(3) == 0).copied().collect()
    }
}

pub(crate) const TEAMMATES: [&str; 4] = ["ada", "ben", "cyd", "dan"];
pub(crate) const ENDPOINTS: [&str; 3] = ["e1", "e2", "e3"];
pub(crate) const PRINCIPALS: [&str; 5] =
    ["organization", "team:desk", "team:night", "teammate:ada", "teammate:ben"];
const TAGS: [&str; 4] = ["urgent", "billing", "Ü", "a,b"];

/// An event that may well follow upon what a model says, of several changes, some of the same row.
pub(crate) fn any_event(dice: &mut Dice, model: &Model) -> Event {
    let mut after = model.clone();
    let mut changes = Vec::new();
    for _ in 0..=dice.roll(3) {
        let step = any_changes(dice, &after);
        after.apply(after.head.next(), &event(step.clone()));
        changes.extend(step);
    }
    Event { at: NOON, by: id(dice.pick(&["teammate:ada", "service:twilio", "contact"])), changes }
}

fn any_changes(dice: &mut Dice, model: &Model) -> Vec<Change> {
    match dice.roll(14) {
        0 => {
            vec![Change::Organization(Profile { name: format!("practice {}", dice.roll(100)), ..profile() })]
        }
        1 => vec![Change::Teammate(Teammate {
            status: dice.pick(&[TeammateStatus::Active, TeammateStatus::Removed, TeammateStatus::Invited]),
            role: dice.pick(&[Role::Admin, Role::Member]),
            ..teammate(dice.pick(&TEAMMATES))
        })],
        2 => {
            let members = dice.some(&TEAMMATES);
            vec![Change::Team(Team {
                deleted: members.is_empty(),
                ..team(dice.pick(&["desk", "night"]), &members)
            })]
        }
        3 => {
            let members = dice.some(&PRINCIPALS);
            vec![Change::Endpoint(endpoint(dice.pick(&ENDPOINTS), &members))]
        }
        4 => vec![Change::Tag { name: dice.pick(&TAGS).into() }],
        5 | 6 => any_beginning(dice, model),
        _ if model.conversations.is_empty() => any_beginning(dice, model),
        _ => {
            let ids: Vec<_> = model.conversations.keys().cloned().collect();
            let conversation = dice.pick(&ids);
            any_change_of(dice, model, &conversation)
        }
    }
}

fn any_beginning(dice: &mut Dice, model: &Model) -> Vec<Change> {
    let number = model.conversations.len();
    let name = format!("c{number}");
    if dice.roll(4) == 0 {
        let members = dice.some(&PRINCIPALS);
        return vec![begun(between(&name, &members))];
    }
    let conversation = Conversation {
        members: principals(&dice.some(&PRINCIPALS)),
        tags: dice.some(&TAGS).into_iter().map(String::from).collect(),
        ..patient(&name, dice.pick(&ENDPOINTS), &format!("+1{number}"))
    };
    vec![Change::Contact(contact(&format!("+1{number}"))), begun(conversation)]
}

fn any_change_of(dice: &mut Dice, model: &Model, conversation: &ConversationId) -> Vec<Change> {
    let before = &model.conversations[conversation].0;
    let mut after = Conversation { rev: before.rev + 1, ..before.clone() };
    let mut departed = Vec::new();
    let mut more = Vec::new();
    match dice.roll(6) {
        0 => {
            let (read, starred) = (u32::try_from(dice.roll(9)).unwrap(), dice.roll(2) == 0);
            return vec![mark(dice.pick(&TEAMMATES), conversation.as_str(), read, starred)];
        }
        1 => after.tags = dice.some(&TAGS).into_iter().map(String::from).collect(),
        2 => {
            after.members = principals(&dice.some(&PRINCIPALS));
            departed = dice.some(&TEAMMATES);
        }
        3 => {
            let to = dice.pick(&[Assignee::Team(id("desk")), Assignee::Teammate(id("ada"))]);
            let assignment = Assignment { to, by: Actor::Service("rule: auto".into()), at: NOON };
            after.state = State::Open { assignment: (dice.roll(3) > 0).then_some(assignment) };
        }
        4 => after.state = State::Archived,
        _ => {
            after.items += 1;
            after.activity_at += Millis::try_from(dice.roll(5)).unwrap();
            let item = item(conversation.as_str(), after.items, message(&format!("number {}", after.items)));
            after.last = Some(LastItem { kind: item.content.kind(), by: item.by.clone(), at: item.at });
            after.inbound = after.items;
            more.push(Change::Item(item));
        }
    }
    more.insert(0, change(Some(before), after, &departed));
    more
}
