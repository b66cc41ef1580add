
"use strict";

// Shows snapshots as they come. All texts go into the page by textContent: whatever a name is, it stays a text.

const byId = (id) => document.getElementById(id);

// ---- Colours

const themes = ["system", "light", "dark"];

function storedTheme() {
  try {
    const stored = localStorage.getItem("espalier-theme");
    return themes.includes(stored) ? stored : "system";
  } catch (_denied) {
    return "system";
  }
}

function applyTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  byId("theme").textContent = `Colours: ${theme}`;
}

function nextTheme() {
  const theme = themes[(themes.indexOf(storedTheme()) + 1) % themes.length];
  try {
    localStorage.setItem("espalier-theme", theme);
  } catch (_denied) {
    // It is kept until the page is left.
  }
  applyTheme(theme);
}

// ---- Numbers: each is a figure and its unit

const rounded = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const none = ["–", ""];

function scaled(value, base, units) {
  let step = 0;
  while (Math.abs(value) >= base * 0.9995 && step < units.length - 1) {
    value /= base;
    step += 1;
  }
  return [rounded.format(value), units[step]];
}

const count = (value) => (value == null ? none : value < 100000 ? [whole.format(value), ""] : scaled(value, 1000, ["", "k", "M", "G", "T"]));
const decimal = (value) => (value == null ? none : value < 10000 ? [rounded.format(value), ""] : scaled(value, 1000, ["", "k", "M", "G", "T"]));
const bytes = (value) => (value == null ? none : scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]));
const share = (value) => (value == null ? none : [rounded.format(value * 100), "%"]);

function rate(value) {
  const [figure, unit] = decimal(value);
  return value == null ? none : [figure, `${unit}/s`];
}

function seconds(value) {
  if (value == null) return none;
  if (value < 0.9995) return [rounded.format(value * 1000), "ms"];
  if (value < 99.95) return [rounded.format(value), "s"];
  return value < 5400 ? [rounded.format(value / 60), "min"] : [rounded.format(value / 3600), "h"];
}

const joined = ([figure, unit]) => (unit === "" ? figure : unit.startsWith("/") ? figure + unit : `${figure}\u202f${unit}`);
const clock = (time) => new Date(time).toLocaleTimeString("en-GB");

// ---- What is shown. `id` and `second` are figures whose histories are drawn, `more` the small ones beneath.

const groups = [
  {
    title: "Generations",
    tiles: [
      { id: "generations", label: "Generations", show: rate, more: (s) => [["all", count(s.totals.generations)], ["failed", count(s.totals.failed)]] },
      { id: "output_tokens", label: "Tokens written", show: rate, more: (s) => [["all", count(s.totals.output_tokens)]] },
      { id: "input_tokens", label: "Tokens read", show: rate, more: (s) => [["all", count(s.totals.input_tokens)]] },
      { id: "first_attempts", label: "First attempts held", show: share, most: 1, more: (s) => [["refused", count(s.totals.refused)], ["retries", count(s.totals.retries)]] },
      { id: "latency_p50", second: "latency_p99", log: true, label: "Latency, p50", show: seconds, more: (s) => percentiles(s.latency.generation) },
      { id: "first_token_p50", second: "first_token_p99", log: true, label: "First token, p50", show: seconds, absent: "nothing streamed yet", more: (s) => percentiles(s.latency.first_token) },
      { id: "batch_items", label: "Batch items running", show: count, more: (s) => [["batches", count(s.batches.count)]] },
      { id: "cache_hits", label: "Constraint cache hits", show: share, most: 1, more: (s) => [["entries", count(s.cache.entries)], ["size", bytes(s.cache.bytes)]] },
    ],
  },
  {
    title: "Local models",
    tiles: [
      { id: "running", second: "queue_length", label: "Running", show: count, more: (s) => [["waiting", count(s.figures.queue_length.value), "second"]] },
      { id: "batch_size", label: "Batch size", show: decimal, more: () => [["requests a step", null]] },
      { id: "kv_cache_bytes", label: "KV cache", show: bytes, more: (s) => [["tokens", count(s.figures.kv_cache_tokens.value)]] },
      { id: "forward_time", second: "mask_time", label: "Forward time", show: busy, more: (s) => [["mask time", busy(s.figures.mask_time.value), "second"]] },
    ],
  },
];

