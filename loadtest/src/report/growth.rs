//! How costs grow with one size of several runs: a column for each run, and the exponent for each cost.
//!
//! A cost that goes with the size to the power of 0 does not depend on it; of 1, it doubles with it.

use anyhow::{bail, ensure};
use comfy_table::CellAlignment;

use super::Report;
use super::table::{RULED, fitted, flush};
use super::units::{NONE, bytes, figure, float, number};

/// A size of a run or a cost, by name.
struct Quantity {
    name: &'static str,
    show: fn(f64) -> String,
    of: fn(&Report) -> Option<f64>,
}

const SIZES: [Quantity; 5] = [
    Quantity { name: "sessions", show: figure, of: |run| Some(float(run.sessions)) },
    Quantity { name: "organizations", show: figure, of: |run| Some(float(run.organizations)) },
    Quantity { name: "conversations", show: figure, of: |run| Some(float(run.conversations)) },
    Quantity { name: "nodes", show: figure, of: |run| Some(float(run.nodes)) },
    Quantity { name: "rate, a second", show: figure, of: |run| Some(run.rate_per_s) },
];

const COSTS: [Quantity; 9] = [
    Quantity { name: "deliveries a second", show: figure, of: |run| Some(run.deliveries_per_s.round()) },
    Quantity { name: "hub CPU, cores", show: number, of: |run| Some(run.hub?.cpu_s / run.seconds) },
    Quantity {
        name: "hub CPU for each command, µs",
        show: number,
        of: |run| (run.commands > 0).then_some(run.hub?.cpu_s * 1e6 / float(run.commands)),
    },
    Quantity { name: "hub CPU for each delivery, µs", show: number, of: |run| run.hub?.cpu_us_per_delivery },
    Quantity { name: "delivery p50, ms", show: number, of: |run| Some(run.latency_ms?.p50) },
    Quantity { name: "delivery p99, ms", show: number, of: |run| Some(run.latency_ms?.p99) },
    Quantity { name: "commit p50, ms", show: number, of: |run| Some(run.commit_ms?.p50) },
    Quantity { name: "hub memory at the end", show: bytes, of: |run| Some(float(run.hub?.rss_end)) },
    Quantity { name: "hub memory for each session", show: bytes, of: |run| run.hub?.rss_per_session },
];

/// The runs as text that ends in a new line. Exactly one size must differ from run to run by itself; others may follow
/// it, and then the first of them that was named counts.
pub(crate) fn growth(runs: &[Report]) -> anyhow::Result<String> {
    ensure!(runs.len() > 1, "growth needs two runs at least");
    let scenarios = runs.iter().all(|run| run.scenario == runs[0].scenario);
    ensure!(scenarios, "the runs are of different scenarios: their costs do not grow from one to the other");
    let varying: Vec<&Quantity> = SIZES.iter().filter(|size| varies(size, runs)).collect();
    let Some(size) = varying.first() else {
        bail!("the runs are all of one size: there is nothing to grow with")
    };
    let mut sorted: Vec<&Report> = runs.iter().collect();
    sorted.sort_by(|a, b| (size.of)(a).unwrap_or(0.0).total_cmp(&(size.of)(b).unwrap_or(0.0)));
    let mut table = fitted(RULED);
    let shown = |quantity: &Quantity, run: &Report| (quantity.of)(run).map_or(NONE.into(), quantity.show);
    let head = sorted.iter().map(|run| shown(size, run));
    table.set_header(std::iter::once(size.name.into()).chain(head).chain(["grows with".into()]));
    for quantity in varying.iter().skip(1).copied().chain(&COSTS) {
        let points: Vec<_> =
            sorted.iter().filter_map(|run| Some(((size.of)(run)?, (quantity.of)(run)?))).collect();
        let exponent = exponent(&points).map_or(NONE.into(), |exponent| format!("n^{exponent:.2}"));
        let cells = sorted.iter().map(|run| shown(quantity, run));
        table.add_row(std::iter::once(quantity.name.into()).chain(cells).chain([exponent]));
    }
    flush(&mut table);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    Ok(table.trim_fmt() + "\n")
}

fn varies(size: &Quantity, runs: &[Report]) -> bool {
    runs.iter().any(|run| (size.of)(run) != (size.of)(&runs[0]))
}

/// The slope of the straight line nearest to the points, both ways logarithmic. None without two different sizes and
/// costs above 0.
fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    let usable: Vec<_> =
        points.iter().filter(|(x, y)| *x > 0.0 && *y > 0.0).map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = f64::from(u32::try_from(usable.len()).ok()?);
    let mean = |of: fn(&(f64, f64)) -> f64| usable.iter().map(of).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = usable.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let slope: f64 = usable.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    (usable.len() > 1 && spread > 0.0).then(|| slope / spread)
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn an_exponent_is_what_it_grows_with() {
        let points = |of: fn(f64) -> f64| [1.0, 10.0, 100.0].map(|x| (x, of(x)));
        let close = |of, wanted: f64| (exponent(&points(of)).unwrap() - wanted).abs() < 1e-9;
        assert!(close(|_| 7.0, 0.0) && close(|x| 3.0 * x, 1.0) && close(|x| x * x, 2.0));
        assert_eq!(exponent(&[(1.0, 2.0)]), None);
        assert_eq!(exponent(&[(1.0, 0.0), (2.0, 0.0)]), None);
    }

    #[test]
    fn runs_stand_in_the_order_of_what_differs() {
        let run = |sessions: u64, rss_end: u64| {
            let mut run = fixture::crowd();
            run.sessions = sessions;
            run.hub.as_mut().unwrap().rss_end = rss_end;
            run
        };
        let text = growth(&[run(1_000, 40 << 20), run(100, 4 << 20)]).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].split_whitespace().take(3).eq(["sessions", "100", "1,000"]), "{text}");
        let memory = lines.iter().find(|line| line.starts_with("hub memory at the end")).unwrap();
        assert!(memory.ends_with("n^1.00"), "{text}");
    }

    #[test]
    fn runs_that_cannot_be_compared_say_why() {
        let run = fixture::crowd();
        let other = Report { scenario: "idle".into(), ..run.clone() };
        for (runs, why) in [
            (vec![run.clone()], "two runs"),
            (vec![run.clone(), run.clone()], "of one size"),
            (vec![run, other], "different scenarios"),
        ] {
            assert!(growth(&runs).unwrap_err().to_string().contains(why));
        }
    }
}
