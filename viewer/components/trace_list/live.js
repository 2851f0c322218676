// @ts-check
/** New traces announce themselves ("3 new"), traces in the list complete in place: the collector's live stream, no reruns. */

import { h, icon, replace } from "../trace_view/assets/dom.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { DEFAULT_ORDER, fullFilter } from "./state.js";

export class Live {
  /** @param {import("./trace_list.js").TraceList} list */
  constructor(list) {
    this.list = list;
    this.element = h("div", "fresh");
    /** @type {EventSource | null} */
    this.source = null;
    this.url = "";
    /** @type {Set<string>} */
    this.arrived = new Set();
    this.onVisible = () => this.listen();
    document.addEventListener("visibilitychange", this.onVisible);
  }

  destroy() {
    this.hush();
    document.removeEventListener("visibilitychange", this.onVisible);
  }

  hush() {
    this.source?.close();
    this.source = null;
    this.url = "";
  }

  /** Listens only where new rows belong: on the first page, newest first, up to now, in a visible tab. */
  listen() {
    const { state, settings } = this.list;
    this.arrived.clear();
    this.draw();
    const wanted = state.live && !state.cursor && state.order === DEFAULT_ORDER && !state.to && !document.hidden;
    const url = `${settings.api}/live?${new URLSearchParams({ filter: fullFilter(state, { time: true }) })}`;
    if (wanted && this.url === url) return;
    this.hush();
    if (!wanted) return;
    this.url = url;
    this.source = new EventSource(url);
    this.source.addEventListener("trace", (event) => this.take(JSON.parse(/** @type {MessageEvent} */ (event).data)));
  }

  /** @param {import("./columns.js").Row} row */
  take(row) {
    const { list } = this;
    const at = list.rows.findIndex((known) => known.trace_id === row.trace_id);
    if (at >= 0) {
      list.rows[at] = row;
      list.table.redraw(at);
    } else if (list.rows.length) {
      this.arrived.add(row.trace_id);
    } else {
      list.load();
    }
    this.draw();
  }

  draw() {
    const many = this.arrived.size;
    const show = () => this.list.load();
    replace(this.element, many ? h("button", { type: "button", class: "fresh-button", onclick: show }, icon(ICONS.up), `${many} new`, h("span", "kbd", "n")) : null);
  }
}