// Seconds of a second, which may be more than one where there are threads.
function busy(value) {
  return value == null ? none : [rounded.format(value * 1000), "ms/s"];
}

const percentiles = (of) => [["p90", seconds(of.p90)], ["p99", seconds(of.p99), "second"]];

// Names of modules without what all of them have.
const short = (name) => name.replace(/^Espalier\.(Backends\.)?/, "");

const text = (key, label) => ({ label, cell: (row) => row[key] ?? "–" });
const module = (key, label) => ({ label, cell: (row) => short(row[key] ?? "–"), whole: (row) => row[key] ?? "" });
const number = (key, label, show = count) => ({ label, number: true, cell: (row) => joined(show(row[key])) });

const tables = [
  {
    id: "traffic",
    title: "Backends and models",
    caption: "Rates and latencies of the last minute, counts since the dashboard started",
    empty: "No generation has ended yet.",
    rows: (s) => s.traffic,
    columns: [
      text("model", "Model"),
      module("backend", "Backend"),
      number("rate", "Rate", rate),
      number("p50", "p50", seconds),
      number("p90", "p90", seconds),
      number("p99", "p99", seconds),
      number("generations", "All"),
      { label: "Failed", number: true, cell: (row) => joined(count(row.failed)), level: (row) => (row.failed > 0 ? "bad" : null) },
    ],
  },
  {
    id: "models",
    title: "Models loaded",
    caption: "What runs in this VM now",
    empty: "No local model is loaded.",
    rows: (s) => s.models,
    columns: [
      text("name", "Model"),
      { label: "Kind", cell: (row) => row.architecture.replace(/ForCausalLM$/, ""), whole: (row) => row.architecture },
      number("parameters", "Parameters"),
      number("max_length", "Context"),
      { label: "Running", number: true, cell: (row) => `${joined(count(row.running))} of ${row.max_batch_size}` },
      number("queue_length", "Waiting"),
      number("tokens_per_second", "Tokens", rate),
      number("kv_cache_bytes", "KV cache", bytes),
    ],
  },
  {
    id: "answers",
    title: "Attempts and repairs",
    caption: "Since the dashboard started",
    third: true,
    empty: "No attempt has ended yet.",
    rows: (s) => (s.totals.attempts == null ? [] : s.answers),
    columns: [text("what", "What"), number("count", "Count"), number("share", "Share", share)],
  },
  {
    id: "refusals",
    title: "Refused, by kind",
    caption: "Why values were asked for again or given up",
    third: true,
    empty: "No value has been refused.",
    rows: (s) => s.refusals,
    columns: [text("kind", "Kind"), number("count", "Count")],
  },
  {
    id: "cache",
    title: "Constraint cache",
    caption: "Since the dashboard started",
    third: true,
    empty: "The constraint cache has not been asked yet.",
    rows: (s) => (s.cache.hits == null ? [] : cacheRows(s.cache)),
    columns: [text("what", "What"), { label: "Value", number: true, cell: (row) => row.value }],
  },
  {
    id: "circuits",
    title: "Circuits",
    caption: "Circuit breakers that changed since the dashboard started",
    empty: "No circuit has changed.",
    rows: (s) => s.circuits,
    columns: [
      text("model", "Model"),
      module("backend", "Backend"),
      { label: "State", cell: (row) => circuitNames[row.state], level: (row) => circuitLevels[row.state] },
    ],
  },
  {
    id: "batches",
    title: "Batches under way",
    caption: "Items with a result, of all where that can be told",
    empty: "No batch is under way.",
    rows: (s) => s.batches.rows,
    columns: [
      module("schema", "Schema"),
      text("model", "Model"),
      { label: "Done", number: true, cell: (row) => (row.total == null ? joined(count(row.done)) : `${joined(count(row.done))} of ${joined(count(row.total))}`), progress: (row) => row.total && row.done / row.total },
      { label: "Failed", number: true, cell: (row) => joined(count(row.failed)), level: (row) => (row.failed > 0 ? "bad" : null) },
      number("running", "Running"),
      number("seconds", "Since", seconds),
    ],
  },
  {
    id: "errors",
    title: "Recent errors",
    caption: "The last fifty, newest first, by module and kind; what was asked and written is not told",
    whole: true,
    empty: "No error has been told.",
    rows: (s) => s.errors,
    columns: [
      { label: "Time", cell: (row) => clock(row.time) },
      text("where", "Where"),
      module("reason", "Reason"),
      text("kind", "Kind"),
      module("schema", "Schema"),
      text("model", "Model"),
      module("backend", "Backend"),
    ],
  },
];

