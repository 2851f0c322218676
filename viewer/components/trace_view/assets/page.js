// @ts-check
/**
 * The state of a trace page (trace, selection, search, zoom) and what a reader can do to it. The parts draw what it holds; selecting a span
 * reruns nothing anywhere: it is a class on a row and a fetch.
 */

import { afterPaint, h, replace } from "./dom.js";
import { createDetail } from "./detail.js";
import { createMinimap } from "./minimap.js";
import { createSearch } from "./search.js";
import { createSplitter } from "./splitter.js";
import { createToast, loadingState, NO_SPANS, NO_TRACE, remarkOn, remarkState, toggleHelp } from "./states.js";
import { createTree } from "./tree.js";
import { footer, rootNotice } from "./health.js";
import { header, markStage, strip } from "./header.js";
import { actionFor } from "./keyboard.js";
import { labelled, labelsOf, unlabelled } from "./labels.js";
import { incomingLinks, linksTo, UNLINKED } from "./links.js";
import { ancestorsOf, fromColumns, rootOf } from "./model.js";
import { fold, select, visibleRows, withAncestors } from "./rows.js";
import { rollup } from "./rollup.js";
import { withScore } from "./scores.js";
import { collectorStore, embeddedStore } from "./store.js";
import { criticalPath, selfTimes } from "./timing.js";
import { neighbour } from "./list.js";
import { News } from "./news.js";

/** @typedef {TracePage} Page what the parts see and may do */
/** @typedef {import("./mount.js").Options} Options */

/** How often a trace that still runs, or is not there yet, is asked for where news of it do not come by themselves. */
const POLL_MS = 1200;
const POLL_SLOWEST_MS = 10_000;
/** How long a reader rests on a span before its neighbours are read. */
const AHEAD_AFTER_MS = 120;
/** How long a page has stood when it asks for what it can be read without. */
const RESTS_AFTER_MS = 900;
/** Up to so many spans the whole trace is asked for its health, of which the columns carry only what the tree's shape tells. */
const EXAMINED_UP_TO = 60;
/** Up to so many spans it is asked for what their names do not say. */
const LABELLED_UP_TO = 300;
/** A trace without its root may still get it for so long after its last news. */
const ROOT_MAY_COME_MS = 60_000;
const LEAST_HEIGHT = 420;
const LEAST_STACKED = 900; // px, with the detail below the tree: then the page scrolls
/** Smaller traces are their own overview: no map above them. */
const MAPPED_FROM = 8;

/** Keys that scroll where they are pressed in scrolling text. */
const SCROLLING = new Set(["next", "previous", "first", "last", "pageUp", "pageDown", "close", "open"]);

const nothing = () => fromColumns({ trace: {}, columns: { span_id: [], parent: [], start_ns: [] } });

