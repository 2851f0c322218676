// @ts-check
/**
 * The trace page: `mount(root, options)` draws it into any element, without knowing Streamlit. It owns the state (trace, selection,
 * search, zoom) and hands the parts what they draw. Selecting a span reruns nothing anywhere: it is a class on a row and a fetch.
 */

import { h, icon, iconButton, replace } from "./dom.js";
import { compact, counted, duration, percent, visible } from "./format.js";
import { ICONS, kindIcon } from "./icons.js";
import { createDetail } from "./detail.js";
import { createMinimap } from "./minimap.js";
import { createTree } from "./tree.js";
import { footer, rootNotice } from "./health.js";
import { header, markStage, strip } from "./header.js";
import { actionFor, KEYS } from "./keyboard.js";
import { ancestorsOf, fromColumns, rootOf } from "./model.js";
import { fold, kindCounts, select, visibleRows, withAncestors } from "./rows.js";
import { scoreRow, withScore } from "./scores.js";
import { collectorStore, embeddedStore } from "./store.js";
import { criticalPath, selfTimeByKind, selfTimes } from "./timing.js";
import { neighbour } from "./list.js";
import { recall, remember } from "./preferences.js";

/** How often a trace that still runs is asked for, and one that is not there yet. */
const POLL_MS = 1200;
const POLL_SLOWEST_MS = 10_000;
/** How long a reader rests on a span before its neighbours are read. */
const AHEAD_AFTER_MS = 120;
/** Up to so many spans the whole trace is asked for its health, which the columns do not carry; once the page rests. */
const EXAMINED_UP_TO = 60;
const EXAMINED_AFTER_MS = 900;
/** A trace without its root may still get it for so long after its last news. */
const ROOT_MAY_COME_MS = 60_000;

/**
 * @typedef {object} Options
 * @property {string} [traceId]
 * @property {string} [spanId] span to open
 * @property {string} [api] prefix of the collector's JSON API; default "/api/v1"
 * @property {{trace: any, spans: any[], texts?: string[], health?: any}} [whole] an embedded trace instead of an API
 * @property {string} [tab]
 * @property {{filter?: string, order?: string}} [list] the list this trace was opened from
 * @property {{session?: string, html?: string, traces?: string}} [links] URL prefixes and the list page
 * @property {(state: {traceId: string, spanId: string, tab: string}) => void} [onstate] after each selection, to keep a URL
 * @property {(direction: number) => void} [onstep] previous or next, where there is no collector to ask
 * @property {boolean} [fill] take the height from the viewport; default true
 */

/**
 * @typedef {object} Page what the parts see and may do
 * @property {import("./model.js").Trace} trace
 * @property {import("./rows.js").Folding} folding
 * @property {Float64Array} self
 * @property {import("./store.js").Store} store
 * @property {string} traceId
 * @property {string} api
 * @property {string} tab
 * @property {Set<number>} open
 * @property {{session?: string, html?: string, traces?: string} | undefined} links
 * @property {(spanId: string) => void} select
 * @property {(row: number) => void} toggle
 * @property {(traceId: string, spanId?: string) => void} openTrace
 * @property {(direction: number) => void} step
 * @property {() => void} refresh
 * @property {() => void} onlyErrors
 * @property {(key: string) => void} ontab
 * @property {(given?: any) => void} onscore
 * @property {(text: string) => void} say
 * @property {() => void} help
 * @property {() => string} selectedId
 * @property {(spanId: string) => string} linkTo
 */

/**
 * @param {HTMLElement} root an empty element; becomes the page
 * @param {Options} options
 */