const circuitNames = { closed: "closed", half_open: "half open", open: "open" };
const circuitLevels = { closed: "good", half_open: "warn", open: "bad" };

function cacheRows(cache) {
  return [
    { what: "Hits", value: joined(count(cache.hits)) },
    { what: "Misses", value: joined(count(cache.misses)) },
    { what: "Hit rate", value: joined(share(cache.hit_rate)) },
    { what: "Compiled", value: joined(count(cache.compilations)) },
    { what: "Compile time, p50 of the last minute", value: joined(seconds(cache.compile_p50)) },
    { what: "Dropped", value: joined(count(cache.evictions)) },
  ];
}

// ---- The page's parts

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function vector(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function put(node, content) {
  if (node.textContent !== content) node.textContent = content;
}

function level(node, name) {
  if (name) node.dataset.level = name;
  else delete node.dataset.level;
}

const width = 300;
const height = 46;

function makeTile(tile) {
  const paths = {
    minutes: vector("path", { class: "minutes", d: [60, 120, 180, 240].map((x) => `M${x} 0V${height}`).join("") }),
    area: vector("path", { class: "area" }),
    second: vector("path", { class: "second" }),
    first: vector("path", { class: "first" }),
    cursor: vector("path", { class: "cursor" }),
  };
  const parts = {
    peak: element("span", { class: "peak" }),
    figure: element("span", { class: "number" }),
    unit: element("span", { class: "unit" }),
    more: element("p", { class: "more" }),
    svg: vector("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...Object.values(paths)),
    paths,
  };
  const top = element("p", { class: "top" }, element("span", { class: "label" }, tile.label), parts.peak);
  const figure = element("p", { class: "figure", id: `figure-${tile.id}` }, parts.figure, parts.unit);
  const item = element("li", { class: "tile" }, top, figure, parts.more, parts.svg);
  parts.svg.addEventListener("pointermove", (event) => moveCursor(event, parts.svg));
  parts.svg.addEventListener("pointerleave", () => setCursor(null));
  tile.parts = parts;
  return item;
}

function makeGroup(group, index) {
  const heading = element("h2", { id: `group-${index}` }, group.title);
  const list = element("ul", {}, ...group.tiles.map(makeTile));
  return element("section", { class: "group", "aria-labelledby": heading.id }, heading, list);
}

function makeTable(table) {
  const heading = element("h2", { id: `table-${table.id}` }, table.title);
  const titles = table.columns.map((column) => element("th", { scope: "col", class: column.number ? "number" : "text" }, column.label));
  table.body = element("tbody");
  const made = element("table", {}, element("caption", {}, element("span", {}, table.caption)), element("thead", {}, element("tr", {}, ...titles)), table.body);
  const scroll = element("div", { class: "scroll", role: "region", "aria-labelledby": heading.id, tabindex: "0" }, made);
  const size = table.whole ? " whole" : table.third ? " third" : "";
  return element("section", { class: `table${size}` }, heading, scroll);
}

// ---- Sparklines

const place = (index, length) => width - length + index + 0.5;

// Times differ by powers of ten, so they are drawn by their logarithms.
function scale(tile, values) {
  const peak = Math.max(0, ...values);
  if (!tile.log) return { peak, part: (value) => value / (tile.most ?? (peak || 1)) };
  const least = Math.min(...values.filter((value) => value > 0)) / 1.2;
  return { peak, part: (value) => Math.log(value / least) / Math.log(peak / least) };
}

function linePath(history, part) {
  let path = "";
  let down = false;
  history.forEach((value, index) => {
    if (value == null) {
      down = false;
      return;
    }
    const y = (height - 1 - part(value) * (height - 4)).toFixed(1);
    path += `${down ? "L" : "M"}${place(index, history.length)} ${y}`;
    down = true;
  });
  return path;
}

// Each run of values is closed along the bottom.
function areaPath(history, part) {
  const runs = linePath(history, part).split("M").filter((run) => run !== "");
  return runs
    .map((run) => {
      const points = run.split("L");
      const x = (point) => point.split(" ")[0];
      return `M${x(points[0])} ${height}L${run}L${x(points[points.length - 1])} ${height}Z`;
    })
    .join("");
}

// What a second had is a shade, and the line is a mean, which can be followed. Latencies and shares are of a minute.
const moment = 10;

function smooth(tile, history) {
  if (tile.log || tile.most) return history;
  return history.map((value, index) => {
    if (value == null) return null;
    const some = history.slice(Math.max(0, index - moment + 1), index + 1).filter((one) => one != null);
    return some.reduce((sum, one) => sum + one, 0) / some.length;
  });
}

function showLines(tile, snapshot) {
  const first = snapshot.figures[tile.id].history;
  const second = tile.second ? snapshot.figures[tile.second].history : [];
  const { peak, part } = scale(tile, [...first, ...second].filter((value) => value != null));
  const { paths } = tile.parts;
  paths.first.setAttribute("d", linePath(smooth(tile, first), part));
  paths.area.setAttribute("d", tile.log ? "" : areaPath(first, part));
  paths.second.setAttribute("d", linePath(smooth(tile, second), part));
  return peak;
}

// ---- Looking back: a pointer over any sparkline shows that second in all tiles

let shown = null;
let cursor = null;

function moveCursor(event, svg) {
  const box = svg.getBoundingClientRect();
  setCursor(Math.floor(((event.clientX - box.left) / box.width) * width));
}

function setCursor(at) {
  cursor = at;
  if (shown) allTiles((tile) => showTile(tile, shown));
}

function allTiles(then) {
  for (const group of groups) group.tiles.forEach(then);
}

function showPeak(tile, snapshot, peak) {
  const { history } = snapshot.figures[tile.id];
  const index = cursor == null ? -1 : cursor - (width - history.length);
  const there = index >= 0 && index < history.length;
  tile.parts.paths.cursor.setAttribute("d", there ? `M${cursor + 0.5} 0V${height}` : "");
  const ago = history.length - 1 - index;
  const past = there ? `${joined(tile.show(history[index]))}, ${ago} s ago` : "";
  const most = peak > 0 && tile.most == null ? `peak ${joined(tile.show(peak))}` : "";
  put(tile.parts.peak, there ? past : most);
}

// ---- Showing a snapshot

function showTile(tile, snapshot) {
  const { value, history } = snapshot.figures[tile.id];
  const [figure, unit] = tile.show(value);
  const begun = history.some((one) => one != null);
  put(tile.parts.figure, figure);
  put(tile.parts.unit, value != null ? unit : begun ? "idle" : tile.absent ?? "no events yet");
  tile.parts.figure.classList.toggle("none", value == null);
  showPeak(tile, snapshot, showLines(tile, snapshot));
  showMore(tile, tile.more(snapshot));
}

function showMore(tile, entries) {
  const { more } = tile.parts;
  if (more.children.length !== entries.length) {
    more.replaceChildren(
      ...entries.map(([label, value, key]) =>
        element("span", {}, ...(key ? [element("span", { class: `key ${key}`, "aria-hidden": "true" })] : []), value ? `${label} ` : label, element("b")),
      ),
    );
  }
  entries.forEach(([_label, value], index) => put(more.children[index].lastChild, value ? joined(value) : ""));
}

function showTable(table, snapshot) {
  const rows = table.rows(snapshot);
  if (rows.length === 0) return showEmpty(table);
  if (table.body.querySelector(".empty")) table.body.replaceChildren();
  while (table.body.children.length > rows.length) table.body.lastChild.remove();
  while (table.body.children.length < rows.length) table.body.append(makeRow(table));
  rows.forEach((row, index) => showRow(table, row, table.body.children[index]));
}

function showEmpty(table) {
  if (table.body.querySelector(".empty")) return;
  const cell = element("td", { class: "empty", colspan: String(table.columns.length) }, table.empty);
  table.body.replaceChildren(element("tr", {}, cell));
}

function makeRow(table) {
  const cells = table.columns.map((column, index) => {
    const cell = element(index === 0 ? "th" : "td", { class: column.number ? "number" : "text" });
    if (index === 0) cell.setAttribute("scope", "row");
    if (column.progress) cell.append(element("progress", { max: "1", "aria-hidden": "true" }));
    cell.append(element("span"));
    return cell;
  });
  return element("tr", {}, ...cells);
}

function showRow(table, row, line) {
  table.columns.forEach((column, index) => {
    const cell = line.children[index];
    put(cell.lastChild, String(column.cell(row)));
    if (column.whole) cell.title = column.whole(row);
    level(cell, column.level && column.level(row));
    if (column.progress) showProgress(cell.firstChild, column.progress(row));
  });
}

function showProgress(bar, value) {
  bar.hidden = value == null;
  bar.value = value ?? 0;
}

function show(snapshot) {
  shown = snapshot;
  const { versions } = snapshot;
  const quiet = snapshot.quiet ? ", no events yet" : "";
  put(byId("about"), `${versions.node}, counting for ${joined(seconds(snapshot.seconds))}${quiet}`);
  put(byId("clock"), clock(snapshot.time));
  const dropped = snapshot.dropped_series;
  put(byId("dropped"), dropped > 0 ? `${whole.format(dropped)} measurements were not counted: too many labels.` : "");
  put(byId("versions"), `Espalier ${versions.espalier}, Elixir ${versions.elixir}, OTP ${versions.otp}`);
  allTiles((tile) => showTile(tile, snapshot));
  for (const table of tables) showTable(table, snapshot);
}

// ---- The connection

let source = null;
let lastHeard = 0;
let paused = false;
let connected = "waiting";
let latest = null;

const states = {
  waiting: "Connecting",
  live: "Live",
  paused: "Paused",
  lost: "Connection lost, trying again",
};

function showState() {
  const state = connected === "live" && paused ? "paused" : connected;
  byId("status").dataset.state = state;
  put(byId("state"), states[state]);
}

function connect() {
  if (source) source.close();
  lastHeard = Date.now();
  source = new EventSource("/events");
  source.onmessage = (event) => {
    lastHeard = Date.now();
    connected = "live";
    latest = JSON.parse(event.data);
    showState();
    if (!paused) show(latest);
  };
  source.onerror = () => {
    connected = "lost";
    showState();
  };
}

// A browser gives up on a server that answers with an error, and hears nothing of a cable that was cut.
function watch() {
  const silent = Date.now() - lastHeard > 6000;
  if (silent) {
    connected = "lost";
    showState();
  }
  if (silent || source.readyState === EventSource.CLOSED) connect();
}

function togglePause() {
  paused = !paused;
  put(byId("pause"), paused ? "Go on" : "Pause");
  showState();
  if (!paused && latest) show(latest);
}

function onKey(event) {
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.repeat;
  if (plain && event.key.toLowerCase() === "p") togglePause();
}

applyTheme(storedTheme());
byId("theme").addEventListener("click", nextTheme);
byId("pause").addEventListener("click", togglePause);
document.addEventListener("keydown", onKey);
byId("tiles").append(...groups.map(makeGroup));
byId("tables").append(...tables.map(makeTable));
connect();
setInterval(watch, 3000);
