//! Claiming, assigning, and the mailbox that follows from it.

use rotunda_protocol::command::{Command, ConversationUpdate, Done};
use rotunda_protocol::conversation::{Cause, ConversationState, Happening};
use rotunda_protocol::directory::{AssignNonMember, OrganizationKind, Policy};
use rotunda_protocol::principal::{Actor, Mailbox};
use rotunda_protocol::refusal::Refusal;

use super::practice::{Practice, conversation_of, demo, id};

const PATIENT: &str = "+15550001111";

#[test]
fn r1_any_teammate_who_sees_it_may_take_it() {
    for name in ["ada", "ben", "cleo", "dora"] {
        let mut practice = Practice::new();
        let c = practice.hears("main", PATIENT);
        assert!(practice.as_(name).claims(&c).is_ok(), "{name}");
    }
}

#[test]
fn r1_nobody_takes_what_they_may_not_see() {
    let mut practice = Practice::new();
    let c = practice.hears("dora-line", PATIENT);
    for name in ["ada", "ben", "cleo", "finn", "sam", "nobody"] {
        assert_eq!(practice.as_(name).claims(&c), Err(Refusal::NotFound), "{name}");
        assert_eq!(practice.as_(name).assigns(&c, "nobody"), Err(Refusal::NotFound), "{name}");
    }
}

#[test]
fn r2_a_claim_says_that_it_was_one() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    let done = practice.as_("ben").claims(&c).unwrap();
    assert_eq!(done, Done::Conversation { conversation: c.clone(), rev: 2, item: None });
    let to = Some(id("teammate:ben"));
    assert_eq!(practice.happened(&c), [Happening::Assigned { from: None, to, cause: Cause::Claim }]);
    assert_eq!(practice.last().by, Actor::Teammate(id("ben")));
}

#[test]
fn r2_claiming_what_one_holds_changes_nothing() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").claims(&c).unwrap();
    assert_eq!(practice.as_("ben").claims(&c), Ok(Done::Unchanged));
}

#[test]
fn r2_what_a_team_holds_is_claimed_by_its_members_only() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ada").assigns(&c, "team:desk").unwrap();
    let refused = practice.as_("dora").claims(&c);
    assert!(matches!(refused, Err(Refusal::AlreadyAssigned { to, .. }) if to == id("team:desk")));
    practice.as_("ben").claims(&c).unwrap();
    assert_eq!(practice.holder(&c).as_deref(), Some("teammate:ben"));
}

#[test]
fn r2_only_a_person_claims() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    assert_eq!(practice.service().claims(&c), Err(Refusal::Forbidden));
}

#[test]
fn r3_any_active_teammate_can_be_given_a_conversation() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    for to in ["teammate:ben", "teammate:ada", "teammate:dora"] {
        practice.as_("ada").assigns(&c, to).unwrap();
        assert_eq!(practice.holder(&c).as_deref(), Some(to));
    }
}

#[test]
fn r3_nobody_is_given_a_conversation_who_is_not_there() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    for to in ["teammate:finn", "teammate:sam", "teammate:unknown", "team:unknown"] {
        assert_eq!(practice.as_("ada").grants(&c, to), Err(Refusal::AssigneeNotMember), "{to}");
    }
}

#[test]
fn r4_a_team_can_hold_it_and_then_no_teammate_does() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ada").assigns(&c, "teammate:ben").unwrap();
    practice.as_("ada").assigns(&c, "team:nurses").unwrap();
    assert_eq!(practice.mailbox(&c), "team:nurses");
    assert!(practice.lists("ben", "teammate:ben").is_empty());
}

#[test]
fn r5_it_is_in_exactly_one_mailbox() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    let everywhere = ["shared", "team:desk", "teammate:ben", "internal", "none"];
    for (to, mailbox) in [("nobody", "shared"), ("team:desk", "team:desk"), ("teammate:ben", "teammate:ben")]
    {
        practice.as_("ada").assigns(&c, to).unwrap();
        for other in everywhere {
            assert_eq!(practice.lists("ada", other).len(), usize::from(other == mailbox), "{to}: {other}");
        }
    }
}

