//! Teammates come, are away, and leave.

use rotunda_protocol::command::{Command, Done, NewTeammate};
use rotunda_protocol::conversation::{Cause, Happening};
use rotunda_protocol::directory::{Role, TeammateStatus};
use rotunda_protocol::refusal::Refusal;

use super::practice::{Practice, conversation_of, demo, id, teammate};
use crate::domain::teammate::TEAMMATES_MAX;

const PATIENT: &str = "+15550001111";

fn role(practice: &Practice, name: &str) -> Role {
    practice.organization().teammate(&id(name)).unwrap().role
}

fn status(practice: &Practice, name: &str) -> TeammateStatus {
    practice.organization().teammate(&id(name)).unwrap().status
}

#[test]
fn r16_everybody_is_on_the_roster_whatever_one_may_see() {
    let practice = Practice::new();
    let roster: Vec<_> = practice.organization().teammates().map(|kept| kept.value.to_wire(false)).collect();
    assert_eq!(roster.len(), 6);
    assert!(roster.iter().all(|shown| shown.role.is_none()), "roles are not for everybody");
}

#[test]
fn r17_an_assignment_names_an_id_and_the_roster_has_the_initials() {
    let mut new = demo();
    new.teammates[1].name = "Ben van der Berg".into();
    let practice = Practice::of(new);
    let ben = practice.organization().teammate(&id("ben")).unwrap().to_wire(true);
    assert_eq!((ben.initials.as_str(), ben.role), ("BB", Some(Role::Member)));
}

#[test]
fn r33_only_admins_invite() {
    let mut practice = Practice::new();
    let new = || Command::Invite(teammate("gus", Role::Member, false));
    assert_eq!(practice.as_("ben").does(new()), Err(Refusal::Forbidden));
    assert_eq!(practice.as_("ada").does(new()), Ok(Done::Teammate { teammate: id("gus") }));
    assert_eq!(practice.as_("ada").does(new()), Err(Refusal::AlreadyExists));
    assert_eq!(status(&practice, "gus"), TeammateStatus::Invited);
    assert_eq!(practice.as_("gus").claims(&id("x")), Err(Refusal::NotFound), "not here yet");
}

#[test]
fn r33_only_the_back_office_says_that_somebody_works_here_already() {
    let mut practice = Practice::new();
    let new = || Command::Invite(teammate("gus", Role::Member, true));
    assert_eq!(practice.as_("ada").does(new()), Err(Refusal::Forbidden));
    practice.service().does(new()).unwrap();
    assert_eq!(status(&practice, "gus"), TeammateStatus::Active);
}

#[test]
fn the_hub_makes_an_id_for_who_has_none() {
    let mut practice = Practice::new();
    let new = NewTeammate { id: None, ..teammate("gus", Role::Member, false) };
    let done = practice.as_("ada").does(Command::Invite(new)).unwrap();
    let Done::Teammate { teammate } = done else { panic!("{done:?}") };
    assert!(practice.organization().teammate(&teammate).is_some());
}

#[test]
fn r34_only_admins_remove_and_suspend() {
    let mut practice = Practice::new();
    assert_eq!(practice.as_("ben").removes_teammate("dora", None), Err(Refusal::Forbidden));
    assert_eq!(practice.as_("ben").suspends("dora"), Err(Refusal::Forbidden));
    assert_eq!(practice.as_("ben").restores("sam"), Err(Refusal::Forbidden));
    practice.as_("ada").removes_teammate("sam", None).unwrap();
    assert_eq!(status(&practice, "sam"), TeammateStatus::Removed);
    assert_eq!(practice.as_("ada").removes_teammate("sam", None), Ok(Done::Unchanged));
    assert_eq!(practice.as_("ada").removes_teammate("unknown", None), Err(Refusal::NotFound));
}

#[test]
fn r37_the_first_to_come_is_an_admin() {
    let mut new = demo();
    new.teammates.iter_mut().for_each(|new| (new.role, new.active) = (Role::Member, false));
    let mut practice = Practice::of(new);
    practice.service().does(Command::Activate { teammate: id("dora") }).unwrap();
    practice.service().does(Command::Activate { teammate: id("ben") }).unwrap();
    assert_eq!((role(&practice, "dora"), role(&practice, "ben")), (Role::Admin, Role::Member));
}

#[test]
fn r37_in_provisioning_too() {
    let mut new = demo();
    new.teammates.iter_mut().for_each(|new| new.role = Role::Member);
    let practice = Practice::of(new);
    assert_eq!((role(&practice, "ada"), role(&practice, "ben")), (Role::Admin, Role::Member));
}

