// The live page: polls /api/live once a second and draws what came. When the run has ended it becomes the report.
"use strict";

const POLL_MS = 1000;
const LOST_AFTER = 15;

// How a percentile is drawn, in the colour of its metric, and how many samples a second needs to have it.
const SOLID = [];
const PERCENTILES = { p50: [SOLID, 2], p95: [[8, 4], 20], p99: [[2, 2.4], 100] };

// The lines of a metric's percentiles, from the columns that begin with a name.
function percentiles(column, colour) {
  return Object.entries(PERCENTILES).map(([name, [dash, least]]) => [`${column}_${name}`, name, colour, dash, least]);
}

// A chart: title, unit, and its series as [column, label, colour, dash, samples it needs]; the metric of its thresholds.
const CHARTS = [
  ["First event", "ms", percentiles("first_event", "--metric-turn-first-event"), "turn.first_event"],
  ["Completion", "ms", percentiles("completion", "--metric-turn-completion"), "turn.completion"],
  ["Turns", "/s", [["planned", "planned", "--rate-turns-due", [2, 3]], ["sent", "sent", "--rate-events-sent", SOLID], ["complete", "complete", "--outcome-complete", [8, 4]]]],
  ["Turns that were not complete", "/s", [["failed", "failed", "--outcome-failed", SOLID], ["timed_out", "timed out", "--outcome-timed-out", [8, 4]], ["lost", "lost", "--outcome-lost", [2, 2.4]], ["refused", "refused", "--outcome-refused", SOLID], ["not_attempted", "not attempted", "--outcome-not-attempted", [8, 4]]]],
  ["Connections", "", [["ready", "ready", "--connections-ready", SOLID], ["connections_refused", "refused a second", "--connections-refused", [8, 4]], ["connections_closed", "closed a second", "--connections-closed", [2, 2.4]]]],
  ["Events received", "/s", [["events", "received", "--rate-events-received", SOLID]]],
  ["Event gap", "ms", percentiles("gap", "--metric-event-gap"), "event.gap"],
  ["Load generator", "%", [["cpu_percent", "CPU of one core", "--line-generator", SOLID]]],
  ["Delays of the generator itself", "ms", [["lateness_p99", "send lateness p99", "--metric-send-lateness", SOLID], ["lag_p99", "receive lag p99", "--metric-receive-lag", [8, 4]]]],
];

// How a sample of the target is drawn: unit on the page, and what a value is divided by.
const SAMPLED = { cores: ["cores", 1], bytes: ["MiB", 2 ** 20], number: ["", 1] };

const columns = { second: [] };
let plots = [];
let health = "";
let latest = null;
let failures = 0;
const $ = (id) => document.getElementById(id);

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function time(s) {
  s = Math.max(0, Math.round(s));
  return s < 60 ? `${s} s` : `${Math.floor(s / 60)} min ${s % 60} s`;
}