#[test]
fn r6_assigning_moves_it_from_shared_to_the_assignees_mailbox() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ada").assigns(&c, "teammate:ben").unwrap();
    assert_eq!(practice.was(&c).mailbox, Mailbox::Shared);
    assert_eq!(practice.news(&c).after.mailbox(true), id("teammate:ben"));
    assert_eq!(practice.lists("ada", "shared"), []);
    assert_eq!(practice.lists("ben", "teammate:ben"), [c]);
}

#[test]
fn r7_two_do_not_work_on_one_conversation_at_the_same_time() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").claims(&c).unwrap();
    assert!(matches!(practice.as_("cleo").claims(&c), Err(Refusal::AlreadyAssigned { .. })));
    practice.hears("main", PATIENT);
    let unseen = Err(Refusal::UnseenActivity { missed: Vec::new() });
    assert_eq!(practice.as_("cleo").sends_having_seen(&c, 1), unseen, "and nobody writes past what came in");
}

#[test]
fn r8_a_second_teammate_makes_assigned_to_me_appear() {
    let mut alone = demo();
    alone.teammates.truncate(1);
    (alone.teams, alone.endpoints) = (Vec::new(), Vec::new());
    let mut practice = Practice::of(alone);
    assert!(!practice.organization().to_wire().unwrap().multi_teammate);
    let invited = super::practice::teammate("ben", rotunda_protocol::directory::Role::Member, false);
    practice.as_("ada").does(Command::Invite(invited)).unwrap();
    assert!(!practice.organization().to_wire().unwrap().multi_teammate);
    practice.service().does(Command::Activate { teammate: id("ben") }).unwrap();
    assert!(practice.organization().to_wire().unwrap().multi_teammate);
    practice.as_("ada").suspends("ben").unwrap();
    assert!(!practice.organization().to_wire().unwrap().multi_teammate);
}

#[test]
fn r14_a_team_practice_assigns_from_the_start_and_a_solo_practice_does_not() {
    for (kind, assignment) in [(OrganizationKind::Team, true), (OrganizationKind::Solo, false)] {
        let mut new = demo();
        new.kind = kind;
        let mut practice = Practice::of(new);
        assert_eq!(practice.organization().assignment(), assignment);
        let c = practice.hears("main", PATIENT);
        let expected = if assignment { None } else { Some(Refusal::FeatureDisabled) };
        assert_eq!(practice.as_("ada").claims(&c).err(), expected);
        assert_eq!(practice.as_("ada").assigns(&c, "team:desk").err(), expected);
        let update =
            ConversationUpdate { assignee: Some(id("teammate:ben")), ..ConversationUpdate::default() };
        assert_eq!(practice.as_("ada").updates(&c, update).err(), expected);
    }
}

#[test]
fn r14_the_back_office_turns_assignment_on_and_off_and_admins_do_not() {
    let mut practice = Practice::new();
    assert_eq!(practice.as_("ada").switches(false), Err(Refusal::Forbidden));
    assert_eq!(practice.as_("ada").switches(true), Ok(Done::Unchanged));
    assert_eq!(practice.service().switches(false), Ok(Done::Organization));
}

#[test]
fn r14_switching_assignment_off_hides_assignments_and_on_brings_them_back() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").claims(&c).unwrap();
    practice.service().switches(false).unwrap();
    assert_eq!(practice.mailbox(&c), "shared");
    assert_eq!(practice.row(&c).to_wire(false).assignee, None);
    assert_eq!(practice.lists("ben", "shared"), std::slice::from_ref(&c));
    assert_eq!(practice.organization().reset(), practice.organization().seq());
    practice.service().switches(true).unwrap();
    assert_eq!(practice.lists("ben", "teammate:ben"), [c]);
    assert_eq!(practice.lists("ben", "shared"), []);
}