/** One trace page in one element. */
export class TracePage {
  /** @param {HTMLElement} root @param {Options} options */
  constructor(root, options) {
    this.root = root;
    this.options = options;
    this.api = (options.api ?? "/api/v1").replace(/\/$/, "");
    this.traceId = options.traceId ?? String(options.whole?.trace.trace_id ?? "");
    this.store = options.whole ? embeddedStore(options.whole) : collectorStore(this.api, this.traceId);
    this.links = options.links;
    this.tab = options.tab ?? "";
    this.wanted = options.spanId ?? "";

    this.trace = nothing();
    this.incoming = UNLINKED;
    this.labels = labelsOf(options.whole?.spans ?? []);
    this.folding = fold(this.trace);
    /** @type {Float64Array} */
    this.self = new Float64Array(0); // own time of each span
    this.selected = -1; // a span, or ~group
    /** @type {Set<number>} */
    this.collapsed = new Set();
    /** @type {Set<number>} */
    this.open = new Set(); // groups
    /** @type {[number, number] | null} */
    this.zoom = null;
    this.critical = false;
    /** @type {Int32Array} */
    this.rows = new Int32Array(0);
    /** @type {Uint8Array | null} */
    this.hits = null;

    this.news = new News(this.api, () => void this.load(this.trace.size > 0));
    this.state = ""; // "live", "offline", "waiting"
    this.wait = POLL_MS;
    this.timer = 0;
    this.ahead = 0;
    this.generation = 0;
    this.gone = false;
    this.changedBodies = false; // spans are read differently now: what is shown of them is stale

    this.search = createSearch({
      onask: (kinds) => this.ask(kinds),
      onenter: (direction) => void this.searchContent().then(() => this.stepHit(direction)),
      onstep: (direction) => this.stepHit(direction),
      onleave: () => this.tree.scroller.focus(),
      oncritical: () => this.showCritical(!this.critical),
      onunzoom: () => this.setZoom(null),
      oncollapse: (closed) => this.collapseAll(closed),
    });
    this.minimap = createMinimap((zoom) => this.setZoom(zoom));
    this.tree = createTree({ onselect: (row) => this.choose(row), ontoggle: (row) => this.toggle(row), onzoom: (zoom) => this.setZoom(zoom) });
    this.detail = createDetail(this);
    this.toast = createToast();
    this.top = h("div", "top");
    this.notice = h("div", "notices");
    this.rollup = h("div", "rollup");
    this.bottom = h("div", "bottom");
    this.body = this.frame();
    this.onkey = (/** @type {KeyboardEvent} */ event) => this.key(event);
    this.onresize = () => this.fit();
    this.onvisible = () => this.plan();
    root.classList.add("rp");
    this.listen();
  }

  /** The two panes and what lies between them. */
  frame() {
    const splitter = createSplitter(() => this.trace.size && this.drawRows());
    const { search, minimap, tree } = this;
    const left = h("section", { class: "left", "aria-label": "Tree" }, search.toolbar, search.pills, h("div", "minimap-row", minimap.element), this.notice, tree.element, this.rollup);
    const body = h(this.options.whole ? "main" : "div", "body", left, splitter.element, this.detail.element);
    splitter.place();
    return body;
  }

  listen() {
    document.addEventListener("keydown", this.onkey);
    document.addEventListener("visibilitychange", this.onvisible);
    if (this.options.fill === false) return;
    this.fit();
    addEventListener("resize", this.onresize);
  }

  fit() {
    const above = Math.max(0, this.root.getBoundingClientRect().top + scrollY);
    const least = matchMedia("(max-width: 900px)").matches ? LEAST_STACKED : LEAST_HEIGHT;
    this.root.style.height = `${Math.max(least, innerHeight - above - 8)}px`;
  }

  destroy() {
    this.gone = true;
    clearTimeout(this.timer);
    clearTimeout(this.ahead);
    this.news.hush();
    document.removeEventListener("keydown", this.onkey);
    document.removeEventListener("visibilitychange", this.onvisible);
    removeEventListener("resize", this.onresize);
  }

  // ---- Loading ----

  /** @param {boolean} [again] keep what is shown until the answer is there */
  async load(again = false) {
    const mine = ++this.generation;
    clearTimeout(this.timer);
    if (!this.traceId) return this.remark(NO_TRACE);
    if (!again) {
      performance.mark("trace:asked");
      this.root.removeAttribute("data-ready");
      replace(this.root, loadingState());
    }
    try {
      const answer = await this.store.columns();
      if (this.outdated(mine)) return;
      this.wait = POLL_MS;
      if (answer) this.take(answer, again);
      else if (this.state === "offline") this.setState("live");
    } catch (error) {
      if (this.outdated(mine)) return;
      this.failed(/** @type {import("./store.js").Unanswered} */ (error), again);
    }
    this.plan();
  }

  /** @param {number} generation */
  outdated(generation) {
    return this.gone || generation !== this.generation;
  }

  /** @param {import("./store.js").Unanswered} error @param {boolean} again */
  failed(error, again) {
    this.wait = Math.min(POLL_SLOWEST_MS, this.wait * 1.6);
    if (again && this.trace.size) return this.setState("offline");
    this.state = "waiting";
    this.remark(remarkOn(error, this.traceId));
  }