export function mount(root, options) {
  root.classList.add("rp");
  const api = (options.api ?? "/api/v1").replace(/\/$/, "");
  let traceId = options.traceId ?? String(options.whole?.trace.trace_id ?? "");
  let store = options.whole ? embeddedStore(options.whole) : collectorStore(api, traceId);
  let wanted = options.spanId ?? "";
  let selected = -1;
  let text = "";
  /** @type {Set<string>} */
  let kinds = new Set();
  /** @type {Set<string>} */
  let inContent = new Set();
  /** @type {Set<number>} */
  let collapsed = new Set();
  /** @type {[number, number] | null} */
  let zoom = null;
  let critical = false;
  /** @type {Int32Array} */
  let rows = new Int32Array(0);
  /** @type {Uint8Array | null} */
  let hits = null;
  let tab = options.tab ?? "";
  let state = "";
  let timer = 0;
  let wait = POLL_MS;
  let gone = false;
  let ahead = 0;
  let generation = 0;
  let changedBodies = false; // spans are read differently now: what is shown of them is stale

  // ---- Frame ----

  const top = h("div", "top");
  const notice = h("div", "notices");
  const search = /** @type {HTMLInputElement} */ (h("input", { type: "search", placeholder: "Search spans", "aria-label": "Search spans in this trace", autocomplete: "off", spellcheck: "false", maxlength: 300 }));
  const count = h("span", { class: "hit-count", role: "status" });
  const pathButton = iconButton(ICONS.path, "Critical path (x)", () => showCritical(!critical), { "aria-pressed": "false" });
  const toolbar = h(
    "div",
    "toolbar",
    h("label", "search", icon(ICONS.search), search, h("kbd", null, "/")),
    count,
    h("span", "hit-steps", iconButton(ICONS.up, "Previous match or error (p)", () => stepHit(-1)), iconButton(ICONS.down, "Next match or error (n)", () => stepHit(1))),
    h("span", "separator"),
    pathButton,
    iconButton(ICONS.zoomOut, "Show all of the time (0)", () => setZoom(null), { class: "icon-button unzoom" }),
    iconButton(ICONS.collapse, "Collapse all", () => collapseAll(true)),
    iconButton(ICONS.expand, "Expand all", () => collapseAll(false)),
  );
  const pills = h("div", { class: "pills", role: "group", "aria-label": "Show only" });
  const minimap = createMinimap((next) => setZoom(next));
  const tree = createTree({ onselect: (row) => choose(row), ontoggle: (row) => toggle(row), onzoom: (next) => setZoom(next) });
  const rollup = h("div", "rollup");
  const left = h("section", { class: "left", "aria-label": "Tree" }, toolbar, pills, h("div", "minimap-row", minimap.element), notice, tree.element, rollup);
  const splitter = h("div", { class: "splitter", role: "separator", "aria-orientation": "vertical", "aria-label": "Width of the tree", tabindex: 0 });
  const bottom = h("div", "bottom");
  const toast = h("div", { class: "toast", role: "status" });

  /** @type {Page} */
  const page = {
    trace: fromColumns({ trace: {}, columns: { span_id: [], parent: [], start_ns: [] } }),
    folding: { groups: [], of: new Int32Array(0), inside: new Int32Array(0), extra: new Int32Array(0) },
    self: new Float64Array(0),
    store,
    traceId,
    api,
    tab,
    open: new Set(),
    links: options.links,
    select: (spanId) => selectId(spanId),
    toggle: (row) => toggle(row),
    openTrace,
    step,
    refresh: () => {
      store.forget();
      changedBodies = true;
      void load(true);
    },
    onlyErrors: () => setKinds(new Set(["error"])),
    ontab: (key) => {
      tab = key;
      report();
    },
    onscore: (given) => {
      if (given && !given.target.span_id) page.trace.summary.scores = withScore(page.trace.summary.scores ?? [], given);
      drawTop();
      drawRollup();
    },
    say,
    help,
    selectedId: () => (selected >= 0 ? (page.trace.id[selected] ?? "") : ""),
    linkTo,
  };
  const detail = createDetail(page);
  const body = h("main", "body", left, splitter, detail.element);
  const frame = [top, body, bottom, toast];

  // ---- Loading ----

  /** @param {boolean} [again] keep what is shown until the answer is there */
  async function load(again = false) {
    const mine = ++generation;
    clearTimeout(timer);
    if (!traceId) return showState(ICONS.search, "No trace chosen", "Open one from the list of traces, or by its address: /trace?trace_id=…");
    if (!again) {
      performance.mark("trace:asked");
      replace(root, loading());
    }
    try {
      const answer = await store.columns();
      if (gone || mine !== generation) return;
      wait = POLL_MS;
      if (answer) take(answer, again);
      else if (state === "offline") setState("live");
    } catch (error) {
      if (gone || mine !== generation) return;
      failed(/** @type {import("./store.js").Unanswered} */ (error), again);
    }
    plan();
  }

  /** @param {import("./store.js").Unanswered} error @param {boolean} again */
  function failed(error, again) {
    wait = Math.min(POLL_SLOWEST_MS, wait * 1.6);
    if (again && page.trace.size) return setState("offline");
    state = "waiting";
    if (error.status === 404) showState(ICONS.search, "No such trace", `Nothing with the id ${visible(traceId)} has arrived. If it was sent just now it will appear here; it may also have been deleted or pruned.`);
    else if (error.status === 401 || error.status === 403) showState(ICONS.guardrail, "Not allowed", "The collector asks for a token.");
    else if (!error.status || error.status === 502) showState(ICONS.warning, "The collector does not answer", `${error.status ? `${visible(error.message)}. ` : ""}This page tries again by itself; start one with: rightpassage serve`);
    else showState(ICONS.warning, "The collector could not answer", visible(error.message));
  }

  /** Ask again while something may still come: a running trace, a missing root shortly after, a trace that is not there. */
  function plan() {
    if (!store.live || gone) return;
    const running = page.trace.summary.state === "running" || (page.trace.health.running_count ?? 0) > 0;
    const recent = page.trace.summary.root_missing && Date.now() - lastNews() < ROOT_MAY_COME_MS;
    const waiting = state === "waiting" || state === "offline";
    if (!running && !recent && !waiting) return setState("");
    if (!waiting) setState("live");
    timer = setTimeout(() => (document.hidden ? plan() : load(page.trace.size > 0)), waiting ? wait : POLL_MS);
  }

  function lastNews() {
    const { summary, total } = page.trace;
    return summary.start_unix_nano ? Number(BigInt(summary.start_unix_nano) / 1_000_000n) + total / 1e6 : 0;
  }

  /** @param {any} answer @param {boolean} again */
  function take(answer, again) {
    const before = page.trace;
    const group = selected < 0 ? page.folding.groups[~selected] : undefined;
    const keptId = selected >= 0 ? before.id[selected] : group ? before.id[group.first] : wanted;
    const collapsedIds = [...collapsed].map((i) => before.id[i]);
    const openFirsts = [...page.open].map((g) => before.id[page.folding.groups[g].first]);
    const trace = fromColumns(answer);
    if (again) for (let i = 0; i < before.size; i++) if (before.state[i] === "running") store.forget(before.id[i]);
    page.trace = trace;
    page.folding = fold(trace);
    page.self = selfTimes(trace);
    collapsed = new Set(collapsedIds.flatMap((id) => trace.index.get(id) ?? []));
    page.open = new Set(openFirsts.flatMap((id) => page.folding.of[trace.index.get(id) ?? -1] ?? []).filter((g) => g >= 0));
    const found = keptId ? trace.index.get(keptId) : undefined;
    if (keptId && found === undefined && !again) say(`The trace has no span ${keptId}`);
    if (!trace.size) return showState(ICONS.clock, "Nothing has arrived yet", "The trace is known, its spans are not here yet.");
    if (!again || !root.contains(body)) replace(root, ...frame);
    selected = found ?? rootOf(trace);
    if (group && page.folding.of[selected] >= 0) selected = ~page.folding.of[selected];
    else reveal(selected);
    drawAll();
    if (selected < 0) detail.showGroup(~selected);
    else if (changedBodies || !again || !sameSubtree(before, before.index.get(keptId) ?? -1, trace, selected)) detail.show(selected);
    changedBodies = false;
    tree.reveal(positionOf(selected), true);
    if (!again && store.live && trace.size <= EXAMINED_UP_TO && !trace.health.findings?.length) setTimeout(examine, EXAMINED_AFTER_MS, generation);
    root.dataset.ready = traceId;
    if (!again) performance.mark("trace:visible"); // benchmarks/trace_page.py
    report();
  }

  /** @param {number} mine */
  async function examine(mine) {
    if (gone || mine !== generation) return;
    try {
      const { health } = await store.ask(`/traces/${encodeURIComponent(traceId)}`);
      if (gone || mine !== generation || !health?.findings?.length) return;
      page.trace.health = health;
      replace(bottom, footer(page, state));
      const id = page.selectedId();
      if (health.findings.some((/** @type {any} */ finding) => finding.span_ids?.includes(id))) detail.show(selected);
    } catch {
      // The page reads without it.
    }
  }

  function loading() {
    return h("div", { class: "state", "aria-busy": "true" }, h("div", "skeleton wide", h("i"), h("i"), h("i"), h("i"), h("i"), h("i")), h("p", "muted", "Loading the trace…"));
  }

  /** @param {readonly string[]} picture @param {string} title @param {string} words */
  function showState(picture, title, words) {
    root.removeAttribute("data-ready");
    replace(root, h("div", { class: "state whole", role: "status" }, icon(picture), h("h2", null, title), h("p", null, words), options.links?.traces && h("a", { class: "button", href: options.links.traces }, "All traces")));
  }

  /** @param {string} next */
  function setState(next) {
    if (state === next) return;
    state = next;
    replace(bottom, footer(page, state));
  }

  // ---- Drawing ----

  function drawTop() {
    replace(top, header(page), strip(page));
    markStage(top, selected);
  }

  function drawAll() {
    drawTop();
    replace(notice, rootNotice(page));
    drawPills();
    drawRollup();
    replace(bottom, footer(page, state));
    minimap.draw(page.trace, view());
    drawRows();
  }

  function drawRows() {
    const { trace, folding } = page;
    hits = select(trace, text, kinds, inContent);
    rows = visibleRows(trace, folding, { collapsed, open: page.open, keep: hits && withAncestors(trace, hits) });
    const found = hits ? hits.reduce((sum, hit) => sum + hit, 0) : 0;
    count.textContent = hits ? `${compact(found)} of ${compact(trace.size)}` : counted(trace.size, "span");
    left.classList.toggle("searching", hits !== null);
    /** @type {Map<number, [number, number][]> | null} */
    let segments = null;
    if (critical) {
      segments = new Map();
      for (const { span, from, to } of criticalPath(trace, rootOf(trace))) segments.set(span, [...(segments.get(span) ?? []), [from, to]]);
    }
    tree.show({ trace, folding, rows, collapsed, open: page.open, hits, selected, zoom: view(), critical: segments, orphans: trace.orphans, self: page.self });
  }

  function drawPills() {
    const counts = kindCounts(page.trace);
    replace(
      pills,
      counts.map(({ key, count: number }) => {
        const on = kinds.has(key);
        const picture = key === "error" ? ICONS.error : key === "running" ? ICONS.clock : kindIcon(key);
        const name = key === "error" ? (number === 1 ? "error" : "errors") : key.toLowerCase();
        return h(
          "button",
          { type: "button", class: `kind-pill k-${key.toLowerCase()}`, "aria-pressed": String(on), data: { kind: key }, onclick: () => setKinds(on ? without(kinds, key) : new Set([...kinds, key])) },
          icon(picture),
          name,
          h("span", "count", compact(number)),
        );
      }),
      kinds.size > 0 && h("button", { type: "button", class: "as-link quiet", onclick: () => setKinds(new Set()) }, "all kinds"),
    );
  }

  /** @param {Set<string>} set @param {string} key */
  function without(set, key) {
    return new Set([...set].filter((each) => each !== key));
  }

  function drawRollup() {
    const { trace, self } = page;
    const parts = selfTimeByKind(trace, self);
    const shown = parts.filter((part) => part.share >= 0.005).slice(0, 6);
    const scores = trace.summary.scores ?? [];
    replace(
      rollup,
      h(
        "div",
        "self-time",
        h("h4", { title: "Time spent in spans themselves, without their children" }, "Self time by kind"),
        h("div", "stacked-bar", parts.map((part) => h("i", { class: `k-${part.kind.toLowerCase()}`, style: { "flex-grow": String(part.share) }, title: `${part.kind.toLowerCase()} ${duration(part.ns)}` }))),
        h("div", "legend-row", shown.map((part) => h("span", { class: `k-${part.kind.toLowerCase()}`, title: duration(part.ns) }, h("i", "dot"), part.kind.toLowerCase(), " ", h("b", null, percent(part.share))))),
      ),
      scores.length > 0 && h("div", "score-list", h("h4", null, "Scores"), scores.slice(0, 5).map(scoreRow), scores.length > 5 && h("p", "tiny", `+${scores.length - 5} more`)),
    );
  }

  // ---- Selection ----

  /** @param {number} row a span or ~group */
  function choose(row) {
    selected = row;
    tree.mark(row);
    if (row < 0) detail.showGroup(~row);
    else detail.show(row);
    markStage(top, row);
    report();
    clearTimeout(ahead);
    ahead = setTimeout(readAhead, AHEAD_AFTER_MS);
  }

  /** Bodies of the rows a reader steps to next, once they rest: then j and k show them at once. */
  function readAhead() {
    if (gone || !store.live) return;
    const at = positionOf(selected);
    for (const row of [rows[at + 1], rows[at + 2], rows[at - 1]]) if (row >= 0 && page.trace.state[row] !== "running") store.body(page.trace.id[row]).catch(() => {});
  }

  /** @param {string} spanId */
  function selectId(spanId) {
    const i = page.trace.index.get(spanId);
    if (i === undefined) return;
    if (hits && !hits[i]) clearSearch();
    const changed = reveal(i);
    if (changed) drawRows();
    choose(i);
    tree.reveal(positionOf(i), true);
  }

  /** Opens everything above a span. @param {number} i */
  function reveal(i) {
    let changed = false;
    const { inside } = page.folding;
    for (const at of [...ancestorsOf(page.trace, i), i]) {
      if (at !== i && collapsed.delete(at)) changed = true;
      if (inside[at] >= 0 && !page.open.has(inside[at])) {
        page.open.add(inside[at]);
        changed = true;
      }
    }
    return changed;
  }

  /** @param {number} row */
  function positionOf(row) {
    return Math.max(0, rows.indexOf(row));
  }

  /** @param {number} row */
  function toggle(row) {
    const set = row < 0 ? page.open : collapsed;
    const key = row < 0 ? ~row : row;
    if (row >= 0 && page.trace.end[row] <= row + 1) return;
    if (!set.delete(key)) set.add(key);
    const inView = row < 0 || selected < 0 || !(collapsed.has(row) && selected > row && selected < page.trace.end[row]);
    drawRows();
    if (!inView) choose(row);
    else if (row < 0 && selected === row) detail.showGroup(~row);
    if (rows.indexOf(selected) < 0) choose(row);
  }

  /** @param {boolean} closed */
  function collapseAll(closed) {
    const { trace, folding } = page;
    collapsed = new Set();
    page.open = new Set();
    if (closed) for (let i = 0; i < trace.size; i++) if (trace.parent[i] >= 0 && trace.end[i] > i + 1) collapsed.add(i);
    if (!closed) folding.groups.forEach((_, g) => page.open.add(g));
    drawRows();
    if (rows.indexOf(selected) < 0) choose(rows[0]);
    tree.reveal(positionOf(selected), true);
  }

  /** @param {number} by */
  function move(by) {
    const next = Math.min(rows.length - 1, Math.max(0, positionOf(selected) + by));
    choose(rows[next]);
    tree.reveal(next);
  }

  /** @param {boolean} opening */
  function openOrClose(opening) {
    const { trace, folding } = page;
    const position = positionOf(selected);
    if (selected < 0) {
      if (page.open.has(~selected) !== opening) toggle(selected);
      else if (opening) move(1);
      else goTo(trace.parent[folding.groups[~selected].first]);
      return;
    }
    const parent = trace.end[selected] > selected + 1;
    if (opening) {
      if (parent && collapsed.has(selected)) toggle(selected);
      else if (parent && rows[position + 1] !== undefined) move(1);
    } else if (parent && !collapsed.has(selected)) toggle(selected);
    else if (folding.inside[selected] >= 0 && !hits) goTo(~folding.inside[selected]);
    else goTo(trace.parent[selected]);
  }

  /** @param {number} row */
  function goTo(row) {
    const position = rows.indexOf(row);
    if (position < 0) return;
    choose(row);
    tree.reveal(position);
  }

  /** @param {number} direction next or previous match; without a search the next error */
  function stepHit(direction) {
    const { trace } = page;
    const isHit = (/** @type {number} */ i) => (hits ? hits[i] === 1 : trace.status[i] === "error");
    const from = selected < 0 ? page.folding.groups[~selected].first : selected;
    for (let step = 1; step <= trace.size; step++) {
      const i = (((from + direction * step) % trace.size) + trace.size) % trace.size;
      if (!isHit(i)) continue;
      if (reveal(i)) drawRows();
      choose(i);
      tree.reveal(positionOf(i), true);
      return;
    }
    say(hits ? "No span matches" : "No span failed");
  }

  // ---- Search, zoom ----

  /** @param {Set<string>} next */
  function setKinds(next) {
    kinds = next;
    drawPills();
    drawRows();
    if (hits && (selected < 0 || !hits[selected]) && hits.includes(1)) stepHit(1);
    else tree.reveal(positionOf(selected), true);
  }

  function clearSearch() {
    text = search.value = "";
    inContent = new Set();
    kinds = new Set();
    drawPills();
    drawRows();
    tree.reveal(positionOf(selected), true);
  }

  search.addEventListener("input", () => {
    text = search.value.trim();
    inContent = new Set();
    drawRows();
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") void searchContent().then(() => stepHit(event.shiftKey ? -1 : 1));
    else if (event.key === "ArrowDown") tree.scroller.focus();
  });

  /** Inputs, outputs and passages are searched by the collector; only on Enter, for they are not on this page. */
  async function searchContent() {
    const asked = text;
    if (!asked || !store.live || inContent.size) return;
    try {
      const filter = `trace_id:${traceId} ${JSON.stringify(asked)}`;
      const answer = await store.ask(`/spans?limit=1000&filter=${encodeURIComponent(filter)}`);
      if (asked !== text) return;
      inContent = new Set((answer?.spans ?? []).map((/** @type {any} */ span) => span.span_id));
      if (inContent.size) drawRows();
    } catch {
      // The collector may not search content; names were searched already.
    }
  }

  /** @returns {[number, number]} */
  function view() {
    return zoom ?? [0, page.trace.total || 1];
  }

  /** @param {[number, number] | null} next */
  function setZoom(next) {
    const whole = page.trace.total || 1;
    if (next) {
      const from = Math.max(0, next[0]);
      const to = Math.min(whole, next[1]);
      zoom = to - from < 1 || (from <= 0 && to >= whole) ? null : [from, to];
    } else zoom = null;
    root.classList.toggle("zoomed", zoom !== null);
    minimap.show(view());
    drawRows();
  }

  /** @param {boolean} on */
  function showCritical(on) {
    critical = on;
    pathButton.setAttribute("aria-pressed", String(on));
    root.classList.toggle("shows-critical", on);
    drawRows();
  }

  function zoomToSelected() {
    const { trace, folding } = page;
    const [start, end] = selected < 0 ? [folding.groups[~selected].start, folding.groups[~selected].end] : [trace.start[selected], trace.start[selected] + trace.duration[selected]];
    const room = Math.max(1, (end - start) * 0.03);
    setZoom([start - room, end + room]);
  }

  // ---- Going elsewhere ----

  /** @param {string} nextTrace @param {string} [spanId] */
  function openTrace(nextTrace, spanId = "") {
    if (nextTrace === traceId) {
      if (spanId) selectId(spanId);
      return;
    }
    if (!store.live) return say("The other trace is not in this file");
    traceId = page.traceId = nextTrace;
    store = page.store = collectorStore(api, nextTrace);
    wanted = spanId;
    selected = -1;
    collapsed = new Set();
    page.open = new Set();
    zoom = null;
    text = search.value = "";
    kinds = new Set();
    inContent = new Set();
    state = "";
    page.trace = fromColumns({ trace: {}, columns: { span_id: [], parent: [], start_ns: [] } });
    void load();
  }

  /** @param {number} direction */
  async function step(direction) {
    if (!store.live) return options.onstep?.(direction);
    try {
      const next = await neighbour(store, traceId, direction, options.list ?? {});
      if (next) openTrace(next);
      else say(direction < 0 ? "This is the first trace of the list" : "This is the last trace of the list");
    } catch (error) {
      say(/** @type {Error} */ (error).message);
    }
  }

  /** @param {string} spanId */
  function linkTo(spanId) {
    const url = new URL(location.href);
    url.searchParams.set("trace_id", traceId);
    if (spanId) url.searchParams.set("span_id", spanId);
    return url.href;
  }

  function report() {
    options.onstate?.({ traceId, spanId: page.selectedId(), tab });
  }

  /** @param {string} words */
  function say(words) {
    toast.textContent = words;
    toast.classList.add("shown");
    clearTimeout(Number(toast.dataset.timer));
    toast.dataset.timer = String(setTimeout(() => toast.classList.remove("shown"), 2600));
  }

  function help() {
    const open = root.querySelector("dialog");
    if (open) return /** @type {HTMLDialogElement} */ (open).close();
    const dialog = /** @type {HTMLDialogElement} */ (h(
      "dialog",
      { class: "help", "aria-label": "Keys" },
      h("header", null, h("h2", null, "Keys"), iconButton(ICONS.close, "Close", () => dialog.close())),
      h("dl", null, KEYS.map(([, keys, what]) => [h("dt", null, keys.map((key) => h("kbd", null, SHORT[key] ?? key))), h("dd", null, what)])),
      h("p", "muted", "Drag on the small overview to zoom into a part of the time; Ctrl with the wheel zooms the bars. Double-click a row to open or close it."),
    ));
    dialog.addEventListener("close", () => dialog.remove());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    root.append(dialog);
    dialog.showModal();
  }

  // ---- Keys, sizes ----

  /** @type {Record<string, () => void>} */
  const act = {
    next: () => move(1),
    previous: () => move(-1),
    close: () => openOrClose(false),
    open: () => openOrClose(true),
    first: () => move(-rows.length),
    last: () => move(rows.length),
    pageUp: () => move(-tree.pageSize()),
    pageDown: () => move(tree.pageSize()),
    search: () => {
      search.focus();
      search.select();
    },
    nextHit: () => stepHit(1),
    previousHit: () => stepHit(-1),
    previousTrace: () => void step(-1),
    nextTrace: () => void step(1),
    annotate: () => {
      if (selected < 0) return;
      tab = "scores";
      detail.choose("scores");
      requestAnimationFrame(() => /** @type {HTMLElement | null} */ (detail.element.querySelector(".score-form input[name=name]"))?.focus());
    },
    zoom: zoomToSelected,
    unzoom: () => setZoom(null),
    critical: () => showCritical(!critical),
    leave: () => {
      const active = /** @type {HTMLElement | null} */ (/** @type {any} */ (root.getRootNode()).activeElement);
      const typing = active && ["INPUT", "TEXTAREA", "SELECT"].includes(active.tagName);
      if (typing && active !== search) return tree.scroller.focus();
      if (text || kinds.size) clearSearch();
      else if (zoom) setZoom(null);
      if (typing) tree.scroller.focus();
    },
    help,
  };
  const SCROLLING = new Set(["next", "previous", "first", "last", "pageUp", "pageDown", "close", "open"]);
  const onkey = (/** @type {KeyboardEvent} */ event) => {
    if (!page.trace.size || !root.isConnected || root.querySelector("dialog[open]")) return;
    const target = /** @type {HTMLElement | undefined} */ (event.composedPath()[0]);
    const action = actionFor(event, target);
    if (!action) return;
    // In the detail pane arrows and page keys scroll, as they do everywhere; letters still step through the tree.
    if (SCROLLING.has(action) && event.key.length > 1 && target && detail.element.contains(target)) return;
    event.preventDefault();
    act[action]();
  };
  document.addEventListener("keydown", onkey);

  const WIDTH = "rightpassage.tree-width";
  const setWidth = (/** @type {number} */ share) => {
    const clamped = Math.min(0.75, Math.max(0.28, share));
    body.style.setProperty("--tree-width", `${(clamped * 100).toFixed(1)}%`);
    splitter.setAttribute("aria-valuenow", String(Math.round(clamped * 100)));
    remember(WIDTH, String(clamped));
    return clamped;
  };
  let width = Number(recall(WIDTH)) || 0.52;
  setWidth(width);
  splitter.addEventListener("pointerdown", (event) => {
    splitter.setPointerCapture(event.pointerId);
    const drag = (/** @type {PointerEvent} */ move) => {
      const box = body.getBoundingClientRect();
      width = setWidth((move.clientX - box.left) / box.width);
    };
    splitter.addEventListener("pointermove", drag);
    splitter.addEventListener("pointerup", () => {
      splitter.removeEventListener("pointermove", drag);
      if (page.trace.size) drawRows();
    }, { once: true });
  });
  splitter.addEventListener("keydown", (event) => {
    const by = event.key === "ArrowLeft" ? -0.02 : event.key === "ArrowRight" ? 0.02 : 0;
    if (!by) return;
    event.stopPropagation();
    width = setWidth(width + by);
    drawRows();
  });

  const fit = () => {
    const above = Math.max(0, root.getBoundingClientRect().top + scrollY);
    root.style.height = `${Math.max(420, innerHeight - above - 8)}px`;
  };
  if (options.fill !== false) {
    fit();
    addEventListener("resize", fit);
  }

  void load();

  return {
    /** @param {Partial<Options>} next another trace or span was asked for from outside */
    update(next) {
      if (next.list) options.list = next.list;
      if (next.traceId && next.traceId !== traceId) openTrace(next.traceId, next.spanId);
      else if (next.spanId && next.spanId !== page.selectedId()) selectId(next.spanId);
    },
    destroy() {
      gone = true;
      clearTimeout(timer);
      clearTimeout(ahead);
      document.removeEventListener("keydown", onkey);
      removeEventListener("resize", fit);
    },
  };
}

/**
 * Whether a span and what is below it stayed as they were: then its detail keeps its scroll and its open cards while others arrive.
 * @param {import("./model.js").Trace} before @param {number} i @param {import("./model.js").Trace} after @param {number} at
 */
function sameSubtree(before, i, after, at) {
  if (i < 0 || before.end[i] - i !== after.end[at] - at) return false;
  for (let offset = 0; i + offset < before.end[i]; offset++) if (before.state[i + offset] !== after.state[at + offset]) return false;
  return true;
}

/** @type {Record<string, string>} */
const SHORT = { ArrowDown: "↓", ArrowUp: "↑", ArrowLeft: "←", ArrowRight: "→", PageUp: "PgUp", PageDown: "PgDn", Escape: "Esc" };
