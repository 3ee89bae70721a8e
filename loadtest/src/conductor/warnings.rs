//! What a reader should know before believing a run's numbers.

use std::collections::BTreeMap;

use super::summary::longest;
use crate::report::GeneratorUse;
use crate::scenario::Scenario;
use crate::wire::Tally;

/// All is read within so many times as long as things were made to happen, or the hub is behind.
const DRAINED_MAX: f64 = 1.1;
/// More refusals than one in so many commands are not what a practice is like.
const REFUSED_EVERY: u64 = 10;

/// All of it, a sentence each.
pub(super) fn warnings(scenario: &Scenario, generator: &GeneratorUse, tallies: &[Tally]) -> Vec<String> {
    let mut warnings = Vec::new();
    if generator.saturated {
        warnings.push(format!(
            "the generator was the bottleneck, not the hub: {:.1} s of processor time in {} process(es), {:.1} ms late at the 99th percentile. {}",
            generator.cpu_s,
            generator.processes,
            generator.lag_ms,
            if scenario.is_closed_loop() { "The hub could have done more than is shown." } else { "Latencies are too high: lower --rate or --sessions, or give it more --processes and cores." }
        ));
    }
    if cfg!(debug_assertions) {
        warnings.push("a debug build: numbers mean nothing, run with --release".into());
    }
    let (played_s, drained_s) =
        (longest(tallies, |tally| tally.played_s), longest(tallies, |tally| tally.drained_s));
    if drained_s > played_s * DRAINED_MAX {
        let why = if scenario.is_closed_loop() {
            "the hub did not keep up"
        } else if scenario.has_stragglers() {
            "whoever was cut or slow had to catch up, or the hub did not keep up with --rate"
        } else {
            "the hub did not keep up with --rate"
        };
        let more = drained_s - played_s;
        warnings.push(format!("it took {more:.1} s more until all was read: {why}"));
    }
    let unknown: u64 = tallies.iter().map(|tally| tally.unknown).sum();
    if unknown > 0 {
        warnings.push(format!("{unknown} frames of a kind that this client does not know were ignored"));
    }
    let mut refusals = BTreeMap::<&str, u64>::new();
    for (code, count) in tallies.iter().flat_map(|tally| &tally.refusals) {
        *refusals.entry(code).or_default() += count;
    }
    let refused: u64 = tallies.iter().map(|tally| tally.refused).sum();
    let commands = refused + tallies.iter().map(|tally| tally.commands).sum::<u64>();
    if refused * REFUSED_EVERY > commands {
        warnings.push(format!("{refused} of {commands} commands were refused: {}", listed(&refusals)));
    }
    // Two people reach for the same conversation: that is life. Anything else should be known.
    for (code, count) in refusals {
        if !["already_assigned", "conversation_archived", "unseen_activity", "not_found"].contains(&code) {
            warnings.push(format!("{count} commands were refused with {code}"));
        }
    }
    warnings
}

/// How often there was each.
fn listed(counts: &BTreeMap<&str, u64>) -> String {
    counts.iter().map(|(name, count)| format!("{name} ×{count}")).collect::<Vec<_>>().join(", ")
}

/// What is to be known if the latency of so many sessions is, of all that there are.
pub(super) fn of_split(timed: usize, sessions: usize) -> Option<String> {
    (timed < sessions).then(|| {
        format!(
            "latency is that of {timed} of {sessions} sessions: an organization is spread over several processes, and only the one that makes things happen in it knows when they were meant to"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::fanout::Fanout;

    fn told(tally: Tally) -> String {
        let scenario = Scenario::Fanout(Fanout { saturate: false });
        warnings(&scenario, &GeneratorUse::default(), &[tally]).join("\n")
    }

    #[test]
    fn a_hub_that_is_behind_is_told() {
        let took = |drained_s| told(Tally { played_s: 20.0, drained_s, ..Tally::default() });
        assert!(!took(21.9).contains("all was read"), "{}", took(21.9));
        assert!(took(23.0).contains("it took 3.0 s more until all was read"), "{}", took(23.0));
    }

    #[test]
    fn refusals_that_are_life_are_told_once_there_are_many() {
        let refused = |refused| {
            let refusals = [("not_found".to_owned(), refused)].into();
            told(Tally { commands: 90, refused, refusals, ..Tally::default() })
        };
        assert!(!refused(10).contains("refused"), "{}", refused(10));
        assert!(refused(11).contains("11 of 101 commands were refused: not_found ×11"), "{}", refused(11));
    }
}