  /** @param {import("./states.js").Remark} remark in place of the page */
  remark(remark) {
    this.root.removeAttribute("data-ready");
    replace(this.root, remarkState(remark, this.links?.traces));
  }

  /** Look again while something may still come: a running trace, a missing root shortly after, a trace that is not there. */
  plan() {
    clearTimeout(this.timer);
    if (!this.store.live || this.gone || !this.traceId) return;
    const waiting = this.state === "waiting" || this.state === "offline";
    if (!waiting && !this.mayGrow()) {
      this.news.hush();
      return this.setState("");
    }
    if (!waiting) this.setState("live");
    if (document.hidden) return this.news.hush(); // goes on when it is looked at
    this.news.listen(this.traceId);
    const wait = this.news.open ? POLL_SLOWEST_MS : waiting ? this.wait : POLL_MS; // also beside the stream: a root that never comes
    this.timer = setTimeout(() => void this.load(this.trace.size > 0), wait);
  }

  mayGrow() {
    const { summary, health, total } = this.trace;
    if (summary.state === "running" || (health.running_count ?? 0) > 0) return true;
    const news = summary.start_unix_nano ? Number(BigInt(summary.start_unix_nano) / 1_000_000n) + total / 1e6 : 0;
    return Boolean(summary.root_missing) && Date.now() - news < ROOT_MAY_COME_MS;
  }

  /** @param {string} next */
  setState(next) {
    if (this.state === next) return;
    this.state = next;
    replace(this.bottom, footer(this, next));
  }

  /** A new answer of the collector: the reader stays where they are. @param {any} answer @param {boolean} again */
  take(answer, again) {
    const before = this.trace;
    const inView = !again || this.tree.shows(this.positionOf(this.selected));
    const group = this.selected < 0 ? this.folding.groups[~this.selected] : undefined;
    const keptId = this.selected >= 0 ? before.id[this.selected] : group ? before.id[group.first] : this.wanted;
    if (again) for (let i = 0; i < before.size; i++) if (before.state[i] === "running") this.store.forget(before.id[i]);
    this.adopt(fromColumns(answer));
    const { trace, folding } = this;
    if (!trace.size) return this.remark(NO_SPANS);
    const found = keptId ? trace.index.get(keptId) : undefined;
    if (keptId && found === undefined && !again) this.say(`The trace has no span ${keptId}`);
    if (!again || !this.root.contains(this.body)) replace(this.root, this.top, this.body, this.bottom, this.toast.element);
    this.selected = found ?? rootOf(trace);
    if (group && folding.of[this.selected] >= 0) this.selected = ~folding.of[this.selected];
    else this.reveal(this.selected);
    this.drawTree();
    if (inView) this.tree.reveal(this.positionOf(this.selected), true); // who has scrolled elsewhere stays there
    const { traceId } = this;
    const waiting = () => !this.gone && traceId === this.traceId && this.root.dataset.ready !== traceId;
    const changed = this.changedBodies || waiting() || !sameSubtree(before, before.index.get(keptId) ?? -1, trace, this.selected);
    this.changedBodies = false;
    if (again) return this.drawBeside(changed);
    performance.mark("trace:visible"); // benchmarks/trace_page.py
    afterPaint(() => waiting() && this.drawBeside(true));
  }

  /** What is read after the tree: at first it waits until the tree has been painted. @param {boolean} changed whether the chosen span is drawn anew */
  drawBeside(changed) {
    this.minimap.draw(this.trace, this.view());
    if (this.selected < 0) this.detail.showGroup(~this.selected);
    else if (changed) this.detail.show(this.selected);
    if ((this.root.dataset.ready !== this.traceId || !this.mayGrow()) && this.store.live) setTimeout((/** @type {number} */ mine) => this.rest(mine), RESTS_AFTER_MS, this.generation);
    this.root.dataset.ready = this.traceId;
    this.report();
    if (this.store.live && this.trace.size <= LABELLED_UP_TO && unlabelled(this.trace, this.labels)) void this.askWhatRan();
  }

