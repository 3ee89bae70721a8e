// The plots of a report: what is drawn, and how. Uses uPlot, which stands before this; says nothing about the page.
"use strict";

const MEBIBYTE = 1024 * 1024;
const HEIGHT = 220;
const HEIGHT_WIDE = 300;
const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

/** A colour or font of the page, as it is now. */
const styled = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A number under the pointer. */
const read = (value, unit) => (value == null ? "–" : `${grouped.format(value)}${unit ? ` ${unit}` : ""}`);

/** What can be drawn of a report, in the order of the page. */
function plotsOf(report) {
  const samples = report.timeline ?? [];
  const at = samples.map((sample) => sample.at);
  const of = (value) => samples.map(value);
  const seconds = (_, index) => samples[index].at - (index > 0 ? samples[index - 1].at : 0);
  const plots = [
    percentiles(report),
    overTime("Deliveries", "a second", at, [
      { label: "deliveries", values: of((sample, index) => sample.deliveries / (seconds(sample, index) || 1)) },
    ]),
    overTime("99th percentile of the latency", "ms", at, [{ label: "p99", values: of((sample) => sample.p99_ms) }]),
    overTime("CPU", "cores", at, [
      { label: "hub", values: of((sample) => sample.hub_cores) },
      { label: "generator", values: of((sample) => sample.generator_cores) },
    ]),
    overTime("Memory of the hub", "MiB", at, [
      { label: "resident", values: of((sample) => (sample.hub_rss == null ? null : sample.hub_rss / MEBIBYTE)) },
    ]),
    overTime("Sessions", "", at, [
      { label: "connected", values: of((sample) => sample.connected) },
      { label: "reconnects", values: of((sample) => sample.reconnects), bars: true },
    ]),
  ];
  return plots.filter((plot) => plot !== null);
}

/** One or more measures by time; those that were not measured are left out, and a plot of none is none. */
function overTime(title, unit, at, all) {
  const known = (value) => value !== null && value !== undefined;
  const series = all.filter(({ values, bars }) => values.some((value) => known(value) && (!bars || value > 0)));
  if (at.length < 2 || series.every(({ bars }) => bars) || !series.some(({ values }) => values.some((value) => value > 0))) {
    return null;
  }
  const ends = (values) => {
    const found = values.filter(known);
    return `from ${read(Math.min(...found), unit)} to ${read(Math.max(...found), unit)}`;
  };
  return {
    title,
    unit,
    said: `${title} over time: ${series.map(({ label, values }) => `${label} ${ends(values)}`).join("; ")}`,
    data: [at, ...series.map(({ values }) => values)],
    series,
    x: { label: "time", show: (value) => read(value, "s"), ticks: (value) => read(value, "s") },
    sync: true,
  };
}

/** Every step to the right is ten times rarer, so that the tail is as wide as what is usual. */
function percentiles(report) {
  const found = report.distribution ?? [];
  if (found.length < 2) return null;
  // The slowest of a thousand is the 99.9th of a hundred, as far as anyone can tell.
  const rarest = Math.log10(Math.max(report.latency_ms?.count ?? 1e6, 10));
  const place = (percent) => (percent >= 100 ? rarest : Math.min(-Math.log10(1 - percent / 100), rarest));
  const hub = [found.map(({ percent }) => place(percent)), found.map(({ ms }) => ms)];
  const series = [{ label: "hub" }];
  const tables = [lastOfEach(hub)];
  const floor = report.floor?.latency_ms;
  if (floor) {
    series.push({ label: "bare write", dashed: true, points: true });
    const last = Math.min(rarest, Math.log10(Math.max(floor.count, 10)));
    tables.push(lastOfEach([[50, 90, 99, 99.9].map(place).concat(last), [floor.p50, floor.p90, floor.p99, floor.p999, floor.max]]));
  }
  const percent = (x) => (x == null ? "" : `${+(100 * (1 - 10 ** -x)).toFixed(Math.max(1, Math.ceil(x)))} %`);
  return {
    title: "Latency by percentile",
    unit: "ms",
    said: `Latency by percentile: ${found.length} points up to ${read(found[found.length - 1].ms, "ms")}`,
    data: tables.length > 1 ? uPlot.join(tables) : tables[0],
    series,
    x: { label: "percentile", show: (x) => percent(x) || "–", ticks: percent, splits: [Math.log10(2), 1, 2, 3, 4, 5, 6, 7, 8] },
    wide: true,
  };
}

/** uPlot wants each place once; of several at one place the last, and so the slowest, stays. */
function lastOfEach([places, values]) {
  const last = new Map(places.map((place, index) => [place, values[index]]));
  return [[...last.keys()], [...last.values()]];
}

/** Draws `plot` into `into`, `width` pixels wide; lower on paper, where a page ends. */
function draw(plot, into, width, onPaper) {
  const colours = [styled("--first"), styled("--second")];
  const axis = {
    stroke: styled("--quiet"),
    font: `12px ${styled("--text")}`,
    grid: { stroke: styled("--grid"), width: 1 },
    ticks: { show: false },
  };
  const { x } = plot;
  const options = {
    width,
    height: (plot.wide ? HEIGHT_WIDE : HEIGHT) * (onPaper ? 0.75 : 1),
    padding: [8, 18, 0, 0],
    cursor: { y: false, sync: plot.sync ? { key: "time" } : undefined, points: { size: 7 } },
    scales: {
      x: { time: false },
      y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] },
    },
    axes: [
      { ...axis, size: 32, space: 64, values: (drawn, splits) => apart(drawn, splits).map(x.ticks), ...splitsOf(x) },
      { ...axis, size: 56, values: (_, splits) => splits.map((value) => grouped.format(value)) },
    ],
    series: [
      { label: x.label, value: (_, value) => x.show(value) },
      ...plot.series.map((series, index) => line(series, colours[index], plot)),
    ],
  };
  return new uPlot(options, plot.data, into);
}

/** Fixed places for an axis's marks, of which only those within view are drawn. */
function splitsOf({ splits }) {
  return splits ? { splits: (_, __, min, max) => splits.filter((split) => split >= min && split <= max) } : {};
}

/** The marks that have room for their text beside the one before; the others keep their line only. */
function apart(drawn, splits) {
  const room = 52;
  let last = -Infinity;
  return splits.map((split) => {
    const at = drawn.valToPos(split, "x");
    if (at - last < room && last > -Infinity) return null;
    last = at;
    return split;
  });
}

function line({ label, bars, dashed, points }, colour, plot) {
  return {
    label,
    stroke: colour,
    // A bar of nothing has no outline.
    width: bars ? 0 : 1.75,
    dash: dashed ? [6, 4] : undefined,
    fill: bars ? colour : plot.series.length === 1 ? `${colour}1a` : undefined,
    paths: bars ? uPlot.paths.bars({ size: [0.6, 12] }) : undefined,
    points: { show: Boolean(points), size: 6, fill: colour },
    spanGaps: Boolean(plot.wide),
    value: (_, value) => read(value, plot.unit),
  };
}
