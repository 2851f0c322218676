// @ts-check
/**
 * The traces page: filter bar, time range and histogram, facets, table, live arrivals, and what can be done with chosen rows.
 *
 * The URL is the state (state.js): every choice pushes it, Back brings the one before. Python mounts this once; all data comes over HTTP
 * from the collector's API on our own origin, so a click here never reruns a script. This file loads and lets the others draw.
 */

import { h, icon, replace } from "../trace_view/assets/dom.js";
import { counted, grouped } from "../trace_view/assets/format.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { emptyState } from "../base/empty.js";
import { ApiError, api, fillViewport, mountable } from "../base/shell.js";
import { Chosen } from "./chosen.js";
import { Controls } from "./controls.js";
import { facets } from "./facets.js";
import { filterBar } from "./filter_bar.js";
import { Keys } from "./keys.js";
import { Live } from "./live.js";
import { Overview } from "./overview.js";
import { withValues } from "./query.js";
import { PAGE_SIZE, fullFilter, parse, search } from "./state.js";
import { Table } from "./table.js";
import sheet from "./trace_list.css.js";

export const PATH = "/traces";
const LIST_KEY = "rightpassage.trace-list"; // {href, ids}: what the trace page steps through with previous and next
const RETRY_MS = [2000, 4000, 8000];

/** @typedef {{api: string, collector: string, endpoint: string}} Settings */

export class TraceList {
  /** @param {HTMLElement} host @param {Settings} settings */
  constructor(host, settings) {
    this.host = host;
    this.settings = settings;
    this.state = parse(location.search);
    /** @type {import("./columns.js").Row[]} */
    this.rows = [];
    this.next = /** @type {string | null} */ (null);
    this.complete = true;
    this.total = /** @type {number | null} */ (null);
    this.exact = true; // whether the total counts them all
    /** @type {string[]} */
    this.trail = []; // cursors of the pages before this one
    this.turn = 0; // answers to an earlier question are not drawn
    this.stale = new AbortController();
    this.failures = 0;
    this.proved = ""; // the filter text that is known to be readable
    /** @type {number | undefined} */
    this.retry = undefined;
    this.bar = filterBar({ api: settings.api, onSubmit: (filter) => this.go({ filter, cursor: "" }), scope: () => fullFilter({ ...this.state, filter: "" }) });
    this.side = facets({ api: settings.api, onFilter: (filter) => this.go({ filter, cursor: "" }) });
    this.notice = h("div", "notices");
    this.body = h("div", "table-area");
    this.foot = h("div", "foot");
    this.overview = new Overview(this);
    this.live = new Live(this);
    this.chosen = new Chosen(this);
    this.table = new Table(this);
    this.controls = new Controls(this);
    this.keys = new Keys(this);
    const content = h("div", "content panel", this.overview.element, this.live.element, this.body, this.foot, this.chosen.element);
    const top = h("div", "top", this.bar.element, this.controls.ranges, this.controls.tools);
    this.page = h("div", "list-page", top, this.notice, h("div", "main", this.side.element, content));
    replace(this.host, this.page);
    this.unfit = fillViewport(this.page);
    this.listening = () => this.fromUrl();
    addEventListener("popstate", this.listening);
    this.plain = (/** @type {MouseEvent} */ event) => this.navigated(event);
    document.addEventListener("click", this.plain, true);
    this.load();
  }

  destroy() {
    this.turn++;
    this.stale.abort();
    clearTimeout(this.retry);
    removeEventListener("popstate", this.listening);
    document.removeEventListener("click", this.plain, true);
    this.live.destroy();
    this.table.destroy();
    this.keys.destroy();
    this.unfit();
  }

  // ---- State ----

  /** @param {Partial<import("./state.js").State>} change */
  go(change) {
    if (Object.keys(change).some((key) => !["columns", "live", "cursor"].includes(key))) this.trail = [];
    this.state = { ...this.state, ...change };
    const href = PATH + search(this.state);
    if (href !== location.pathname + location.search) history.pushState({}, "", href);
    if (Object.keys(change).every((key) => key === "columns" || key === "live")) this.draw();
    else this.load();
  }

  fromUrl() {
    if (location.pathname !== PATH) return;
    const arrived = parse(location.search);
    if (search(arrived) === search(this.state)) return;
    if (!arrived.cursor) this.trail = [];
    this.state = arrived;
    this.load();
  }

