//! Two runs side by side, and what got worse from the one to the other.

use std::collections::BTreeSet;

use comfy_table::CellAlignment;

use super::measures::{Good, MEASURES, Measure};
use super::sections;
use super::table::{RULED, fitted, flush, list, plain, wrapped};
use super::units::{NONE, bytes, figure, float, moment, times, whole};
use super::{Machine, Report};

/// A change that is told from chance: a tenth.
const MARKED: f64 = 0.1;

/// Both runs as text that ends in a new line.
pub(crate) fn compare(a: &Report, b: &Report) -> String {
    let mut parts = vec![runs(a, b)];
    let doubts = doubts(a, b);
    if !doubts.is_empty() {
        parts.push(format!("these two compare badly\n{}", list(&doubts)));
    }
    parts.push(values(a, b));
    parts.push(summary(a, b));
    parts.join("\n\n") + "\n"
}

fn runs(a: &Report, b: &Report) -> String {
    let line = |name: &str, report: &Report| {
        let run = sections::run(report);
        vec![name.to_owned(), format!("{}: {run}, {}", report.scenario, moment(report.began_at))]
    };
    wrapped(&[line("A", a), line("B", b)])
}

/// Why a difference between the two may be due to something else than the hub.
fn doubts(a: &Report, b: &Report) -> Vec<String> {
    let pairs = [
        ("scenario", a.scenario.clone(), b.scenario.clone()),
        ("sessions", whole(a.sessions), whole(b.sessions)),
        ("organizations", whole(a.organizations), whole(b.organizations)),
        ("nodes", whole(a.nodes), whole(b.nodes)),
        ("length in seconds", figure(a.seconds.round()), figure(b.seconds.round())),
        ("machine", machine(&a.machine), machine(&b.machine)),
        ("kernel", a.machine.kernel.clone(), b.machine.kernel.clone()),
    ];
    let different = pairs.into_iter().filter(|(_, a, b)| a != b);
    let mut doubts: Vec<_> =
        different.map(|(what, a, b)| format!("another {what}: {a} in A, {b} in B")).collect();
    for (name, report) in [("A", a), ("B", b)] {
        if report.generator.saturated {
            doubts.push(format!("the generator, not the hub, was what limited {name}"));
        }
        if report.verdict.checked == 0 {
            doubts.push(format!("nothing was checked in {name}"));
        }
    }
    doubts
}

fn machine(machine: &Machine) -> String {
    format!("{}, {} cores, {}", machine.cpu, whole(machine.cores), bytes(float(machine.memory_bytes)))
}

