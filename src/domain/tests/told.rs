//! Whom an event is told, and what: checked for every event of every test here, and one by one below.

use std::collections::BTreeSet;

use rotunda_protocol::command::Command;
use rotunda_protocol::conversation::ConversationKind;
use rotunda_protocol::id::{ConversationId, TeammateId};
use rotunda_protocol::push::{Access, Push};

use super::practice::{Practice, id};
use crate::domain::access::Staff;
use crate::domain::audience::{Audience, Effect, Subject, effects};
use crate::domain::conversation::Conversation;
use crate::domain::event::Event;
use crate::domain::narrowing::narrows;
use crate::domain::organization::Organization;

/// Everybody that an audience names, as if all had a session and everything open.
fn named(organization: &Organization, to: &Audience) -> BTreeSet<TeammateId> {
    match to {
        Audience::Everyone => organization.members_of(Staff::Everyone),
        Audience::These(these) => these.clone(),
        Audience::Opened(_, staff) => organization.members_of(staff.clone()),
    }
}

/// The prefix rule, for everything that follows from an event: nobody is told what they may not see after it, nor
/// what a row was that they could not see before it; and nobody is left out.
pub(super) fn check(before: &Organization, after: &Organization, event: &Event) {
    let effects = effects(before, after, event, &|_| true);
    let narrowed = effects.iter().any(|effect| match effect {
        Effect::Narrow(_) => true,
        Effect::End(teammate) => before.is_active(teammate),
        Effect::Reset | Effect::Tell { .. } => false,
    });
    assert!(
        !narrowed || narrows(before, after, event),
        "somebody loses something, and nobody waits for it: {event:?}"
    );
    let mut told_rows: BTreeSet<(TeammateId, String)> = BTreeSet::new();
    for effect in &effects {
        let Effect::Tell { to, push, about } = effect else { continue };
        for who in named(after, to) {
            assert!(after.is_active(&who), "{who} is told something and may not be here: {push:?}");
            check_one(before, after, event, &who, push, about);
            if let Push::Conversation { conversation, .. } = &**push {
                let first = told_rows.insert((who.clone(), conversation.id.to_string()));
                assert!(first, "{who} is told of one change twice");
            }
        }
    }
    let everyone = after.members_of(Staff::Everyone);
    for change in event.conversations() {
        let row = &change.after;
        for who in everyone.iter().filter(|who| after.can_see(who, row)) {
            assert!(
                told_rows.contains(&(who.clone(), row.id.to_string())),
                "{who} is not told of {}",
                row.id
            );
        }
    }
    check_losses(before, after, &effects, &everyone);
}

fn check_one(
    before: &Organization,
    after: &Organization,
    event: &Event,
    who: &TeammateId,
    push: &Push,
    about: &Subject,
) {
    let of = |id: &ConversationId| {
        event.conversations().map(|change| &change.after).find(move |row| row.id == *id)
    };
    let sees =
        |id| of(id).or_else(|| after.conversation(id).map(|open| &**open)).map(|row| after.can_see(who, row));
    match push {
        Push::Conversation { conversation, was, .. } => {
            assert_eq!(sees(&conversation.id), Some(true), "{who} is told of {}", conversation.id);
            assert!(matches!(about, Subject::Conversation(_)));
            let change = event.conversations().find(|change| change.after.id == conversation.id);
            let old = change.and_then(|change| {
                let was = change.before.as_ref()?;
                Some(Conversation { members: was.members.clone(), ..change.after.clone() })
            });
            let saw = old.is_some_and(|old| before.can_see(who, &old));
            assert_eq!(was.is_some(), saw, "{who} is told what it was, if and only if they saw it");
            assert!(conversation.kind == ConversationKind::Team || conversation.endpoint.is_some());
        }
        Push::Item { item } => {
            assert_eq!(sees(&item.conversation), Some(true));
            assert!(matches!(about, Subject::Conversation(_)));
        }
        // One's own mark, on what one could see when one made it.
        Push::Mark(mark) => assert_ne!(sees(&mark.conversation), Some(false)),
        Push::Gone { conversation } => assert_ne!(sees(conversation), Some(true), "{who} did not lose it"),
        Push::Endpoint { endpoint } => {
            assert!(after.can_view(who, after.endpoint(&endpoint.id).unwrap()));
            assert!(matches!(about, Subject::Endpoints(_)));
        }
        Push::Scope { access, granted, revoked, endpoints } => {
            assert_eq!(
                (access, *granted == *revoked),
                (&after.access(who), *granted == Access::default() && *revoked == Access::default())
            );
            assert!(
                endpoints.iter().all(|endpoint| after.can_view(who, after.endpoint(&endpoint.id).unwrap()))
            );
            let shown = endpoints.iter().map(|endpoint| endpoint.id.clone()).collect();
            assert_eq!(*about, Subject::Endpoints(shown), "what may be lost before it is heard");
        }
        Push::Teammate { teammate } => {
            let may_know = after.is_admin(who) || teammate.id == *who;
            assert!(teammate.role.is_none() || may_know, "B14: {who} is told the role of {}", teammate.id);
            assert!(teammate.role.is_none() || matches!(about, Subject::Administration));
        }
        Push::Team { .. } | Push::Organization { .. } => assert_eq!(*about, Subject::Roster),
        Push::Here { .. } | Push::Presence(_) => panic!("presence does not follow from events"),
    }
}