function number(value) {
  if (value === null || value === undefined) return "–";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

function text(tag, content, className) {
  const node = document.createElement(tag);
  node.textContent = content;
  if (className) node.className = className;
  return node;
}

function take(found) {
  const have = columns.second.length;
  if (found.since > have) return;
  for (const [name, values] of Object.entries(found.columns)) {
    columns[name] = (columns[name] || new Array(have).fill(null)).slice(0, found.since).concat(values);
  }
  columns.planned = columns.second.map(() => found.planned_turns_per_s);
  for (const { column, unit } of Object.values(found.health)) {
    columns[`${column} shown`] = (columns[column] || []).map((value) => (value === null ? null : value / SAMPLED[unit][1]));
  }
  columns.cpu_percent = (columns.cpu || []).map((share) => (share === null ? null : share * 100));
}

// What was sampled of the target: a chart each, and none of what has no sample yet.
function sampled(found) {
  return Object.entries(found.health).filter(([, each]) => each.n);
}

function sampledNames(found) {
  return sampled(found).map(([name]) => name).join();
}

function healthCharts(found) {
  return sampled(found).map(([name, each]) => {
    const title = { cpu: "CPU of the target", memory: "Memory of the target", open_files: "Open files of the target" }[name] || `Target: ${name.replaceAll("_", " ")}`;
    return [title, SAMPLED[each.unit][0], [[`${each.column} shown`, name.replaceAll("_", " "), "--line-target", SOLID]], `target.${name}`];
  });
}

// The thresholds that are lines in a chart: of percentiles, and of any value of what was sampled of the target.
function limits(found, metric) {
  if (!metric) return [];
  const ofTarget = metric.startsWith("target.");
  const divisor = ofTarget ? SAMPLED[found.health[metric.slice(7)].unit][1] : 1;
  return found.thresholds
    .filter((each) => each.limit !== null && (ofTarget ? each.name.startsWith(`${metric}.`) && !each.name.endsWith(".n") : each.unit === "ms" && each.name.startsWith(`${metric}.p`)))
    .map((each) => ({ limit: each.limit / divisor, label: `${each.name.split(".").pop()} ${each.expression}` }));
}

// ---------------------------------------------------------------- what is hovered, zoomed and read by keys

// The seconds that all charts show, as [from, to]; null: all there are.
let span = null;

function ends() {
  return [1, columns.second.length ? columns.second[columns.second.length - 1] + 1 : 1];
}

function zoom(to) {
  span = to;
  const [min, max] = span || ends();
  plots.forEach(({ plot }) => plot.setScale("x", { min, max }));
}

// Puts the cursor of a chart on a second.
function point(each, second) {
  each.second = second;
  each.plot.setCursor(second === null ? { left: -10, top: -10 } : { left: each.plot.valToPos(second, "x"), top: 10 });
}

function reading({ plot, unit }, at) {
  const values = plot.series.slice(1).map(({ label }, index) => {
    const value = plot.data[index + 1][at];
    return `${label} ${value === null ? "not measured" : `${number(value)} ${unit}`.trim()}`;
  });
  return `second ${plot.data[0][at]}: ${values.join("; ")}`;
}

function pressed(each, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !columns.second.length) return;
  const { plot, title } = each;
  const x = plot.data[0];
  const seen = span || ends();
  const at = plot.cursor.idx ?? null;
  const inSight = chartKeys.within(x, ...seen);
  const to = inSight ? chartKeys.moved(event.key, at, ...inSight) : undefined;
  const middle = at === null ? (seen[0] + seen[1]) / 2 : x[at];
  const wanted = chartKeys.zoomed(event.key, seen, ends(), middle, false);
  if (to !== undefined) {
    point(each, x[to]);
    chartKeys.say(reading(each, to));
  } else if (wanted !== undefined) {
    zoom(wanted);
    chartKeys.say(`${title}: ${wanted ? `second ${Math.round(wanted[0])} to ${Math.round(wanted[1])} are shown` : "all is shown"}`);
    // The scale is set when this event is over; the second that was chosen stays chosen.
    if (at !== null) queueMicrotask(() => point(each, x[at]));
  } else if (event.key === "Escape") {
    point(each, null);
  } else {
    return;
  }
  event.preventDefault();
}

function chosen(plot) {
  const { left, width } = plot.select;
  if (width < 5) return;
  const wanted = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
  plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  zoom(wanted);
}

// Makes the names below a chart buttons: a series is switched by mouse and by keys.
function switches(plot) {
  const table = plot.root.querySelector(".u-legend");
  table.setAttribute("role", "presentation");
  const names = [...table.querySelectorAll(".u-series > th")];
  const marked = () => names.forEach((name, at) => at && name.setAttribute("aria-pressed", String(plot.series[at].show)));
  names.slice(1).forEach((name) => {
    name.tabIndex = 0;
    name.setAttribute("role", "button");
    name.addEventListener("click", marked);
    name.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      name.click();
    });
  });
  marked();
}

