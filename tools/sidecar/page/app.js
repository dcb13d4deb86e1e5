// SPDX-License-Identifier: MIT
// app.js: what is asked of the sidecar, and where it goes on the page. Names come from strangers: they are text, always.
// What is looked at stands in the address, so that it can be passed on: ?component=NAME&segment=S&range=SECONDS.
"use strict";

const state = {
  live: null, liveTag: null, strips: new Map(), stripsTag: null, history: null, historyTag: null,
  paused: false, failures: 0, heardAt: 0, timer: 0,
  window: 10, sort: "trouble", match: "",
  component: null, segment: null, range: 600, outcome: "all", darkest: 1, column: null, mark: null, picture: null,
};
const el = {};

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// -- Asking -----------------------------------------------------------------------------------------------------------

// What is new at a path, or null: it is as it was. Throws where there is no answer.
async function ask(path, parameters, tag) {
  const query = new URLSearchParams(parameters).toString();
  const response = await fetch(path + "?" + query, { cache: "no-store", headers: tag ? { "If-None-Match": tag } : {} });
  if (response.status === 304) return null;
  if (!response.ok) throw new Error((await response.text()).trim().slice(0, 200) || "status " + response.status);
  return { tag: response.headers.get("ETag"), body: await response.json() };
}

// Of what was asked meanwhile, an older answer says nothing.
function asked() {
  return JSON.stringify([state.window, state.sort, state.match, state.component, state.segment, state.range]);
}

async function askLive() {
  const before = asked();
  const parameters = { window: state.window, sort: state.sort, limit: 200 };
  if (state.match) parameters.match = state.match;
  const got = await ask("api/v1/live", parameters, state.liveTag);
  if (!got || before !== asked()) return;
  [state.live, state.liveTag] = [got.body, got.tag];
  state.heardAt = Date.now();
}

async function askStrips() {
  const before = asked();
  const parameters = { window: 600, parts: 60, sort: state.sort, limit: 200 };
  if (state.match) parameters.match = state.match;
  const got = await ask("api/v1/strips", parameters, state.stripsTag);
  if (!got || before !== asked()) return;
  state.stripsTag = got.tag;
  state.strips = new Map(got.body.components.map((strip) => [keyOf(strip), strip]));
}

async function askHistory() {
  const before = asked();
  const parameters = { component: state.component, from: "-" + state.range, columns: state.range <= 600 ? 310 : 370 };
  if (state.segment !== null) parameters.segment = state.segment;
  const got = await ask("api/v1/history", parameters, state.historyTag);
  if (got && before === asked()) [state.history, state.historyTag] = [got.body, got.tag];
}

// Once a second, all that is looked at; after an error later and later, up to a minute.
async function poll() {
  clearTimeout(state.timer);
  if (state.paused || document.hidden) return;
  let wait = 1000;
  try {
    await askLive();
    if (state.component !== null) await askHistory();
    else await askStrips();
    state.failures = 0;
    setText(el.trouble, "");
  } catch (error) {
    state.failures++;
    wait = Math.min(60000, 5000 * 2 ** (state.failures - 1));
    setText(el.trouble, "No answer: " + error.message);
  }
  draw();
  clearTimeout(state.timer);
  state.timer = setTimeout(poll, wait);
}

function forget() {
  state.liveTag = state.stripsTag = state.historyTag = null;
}

// -- The list ---------------------------------------------------------------------------------------------------------

const columns = [
  ["component", "name"], ["breaker", "trouble"], ["failed %", "failed"], ["calls/s", "calls"], ["p50", null], ["p99", "p99"],
  ["calls", null], ["latency, last 10 min", null],
];

function keyOf(line) {
  return line.segment + "\n" + line.name;
}

// What this line is in want of, as words; empty: nothing.
function wrongWith(line) {
  const { window, breaker } = line;
  if (breaker.state === "open" || breaker.state === "half_open")
    return breakerWord(breaker.state, breaker.changed, state.live.now);
  return window.failed * 10 >= window.calls && window.failed
    ? percentWord(window.failed, window.calls) + " % of " + countWord(window.calls) + " calls failed" : "";
}