#[test]
fn r15_it_can_be_assigned_without_having_been_opened_or_read() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ada").assigns(&c, "teammate:ben").unwrap();
    assert_eq!(practice.mark("ada", &c).read, 0);
}

#[test]
fn r18_others_may_reassign_and_the_event_names_who_held_it() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").claims(&c).unwrap();
    practice.as_("dora").assigns(&c, "teammate:cleo").unwrap();
    let (from, to) = (Some(id("teammate:ben")), Some(id("teammate:cleo")));
    assert_eq!(practice.happened(&c), [Happening::Assigned { from, to, cause: Cause::Manual }]);
    assert_eq!(practice.was(&c).assignee, Some(id("teammate:ben")));
}

#[test]
fn r19_it_can_go_back_to_the_shared_mailbox_without_being_archived() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").claims(&c).unwrap();
    practice.as_("cleo").assigns(&c, "nobody").unwrap();
    assert_eq!(practice.mailbox(&c), "shared");
    assert_eq!(practice.as_("cleo").assigns(&c, "nobody"), Ok(Done::Unchanged));
}

#[test]
fn e1_assigning_to_a_non_member_is_refused() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    for to in ["teammate:dora", "teammate:ada"] {
        assert_eq!(practice.as_("cleo").assigns(&c, to), Err(Refusal::AssigneeNotMember));
    }
    assert_eq!(practice.as_("ben").grants(&c, "teammate:dora"), Err(Refusal::AssigneeNotMember));
}

#[test]
fn e1_whoever_may_edit_members_grants_by_assigning() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    practice.as_("cleo").grants(&c, "teammate:dora").unwrap();
    assert!(practice.sees("dora", &c));
    let to = Some(id("teammate:dora"));
    let assigned = Happening::Assigned { from: None, to, cause: Cause::Manual };
    assert_eq!(practice.happened(&c), [Happening::Members, assigned], "the grant comes first");
}

#[test]
fn e1_the_grant_policy_lets_everybody_who_sees_it_grant() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    let policy = Policy { assign_non_member: AssignNonMember::Grant, reply_claims: false };
    practice.as_("ada").decrees(policy).unwrap();
    assert_eq!(practice.as_("ben").assigns(&c, "teammate:dora"), Err(Refusal::AssigneeNotMember));
    practice.as_("ben").grants(&c, "teammate:dora").unwrap();
    assert!(practice.sees("dora", &c));
}

#[test]
fn e1_a_team_is_granted_as_a_team() {
    let mut practice = Practice::new();
    let c = practice.hears("dora-line", PATIENT);
    practice.as_("dora").grants(&c, "team:desk").unwrap();
    assert_eq!(practice.row(&c).members, [id("team:desk")].into());
    assert!(practice.sees("ben", &c) && practice.sees("cleo", &c) && !practice.sees("ada", &c));
}

#[test]
fn e1_a_grant_to_a_member_adds_nothing() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ada").grants(&c, "teammate:ben").unwrap();
    assert!(practice.row(&c).members.is_empty());
}

#[test]
fn e1_a_grant_does_not_pass_the_limit_of_members() {
    let mut new = demo();
    let many: Vec<String> = (0..200).map(|n| format!("t{n}")).collect();
    let member = rotunda_protocol::directory::Role::Member;
    new.teammates.extend(many.iter().map(|name| super::practice::teammate(name, member, true)));
    let mut practice = Practice::of(new);
    let c = practice.hears("cleo-link", "pat");
    let principals: Vec<String> = many.iter().map(|name| format!("teammate:{name}")).collect();
    let principals: Vec<&str> = principals.iter().map(String::as_str).collect();
    practice.as_("cleo").adds(&c, &principals).unwrap();
    let refused = practice.as_("cleo").grants(&c, "teammate:dora");
    assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if field == "members"));
}

