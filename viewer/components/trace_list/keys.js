// @ts-check
/** The list by keyboard: j/k move, x chooses, Enter opens (the focused link does), / filters, n shows what is new. */

import { typing } from "../base/shell.js";

export class Keys {
  /** @param {import("./trace_list.js").TraceList} list */
  constructor(list) {
    this.list = list;
    /** @type {Record<string, () => void>} */
    this.steps = {
      j: () => this.focus(this.at + 1),
      k: () => this.focus(this.at - 1),
      ArrowDown: () => this.focus(this.at + 1),
      ArrowUp: () => this.focus(this.at - 1),
      x: () => this.choose(),
      n: () => list.live.arrived.size && list.load(),
      "/": () => list.bar.focus(),
    };
    this.onKey = (/** @type {KeyboardEvent} */ event) => this.press(event);
    document.addEventListener("keydown", this.onKey);
  }

  destroy() {
    document.removeEventListener("keydown", this.onKey);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const step = this.steps[event.key];
    const page = this.list.page;
    if (!step || typing(event) || !page.isConnected || page.querySelector(".menu")) return;
    event.preventDefault();
    step();
  }

  /** The row that has the focus, -1 without one. */
  get at() {
    return this.list.table.lines.findIndex((line) => line.classList.contains("focused"));
  }

  /** @param {number} index */
  focus(index) {
    const lines = this.list.table.lines;
    lines[this.at]?.classList.remove("focused");
    const line = lines[Math.max(0, Math.min(lines.length - 1, index))];
    line?.classList.add("focused");
    /** @type {HTMLElement | null | undefined} */ (line?.querySelector("a.open"))?.focus({ preventScroll: true });
    line?.scrollIntoView({ block: "nearest" });
  }

  choose() {
    const row = this.list.rows[this.at];
    if (row) this.list.chosen.choose(this.at, !this.list.chosen.has(row.trace_id));
  }
}
