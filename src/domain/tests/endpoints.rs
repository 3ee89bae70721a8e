//! Endpoints: whose they are, who may use them, and who sees what came through them.

use rotunda_protocol::command::{Command, Done, NewEndpoint, StillMember};
use rotunda_protocol::conversation::{Cause, Happening};
use rotunda_protocol::directory::EndpointKind;
use rotunda_protocol::id::EndpointId;
use rotunda_protocol::principal::Principal;
use rotunda_protocol::refusal::Refusal;

use super::practice::{Practice, Set, conversation_of, endpoint, id};
use crate::domain::endpoint::{ENDPOINT_MEMBERS_MAX, ENDPOINTS_MAX};
use crate::domain::event::Change;
use crate::domain::orphans::Orphans;

const PATIENT: &str = "+15550001111";

fn endpoints_of(practice: &Practice, name: &str) -> Vec<String> {
    practice.organization().access(&id(name)).endpoints.iter().map(ToString::to_string).collect()
}

#[test]
fn r24_admins_change_every_endpoint_and_others_those_they_own() {
    for (name, endpoint, expected) in [
        ("ada", "main", Ok(())),
        ("ada", "dora-line", Ok(())),
        ("dora", "dora-line", Ok(())),
        ("ben", "desk-line", Ok(())),
        ("cleo", "cleo-link", Ok(())),
        ("ben", "cleo-link", Err(Refusal::Forbidden)),
        ("ben", "main", Err(Refusal::Forbidden)),
        ("ben", "dora-line", Err(Refusal::NotFound)),
        ("sam", "main", Err(Refusal::NotFound)),
    ] {
        let mut practice = Practice::new();
        let label = Set { label: Some("Front".into()), ..Set::default() };
        let answer = practice.as_(name).sets(endpoint, label);
        assert_eq!(answer.map(|_| ()), expected, "{name} {endpoint}");
    }
}

#[test]
fn r24_only_admins_make_endpoints() {
    let mut practice = Practice::new();
    let new = || Command::CreateEndpoint(endpoint("new", "new", "organization", &[]));
    assert_eq!(practice.as_("ben").does(new()), Err(Refusal::Forbidden));
    practice.as_("ada").does(new()).unwrap();
    assert_eq!(practice.as_("ada").does(new()), Err(Refusal::AlreadyExists));
}

#[test]
fn an_address_belongs_to_one_endpoint_however_it_is_spelled() {
    let mut practice = Practice::new();
    let again = endpoint("again", "+1 (415) 555-0100", "organization", &[]);
    assert_eq!(practice.as_("ada").does(Command::CreateEndpoint(again)), Err(Refusal::AlreadyExists));
    let bad = NewEndpoint { kind: EndpointKind::Phone, ..endpoint("bad", "cleo2", "organization", &[]) };
    assert!(matches!(practice.as_("ada").does(Command::CreateEndpoint(bad)), Err(Refusal::Invalid { .. })));
}

#[test]
fn the_hub_makes_ids_that_were_not_given() {
    let mut practice = Practice::new();
    let new = NewEndpoint { id: None, ..endpoint("x", "new", "organization", &[]) };
    let done = practice.as_("ada").does(Command::CreateEndpoint(new)).unwrap();
    let Done::Endpoint { endpoint, .. } = done else { panic!("{done:?}") };
    assert!(practice.organization().endpoint(&endpoint).is_some());
}

#[test]
fn r48_by_default_everybody_is_a_member_of_everything() {
    let json = r#"{"kind": "link", "address": "open", "label": "Open"}"#;
    let new: NewEndpoint = serde_json::from_str(json).unwrap();
    let mut practice = Practice::new();
    practice.as_("ada").does(Command::CreateEndpoint(new)).unwrap();
    let c = conversation_of(practice.receives("open", "pat", super::practice::text("hi")));
    assert_eq!(practice.staff(&c), ["ada", "ben", "cleo", "dora"]);
}

#[test]
fn r49_owner_members_and_own_members_together_see_it() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    assert_eq!(practice.staff(&c), ["ben", "cleo"]);
    practice.as_("cleo").adds(&c, &["teammate:ada"]).unwrap();
    assert_eq!(practice.staff(&c), ["ada", "ben", "cleo"]);
    practice.as_("cleo").adds(&c, &["organization"]).unwrap();
    assert_eq!(practice.staff(&c), ["ada", "ben", "cleo", "dora"]);
}

