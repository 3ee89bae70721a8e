//! A conversation's own members.

use rotunda_protocol::command::Done;
use rotunda_protocol::conversation::{Cause, Happening};
use rotunda_protocol::id::TeammateId;
use rotunda_protocol::refusal::Refusal;

use super::practice::{Practice, conversation_of, id, ids};

fn departed(practice: &Practice, c: &rotunda_protocol::id::ConversationId) -> Vec<TeammateId> {
    practice.news(c).departed.clone()
}

#[test]
fn c4_admins_who_see_it_and_owners_of_its_endpoint_change_its_members() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    assert_eq!(practice.as_("ada").adds(&c, &["teammate:ada"]), Err(Refusal::NotFound));
    assert_eq!(practice.as_("ben").adds(&c, &["teammate:dora"]), Err(Refusal::Forbidden));
    practice.as_("cleo").adds(&c, &["teammate:ada"]).unwrap();
    practice.as_("ada").adds(&c, &["teammate:dora"]).unwrap();
    practice.service().removes(&c, &["teammate:dora"]).unwrap();
}

#[test]
fn c4_members_of_what_the_organization_owns_are_for_admins() {
    let mut practice = Practice::new();
    let c = practice.hears("main", "+15550001111");
    assert_eq!(practice.as_("ben").adds(&c, &["teammate:ben"]), Err(Refusal::Forbidden));
    practice.as_("ada").adds(&c, &["teammate:ben"]).unwrap();
}

#[test]
fn c7_whoever_is_in_a_team_conversation_changes_its_members() {
    let mut practice = Practice::new();
    let c = conversation_of(practice.as_("ben").starts_team(&["teammate:cleo"]));
    practice.as_("cleo").adds(&c, &["teammate:dora"]).unwrap();
    practice.as_("dora").removes(&c, &["teammate:ben"]).unwrap();
    assert_eq!(practice.staff(&c), ["cleo", "dora"]);
}

#[test]
fn c7_the_organization_as_a_member_is_everybody() {
    let mut practice = Practice::new();
    let c = conversation_of(practice.as_("ben").starts_team(&[]));
    practice.as_("ben").adds(&c, &["organization"]).unwrap();
    assert_eq!(practice.staff(&c), ["ada", "ben", "cleo", "dora"]);
    practice.as_("ada").removes(&c, &["organization"]).unwrap();
    assert_eq!(
        departed(&practice, &c),
        ids::<Vec<_>, TeammateId>(&["ada", "ben", "cleo", "dora", "finn", "sam"])
    );
}

#[test]
fn adding_and_removing_twice_is_once() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    practice.as_("cleo").adds(&c, &["teammate:dora"]).unwrap();
    assert_eq!(practice.happened(&c), [Happening::Members]);
    assert_eq!(practice.as_("cleo").adds(&c, &["teammate:dora"]), Ok(Done::Unchanged));
    practice.as_("cleo").removes(&c, &["teammate:dora"]).unwrap();
    assert_eq!(practice.as_("cleo").removes(&c, &["teammate:dora"]), Ok(Done::Unchanged));
}

#[test]
fn only_who_exists_is_added() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    for bad in ["teammate:unknown", "team:unknown"] {
        let refused = practice.as_("cleo").adds(&c, &[bad]);
        assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if field == "members"), "{bad}");
    }
}

#[test]
fn r56_what_an_endpoint_gives_is_not_taken_away_conversation_by_conversation() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    for (member, from) in [("teammate:ben", "teammate:ben"), ("teammate:cleo", "teammate:cleo")] {
        let refused = practice.as_("cleo").removes(&c, &[member]);
        assert_eq!(refused, Err(Refusal::DerivedAccess { from: id(from) }));
    }
}

#[test]
fn r56_who_is_a_member_twice_stays_one() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    practice.as_("cleo").adds(&c, &["teammate:ben"]).unwrap();
    practice.as_("cleo").removes(&c, &["teammate:ben"]).unwrap();
    assert!(practice.sees("ben", &c));
}

#[test]
fn e2_removing_the_assignee_unassigns_in_the_same_step() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    practice.as_("cleo").grants(&c, "teammate:dora").unwrap();
    practice.as_("cleo").removes(&c, &["teammate:dora"]).unwrap();
    assert_eq!(practice.mailbox(&c), "shared");
    let from = Some(id("teammate:dora"));
    let lost = Happening::Assigned { from, to: None, cause: Cause::LostAccess };
    assert_eq!(practice.happened(&c), [Happening::Members, lost]);
    assert_eq!(departed(&practice, &c), [id("dora")]);
}

#[test]
fn e2_leaving_lets_go_of_what_one_holds() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    practice.as_("cleo").grants(&c, "teammate:dora").unwrap();
    practice.as_("dora").leaves(&c).unwrap();
    assert_eq!(practice.mailbox(&c), "shared");
    assert!(!practice.sees("dora", &c));
    assert_eq!(departed(&practice, &c), [id("dora")]);
}

