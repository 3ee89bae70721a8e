//! Teams: joining and leaving is access.

use rotunda_protocol::command::{Command, Done, NewTeam};
use rotunda_protocol::conversation::{Cause, Happening};
use rotunda_protocol::refusal::Refusal;

use super::practice::{Practice, conversation_of, id, team};
use crate::domain::team::TEAMS_MAX;

const PATIENT: &str = "+15550001111";

#[test]
fn r27_a_team_is_a_named_set_of_teammates() {
    let mut practice = Practice::new();
    let done = practice.as_("ada").does(Command::CreateTeam(team("lab", &["dora", "finn"]))).unwrap();
    assert_eq!(done, Done::Team { team: id("lab") });
    let lab = practice.organization().team(&id("lab")).unwrap().to_wire();
    assert_eq!((lab.name.as_str(), lab.members), ("LAB", vec![id("dora"), id("finn")]));
    let again = practice.as_("ada").does(Command::CreateTeam(team("lab", &[])));
    assert_eq!(again, Err(Refusal::AlreadyExists));
    let strangers = practice.as_("ada").does(Command::CreateTeam(team("xray", &["unknown"])));
    assert!(matches!(strangers, Err(Refusal::Invalid { .. })));
}

#[test]
fn r29_a_teammate_can_be_in_many_teams() {
    let mut practice = Practice::new();
    let teams: Vec<_> = practice.organization().teams_of(&id("cleo")).map(ToString::to_string).collect();
    assert_eq!(teams, ["desk", "nurses"]);
    practice.as_("ada").changes_team("desk", &["dora"], &["cleo"]).unwrap();
    assert_eq!(practice.organization().principals_of(&id("cleo")).len(), 3);
    assert_eq!(practice.organization().access(&id("dora")).teams, [id("desk"), id("nurses")]);
}

#[test]
fn r30_admins_manage_teams() {
    let mut practice = Practice::new();
    assert_eq!(practice.as_("ben").changes_team("desk", &["dora"], &[]), Err(Refusal::Forbidden));
    assert_eq!(practice.as_("ben").deletes_team("nurses", None), Err(Refusal::Forbidden));
    assert_eq!(practice.as_("ben").does(Command::CreateTeam(team("lab", &[]))), Err(Refusal::Forbidden));
    assert_eq!(practice.as_("ada").changes_team("unknown", &["dora"], &[]), Err(Refusal::NotFound));
}

#[test]
fn a_team_can_be_renamed() {
    let mut practice = Practice::new();
    let rename = |name: &str| Command::UpdateTeam {
        team: id("desk"),
        name: Some(name.into()),
        add: Vec::new(),
        remove: Vec::new(),
    };
    practice.as_("ada").does(rename("Front desk")).unwrap();
    assert_eq!(practice.as_("ada").does(rename("Front desk")), Ok(Done::Unchanged));
    assert!(matches!(practice.as_("ada").does(rename(" ")), Err(Refusal::Invalid { .. })));
}

#[test]
fn r32_joining_shows_everything_and_leaving_hides_it() {
    let mut practice = Practice::new();
    let c = practice.hears("desk-line", PATIENT);
    practice.as_("ada").changes_team("desk", &["dora"], &["ben"]).unwrap();
    assert_eq!(practice.last().changes.len(), 1, "no event for each conversation");
    assert!(practice.sees("dora", &c) && !practice.sees("ben", &c));
    assert_eq!(practice.lists("dora", "team:desk"), [c]);
    assert_eq!(practice.lists("ben", "team:desk"), []);
}

#[test]
fn e2_leaving_a_team_lets_go_of_what_one_holds_through_it() {
    let mut practice = Practice::new();
    let (c, d) = (practice.hears("desk-line", PATIENT), practice.hears("main", PATIENT));
    practice.as_("ben").claims(&c).unwrap();
    practice.as_("ben").claims(&d).unwrap();
    practice.as_("ada").changes_team("desk", &[], &["ben"]).unwrap();
    assert_eq!((practice.mailbox(&c).as_str(), practice.mailbox(&d).as_str()), ("shared", "teammate:ben"));
    let from = Some(id("teammate:ben"));
    assert_eq!(practice.happened(&c), [Happening::Assigned { from, to: None, cause: Cause::LostAccess }]);
}

#[test]
fn e2_the_last_one_out_takes_the_teams_conversations_along() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ada").assigns(&c, "team:desk").unwrap();
    practice.as_("ada").changes_team("desk", &[], &["ben"]).unwrap();
    assert_eq!(practice.mailbox(&c), "team:desk");
    practice.as_("ada").changes_team("desk", &[], &["cleo"]).unwrap();
    assert_eq!(practice.mailbox(&c), "shared", "never in a mailbox that nobody reads");
}