  async askWhatRan() {
    const { traceId } = this;
    try {
      const { spans } = await this.store.ask(`/traces/${encodeURIComponent(traceId)}`);
      if (this.gone || traceId !== this.traceId) return;
      this.labels = labelsOf(spans);
      this.adopt(this.trace);
      this.drawTree();
      if (this.selected >= 0) this.detail.show(this.selected);
    } catch {
      // The page reads without it.
    }
  }

  /** What is collapsed and unfolded follows its spans into the new columns. @param {import("./model.js").Trace} trace */
  adopt(trace) {
    const collapsed = [...this.collapsed].map((i) => this.trace.id[i]);
    const open = [...this.open].map((g) => this.trace.id[this.folding.groups[g].first]);
    this.trace = labelled(trace, this.labels);
    this.folding = fold(this.trace);
    this.self = selfTimes(trace);
    this.collapsed = new Set(collapsed.flatMap((id) => trace.index.get(id) ?? []));
    this.open = new Set(open.flatMap((id) => this.folding.of[trace.index.get(id) ?? -1] ?? []).filter((g) => g >= 0));
  }

  /** Nothing new came for a moment. @param {number} generation */
  rest(generation) {
    if (this.outdated(generation)) return;
    if (this.trace.size <= EXAMINED_UP_TO) void this.examine(generation);
    void this.askWhoLinks(generation);
  }

  /** @param {number} generation */
  async askWhoLinks(generation) {
    try {
      const incoming = await incomingLinks(this.store, this.traceId);
      if (this.outdated(generation) || !incoming.from.length) return;
      this.incoming = incoming;
      this.drawTop();
      if (linksTo(this, this.selectedId()).length) this.detail.show(this.selected);
    } catch {
      // The page reads without it.
    }
  }

  /** @param {number} generation */
  async examine(generation) {
    try {
      const { health } = await this.store.ask(`/traces/${encodeURIComponent(this.traceId)}`);
      if (this.outdated(generation) || !health?.findings?.length) return;
      this.trace.health = health;
      const open = this.bottom.querySelector(".health[open]") !== null;
      replace(this.bottom, footer(this, this.state));
      if (open) this.bottom.querySelector("details.health")?.setAttribute("open", "");
      const id = this.selectedId();
      if (health.findings.some((/** @type {any} */ finding) => finding.span_ids?.includes(id))) this.detail.show(this.selected);
    } catch {
      // The page reads without it.
    }
  }

  // ---- Drawing ----

  drawTop() {
    replace(this.top, header(this), strip(this));
    markStage(this.top, this.selected);
  }

  drawTree() {
    this.drawTop();
    replace(this.notice, rootNotice(this));
    this.search.drawPills(this.trace);
    replace(this.rollup, rollup(this));
    replace(this.bottom, footer(this, this.state));
    this.root.classList.toggle("small", this.trace.size < MAPPED_FROM);
    this.drawRows();
  }

  drawRows() {
    const { trace, folding, collapsed, open, search } = this;
    this.hits = select(trace, search.text, search.kinds, search.inContent);
    this.rows = visibleRows(trace, folding, { collapsed, open, keep: this.hits && withAncestors(trace, this.hits) });
    search.drawCount(this.hits, trace.size);
    this.tree.show({
      trace,
      folding,
      collapsed,
      open,
      rows: this.rows,
      hits: this.hits,
      selected: this.selected,
      zoom: this.view(),
      critical: this.critical ? segmentsOf(trace) : null,
      orphans: trace.orphans,
      self: this.self,
    });
  }

  // ---- Selection ----

  /** @param {number} row a span or ~group */
  choose(row) {
    this.selected = row;
    this.tree.mark(row);
    if (row < 0) this.detail.showGroup(~row);
    else this.detail.show(row);
    markStage(this.top, row);
    this.report();
    clearTimeout(this.ahead);
    this.ahead = setTimeout(() => this.readAhead(), AHEAD_AFTER_MS);
  }

