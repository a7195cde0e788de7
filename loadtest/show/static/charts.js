// The charts of a finished page: hover, zoom, series on and off, linear or logarithmic, a link to what is seen.
// Without it the pictures stand where the charts would be.
"use strict";

(() => {
  const figures = JSON.parse(document.getElementById("chart-data").textContent);
  const $ = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const NARROW = 560;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const charts = [];
  // What is seen, as the address says it: ends of the zoomed span, charts and series that are not as at first.
  const view = { from: null, to: null, tab: "", changed: new Set() };

  // ---------------------------------------------------------------- numbers as text

  const short = (value) => Number(value.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 6 });
  function duration(ms) {
    if (ms >= 1000) return `${short(ms / 1000)} s`;
    return ms >= 1 || ms === 0 ? `${short(ms)} ms` : `${short(ms * 1000)} µs`;
  }
  function told(value, unit) {
    if (value === null || value === undefined) return "not measured";
    return unit === "ms" ? duration(value) : `${short(value)}${unit === "%" ? " %" : unit === "points" ? " points" : unit}`;
  }
  function tick(value, step) {
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    return value.toLocaleString("en", { maximumFractionDigits: Math.min(digits, 6) });
  }
  const counted = (n) => n.toLocaleString("en");

  // A name cut in its middle, since names of releases differ at their ends.
  const LEAST_NAME = 84;
  const SHORTEST = 60;
  const ruler = document.createElement("canvas").getContext("2d");
  function fitted(text, room) {
    ruler.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    for (let kept = text.length; kept > 2; kept -= 1) {
      const cut = kept === text.length ? text : `${text.slice(0, Math.ceil(kept / 2))}…${text.slice(-Math.floor(kept / 2))}`;
      if (ruler.measureText(cut).width <= room) return cut;
      if (room < SHORTEST) return "";
    }
    return "";
  }

  // Neighbours of one name: how many they are, and where their middle is.
  function grouped(names) {
    const groups = [];
    names.forEach((name, at) => {
      const last = groups[groups.length - 1];
      if (last && last.name === name) {
        last.runs += 1;
        last.middle += 0.5;
      } else {
        groups.push({ name, runs: 1, middle: at });
      }
    });
    return groups;
  }

  // ---------------------------------------------------------------- the histograms of a span

  function unpacked(spans, bins) {
    if (spans.bins) return spans.bins;
    spans.bins = new Map(spans.metrics.map(([metric, , text]) => {
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      let at = 0;
      const next = () => {
        let value = 0;
        for (let scale = 1; ; scale *= 128) {
          const byte = bytes[at++];
          value += (byte & 127) * scale;
          if (byte < 128) return value;
        }
      };
      return [metric, Array.from({ length: bins }, () => {
        let index = 0;
        return Array.from({ length: next() }, () => [(index += next()), next()]);
      })];
    }));
    return spans.bins;
  }

  // The samples of some bins: bucket and count in order, and how many there are.
  function summed(bins, first, last) {
    const sum = new Map();
    let n = 0;
    for (const bin of bins.slice(first, last)) {
      for (const [index, count] of bin) {
        sum.set(index, (sum.get(index) || 0) + count);
        n += count;
      }
    }
    return { n, buckets: [...sum].sort((one, other) => one[0] - other[0]) };
  }

  function highest(index, bits) {
    const shift = Math.max(Math.floor(index / 2 ** (bits - 1)) - 1, 0);
    return ((index - shift * 2 ** (bits - 1) + 1) * 2 ** shift - 1) / 1e6;
  }

  function atRanks({ buckets }, ranks, bits) {
    const values = [];
    let seen = 0;
    let at = -1;
    for (const rank of ranks) {
      while (seen < rank) seen += buckets[++at][1];
      values.push(highest(buckets[at][0], bits));
    }
    return values;
  }

  // ---------------------------------------------------------------- one chart

  class Chart {
    constructor(data, key, lead) {
      Object.assign(this, { data, key, lead, log: Boolean(data.log), plot: null, span: null });
      this.on = data.series.map((each) => each.on);
      this.values = data.series.map((each) => each.values);
      this.groups = grouped(data.ticks || []);
      this.box = $("div", `chart ${data.kind}${lead ? " lead" : ""}`);
      const head = $("div", "chart-head");
      head.append($("h3", "", data.title + (data.unit && !data.title.endsWith(` ${data.unit}`) ? `, ${data.unit}` : "")));
      this.about = $("span", "muted", data.about || "");
      head.append(this.about);
      this.scale = $("button", "tool", "logarithmic");
      this.scale.type = "button";
      this.scale.addEventListener("click", () => this.switchScale());
      if (lead || data.unit === "ms") head.append(this.scale);
      this.keys = $("div", "legend");
      this.area = $("div", "area");
      chartKeys.reachable(this.area, data.title, data.links ? ", enter opens the run" : "");
      this.area.addEventListener("keydown", (event) => this.key_(event));
      this.area.addEventListener("blur", () => this.leave());
      this.tip = $("div", "tip");
      this.tip.setAttribute("aria-hidden", "true");
      this.tip.hidden = true;
      this.box.append(head, this.keys, this.area);
      this.buttons = data.series.map((each, at) => this.legend(each, at));
      for (const limit of data.limits || []) {
        const key = $("span", `key limit${limit.missed ? " missed" : ""}`);
        key.append(this.swatch({ colour: "--line-limit", dash: [4, 3] }), `threshold: ${limit.label}${limit.missed ? ", missed" : ""}`);
        this.keys.append(key);
      }
      this.marked();
    }

    swatch({ colour, dash, points }) {
      const drawn = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      drawn.setAttribute("viewBox", "0 0 26 10");
      drawn.setAttribute("aria-hidden", "true");
      const line = document.createElementNS("http://www.w3.org/2000/svg", points ? "circle" : "line");
      const places = points ? { cx: 13, cy: 5, r: 4 } : { x1: 0, x2: 26, y1: 5, y2: 5, "stroke-width": 2.5, "stroke-dasharray": dash.join(" ") };
      for (const [name, value] of Object.entries(places)) line.setAttribute(name, value);
      line.style.stroke = `var(${colour})`;
      line.style.fill = points ? `var(${colour})` : "none";
      drawn.append(line);
      return drawn;
    }

    legend(each, at) {
      const button = $("button", "key");
      button.type = "button";
      button.append(this.swatch(each), each.label);
      button.addEventListener("click", () => {
        this.on[at] = !this.on[at];
        changed(`${this.key}.${at}`);
        this.marked();
        if (this.plot) this.plot.setSeries(at + 1, { show: this.on[at] });
      });
      this.keys.append(button);
      return button;
    }

    marked() {
      this.buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(this.on[at])));
      this.scale.setAttribute("aria-pressed", String(this.log));
    }

    switchScale() {
      this.log = !this.log;
      changed(this.key);
      this.marked();
      this.build();
    }

    get width() {
      return Math.max(200, this.area.clientWidth);
    }

    get height() {
      if (!this.lead) return 180;
      return this.width < NARROW ? 240 : 300;
    }

    range(low, high) {
      const limits = (this.data.limits || []).map((each) => each.value).filter((value) => value > 0);
      const most = Math.max(high ?? 0, ...limits);
      if (!this.log) return this.data.zero ? [Math.min(0, low ?? 0), (most || 1) * 1.08] : [Math.min(low, ...limits) - 0.06 * (most - low || 1), most + 0.06 * (most - low || 1)];
      const least = Math.min(low > 0 ? low : most / 1000 || 1, ...limits);
      const step = 10 ** Math.floor(Math.log10(least));
      const below = [5, 2, 1].find((times) => times * step <= least) ?? 1;
      return [below * step, (most || 1) * 1.3];
    }

    build() {
      if (!this.area.clientWidth) return;
      const { data } = this;
      if (this.plot) this.plot.destroy();
      const grid = { stroke: css("--plot-grid"), width: 1 };
      const font = `12px ${getComputedStyle(document.body).fontFamily}`;
      const axis = { stroke: css("--plot-muted"), grid, ticks: grid, font };
      const options = {
        width: this.width,
        height: this.height,
        legend: { show: false },
        padding: [8, 12, 0, 0],
        cursor: { y: false, drag: { x: true, y: false, setScale: false }, points: { size: 7 }, sync: data.kind === "time" ? { key: "time", setSeries: false } : undefined },
        scales: {
          x: { time: false, ...(data.kind === "percentile" ? { distr: 3 } : {}), range: () => this.across },
          y: { distr: this.log ? 3 : 1, range: (_u, low, high) => this.range(low, high) },
        },
        axes: [{ ...axis, ...this.ticks() }, { ...axis, size: this.width < NARROW ? 48 : 60, values: (_u, at, _axis, _space, step) => at.map((value) => (value === null ? "" : this.log ? short(value) : tick(value, step))) }],
        series: [{}, ...data.series.map((each, at) => ({
          label: each.label,
          show: this.on[at],
          stroke: css(each.colour),
          width: each.width || 2,
          dash: each.dash.length ? each.dash : undefined,
          spanGaps: Boolean(each.gaps),
          paths: each.points ? () => null : each.steps ? uPlot.paths.stepped({ align: 1 }) : undefined,
          points: { show: each.points || data.x.length < 3, size: each.points ? 7 : 5, fill: css(each.colour) },
        }))],
        hooks: {
          drawClear: [(plot) => this.shade(plot)],
          draw: [(plot) => this.limits(plot)],
          setCursor: [(plot) => this.hover(plot)],
          setSelect: [(plot) => this.selected(plot)],
        },
      };
      this.plot = new uPlot(options, [data.x, ...this.values], this.area);
      this.plot.over.append(this.tip);
      this.plot.over.addEventListener("dblclick", () => this.showSpan(null));
      if (data.links) this.plot.over.addEventListener("click", () => this.open());
    }

    get across() {
      if (this.data.kind === "time") return view.from === null ? this.whole : [view.from, view.to];
      return this.span || this.whole;
    }

    ticks() {
      const { data } = this;
      if (data.kind === "percentile") {
        const names = new Map([[1, "0 %"], [2, "50 %"], [10, "90 %"], [100, "99 %"], [1000, "99.9 %"], [1e4, "99.99 %"], [1e5, "99.999 %"], [1e6, "99.9999 %"]]);
        const kept = (low, high) => [...names.keys()].filter((at) => at >= low && at <= high * 1.001 && !(at === 1 && this.width < NARROW));
        return { splits: (_u, _axis, low, high) => kept(low, high), filter: (_u, at) => at, values: (_u, at) => at.map((value) => names.get(value)) };
      }
      if (data.kind === "runs") {
        let found = [];
        return {
          splits: (_u, _axis, low, high) => (found = this.runTicks(low, high)).map(({ middle }) => middle),
          filter: (_u, at) => at,
          values: () => found.map(({ text }) => text),
        };
      }
      return { values: (_u, at) => at.map((value) => `${value.toLocaleString("en")} s`) };
    }

    // The names below runs: one for all runs of a side, as long as it has room; of many names only some.
    runTicks(low, high) {
      const apart = (this.width - 72) / (high - low);
      const inSight = this.groups.filter(({ middle }) => middle >= low && middle <= high);
      const narrowest = Math.min(...inSight.map(({ runs }) => runs * apart));
      const every = Math.max(1, Math.ceil(LEAST_NAME / narrowest));
      return inSight.filter((_group, at) => at % every === 0).map(({ middle, runs, name }) => {
        // It stands in the middle: beside an edge both of its halves are as short. The axis leaves room at the left.
        const edge = 2 * Math.min((middle - low) * apart + 48, (high - middle) * apart + 12);
        return { middle, text: fitted(name, Math.min(Math.max(runs, every) * apart - 10, edge)) };
      });
    }

    shade(plot) {
      const { ctx, bbox } = plot;
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.fillStyle = css("--plot-shade");
      for (const [name, from, to] of this.data.bands || []) {
        const left = plot.valToPos(from, "x", true);
        ctx.fillRect(left, bbox.top, plot.valToPos(to, "x", true) - left, bbox.height);
        if (this.lead) {
          ctx.save();
          ctx.fillStyle = css("--plot-muted");
          ctx.font = `${11 * devicePixelRatio}px system-ui`;
          if (plot.valToPos(to, "x", true) - left > 60 * devicePixelRatio) ctx.fillText(name, left + 5 * devicePixelRatio, bbox.top + 13 * devicePixelRatio);
          ctx.restore();
        }
      }
      ctx.restore();
    }

    limits(plot) {
      const { ctx, bbox } = plot;
      for (const { value, missed } of this.data.limits || []) {
        const y = plot.valToPos(value, "y", true);
        if (y < bbox.top - 1 || y > bbox.top + bbox.height + 1) continue;
        ctx.save();
        ctx.strokeStyle = css("--line-limit");
        ctx.lineWidth = (missed ? 2.5 : 1.5) * devicePixelRatio;
        ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
        ctx.beginPath();
        ctx.moveTo(bbox.left, y);
        ctx.lineTo(bbox.left + bbox.width, y);
        ctx.stroke();
        ctx.restore();
      }
    }

    where(at) {
      const { data } = this;
      if (data.kind === "percentile") return `${short(100 - 100 / data.x[at])} % of turns`;
      if (data.kind === "runs") return data.names[at];
      const start = data.x[at] - data.step / 2;
      return data.step === 1 ? `second ${counted(Math.max(0, Math.round(start)))}` : `${counted(Math.max(0, Math.round(start)))} s to ${counted(Math.round(start + data.step))} s`;
    }

    hover(plot) {
      const { idx, left } = plot.cursor;
      const seen = idx !== null && idx !== undefined && left >= 0 && this.area.matches(":hover, :focus");
      this.tip.hidden = !seen;
      if (!seen) return;
      const rows = this.told(idx).map(({ each, value, n }) => {
        const row = $("div", "row");
        row.append(this.swatch(each), $("span", "", each.label), $("strong", "", value), $("span", "muted", n));
        return row;
      });
      this.tip.replaceChildren($("div", "muted", this.where(idx)), ...rows);
      const wide = this.tip.offsetWidth;
      const room = plot.over.clientWidth;
      this.tip.style.left = `${Math.max(0, left + wide + 20 > room ? Math.min(left, room) - wide - 12 : left + 14)}px`;
    }

    selected(plot) {
      const { left, width } = plot.select;
      if (width < 5) return;
      const from = plot.posToVal(left, "x");
      const to = plot.posToVal(left + width, "x");
      plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
      this.showSpan([from, to]);
    }

    // The whole of its axis; of runs with room for the points at both ends.
    get whole() {
      const { kind, from, to, x } = this.data;
      if (kind === "time") return [from, to];
      return kind === "runs" ? [x[0] - 0.5, x[x.length - 1] + 0.5] : [x[0], x[x.length - 1]];
    }

    showSpan(span) {
      if (this.data.kind === "time") {
        zoom(...(span || [null, null]));
        return;
      }
      this.span = span;
      const [min, max] = this.across;
      this.plot.setScale("x", { min, max });
    }

    key_(event) {
      if (!this.plot || event.ctrlKey || event.metaKey || event.altKey) return;
      const { x } = this.data;
      const seen = this.across;
      const at = this.plot.cursor.idx ?? null;
      const inSight = chartKeys.within(x, ...seen);
      const to = inSight ? chartKeys.moved(event.key, at, ...inSight) : undefined;
      const middle = at === null ? (seen[0] + seen[1]) / 2 : x[at];
      const span = chartKeys.zoomed(event.key, seen, this.whole, middle, this.data.kind === "percentile");
      if (to !== undefined) {
        this.plot.setCursor({ left: this.plot.valToPos(x[to], "x"), top: 10 });
        chartKeys.say(this.reading(to));
      } else if (span !== undefined) {
        this.showSpan(span);
        chartKeys.say(`${this.data.title}: ${this.spanText(span)}`);
        // The scale is set when this event is over; the value that was chosen stays chosen.
        if (at !== null) queueMicrotask(() => this.plot.setCursor({ left: this.plot.valToPos(x[at], "x"), top: 10 }));
      } else if (event.key === "Escape") {
        this.leave();
      } else if (event.key === "Enter" && this.data.links && at !== null) {
        this.open();
      } else {
        return;
      }
      event.preventDefault();
    }

    leave() {
      if (this.plot) this.plot.setCursor({ left: -10, top: -10 });
    }

    // In words what is seen now that a key has chosen this span; what runs over time shows whole steps.
    spanText(span) {
      if (this.data.kind === "time" && view.from !== null) return `${counted(view.from)} s to ${counted(view.to)} s are shown`;
      const inSight = this.data.kind !== "time" && span ? chartKeys.within(this.data.x, ...span) : null;
      return inSight ? `${this.where(inSight[0])} to ${this.where(inSight[1])} are shown` : "all is shown";
    }

    // The values of the series that are on, at a place: label, value, and how many samples it is of.
    told(at) {
      return this.data.series.flatMap((each, index) => {
        const value = this.values[index][at];
        if (!this.on[index] || (value === null && each.points)) return [];
        const n = each.n ? each.n[at] : this.totals ? this.totals[index] : each.total;
        return [{ each, value: told(value, this.data.unit), n: n ? `n=${counted(n)}` : "" }];
      });
    }

    reading(at) {
      const values = this.told(at).map(({ each, value, n }) => `${each.label} ${value}${n ? `, ${n}` : ""}`);
      return `${this.where(at)}: ${values.join("; ") || "nothing was measured"}`;
    }

    open() {
      const link = this.data.links[this.plot.cursor.idx];
      if (link) location.href = link;
    }

    zoomed() {
      if (!this.plot) return;
      const [min, max] = this.across;
      this.plot.setScale("x", { min, max });
    }

    follow(span) {
      // A spectrum shows the span that the timeline shows, as far as its histograms are at hand.
      this.totals = null;
      this.values = this.data.series.map((each) => each.values);
      this.about.textContent = this.data.about || "";
      if (span) {
        this.totals = [];
        this.values = this.data.series.map((each, at) => {
          const found = span.found.get(each.span);
          this.totals[at] = found ? found.n : 0;
          if (!found || found.n < 2) return this.data.x.map(() => null);
          const points = this.data.x.filter((x) => x <= found.n * (1 + 1e-9));
          const ranks = points.map((x) => Math.min(found.n, Math.max(1, Math.ceil((1 - 1 / x) * found.n - 1e-9))));
          const values = atRanks(found, ranks, span.bits);
          return this.data.x.map((_x, index) => values[index] ?? null);
        });
        this.about.textContent = `of the span ${span.text} alone; service times are not kept second by second`;
      }
      if (this.plot) this.plot.setData([this.data.x, ...this.values]);
    }
  }

  // ---------------------------------------------------------------- the span that is seen

  let bar = null;

  // The first chart of the page whose histograms are at hand: its toolbar zooms all that run over time.
  function spanBar(chart) {
    const { data } = chart;
    const tools = $("div", "tools");
    const input = (name, value) => {
      const label = $("label", "", `${name} `);
      const field = $("input");
      Object.assign(field, { type: "number", min: data.from, max: data.to, step: data.step, value });
      field.addEventListener("change", () => zoom(Number(from.value), Number(to.value)));
      label.append(field, " s");
      tools.append(label);
      return field;
    };
    const from = input("from", data.from);
    const to = input("to", data.to);
    const whole = $("button", "tool", "whole run");
    whole.type = "button";
    whole.addEventListener("click", () => zoom(null, null));
    const link = $("button", "tool", "copy link");
    link.type = "button";
    link.addEventListener("click", async () => {
      const before = link.textContent;
      try {
        await navigator.clipboard.writeText(location.href);
        link.textContent = "copied";
      } catch {
        link.textContent = "the address above is the link";
      }
      setTimeout(() => (link.textContent = before), 2000);
    });
    tools.append(whole, link, $("span", "muted hint", "Drag over a chart to zoom, two clicks show all; by keys: arrows, + and −, 0."));
    const cut = $("div", "cut");
    cut.setAttribute("aria-live", "polite");
    chart.box.append(tools, cut);
    bar = { chart, from, to, whole, cut };
  }

  function cutTable(span) {
    const { spans } = bar.chart.data;
    const exact = spans.bits > 10 ? "" : ` within ${short(100 / 2 ** (spans.bits - 1))} %`;
    const missing = spans.missing.slice(...view.bins).reduce((sum, n) => sum + n, 0);
    const left = missing ? `; ${counted(missing)} more were not complete and are in no percentile` : "";
    const caption = $("p", "", `${span.text}: percentiles of the measured turns that were answered in it${exact}${left}`);
    const table = $("table");
    const head = $("tr");
    head.append(...["", "n", ...spans.percentiles.map(([name]) => name), "max"].map((text) => $("th", text ? "num" : "", text)));
    table.append($("thead"), $("tbody"));
    table.tHead.append(head);
    for (const [metric, name, , bounded] of spans.metrics) {
      const show = (ms) => (bounded ? "≤" : "") + duration(ms);
      const found = span.found.get(metric);
      const row = $("tr");
      const parts = spans.percentiles.filter(([, , , least]) => found.n >= least);
      const values = found.n ? atRanks(found, [...parts.map(([, part, of]) => Math.max(1, Math.ceil((part * found.n) / of))), found.n], spans.bits) : [];
      const cells = spans.percentiles.map((_part, at) => (at < parts.length ? show(values[at]) : "–"));
      row.append($("th", "", name), $("td", "num", found.n ? counted(found.n) : "none"), ...cells.map((text) => $("td", "num", text)), $("td", "num", found.n ? show(values[values.length - 1]) : "–"));
      table.tBodies[0].append(row);
    }
    bar.cut.replaceChildren(caption, table);
  }

  function zoom(from, to) {
    if (bar && from !== null) {
      // To whole steps, since the samples of one are kept together.
      const { data } = bar.chart;
      const first = Math.max(0, Math.floor((Math.min(from, to) - data.from) / data.step));
      const last = Math.min(data.x.length, Math.max(first + 1, Math.ceil((Math.max(from, to) - data.from) / data.step)));
      if (!(first < last)) return;
      [from, to] = [data.from + first * data.step, Math.min(data.to, data.from + last * data.step)];
      if (first === 0 && last === data.x.length) from = to = null;
      else view.bins = [first, last];
    }
    [view.from, view.to] = [from, to];
    charts.filter((each) => each.data.kind === "time").forEach((each) => each.zoomed());
    if (bar) recut();
    remember();
  }

  function recut() {
    const { data } = bar.chart;
    bar.from.value = view.from ?? data.from;
    bar.to.value = view.to ?? data.to;
    bar.whole.disabled = view.from === null;
    let span = null;
    if (view.from !== null && data.spans.metrics.length) {
      const bins = unpacked(data.spans, data.x.length);
      const found = new Map([...bins].map(([metric, of]) => [metric, summed(of, ...view.bins)]));
      span = { found, bits: data.spans.bits, text: `${counted(view.from)} s to ${counted(view.to)} s` };
      cutTable(span);
    } else {
      bar.cut.replaceChildren();
    }
    charts.filter((each) => each.data.series.some((one) => one.span)).forEach((each) => each.follow(span));
  }

  // ---------------------------------------------------------------- the address

  function changed(key) {
    if (!view.changed.delete(key)) view.changed.add(key);
    remember();
  }

  function remember() {
    const parts = new URLSearchParams();
    if (view.from !== null) {
      parts.set("from", view.from);
      parts.set("to", view.to);
    }
    if (view.tab) parts.set("tab", view.tab);
    if (view.changed.size) parts.set("changed", [...view.changed].join("_"));
    const text = parts.toString();
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  }

  function recall() {
    const parts = new URLSearchParams(location.hash.slice(1));
    view.changed = new Set((parts.get("changed") || "").split("_").filter((key) => /^\d+\.\d+(\.\d+)?$/.test(key)));
    for (const chart of charts) {
      if (view.changed.has(chart.key)) chart.log = !chart.log;
      chart.on = chart.on.map((on, at) => (view.changed.has(`${chart.key}.${at}`) ? !on : on));
      chart.marked();
    }
    const [from, to] = [Number(parts.get("from")), Number(parts.get("to"))];
    view.tab = parts.get("tab") || "";
    return parts.has("from") && Number.isFinite(from) && Number.isFinite(to) ? [from, to] : null;
  }

  // ---------------------------------------------------------------- tabs

  function tabs() {
    const panels = [...document.querySelectorAll(".panel")];
    if (panels.length < 2) return () => {};
    const list = $("div", "tabs");
    list.setAttribute("role", "tablist");
    const buttons = panels.map((panel, at) => {
      const button = $("button", "", panel.dataset.tab);
      Object.assign(button, { type: "button", id: `tab-${at}` });
      button.setAttribute("role", "tab");
      button.setAttribute("aria-controls", panel.id);
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", button.id);
      button.addEventListener("click", () => {
        show(at);
        view.tab = at ? panel.dataset.tab : "";
        remember();
      });
      button.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const next = (at + step + panels.length) % panels.length;
        buttons[next].click();
        buttons[next].focus();
      });
      return button;
    });
    const show = (chosen) => {
      panels.forEach((panel, at) => {
        panel.hidden = at !== chosen;
        buttons[at].setAttribute("aria-selected", String(at === chosen));
        buttons[at].tabIndex = at === chosen ? 0 : -1;
      });
      charts.filter((each) => !each.plot).forEach((each) => each.build());
    };
    list.append(...buttons);
    panels[0].before(list);
    return () => show(Math.max(0, panels.findIndex((panel) => panel.dataset.tab === view.tab)));
  }

  // ---------------------------------------------------------------- the page

  document.querySelectorAll("figure[data-figure]").forEach((figure) => {
    const number = Number(figure.dataset.figure);
    const found = figures[number];
    if (!found || !found.length) return;
    const lead = figure.hasAttribute("data-lead");
    const box = $("div", "charts");
    found.forEach((data, at) => {
      const chart = new Chart(data, `${number}.${at}`, at === 0 && (lead || data.kind === "percentile"));
      charts.push(chart);
      box.append(chart.box);
      if (data.spans && !bar) spanBar(chart);
    });
    figure.prepend(box);
    figure.classList.add("live");
  });
  const span = recall();
  const opened = tabs();
  opened();
  charts.forEach((each) => each.build());
  if (bar) recut();
  if (span) zoom(...span);
  const rebuilt = () => charts.forEach((each) => each.build());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", rebuilt);
  let resizing = 0;
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(resizing);
    resizing = setTimeout(rebuilt, 100);
  });
  addEventListener("beforeprint", () => document.querySelectorAll("details:not(.turn)").forEach((each) => (each.open = true)));
})();
