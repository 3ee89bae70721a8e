//! What a report says, as titled tables of text: the terminal and the page lay out the same words and digits.

use serde::Serialize;

use super::units::{bytes, figure, float, number, times, whole};
use super::{Floor, GeneratorUse, HubUse, Quantiles, Report, Verdict};

/// A titled table.
#[derive(Debug, Serialize)]
pub(super) struct Section {
    pub(super) title: &'static str,
    /// What the cells are, where a row has several; a row that has one says it by its name.
    pub(super) columns: &'static [&'static str],
    pub(super) rows: Vec<Row>,
}

/// A name and what belongs to it.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    /// What the name does not say.
    pub(super) note: &'static str,
    pub(super) cells: Vec<String>,
}

fn row(name: &str, note: &'static str, value: impl Into<String>) -> Row {
    Row { name: name.to_owned(), note, cells: vec![value.into()] }
}

/// How the verdict is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Standing {
    Clean,
    Broken,
    /// Nothing was wrong, for nothing was looked at.
    Unchecked,
}

pub(super) fn standing(verdict: &Verdict) -> Standing {
    match verdict {
        _ if !verdict.is_clean() => Standing::Broken,
        Verdict { checked: 0, .. } => Standing::Unchecked,
        _ => Standing::Clean,
    }
}

/// The verdict in a line.
pub(super) fn verdict(verdict: &Verdict) -> String {
    let checks = whole(verdict.checked);
    match standing(verdict) {
        Standing::Clean => format!("nothing lost, duplicated, leaked or diverged ({checks} checks)"),
        Standing::Unchecked => "nothing was checked".to_owned(),
        Standing::Broken => {
            let Verdict { lost, duplicated, leaked, diverged, .. } = verdict;
            let [lost, duplicated, leaked, diverged] =
                [lost, duplicated, leaked, diverged].map(|count| whole(*count));
            format!(
                "{lost} lost, {duplicated} duplicated, {leaked} leaked, {diverged} diverged ({checks} checks)"
            )
        }
    }
}

/// What was run, in a line.
pub(super) fn run(report: &Report) -> String {
    let many = |count: u64, one: &str| format!("{} {one}{}", whole(count), if count == 1 { "" } else { "s" });
    format!(
        "{} in {} on {}, {} s",
        many(report.sessions, "session"),
        many(report.organizations, "organization"),
        many(report.nodes, "node"),
        figure(report.seconds),
    )
}

/// How long things took: all of it in one table, for it is read down its columns.
pub(super) fn durations(report: &Report) -> Option<Section> {
    let floor = report.floor.map(|floor| floor.latency_ms);
    let rows: Vec<Row> = [
        (
            "delivery, ms",
            "from when a command was due to when a session had read what came of it",
            report.latency_ms,
        ),
        ("commit, ms", "from when a command was due to its answer", report.commit_ms),
        (
            "revocation, ms",
            "from when a loss of access was due to when it held on every node",
            report.revocation_ms,
        ),
        ("reconnect, s", "from a cut to being welcome again", report.reconnect_s),
        ("bare write, ms", "the same frames without a hub", floor),
    ]
    .into_iter()
    .filter_map(|(name, note, found)| Some(quantiles(name, note, found?)))
    .collect();
    let columns = &["count", "p50", "p90", "p99", "p99.9", "max"];
    (!rows.is_empty()).then_some(Section { title: "How long it took", columns, rows })
}

fn quantiles(name: &str, note: &'static str, found: Quantiles) -> Row {
    let Quantiles { count, p50, p90, p99, p999, max } = found;
    let cells = std::iter::once(whole(count)).chain([p50, p90, p99, p999, max].map(number)).collect();
    Row { name: name.to_owned(), note, cells }
}

/// All the rest, a value a row.
pub(super) fn values(report: &Report) -> Vec<Section> {
    let sections = [
        Some(("What was done", done(report))),
        report.hub.map(|hub| ("What the hub took", hub_rows(&hub, report.seconds))),
        Some(("What making the load took", generator_rows(&report.generator, report.seconds))),
        report.floor.map(|floor| ("Against a bare write", floor_rows(&floor))),
        Some((
            "Only in this scenario",
            report.figures.iter().map(|(name, value)| figure_row(name, *value)).collect(),
        )),
        Some(("Where it ran", machine_rows(report))),
    ];
    let sections = sections.into_iter().flatten().filter(|(_, rows)| !rows.is_empty());
    sections.map(|(title, rows)| Section { title, columns: &[], rows }).collect()
}

fn done(report: &Report) -> Vec<Row> {
    vec![
        row("commands", "", whole(report.commands)),
        row("refused", "two people reached for the same conversation", whole(report.refused)),
        row("deliveries", "pushes that sessions read", whole(report.deliveries)),
        row("deliveries a second", "", number(report.deliveries_per_s)),
    ]
}