  /** Bodies of the rows a reader steps to next, once they rest: then j and k show them at once. */
  readAhead() {
    if (this.gone || !this.store.live) return;
    const at = this.positionOf(this.selected);
    for (const row of [this.rows[at + 1], this.rows[at + 2], this.rows[at - 1]]) {
      if (row >= 0 && this.trace.state[row] !== "running") this.store.body(this.trace.id[row]).catch(() => {});
    }
  }

  /** @param {string} spanId */
  select(spanId) {
    const i = this.trace.index.get(spanId);
    if (i === undefined) return;
    if (this.hits && !this.hits[i]) this.clearSearch();
    this.goTo(i);
  }

  /** Shows a span wherever it is hidden. @param {number} i */
  goTo(i) {
    if (this.reveal(i)) this.drawRows();
    this.choose(i);
    this.tree.reveal(this.positionOf(i), true);
  }

  /** Opens everything above a span. @param {number} i @returns {boolean} whether anything was closed */
  reveal(i) {
    let changed = false;
    const { inside } = this.folding;
    for (const at of [...ancestorsOf(this.trace, i), i]) {
      if (at !== i && this.collapsed.delete(at)) changed = true;
      if (inside[at] >= 0 && !this.open.has(inside[at])) {
        this.open.add(inside[at]);
        changed = true;
      }
    }
    return changed;
  }

  /** @param {number} row */
  positionOf(row) {
    return Math.max(0, this.rows.indexOf(row));
  }

  selectedId() {
    return this.selected >= 0 ? (this.trace.id[this.selected] ?? "") : "";
  }

  /** Opens or closes a span or a group. @param {number} row */
  toggle(row) {
    if (row >= 0 && this.trace.end[row] <= row + 1) return;
    const set = row < 0 ? this.open : this.collapsed;
    const key = row < 0 ? ~row : row;
    if (!set.delete(key)) set.add(key);
    this.drawRows();
    if (this.rows.indexOf(this.selected) < 0) this.choose(row);
    else if (row < 0 && this.selected === row) this.detail.showGroup(~row);
  }

  /** @param {boolean} closed */
  collapseAll(closed) {
    const { trace, folding } = this;
    this.collapsed = new Set();
    this.open = new Set();
    if (closed) for (let i = 0; i < trace.size; i++) if (trace.parent[i] >= 0 && trace.end[i] > i + 1) this.collapsed.add(i);
    if (!closed) folding.groups.forEach((_, g) => this.open.add(g));
    this.drawRows();
    if (this.rows.indexOf(this.selected) < 0) this.choose(this.rows[0]);
    this.tree.reveal(this.positionOf(this.selected), true);
  }

  /** @param {number} by rows */
  move(by) {
    const next = Math.min(this.rows.length - 1, Math.max(0, this.positionOf(this.selected) + by));
    this.choose(this.rows[next]);
    this.tree.reveal(next);
  }

  /** Right arrow: open, or go in. */
  goIn() {
    const row = this.selected;
    const closed = row < 0 ? !this.open.has(~row) : this.collapsed.has(row);
    const parent = row < 0 || this.trace.end[row] > row + 1;
    if (parent && closed) this.toggle(row);
    else if (parent && this.rows[this.positionOf(row) + 1] !== undefined) this.move(1);
  }

  /** Left arrow: close, or go up. */
  goOut() {
    const { trace, folding, selected } = this;
    const closable = selected < 0 ? this.open.has(~selected) : trace.end[selected] > selected + 1 && !this.collapsed.has(selected);
    if (closable) return this.toggle(selected);
    const first = selected < 0 ? folding.groups[~selected].first : selected;
    const up = selected >= 0 && folding.inside[selected] >= 0 && !this.hits ? ~folding.inside[selected] : trace.parent[first];
    const position = this.rows.indexOf(up);
    if (position < 0) return;
    this.choose(up);
    this.tree.reveal(position);
  }

  // ---- Search, zoom ----

  /** @param {boolean} kinds whether the kinds changed: then the first match is shown */
  ask(kinds) {
    if (kinds) this.search.drawPills(this.trace);
    this.drawRows();
    if (!kinds) return;
    if (this.hits?.includes(1) && (this.selected < 0 || !this.hits[this.selected])) this.stepHit(1);
    else this.tree.reveal(this.positionOf(this.selected), true);
  }