function rowFor(key) {
  let row = el.rows.get(key);
  if (row) return row;
  const name = make("button", { class: "name", type: "button" });
  const cells = columns.slice(1).map(() => make("td"));
  const strip = make("canvas", { class: "strip", role: "img" });
  cells[6].append(strip);
  cells[6].className = "strip";
  row = { node: make("tr", {}, make("td", {}, name), ...cells), name, cells, strip, drawn: null };
  name.addEventListener("click", () => openComponent(row.line));
  el.rows.set(key, row);
  return row;
}

function fillRow(row, line) {
  const { window, breaker } = line, several = state.live.segments.length > 1;
  row.line = line;
  setText(row.name, line.name + (several ? " (" + state.live.segments[line.segment].name + ")" : ""));
  const texts = [
    breakerWord(breaker.state, breaker.changed, state.live.now), percentWord(window.failed, window.calls),
    rateWord(window.calls, window.seconds), quantileCell(window.p50, window.calls, 2),
    quantileCell(window.p99, window.calls, 100), countWord(window.calls),
  ];
  texts.forEach((text, i) => setText(row.cells[i], text));
  row.cells[0].className = breaker.state === "closed" || !breaker.state ? "" : "open";
  row.cells[1].className = window.failed * 10 >= window.calls && window.failed ? "bad" : "";
  row.cells[3].className = window.measured < 20 ? "dim" : "";
  row.cells[4].className = window.measured < 1000 ? "dim" : "";
}

function drawStrips(shown) {
  const colours = coloursNow();
  for (const [key, row] of shown) {
    const strip = state.strips.get(key);
    if (!strip || row.drawn === strip) continue;
    row.drawn = strip;
    drawStrip(row.strip, strip, colours);
    const sum = (counts) => counts.reduce((a, b) => a + (b || 0), 0);
    row.strip.setAttribute("aria-label", "last 10 minutes: " + countWord(sum(strip.calls)) + " calls, " +
      countWord(sum(strip.failed)) + " failed");
  }
}

function drawList() {
  const live = state.live, shown = new Map();
  for (const line of live.components) {
    const key = keyOf(line), row = rowFor(key);
    fillRow(row, line);
    shown.set(key, row);
  }
  for (const key of el.rows.keys())
    if (!shown.has(key)) el.rows.delete(key);
  const nodes = [...shown.values()].map((row) => row.node);
  if (nodes.length !== el.body.children.length || nodes.some((node, i) => node !== el.body.children[i])) {
    const focused = document.activeElement;
    el.body.replaceChildren(...nodes);
    if (focused && el.body.contains(focused)) focused.focus();
  }
  for (const [button, head, sort] of el.heads) {
    if (!sort) continue;
    head.setAttribute("aria-sort", sort === state.sort ? sort === "name" ? "ascending" : "descending" : "none");
    setText(button, button.dataset.text + (sort === state.sort ? sort === "name" ? " ▲" : " ▼" : ""));
  }
  setText(el.caption, "In the last " + ageWord(live.window_seconds) + ". n<100: of fewer than 100 calls there is no p99. " +
    (live.matching > live.components.length ? "The first " + live.components.length + " of " + live.matching + "." : ""));
  drawStrips(shown);
}

// The sentence above the table: what is wrong, and where nothing can be said.
function drawLook() {
  const live = state.live, said = [];
  for (const segment of live.segments)
    if (!segment.up) said.push(segment.name + " cannot be read: " + segment.message);
    else if (segment.dropped) said.push(countWord(segment.dropped) + " calls could not be recorded in " + segment.name);
  for (const line of live.components.slice(0, 20)) {
    const wrong = wrongWith(line);
    if (wrong) said.push(line.name + ": " + wrong);
  }
  const open = live.segments.reduce((sum, segment) => sum + segment.open, 0);
  const failing = live.segments.reduce((sum, segment) => sum + segment.failing, 0);
  const bad = said.length || open || failing;
  el.look.className = bad ? "bad" : "";
  // In another order, or behind a filter, those that are wrong may not be among the first lines.
  if (bad) setText(el.look, "Needs a look (" + open + " open, " + failing + " fail): " +
    (said.slice(0, 5).join(" · ") + (said.length > 5 ? " · …" : "") ||
      "not among these lines, but first by breaker, unfiltered"));
  else setText(el.look, live.segments.length ?
    "Nothing needs a look: no breaker is open, and nowhere do 10 % of calls fail." : "No segment was seen yet.");
}