// What the legend shows in the place of a value: why no second has the percentile, where none has.
function lacking(name, least) {
  const seen = columns[name] || [];
  return !least || !seen.length || seen.some((value) => value !== null) ? "–" : `needs ${least} a second`;
}

function dashOf(dash) {
  if (!dash || !dash.length) return "solid";
  return dash[0] > 2 ? "dashed" : "dotted";
}

function build(found) {
  plots.forEach((each) => each.plot.destroy());
  // All boxes stand before the first is measured: alone it would be as wide as the page.
  const charts = [...CHARTS, ...healthCharts(found)];
  const boxes = charts.map(([title, unit]) => {
    const box = text("div", "", "chart");
    box.append(text("h2", unit ? `${title}, ${unit}` : title));
    return box;
  });
  $("charts").replaceChildren(...boxes.slice(0, CHARTS.length));
  $("sampled").replaceChildren(...boxes.slice(CHARTS.length));
  health = sampledNames(found);
  plots = charts.map(([title, unit, series, metric], at) => {
    const box = boxes[at];
    const lines = limits(found, metric);
    const grid = { stroke: colour("--plot-grid"), width: 1 };
    const axis = { stroke: colour("--plot-muted"), grid, ticks: grid, font: "12px system-ui" };
    const options = {
      width: Math.max(200, box.clientWidth - 28), height: 190,
      legend: { markers: { width: 3, dash: (plot, at) => dashOf(plot.series[at].dash) } },
      cursor: { drag: { x: true, y: false, setScale: false } },
      scales: { x: { time: false, range: (_u, low, high) => span || [low, high] }, y: { range: (_u, _low, high) => [0, (high || 1) * 1.08] } },
      axes: [{ ...axis, values: (_u, at) => at.map((s) => `${s} s`) }, { ...axis, size: 56, values: (_u, at) => at.map(number) }],
      series: [{ label: "second", value: (_u, s) => (s === null ? "–" : `${s} s`) },
        ...series.map(([name, label, tone, dash, least]) => ({ label, stroke: colour(tone), width: 2, dash: dash.length ? dash : undefined, spanGaps: false, points: { show: () => columns.second.length < 3 }, value: (_u, v) => (v === null ? lacking(name, least) : `${number(v)} ${unit}`) })),
        ...lines.map(({ label }) => ({ label, stroke: colour("--line-limit"), width: 1.5, dash: [4, 3], points: { show: false }, value: (_u, v) => (v === null ? "–" : `${number(v)} ${unit}`) }))],
      hooks: { setSelect: [chosen] },
    };
    const plot = new uPlot(options, null, box);
    const each = { box, lines, title, unit, second: null, names: series.map(([name]) => name), plot };
    const area = plot.over.parentElement;
    chartKeys.reachable(area, title);
    area.addEventListener("keydown", (event) => pressed(each, event));
    area.addEventListener("blur", () => point(each, null));
    // Who takes the mouse follows that, and no longer the second that keys chose.
    plot.over.addEventListener("mousemove", () => (each.second = null));
    plot.over.addEventListener("dblclick", () => zoom(null));
    switches(plot);
    return each;
  });
  draw();
}

function draw() {
  const x = columns.second.map((s) => s + 1);
  for (const each of plots) {
    const { plot, names, lines } = each;
    const own = names.map((name) => columns[name] || new Array(x.length).fill(null));
    plot.setData([x, ...own, ...lines.map(({ limit }) => x.map(() => limit))]);
    if (each.second !== null) queueMicrotask(() => point(each, each.second));
  }
}

const TONES = { held: "good", missed: "bad", not_measured: "doubt" };
const MARKS = { held: "✓ holds", missed: "✗ missed", not_measured: "? not measured yet" };

