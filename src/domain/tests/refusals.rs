//! Who is let in at all, and setting an organization up.

use rotunda_protocol::command::{Command, ConversationUpdate, Done};
use rotunda_protocol::directory::{AssignNonMember, EndpointKind, Features, OrganizationKind, Policy};
use rotunda_protocol::principal::Actor;
use rotunda_protocol::refusal::Refusal;

use super::practice::{Practice, auto, demo, endpoint, id, team};

#[test]
fn nothing_can_be_done_in_an_organization_that_does_not_exist() {
    let mut practice = Practice::empty();
    assert_eq!(practice.as_("ada").starts_team(&[]), Err(Refusal::NotFound));
    assert_eq!(practice.service().starts_team(&[]), Err(Refusal::NotFound));
    assert_eq!(practice.as_("ada").does(Command::Provision(demo())), Err(Refusal::NotFound));
    assert!(practice.organization().to_wire().is_none());
}

#[test]
fn whoever_does_not_work_here_learns_nothing() {
    let mut practice = Practice::new();
    for name in ["finn", "sam", "stranger"] {
        assert_eq!(practice.as_(name).starts_team(&[]), Err(Refusal::NotFound), "{name}");
    }
    practice.as_("ada").removes_teammate("dora", Some("teammate:ada")).unwrap();
    assert_eq!(practice.as_("dora").starts_team(&[]), Err(Refusal::NotFound));
    assert_eq!(practice.actor(Actor::Contact).starts_team(&[]), Err(Refusal::NotFound));
}

#[test]
fn an_organization_is_set_up_once_and_by_the_back_office() {
    let mut practice = Practice::new();
    assert_eq!(practice.as_("ada").does(Command::Provision(demo())), Err(Refusal::Forbidden));
    assert_eq!(practice.service().does(Command::Provision(demo())), Err(Refusal::AlreadyExists));
}

#[test]
fn what_it_is_set_up_with_follows_the_same_rules() {
    let mut bad = [demo(), demo(), demo(), demo(), demo(), demo()];
    bad[0].name = String::new();
    bad[1].teammates[1].id = Some(id("ada"));
    bad[2].teams.push(team("lab", &["unknown"]));
    bad[3].endpoints.push(endpoint("again", "+14155550100", "organization", &[]));
    bad[4].endpoints.push(endpoint("lost", "lost", "team:unknown", &[]));
    bad[5].endpoints.push(auto(endpoint("none", "none", "organization", &[])));
    for (n, new) in bad.into_iter().enumerate() {
        let mut practice = Practice::empty();
        assert!(practice.service().does(Command::Provision(new)).is_err(), "{n}");
        assert!(practice.organization().profile().is_none(), "all of it or nothing");
    }
}

#[test]
fn a_whole_practice_is_one_event() {
    let practice = Practice::of(demo());
    assert_eq!(practice.log.len(), 1);
    let shown = practice.organization().to_wire().unwrap();
    assert_eq!((shown.kind, shown.features.assignment), (OrganizationKind::Team, true));
    assert_eq!(practice.endpoint("cleo-link").kind, EndpointKind::Link);
}

#[test]
fn c5_presence_switches_and_policies_are_for_admins() {
    let mut practice = Practice::new();
    let features = Some(Features { assignment: true, viewing: false, typing: false });
    let quiet = || Command::SetOrganization { features, policy: None };
    assert_eq!(practice.as_("ben").does(quiet()), Err(Refusal::Forbidden));
    assert_eq!(practice.as_("ada").does(quiet()), Ok(Done::Organization));
    assert_eq!(practice.as_("ada").does(quiet()), Ok(Done::Unchanged));
    let policy = Policy { assign_non_member: AssignNonMember::Grant, reply_claims: true };
    assert_eq!(practice.as_("ben").decrees(policy), Err(Refusal::Forbidden));
    practice.as_("ada").decrees(policy).unwrap();
    let shown = practice.organization().to_wire().unwrap();
    assert_eq!((shown.policy, shown.features.viewing), (policy, false));
}

#[test]
fn a_row_that_has_changed_since_is_stale() {
    let mut practice = Practice::new();
    let c = practice.hears("main", "+15550001111");
    practice.as_("ben").tags(&c, "x").unwrap();
    let (conversation, expect_rev) = (c.clone(), Some(1));
    let stale = Err(Refusal::Stale { rev: 2 });
    let archive = Command::Archive { conversation, seen: 1, force: false, expect_rev };
    let commands = [
        archive,
        Command::Claim { conversation: c.clone(), expect_rev },
        Command::Unarchive { conversation: c.clone(), expect_rev },
        Command::Assign { conversation: c.clone(), to: id("team:desk"), grant: false, expect_rev },
        Command::Update { conversation: c.clone(), update: ConversationUpdate::default(), expect_rev },
    ];
    for command in commands {
        assert_eq!(practice.as_("ben").does(command), stale);
    }
    let unarchive = Command::Unarchive { conversation: c, expect_rev };
    assert_eq!(practice.service().does(unarchive), stale, "only assigning is a no-op for automations (E12)");
}

#[test]
fn b1_access_is_asked_for_with_every_command() {
    let mut practice = Practice::new();
    practice.batching = true;
    let c = practice.hears("cleo-link", "pat");
    practice.as_("ben").sends(&c).unwrap();
    practice.as_("cleo").sets_members("cleo-link", &[]).unwrap();
    assert_eq!(practice.as_("ben").sends(&c), Err(Refusal::NotFound));
    assert_eq!(practice.as_("ben").notes(&c), Err(Refusal::NotFound));
}