// -- A component ------------------------------------------------------------------------------------------------------

const ranges = [[300, "5 min"], [600, "10 min"], [3600, "1 h"], [21600, "6 h"], [86400, "24 h"]];

function address() {
  const parameters = new URLSearchParams();
  if (state.component !== null) {
    parameters.set("component", state.component);
    if (state.segment !== null) parameters.set("segment", state.segment);
    if (state.range !== 600) parameters.set("range", state.range);
    if (state.outcome !== "all") parameters.set("outcome", state.outcome);
  }
  const text = parameters.toString();
  return text ? "?" + text : location.pathname;
}

function readAddress() {
  const parameters = new URLSearchParams(location.search), range = Number(parameters.get("range"));
  state.component = parameters.get("component");
  state.segment = parameters.get("segment");
  state.range = ranges.some(([seconds]) => seconds === range) ? range : 600;
  state.outcome = ["ok", "bad"].includes(parameters.get("outcome")) ? parameters.get("outcome") : "all";
  state.history = null;
  state.historyTag = null;
  state.column = state.mark = null;
  state.darkest = 1;
}

function go() {
  history.pushState(null, "", address());
  readAddress();
  draw();
  poll();
}

function openComponent(line) {
  state.component = line.name;
  state.segment = state.live.segments.length > 1 ? state.live.segments[line.segment].name : null;
  state.opened = keyOf(line);
  go();
  el.back.focus();
}

function back() {
  state.component = state.segment = null;
  go();
  const row = el.rows.get(state.opened);
  if (row) row.name.focus();
}

function fact(name, value) {
  return make("div", {}, make("dt", {}, name), make("dd", {}, value));
}

function drawFacts() {
  const { history: known, live } = state, sum = known.columns.reduce((all, column) => ({
    calls: all.calls + column.calls, failed: all.failed + column.failed, seconds: all.seconds + column.seconds,
    opened: all.opened + column.transitions[1] }), { calls: 0, failed: 0, seconds: 0, opened: 0 });
  const facts = [
    fact("breaker", breakerWord(known.state, known.changed, live.now)),
    fact("opened in this time", countWord(sum.opened)),
    fact("calls", countWord(sum.calls)),
    fact("failed", countWord(sum.failed) + " (" + percentWord(sum.failed, sum.calls) + " %)"),
    fact("calls/s", rateWord(sum.calls, sum.seconds)),
    fact("counts since", known.since ? clockWord(known.since, true) : NOT_KNOWN),
    fact("last call", known.last_call ? ageWord(live.now - known.last_call) + " ago" : NOT_KNOWN),
    fact("last failure", known.last_failure ? ageWord(live.now - known.last_failure) + " ago" : NOT_KNOWN),
  ];
  if (!known.listed) facts.push(fact("now", "not there any more"));
  const last = known.columns[known.columns.length - 1];
  if (known.state === "open" && last && last.calls - last.failed > last.failed)
    facts.push(fact("yet", "most calls succeed: whoever opened it may be gone"));
  el.facts.replaceChildren(...facts);
}

function tell() {
  const known = state.history, column = known && known.columns[state.column];
  if (!column) {
    setText(el.told, "Left and right: a column; m: mark one, to compare others with it; Esc: back.");
    return;
  }
  const span = "Column " + clockWord(column.from) + " to " + clockWord(column.to) + ": " + tellWindow(column) + ".";
  const mark = state.mark ? " Mark " + clockWord(state.mark.from) + ": " + tellWindow(state.mark) + "." : "";
  setText(el.told, span + mark);
}

