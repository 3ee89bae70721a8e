//! Percentiles in a table.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// Which are shown, in thousandths; the last is the maximum.
const SHOWN: [(&str, usize); 4] = [("p50", 500), ("p90", 900), ("p99", 990), ("max", 1_000)];

/// Rows of durations.
pub(crate) struct Table {
    unit: &'static str,
    rows: Vec<(&'static str, Vec<Duration>)>,
}

impl Table {
    pub(crate) fn new(unit: &'static str) -> Self {
        Self { unit, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, name: &'static str, mut durations: Vec<Duration>) {
        durations.sort_unstable();
        self.rows.push((name, durations));
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:<46}", self.unit)?;
        for (name, _) in SHOWN {
            write!(f, "{name:>9}")?;
        }
        write!(f, "{:>9}", "of")?;
        for (name, sorted) in &self.rows {
            write!(f, "\n{name:<46}")?;
            for (_, thousandths) in SHOWN {
                write!(f, "{:>9.2}", percentile(sorted, thousandths).as_secs_f64() * 1_000.0)?;
            }
            write!(f, "{:>9}", sorted.len())?;
        }
        Ok(())
    }
}

/// The smallest that so many thousandths do not exceed.
fn percentile(sorted: &[Duration], thousandths: usize) -> Duration {
    let place = (sorted.len() * thousandths).div_ceil(1_000).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}