  /**
   * "Traces" in the navigation leads to all traces. Streamlit does nothing on a link to the page it is on, whatever its query.
   * @param {MouseEvent} event
   */
  navigated(event) {
    const anchor = event.composedPath().find((node) => node instanceof HTMLAnchorElement);
    if (!(anchor instanceof HTMLAnchorElement) || this.page.contains(anchor) || location.pathname !== PATH || !location.search) return;
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || anchor.href !== location.origin + PATH) return;
    event.preventDefault();
    event.stopPropagation();
    this.go(parse(""));
  }

  /** Forwards and back through the pages. */
  forward() {
    this.trail.push(this.state.cursor);
    this.go({ cursor: this.next ?? "" });
  }

  back() {
    this.go({ cursor: this.trail.pop() ?? "" });
  }

  // ---- Loading ----

  async load() {
    const mine = ++this.turn;
    clearTimeout(this.retry);
    // A browser keeps six connections to a server: what the list before still waits for must not hold up the rows of this one.
    this.stale.abort();
    this.stale = new AbortController();
    this.bar.apply(this.state.filter);
    this.controls.draw();
    this.body.classList.add("loading");
    if (!this.rows.length) this.table.skeleton();
    try {
      if (!(await this.readable(mine))) return;
      const { filter, ...page } = { filter: fullFilter(this.state), limit: PAGE_SIZE, cursor: this.state.cursor, order: this.state.order };
      const answer = await api(`${this.settings.api}/traces`, { filter, ...page });
      if (mine === this.turn) this.arrived(answer);
    } catch (error) {
      if (mine === this.turn) this.failed(error);
    }
  }

  /** @param {any} answer a page of traces */
  arrived(answer) {
    this.rows = answer.traces;
    this.next = answer.next_cursor;
    this.complete = answer.complete !== false;
    this.failures = 0;
    replace(this.notice);
    this.body.classList.remove("loading");
    this.chosen.forget();
    this.draw();
    this.live.listen();
    sessionStorage.setItem(LIST_KEY, JSON.stringify({ href: PATH + search(this.state), ids: this.rows.map((row) => row.trace_id) }));
    this.overview.load();
    const without = (/** @type {string} */ field) => ({ ...this.state, filter: withValues(this.state.filter, field, []) });
    this.side.update(this.stale.signal, this.state.filter, (field) => fullFilter(without(field), { environment: field === "environment" }));
  }

  /** Asks whether a new filter text can be read before it is used: what is wrong with it is an answer, not a failed request. @param {number} mine */
  async readable(mine) {
    if (!this.state.filter || this.state.filter === this.proved) return true;
    const check = await api(`${this.settings.api}/filter/check`, { filter: this.state.filter });
    if (mine !== this.turn) return false;
    if (check.ok) this.proved = this.state.filter;
    else this.refused(check);
    return Boolean(check.ok);
  }

  /** @param {{message?: string, position?: number, suggestions?: string[]}} problem of the filter */
  refused(problem) {
    this.body.classList.remove("loading");
    this.bar.show(problem);
    if (this.rows.length) return;
    const reset = h("button", { type: "button", class: "button primary", onclick: () => this.go({ filter: "", cursor: "" }) }, "Show all traces");
    replace(this.body, emptyState(this.host, { title: "The filter cannot be read", text: "What is wrong with it stands above; press Enter there to try again.", icon: ICONS.filter, actions: [reset] }));
  }

  /** @param {unknown} error */
  failed(error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.away) return this.away(error.status === 0);
    if (error.status === 400 && this.state.cursor) return this.go({ cursor: "" });
    this.refused({ ...error.problem, message: error.message });
  }

  /** Nobody answers: says so and tries again; what was on the page stays. @param {boolean} viewer whether the viewer itself is gone */
  away(viewer) {
    this.body.classList.remove("loading");
    const [who, command] = viewer ? ["The viewer does not answer", "rightpassage view"] : [`The collector does not answer`, "rightpassage serve"];
    const text = h("span", "grow", h("b", null, who), `${viewer ? "" : ` at ${this.settings.collector}`}. Trying again every few seconds; start ${viewer ? "it" : "one"} with `, h("code", null, command), ".");
    const again = h("button", { type: "button", class: "button", onclick: () => this.load() }, "Try now");
    replace(this.notice, h("div", { class: "banner", role: "alert" }, icon(ICONS.warning), text, again));
    if (!this.rows.length) replace(this.body);
    this.retry = setTimeout(() => this.load(), RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)]);
  }

  // ---- Drawing ----

  draw() {
    this.controls.draw();
    if (this.rows.length) this.table.draw();
    else this.drawEmpty();
    this.drawFoot();
    this.chosen.draw();
  }

  drawEmpty() {
    const { filter, environments, from, to, range, cursor } = this.state;
    const narrowed = Boolean(filter || environments.length || from || to || range !== "all" || cursor);
    const everything = () => this.go({ filter: "", environments: [], range: "all", from: "", to: "", cursor: "" });
    const reset = h("button", { type: "button", class: "button primary", onclick: everything }, "Show all traces");
    const nothing = { title: "No trace matches", text: "Nothing in this time range fits the filter. Take a condition away, or look at all time.", icon: ICONS.filter, actions: [reset] };
    const first = { title: "No traces yet", text: "Send the first one: it appears here by itself, within a second.", icon: ICONS.retriever, endpoint: this.settings.endpoint };
    replace(this.body, emptyState(this.host, narrowed ? nothing : first));
  }

  drawFoot() {
    const { rows, trail, total, state } = this;
    const before = trail.length * PAGE_SIZE;
    const place = state.cursor && !trail.length ? `${counted(rows.length, "trace")} of this page` : `${grouped(before + 1)}–${grouped(before + rows.length)}${total === null ? "" : ` of ${this.exact ? "" : "≥ "}${grouped(Math.max(total, before + rows.length))}`}`;
    const key = (/** @type {string} */ name) => h("span", "kbd", name);
    replace(
      this.foot,
      h("span", "muted", rows.length ? place : ""),
      this.complete ? null : h("span", "pill warning", "searched only part of the time: go on with Next"),
      h("span", "grow"),
      h("span", "hints muted", key("j"), key("k"), " move ", key("Enter"), " open ", key("x"), " choose ", key("/"), " filter"),
      state.cursor ? h("button", { type: "button", class: "button", onclick: () => this.back() }, icon(ICONS.left), trail.length ? "Previous" : "First page") : null,
      this.next ? h("button", { type: "button", class: "button", onclick: () => this.forward() }, "Next", icon(ICONS.right)) : null,
    );
  }
}

/** @param {HTMLElement} host @param {Settings} settings */
function create(host, settings) {
  const list = new TraceList(host, settings);
  return { update: () => list.fromUrl(), destroy: () => list.destroy() };
}

export default mountable(create, [sheet]);
