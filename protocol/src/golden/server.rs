//! What the hub sends, one of everything.

use super::practice::{
    EPOCH, access, ada, bayview, ben, front_desk, huddle, intake, items, listed, main_line, message_in,
    presence, sam, sam_archived, sam_shared, sam_with, teammate,
};
use super::{Sheet, known};
use crate::ask::{Count, Grant, RowKey, Through, Told};
use crate::close::CloseCode;
use crate::command::{Done, Revoked, StillMember};
use crate::conversation::{Cause, Conversation, Happening, Mark, Was};
use crate::directory::{
    AssignNonMember, Features, Organization, OrganizationKind, Policy, Team, TeammateStatus,
};
use crate::frame::{Answer, Limits, ServerFrame, Start};
use crate::item::ItemKind;
use crate::principal::Mailbox;
use crate::push::{Access, CatchUp, ConversationPresence, Marked, Presence, Push};
use crate::refusal::Refusal;

pub(super) fn sheets() -> Vec<Sheet<ServerFrame>> {
    let answer = |(name, answer)| (name, ServerFrame::Answer { r#ref: "ada-laptop-41".into(), answer });
    let refused = |(name, refusal): (_, Refusal)| answer((name, Answer::from(refusal)));
    let push = |(name, push): (_, Push)| {
        let fleeting = matches!(push, Push::Here { .. } | Push::Presence(_));
        (name, ServerFrame::Push { push, cursor: (!fleeting).then(|| "kS3v0bq2fXo7cYwz".into()) })
    };
    vec![
        Sheet { path: "server/session", frames: session() },
        Sheet { path: "server/closing", frames: closing() },
        Sheet { path: "server/answer", frames: answers().into_iter().map(answer).collect() },
        Sheet { path: "server/refusal", frames: refusals().into_iter().map(refused).collect() },
        Sheet { path: "server/push", frames: pushes().into_iter().map(push).collect() },
        Sheet { path: "server/happening", frames: happenings().into_iter().map(push).collect() },
    ]
}

/// What a session that starts afresh is told.
fn everything() -> CatchUp {
    CatchUp {
        access: access(),
        organization: Some(bayview()),
        teammates: vec![
            ada(),
            ben(),
            teammate("cleo", "Cleo Marsh", "CM", TeammateStatus::Suspended, None),
            teammate("dora", "Dora Lim", "DL", TeammateStatus::Invited, None),
            teammate("eli", "Eli Novak", "EN", TeammateStatus::Removed, None),
        ],
        teams: vec![front_desk()],
        endpoints: vec![intake(), main_line()],
        presence: Presence { here: vec![known("ada"), known("ben")], conversations: vec![presence()] },
        ..CatchUp::default()
    }
}

/// What one that was away is told.
fn changes() -> CatchUp {
    CatchUp {
        access: access(),
        endpoints: vec![intake(), main_line()],
        conversations: vec![listed(sam())],
        marks: vec![Marked { conversation: known("cv-lee"), mark: Mark { read: 7, starred: false, rev: 2 } }],
        gone: vec![known("cv-kim")],
        items: vec![message_in()],
        presence: Presence { here: vec![known("ada")], conversations: vec![] },
        ..CatchUp::default()
    }
}

fn session() -> Vec<(&'static str, ServerFrame)> {
    let cursor = || "kS3v0bq2fXo7cYwz".to_owned();
    let welcome = |start, state| ServerFrame::Welcome {
        session: known("sn-8fQ2"),
        organization: known("bayview"),
        you: ada(),
        start,
        state: Box::new(state),
        limits: Limits {
            frame_bytes_max: 65_536,
            frames_per_second: 50,
            in_flight_max: 32,
            heartbeat_ms: 25_000,
        },
        cursor: cursor(),
    };
    vec![
        ("welcome", welcome(Start::Fresh, everything())),
        ("welcome/resumed", welcome(Start::Resumed, changes())),
        ("welcome/reset", welcome(Start::Reset, everything())),
        ("catch_up", ServerFrame::CatchUp { state: Box::new(changes()), cursor: cursor() }),
        ("resync", ServerFrame::Resync { state: Box::new(everything()), cursor: cursor() }),
        ("beat", ServerFrame::Beat),
        ("freshness/stale", ServerFrame::Freshness { fresh: false }),
        ("freshness/fresh", ServerFrame::Freshness { fresh: true }),
    ]
}

fn closing() -> Vec<(&'static str, ServerFrame)> {
    let closing = |code: CloseCode| {
        let retry_after_ms = match code.number() {
            4000..4100 => Some(0),
            4100..4200 => Some(5_000),
            _ => None,
        };
        (code.name(), ServerFrame::Closing { code, retry_after_ms })
    };
    CloseCode::ALL.map(closing).to_vec()
}

fn answers() -> Vec<(&'static str, Answer)> {
    let done = |name, done| (name, Answer::Done { done, revoked: None });
    let revoked = Some(Revoked { nodes: 3, lapsed: 0, sessions: 2, took_ms: 4 });
    let told = |name, told| (name, Answer::Told { told });
    vec![
        done("done/unchanged", Done::Unchanged),
        done("done/conversation", Done::Conversation { conversation: known("cv-sam"), rev: 57, item: None }),
        done(
            "done/conversation/with_item",
            Done::Conversation { conversation: known("cv-sam"), rev: 58, item: Some(43) },
        ),
        done("done/marked", Done::Marked { conversation: known("cv-sam") }),
        done("done/teammate", Done::Teammate { teammate: known("dora") }),
        done("done/team", Done::Team { team: known("front-desk") }),
        done("done/endpoint", Done::Endpoint { endpoint: known("intake"), still: vec![] }),
        done(
            "done/endpoint/with_still",
            Done::Endpoint {
                endpoint: known("intake"),
                still: vec![StillMember { member: known("teammate:cleo"), conversations: 3 }],
            },
        ),
        done("done/organization", Done::Organization),
        ("done/team/revoked", Answer::Done { done: Done::Team { team: known("front-desk") }, revoked }),
        told("told/list", Told::List { rows: vec![listed(huddle())], next: None }),
        told(
            "told/list/with_next",
            Told::List {
                rows: vec![listed(sam())],
                next: Some(RowKey { activity_at: EPOCH, conversation: known("cv-sam") }),
            },
        ),
        told(
            "told/counts",
            Told::Counts {
                counts: [("shared", 12), ("team:front-desk", 3), ("teammate:ada", 0), ("internal", 1)]
                    .map(|(mailbox, conversations)| Count { mailbox: known(mailbox), conversations })
                    .to_vec(),
            },
        ),
        told(
            "told/opened",
            Told::Opened { row: listed(sam()), items: vec![message_in()], presence: presence() },
        ),
        told("told/history", Told::History { items: items() }),
        told("told/access", Told::Access { grants: grants() }),
        ("renewed", Answer::Renewed),
    ]
}

fn grants() -> Vec<Grant> {
    let grant = |teammate, through: &[(&str, &str)]| Grant {
        teammate: known(teammate),
        through: through
            .iter()
            .map(|(principal, list)| Through { principal: known(principal), list: (*list).into() })
            .collect(),
    };
    vec![
        grant("ada", &[("team:front-desk", "owner")]),
        grant("ben", &[("team:front-desk", "owner"), ("teammate:ben", "conversation")]),
        grant("cleo", &[("teammate:cleo", "member")]),
    ]
}

pub(super) fn refusals() -> Vec<(&'static str, Refusal)> {
    [
        Refusal::NotFound,
        Refusal::Forbidden,
        Refusal::Invalid { field: "body".into(), problem: "is empty".into() },
        Refusal::AlreadyAssigned { to: known("teammate:ben"), by: known("teammate:ben"), at: EPOCH },
        Refusal::AssigneeNotMember,
        Refusal::ConversationArchived,
        Refusal::UnseenActivity { missed: vec![message_in()] },
        Refusal::Stale { rev: 57 },
        Refusal::FeatureDisabled,
        Refusal::LastAdmin,
        Refusal::TransferRequired,
        Refusal::WouldOrphan,
        Refusal::DerivedAccess { from: known("team:front-desk") },
        Refusal::EndpointRequired,
        Refusal::AlreadyExists,
        Refusal::RefReused,
        Refusal::TooManyInFlight,
        Refusal::AccessChanged,
        Refusal::Unavailable,
    ]
    .map(|refusal| (refusal.code(), refusal))
    .to_vec()
}

fn pushes() -> Vec<(&'static str, Push)> {
    vec![
        (
            "conversation",
            Push::Conversation {
                conversation: sam(),
                happened: vec![Happening::Assigned {
                    from: None,
                    to: Some(known("teammate:ben")),
                    cause: Cause::Claim,
                }],
                by: known("teammate:ben"),
                at: EPOCH,
                was: Some(Was {
                    mailbox: Mailbox::Shared,
                    assignee: None,
                    tags: vec!["refill".into()],
                    endpoint: Some(known("main-line")),
                }),
            },
        ),
        (
            "conversation/in_view",
            Push::Conversation {
                conversation: huddle(),
                happened: vec![],
                by: known("teammate:cleo"),
                at: EPOCH,
                was: None,
            },
        ),
        ("item", Push::Item { item: message_in() }),
        ("gone", Push::Gone { conversation: known("cv-sam") }),
        (
            "scope",
            Push::Scope {
                access: access(),
                granted: Access { endpoints: vec![known("intake")], teams: vec![known("front-desk")] },
                revoked: Access { endpoints: vec![known("night-line")], teams: vec![] },
                endpoints: vec![intake(), main_line()],
            },
        ),
        ("teammate", Push::Teammate { teammate: ben() }),
        ("team", Push::Team { team: front_desk() }),
        ("team/deleted", Push::Team { team: Team { members: vec![], deleted: true, ..front_desk() } }),
        ("endpoint", Push::Endpoint { endpoint: intake() }),
        ("organization", Push::Organization { organization: bayview() }),
        (
            "organization/solo",
            Push::Organization {
                organization: Organization {
                    kind: OrganizationKind::Solo,
                    features: Features { assignment: false, viewing: false, typing: false },
                    policy: Policy { assign_non_member: AssignNonMember::Grant, reply_claims: true },
                    multi_teammate: false,
                    ..bayview()
                },
            },
        ),
        (
            "mark",
            Push::Mark(Marked {
                conversation: known("cv-sam"),
                mark: Mark { read: 42, starred: false, rev: 9 },
            }),
        ),
        ("here", Push::Here { came: vec![known("ben")], went: vec![] }),
        ("here/left", Push::Here { came: vec![], went: vec![known("ben")] }),
        ("presence", Push::Presence(presence())),
        (
            "presence/nobody",
            Push::Presence(ConversationPresence {
                conversation: known("cv-sam"),
                viewing: vec![],
                typing: vec![],
            }),
        ),
    ]
}

/// Everything that can have happened to a conversation, each in the push that tells of it.
fn happenings() -> Vec<(&'static str, Push)> {
    let at = EPOCH;
    let told = |conversation: Conversation, by: &str, happened: Vec<Happening>| Push::Conversation {
        conversation,
        happened,
        by: known(by),
        at,
        was: None,
    };
    let to_ben = |cause| Happening::Assigned { from: None, to: Some(known("teammate:ben")), cause };
    let from_ben = |cause| Happening::Assigned { from: Some(known("teammate:ben")), to: None, cause };
    let from_team = |cause| Happening::Assigned { from: Some(known("team:front-desk")), to: None, cause };
    let item = || Happening::Item { number: 42 };
    let reopened = |cause| Happening::Reopened { cause };
    vec![
        ("created", told(sam(), "contact", vec![Happening::Created, to_ben(Cause::Auto), item()])),
        (
            "created/auto_assign_unavailable",
            told(
                sam_shared(),
                "contact",
                vec![
                    Happening::Created,
                    Happening::Assigned { from: None, to: None, cause: Cause::AutoAssignUnavailable },
                    item(),
                ],
            ),
        ),
        ("item", told(sam_with(ItemKind::Voicemail, "contact"), "contact", vec![item()])),
        ("item/call", told(sam_with(ItemKind::Call, "contact"), "contact", vec![item()])),
        ("item/note", told(sam_with(ItemKind::Note, "teammate:ada"), "teammate:ada", vec![item()])),
        ("assigned", told(sam(), "teammate:ada", vec![to_ben(Cause::Manual)])),
        ("assigned/by_service", told(sam(), "service:phone-tree", vec![to_ben(Cause::Manual)])),
        ("assigned/lost_access", told(sam_shared(), "teammate:ada", vec![from_ben(Cause::LostAccess)])),
        (
            "assigned/teammate_removed",
            told(sam_shared(), "teammate:ada", vec![from_ben(Cause::TeammateRemoved)]),
        ),
        ("assigned/team_deleted", told(sam_shared(), "teammate:ada", vec![from_team(Cause::TeamDeleted)])),
        ("archived", told(sam_archived(), "teammate:ben", vec![Happening::Archived])),
        ("reopened", told(sam_shared(), "contact", vec![reopened(Cause::Inbound), item()])),
        (
            "reopened/reply_claims",
            told(
                sam_with(ItemKind::MessageOut, "teammate:ben"),
                "teammate:ben",
                vec![reopened(Cause::StaffPost), to_ben(Cause::ReplyClaims), item()],
            ),
        ),
        ("tagged", told(sam(), "teammate:ada", vec![Happening::Tagged])),
        ("members", told(sam(), "teammate:ada", vec![Happening::Members])),
    ]
}