#[test]
fn e1_a_team_without_anybody_active_is_given_nothing() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ada").changes_team("nurses", &["sam"], &["cleo", "dora"]).unwrap();
    assert_eq!(practice.as_("ada").grants(&c, "team:nurses"), Err(Refusal::AssigneeNotMember));
}

#[test]
fn e11_of_many_claims_one_wins() {
    let mut practice = Practice::new();
    practice.batching = true;
    let c = practice.hears("main", PATIENT);
    practice.as_("dora").claims(&c).unwrap();
    let (by, at) = (Actor::Teammate(id("dora")), practice.last().at);
    let events = practice.log.len();
    for name in ["ada", "ben", "cleo"] {
        let expected = Refusal::AlreadyAssigned { to: id("teammate:dora"), by: by.clone(), at };
        assert_eq!(practice.as_(name).claims(&c), Err(expected));
    }
    assert_eq!(practice.holder(&c).as_deref(), Some("teammate:dora"));
    assert_eq!(practice.log.len(), events, "losers leave no trace");
}

#[test]
fn b25_a_conversation_is_never_taken_by_two() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    let rev = practice.row(&c).rev;
    practice.as_("ben").assigns_if(&c, "teammate:ben", Some(rev)).unwrap();
    let late = practice.as_("cleo").assigns_if(&c, "teammate:cleo", Some(rev));
    assert_eq!(late, Err(Refusal::Stale { rev: rev + 1 }));
    assert_eq!(practice.holder(&c).as_deref(), Some("teammate:ben"));
}

#[test]
fn e12_an_automation_fills_an_empty_slot_only() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.service().assigns(&c, "teammate:ben").unwrap();
    for to in ["teammate:cleo", "team:desk", "nobody"] {
        assert_eq!(practice.service().assigns(&c, to), Ok(Done::Unchanged));
    }
    assert_eq!(practice.holder(&c).as_deref(), Some("teammate:ben"));
}

#[test]
fn e12_a_human_overrides_an_automation() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.service().assigns(&c, "teammate:ben").unwrap();
    practice.as_("dora").assigns(&c, "teammate:dora").unwrap();
    assert_eq!(practice.holder(&c).as_deref(), Some("teammate:dora"));
}

#[test]
fn b27_an_automation_that_read_an_older_row_does_nothing() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    let rev = practice.row(&c).rev;
    practice.as_("ben").claims(&c).unwrap();
    practice.as_("ben").assigns(&c, "nobody").unwrap();
    let late = practice.service().assigns_if(&c, "teammate:cleo", Some(rev));
    assert_eq!(late, Ok(Done::Unchanged));
    let update = ConversationUpdate { assignee: Some(id("teammate:cleo")), ..ConversationUpdate::default() };
    let command = Command::Update { conversation: c.clone(), update, expect_rev: Some(rev) };
    assert_eq!(practice.service().does(command), Ok(Done::Unchanged));
    assert_eq!(practice.mailbox(&c), "shared");
}

#[test]
fn b26_an_automatic_update_does_not_take_it_from_a_human_and_does_nothing_else_either() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").claims(&c).unwrap();
    let update = ConversationUpdate {
        assignee: Some(id("teammate:cleo")),
        add_tags: vec!["routed".into()],
        ..ConversationUpdate::default()
    };
    assert_eq!(practice.service().updates(&c, update), Ok(Done::Unchanged));
    assert!(practice.row(&c).tags.is_empty());
}

#[test]
fn e14_an_archived_conversation_is_not_assigned() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ada").archives(&c).unwrap();
    assert_eq!(practice.as_("ada").claims(&c), Err(Refusal::ConversationArchived));
    assert_eq!(practice.as_("ada").assigns(&c, "teammate:ben"), Err(Refusal::ConversationArchived));
    assert_eq!(practice.as_("ada").assigns(&c, "nobody"), Ok(Done::Unchanged));
    let update = ConversationUpdate { assignee: Some(id("teammate:ben")), ..ConversationUpdate::default() };
    assert_eq!(practice.as_("ada").updates(&c, update.clone()), Err(Refusal::ConversationArchived));
    let update = ConversationUpdate { archived: Some(false), ..update };
    practice.as_("ada").updates(&c, update).unwrap();
    assert_eq!(practice.mailbox(&c), "teammate:ben");
}