// The same as numbers: the newest first.
function drawTable() {
  const rows = state.history.columns.slice(-25).reverse().map((column) => {
    const texts = [clockWord(column.from), countWord(column.calls), percentWord(column.failed, column.calls),
      rateWord(column.calls, column.seconds), quantileCell(column.p50, column.calls, 2),
      quantileCell(column.p99, column.calls, 100), (column.state || NOT_KNOWN).replace("_", "-"),
      String(column.transitions[1])];
    return make("tr", {}, ...texts.map((text) => make("td", {}, text)));
  });
  el.numbers.replaceChildren(...rows);
}

function drawComponent() {
  setText(el.title, state.component + (state.segment !== null ? " (" + state.segment + ")" : ""));
  el.range.value = String(state.range);
  el.outcome.value = state.outcome;
  if (!state.history) {
    // What is there is another component's.
    el.facts.replaceChildren();
    el.numbers.replaceChildren();
    setText(el.legend, "");
    setText(el.told, state.paused ? "Paused: nothing is asked." : "");
    state.picture = null;
    prepareCanvas(el.heat);
    return;
  }
  const known = state.history;
  if (state.column !== null) state.column = Math.min(state.column, known.columns.length - 1);
  const picture = drawHeat(el.heat, known, state.outcome, state.darkest, state.column);
  state.darkest = picture.darkest;
  state.picture = picture;
  el.heat.setAttribute("aria-label", "latencies of " + state.component + " by time: " + known.columns.length +
    " columns of " + ageWord(known.step_seconds) + " or more");
  setText(el.legend, "Lightest: 1 call. Darkest: " + countWord(picture.darkest) + " calls in a cell of " +
    ageWord(known.step_seconds) + " or more. Lines: p50, and dashed p99. " +
    (picture.layout.together > 1 ? "Each row is " + picture.layout.together + " buckets." : ""));
  drawFacts();
  drawTable();
  tell();
}

function moveColumn(by) {
  if (!state.history || !state.history.columns.length) return;
  const last = state.history.columns.length - 1;
  state.column = state.column === null ? last : Math.max(0, Math.min(last, state.column + by));
  drawComponent();
}

// -- The page ---------------------------------------------------------------------------------------------------------

function drawAge() {
  const live = state.live;
  if (!live) return;
  const upto = Math.max(0, ...live.segments.map((segment) => segment.history ? segment.history.to || 0 : 0));
  const from = Math.min(...live.segments.map((segment) => segment.history && segment.history.from || Infinity));
  const late = live.now - upto + (Date.now() - state.heardAt) / 1000, stale = late > 5 * live.tick_seconds;
  const kept = isFinite(from) ? "history " + ageWord(live.now - from) + ", " + bytesWord(live.history_bytes) + " of " +
    bytesWord(live.history_bytes_max) : "no history yet";
  setText(el.age, !upto ? "nothing was seen yet" : (state.paused ? "PAUSED at " : "as of ") + clockWord(upto) +
    (stale ? ", stale " + ageWord(late) : "") + " · " + kept);
  el.age.className = stale || state.paused ? "bad" : "dim";
}

function draw() {
  drawAge();
  const single = state.component !== null;
  el.list.hidden = single;
  el.single.hidden = !single;
  document.title = (single ? state.component + " · " : "") + el.heading.textContent;
  if (!state.live) return;
  drawLook();
  if (single) drawComponent();
  else drawList();
}

function pause() {
  state.paused = !state.paused;
  setText(el.pause, state.paused ? "go on" : "pause");
  drawAge();
  poll();
}

function choose(name, entries, value, changed) {
  const select = make("select", { onchange: () => changed(select.value) },
    ...entries.map(([key, text]) => make("option", { value: String(key) }, text)));
  select.value = String(value);
  return [select, make("label", {}, name + " ", select)];
}