  onlyErrors() {
    this.search.kinds = new Set(["error"]);
    this.ask(true);
  }

  clearSearch() {
    this.search.clear();
    this.search.drawPills(this.trace);
    this.drawRows();
    this.tree.reveal(this.positionOf(this.selected), true);
  }

  /** The next or previous match; without a search the next error. @param {number} direction */
  stepHit(direction) {
    const { trace, hits } = this;
    const from = this.selected < 0 ? this.folding.groups[~this.selected].first : this.selected;
    for (let step = 1; step <= trace.size; step++) {
      const i = (((from + direction * step) % trace.size) + trace.size) % trace.size;
      if (hits ? hits[i] === 1 : trace.status[i] === "error") return this.goTo(i);
    }
    this.say(hits ? "No span matches" : "No span failed");
  }

  /** Inputs, outputs and passages are searched by the collector; only on Enter, for they are not on this page. */
  async searchContent() {
    const { search } = this;
    const asked = search.text;
    if (!asked || !this.store.live || search.inContent.size) return;
    try {
      const filter = `trace_id:${this.traceId} ${JSON.stringify(asked)}`;
      const answer = await this.store.ask(`/spans?limit=1000&filter=${encodeURIComponent(filter)}`);
      if (asked !== search.text) return;
      search.inContent = new Set((answer?.spans ?? []).map((/** @type {any} */ span) => span.span_id));
      if (search.inContent.size) this.drawRows();
    } catch {
      // Names were searched already.
    }
  }

  /** @returns {[number, number]} the time shown */
  view() {
    return this.zoom ?? [0, this.trace.total || 1];
  }

  /** @param {[number, number] | null} next */
  setZoom(next) {
    const whole = this.trace.total || 1;
    const from = Math.max(0, next?.[0] ?? 0);
    const to = Math.min(whole, next?.[1] ?? whole);
    this.zoom = to - from < 1 || (from <= 0 && to >= whole) ? null : [from, to];
    this.root.classList.toggle("zoomed", this.zoom !== null);
    this.minimap.show(this.view());
    this.drawRows();
  }

  zoomToSelected() {
    const { trace, folding, selected } = this;
    const [start, end] = selected < 0 ? [folding.groups[~selected].start, folding.groups[~selected].end] : [trace.start[selected], trace.start[selected] + trace.duration[selected]];
    const room = Math.max(1, (end - start) * 0.03);
    this.setZoom([start - room, end + room]);
  }

  /** @param {boolean} on */
  showCritical(on) {
    this.critical = on;
    this.search.markCritical(on);
    this.drawRows();
  }

  // ---- Going elsewhere ----

  /** @param {string} traceId @param {string} [spanId] */
  openTrace(traceId, spanId = "") {
    if (traceId === this.traceId) return void (spanId && this.select(spanId));
    if (!this.store.live) return this.say("The other trace is not in this file");
    this.traceId = traceId;
    this.store = collectorStore(this.api, traceId);
    this.wanted = spanId;
    this.selected = -1;
    this.trace = nothing();
    this.incoming = UNLINKED;
    this.folding = fold(this.trace);
    this.collapsed = new Set();
    this.open = new Set();
    this.zoom = null;
    this.root.classList.remove("zoomed");
    this.search.clear();
    this.state = "";
    void this.load();
  }

  /** @param {number} direction previous or next trace of the list */
  async step(direction) {
    if (!this.store.live) return this.options.onstep?.(direction);
    try {
      const next = await neighbour(this.store, this.traceId, direction, this.options.list ?? {});
      if (next) this.openTrace(next);
      else this.say(direction < 0 ? "This is the first trace of the list" : "This is the last trace of the list");
    } catch (error) {
      this.say(/** @type {Error} */ (error).message);
    }
  }

  /** @param {string} spanId */
  linkTo(spanId) {
    const url = new URL(location.href);
    url.searchParams.set("trace_id", this.traceId);
    if (spanId) url.searchParams.set("span_id", spanId);
    return url.href;
  }

