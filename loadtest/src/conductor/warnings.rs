//! What a reader should know before believing a run's numbers.

use std::collections::BTreeMap;

use super::summary::longest;
use crate::report::GeneratorUse;
use crate::scenario::Scenario;
use crate::wire::Tally;

/// All is read within so many times as long as things were made to happen, or the hub is behind.
const DRAINED_MAX: f64 = 1.1;
/// More acts that are skipped than one in so many commands make another scenario of it.
const SKIPPED_EVERY: u64 = 20;
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
    let closes = added(tallies, |tally| &tally.closes);
    // Where nodes are ended, so are their connections.
    if !closes.is_empty() && !matches!(scenario, Scenario::Cluster(_)) {
        warnings.push(format!(
            "{} connections were ended by the hub or the network: {}",
            closes.values().sum::<u64>(),
            listed(&closes)
        ));
    }
    warnings.extend(of_commands(tallies));
    warnings
}

/// What is to be known of what was asked for, and not done.
fn of_commands(tallies: &[Tally]) -> Vec<String> {
    let mut warnings = Vec::new();
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    let (done, refused) = (sum(|tally| tally.commands), sum(|tally| tally.refused));
    let (skipped, questions) = (sum(|tally| tally.skipped), sum(|tally| tally.refused_questions));
    if skipped * SKIPPED_EVERY > done {
        warnings.push(format!(
            "{skipped} acts were skipped beside {done} commands: their sessions were not ready, or had too much to do"
        ));
    }
    if questions > 0 {
        warnings.push(format!("{questions} questions were refused"));
    }
    let refusals = added(tallies, |tally| &tally.refusals);
    let commands = done + refused;
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

/// Counts by name, of all processes.
fn added(tallies: &[Tally], of: fn(&Tally) -> &BTreeMap<String, u64>) -> BTreeMap<&str, u64> {
    let mut all = BTreeMap::new();
    for (name, count) in tallies.iter().flat_map(of) {
        *all.entry(name.as_str()).or_default() += count;
    }
    all
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
    use crate::load::mix::Mix;
    use crate::scenario::cluster::Cluster;
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

    #[test]
    fn what_ended_connections_is_told_unless_nodes_were_to() {
        let closes: BTreeMap<_, _> = [("4001".to_owned(), 3), ("network".to_owned(), 1)].into();
        let tally = || Tally { closes: closes.clone(), ..Tally::default() };
        let text = "4 connections were ended by the hub or the network: 4001 ×3, network ×1";
        assert!(told(tally()).contains(text), "{}", told(tally()));
        let cluster = Scenario::Cluster(Cluster { mix: Mix::default() });
        assert!(!warnings(&cluster, &GeneratorUse::default(), &[tally()]).join("").contains("were ended"));
    }

    #[test]
    fn what_was_not_done_is_told() {
        let skipped = |skipped| told(Tally { commands: 100, skipped, ..Tally::default() });
        assert!(!skipped(5).contains("skipped"), "{}", skipped(5));
        assert!(skipped(6).contains("6 acts were skipped"), "{}", skipped(6));
        let questions = told(Tally { refused_questions: 2, ..Tally::default() });
        assert!(questions.contains("2 questions were refused"), "{questions}");
    }
}
