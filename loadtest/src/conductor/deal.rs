//! Deals time, organizations and their sessions out to the processes of the generator.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::beside;
use crate::hubs::Target;
use crate::options::{Codecs, Run};
use crate::plan::Plan;
use crate::practice::Share;
use crate::scenario::Scenario;
use crate::wire::Which;

/// The most sessions of a process: it holds 20,000 file descriptors at most.
const SESSIONS_MAX: usize = 15_000;
/// The most turns; the fewest things that happen in one of several, and how long it is at least, in seconds.
const TURNS_MAX: f64 = 10.0;
const TURN_THINGS_MIN: f64 = 20.0;
const TURN_S_MIN: f64 = 2.0;

/// How long and how often things happen.
pub(super) struct Pace {
    /// They happen in so many turns: several if the hub takes turns with what it is put beside.
    pub(super) turns: u32,
    /// How long one is.
    pub(super) turn: Duration,
    /// How many things happen in a second.
    pub(super) rate: f64,
}

impl Pace {
    pub(super) fn new(scenario: &Scenario, run: &Run, sessions: usize) -> Self {
        let size = scenario.size();
        let seconds = run.seconds.map_or(size.seconds, f64::from);
        let rate = run.rate.unwrap_or(size.rate_per_session * as_f64(sessions));
        let turns = if beside::is_compared(scenario) { turns(seconds, rate) } else { 1 };
        Self { turns, turn: Duration::from_secs_f64(seconds) / turns, rate }
    }

    /// How long all turns are together, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        (self.turn * self.turns).as_secs_f64()
    }
}

/// As many turns as there may be.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn turns(seconds: f64, rate: f64) -> u32 {
    let turns = (seconds / TURN_S_MIN).min(seconds * rate / TURN_THINGS_MIN);
    turns.clamp(1.0, TURNS_MAX) as u32
}

/// Lets all sessions speak what was asked for.
pub(super) fn speak(shares: &mut [Share], codecs: Codecs) {
    for seat in shares.iter_mut().flat_map(|share| &mut share.seats) {
        match codecs {
            Codecs::Both => {}
            Codecs::Json => seat.json = true,
            Codecs::MessagePack => seat.json = false,
        }
    }
}

/// How many processes there are to be.
pub(super) fn processes(run: &Run, sessions: usize) -> usize {
    let processes = run.processes.map_or(sessions.div_ceil(SESSIONS_MAX), |number| number as usize);
    processes.clamp(1, sessions.max(1))
}

/// What each process is to be: organizations are dealt out whole, but one that is too large for a process.
pub(super) fn plans(
    scenario: &Scenario,
    run: &Run,
    pace: &Pace,
    target: &Target,
    name: &str,
    shares: &[Share],
) -> Vec<Plan> {
    let sessions: usize = shares.iter().map(|share| share.seats.len()).sum();
    let processes = processes(run, sessions);
    let mut dealt: Vec<Vec<Share>> = vec![Vec::new(); processes];
    let mut seats = vec![0; processes];
    for part in shares.iter().flat_map(|share| parts(share, sessions.div_ceil(processes))) {
        let least = (0..processes).min_by_key(|process| seats[*process]).unwrap_or(0);
        seats[least] += part.seats.len();
        dealt[least].push(part);
    }
    dealt.retain(|shares| !shares.is_empty());
    let driven = |shares: &[Share]| {
        shares.iter().filter(|share| share.drives).map(|share| share.seats.len()).sum::<usize>()
    };
    let all_driven = dealt.iter().map(|shares| driven(shares)).sum::<usize>().max(1);
    let plan = |(number, shares): (usize, Vec<Share>)| Plan {
        addresses: target.addresses().to_vec(),
        source: source(target, number),
        token_secret: target.token_secret().into(),
        service_token: target.service_token().into(),
        refs: format!("{name}-{number}"),
        seed: run.seed.wrapping_add(number as u64),
        scenario: scenario.clone(),
        seconds: pace.turn.as_secs_f64(),
        rate: pace.rate * as_f64(driven(&shares)) / as_f64(all_driven),
        shares,
    };
    dealt.into_iter().enumerate().map(plan).collect()
}

/// An organization in parts of so many sessions at most, of which the first makes things happen.
fn parts(share: &Share, seats_max: usize) -> Vec<Share> {
    let parts = share.seats.chunks(seats_max.max(1)).enumerate();
    parts
        .map(|(number, seats)| Share { seats: seats.to_vec(), drives: number == 0, ..share.clone() })
        .collect()
}

/// Each process has an address of its own on this machine, for one has 28,000 ports to connect from.
fn source(target: &Target, number: usize) -> Option<IpAddr> {
    let local = target.addresses().iter().all(|address| address.ip().is_loopback() && address.is_ipv4());
    let last = u8::try_from(number + 1).ok()?;
    local.then(|| Ipv4Addr::new(127, 0, 1, last).into())
}

fn as_f64(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Sessions that are connected together.
pub(super) fn count_connected(plans: &[Plan], which: Which) -> usize {
    let seats = plans.iter().flat_map(|plan| &plan.shares).flat_map(|share| share.seats.iter().enumerate());
    seats.filter(|(number, seat)| Which::of(*number, seat.json) == which).count()
}

/// Sessions whose process makes things happen in their organization: it alone knows when those were meant to.
pub(super) fn count_timed(plans: &[Plan]) -> usize {
    let driven = plans.iter().flat_map(|plan| &plan.shares).filter(|share| share.drives);
    driven.map(|share| share.seats.len()).sum()
}

pub(super) fn count_organizations(plans: &[Plan]) -> usize {
    plans.iter().flat_map(|plan| &plan.shares).filter(|share| share.drives).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_turns_if_each_is_worth_it() {
        assert_eq!((turns(20.0, 20.0), turns(12.0, 20.0), turns(3_600.0, 20.0)), (10, 6, 10));
        assert_eq!((turns(1.0, 20.0), turns(20.0, 3.0), turns(20.0, 0.0)), (1, 3, 1));
    }
}