#[test]
fn r38_admins_promote_and_demote_and_nobody_else() {
    let mut practice = Practice::new();
    assert_eq!(practice.as_("ben").sets_role("ben", Role::Admin), Err(Refusal::Forbidden));
    practice.as_("ada").sets_role("ben", Role::Admin).unwrap();
    assert_eq!(practice.as_("ada").sets_role("ben", Role::Admin), Ok(Done::Unchanged));
    practice.as_("ben").sets_role("ada", Role::Member).unwrap();
    assert_eq!(practice.as_("ada").sets_role("ada", Role::Admin), Err(Refusal::Forbidden));
    assert_eq!(practice.as_("ben").sets_role("unknown", Role::Admin), Err(Refusal::NotFound));
}

#[test]
fn e5_the_last_admin_stays_one() {
    let mut practice = Practice::new();
    practice.as_("ada").sets_role("sam", Role::Admin).unwrap();
    practice.as_("ada").sets_role("finn", Role::Admin).unwrap();
    assert_eq!(practice.as_("ada").sets_role("ada", Role::Member), Err(Refusal::LastAdmin));
    assert_eq!(practice.as_("ada").suspends("ada"), Err(Refusal::LastAdmin));
    assert_eq!(practice.as_("ada").removes_teammate("ada", None), Err(Refusal::LastAdmin));
    assert_eq!(practice.service().suspends("ada"), Err(Refusal::LastAdmin));
}

#[test]
fn e5_two_admins_who_demote_each_other_do_not_both_succeed() {
    let mut practice = Practice::new();
    practice.batching = true;
    practice.as_("ada").sets_role("ben", Role::Admin).unwrap();
    practice.as_("ada").sets_role("ben", Role::Member).unwrap();
    assert_eq!(practice.as_("ben").sets_role("ada", Role::Member), Err(Refusal::Forbidden));
}

#[test]
fn states_follow_each_other_in_one_order() {
    let mut practice = Practice::new();
    assert!(matches!(practice.as_("ada").suspends("finn"), Err(Refusal::Invalid { .. })));
    assert_eq!(practice.as_("ada").restores("ben"), Ok(Done::Unchanged));
    assert!(matches!(practice.as_("ada").restores("finn"), Err(Refusal::Invalid { .. })));
    let activate = |name: &str| Command::Activate { teammate: id(name) };
    assert!(matches!(practice.service().does(activate("sam")), Err(Refusal::Invalid { .. })));
    assert_eq!(practice.as_("ada").does(activate("finn")), Err(Refusal::Forbidden));
    assert_eq!(practice.as_("ada").suspends("sam"), Ok(Done::Unchanged));
    practice.as_("ada").removes_teammate("finn", None).unwrap();
    for answer in [practice.service().does(activate("finn")), practice.as_("ada").suspends("finn")] {
        assert_eq!(answer, Err(Refusal::NotFound));
    }
}

#[test]
fn e7_the_suspended_see_nothing_and_keep_everything() {
    let mut practice = Practice::new();
    let (c, d) = (practice.hears("dora-line", PATIENT), practice.hears("main", PATIENT));
    practice.as_("dora").claims(&d).unwrap();
    practice.as_("ada").suspends("dora").unwrap();
    assert_eq!(practice.last().changes.len(), 1);
    for conversation in [&c, &d] {
        assert!(!practice.sees("dora", conversation));
        assert_eq!(practice.as_("dora").notes(conversation), Err(Refusal::NotFound));
        assert_eq!(practice.holder(conversation).as_deref(), Some("teammate:dora"));
    }
    assert!(practice.lists("dora", "teammate:dora").is_empty());
    assert_eq!(practice.organization().access(&id("dora")), rotunda_protocol::push::Access::default());
    practice.as_("ada").restores("dora").unwrap();
    assert_eq!(practice.lists("dora", "teammate:dora"), [d, c]);
}

#[test]
fn e6_whoever_owns_endpoints_leaves_them_to_somebody() {
    let mut practice = Practice::new();
    assert_eq!(practice.as_("ada").removes_teammate("dora", None), Err(Refusal::TransferRequired));
    assert!(matches!(
        practice.as_("ada").removes_teammate("dora", Some("teammate:dora")),
        Err(Refusal::Invalid { .. })
    ));
    let unknown = practice.as_("ada").removes_teammate("dora", Some("teammate:unknown"));
    assert!(matches!(unknown, Err(Refusal::Invalid { .. })));
    practice.as_("ada").removes_teammate("dora", Some("team:desk")).unwrap();
    let line = practice.endpoint("dora-line");
    assert_eq!((line.owner.clone(), line.auto_assign), (id("team:desk"), false));
}