/// Whoever lost something as a whole is narrowed before anything is told, and told once.
fn check_losses(
    before: &Organization,
    after: &Organization,
    effects: &[Effect],
    everyone: &BTreeSet<TeammateId>,
) {
    for who in everyone {
        let (old, new) = (before.access(who), after.access(who));
        let scopes = effects.iter().filter(|effect| match effect {
            Effect::Tell { to: Audience::These(these), push, .. } => {
                these.contains(who) && matches!(**push, Push::Scope { .. })
            }
            Effect::Tell { .. } | Effect::Narrow(_) | Effect::End(_) | Effect::Reset => false,
        });
        let scopes = scopes.count();
        assert!(scopes <= 1, "E15: one push for {who}, however many conversations");
        assert!(old == new || scopes == 1, "{who} is not told what they may see");
        let lost = old.endpoints.iter().any(|id| !new.endpoints.contains(id))
            || old.teams.iter().any(|id| !new.teams.contains(id));
        let narrowed = effects.iter().position(|effect| *effect == Effect::Narrow(who.clone()));
        let told = effects.iter().position(|effect| match effect {
            Effect::Tell { to, .. } => named(after, to).contains(who),
            Effect::Narrow(_) | Effect::End(_) | Effect::Reset => false,
        });
        assert!(!lost || narrowed < told && narrowed.is_some(), "{who} is narrowed before they are told");
    }
    let gone: BTreeSet<_> = before.active_teammates().map(|known| known.id.clone()).collect();
    for who in gone.iter().filter(|who| !after.is_active(who)) {
        assert!(effects.contains(&Effect::End(who.clone())), "{who} stays");
    }
}

fn last_effects(practice: &mut Practice, does: impl FnOnce(&mut Practice)) -> Vec<Effect> {
    let before = practice.organization().clone();
    does(practice);
    effects(&before, practice.organization(), practice.last(), &|_| true)
}

fn pushes_to<'a>(effects: &'a [Effect], organization: &Organization, who: &str) -> Vec<&'a Push> {
    let told = effects.iter().filter_map(|effect| match effect {
        Effect::Tell { to, push, .. } => named(organization, to).contains(&id(who)).then_some(&**push),
        Effect::Narrow(_) | Effect::End(_) | Effect::Reset => None,
    });
    told.collect()
}

#[test]
fn b24_entering_ones_view_comes_with_the_whole_row_and_leaving_it_with_nothing_but_the_id() {
    let mut practice = Practice::new();
    let c = practice.hears("cleo-link", "pat");
    let member = || vec![id("teammate:dora")];
    let add = last_effects(&mut practice, |practice| {
        let command = Command::AddMembers { conversation: c.clone(), members: member() };
        practice.as_("cleo").does(command).unwrap();
    });
    let told = pushes_to(&add, practice.organization(), "dora");
    assert!(matches!(told[..], [Push::Conversation { was: None, .. }]), "{told:?}");
    let told = pushes_to(&add, practice.organization(), "ben");
    assert!(matches!(told[..], [Push::Conversation { was: Some(_), .. }]), "{told:?}");
    let remove = last_effects(&mut practice, |practice| {
        let command = Command::RemoveMembers { conversation: c.clone(), members: member() };
        practice.as_("cleo").does(command).unwrap();
    });
    let told = pushes_to(&remove, practice.organization(), "dora");
    assert_eq!(told, [&Push::Gone { conversation: c }]);
    assert_eq!(remove[0], Effect::Narrow(id("dora")), "what waits for her is dropped first");
}

#[test]
fn e20_turning_the_assignment_switch_starts_everybody_over() {
    let mut practice = Practice::new();
    let turned = last_effects(&mut practice, |practice| {
        let mut features = practice.organization().profile().unwrap().features;
        features.assignment = false;
        let command = Command::SetOrganization { features: Some(features), policy: None };
        practice.service().does(command).unwrap();
    });
    assert!(turned.contains(&Effect::Reset));
}

#[test]
fn e27_an_admin_no_longer_is_told_what_admins_are_told() {
    let mut practice = Practice::new();
    let set = |role| Command::SetRole { teammate: id("dora"), role };
    practice.as_("ada").does(set(rotunda_protocol::directory::Role::Admin)).unwrap();
    let demoted = last_effects(&mut practice, |practice| {
        practice.as_("ada").does(set(rotunda_protocol::directory::Role::Member)).unwrap();
    });
    assert_eq!(demoted[0], Effect::Narrow(id("dora")));
    let told = pushes_to(&demoted, practice.organization(), "dora");
    assert!(matches!(told[0], Push::Scope { endpoints, .. } if endpoints.len() == 2), "{told:?}");
}