#[test]
fn e2_a_team_loses_what_it_was_added_to() {
    let mut practice = Practice::new();
    let c = practice.hears("dora-line", "+15550001111");
    practice.as_("dora").grants(&c, "team:desk").unwrap();
    practice.as_("dora").removes(&c, &["team:desk"]).unwrap();
    assert_eq!(practice.mailbox(&c), "shared");
    assert_eq!(departed(&practice, &c), [id("ben"), id("cleo")]);
}

#[test]
fn b6_the_suspended_depart_too() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    practice.as_("cleo").adds(&c, &["teammate:dora"]).unwrap();
    practice.as_("ada").suspends("dora").unwrap();
    practice.as_("cleo").removes(&c, &["teammate:dora"]).unwrap();
    assert_eq!(departed(&practice, &c), [id("dora")]);
}

#[test]
fn b6_who_is_let_in_by_another_entry_departs_and_goes_on_to_see_it() {
    let mut practice = Practice::new();
    let c = practice.hears("dora-line", "+15550001111");
    practice.as_("dora").adds(&c, &["team:desk", "teammate:ben"]).unwrap();
    practice.as_("dora").removes(&c, &["team:desk"]).unwrap();
    assert_eq!(departed(&practice, &c), [id("ben"), id("cleo")]);
    assert_eq!(practice.staff(&c), ["ben", "dora"]);
}

#[test]
fn leaving_needs_a_membership_of_ones_own() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    let derived = |from| Err(Refusal::DerivedAccess { from: id(from) });
    assert_eq!(practice.as_("cleo").leaves(&c), derived("teammate:cleo"));
    let d = practice.hears("main", "+15550001111");
    assert_eq!(practice.as_("ben").leaves(&d), derived("organization"));
    let e = conversation_of(practice.as_("ben").starts_team(&["team:nurses"]));
    assert_eq!(practice.as_("cleo").leaves(&e), derived("team:nurses"));
    assert_eq!(practice.service().leaves(&c), Err(Refusal::Forbidden));
}

#[test]
fn e19_the_last_member_of_a_team_conversation_is_not_removed() {
    let mut practice = Practice::new();
    let c = conversation_of(practice.as_("ben").starts_team(&["teammate:sam"]));
    assert_eq!(practice.as_("ben").removes(&c, &["teammate:ben"]), Err(Refusal::WouldOrphan));
}

#[test]
fn e22_but_may_leave_and_then_nobody_sees_it() {
    let mut practice = Practice::new();
    let c = conversation_of(practice.as_("ben").starts_team(&[]));
    practice.as_("ben").leaves(&c).unwrap();
    assert!(practice.staff(&c).is_empty());
    assert_eq!(practice.as_("ada").notes(&c), Err(Refusal::NotFound));
    assert_eq!(practice.as_("ben").notes(&c), Err(Refusal::NotFound));
}

#[test]
fn e23_who_is_added_later_sees_all_of_it() {
    let mut practice = Practice::new();
    let c = conversation_of(practice.as_("ben").starts_team(&[]));
    practice.as_("ben").sends(&c).unwrap();
    practice.as_("ben").archives(&c).unwrap();
    practice.as_("ben").adds(&c, &["teammate:cleo"]).unwrap();
    assert!(practice.sees("cleo", &c));
    assert_eq!(practice.mailbox(&c), "none", "members change without bringing it back");
}

#[test]
fn e16_a_revoke_and_a_grant_leave_one_with_access() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    practice.as_("cleo").adds(&c, &["teammate:dora"]).unwrap();
    practice.as_("cleo").removes(&c, &["teammate:dora"]).unwrap();
    practice.as_("cleo").adds(&c, &["teammate:dora"]).unwrap();
    assert!(practice.sees("dora", &c) && departed(&practice, &c).is_empty());
}

#[test]
fn a_conversation_has_so_many_members_of_its_own_at_most() {
    let mut new = super::practice::demo();
    let names: Vec<String> = (0..=crate::domain::membership::MEMBERS_MAX).map(|n| format!("t{n}")).collect();
    let member = rotunda_protocol::directory::Role::Member;
    new.teammates.extend(names.iter().map(|name| super::practice::teammate(name, member, true)));
    let mut practice = Practice::of(new);
    let c = practice.hears("cleo-link", "pat");
    let all: Vec<String> = names.iter().map(|name| format!("teammate:{name}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let too_many = |answer| matches!(answer, Err(Refusal::Invalid { field, .. }) if field == "members");
    assert!(too_many(practice.as_("cleo").adds(&c, &all)));
    assert!(too_many(practice.as_("cleo").starts_team(&all)));
    practice.as_("cleo").adds(&c, &all[1..]).unwrap();
}
