//! What has happened at the demo's practice before anybody looks: a pure list of conversations, each a list of acts.

use rotunda_protocol::command::{Command, Inbound, OnUnseen};
use rotunda_protocol::directory::EndpointKind;
use rotunda_protocol::id::{ConversationId, TeammateId};
use rotunda_protocol::item::{Content, Direction};
use rotunda_protocol::principal::{Actor, AssignTo, Assignee};

use super::dice::Dice;
use super::practice::{WAYS_IN, WayIn};
use super::talk::{DAYS, FIRST_NAMES, LAST_NAMES, MEDICINES, SUBJECTS, Subject, TIMES, VOICEMAILS};

/// How many patients there are: each first name with about half the last names.
const PATIENTS: usize = 264;

/// Tells the same story every time.
const SEED: u64 = 0x1A4E_51DE;

/// Someone who writes.
#[derive(Debug, Clone)]
pub(super) struct Patient {
    pub(super) name: String,
    pub(super) address: String,
    /// Where they write to.
    pub(super) to: &'static str,
}

/// One thing that somebody does in a conversation.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Act {
    /// Something comes in from the patient.
    Receive(Content),
    /// A teammate writes to the patient.
    Reply(TeammateId, String),
    /// A teammate writes an internal note.
    Note(TeammateId, String),
    /// A teammate takes it.
    Claim(TeammateId),
    /// A teammate gives it to another.
    Assign(TeammateId, TeammateId),
    /// A teammate tags it.
    Tag(TeammateId, String),
    /// A teammate puts it away.
    Archive(TeammateId),
}

/// A patient's conversation. The first act receives something.
#[derive(Debug)]
pub(super) struct Thread {
    pub(super) patient: Patient,
    pub(super) acts: Vec<Act>,
}

/// A conversation that has begun, and its newest item.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) conversation: ConversationId,
    pub(super) seen: u32,
}

impl Patient {
    /// The patient of this number.
    pub(super) fn number(number: usize, way_in: &WayIn) -> Self {
        let first = FIRST_NAMES[number % FIRST_NAMES.len()];
        let last = LAST_NAMES[number % LAST_NAMES.len()];
        let address = match way_in.kind {
            // 555-0100 to 555-0199 are kept free for stories, in every area.
            EndpointKind::Phone => format!("+1{}55501{:02}", 620 + number / 100, number % 100),
            EndpointKind::Link => format!("{first}.{last}@example.org").to_lowercase(),
        };
        Self { name: format!("{first} {last}"), address, to: way_in.address }
    }

    /// What the hub is told when something comes in from them.
    pub(super) fn sends(&self, content: Content) -> Inbound {
        Inbound { to: self.to.into(), from: self.address.clone(), name: Some(self.name.clone()), content }
    }
}

/// All conversations, the same every time.
pub(super) fn threads() -> Vec<Thread> {
    let mut dice = Dice::new(SEED);
    (0..PATIENTS).map(|number| thread(&mut dice, number)).collect()
}

fn thread(dice: &mut Dice, number: usize) -> Thread {
    let way_in = way_in(dice);
    let (staff, subject) = (way_in.staff(), dice.pick(&SUBJECTS));
    let (first, second) = (dice.pick(&staff).clone(), dice.pick(&staff).clone());
    let mut acts = Vec::new();
    if way_in.kind == EndpointKind::Phone && dice.percent(15) {
        acts.push(Act::Receive(call_or_voicemail(dice)));
    }
    conversation(dice, subject, &first, &mut acts);
    if dice.percent(35) {
        acts.push(Act::Tag(first.clone(), subject.tag.into()));
    }
    if dice.percent(15) {
        acts.push(Act::Note(first.clone(), filled(dice, subject.note)));
    }
    // Billing assigns to its team, and a claim by one of the team is fine; a link of one person leaves nothing to claim.
    match dice.below(100) {
        0..25 => acts.push(Act::Archive(first)),
        25..40 if !way_in.auto_assign => acts.push(Act::Claim(first)),
        40..55 => acts.push(Act::Assign(first, second)),
        _ => {}
    }
    Thread { patient: Patient::number(number, way_in), acts }
}

fn way_in(dice: &mut Dice) -> &'static WayIn {
    let mut roll = dice.below(WAYS_IN.iter().map(|way_in| way_in.share).sum());
    for way_in in &WAYS_IN {
        match roll.checked_sub(way_in.share) {
            Some(rest) => roll = rest,
            None => return way_in,
        }
    }
    &WAYS_IN[0]
}

/// The patient and a teammate take turns, and stop anywhere.
fn conversation(dice: &mut Dice, subject: &Subject, by: &TeammateId, acts: &mut Vec<Act>) {
    let lines = 1 + dice.below(subject.lines.len());
    for (turn, line) in subject.lines.iter().take(lines).enumerate() {
        let line = filled(dice, line);
        acts.push(if turn % 2 == 0 { Act::Receive(message(line)) } else { Act::Reply(by.clone(), line) });
    }
}

/// A text with its blanks filled in.
pub(super) fn filled(dice: &mut Dice, line: &str) -> String {
    line.replace("{day}", dice.pick::<&str>(&DAYS))
        .replace("{time}", dice.pick::<&str>(&TIMES))
        .replace("{medicine}", dice.pick::<&str>(&MEDICINES))
}

/// A patient's message.
pub(super) fn message(body: String) -> Content {
    Content::Message { direction: Direction::In, body, media: vec![] }
}