fn hub_rows(hub: &HubUse, seconds: f64) -> Vec<Row> {
    let optional = [
        hub.cpu_us_per_delivery.map(|us| row("CPU per delivery", "", format!("{} µs", number(us)))),
        hub.syscalls_per_delivery
            .map(|calls| row("system calls per delivery", "reads and writes", number(calls))),
        hub.rss_per_session.map(|size| row("memory per session", "connected, its list read", bytes(size))),
    ];
    let mut rows = vec![row("CPU", "", cpu(hub.cpu_s, seconds))];
    rows.extend(optional.into_iter().flatten());
    rows.push(row("memory at the start", "before the first session", bytes(float(hub.rss_start))));
    rows.push(row("memory at the end", "", bytes(float(hub.rss_end))));
    rows
}

fn generator_rows(generator: &GeneratorUse, seconds: f64) -> Vec<Row> {
    let limit = if generator.saturated { "yes: the hub may hold more than this" } else { "no" };
    vec![
        row("processes", "", whole(generator.processes)),
        row("CPU", "", cpu(generator.cpu_s, seconds)),
        row("behind its schedule", "99th percentile", format!("{} ms", number(generator.lag_ms))),
        row("limited the run", "", limit),
    ]
}

fn floor_rows(floor: &Floor) -> Vec<Row> {
    vec![
        row("frame", "", bytes(float(floor.frame_bytes))),
        row("CPU per bare write", "", format!("{} µs", number(floor.cpu_us_per_delivery))),
        row("the hub's CPU per delivery", "", times(floor.cpu_ratio)),
        row("the hub's p99", "", times(floor.p99_ratio)),
    ]
}

fn machine_rows(report: &Report) -> Vec<Row> {
    let machine = &report.machine;
    let mut rows = vec![
        row("processor", "", machine.cpu.as_str()),
        row("cores", "", whole(machine.cores)),
        row("memory", "", bytes(float(machine.memory_bytes))),
        row("kernel", "", machine.kernel.as_str()),
        row("load before the run", "processes waiting", number(machine.load)),
    ];
    rows.extend(report.versions.iter().map(|(name, version)| row(name, "", version.as_str())));
    rows
}

/// Processor time, and how many cores that kept busy.
fn cpu(cpu_s: f64, seconds: f64) -> String {
    format!("{} s, {} cores", number(cpu_s), number(cpu_s / seconds))
}

fn figure_row(name: &str, value: f64) -> Row {
    let (name, value) = figure_words(name, value);
    row(&name, "", value)
}

/// A figure's name without its unit, and its value with it: the name's last word is the unit.
pub(super) fn figure_words(name: &str, value: f64) -> (String, String) {
    let spaced = |name: &str| name.replace('_', " ");
    if let Some(name) = name.strip_suffix("_per_s") {
        return (spaced(name), format!("{} a second", figure(value)));
    }
    let Some((rest, unit)) = name.rsplit_once('_') else { return (name.to_owned(), figure(value)) };
    let value = match unit {
        "bytes" => bytes(value),
        "ratio" => times(value),
        "count" => figure(value),
        "us" => format!("{} µs", figure(value)),
        "percent" => format!("{} %", figure(value)),
        unit => format!("{} {unit}", figure(value)),
    };
    (spaced(rest), value)
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn a_verdict_is_one_plain_line() {
        let clean = Verdict { checked: 123_456, ..Verdict::default() };
        assert_eq!(verdict(&clean), "nothing lost, duplicated, leaked or diverged (123,456 checks)");
        let broken = Verdict { lost: 1_200, leaked: 1, ..clean };
        assert_eq!(verdict(&broken), "1,200 lost, 0 duplicated, 1 leaked, 0 diverged (123,456 checks)");
        assert_eq!(standing(&Verdict::default()), Standing::Unchecked);
    }

    #[test]
    fn a_figure_ends_in_its_unit() {
        let shown = |name, value| figure_words(name, value);
        assert_eq!(shown("fresh_list_ms", 3.21), ("fresh list".into(), "3.21 ms".into()));
        assert_eq!(shown("caught_up_per_s", 12_000.0), ("caught up".into(), "12,000 a second".into()));
        assert_eq!(shown("row_bytes", 2_048.0), ("row".into(), "2.00 KiB".into()));
        assert_eq!(shown("waves", 4.0), ("waves".into(), "4".into()));
    }

    #[test]
    fn what_was_not_measured_is_not_shown() {
        let report = fixture::idle();
        assert!(durations(&report).is_none());
        let titles: Vec<_> = values(&report).iter().map(|section| section.title).collect();
        assert_eq!(
            titles,
            ["What was done", "What the hub took", "What making the load took", "Where it ran"]
        );
    }
}