function show(found) {
  document.title = `${found.verdict.word}: ${found.scenario}`;
  $("name").textContent = found.scenario;
  $("label").textContent = found.label || "";
  $("label").hidden = !found.label;
  $("simulated").hidden = !found.simulated;
  $("target").textContent = found.target;
  $("id").textContent = found.id;
  const { word, missed, held, not_measured } = found.verdict;
  $("verdict").className = `verdict ${missed ? "bad" : not_measured ? "doubt" : "good"}`;
  if ($("word").textContent !== word) $("word").textContent = word;
  $("standing").textContent = `${missed} missed, ${held} held, ${not_measured} not measured yet`;
  const over = found.state !== "running";
  $("progress").value = over ? 1 : found.planned_s ? Math.min(1, found.elapsed_s / found.planned_s) : 0;
  const left = found.planned_s - found.elapsed_s;
  const phase = over ? "the run is over, its report is being written" : left <= 0 ? "waiting for the last turns" : found.elapsed_s < found.warmup_s ? `warm-up, ${time(left)} left` : `measuring, ${time(left)} left`;
  $("clock").textContent = `${time(found.elapsed_s)} of ${time(found.planned_s)} · ${phase}`;
  $("thresholds").replaceChildren(...found.thresholds.map((each) => {
    const row = document.createElement("tr");
    row.className = TONES[each.outcome];
    const mark = text("td", MARKS[each.outcome], "outcome");
    mark.style.color = "var(--tone)";
    row.append(mark, text("td", each.name, "code"), text("td", each.text), text("td", each.expression + (each.default ? " (default)" : "")), text("td", each.n.toLocaleString("en"), "n"));
    row.title = each.reason;
    return row;
  }));
  $("warned").hidden = !found.warnings.length;
  $("warnings").replaceChildren(...found.warnings.map((each) => {
    const item = text("li", "");
    item.append(text("strong", each.code.replaceAll("_", " ")), `: ${each.message} `, text("span", each.remedy, "muted"));
    return item;
  }));
  const without = Object.entries(found.health).filter(([, each]) => each.reason && !each.n);
  $("unsampled").hidden = !without.length;
  $("unsampled").textContent = without.map(([name, each]) => `${name.replaceAll("_", " ")} not sampled: ${each.reason}`).join("; ");
  $("health").hidden = !Object.keys(found.health).length;
  const reasons = [
    ...Object.entries(found.counts.connections.refused).map(([layer, n]) => `${n} connections refused at ${layer}`),
    ...Object.entries(found.counts.connections.closed).map(([code, n]) => `${n} connections ended with code ${code}`),
    ...Object.entries(found.reasons.refusals || {}).map(([why, n]) => `${n} × refused: ${why}`),
    ...Object.entries(found.reasons.closes || {}).map(([why, n]) => `${n} × closed: ${why}`),
  ];
  const broken = found.errors.slice().reverse().map((each) => `second ${each.second}: a turn ${each.outcome}${each.reason ? ` (${each.reason})` : ""}${each.last ? `; last received: ${each.last}` : "; nothing was received"}`);
  $("faults").hidden = !(reasons.length + broken.length);
  $("errors").replaceChildren(...[...reasons, ...broken].map((line) => text("li", line)));
}

async function poll() {
  try {
    const answer = await fetch(`api/live?since=${columns.second.length}`, { cache: "no-store" });
    const found = await answer.json();
    failures = 0;
    if (found.state === "ended") {
      location.replace("report");
      return;
    }
    const first = latest === null;
    latest = found;
    take(found);
    show(found);
    if (first || health !== sampledNames(found)) build(found);
    else draw();
  } catch (error) {
    failures += 1;
    if (failures === LOST_AFTER) {
      $("clock").textContent = `The run no longer answers: it has ended. Its report is in ${latest ? latest.folder : "its results folder"}.`;
      $("stop").disabled = true;
      return;
    }
  }
  setTimeout(poll, POLL_MS);
}

$("stop").addEventListener("click", async () => {
  $("stop").disabled = true;
  $("stop").textContent = "Stopping …";
  await fetch("stop", { method: "POST" });
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => latest && build(latest));
let resized = 0;
addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(() => plots.forEach(({ plot, box }) => plot.setSize({ width: Math.max(200, box.clientWidth - 28), height: 190 })), 100);
});
poll();
