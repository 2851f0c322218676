// @ts-check
/** Beside the filter bar: time range, environment, live, saved views, export, columns. An open menu stays while boxes are ticked in it. */

import { h, icon, replace } from "../trace_view/assets/dom.js";
import { compact } from "../trace_view/assets/format.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { api, ask, menu, send } from "../base/shell.js";
import { COLUMNS } from "./columns.js";
import { act, exportItems } from "./export.js";
import { RANGES, fullFilter, parse, search } from "./state.js";

const PATH = "/traces";

/** @param {Event} event */
const ticked = (event) => /** @type {HTMLInputElement} */ (event.target).checked;

/** @param {string} label @param {boolean} on @param {(event: Event) => void} onchange @param {any} [more] */
function tickItem(label, on, onchange, more) {
  return h("label", "item", h("input", { type: "checkbox", checked: on, onchange }), h("span", "grow", label), more);
}

export class Controls {
  /** @param {import("./trace_list.js").TraceList} list */
  constructor(list) {
    this.list = list;
    this.ranges = h("div", "row");
    this.tools = h("div", "row");
    this.waiting = false; // a choice was made in a menu that is still open
    this.closed = () => {
      if (this.waiting) this.draw();
    };
  }

  draw() {
    this.waiting = Boolean(this.ranges.querySelector(".menu") || this.tools.querySelector(".menu"));
    if (this.waiting) return;
    replace(this.ranges, this.rangeMenu(), this.rangeReset(), this.environmentMenu());
    replace(
      this.tools,
      this.liveButton(),
      menu([icon(ICONS.note), "Views"], "Saved views", (close) => this.views(close)),
      menu([icon(ICONS.download)], "Export everything that matches", (close) => this.exports(close)),
      menu([icon(ICONS.more)], "Columns", (close) => this.columns(close), {}, this.closed),
    );
  }

  // ---- Time ----

  get custom() {
    return Boolean(this.list.state.from || this.list.state.to);
  }

  rangeName() {
    const { from, to, range } = this.list.state;
    if (!this.custom) return RANGES.find(([key]) => key === range)?.[1] ?? "All time";
    const style = /** @type {const} */ ({ month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false });
    const text = (/** @type {string} */ value) => (value ? new Date(Number(value)).toLocaleString("en", style) : "…");
    return `${text(from)} – ${text(to)}`;
  }

  rangeMenu() {
    const { list } = this;
    const name = this.rangeName();
    const choice = (/** @type {string} */ key, /** @type {string} */ label, /** @type {() => void} */ close) =>
      h("button", { type: "button", class: `item ${list.state.range === key ? "on" : ""}`, onclick: () => (close(), list.go({ range: key, from: "", to: "", cursor: "" })) }, label);
    const content = (/** @type {() => void} */ close) => h("div", null, ...RANGES.map(([key, label]) => choice(key, label, close)), h("hr"), this.rangeForm(close));
    return menu([icon(ICONS.clock), h("span", null, name), icon(ICONS.down)], `Time range: ${name}`, content, { class: `button ${list.state.range === "all" ? "" : "on"}` });
  }

  rangeReset() {
    if (!this.custom) return null;
    const reset = () => this.list.go({ range: "all", from: "", to: "", cursor: "" });
    return h("button", { type: "button", class: "icon-button", title: "All time again", "aria-label": "All time again", onclick: reset }, icon(ICONS.close));
  }

  /** @param {() => void} close */
  rangeForm(close) {
    const { list } = this;
    const local = (/** @type {string} */ value) => (value ? new Date(Number(value) - new Date(Number(value)).getTimezoneOffset() * 60_000).toISOString().slice(0, 16) : "");
    const field = (/** @type {string} */ name, /** @type {string} */ value) => /** @type {HTMLInputElement} */ (h("input", { type: "datetime-local", class: "input", "aria-label": name, value: local(value) }));
    const [from, to] = [field("From", list.state.from), field("To", list.state.to)];
    const at = (/** @type {HTMLInputElement} */ input) => (input.value ? String(new Date(input.value).getTime()) : "");
    const apply = (/** @type {Event} */ event) => {
      event.preventDefault();
      close();
      list.go({ from: at(from), to: at(to), range: at(from) || at(to) ? "" : "all", cursor: "" });
    };
    return h("form", { class: "custom-range", onsubmit: apply }, h("label", "muted", "From", from), h("label", "muted", "To", to), h("button", { type: "submit", class: "button primary" }, "Apply"));
  }

  // ---- Environment ----

  environmentMenu() {
    const { environments } = this.list.state;
    const name = environments.length ? environments.join(", ") : "All environments";
    return menu([h("span", "clip", name), icon(ICONS.down)], `Environment: ${name}`, (close) => this.environments(close), { class: `button ${environments.length ? "on" : ""}` }, this.closed);
  }

