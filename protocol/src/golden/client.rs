//! What clients send, one of everything.

use super::{Sheet, known};
use crate::ask::{Ask, RowKey};
use crate::command::{
    Command, ConversationUpdate, Inbound, NewEndpoint, NewOrganization, NewTeam, NewTeammate, OnUnseen,
};
use crate::directory::{AssignNonMember, EndpointKind, Features, OrganizationKind, Policy, Role};
use crate::frame::{ClientFrame, Signal};
use crate::id::ConversationId;
use crate::item::{Content, Direction};
use crate::principal::{AssignTo, Principal};
use crate::push::TypingMode;

pub(super) fn sheets() -> Vec<Sheet<ClientFrame>> {
    let call = |(name, command)| (name, ClientFrame::Call { r#ref: "ada-laptop-41".into(), command });
    let ask = |(name, ask)| (name, ClientFrame::Ask { r#ref: "q7".into(), ask });
    let signal = |(name, signal)| (name, ClientFrame::Signal { signal });
    vec![
        Sheet { path: "client/session", frames: session() },
        Sheet { path: "client/command", frames: commands().into_iter().map(call).collect() },
        Sheet { path: "client/ask", frames: asks().into_iter().map(ask).collect() },
        Sheet { path: "client/signal", frames: signals().into_iter().map(signal).collect() },
    ]
}

fn sam() -> ConversationId {
    known("cv-sam")
}

fn session() -> Vec<(&'static str, ClientFrame)> {
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl";
    vec![
        ("hello", ClientFrame::Hello { token: token.into(), cursor: None, device: None, open: vec![] }),
        (
            "hello/resuming",
            ClientFrame::Hello {
                token: token.into(),
                cursor: Some("kS3v0bq2fXo7cYwz".into()),
                device: Some("web".into()),
                open: vec![sam(), known("cv-huddle")],
            },
        ),
        ("renew", ClientFrame::Renew { r#ref: "r1".into(), token: token.into() }),
    ]
}

fn asks() -> Vec<(&'static str, Ask)> {
    vec![
        ("list", Ask::List { mailbox: known("shared"), endpoint: None, after: None, limit: 50 }),
        (
            "list/next_page",
            Ask::List {
                mailbox: known("teammate:ada"),
                endpoint: Some(known("main-line")),
                after: Some(RowKey { activity_at: 1_767_225_600_000, conversation: sam() }),
                limit: 200,
            },
        ),
        ("list/archived", Ask::List { mailbox: known("none"), endpoint: None, after: None, limit: 20 }),
        (
            "counts",
            Ask::Counts {
                mailboxes: ["shared", "team:front-desk", "teammate:ada", "internal"].map(known).to_vec(),
            },
        ),
        ("open", Ask::Open { conversation: sam(), limit: 50 }),
        ("history", Ask::History { conversation: sam(), before: 41, limit: 50 }),
        ("access", Ask::Access { conversation: sam() }),
    ]
}

fn signals() -> Vec<(&'static str, Signal)> {
    vec![
        ("typing", Signal::Typing { conversation: sam(), mode: TypingMode::Reply }),
        ("typing/note", Signal::Typing { conversation: sam(), mode: TypingMode::Note }),
        ("idle", Signal::Idle { conversation: sam() }),
        ("close", Signal::Close { conversation: sam() }),
    ]
}

pub(super) fn commands() -> Vec<(&'static str, Command)> {
    [conversation(), members_and_tags(), writing(), teammates(), teams_and_endpoints(), back_office()]
        .concat()
}

fn conversation() -> Vec<(&'static str, Command)> {
    let assign = |to, grant, expect_rev| Command::Assign { conversation: sam(), to, grant, expect_rev };
    vec![
        (
            "conversation.start",
            Command::Start {
                from_endpoint: Some(known("main-line")),
                to: "+15550142".into(),
                name: Some("Sam Osei".into()),
                body: "Your results are in.".into(),
            },
        ),
        (
            "conversation.start_team",
            Command::StartTeam {
                title: "Morning huddle".into(),
                members: ["team:front-desk", "teammate:cleo"].map(known::<Principal>).to_vec(),
            },
        ),
        ("conversation.claim", Command::Claim { conversation: sam(), expect_rev: None }),
        ("conversation.claim/expecting", Command::Claim { conversation: sam(), expect_rev: Some(12) }),
        ("conversation.assign", assign(known("teammate:ben"), false, None)),
        ("conversation.assign/to_team", assign(known("team:front-desk"), true, Some(12))),
        ("conversation.assign/to_nobody", assign(AssignTo::Nobody, false, None)),
        (
            "conversation.archive",
            Command::Archive { conversation: sam(), seen: 41, force: false, expect_rev: None },
        ),
        (
            "conversation.archive/forced",
            Command::Archive { conversation: sam(), seen: 40, force: true, expect_rev: Some(13) },
        ),
        ("conversation.unarchive", Command::Unarchive { conversation: sam(), expect_rev: None }),
        (
            "conversation.update",
            Command::Update {
                conversation: sam(),
                update: ConversationUpdate {
                    archived: Some(false),
                    assignee: Some(known("teammate:ben")),
                    add_tags: vec!["refill".into()],
                    remove_tags: vec!["new".into()],
                    grant: true,
                    seen: None,
                    force: false,
                },
                expect_rev: Some(14),
            },
        ),
        (
            "conversation.update/archiving",
            Command::Update {
                conversation: sam(),
                update: ConversationUpdate {
                    archived: Some(true),
                    seen: Some(41),
                    ..ConversationUpdate::default()
                },
                expect_rev: None,
            },
        ),
        ("conversation.leave", Command::Leave { conversation: known("cv-huddle") }),
    ]
}

fn members_and_tags() -> Vec<(&'static str, Command)> {
    vec![
        ("tag.add", Command::AddTag { conversation: sam(), tag: "refill".into() }),
        ("tag.remove", Command::RemoveTag { conversation: sam(), tag: "refill".into() }),
        (
            "members.add",
            Command::AddMembers {
                conversation: known("cv-huddle"),
                members: vec![known("organization"), known("teammate:ben")],
            },
        ),
        (
            "members.remove",
            Command::RemoveMembers {
                conversation: known("cv-huddle"),
                members: vec![known("team:front-desk")],
            },
        ),
    ]
}

fn writing() -> Vec<(&'static str, Command)> {
    let send = |seen, on_unseen, stay_archived| Command::Send {
        conversation: sam(),
        body: "See you at ten.".into(),
        seen,
        on_unseen,
        stay_archived,
    };
    vec![
        ("message.send", send(41, OnUnseen::Hold, false)),
        ("message.send/regardless", send(40, OnUnseen::Send, true)),
        ("note.post", Command::PostNote { conversation: sam(), body: "Prefers mornings.".into() }),
        ("read.mark", Command::MarkRead { conversation: sam(), number: 41 }),
        ("star.set", Command::SetStar { conversation: sam(), starred: true }),
    ]
}

fn teammates() -> Vec<(&'static str, Command)> {
    let dora = || known("dora");
    vec![
        (
            "teammate.invite",
            Command::Invite(NewTeammate {
                id: Some(dora()),
                name: "Dora Lim".into(),
                role: Role::Member,
                active: false,
            }),
        ),
        ("teammate.activate", Command::Activate { teammate: dora() }),
        ("teammate.suspend", Command::Suspend { teammate: dora() }),
        ("teammate.restore", Command::Restore { teammate: dora() }),
        (
            "teammate.remove",
            Command::Remove { teammate: dora(), transfer_to: None, transfer_assignments: false },
        ),
        (
            "teammate.remove/transferring",
            Command::Remove {
                teammate: dora(),
                transfer_to: Some(known("team:front-desk")),
                transfer_assignments: true,
            },
        ),
        (
            "teammate.remove/transferring_to_teammate",
            Command::Remove {
                teammate: dora(),
                transfer_to: Some(known("teammate:ben")),
                transfer_assignments: false,
            },
        ),
        ("teammate.set_role", Command::SetRole { teammate: dora(), role: Role::Admin }),
    ]
}

fn teams_and_endpoints() -> Vec<(&'static str, Command)> {
    vec![
        (
            "team.create",
            Command::CreateTeam(NewTeam {
                id: None,
                name: "Front desk".into(),
                members: vec![known("ada"), known("ben")],
            }),
        ),
        (
            "team.update",
            Command::UpdateTeam {
                team: known("front-desk"),
                name: Some("Reception".into()),
                add: vec![known("cleo")],
                remove: vec![known("ben")],
            },
        ),
        ("team.delete", Command::DeleteTeam { team: known("front-desk"), transfer_to: None }),
        (
            "team.delete/transferring",
            Command::DeleteTeam { team: known("front-desk"), transfer_to: Some(known("organization")) },
        ),
        (
            "endpoint.create",
            Command::CreateEndpoint(NewEndpoint {
                id: Some(known("intake")),
                kind: EndpointKind::Link,
                address: "bayview-intake".into(),
                label: "Intake".into(),
                owner: known("team:front-desk"),
                members: vec![known("teammate:cleo")],
                auto_assign: true,
            }),
        ),
        (
            "endpoint.update",
            Command::UpdateEndpoint {
                endpoint: known("intake"),
                label: None,
                owner: Some(known("teammate:ben")),
                members: Some(vec![]),
                auto_assign: Some(true),
                force: false,
            },
        ),
        (
            "endpoint.update/renaming",
            Command::UpdateEndpoint {
                endpoint: known("intake"),
                label: Some("New patients".into()),
                owner: None,
                members: None,
                auto_assign: None,
                force: true,
            },
        ),
        (
            "organization.set",
            Command::SetOrganization {
                features: Some(Features { assignment: true, viewing: true, typing: false }),
                policy: Some(Policy { assign_non_member: AssignNonMember::Grant, reply_claims: true }),
            },
        ),
        (
            "organization.set/policy",
            Command::SetOrganization {
                features: None,
                policy: Some(Policy { assign_non_member: AssignNonMember::Reject, reply_claims: false }),
            },
        ),
    ]
}

fn back_office() -> Vec<(&'static str, Command)> {
    let inbound = |content| {
        Command::Receive(Inbound {
            to: "+15550100".into(),
            from: "+15550142".into(),
            name: Some("Sam Osei".into()),
            content,
        })
    };
    vec![
        (
            "organization.provision",
            Command::Provision(NewOrganization {
                name: "Bayview Family Practice".into(),
                kind: OrganizationKind::Team,
                teammates: vec![NewTeammate {
                    id: Some(known("ada")),
                    name: "Ada Byrne".into(),
                    role: Role::Admin,
                    active: true,
                }],
                teams: vec![NewTeam {
                    id: Some(known("front-desk")),
                    name: "Front desk".into(),
                    members: vec![known("ada")],
                }],
                endpoints: vec![NewEndpoint {
                    id: Some(known("main-line")),
                    kind: EndpointKind::Phone,
                    address: "+15550100".into(),
                    label: "Main line".into(),
                    owner: known("organization"),
                    members: vec![],
                    auto_assign: false,
                }],
            }),
        ),
        (
            "organization.provision/solo",
            Command::Provision(NewOrganization {
                name: "Dr. Ines Mora".into(),
                kind: OrganizationKind::Solo,
                teammates: vec![],
                teams: vec![],
                endpoints: vec![],
            }),
        ),
        (
            "inbound.receive",
            inbound(Content::Message {
                direction: Direction::In,
                body: "Can I come at ten instead?".into(),
                media: vec!["https://media.example/ME1".into()],
            }),
        ),
        (
            "inbound.receive/call",
            inbound(Content::Call { direction: Direction::In, outcome: "no-answer".into(), seconds: 0 }),
        ),
        (
            "inbound.receive/voicemail",
            inbound(Content::Voicemail {
                seconds: 17,
                recording: Some("https://media.example/RE1".into()),
                transcript: Some("Hello, it's Sam.".into()),
            }),
        ),
    ]
}