#[test]
fn r41_an_admin_sees_no_more_than_others() {
    let mut practice = Practice::new();
    let c = practice.hears("dora-line", PATIENT);
    assert!(!practice.sees("ada", &c));
    assert_eq!(practice.as_("ada").notes(&c), Err(Refusal::NotFound));
    assert!(practice.organization().can_view(&id("ada"), practice.endpoint("dora-line")), "administers it");
}

#[test]
fn r51_members_start_from_it_and_see_what_comes_in() {
    let mut practice = Practice::new();
    let c = conversation_of(practice.as_("ben").starts(Some("cleo-link"), "pat"));
    assert!(practice.sees("cleo", &c) && practice.sees("ben", &c) && !practice.sees("ada", &c));
    assert_eq!(practice.hears("cleo-link", "pat"), c);
}

#[test]
fn r51_who_was_only_added_to_a_conversation_reads_it_and_does_not_write_through_its_endpoint() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    practice.as_("cleo").adds(&c, &["teammate:dora"]).unwrap();
    assert_eq!(practice.as_("dora").sends(&c), Err(Refusal::Forbidden));
    practice.as_("dora").notes(&c).unwrap();
    practice.as_("dora").claims(&c).unwrap();
}

#[test]
fn r52_what_one_may_not_see_and_what_does_not_exist_are_one_answer() {
    let mut practice = Practice::new();
    let hidden = practice.hears("dora-line", PATIENT);
    let archived = practice.hears("dora-line", "+15550002222");
    practice.as_("dora").archives(&archived).unwrap();
    for c in [hidden, archived, id("nothing")] {
        let mut ben = practice.as_("ben");
        let answers = [
            ben.claims(&c),
            ben.assigns_if(&c, "teammate:ben", Some(99)),
            ben.archives_having_seen(&c, 0),
            ben.unarchives(&c),
            ben.updates(&c, rotunda_protocol::command::ConversationUpdate::default()),
            ben.leaves(&c),
            ben.tags(&c, "x"),
            ben.untags(&c, "x"),
            ben.adds(&c, &["teammate:nobody"]),
            ben.removes(&c, &["teammate:dora"]),
            ben.sends_having_seen(&c, 0),
            ben.notes(&c),
            ben.reads(&c, 1),
            ben.stars(&c, true),
        ];
        for (n, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer, Err(Refusal::NotFound), "{n}");
        }
    }
    for endpoint in ["dora-line", "nothing"] {
        assert_eq!(practice.as_("ben").sets_members(endpoint, &["teammate:ben"]), Err(Refusal::NotFound));
        assert_eq!(practice.as_("ben").starts(Some(endpoint), PATIENT), Err(Refusal::NotFound));
    }
}

#[test]
fn r53_members_change_at_any_time_and_r54_for_every_conversation_of_the_link() {
    let mut practice = Practice::new();
    let (c, d) = (practice.hears("cleo-link", "pat"), practice.hears("cleo-link", "quin"));
    practice.as_("cleo").archives(&d).unwrap();
    practice.as_("cleo").sets_members("cleo-link", &["teammate:dora"]).unwrap();
    for conversation in [&c, &d] {
        assert!(practice.sees("dora", conversation) && !practice.sees("ben", conversation));
    }
    let later = practice.hears("cleo-link", "rex");
    assert!(practice.sees("dora", &later) && !practice.sees("ben", &later));
}

#[test]
fn r54_a_change_of_members_is_one_entry() {
    let mut practice = Practice::new();
    for n in 0..20 {
        practice.hears("cleo-link", &format!("pat{n}"));
    }
    practice.as_("cleo").sets_members("cleo-link", &["team:nurses"]).unwrap();
    assert!(matches!(practice.last().changes[..], [Change::Endpoint(_)]));
}

#[test]
fn r56_the_owner_is_a_member_whatever_the_list_says() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    practice.as_("cleo").sets_members("cleo-link", &[]).unwrap();
    assert_eq!(practice.staff(&c), ["cleo"]);
    conversation_of(practice.as_("cleo").starts(Some("cleo-link"), "quin"));
}