fn values(a: &Report, b: &Report) -> String {
    let mut table = fitted(RULED);
    table.set_header(["", "A", "B", "B / A", ""]);
    for line in lines(a, b) {
        table.add_row([plain(&line.name), line.a, line.b, line.change, line.mark.into()]);
    }
    flush(&mut table);
    for column in table.column_iter_mut().skip(1).take(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

fn summary(a: &Report, b: &Report) -> String {
    let lines = lines(a, b);
    let wrong: Vec<_> =
        lines.iter().filter(|line| line.mark.is_bad()).map(|line| line.name.as_str()).collect();
    if wrong.is_empty() {
        "B is nowhere worse than A by more than a tenth".to_owned()
    } else {
        wrapped(&[vec![format!("look at: {}", wrong.join("; "))]])
    }
}

/// A measure in both runs.
struct Line {
    name: String,
    a: String,
    b: String,
    change: String,
    mark: Mark,
}

/// What catches the eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    None,
    Worse,
    Better,
    /// A promise was broken; how often does not matter.
    Broken,
}

impl Mark {
    fn is_bad(self) -> bool {
        matches!(self, Self::Worse | Self::Broken)
    }
}

impl From<Mark> for String {
    fn from(mark: Mark) -> Self {
        match mark {
            Mark::None => "",
            Mark::Worse => "worse",
            Mark::Better => "better",
            Mark::Broken => "BROKEN",
        }
        .to_owned()
    }
}

/// What at least one of the two measured.
fn lines(a: &Report, b: &Report) -> Vec<Line> {
    let measured = MEASURES.iter().filter_map(|measure| {
        let Measure { name, good, show, of } = measure;
        line((*name).to_owned(), *good, *show, of(a), of(b))
    });
    let names: BTreeSet<_> = a.figures.keys().chain(b.figures.keys()).collect();
    let figures = names.into_iter().filter_map(|name| {
        let [a, b] = [a, b].map(|report| report.figures.get(name).copied());
        let show = |value| sections::figure_words(name, value).1;
        line(sections::figure_words(name, 0.0).0, Good::of_figure(name), show, a, b)
    });
    measured.chain(figures).collect()
}

fn line(
    name: String,
    good: Good,
    show: impl Fn(f64) -> String,
    a: Option<f64>,
    b: Option<f64>,
) -> Option<Line> {
    let shown = |value: Option<f64>| value.map_or(NONE.to_owned(), &show);
    let (change, mark) = match (a, b) {
        (None, None) => return None,
        (Some(a), Some(b)) => (change(a, b), mark(good, a, b)),
        (Some(one), None) | (None, Some(one)) => (NONE.to_owned(), mark(good, one, one)),
    };
    Some(Line { name, a: shown(a), b: shown(b), change, mark })
}

/// How many times as much, or how much more where there was nothing before.
fn change(a: f64, b: f64) -> String {
    match (a, b) {
        (0.0, 0.0) => String::new(),
        (0.0, b) => format!("+{}", figure(b)),
        (a, b) => times(b / a),
    }
}

fn mark(good: Good, a: f64, b: f64) -> Mark {
    let (much_more, much_less) = (b > a * (1.0 + MARKED), b < a * (1.0 - MARKED));
    match (good, much_more, much_less) {
        (Good::Zero, ..) if a > 0.0 || b > 0.0 => Mark::Broken,
        (Good::Less, true, _) | (Good::More, _, true) => Mark::Worse,
        (Good::Less, _, true) | (Good::More, true, _) => Mark::Better,
        (Good::Zero | Good::Less | Good::More | Good::Neither, ..) => Mark::None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    /// The marks by the names of what they are on.
    fn marks(a: &Report, b: &Report) -> Vec<(String, Mark)> {
        let marked = lines(a, b).into_iter().filter(|line| line.mark != Mark::None);
        marked.map(|line| (line.name, line.mark)).collect()
    }

    #[test]
    fn a_run_is_not_worse_than_itself() {
        let run = fixture::crowd();
        assert_eq!(marks(&run, &run), []);
        let text = compare(&run, &run);
        assert!(text.contains("nowhere worse") && !text.contains("badly"), "{text}");
    }

    #[test]
    fn what_is_worse_is_marked() {
        let a = fixture::crowd();
        let mut b = a.clone();
        b.latency_ms.as_mut().unwrap().p99 *= 1.2;
        b.latency_ms.as_mut().unwrap().p50 *= 1.09;
        b.hub.as_mut().unwrap().rss_per_session = Some(8_000.0);
        b.commit_ms.as_mut().unwrap().p99 *= 0.5;
        b.deliveries_per_s *= 0.8;
        b.verdict.lost = 1;
        let expected = [
            ("lost", Mark::Broken),
            ("deliveries a second", Mark::Worse),
            ("delivery p99, ms", Mark::Worse),
            ("commit p99, ms", Mark::Better),
            ("hub memory per session", Mark::Worse),
        ];
        assert_eq!(marks(&a, &b), expected.map(|(name, mark)| (name.to_owned(), mark)));
        let text = compare(&a, &b);
        let p99 = text.lines().find(|line| line.contains("delivery p99")).unwrap();
        assert!(
            p99.contains("4.38") && p99.contains("5.26") && p99.contains("1.20 ×") && p99.contains("worse"),
            "{p99}"
        );
        assert!(text.contains("look at: lost; deliveries a second"), "{text}");
    }

    #[test]
    fn a_broken_promise_is_marked_in_whichever_run() {
        for (a, b) in [(fixture::broken(), fixture::crowd()), (fixture::broken(), fixture::broken())] {
            let broken: Vec<_> = marks(&a, &b).into_iter().map(|(name, _)| name).collect();
            assert_eq!(broken, ["lost", "leaked"]);
        }
    }

    #[test]
    fn runs_that_differ_compare_badly() {
        let (a, mut b) = (fixture::crowd(), fixture::idle());
        b.sessions = 500;
        b.machine.cores = 64;
        b.generator.saturated = true;
        let text = compare(&a, &b);
        for part in [
            "compare badly",
            "another scenario: crowd in A, idle in B",
            "10,000 in A, 500 in B",
            "64 cores",
            "limited B",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{text}");
    }

    #[test]
    fn nothing_before_is_no_ratio() {
        assert_eq!([change(0.0, 0.0), change(0.0, 3.0), change(2.0, 3.0)], ["", "+3", "1.50 ×"]);
        assert_eq!(mark(Good::Less, 0.0, 3.0), Mark::Worse);
        assert_eq!(
            line("x".into(), Good::Less, figure, None, Some(1.0)).map(|line| line.a),
            Some(NONE.to_owned())
        );
    }
}
