//! The practice that the golden frames tell of: Bayview, where Ada, Ben and Cleo answer Sam.

use super::known;
use crate::conversation::Listed;
use crate::conversation::{Contact, Conversation, ConversationKind, ConversationState, LastItem, Mark};
use crate::directory::{
    AssignNonMember, Endpoint, EndpointKind, Features, Organization, OrganizationKind, Policy, Role, Team,
    Teammate, TeammateStatus,
};
use crate::item::{Content, Direction, Item, ItemKind};
use crate::principal::{Actor, Mailbox, Principal};
use crate::push::{Access, ConversationPresence, Typing, TypingMode};

pub(super) const EPOCH: i64 = 1_767_225_600_000;

pub(super) fn teammate(
    id: &str,
    name: &str,
    initials: &str,
    status: TeammateStatus,
    role: Option<Role>,
) -> Teammate {
    Teammate { id: known(id), name: name.into(), initials: initials.into(), status, role }
}

pub(super) fn ada() -> Teammate {
    teammate("ada", "Ada Byrne", "AB", TeammateStatus::Active, Some(Role::Admin))
}

pub(super) fn ben() -> Teammate {
    teammate("ben", "Ben Okafor", "BO", TeammateStatus::Active, Some(Role::Member))
}

pub(super) fn front_desk() -> Team {
    Team {
        id: known("front-desk"),
        name: "Front desk".into(),
        members: vec![known("ada"), known("ben")],
        deleted: false,
    }
}

pub(super) fn main_line() -> Endpoint {
    Endpoint {
        id: known("main-line"),
        kind: EndpointKind::Phone,
        address: "+15550100".into(),
        label: "Main line".into(),
        owner: Principal::Organization,
        members: vec![],
        auto_assign: false,
    }
}

pub(super) fn intake() -> Endpoint {
    Endpoint {
        id: known("intake"),
        kind: EndpointKind::Link,
        address: "bayview-intake".into(),
        label: "Intake".into(),
        owner: known("team:front-desk"),
        members: vec![known("teammate:cleo")],
        auto_assign: true,
    }
}

pub(super) fn bayview() -> Organization {
    Organization {
        id: known("bayview"),
        name: "Bayview Family Practice".into(),
        kind: OrganizationKind::Team,
        features: Features { assignment: true, viewing: true, typing: true },
        policy: Policy { assign_non_member: AssignNonMember::Reject, reply_claims: false },
        multi_teammate: true,
    }
}

/// The conversation with Sam, held by Ben.
pub(super) fn sam() -> Conversation {
    Conversation {
        id: known("cv-sam"),
        kind: ConversationKind::Patient,
        endpoint: Some(known("main-line")),
        contact: Some(Contact { id: known("ct-sam"), name: "Sam Osei".into(), address: "+15550142".into() }),
        title: None,
        members: vec![],
        state: ConversationState::Open,
        mailbox: known("teammate:ben"),
        assignee: Some(known("teammate:ben")),
        tags: vec!["refill".into()],
        items: 42,
        inbound: 42,
        last: Some(last(ItemKind::MessageIn, Actor::Contact)),
        created_at: EPOCH - 86_400_000,
        activity_at: EPOCH,
        rev: 57,
    }
}

pub(super) fn last(kind: ItemKind, by: Actor) -> LastItem {
    LastItem { kind, by, at: EPOCH }
}

/// The same with another newest item.
pub(super) fn sam_with(kind: ItemKind, by: &str) -> Conversation {
    Conversation { last: Some(last(kind, known(by))), ..sam() }
}

pub(super) fn sam_archived() -> Conversation {
    Conversation {
        state: ConversationState::Archived,
        mailbox: Mailbox::None,
        assignee: None,
        rev: 58,
        ..sam()
    }
}

pub(super) fn sam_shared() -> Conversation {
    Conversation { mailbox: Mailbox::Shared, assignee: None, ..sam() }
}

pub(super) fn huddle() -> Conversation {
    Conversation {
        id: known("cv-huddle"),
        kind: ConversationKind::Team,
        endpoint: None,
        contact: None,
        title: Some("Morning huddle".into()),
        members: ["organization", "team:front-desk", "teammate:ada"].map(known).to_vec(),
        state: ConversationState::Open,
        mailbox: Mailbox::Internal,
        assignee: None,
        tags: vec![],
        items: 0,
        inbound: 0,
        last: None,
        created_at: EPOCH,
        activity_at: EPOCH,
        rev: 1,
    }
}

pub(super) fn item(number: u32, by: &str, content: Content) -> Item {
    Item { conversation: known("cv-sam"), number, by: known(by), at: EPOCH, content }
}

pub(super) fn message_in() -> Item {
    let body = "Can I come at ten instead?".into();
    item(42, "contact", Content::Message { direction: Direction::In, body, media: vec![] })
}

pub(super) fn items() -> Vec<Item> {
    let body = "Your appointment is at nine.".into();
    let media = vec!["https://media.example/ME2".into()];
    vec![
        item(38, "contact", Content::Call { direction: Direction::In, outcome: "busy".into(), seconds: 0 }),
        item(39, "contact", Content::Voicemail { seconds: 17, recording: None, transcript: None }),
        item(40, "teammate:ben", Content::Note { body: "Prefers mornings.".into() }),
        item(41, "teammate:ada", Content::Message { direction: Direction::Out, body, media }),
        message_in(),
    ]
}

pub(super) fn presence() -> ConversationPresence {
    ConversationPresence {
        conversation: known("cv-sam"),
        viewing: vec![known("ada"), known("ben")],
        typing: vec![
            Typing { teammate: known("ada"), mode: TypingMode::Note },
            Typing { teammate: known("ben"), mode: TypingMode::Reply },
        ],
    }
}

pub(super) fn access() -> Access {
    Access { endpoints: vec![known("intake"), known("main-line")], teams: vec![known("front-desk")] }
}

pub(super) fn listed(conversation: Conversation) -> Listed {
    Listed { conversation, mark: Mark { read: 41, starred: true, rev: 8 } }
}