#[test]
fn r57_members_are_teammates_and_teams() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    practice.as_("cleo").sets_members("cleo-link", &["teammate:ada", "team:nurses"]).unwrap();
    assert_eq!(practice.staff(&c), ["ada", "cleo", "dora"]);
}

#[test]
fn r57_members_must_exist_and_not_have_left() {
    let mut practice = Practice::new();
    practice.as_("ada").removes_teammate("sam", None).unwrap();
    practice.as_("ada").deletes_team("nurses", None).unwrap();
    for bad in ["teammate:unknown", "teammate:sam", "team:unknown", "team:nurses"] {
        let refused = practice.as_("cleo").sets_members("cleo-link", &[bad]);
        assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if field == "members"), "{bad}");
        assert!(
            matches!(practice.as_("cleo").gives("cleo-link", bad), Err(Refusal::Invalid { .. })),
            "{bad}"
        );
    }
    practice.as_("cleo").sets_members("cleo-link", &["teammate:finn"]).unwrap();
}

#[test]
fn r60_a_number_of_a_team_is_its_members_now() {
    let mut practice = Practice::new();
    let c = practice.hears("desk-line", PATIENT);
    assert_eq!(practice.staff(&c), ["ben", "cleo"]);
    practice.as_("ada").changes_team("desk", &["dora"], &["ben"]).unwrap();
    assert_eq!(practice.staff(&c), ["cleo", "dora"]);
}

#[test]
fn r61_numbers_have_members_too() {
    let mut practice = Practice::new();
    let c = practice.hears("dora-line", PATIENT);
    practice.as_("dora").sets_members("dora-line", &["team:desk"]).unwrap();
    assert_eq!(practice.staff(&c), ["ben", "cleo", "dora"]);
    practice.as_("ben").sends(&c).unwrap();
}

#[test]
fn r63_the_sender_says_which_link_unless_there_is_only_one() {
    let mut practice = Practice::new();
    assert_eq!(practice.as_("ben").starts(None, PATIENT), Err(Refusal::EndpointRequired));
    assert_eq!(practice.service().starts(None, PATIENT), Err(Refusal::EndpointRequired));
    let c = conversation_of(practice.as_("ada").starts(None, PATIENT));
    assert_eq!(practice.row(&c).endpoint(), Some(&id("main")));
    practice.as_("ada").gives("main", "teammate:dora").unwrap();
    assert_eq!(practice.as_("ada").starts(None, PATIENT), Err(Refusal::Forbidden));
}

#[test]
fn e3_whoever_lost_the_endpoint_lets_go_of_what_they_held() {
    let mut practice = Practice::new();
    let (c, d) = (practice.hears("cleo-link", "pat"), practice.hears("cleo-link", "quin"));
    let elsewhere = practice.hears("main", PATIENT);
    practice.as_("cleo").claims(&c).unwrap();
    practice.as_("ben").claims(&d).unwrap();
    practice.as_("cleo").claims(&elsewhere).unwrap();
    practice.as_("cleo").gives("cleo-link", "teammate:dora").unwrap();
    assert_eq!(practice.mailbox(&c), "shared");
    let from = Some(id("teammate:cleo"));
    assert_eq!(practice.happened(&c), [Happening::Assigned { from, to: None, cause: Cause::LostAccess }]);
    assert_eq!(practice.mailbox(&d), "teammate:ben", "still a member");
    assert_eq!(practice.mailbox(&elsewhere), "teammate:cleo");
    assert_eq!(endpoints_of(&practice, "cleo"), ["desk-line", "main"]);
}

#[test]
fn e3_a_team_loses_what_its_members_lost() {
    let mut practice = Practice::new();
    let c = practice.hears("desk-line", PATIENT);
    practice.as_("ada").gives("desk-line", "teammate:dora").unwrap();
    assert_eq!(practice.mailbox(&c), "shared");
}

#[test]
fn e3_a_team_keeps_what_one_of_it_can_still_see() {
    let mut practice = Practice::new();
    let c = practice.hears("desk-line", PATIENT);
    let kept = Set { owner: Some(id("teammate:ben")), ..Set::default() };
    practice.as_("ada").sets("desk-line", kept).unwrap();
    assert_eq!(practice.mailbox(&c), "team:desk");
}

