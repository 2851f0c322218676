// @ts-check
/** Rows that were ticked, and what can be done with them: compare, export, delete. */

import { h, icon, replace } from "../trace_view/assets/dom.js";
import { counted } from "../trace_view/assets/format.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { api, ask, menu, navigate } from "../base/shell.js";
import { act, exportItems } from "./export.js";
import { quote } from "./query.js";

export class Chosen {
  /** @param {import("./trace_list.js").TraceList} list */
  constructor(list) {
    this.list = list;
    /** @type {Set<string>} */
    this.ids = new Set();
    this.last = -1;
    this.element = h("div", { class: "actions hidden", role: "toolbar", "aria-label": "Chosen traces" });
  }

  /** @param {string} id */
  has(id) {
    return this.ids.has(id);
  }

  /** Rows that are not on the page any more. */
  forget() {
    for (const id of [...this.ids]) if (!this.list.rows.some((row) => row.trace_id === id)) this.ids.delete(id);
  }

  /** @param {string} id @param {boolean} on */
  set(id, on) {
    if (on) this.ids.add(id);
    else this.ids.delete(id);
  }

  /** @param {number} index @param {boolean} on @param {boolean} [range] all from the last one ticked */
  choose(index, on, range = false) {
    const [from, to] = range && this.last >= 0 ? [Math.min(this.last, index), Math.max(this.last, index)] : [index, index];
    for (const row of this.list.rows.slice(from, to + 1)) this.set(row.trace_id, on);
    this.last = index;
    this.mark();
  }

  /** @param {boolean} on */
  all(on) {
    for (const row of this.list.rows) this.set(row.trace_id, on);
    this.mark();
  }

  mark() {
    this.list.table.lines.forEach((line, index) => {
      const on = this.has(this.list.rows[index]?.trace_id);
      line.classList.toggle("chosen", on);
      /** @type {HTMLInputElement} */ (line.querySelector("input")).checked = on;
    });
    this.draw();
  }

  draw() {
    const rows = this.list.rows.filter((row) => this.has(row.trace_id));
    this.element.classList.toggle("hidden", rows.length === 0);
    if (!rows.length) return replace(this.element);
    const filter = `trace_id:${rows.map((row) => quote(row.trace_id)).join(",")}`;
    const [newer, older] = rows.map((row) => row.trace_id);
    const two = rows.length === 2;
    replace(
      this.element,
      h("b", null, `${rows.length} chosen`),
      h(
        "button",
        { type: "button", class: "button", disabled: !two, title: two ? "Compare the two" : "Choose exactly two to compare", onclick: () => navigate(`/compare?a=${older}&b=${newer}`) },
        icon(ICONS.expand),
        "Compare",
      ),
      menu([icon(ICONS.download), "Export"], "Export the chosen traces", (close) => h("div", null, ...exportItems(this.list.settings.api, filter, rows, "CSV", close))),
      h("button", { type: "button", class: "button", onclick: () => this.remove(rows.length, filter) }, icon(ICONS.close), "Delete"),
      h("span", "grow"),
      h("button", { type: "button", class: "button quiet", onclick: () => this.all(false) }, "Clear"),
    );
  }

  /** @param {number} count @param {string} filter */
  async remove(count, filter) {
    const { list } = this;
    const what = counted(count, "trace");
    const text = "Spans, scores and passages that no other trace holds go with it. This cannot be undone.";
    if ((await ask(list.host, { title: `Delete ${what}?`, text, action: `Delete ${what}`, danger: true })) === null) return;
    const done = await act(list.host, () => api(`${list.settings.api}/traces`, { filter }, { method: "DELETE" }), `Deleted ${what}`);
    if (!done) return;
    this.ids.clear();
    list.side.refresh();
    list.load();
  }
}
