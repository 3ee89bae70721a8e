//! A report on a terminal: the verdict, then how long things took, then everything else. A hundred columns, no colour.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use super::Report;
use super::sections::{self, Section, Standing};
use super::units::moment;

/// What fits beside a window, into a chat and on a sheet of paper.
pub(super) const COLUMNS: u16 = 100;

/// A line between the names of columns and what is in them; nothing else needs one.
pub(super) const RULED: TableStyle = NOTHING.header_separator(LineStyle::none().fill('─').junction('─'));

/// The report as text that ends in a new line.
pub(crate) fn table(report: &Report) -> String {
    let mut parts = vec![verdict(report), run(report)];
    parts.extend(sections::durations(report).map(|section| durations(&section)));
    parts.push(values(&sections::values(report)));
    if !report.warnings.is_empty() {
        parts.push(format!("before believing the numbers\n{}", list(&report.warnings)));
    }
    parts.join("\n\n") + "\n"
}

fn verdict(report: &Report) -> String {
    let line = format!("verdict: {}", sections::verdict(&report.verdict));
    match sections::standing(&report.verdict) {
        Standing::Clean | Standing::Unchecked => line,
        Standing::Broken => format!("{line}\n{}", list(&report.verdict.cases)),
    }
}

fn run(report: &Report) -> String {
    let line = format!("{}: {}, {}", report.scenario, sections::run(report), moment(report.began_at));
    wrapped(&[vec![line], vec![report.command.clone()]])
}

/// Each text behind a dash, as wide as there is room.
pub(super) fn list(texts: &[String]) -> String {
    let rows: Vec<_> = texts.iter().map(|text| vec!["-".to_owned(), text.clone()]).collect();
    wrapped(&rows)
}

fn durations(section: &Section) -> String {
    let mut table = fitted(RULED);
    table.set_header(std::iter::once(section.title).chain(section.columns.iter().copied()));
    for row in &section.rows {
        table.add_row(std::iter::once(plain(&row.name)).chain(row.cells.iter().cloned()));
    }
    flush(&mut table);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// All values under each other, each section's title beside its first.
fn values(sections: &[Section]) -> String {
    let mut rows = Vec::new();
    for section in sections {
        if !rows.is_empty() {
            rows.push(vec![String::new()]);
        }
        for (at, row) in section.rows.iter().enumerate() {
            let title = if at == 0 { section.title } else { "" };
            rows.push(vec![title.to_owned(), row.name.clone(), row.cells.concat()]);
        }
    }
    wrapped(&rows)
}

/// Columns without lines; what is too long for its own goes on below.
pub(super) fn wrapped(rows: &[Vec<String>]) -> String {
    let mut table = fitted(NOTHING);
    table.add_rows(rows.iter().map(|row| row.iter().map(|text| plain(text)).collect::<Vec<_>>()));
    flush(&mut table);
    table.trim_fmt()
}

/// Lets the text begin at the very left, and two blanks stand between columns.
pub(super) fn flush(table: &mut Table) {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
}

/// An empty table that fits.
pub(super) fn fitted(style: TableStyle) -> Table {
    let mut table = Table::new();
    table.load_style(style).set_content_arrangement(ContentArrangement::Dynamic).set_width(COLUMNS);
    table
}

/// Text that cannot move the cursor: a report may come from somebody else.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn the_verdict_comes_first() {
        let text = table(&fixture::crowd());
        let first = text.lines().next().unwrap();
        assert_eq!(first, "verdict: nothing lost, duplicated, leaked or diverged (3,712,904 checks)");
        let text = table(&fixture::broken());
        let lines: Vec<_> = text.lines().take(2).collect();
        assert_eq!(lines[0], "verdict: 2 lost, 0 duplicated, 1 leaked, 0 diverged (3,712,904 checks)");
        assert!(lines[1].starts_with("-  session 4,711"), "{text}");
    }

    #[test]
    fn it_fits_a_hundred_columns() {
        let mut report = fixture::broken();
        report.verdict.cases.push("x".repeat(400));
        report.verdict.cases.push("ein Fall, der sich hinzieht ".repeat(20));
        report.warnings.push("w ".repeat(300));
        report.command = "rotunda-loadtest crowd ".repeat(20);
        report.machine.cpu = "A processor with a very long name ".repeat(9);
        report.figures.insert(format!("{}_ms", "long_name_".repeat(30)), 1.0);
        for report in [fixture::crowd(), fixture::idle(), report] {
            let text = table(&report);
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(usize::from(COLUMNS)), "{text}");
        }
    }

    #[test]
    fn it_has_what_was_measured_and_no_more() {
        let full = table(&fixture::crowd());
        for part in
            ["revocation, ms", "1.21 ×", "5.30 KiB", "42,180", "before believing the numbers", "fresh list"]
        {
            assert!(full.contains(part), "{part} is not in\n{full}");
        }
        let idle = table(&fixture::idle());
        for part in ["p99", "×", "believing"] {
            assert!(!idle.contains(part), "{part} is in\n{idle}");
        }
    }

    #[test]
    fn no_text_moves_the_cursor() {
        let mut report = fixture::broken();
        report.verdict.cases = vec!["\u{1b}[2J\rverdict: nothing lost".into()];
        let text = table(&report);
        assert!(!text.contains(['\u{1b}', '\r']), "{text:?}");
    }
}
