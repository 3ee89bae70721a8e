//! A report as one page that needs nothing else: style, script, plots and numbers are in it, and it asks no network.
//!
//! The page is put together here and drawn by `page/page.js`, which sets text and never markup.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use super::sections::{self, Section, Standing};
use super::units::{bytes, moment, number, whole};
use super::{Report, file};

const PAGE: &str = include_str!("page/page.html");
const STYLES: [&str; 2] = [include_str!("page/uPlot.min.css"), include_str!("page/page.css")];
const PLOT_LICENSE: &str = include_str!("page/uPlot.LICENSE");
const PLOT: &str = include_str!("page/uPlot.iife.min.js");
const SCRIPTS: [&str; 2] = [include_str!("page/plots.js"), include_str!("page/page.js")];

/// What the page's script is given: words and digits as the terminal shows them, and the numbers that plots need.
#[derive(Serialize)]
struct Data<'a> {
    run: String,
    began: String,
    standing: Standing,
    verdict: String,
    headlines: Vec<Headline>,
    durations: Option<Section>,
    values: Vec<Section>,
    report: &'a Report,
}

/// One of the few numbers that are read first.
#[derive(Serialize)]
struct Headline {
    name: &'static str,
    value: String,
}

/// Writes the page to `path`, in place of what was there.
pub(crate) fn write(report: &Report, path: &Path) -> anyhow::Result<()> {
    file::write(path, &page(report)?)
}

/// The page.
fn page(report: &Report) -> anyhow::Result<String> {
    let license = format!("/*\n{PLOT_LICENSE}*/");
    let scripts = [&license, PLOT, SCRIPTS[0], SCRIPTS[1]].join("\n");
    // The data come last: whatever they hold, no placeholder in them is looked for.
    let page = PAGE.replacen("{{style}}", &STYLES.join("\n"), 1).replacen("{{script}}", &scripts, 1);
    Ok(page.replacen("{{data}}", &embedded(report)?, 1))
}

/// The data as JSON that cannot end the element around it: a `<` stands only within strings, where it can be escaped.
fn embedded(report: &Report) -> anyhow::Result<String> {
    let data = Data {
        run: sections::run(report),
        began: moment(report.began_at),
        standing: sections::standing(&report.verdict),
        verdict: sections::verdict(&report.verdict),
        headlines: headlines(report),
        durations: sections::durations(report),
        values: sections::values(report),
        report,
    };
    let text = serde_json::to_string(&data).context("cannot write a report as JSON")?;
    Ok(text.replace('<', r"\u003c"))
}

fn headlines(report: &Report) -> Vec<Headline> {
    let deliveries = (report.deliveries > 0).then(|| number(report.deliveries_per_s));
    let delivery = report.latency_ms.map(|found| format!("{} ms", number(found.p99)));
    let revocation = report.revocation_ms.map(|found| format!("{} ms", number(found.p99)));
    let reconnect = report.reconnect_s.map(|found| format!("{} s", number(found.p99)));
    let cpu = report.hub.and_then(|hub| hub.cpu_us_per_delivery).map(|us| format!("{} µs", number(us)));
    let memory = report.hub.and_then(|hub| hub.rss_per_session).map(bytes);
    [
        ("sessions", Some(whole(report.sessions))),
        ("deliveries a second", deliveries),
        ("delivery, p99", delivery),
        ("revocation, p99", revocation),
        ("reconnect, p99", reconnect),
        ("CPU per delivery", cpu),
        ("memory per session", memory),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(Headline { name, value: value? }))
    .collect()
}

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use super::super::fixture;
    use super::*;

    /// The embedded data of a page, as a browser would find them.
    fn data(page: &str) -> serde_json::Value {
        let (_, rest) = page.split_once(r#"<script type="application/json" id="data">"#).unwrap();
        serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
    }

    #[test]
    fn it_fetches_nothing() {
        let page = page(&fixture::crowd()).unwrap();
        // Comments of the plots' authors name their address; nothing else may name one.
        let comment = "/*! https://github.com/leeoniya/uPlot (v1.6.32) */";
        assert!(page.contains(comment));
        let rest = page.replacen(comment, "", 1);
        for mark in ["http://", "https://", "src=", "url(", "@import", "fetch(", "XMLHttp", "import("] {
            assert!(!rest.contains(mark), "{mark}");
        }
        assert!(page.contains("default-src 'none'"), "and a browser is told so");
        assert!(page.contains("Copyright (c) 2022 Leon Sorokin"), "what is passed on has its license in it");
    }

    #[test]
    fn no_text_breaks_out() {
        let (plain, hostile) = (page(&fixture::crowd()).unwrap(), page(&fixture::broken()).unwrap());
        for tag in ["<script", "</script", "<!--"] {
            assert_eq!(plain.matches(tag).count(), hostile.matches(tag).count(), "{tag}");
        }
        let case = &data(&hostile)["report"]["cases"][2];
        assert_eq!(case, "</script><script>alert(1)</script><!-- {{data}} & \u{2028}");
        assert!(!SCRIPTS.concat().contains("innerHTML"));
    }

    #[test]
    fn every_placeholder_is_filled() {
        let page = page(&fixture::crowd()).unwrap();
        assert!(!page.contains("{{"), "{:?}", page.split_once("{{").map(|(_, rest)| &rest[..20]));
        assert_eq!(data(&page)["verdict"], sections::verdict(&fixture::crowd().verdict));
    }

    #[test]
    fn only_what_was_measured_is_headlined() {
        let names: Vec<_> = headlines(&fixture::idle()).into_iter().map(|headline| headline.name).collect();
        assert_eq!(names, ["sessions", "memory per session"]);
    }

    /// Pages to look at, where `ROTUNDA_PAGES` says.
    #[test]
    fn pages_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let folder = env::var_os("ROTUNDA_PAGES").map_or(folder.path().to_owned(), Into::into);
        for (name, report) in
            [("crowd", fixture::crowd()), ("broken", fixture::broken()), ("idle", fixture::idle())]
        {
            let path = folder.join(name).with_extension("html");
            write(&report, &path).unwrap();
            assert!(fs::read_to_string(&path).unwrap().starts_with("<!doctype html>"));
        }
    }
}