/// A patient rings: somebody takes the call, nobody does, or they leave a voicemail.
pub(super) fn call_or_voicemail(dice: &mut Dice) -> Content {
    let seconds = u32::try_from(8 + dice.below(200)).unwrap_or(8);
    match dice.below(3) {
        0 => Content::Call { direction: Direction::In, outcome: "completed".into(), seconds },
        1 => Content::Call { direction: Direction::In, outcome: "no-answer".into(), seconds: 0 },
        _ => {
            let said = *dice.pick(&VOICEMAILS);
            let transcript = Some(filled(dice, said));
            Content::Voicemail { seconds: seconds / 4, recording: None, transcript }
        }
    }
}

impl Act {
    /// Who does what, in a conversation whose newest item they have seen. What is received makes the conversation.
    pub(super) fn command(self, patient: &Patient, place: Option<&Place>) -> Option<(Actor, Command)> {
        let (conversation, seen) = match (&self, place) {
            (Self::Receive(content), _) => {
                return Some((super::service(), Command::Receive(patient.sends(content.clone()))));
            }
            (_, Some(place)) => (place.conversation.clone(), place.seen),
            (_, None) => return None,
        };
        let (by, command) = match self {
            Self::Receive(_) => return None,
            Self::Reply(by, body) => (
                by,
                Command::Send { conversation, body, seen, on_unseen: OnUnseen::Send, stay_archived: false },
            ),
            Self::Note(by, body) => (by, Command::PostNote { conversation, body }),
            Self::Claim(by) => (by, Command::Claim { conversation, expect_rev: None }),
            Self::Assign(by, to) => {
                let to = AssignTo::Assignee(Assignee::Teammate(to));
                (by, Command::Assign { conversation, to, grant: false, expect_rev: None })
            }
            Self::Tag(by, tag) => (by, Command::AddTag { conversation, tag }),
            Self::Archive(by) => (by, Command::Archive { conversation, seen, force: true, expect_rev: None }),
        };
        Some((Actor::Teammate(by), command))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::super::practice::practice;
    use super::*;

    fn author(act: &Act) -> Option<&TeammateId> {
        match act {
            Act::Receive(_) => None,
            Act::Reply(by, _)
            | Act::Note(by, _)
            | Act::Claim(by)
            | Act::Assign(by, _)
            | Act::Tag(by, _)
            | Act::Archive(by) => Some(by),
        }
    }

    fn staff(thread: &Thread) -> Vec<TeammateId> {
        WAYS_IN.iter().find(|way_in| way_in.address == thread.patient.to).unwrap().staff()
    }

    #[test]
    fn the_story_is_the_same_every_time() {
        let acts = || threads().into_iter().map(|thread| thread.acts).collect::<Vec<_>>();
        assert_eq!(acts(), acts());
    }

    #[test]
    fn every_patient_is_somebody_else() {
        let threads = threads();
        let addresses: HashSet<_> = threads.iter().map(|thread| &thread.patient.address).collect();
        assert_eq!(addresses.len(), PATIENTS);
    }

    #[test]
    fn whoever_acts_may_see_the_conversation() {
        for thread in threads() {
            let staff = staff(&thread);
            assert!(matches!(thread.acts[0], Act::Receive(_)));
            for act in &thread.acts {
                assert!(author(act).is_none_or(|by| staff.contains(by)), "{act:?}");
                if let Act::Assign(_, to) = act {
                    assert!(staff.contains(to), "{act:?}");
                }
            }
        }
    }

    #[test]
    fn calls_come_by_phone_only() {
        for thread in threads() {
            let phone = thread.patient.address.starts_with('+');
            for act in &thread.acts {
                let rings = matches!(act, Act::Receive(Content::Call { .. } | Content::Voicemail { .. }));
                assert!(phone || !rings);
            }
        }
    }

    #[test]
    fn there_is_something_of_everything() {
        let mut kinds = BTreeMap::new();
        for act in threads().iter().flat_map(|thread| &thread.acts) {
            let kind = match act {
                Act::Receive(content) => format!("{:?}", content.kind()),
                Act::Reply(..) => "reply".into(),
                Act::Note(..) => "note".into(),
                Act::Claim(_) => "claim".into(),
                Act::Assign(..) => "assign".into(),
                Act::Tag(..) => "tag".into(),
                Act::Archive(_) => "archive".into(),
            };
            *kinds.entry(kind).or_insert(0) += 1;
        }
        assert!(kinds.len() == 9 && kinds.values().all(|count| *count >= 5), "{kinds:?}");
        assert!(
            threads().iter().flat_map(|thread| &thread.acts).all(|act| !format!("{act:?}").contains("{day}"))
        );
    }

    #[test]
    fn the_practice_has_a_dozen_teammates_who_see_different_things() {
        let practice = practice();
        assert_eq!((practice.teammates.len(), practice.teams.len()), (12, 2));
        let sees = |id: &str| {
            let id = id.parse().unwrap();
            WAYS_IN
                .iter()
                .filter(|way_in| way_in.staff().contains(&id))
                .map(|way_in| way_in.address)
                .collect()
        };
        let (ada, ben): (HashSet<_>, HashSet<_>) = (sees("ada"), sees("ben"));
        assert!(!ada.is_subset(&ben) && !ben.is_subset(&ada) && !ada.is_disjoint(&ben));
    }
}