function buildList() {
  el.rows = new Map();
  el.heads = columns.map(([text, sort]) => {
    const button = sort ? make("button", { type: "button", onclick: () => {
      state.sort = sort;
      forget();
      poll();
    } }, text) : document.createTextNode(text);
    const head = make("th", { scope: "col" }, button);
    if (sort) button.dataset.text = text;
    return [button, head, sort];
  });
  el.caption = make("caption");
  el.body = make("tbody");
  const [, windowLabel] = choose("window", [[10, "10 s"], [60, "1 min"], [600, "10 min"], [3600, "1 h"]], state.window,
    (value) => {
      state.window = Number(value);
      forget();
      poll();
    });
  el.filter = make("input", { type: "search", size: 16, oninput: () => {
    state.match = el.filter.value;
    forget();
    poll();
  } });
  return make("section", {}, make("div", { class: "tools" }, windowLabel, make("label", {}, "filter ", el.filter)),
    make("div", { class: "wide" }, make("table", {}, el.caption,
      make("thead", {}, make("tr", {}, ...el.heads.map(([, head]) => head))), el.body)));
}

function buildComponent() {
  const changed = (name, read) => (value) => {
    state[name] = read(value);
    go();
  };
  const [range, rangeLabel] = choose("last", ranges, state.range, changed("range", Number));
  const [outcome, outcomeLabel] = choose("calls", [["all", "all"], ["ok", "succeeded"], ["bad", "failed"]], state.outcome,
    changed("outcome", String));
  Object.assign(el, { range, outcome, title: make("h2"), facts: make("dl"), legend: make("p", { class: "dim" }),
    told: make("p", { id: "told", "aria-live": "polite" }), numbers: make("tbody"),
    back: make("button", { type: "button", onclick: back }, "all components"),
    heat: make("canvas", { id: "heat", tabindex: 0, role: "img", onpointerdown: (event) => {
      if (!state.history || !state.picture) return;
      const { from, upto, width } = state.picture, left = event.offsetX - HEAT_LEFT;
      const at = from + left / (width - HEAT_LEFT) * (upto - from);
      const found = state.history.columns.findIndex((column) => at >= column.from && at < column.to);
      state.column = found < 0 ? null : found;
      drawComponent();
    } }) });
  const heads = ["from", "calls", "failed %", "calls/s", "p50", "p99", "breaker", "opened"];
  const table = make("table", {}, make("caption", {}, "The newest 25 columns"), make("thead", {}, make("tr", {},
    ...heads.map((text) => make("th", { scope: "col" }, text)))), el.numbers);
  return make("section", {}, make("div", { class: "tools" }, el.back, rangeLabel, outcomeLabel), el.title, el.facts,
    el.heat, el.told, el.legend, make("details", {}, make("summary", {}, "as numbers"), make("div", { class: "wide" }, table)));
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName), single = state.component !== null;
  if (event.key === "Escape" && typing) event.target.blur();
  if (typing) return;
  const names = [...el.body.querySelectorAll("button.name")], at = names.indexOf(document.activeElement);
  const keys = {
    Escape: () => single && back(),
    "/": () => !single && el.filter.focus(),
    p: pause,
    ArrowLeft: () => single && moveColumn(-1),
    ArrowRight: () => single && moveColumn(1),
    m: () => {
      state.mark = single && state.history ? state.history.columns[state.column] || null : null;
      if (single) tell();
    },
    ArrowDown: () => !single && names.length && names[Math.min(names.length - 1, at + 1)].focus(),
    ArrowUp: () => !single && at > 0 && names[at - 1].focus(),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
}

function start() {
  const still = document.getElementById("still");
  readAddress();
  el.heading = make("h1", {}, document.title);
  el.age = make("p", { class: "dim" });
  el.trouble = make("p", { class: "bad", role: "alert" });
  el.look = make("p", { id: "look", "aria-live": "polite" });
  el.pause = make("button", { type: "button", onclick: pause }, "pause");
  el.list = buildList();
  el.single = buildComponent();
  const links = document.getElementById("links");
  const page = make("main", { id: "live" }, el.heading, make("div", { class: "tools" }, el.age, el.pause), el.trouble,
    el.look, el.list, el.single, ...(links ? [links.cloneNode(true)] : []));
  still.hidden = true;
  still.before(page);
  window.addEventListener("popstate", () => {
    readAddress();
    draw();
    poll();
  });
  document.addEventListener("visibilitychange", poll);
  document.addEventListener("keydown", press);
  window.addEventListener("resize", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const row of el.rows.values()) row.drawn = null;
    draw();
  });
  setInterval(drawAge, 1000);
  draw();
  poll();
}

start();
