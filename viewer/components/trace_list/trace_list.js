// @ts-check
/**
 * The traces page: filter bar, time range and histogram, facets, table, live arrivals, and what can be done with chosen rows.
 *
 * The URL is the state (state.js): every choice pushes it, Back brings the one before. Python mounts this once; all data comes over HTTP
 * from the collector's API on our own origin, so a click here never reruns a script.
 */

import { h, icon, replace } from "../trace_view/assets/dom.js";
import { compact, cost, counted, grouped } from "../trace_view/assets/format.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { emptyState } from "../base/empty.js";
import { ApiError, api, ask, fillViewport, follow, menu, mountable, navigate, send, sheet, toast, typing } from "../base/shell.js";
import { COLUMNS, shown } from "./columns.js";
import { table as csv } from "./csv.js";
import { facets } from "./facets.js";
import { filterBar } from "./filter_bar.js";
import { buckets, grain, histogram } from "./histogram.js";
import { both, quote, withValues } from "./query.js";
import { DEFAULT_ORDER, PAGE_SIZE, RANGES, extent, fullFilter, parse, search } from "./state.js";

const PATH = "/traces";
const LIST_KEY = "rightpassage.trace-list"; // {href, ids}: what the trace page steps through with previous and next
const RETRY_MS = [2000, 4000, 8000];
const GRAIN_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** @param {HTMLElement} host @param {{api: string, collector: string, endpoint: string}} settings */
function create(host, settings) {
  let state = parse(location.search);
  /** @type {any[]} */
  let rows = [];
  let next = /** @type {string | null} */ (null);
  let complete = true;
  let total = /** @type {number | null} */ (null);
  /** @type {string[]} */
  let trail = []; // cursors of the pages before this one
  /** @type {Set<string>} */
  const selected = new Set();
  let focused = -1;
  let failures = 0;
  let turn = 0;
  let stale = new AbortController();
  /** @type {number | undefined} */
  let retry;

  // ---- Pieces ----

  const bar = filterBar({ api: settings.api, onSubmit: (filter) => go({ filter, cursor: "" }), scope: () => fullFilter({ ...state, filter: "" }) });
  const chart = histogram((from, to) => go({ range: "", from: String(from), to: String(to), cursor: "" }));
  const side = facets({ api: settings.api, onFilter: (filter) => go({ filter, cursor: "" }) });
  const notice = h("div", "notices");
  const totals = h("div", "totals");
  const fresh = h("div", "fresh");
  const body = h("div", "table-area");
  const foot = h("div", "foot");
  const actions = h("div", { class: "actions hidden", role: "toolbar", "aria-label": "Chosen traces" });
  const rangeSlot = h("div", "row");
  const toolSlot = h("div", "row");
  const page = h(
    "div",
    "list-page",
    h("div", "top", bar.element, rangeSlot, toolSlot),
    notice,
    h("div", "main", side.element, h("div", "content panel", h("div", "overview", totals, chart.element), fresh, body, foot, actions)),
  );
  replace(host, page);
  const unfit = fillViewport(page);

  // ---- State ----

  /** @param {Partial<import("./state.js").State>} change */
  function go(change) {
    const filterChanged = Object.keys(change).some((key) => key !== "columns" && key !== "live" && key !== "cursor");
    if (filterChanged) trail = [];
    state = { ...state, ...change };
    const href = PATH + search(state);
    if (href !== location.pathname + location.search) history.pushState({}, "", href);
    const redraw = Object.keys(change).every((key) => key === "columns" || key === "live");
    if (redraw) drawAll();
    else load();
  }

  function fromUrl() {
    if (location.pathname !== PATH) return;
    const arrived = parse(location.search);
    if (search(arrived) === search(state)) return;
    if (!arrived.cursor) trail = [];
    state = arrived;
    load();
  }

  // ---- Loading ----

  async function load() {
    const mine = ++turn;
    clearTimeout(retry);
    // A browser keeps six connections to a server: what the list before still waits for must not hold up the rows of this one.
    stale.abort();
    stale = new AbortController();
    bar.apply(state.filter);
    drawControls();
    body.classList.add("loading");
    if (!rows.length) replace(body, skeleton());
    try {
      if (!(await readable(mine))) return;
      const answer = await api(`${settings.api}/traces`, { filter: fullFilter(state), limit: PAGE_SIZE, cursor: state.cursor, order: state.order });
      if (mine !== turn) return;
      rows = answer.traces;
      next = answer.next_cursor;
      complete = answer.complete !== false;
      failures = 0;
      replace(notice);
    } catch (error) {
      if (mine !== turn) return;
      failed(error);
      return;
    }
    body.classList.remove("loading");
    for (const id of [...selected]) if (!rows.some((row) => row.trace_id === id)) selected.delete(id);
    focused = -1;
    drawAll();
    listen();
    sessionStorage.setItem(LIST_KEY, JSON.stringify({ href: PATH + search(state), ids: rows.map((row) => row.trace_id) }));
    overview(mine);
    side.update(stale.signal, state.filter, (leave) => fullFilter({ ...state, filter: withValues(state.filter, leave, []) }, { environment: leave === "environment" }));
  }

  let proved = "";
  /** Asks whether a new filter text can be read before it is used: what is wrong with it is an answer, not a failed request. @param {number} mine */
  async function readable(mine) {
    if (!state.filter || state.filter === proved) return true;
    const check = await api(`${settings.api}/filter/check`, { filter: state.filter });
    if (mine !== turn) return false;
    if (check.ok) proved = state.filter;
    else {
      body.classList.remove("loading");
      bar.show(check);
      if (!rows.length) replace(body);
    }
    return Boolean(check.ok);
  }

  /** @param {unknown} error */
  function failed(error) {
    if (!(error instanceof ApiError)) throw error;
    body.classList.remove("loading");
    if (!error.away) {
      if (error.problem.position !== undefined) bar.show({ ...error.problem, message: error.message });
      if (error.status === 400 && state.cursor) return go({ cursor: "" });
      replace(notice, error.problem.position === undefined ? h("div", "banner error", icon(ICONS.error), error.message) : null);
      if (!rows.length) replace(body);
      return;
    }
    const wait = RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)];
    replace(
      notice,
      h(
        "div",
        { class: "banner", role: "alert" },
        icon(ICONS.warning),
        h("span", "grow", h("b", null, "The collector does not answer"), ` at ${settings.collector}. Trying again every few seconds; start one with `, h("code", null, "rightpassage serve"), "."),
        h("button", { type: "button", class: "button", onclick: () => load() }, "Try now"),
      ),
    );
    if (!rows.length) replace(body);
    retry = setTimeout(load, wait);
  }

  /** Counts and the histogram: after the rows, so that the rows never wait for them. @param {number} mine */
  async function overview(mine) {
    const filter = fullFilter(state);
    const now = Date.now();
    const [from, to] = extent(state, now);
    const by = from === null ? "hour" : grain(to - from);
    const ask = (/** @type {string} */ text, /** @type {string} */ measures) =>
      api(`${settings.api}/aggregate`, { filter: text, measures, by }, { signal: stale.signal }).then((answer) => answer.rows).catch(() => []);
    const [all, bad] = await Promise.all([ask(filter, "traces,tokens,cost"), ask(both(filter, "status:error"), "traces")]);
    if (mine !== turn) return;
    const failedAt = new Map(bad.map((/** @type {any} */ row) => [moment(row[by]), row.traces]));
    /** @type {import("./histogram.js").Point[]} */
    const points = all.map((/** @type {any} */ row) => ({ at: moment(row[by]), count: row.traces, errors: failedAt.get(moment(row[by])) ?? 0 }));
    const sum = (/** @type {any[]} */ groups, /** @type {string} */ measure) => groups.reduce((total, group) => total + (group[measure] ?? 0), 0);
    total = sum(all, "traces");
    chart.draw(points.length ? buckets(points, from, to, GRAIN_MS[by]) : null);
    drawTotals(total, sum(bad, "traces"), sum(all, "tokens"), all.some((/** @type {any} */ group) => group.cost !== null) ? sum(all, "cost") : null);
    drawFoot();
  }

  /** @param {any} value a group of time: RFC 3339, or nanoseconds @returns {number} milliseconds */
  function moment(value) {
    return /^\d+$/.test(String(value)) ? Number(BigInt(value) / 1_000_000n) : Date.parse(value);
  }

  // ---- Live ----

  /** @type {EventSource | null} */
  let source = null;
  let listening = "";
  /** @type {Map<string, any>} */
  const arrived = new Map();

  function hush() {
    source?.close();
    source = null;
    listening = "";
  }

  /** Listens only where new rows belong: on the first page, newest first, up to now, in a visible tab. */
  function listen() {
    arrived.clear();
    drawFresh();
    const wanted = state.live && !state.cursor && state.order === DEFAULT_ORDER && !state.to && !document.hidden;
    const url = `${settings.api}/live?${new URLSearchParams({ filter: fullFilter(state, { time: true }) })}`;
    if (!wanted) return hush();
    if (listening === url) return;
    hush();
    listening = url;
    source = new EventSource(url);
    source.addEventListener("trace", (event) => {
      const row = JSON.parse(/** @type {MessageEvent} */ (event).data);
      const at = rows.findIndex((known) => known.trace_id === row.trace_id);
      if (at >= 0) {
        rows[at] = row;
        drawRow(at);
      } else {
        arrived.set(row.trace_id, row);
        if (!rows.length) return load();
      }
      drawFresh();
    });
  }

  function drawFresh() {
    replace(
      fresh,
      arrived.size
        ? h("button", { type: "button", class: "fresh-button", onclick: () => load() }, icon(ICONS.up), `${arrived.size} new`, h("span", "kbd", "n"))
        : null,
    );
  }

  // ---- Drawing ----

  function drawAll() {
    drawControls();
    drawTable();
    drawFoot();
    drawActions();
  }

  let waiting = false; // a choice was made in a menu that is still open

  function menuClosed() {
    if (waiting) drawControls();
  }

  /** An open menu stays: several boxes can be ticked in one visit. */
  function drawControls() {
    waiting = Boolean(rangeSlot.querySelector(".menu") || toolSlot.querySelector(".menu"));
    if (waiting) return;
    const custom = state.from || state.to;
    const name = custom ? customLabel() : (RANGES.find(([key]) => key === state.range)?.[1] ?? "All time");
    replace(
      rangeSlot,
      menu(
        [icon(ICONS.clock), h("span", null, name), icon(ICONS.down)],
        `Time range: ${name}`,
        (close) =>
          h(
            "div",
            null,
            ...RANGES.map(([key, label]) =>
              h("button", { type: "button", class: `item ${state.range === key ? "on" : ""}`, onclick: () => (close(), go({ range: key, from: "", to: "", cursor: "" })) }, label),
            ),
            h("hr"),
            customRange(close),
          ),
        { class: `button ${state.range === "all" ? "" : "on"}` },
      ),
      custom ? h("button", { type: "button", class: "icon-button", title: "All time again", "aria-label": "All time again", onclick: () => go({ range: "all", from: "", to: "", cursor: "" }) }, icon(ICONS.close)) : null,
      environmentMenu(),
    );
    replace(
      toolSlot,
      h(
        "button",
        { type: "button", class: `button live ${state.live ? "on" : ""}`, "aria-pressed": String(state.live), title: "New traces are announced while this is on", onclick: () => (go({ live: !state.live }), listen()) },
        h("span", "live-dot"),
        "Live",
      ),
      menu([icon(ICONS.note), "Views"], "Saved views", viewsMenu),
      menu([icon(ICONS.download)], "Export everything that matches", exportMenu),
      menu([icon(ICONS.more)], "Columns", columnsMenu, {}, menuClosed),
    );
  }

  function customLabel() {
    const text = (/** @type {string} */ value) => (value ? new Date(Number(value)).toLocaleString("en", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false }) : "…");
    return `${text(state.from)} – ${text(state.to)}`;
  }

  /** @param {() => void} close */
  function customRange(close) {
    const local = (/** @type {string} */ value) => (value ? new Date(Number(value) - new Date(Number(value)).getTimezoneOffset() * 60_000).toISOString().slice(0, 16) : "");
    const from = /** @type {HTMLInputElement} */ (h("input", { type: "datetime-local", class: "input", "aria-label": "From", value: local(state.from) }));
    const to = /** @type {HTMLInputElement} */ (h("input", { type: "datetime-local", class: "input", "aria-label": "To", value: local(state.to) }));
    const at = (/** @type {HTMLInputElement} */ input) => (input.value ? String(new Date(input.value).getTime()) : "");
    return h(
      "form",
      { class: "custom-range", onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), close(), go({ from: at(from), to: at(to), range: at(from) || at(to) ? "" : "all", cursor: "" })) },
      h("label", "muted", "From", from),
      h("label", "muted", "To", to),
      h("button", { type: "submit", class: "button primary" }, "Apply"),
    );
  }

  function environmentMenu() {
    const name = state.environments.length ? state.environments.join(", ") : "All environments";
    return menu(
      [h("span", "clip", name), icon(ICONS.down)],
      `Environment: ${name}`,
      async (close) => {
        const answer = await api(`${settings.api}/values`, { field: "environment", filter: fullFilter(state, { environment: true }), limit: 20 }).catch(() => ({ values: [] }));
        const known = [...new Set([...answer.values.map((/** @type {any} */ value) => value.value), ...state.environments])].filter(Boolean);
        const counts = new Map(answer.values.map((/** @type {any} */ value) => [value.value, value.count]));
        return h(
          "div",
          null,
          h("button", { type: "button", class: `item ${state.environments.length ? "" : "on"}`, onclick: () => (close(), go({ environments: [], cursor: "" })) }, "All environments"),
          ...known.map((value) =>
            h(
              "label",
              "item",
              h("input", {
                type: "checkbox",
                checked: state.environments.includes(value),
                onchange: (/** @type {Event} */ event) =>
                  go({ environments: /** @type {HTMLInputElement} */ (event.target).checked ? [...state.environments, value] : state.environments.filter((other) => other !== value), cursor: "" }),
              }),
              h("span", "grow", value),
              h("span", "muted", compact(counts.get(value) ?? 0)),
            ),
          ),
          known.length ? null : h("div", "heading", "No trace names its environment yet: set deployment.environment.name."),
        );
      },
      { class: `button ${state.environments.length ? "on" : ""}` },
      menuClosed,
    );
  }

  /** @param {() => void} close */
  async function viewsMenu(close) {
    const answer = await api(`${settings.api}/views`).catch(() => ({ views: [] }));
    const here = search({ ...state, cursor: "" });
    return h(
      "div",
      null,
      ...answer.views.map((/** @type {any} */ view) =>
        h(
          "div",
          "row",
          h("a", { class: `item grow ${view.content?.search === here ? "on" : ""}`, href: PATH + String(view.content?.search ?? ""), onclick: (/** @type {MouseEvent} */ event) => openView(event, close, String(view.content?.search ?? "")) }, h("span", "clip", view.name)),
          h("button", { type: "button", class: "icon-button", title: `Delete the view ${view.name}`, "aria-label": `Delete the view ${view.name}`, onclick: () => (close(), removeView(view.name)) }, icon(ICONS.close)),
        ),
      ),
      answer.views.length ? h("hr") : h("div", "heading", "A view keeps the filter, time range, order and columns under a name."),
      h("button", { type: "button", class: "item", onclick: () => (close(), saveView()) }, icon(ICONS.note), "Save this view…"),
    );
  }

  /** @param {MouseEvent} event @param {() => void} close @param {string} wanted */
  function openView(event, close, wanted) {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    close();
    go({ ...parse(wanted) });
  }

  async function saveView() {
    const name = await ask(host, { title: "Save this view", text: "Everyone who uses this collector finds it under Views.", action: "Save", field: "Name" });
    if (!name) return;
    await act(() => send(`${settings.api}/views/${encodeURIComponent(name)}`, "PUT", { search: search({ ...state, cursor: "" }) }), `Saved the view ${name}`);
  }

  /** @param {string} name */
  async function removeView(name) {
    if ((await ask(host, { title: "Delete this view?", text: name, action: "Delete", danger: true })) === null) return;
    await act(() => api(`${settings.api}/views/${encodeURIComponent(name)}`, {}, { method: "DELETE" }), `Deleted the view ${name}`);
  }

  /** @param {() => Promise<any>} step @param {string} said */
  async function act(step, said) {
    try {
      const answer = await step();
      toast(host, said);
      return answer;
    } catch (error) {
      toast(host, /** @type {Error} */ (error).message, "error");
      return undefined;
    }
  }

  /** @param {() => void} close */
  function columnsMenu(close) {
    const visible = new Set(shown(state.columns, body.clientWidth, rows).map((column) => column.id));
    const change = (/** @type {string} */ id, /** @type {boolean} */ on) => {
      if (on) visible.add(id);
      else visible.delete(id);
      go({ columns: COLUMNS.filter((column) => visible.has(column.id)).map((column) => column.id) });
    };
    return h(
      "div",
      null,
      h("div", "heading", "Columns"),
      ...COLUMNS.map((column) =>
        h(
          "label",
          "item",
          h("input", { type: "checkbox", checked: visible.has(column.id), onchange: (/** @type {Event} */ event) => change(column.id, /** @type {HTMLInputElement} */ (event.target).checked) }),
          column.label || "Status",
        ),
      ),
      h("hr"),
      h("button", { type: "button", class: "item", onclick: () => (close(), go({ columns: [] })) }, "Standard columns"),
    );
  }

  /** @param {() => void} close */
  function exportMenu(close) {
    return h(
      "div",
      null,
      h("div", "heading", "Export everything that matches"),
      exportLink("OTLP JSON lines (lossless)", fullFilter(state), "otlp-jsonl"),
      exportLink("JSON lines (our fields)", fullFilter(state), "jsonl"),
      h("button", { type: "button", class: "item", onclick: () => (close(), download(rows)) }, icon(ICONS.download), "This page as CSV"),
    );
  }

  /** @param {string} label @param {string} filter @param {string} format */
  function exportLink(label, filter, format) {
    return h("a", { class: "item", href: `${settings.api}/export?${new URLSearchParams({ filter, format })}`, download: `traces.${format === "jsonl" ? "jsonl" : "otlp.jsonl"}` }, icon(ICONS.download), label);
  }

  /** @param {any[]} chosen */
  function download(chosen) {
    const url = URL.createObjectURL(new Blob(["\ufeff", csv(chosen)], { type: "text/csv" }));
    const anchor = h("a", { href: url, download: "traces.csv" });
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  /** @param {number} count @param {number} bad @param {number} tokens @param {number | null} usd */
  function drawTotals(count, bad, tokens, usd) {
    const entry = (/** @type {string} */ label, /** @type {any} */ value, tone = "") => h("div", "total", h("span", `value ${tone}`, value), h("span", "muted", label));
    const share = count ? (100 * bad) / count : 0;
    replace(
      totals,
      entry(count === 1 ? "trace" : "traces", grouped(count)),
      entry("failed", count ? `${share < 0.05 && bad ? "<0.1" : share.toFixed(bad ? 1 : 0)} %` : "–", bad ? "error-text" : ""),
      entry("tokens", compact(tokens)),
      entry("cost", cost(usd)),
    );
  }

  function skeleton() {
    return h("div", { class: "table-skeleton", "aria-label": "Loading" }, ...Array.from({ length: 12 }, (_, index) => h("div", { class: "skeleton", style: { width: `${96 - ((index * 37) % 30)}%` } })));
  }

  function drawTable() {
    if (!rows.length) return drawEmpty();
    const columns = shown(state.columns, body.clientWidth, rows);
    const [field, down] = [state.order.replace(/^-/, ""), state.order.startsWith("-")];
    const header = h(
      "tr",
      null,
      h("th", { class: "check", scope: "col" }, h("input", { type: "checkbox", "aria-label": "Choose all on this page", checked: rows.every((row) => selected.has(row.trace_id)), onchange: (/** @type {Event} */ event) => chooseAll(/** @type {HTMLInputElement} */ (event.target).checked) })),
      ...columns.map((column) => {
        const sorted = column.order === field;
        const label = column.order
          ? h("button", { type: "button", class: "sort", onclick: () => go({ order: sorted && down ? column.order : `-${column.order}`, cursor: "" }) }, column.label, sorted ? icon(down ? ICONS.down : ICONS.up) : null)
          : column.label || h("span", "visually-hidden", "Status");
        return h("th", { scope: "col", class: column.number ? "number" : null, "aria-sort": sorted ? (down ? "descending" : "ascending") : null }, label);
      }),
    );
    const cols = h("colgroup", null, h("col", { style: { width: "34px" } }), ...columns.map((column) => h("col", { style: { width: column.width } })));
    const drawn = h("tbody", null, ...rows.map((_, index) => row(index, columns)));
    replace(body, h("table", { class: "traces", "aria-label": "Traces", "aria-rowcount": String(total ?? rows.length) }, cols, h("thead", null, header), drawn));
    body.scrollTop = 0;
  }

  /** The trace and the list it stands in, so that previous and next go on beyond this page. @param {string} traceId */
  function traceHref(traceId) {
    const query = new URLSearchParams({ trace_id: traceId });
    if (fullFilter(state)) query.set("filter", fullFilter(state));
    if (state.order !== DEFAULT_ORDER) query.set("order", state.order);
    return `/trace?${query}`;
  }

  /** @param {number} index @param {import("./columns.js").Column[]} columns */
  function row(index, columns) {
    const trace = rows[index];
    const slowest = Math.max(...rows.map((other) => Number(other.duration_ns)));
    const href = traceHref(trace.trace_id);
    return h(
      "tr",
      {
        class: selected.has(trace.trace_id) ? "chosen" : null,
        data: { trace: trace.trace_id },
        onclick: (/** @type {MouseEvent} */ event) => {
          if (event.composedPath().some((node) => node instanceof HTMLElement && /^(A|INPUT|BUTTON)$/.test(node.tagName))) return;
          if (String(getSelection()) === "") (event.metaKey || event.ctrlKey ? open(href, "_blank", "noopener") : navigate(href));
        },
      },
      h("td", "check", h("input", { type: "checkbox", "aria-label": "Choose this trace", checked: selected.has(trace.trace_id), onclick: (/** @type {MouseEvent} */ event) => choose(index, /** @type {HTMLInputElement} */ (event.target).checked, event.shiftKey) })),
      ...columns.map((column) => {
        const cell = column.cell(trace, { slowest });
        return h("td", column.number ? "number" : "clip", column.id === "question" ? h("a", { class: "open", href, onclick: follow }, cell) : cell);
      }),
    );
  }

  /** @param {number} index */
  function drawRow(index) {
    const known = body.querySelectorAll("tbody tr")[index];
    if (!known) return;
    const drawn = row(index, shown(state.columns, body.clientWidth, rows));
    drawn.classList.add("changed");
    if (index === focused) drawn.classList.add("focused");
    known.replaceWith(drawn);
  }

  async function drawEmpty() {
    const anything = Boolean(state.filter || state.environments.length || state.from || state.to || state.range !== "all" || state.cursor);
    if (anything) {
      const reset = h("button", { type: "button", class: "button primary", onclick: () => go({ filter: "", environments: [], range: "all", from: "", to: "", cursor: "" }) }, "Show all traces");
      replace(body, emptyState(host, { title: "No trace matches", text: "Nothing in this time range fits the filter. Take a condition away, or look at all time.", icon: ICONS.filter, actions: [reset] }));
      return;
    }
    replace(
      body,
      emptyState(host, {
        title: "No traces yet",
        text: "Send the first one: it appears here by itself, within a second.",
        icon: ICONS.retriever,
        endpoint: settings.endpoint,
      }),
    );
  }

  function drawFoot() {
    const before = trail.length * PAGE_SIZE;
    const known = state.cursor && !trail.length ? `${counted(rows.length, "trace")} of this page` : `${grouped(before + 1)}–${grouped(before + rows.length)}${total === null ? "" : ` of ${grouped(total)}`}`;
    replace(
      foot,
      h("span", "muted", rows.length ? known : ""),
      complete ? null : h("span", "pill warning", "searched only part of the time: go on with Next"),
      h("span", "grow"),
      h("span", "hints muted", h("span", "kbd", "j"), h("span", "kbd", "k"), " move ", h("span", "kbd", "Enter"), " open ", h("span", "kbd", "x"), " choose ", h("span", "kbd", "/"), " filter"),
      state.cursor ? h("button", { type: "button", class: "button", onclick: previous }, icon(ICONS.left), trail.length ? "Previous" : "First page") : null,
      next ? h("button", { type: "button", class: "button", onclick: () => (trail.push(state.cursor), go({ cursor: next ?? "" })) }, "Next", icon(ICONS.right)) : null,
    );
  }

  function previous() {
    go({ cursor: trail.pop() ?? "" });
  }

  // ---- Chosen rows ----

  let last = -1;
  /** @param {number} index @param {boolean} on @param {boolean} [range] */
  function choose(index, on, range = false) {
    const [from, to] = range && last >= 0 ? [Math.min(last, index), Math.max(last, index)] : [index, index];
    for (let at = from; at <= to; at++) {
      if (on) selected.add(rows[at].trace_id);
      else selected.delete(rows[at].trace_id);
    }
    last = index;
    mark();
  }

  /** @param {boolean} on */
  function chooseAll(on) {
    for (const trace of rows) {
      if (on) selected.add(trace.trace_id);
      else selected.delete(trace.trace_id);
    }
    mark();
  }

  function mark() {
    body.querySelectorAll("tbody tr").forEach((element, index) => {
      const on = selected.has(rows[index]?.trace_id);
      element.classList.toggle("chosen", on);
      /** @type {HTMLInputElement} */ (element.querySelector("input")).checked = on;
    });
    drawActions();
  }

  function drawActions() {
    const ids = rows.filter((trace) => selected.has(trace.trace_id)).map((trace) => trace.trace_id);
    actions.classList.toggle("hidden", ids.length === 0);
    if (!ids.length) return replace(actions);
    const filter = `trace_id:${ids.map(quote).join(",")}`;
    replace(
      actions,
      h("b", null, `${ids.length} chosen`),
      h(
        "button",
        { type: "button", class: "button", disabled: ids.length !== 2, title: ids.length === 2 ? "Compare the two" : "Choose exactly two to compare", onclick: () => navigate(`/compare?a=${ids[1]}&b=${ids[0]}`) },
        icon(ICONS.expand),
        "Compare",
      ),
      menu([icon(ICONS.download), "Export"], "Export the chosen traces", () =>
        h(
          "div",
          null,
          exportLink("OTLP JSON lines (lossless)", filter, "otlp-jsonl"),
          exportLink("JSON lines (our fields)", filter, "jsonl"),
          h("button", { type: "button", class: "item", onclick: () => download(rows.filter((trace) => selected.has(trace.trace_id))) }, icon(ICONS.download), "CSV"),
        ),
      ),
      h("button", { type: "button", class: "button", onclick: () => remove(ids, filter) }, icon(ICONS.close), "Delete"),
      h("span", "grow"),
      h("button", { type: "button", class: "button quiet", onclick: () => chooseAll(false) }, "Clear"),
    );
  }

  /** @param {string[]} ids @param {string} filter */
  async function remove(ids, filter) {
    const what = counted(ids.length, "trace");
    const sure = await ask(host, { title: `Delete ${what}?`, text: "Spans, scores and passages that no other trace holds go with it. This cannot be undone.", action: `Delete ${what}`, danger: true });
    if (sure === null) return;
    if (await act(() => api(`${settings.api}/traces`, { filter }, { method: "DELETE" }), `Deleted ${what}`)) {
      selected.clear();
      side.refresh();
      load();
    }
  }

  // ---- Keyboard ----

  /** @param {number} index */
  function focusRow(index) {
    const elements = body.querySelectorAll("tbody tr");
    elements[focused]?.classList.remove("focused");
    focused = Math.max(0, Math.min(elements.length - 1, index));
    const element = /** @type {HTMLElement} */ (elements[focused]);
    element?.classList.add("focused");
    /** @type {HTMLElement | null} */ (element?.querySelector("a.open"))?.focus({ preventScroll: true });
    element?.scrollIntoView({ block: "nearest" });
  }

  /** @type {Record<string, (event: KeyboardEvent) => void>} */
  const KEYS = {
    j: () => focusRow(focused + 1),
    k: () => focusRow(focused - 1),
    ArrowDown: () => focusRow(focused + 1),
    ArrowUp: () => focusRow(focused - 1),
    x: () => focused >= 0 && choose(focused, !selected.has(rows[focused].trace_id)),
    n: () => arrived.size && load(),
    "/": () => bar.focus(),
  };
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    const step = KEYS[event.key];
    if (!step || typing(event) || page.querySelector(".menu") || !page.isConnected) return;
    event.preventDefault();
    step(event);
  };
  const onVisible = () => listen();
  let width = body.clientWidth;
  const resized = new ResizeObserver(() => {
    if (Math.abs(body.clientWidth - width) < 40 || !rows.length) return;
    width = body.clientWidth;
    drawTable();
  });
  resized.observe(body);
  document.addEventListener("keydown", onKey);
  document.addEventListener("visibilitychange", onVisible);
  addEventListener("popstate", fromUrl);
  load();

  return {
    update: fromUrl,
    destroy() {
      turn++;
      stale.abort();
      clearTimeout(retry);
      hush();
      unfit();
      resized.disconnect();
      document.removeEventListener("keydown", onKey);
      document.removeEventListener("visibilitychange", onVisible);
      removeEventListener("popstate", fromUrl);
    },
  };
}

export default mountable(create, [await sheet(new URL("./trace_list.css", import.meta.url))]);