  /** @param {() => void} close */
  async environments(close) {
    const { list } = this;
    const query = { field: "environment", filter: fullFilter(list.state, { environment: true }), limit: 20 };
    const answer = await api(`${list.settings.api}/values`, query).catch(() => ({ values: [] }));
    const counts = new Map(answer.values.map((/** @type {any} */ value) => [value.value, value.count]));
    const known = [...new Set([...counts.keys(), ...list.state.environments])].filter(Boolean);
    const toggle = (/** @type {string} */ value, /** @type {boolean} */ on) => {
      const others = list.state.environments.filter((other) => other !== value);
      list.go({ environments: on ? [...others, value] : others, cursor: "" });
    };
    const all = () => (close(), list.go({ environments: [], cursor: "" }));
    return h(
      "div",
      null,
      h("button", { type: "button", class: `item ${list.state.environments.length ? "" : "on"}`, onclick: all }, "All environments"),
      ...known.map((value) => tickItem(value, list.state.environments.includes(value), (event) => toggle(value, ticked(event)), h("span", "muted", compact(counts.get(value) ?? 0)))),
      known.length ? null : h("div", "heading", "No trace names its environment yet: set deployment.environment.name."),
    );
  }

  // ---- Live, columns, export ----

  liveButton() {
    const { live } = this.list.state;
    const toggle = () => {
      this.list.go({ live: !live });
      this.list.live.listen();
    };
    const properties = { type: "button", class: `button live ${live ? "on" : ""}`, "aria-pressed": String(live), title: "New traces are announced while this is on", onclick: toggle };
    return h("button", properties, h("span", "live-dot"), "Live");
  }

  /** @param {() => void} close */
  columns(close) {
    const { list } = this;
    const visible = new Set(list.table.columns.map((column) => column.id));
    const change = (/** @type {string} */ id, /** @type {boolean} */ on) => {
      if (on) visible.add(id);
      else visible.delete(id);
      list.go({ columns: COLUMNS.filter((column) => visible.has(column.id)).map((column) => column.id) });
    };
    return h(
      "div",
      null,
      h("div", "heading", "Columns"),
      ...COLUMNS.map((column) => tickItem(column.label || "Status", visible.has(column.id), (event) => change(column.id, ticked(event)))),
      h("hr"),
      h("button", { type: "button", class: "item", onclick: () => (close(), list.go({ columns: [] })) }, "Standard columns"),
    );
  }

  /** @param {() => void} close */
  exports(close) {
    const { settings, state, rows } = this.list;
    return h("div", null, h("div", "heading", "Export everything that matches"), ...exportItems(settings.api, fullFilter(state), rows, "This page as CSV", close));
  }

  // ---- Views ----

  /** @param {() => void} close */
  async views(close) {
    const { list } = this;
    const answer = await api(`${list.settings.api}/views`).catch(() => ({ views: [] }));
    return h(
      "div",
      null,
      ...answer.views.map((/** @type {any} */ view) => this.view(view.name, String(view.content?.search ?? ""), close)),
      answer.views.length ? h("hr") : h("div", "heading", "A view keeps the filter, time range, order and columns under a name."),
      h("button", { type: "button", class: "item", onclick: () => (close(), this.save()) }, icon(ICONS.note), "Save this view…"),
    );
  }

  /** @param {string} name @param {string} wanted @param {() => void} close */
  view(name, wanted, close) {
    const here = search({ ...this.list.state, cursor: "" });
    const choose = (/** @type {MouseEvent} */ event) => {
      if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      close();
      this.list.go(parse(wanted));
    };
    const link = h("a", { class: `item grow ${wanted === here ? "on" : ""}`, href: PATH + wanted, onclick: choose }, h("span", "clip", name));
    const label = `Delete the view ${name}`;
    return h("div", "row", link, h("button", { type: "button", class: "icon-button", title: label, "aria-label": label, onclick: () => (close(), this.remove(name)) }, icon(ICONS.close)));
  }

  async save() {
    const { host, settings, state } = this.list;
    const name = await ask(host, { title: "Save this view", text: "Everyone who uses this collector finds it under Views.", action: "Save", field: "Name" });
    if (!name) return;
    await act(host, () => send(`${settings.api}/views/${encodeURIComponent(name)}`, "PUT", { search: search({ ...state, cursor: "" }) }), `Saved the view ${name}`);
  }

  /** @param {string} name */
  async remove(name) {
    const { host, settings } = this.list;
    if ((await ask(host, { title: "Delete this view?", text: name, action: "Delete", danger: true })) === null) return;
    await act(host, () => api(`${settings.api}/views/${encodeURIComponent(name)}`, {}, { method: "DELETE" }), `Deleted the view ${name}`);
  }
}
