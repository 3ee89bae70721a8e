// Lays out the data that the page carries. All of it goes in as text, never as markup.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const { report } = data;
const root = document.documentElement;
const find = (id) => document.getElementById(id);

/** A new element with a text and children. */
function make(name, text = "", ...children) {
  const element = document.createElement(name);
  element.textContent = text;
  element.append(...children);
  return element;
}

function words() {
  document.title = `${report.scenario}: Rotunda load test`;
  find("scenario").textContent = report.scenario;
  find("run").textContent = `${data.run}. Begun ${data.began}.`;
  find("command").textContent = report.command;
  const said = { clean: "✓ Kept every promise", broken: "✗ Broke promises", unchecked: "○ No verdict" };
  find("verdict").dataset.standing = data.standing;
  find("verdict-title").textContent = said[data.standing];
  find("verdict-text").textContent = `Verdict: ${data.verdict}.`;
  list("cases", find("cases"), report.cases);
  list("warnings-list", find("warnings"), report.warnings);
  find("headlines").append(
    ...data.headlines.map(({ name, value }) => make("div", "", make("dt", name), make("dd", value))),
  );
}

/** Shows `shown` if there is something to list. */
function list(id, shown, texts) {
  find(id).append(...texts.map((text) => make("li", text)));
  shown.hidden = texts.length === 0;
}

function tables() {
  if (data.durations) {
    find("durations-title").textContent = data.durations.title;
    const scroll = make("div", "", table(data.durations, "durations-title"));
    scroll.className = "scroll";
    // What can be scrolled must be within reach of a keyboard.
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-labelledby", "durations-title");
    find("durations").append(scroll);
    find("durations").hidden = false;
  }
  find("values").append(...data.values.map((section) => table(section)));
}

/** A section as a table; its title is the caption, unless there is a heading with it. */
function table({ title, columns, rows }, labelledBy) {
  const element = make("table");
  element.className = "numbers";
  if (labelledBy) element.setAttribute("aria-labelledby", labelledBy);
  else element.append(make("caption", title));
  if (columns.length > 0) {
    element.append(make("thead", "", make("tr", "", make("td"), ...columns.map((column) => scoped("col", column)))));
  }
  const lines = rows.map(({ name, note, cells }) => {
    const head = scoped("row", name);
    if (note) head.append(make("small", note));
    return make("tr", "", head, ...cells.map((cell) => make("td", cell)));
  });
  element.append(make("tbody", "", ...lines));
  return element;
}

function scoped(scope, text) {
  const head = make("th", text);
  head.scope = scope;
  return head;
}

/** Places for the plots; they are drawn by `redraw`, again and again. */
function figures() {
  const into = document.querySelector(".plots");
  const plots = plotsOf(report);
  const narrow = plots.filter((plot) => !plot.wide);
  const alone = narrow.length % 2 === 1 ? narrow[narrow.length - 1] : null;
  const figures = plots.map((plot) => {
    const caption = make("figcaption", plot.title);
    if (plot.unit) caption.append(make("small", `, ${plot.unit}`));
    const place = make("div");
    const figure = make("figure", "", caption, place);
    figure.classList.toggle("wide", Boolean(plot.wide) || plot === alone);
    into.append(figure);
    return { plot, place, drawn: null };
  });
  find("plots").hidden = figures.length === 0;
  return figures;
}

/** Draws all plots anew: for another width, or in other colours. */
function redraw() {
  for (const figure of drawings) {
    figure.drawn?.destroy();
    figure.drawn = draw(figure.plot, figure.place, figure.place.clientWidth, "paper" in root.dataset);
    const picture = figure.drawn.root.querySelector(".u-wrap");
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", figure.plot.said);
  }
}

function setTheme(theme) {
  root.dataset.theme = theme;
  find("theme").textContent = theme === "dark" ? "Light" : "Dark";
  find("theme").setAttribute("aria-label", `Show in ${theme === "dark" ? "light" : "dark"} colours`);
  redraw();
}

words();
tables();
const drawings = figures();
const night = matchMedia("(prefers-color-scheme: dark)");
const preferred = () => (night.matches ? "dark" : "light");
setTheme(preferred());
find("theme").hidden = false;
find("theme").addEventListener("click", () => setTheme(root.dataset.theme === "dark" ? "light" : "dark"));
night.addEventListener("change", () => setTheme(preferred()));

let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === width) return; // a phone's address bar comes and goes
  width = innerWidth;
  redraw();
});

// Paper is white, and narrower than most windows.
let beforePrint = preferred();
addEventListener("beforeprint", () => {
  beforePrint = root.dataset.theme;
  root.dataset.theme = "light";
  root.dataset.paper = "";
  redraw();
});
addEventListener("afterprint", () => {
  delete root.dataset.paper;
  setTheme(beforePrint);
});