  report() {
    this.options.onstate?.({ traceId: this.traceId, spanId: this.selectedId(), tab: this.tab });
  }

  // ---- What the parts tell ----

  /** @param {string} tab the reader chose */
  ontab(tab) {
    this.tab = tab;
    this.report();
  }

  /** @param {any} given a score, of the trace if it names no span */
  onscore(given) {
    if (!given.target.span_id) this.trace.summary.scores = withScore(this.trace.summary.scores ?? [], given);
    this.drawTop();
    replace(this.rollup, rollup(this));
  }

  /** Read everything again: rules changed what spans mean. */
  refresh() {
    this.store.forget();
    this.changedBodies = true;
    void this.load(true);
  }

  /** @param {string} words */
  say(words) {
    this.toast.say(words);
  }

  help() {
    toggleHelp(this.root);
  }

  // ---- Keys ----

  /** @param {KeyboardEvent} event */
  key(event) {
    if (!this.trace.size || !this.root.isConnected || this.root.querySelector("dialog[open]")) return;
    const target = /** @type {HTMLElement | undefined} */ (event.composedPath()[0]);
    const action = actionFor(event, target);
    if (!action) return;
    // In the detail pane arrows and page keys scroll, as they do everywhere; letters still step through the tree.
    if (SCROLLING.has(action) && event.key.length > 1 && target && this.detail.element.contains(target)) return;
    event.preventDefault();
    ACTIONS[action](this);
  }

  annotate() {
    if (this.selected < 0) return;
    this.tab = "scores";
    this.detail.choose("scores");
    requestAnimationFrame(() => /** @type {HTMLElement | null} */ (this.detail.element.querySelector(".score-form input[name=name]"))?.focus());
  }

  /** What links to the trace, at its root. */
  showLinks() {
    this.tab = "links";
    this.select(this.trace.id[rootOf(this.trace)]);
    this.detail.choose("links");
  }

  /** Escape: out of a field, then the search, then the zoom. */
  leave() {
    const active = /** @type {HTMLElement | null} */ (/** @type {any} */ (this.root.getRootNode()).activeElement);
    const typing = active && ["INPUT", "TEXTAREA", "SELECT"].includes(active.tagName);
    if (typing && active !== this.search.input) return this.tree.scroller.focus();
    if (this.search.asked()) this.clearSearch();
    else if (this.zoom) this.setZoom(null);
    if (typing) this.tree.scroller.focus();
  }
}

/** @type {Record<string, (page: TracePage) => void>} what the actions of `keyboard.js` do */
const ACTIONS = {
  next: (page) => page.move(1),
  previous: (page) => page.move(-1),
  close: (page) => page.goOut(),
  open: (page) => page.goIn(),
  first: (page) => page.move(-page.rows.length),
  last: (page) => page.move(page.rows.length),
  pageUp: (page) => page.move(-page.tree.pageSize()),
  pageDown: (page) => page.move(page.tree.pageSize()),
  search: ({ search }) => {
    search.input.focus();
    search.input.select();
  },
  nextHit: (page) => page.stepHit(1),
  previousHit: (page) => page.stepHit(-1),
  previousTrace: (page) => void page.step(-1),
  nextTrace: (page) => void page.step(1),
  annotate: (page) => page.annotate(),
  zoom: (page) => page.zoomToSelected(),
  unzoom: (page) => page.setZoom(null),
  critical: (page) => page.showCritical(!page.critical),
  leave: (page) => page.leave(),
  help: (page) => page.help(),
};

/** @param {import("./model.js").Trace} trace @returns {Map<number, [number, number][]>} the critical path by span */
function segmentsOf(trace) {
  /** @type {Map<number, [number, number][]>} */
  const segments = new Map();
  for (const { span, from, to } of criticalPath(trace, rootOf(trace))) {
    const known = segments.get(span);
    if (known) known.push([from, to]);
    else segments.set(span, [[from, to]]);
  }
  return segments;
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
