//! What goes on at the demo's practice while one looks: patients write, now and then one rings, and colleagues
//! take some of it off the pile.

use std::collections::VecDeque;
use std::time::Duration;

use aws_lc_rs::rand;
use data_encoding::HEXLOWER;
use rotunda_protocol::directory::EndpointKind;
use rotunda_protocol::id::TeammateId;

use super::dice::Dice;
use super::plan::{Act, Patient, Place, Thread, call_or_voicemail, filled, message, threads};
use super::practice::{WAYS_IN, WayIn};
use super::seed::done;
use super::talk::SUBJECTS;
use crate::hub::Hub;

/// Patients who have not written yet have numbers from here on, as many as there are names left.
const NEW_PATIENTS: std::ops::Range<usize> = 264..552;

/// Who is left alone: the two teammates that the demo is usually watched as.
const WATCHED: [&str; 2] = ["ada", "ben"];

/// How many conversations colleagues have begun to work on.
const CASES_MAX: usize = 6;

/// A conversation that a colleague works on.
#[derive(Debug)]
struct Case {
    patient: Patient,
    place: Place,
    rest: VecDeque<Act>,
}

/// What happens next, and all that is left to happen.
struct Story {
    dice: Dice,
    patients: Vec<Patient>,
    cases: VecDeque<Case>,
}

impl Story {
    fn new(seed: u64) -> Self {
        let patients = threads().into_iter().map(|Thread { patient, .. }| patient).collect();
        Self { dice: Dice::new(seed), patients, cases: VecDeque::new() }
    }

    /// How long nothing happens.
    fn pause(&mut self) -> Duration {
        Duration::from_millis(1_500 + self.dice.below(5_000) as u64)
    }

    /// A colleague goes on with something, rather the more there is.
    fn case(&mut self) -> Option<Case> {
        let chance = 15 * self.cases.len();
        if self.dice.percent(chance) { self.cases.pop_front() } else { None }
    }

    /// A patient writes or rings: mostly one who has done so before.
    fn patient(&mut self) -> (Patient, Act) {
        if self.dice.percent(15) {
            let way_in = self.dice.pick(&WAYS_IN);
            let number = NEW_PATIENTS.start + self.dice.below(NEW_PATIENTS.len());
            self.patients.push(Patient::number(number, way_in));
        }
        let newest = self.patients.len() - 1;
        let index = if self.dice.percent(15) { newest } else { self.dice.below(newest + 1) };
        let patient = self.patients[index].clone();
        let content = if is_phone(&patient) && self.dice.percent(15) {
            call_or_voicemail(&mut self.dice)
        } else {
            let line = self.dice.pick(&SUBJECTS).lines[0];
            message(filled(&mut self.dice, line))
        };
        (patient, Act::Receive(content))
    }

    /// Something came in: perhaps a colleague takes it.
    fn received(&mut self, patient: Patient, place: Place) {
        let colleagues: Vec<_> =
            staff(&patient).into_iter().filter(|id| !WATCHED.contains(&id.as_str())).collect();
        if colleagues.is_empty() || self.cases.len() >= CASES_MAX || !self.dice.percent(45) {
            return;
        }
        let by = self.dice.pick(&colleagues).clone();
        let subject = self.dice.pick(&SUBJECTS);
        let reply = Act::Reply(by.clone(), "Thank you for writing. We are looking into it.".into());
        let mut rest = VecDeque::from([Act::Claim(by.clone()), reply]);
        if self.dice.percent(40) {
            rest.push_back(Act::Tag(by.clone(), subject.tag.into()));
        }
        if self.dice.percent(70) {
            rest.push_back(Act::Archive(by));
        }
        self.cases.push_back(Case { patient, place, rest });
    }
}

fn staff(patient: &Patient) -> Vec<TeammateId> {
    WAYS_IN.iter().find(|way_in| way_in.address == patient.to).map_or(vec![], WayIn::staff)
}

fn is_phone(patient: &Patient) -> bool {
    let phone = |kind| kind == EndpointKind::Phone;
    WAYS_IN.iter().any(|way_in| way_in.address == patient.to && phone(way_in.kind))
}

/// Lives until the process ends.
pub(super) async fn live(hub: &Hub) -> anyhow::Result<()> {
    let mut seed = [0; 8];
    // Without randomness the same things happen as last time, under names that were used: nothing happens twice.
    rand::fill(&mut seed).unwrap_or_default();
    let mut story = Story::new(u64::from_le_bytes(seed));
    let run = HEXLOWER.encode(&seed);
    for count in 0_u64.. {
        tokio::time::sleep(story.pause()).await;
        step(hub, &mut story, &format!("live-{run}-{count}")).await;
    }
    Ok(())
}

async fn step(hub: &Hub, story: &mut Story, r#ref: &str) {
    let (patient, act, mut place, rest) = if let Some(Case { patient, place, mut rest }) = story.case() {
        let Some(act) = rest.pop_front() else { return };
        (patient, act, Some(place), Some(rest))
    } else {
        let (patient, act) = story.patient();
        (patient, act, None, None)
    };
    let Some((actor, command)) = act.command(&patient, place.as_ref()) else { return };
    match done(hub, actor, r#ref.into(), command).await {
        Ok(Some((conversation, item))) => {
            let seen = item.or(place.take().map(|place| place.seen)).unwrap_or(0);
            let place = Place { conversation, seen };
            match rest {
                Some(rest) => story.cases.push_back(Case { patient, place, rest }),
                None => story.received(patient, place),
            }
        }
        Ok(None) => {}
        // The database may be back the next time.
        Err(error) => tracing::warn!(%error, "nothing happened at the demo's practice"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patients_keep_writing_and_colleagues_keep_the_pile_small() {
        let mut story = Story::new(7);
        let (mut received, mut worked) = (0, 0);
        for n in 0..2_000 {
            assert!((1_500..6_500).contains(&story.pause().as_millis()));
            if let Some(mut case) = story.case() {
                worked += 1;
                if case.rest.pop_front().is_some() {
                    story.cases.push_back(case);
                }
            } else {
                let (patient, act) = story.patient();
                assert!(matches!(act, Act::Receive(_)));
                received += 1;
                story.received(patient, Place { conversation: format!("cv{n}").parse().unwrap(), seen: 1 });
            }
            assert!(story.cases.len() <= CASES_MAX);
        }
        assert!(received > 500 && worked > 500, "{received} and {worked}");
    }

    #[test]
    fn those_who_are_watched_are_left_alone() {
        let mut story = Story::new(11);
        for n in 0..500 {
            let (patient, _) = story.patient();
            story.received(patient, Place { conversation: format!("cv{n}").parse().unwrap(), seen: 1 });
            for case in story.cases.drain(..) {
                let Some(Act::Claim(by)) = case.rest.front() else { panic!("a case begins with a claim") };
                assert!(!WATCHED.contains(&by.as_str()) && staff(&case.patient).contains(by));
            }
        }
    }
}