#[test]
fn e2_another_team_loses_what_only_the_one_who_left_could_see() {
    let mut practice = Practice::new();
    let c = practice.hears("desk-line", PATIENT);
    practice.as_("cleo").assigns(&c, "team:nurses").unwrap();
    practice.as_("ada").changes_team("desk", &[], &["cleo"]).unwrap();
    assert_eq!(practice.mailbox(&c), "shared");
}

#[test]
fn e4_a_team_that_owns_endpoints_leaves_them_to_somebody() {
    let mut practice = Practice::new();
    assert_eq!(practice.as_("ada").deletes_team("desk", None), Err(Refusal::TransferRequired));
    assert!(matches!(
        practice.as_("ada").deletes_team("desk", Some("team:desk")),
        Err(Refusal::Invalid { .. })
    ));
    practice.as_("ada").deletes_team("desk", Some("organization")).unwrap();
    let line = practice.endpoint("desk-line");
    assert_eq!((line.owner.clone(), line.auto_assign), (id("organization"), false));
}

#[test]
fn e4_what_a_deleted_team_held_is_shared_and_its_members_lose_what_came_by_it() {
    let mut practice = Practice::new();
    let (c, d) = (practice.hears("desk-line", PATIENT), practice.hears("desk-line", "+15550002222"));
    let e = conversation_of(practice.as_("dora").starts_team(&["team:desk"]));
    practice.as_("ben").claims(&d).unwrap();
    practice.as_("ada").deletes_team("desk", Some("teammate:cleo")).unwrap();
    let (from, to) = (Some(id("team:desk")), None);
    assert_eq!(practice.happened(&c), [Happening::Assigned { from, to, cause: Cause::TeamDeleted }]);
    let (from, to) = (Some(id("teammate:ben")), None);
    assert_eq!(practice.happened(&d), [Happening::Assigned { from, to, cause: Cause::LostAccess }]);
    assert!(practice.sees("cleo", &c) && !practice.sees("ben", &c));
    assert!(!practice.sees("ben", &e) && !practice.sees("cleo", &e));
    assert!(practice.organization().access(&id("ben")).teams.is_empty());
}

#[test]
fn e4_a_deleted_team_is_named_and_no_longer_there() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ada").deletes_team("nurses", None).unwrap();
    assert!(practice.organization().team(&id("nurses")).unwrap().to_wire().deleted);
    assert_eq!(practice.as_("ada").deletes_team("nurses", None), Err(Refusal::NotFound));
    assert_eq!(practice.as_("ada").changes_team("nurses", &["ben"], &[]), Err(Refusal::NotFound));
    assert_eq!(practice.as_("ada").grants(&c, "team:nurses"), Err(Refusal::AssigneeNotMember));
    let again = practice.as_("ada").does(Command::CreateTeam(team("nurses", &["ben"])));
    assert_eq!(again, Err(Refusal::AlreadyExists), "an id means one team for ever");
}

#[test]
fn an_organization_has_so_many_teams_at_most() {
    let mut practice = Practice::new();
    let mut organization = practice.organization().clone();
    let template = organization.team(&id("desk")).unwrap().clone();
    for n in 0..TEAMS_MAX {
        let id = id(&format!("t{n}"));
        organization.put_team(crate::domain::directory::Team { id, ..template.clone() }, organization.seq());
    }
    practice.working.organization = organization;
    let new = Command::CreateTeam(NewTeam { id: None, ..team("x", &[]) });
    assert!(matches!(practice.as_("ada").does(new), Err(Refusal::Invalid { field, .. }) if field == "team"));
}

#[test]
fn b6_who_left_a_team_and_came_back_knows_what_is_no_longer_the_teams() {
    let mut practice = Practice::new();
    let c = practice.hears("dora-line", PATIENT);
    practice.as_("dora").adds(&c, &["team:desk"]).unwrap();
    let away = practice.organization().seq();
    practice.as_("ada").changes_team("desk", &[], &["ben"]).unwrap();
    practice.as_("dora").removes(&c, &["team:desk"]).unwrap();
    assert_eq!(practice.news(&c).departed, [id("cleo")], "Ben saw it no longer");
    practice.as_("ada").changes_team("desk", &["ben"], &[]).unwrap();
    let organization = practice.organization();
    assert!(organization.rejoined_since(&id("ben"), away), "a client of Ben's that was away starts over");
    assert!(!organization.rejoined_since(&id("ben"), organization.seq()));
    assert!(!organization.rejoined_since(&id("dora"), away), "no team of hers changed");
}