#[test]
fn b29_only_who_may_see_it_can_be_given_it() {
    let mut practice = Practice::new();
    let c = practice.hears("dora-line", PATIENT);
    for team in ["team:desk", "teammate:ada"] {
        assert_eq!(practice.as_("dora").assigns(&c, team), Err(Refusal::AssigneeNotMember), "{team}");
    }
    practice.as_("dora").assigns(&c, "team:nurses").unwrap();
    assert_eq!(practice.lists("dora", "team:nurses"), std::slice::from_ref(&c));
    assert_eq!(
        practice.lists("cleo", "team:nurses"),
        [],
        "R28: a team's mailbox shows each what they may see"
    );
}

#[test]
fn a_conversation_between_teammates_is_held_by_nobody() {
    let mut practice = Practice::new();
    let c = conversation_of(practice.as_("ada").starts_team(&["teammate:ben"]));
    for answer in [practice.as_("ada").claims(&c), practice.as_("ada").assigns(&c, "teammate:ben")] {
        assert!(matches!(answer, Err(Refusal::Invalid { field, .. }) if field == "conversation"));
    }
}

#[test]
fn c2_an_update_changes_all_of_it_in_one_step() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    let update = ConversationUpdate {
        assignee: Some(id("team:desk")),
        add_tags: vec!["Refill".into(), "urgent".into()],
        ..ConversationUpdate::default()
    };
    practice.as_("ben").updates(&c, update).unwrap();
    let update = ConversationUpdate {
        archived: Some(true),
        add_tags: vec!["done".into()],
        remove_tags: vec!["URGENT".into()],
        seen: Some(1),
        ..ConversationUpdate::default()
    };
    practice.as_("ben").updates(&c, update).unwrap();
    let row = practice.row(&c).to_wire(true);
    assert_eq!((row.state, row.mailbox, row.assignee), (ConversationState::Archived, Mailbox::None, None));
    assert_eq!(row.tags, ["Refill", "done"]);
    assert_eq!(row.rev, 3, "one step each");
}

#[test]
fn c2_an_update_that_is_refused_changes_nothing_of_it() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    let update = ConversationUpdate {
        assignee: Some(id("team:desk")),
        add_tags: vec![String::new()],
        ..ConversationUpdate::default()
    };
    assert!(practice.as_("ben").updates(&c, update).is_err());
    let update = ConversationUpdate {
        archived: Some(true),
        add_tags: vec!["brand new".into()],
        ..ConversationUpdate::default()
    };
    assert_eq!(practice.as_("ben").updates(&c, update), Err(Refusal::UnseenActivity { missed: vec![] }));
    assert_eq!(practice.organization().tag("brand new"), None);
    assert_eq!(practice.mailbox(&c), "shared");
}

#[test]
fn c2_an_update_archives_and_takes_it_away_or_not_and_twice_is_once() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    let update = ConversationUpdate { archived: Some(true), seen: Some(1), ..ConversationUpdate::default() };
    let held = ConversationUpdate { assignee: Some(id("teammate:ben")), ..update.clone() };
    assert!(matches!(practice.as_("ben").updates(&c, held), Err(Refusal::Invalid { .. })));
    let freed = ConversationUpdate { assignee: Some(id("nobody")), ..update };
    practice.as_("ben").updates(&c, freed.clone()).unwrap();
    assert_eq!(practice.as_("cleo").updates(&c, freed), Ok(Done::Unchanged));
    assert_eq!(practice.as_("cleo").updates(&c, ConversationUpdate::default()), Ok(Done::Unchanged));
}