#[test]
fn e3_a_team_loses_what_another_team_let_it_see() {
    let mut practice = Practice::new();
    practice.as_("dora").sets_members("dora-line", &["team:desk"]).unwrap();
    let c = practice.hears("dora-line", PATIENT);
    practice.as_("dora").assigns(&c, "team:desk").unwrap();
    practice.as_("dora").sets_members("dora-line", &[]).unwrap();
    assert_eq!(practice.mailbox(&c), "shared");
}

#[test]
fn e3_the_suspended_lose_what_they_held_too() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    practice.as_("ben").claims(&c).unwrap();
    practice.as_("ada").suspends("ben").unwrap();
    practice.as_("cleo").sets_members("cleo-link", &[]).unwrap();
    assert_eq!(practice.mailbox(&c), "shared");
}

#[test]
fn e3_from_everybody_to_one() {
    let mut practice = Practice::new();
    let (c, d) = (practice.hears("main", PATIENT), practice.hears("main", "+15550002222"));
    practice.as_("dora").assigns(&c, "team:nurses").unwrap();
    practice.as_("dora").assigns(&d, "team:desk").unwrap();
    practice.as_("ada").gives("main", "teammate:dora").unwrap();
    assert_eq!((practice.mailbox(&c).as_str(), practice.mailbox(&d).as_str()), ("team:nurses", "shared"));
    assert_eq!(practice.last().changes.len(), 2);
}

#[test]
fn e15_those_who_were_added_one_by_one_stay_and_are_named() {
    let mut practice = Practice::new();
    let (c, d) = (practice.hears("cleo-link", "pat"), practice.hears("cleo-link", "quin"));
    practice.as_("cleo").adds(&c, &["teammate:dora", "team:desk"]).unwrap();
    practice.as_("cleo").adds(&d, &["teammate:dora", "team:nurses"]).unwrap();
    practice.as_("ada").deletes_team("nurses", None).unwrap();
    let done = practice.as_("cleo").sets_members("cleo-link", &[]).unwrap();
    let still = |member: &str, conversations| StillMember { member: id(member), conversations };
    let expected = vec![still("team:desk", 1), still("teammate:dora", 2)];
    assert_eq!(done, Done::Endpoint { endpoint: id("cleo-link"), still: expected });
    assert!(practice.sees("dora", &c) && practice.sees("ben", &c) && !practice.sees("ben", &d));
}

#[test]
fn e15_whoever_gives_an_endpoint_away_is_not_told_who_is_left() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    practice.as_("cleo").adds(&c, &["teammate:dora"]).unwrap();
    let away = Set { owner: Some(id("teammate:ben")), members: Some(Vec::new()), ..Set::default() };
    let done = practice.as_("cleo").sets("cleo-link", away).unwrap();
    assert_eq!(done, Done::Endpoint { endpoint: id("cleo-link"), still: Vec::new() });
}

#[test]
fn e15_it_is_forgotten_who_was_added_once_they_are_removed_or_it_is_archived() {
    let mut practice = Practice::new();
    let (c, d) = (practice.hears("cleo-link", "pat"), practice.hears("cleo-link", "quin"));
    practice.as_("cleo").adds(&c, &["teammate:dora"]).unwrap();
    practice.as_("cleo").adds(&d, &["teammate:dora"]).unwrap();
    practice.as_("cleo").removes(&c, &["teammate:dora"]).unwrap();
    practice.as_("cleo").archives(&d).unwrap();
    let done = practice.as_("cleo").sets_members("cleo-link", &[]).unwrap();
    assert_eq!(done, Done::Endpoint { endpoint: id("cleo-link"), still: Vec::new() });
}

#[test]
fn e19_nobody_is_shut_out_of_an_endpoint_without_force() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    let away = || Set { owner: Some(id("teammate:sam")), members: Some(Vec::new()), ..Set::default() };
    assert_eq!(practice.as_("cleo").sets("cleo-link", away()), Err(Refusal::WouldOrphan));
    practice.as_("cleo").sets("cleo-link", Set { force: true, ..away() }).unwrap();
    assert!(practice.staff(&c).is_empty());
    assert_eq!(
        practice.as_("ada").notes(&c),
        Err(Refusal::NotFound),
        "admins see that it exists, not what it says"
    );
    assert!(practice.organization().can_view(&id("ada"), practice.endpoint("cleo-link")));
    practice.as_("ada").gives("cleo-link", "teammate:ada").unwrap();
    assert!(practice.sees("ada", &c));
}