#[test]
fn e6_assignments_go_to_the_shared_mailbox_or_to_the_heir_who_may_see_them() {
    for (heir, expected) in [(None, "shared"), (Some("teammate:cleo"), "teammate:cleo")] {
        let mut practice = Practice::new();
        let c = practice.hears("main", PATIENT);
        let hidden = conversation_of(practice.as_("dora").starts(Some("dora-line"), PATIENT));
        practice.as_("ben").claims(&c).unwrap();
        practice.as_("dora").grants(&hidden, "teammate:ben").unwrap();
        practice.as_("ada").removes_teammate("ben", heir).unwrap();
        let (from, to) = (Some(id("teammate:ben")), heir.map(id));
        let cause = Cause::TeammateRemoved;
        assert_eq!(practice.happened(&c), [Happening::Assigned { from, to, cause }], "B31: not a manual act");
        assert_eq!(practice.mailbox(&c), expected);
        assert_eq!(practice.mailbox(&hidden), "shared", "the heir may not see it");
    }
}

#[test]
fn e6_an_heir_who_is_away_gets_no_assignments() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").claims(&c).unwrap();
    practice.as_("ada").removes_teammate("ben", Some("teammate:sam")).unwrap();
    assert_eq!(practice.mailbox(&c), "shared");
}

#[test]
fn e6_a_team_loses_what_only_the_one_who_left_could_see() {
    let mut practice = Practice::new();
    let c = conversation_of(practice.as_("dora").starts(Some("dora-line"), PATIENT));
    practice.as_("dora").grants(&c, "teammate:ben").unwrap();
    practice.as_("dora").assigns(&c, "team:desk").unwrap();
    practice.as_("ada").removes_teammate("ben", None).unwrap();
    assert_eq!(practice.mailbox(&c), "shared");
}

#[test]
fn b31_whoever_left_is_in_no_list_of_members_and_can_come_to_none() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    practice.as_("cleo").adds(&c, &["teammate:dora"]).unwrap();
    practice.as_("ada").removes_teammate("ben", None).unwrap();
    assert!(practice.endpoint("cleo-link").members.is_empty());
    assert!(practice.organization().teams_of(&id("ben")).next().is_none());
    practice.as_("ada").removes_teammate("dora", Some("teammate:ada")).unwrap();
    assert_eq!(practice.staff(&c), ["cleo"]);
    assert!(!practice.organization().access_list_covers(&id("dora"), practice.row(&c)));
    for bad in ["teammate:ben", "teammate:dora"] {
        assert!(matches!(practice.as_("cleo").adds(&c, &[bad]), Err(Refusal::Invalid { .. })));
    }
    assert_eq!(practice.as_("ben").notes(&c), Err(Refusal::NotFound));
}

#[test]
fn b31_lists_load_after_somebody_left() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").claims(&c).unwrap();
    practice.as_("ada").removes_teammate("ben", None).unwrap();
    assert_eq!(practice.lists("cleo", "shared"), [c]);
    assert_eq!(practice.lists("cleo", "teammate:ben"), []);
}

#[test]
fn names_are_one_line() {
    let mut practice = Practice::new();
    for bad in ["", "  ", "a\nb", &"x".repeat(201)] {
        let new = NewTeammate { name: bad.into(), ..teammate("gus", Role::Member, false) };
        assert!(
            matches!(practice.as_("ada").does(Command::Invite(new)), Err(Refusal::Invalid { field, .. }) if field == "name")
        );
    }
}

#[test]
fn an_organization_has_so_many_teammates_at_most() {
    let mut practice = Practice::new();
    let mut organization = practice.organization().clone();
    let template = organization.teammate(&id("finn")).unwrap().clone();
    for n in 0..TEAMMATES_MAX {
        let id = id(&format!("t{n}"));
        organization
            .put_teammate(crate::domain::directory::Teammate { id, ..template.clone() }, organization.seq());
    }
    practice.working.organization = organization;
    let new = Command::Invite(teammate("gus", Role::Member, false));
    assert!(
        matches!(practice.as_("ada").does(new), Err(Refusal::Invalid { field, .. }) if field == "teammate")
    );
}
