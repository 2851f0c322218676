// @ts-check
/** The table of traces: header that sorts, rows that open, kept to the columns that are shown. */

import { h, icon, replace } from "../trace_view/assets/dom.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { follow, navigate } from "../base/shell.js";
import { shown } from "./columns.js";
import { DEFAULT_ORDER, fullFilter } from "./state.js";

/** @typedef {import("./columns.js").Column} Column */

export class Table {
  /** @param {import("./trace_list.js").TraceList} list */
  constructor(list) {
    this.list = list;
    this.body = list.body;
    this.width = 0;
    this.resized = new ResizeObserver(() => this.fit());
    this.resized.observe(this.body);
  }

  destroy() {
    this.resized.disconnect();
  }

  /** Other columns may fit now. */
  fit() {
    if (Math.abs(this.body.clientWidth - this.width) < 40 || !this.list.rows.length) return;
    this.draw();
  }

  /** @returns {Column[]} */
  get columns() {
    return shown(this.list.state.columns, this.body.clientWidth, this.list.rows);
  }

  /** @returns {HTMLElement[]} */
  get lines() {
    return /** @type {HTMLElement[]} */ ([...this.body.querySelectorAll("tbody tr")]);
  }

  skeleton() {
    const bars = Array.from({ length: 12 }, (_, index) => h("div", { class: "skeleton", style: { width: `${96 - ((index * 37) % 30)}%` } }));
    replace(this.body, h("div", { class: "table-skeleton", role: "status", "aria-label": "Loading" }, ...bars));
  }

  draw() {
    const { columns } = this;
    this.width = this.body.clientWidth;
    const widths = h("colgroup", null, h("col", { style: { width: "34px" } }), ...columns.map((column) => h("col", { style: { width: column.width } })));
    const rows = h("tbody", null, ...this.list.rows.map((_, index) => this.row(index, columns)));
    const count = String(this.list.total ?? this.list.rows.length);
    replace(this.body, h("table", { class: "traces", "aria-label": "Traces", "aria-rowcount": count }, widths, h("thead", null, this.header(columns)), rows));
    this.body.scrollTop = 0;
  }

  /** One row anew, where its trace has changed. @param {number} index */
  redraw(index) {
    const known = this.lines[index];
    if (!known) return;
    const drawn = this.row(index, this.columns);
    drawn.classList.add("changed");
    drawn.classList.toggle("focused", known.classList.contains("focused"));
    known.replaceWith(drawn);
  }

  /** @param {Column[]} columns */
  header(columns) {
    const { rows, chosen } = this.list;
    const all = h("input", {
      type: "checkbox",
      "aria-label": "Choose all on this page",
      checked: rows.every((row) => chosen.has(row.trace_id)),
      onchange: (/** @type {Event} */ event) => chosen.all(/** @type {HTMLInputElement} */ (event.target).checked),
    });
    return h("tr", null, h("th", { class: "check", scope: "col" }, all), ...columns.map((column) => this.title(column)));
  }

  /** @param {Column} column */
  title(column) {
    const { order } = this.list.state;
    const down = order.startsWith("-");
    const sorted = Boolean(column.order) && column.order === order.replace(/^-/, "");
    const sort = () => this.list.go({ order: sorted && down ? column.order : `-${column.order}`, cursor: "" });
    const label = column.order
      ? h("button", { type: "button", class: "sort", onclick: sort }, column.label, sorted ? icon(down ? ICONS.down : ICONS.up) : null)
      : column.label || h("span", "visually-hidden", "Status");
    return h("th", { scope: "col", class: column.number ? "number" : null, "aria-sort": sorted ? (down ? "descending" : "ascending") : null }, label);
  }

  /** The trace and the list it stands in, so that previous and next go on beyond this page. @param {string} traceId */
  href(traceId) {
    const query = new URLSearchParams({ trace_id: traceId });
    const filter = fullFilter(this.list.state);
    if (filter) query.set("filter", filter);
    if (this.list.state.order !== DEFAULT_ORDER) query.set("order", this.list.state.order);
    return `/trace?${query}`;
  }

  /** @param {number} index @param {Column[]} columns */
  row(index, columns) {
    const { rows, chosen } = this.list;
    const trace = rows[index];
    const href = this.href(trace.trace_id);
    const times = rows.map((other) => Number(other.duration_ns)).sort((a, b) => a - b);
    const slowest = times[Math.floor(0.95 * (times.length - 1))]; // not of the one outlier that makes all others dots
    const box = h("input", {
      type: "checkbox",
      "aria-label": "Choose this trace",
      checked: chosen.has(trace.trace_id),
      onclick: (/** @type {MouseEvent} */ event) => chosen.choose(index, /** @type {HTMLInputElement} */ (event.target).checked, event.shiftKey),
    });
    const cells = columns.map((column) => {
      const cell = column.cell(trace, { slowest });
      return h("td", column.number ? "number" : "clip", column.id === "question" ? h("a", { class: "open", href, onclick: follow }, cell) : cell);
    });
    const properties = { class: chosen.has(trace.trace_id) ? "chosen" : null, data: { trace: trace.trace_id }, onclick: (/** @type {MouseEvent} */ event) => openRow(event, href) };
    return h("tr", properties, h("td", "check", box), ...cells);
  }
}

/** A click anywhere in a row opens it, unless it is on something of its own or ends a selection of text. @param {MouseEvent} event @param {string} href */
function openRow(event, href) {
  const own = event.composedPath().some((node) => node instanceof HTMLElement && /^(A|INPUT|BUTTON)$/.test(node.tagName));
  if (own || String(getSelection()) !== "") return;
  if (event.metaKey || event.ctrlKey) open(href, "_blank", "noopener");
  else navigate(href);
}