#[test]
fn e19_what_nobody_sees_is_counted_for_admins() {
    let mut practice = Practice::new();
    assert_eq!(practice.organization().orphans(), Orphans::default());
    practice.hears("dora-line", PATIENT);
    let added = practice.hears("dora-line", "+15550002222");
    practice.as_("dora").adds(&added, &["teammate:ben"]).unwrap();
    let team = conversation_of(practice.as_("ben").starts_team(&[]));
    practice.as_("ben").leaves(&team).unwrap();
    practice.as_("ada").suspends("dora").unwrap();
    let expected = Orphans { endpoints: [(id("dora-line"), 1)].into(), internal: 1 };
    assert_eq!(practice.organization().orphans(), expected);
}

#[test]
fn e19_what_is_orphaned_already_can_be_renamed() {
    let mut practice = Practice::new();
    practice.as_("ada").suspends("dora").unwrap();
    let label = Set { label: Some("Dora's, until May".into()), ..Set::default() };
    practice.as_("ada").sets("dora-line", label).unwrap();
    practice.as_("ada").sets_auto("dora-line", false).unwrap();
}

#[test]
fn e17_a_new_teammate_sees_all_of_what_everybody_sees_without_an_event_for_each() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    let archived = practice.hears("main", "+15550002222");
    practice.as_("ada").archives(&archived).unwrap();
    let hidden = practice.hears("cleo-link", "pat");
    assert!(!practice.sees("finn", &c));
    practice.service().does(Command::Activate { teammate: id("finn") }).unwrap();
    assert_eq!(practice.last().changes.len(), 1);
    assert!(practice.sees("finn", &c) && practice.sees("finn", &archived) && !practice.sees("finn", &hidden));
    assert_eq!(practice.lists("finn", "shared"), [c]);
}

#[test]
fn e18_leaving_one_of_two_teams_that_both_give_access_takes_nothing() {
    let mut practice = Practice::new();
    practice.as_("dora").sets_members("dora-line", &["team:desk", "team:nurses"]).unwrap();
    let c = practice.hears("dora-line", PATIENT);
    practice.as_("cleo").assigns(&c, "teammate:cleo").unwrap();
    practice.as_("ada").changes_team("desk", &[], &["cleo"]).unwrap();
    assert!(practice.sees("cleo", &c));
    assert_eq!(practice.holder(&c).as_deref(), Some("teammate:cleo"));
    practice.as_("ada").changes_team("nurses", &[], &["cleo"]).unwrap();
    assert!(!practice.sees("cleo", &c));
    assert_eq!(practice.holder(&c), None);
}

#[test]
fn r55_endpoints_and_their_members_have_limits_that_nobody_meets() {
    let mut practice = Practice::new();
    let many: Vec<Principal> = (0..=ENDPOINT_MEMBERS_MAX).map(|n| id(&format!("teammate:t{n}"))).collect();
    let set = Set { members: Some(many), ..Set::default() };
    let refused = practice.as_("ada").sets("main", set);
    assert!(matches!(refused, Err(Refusal::Invalid { problem, .. }) if problem.contains("1000")));
    let mut organization = practice.organization().clone();
    let template = practice.endpoint("main").clone();
    for n in 0..ENDPOINTS_MAX {
        let id: EndpointId = id(&format!("e{n}"));
        let address = format!("link{n}");
        organization.put_endpoint(
            crate::domain::directory::Endpoint { id, address, ..template.clone() },
            organization.seq(),
        );
    }
    practice.working.organization = organization;
    let new = Command::CreateEndpoint(endpoint("one-more", "one-more", "organization", &[]));
    assert!(
        matches!(practice.as_("ada").does(new), Err(Refusal::Invalid { field, .. }) if field == "endpoint")
    );
}

#[test]
fn b30_nothing_is_held_by_whom_a_move_shut_out() {
    let mut practice = Practice::new();
    let c = practice.hears("main", PATIENT);
    practice.as_("ben").claims(&c).unwrap();
    practice.as_("ada").gives("main", "team:nurses").unwrap();
    assert_eq!(practice.lists("cleo", "shared"), [c]);
}
