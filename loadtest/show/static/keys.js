// What keys do on a chart: the same on the page of a run that goes on and on a finished one.
"use strict";

const chartKeys = (() => {
  const MOVES = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
  const HELP = "Left and right move over the values, plus and minus zoom, 0 shows all, Escape leaves them";

  // Where a key leads to from the value at `at`, null if none is chosen yet; undefined if it moves nothing.
  function moved(key, at, first, last) {
    if (!(key in MOVES)) return undefined;
    const from = at ?? (MOVES[key] > 0 ? first - 1 : last + 1);
    return Math.min(last, Math.max(first, from + MOVES[key]));
  }

  // The span that a key shows instead of one that is seen; null is the whole, undefined: the key zooms nothing.
  function zoomed(key, seen, whole, middle, logarithmic) {
    if (key === "0") return null;
    if (!["+", "=", "-"].includes(key)) return undefined;
    const on = logarithmic ? Math.log : Number;
    const off = logarithmic ? Math.exp : Number;
    const [from, to, low, high] = [...seen, ...whole].map(on);
    const half = (to - from) * (key === "-" ? 1 : 0.25);
    const centre = Math.min(to, Math.max(from, on(middle)));
    const [left, right] = [Math.max(low, centre - half), Math.min(high, centre + half)];
    return left <= low && right >= high ? null : [off(left), off(right)];
  }

  // The first and the last of some places in order that lie in a span.
  function within(places, from, to) {
    const first = places.findIndex((place) => place >= from);
    const last = places.findLastIndex((place) => place <= to);
    return first < 0 || last < first ? null : [first, last];
  }

  // Makes an element one that is reached by Tab and takes keys, and says what it is.
  function reachable(element, title, more = "") {
    element.tabIndex = 0;
    element.setAttribute("role", "application");
    element.setAttribute("aria-roledescription", "chart");
    element.setAttribute("aria-label", `${title}. ${HELP}${more}.`);
  }

  // Says what keys led to, to those who do not see it. Values under a mouse are not said.
  let said = null;
  function say(text) {
    if (!said) {
      said = document.createElement("p");
      said.id = "said";
      said.className = "unseen";
      said.setAttribute("role", "status");
      document.body.append(said);
    }
    said.textContent = text;
  }

  return { moved, zoomed, within, reachable, say };
})();
