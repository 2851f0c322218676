// @ts-check
/**
 * New traces announce themselves ("3 new"), traces in the list complete in place: the collector's live stream, no reruns. A window
 * that gets no stream asks for the newest traces every few seconds.
 */

import { h, icon, replace } from "../trace_view/assets/dom.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { Stream } from "../trace_view/assets/stream.js";
import { api } from "../base/shell.js";
import { DEFAULT_ORDER, fullFilter } from "./state.js";

const WITHOUT_STREAM_MS = 4_000;
const NEWEST = 20;

export class Live {
  /** @param {import("./trace_list.js").TraceList} list */
  constructor(list) {
    this.list = list;
    this.element = h("div", "fresh");
    /** @type {Stream | null} */
    this.stream = null;
    this.url = "";
    this.timer = 0;
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
    this.stream?.close();
    this.stream = null;
    this.url = "";
    clearInterval(this.timer);
  }

  /** Listens only where new rows belong: on the first page, newest first, up to now, in a visible tab. */
  listen() {
    const { state, settings } = this.list;
    this.arrived.clear();
    this.draw();
    const wanted = state.live && !state.cursor && state.order === DEFAULT_ORDER && !state.to && !document.hidden;
    const filter = fullFilter(state, { time: true });
    const url = `${settings.api}/live?${new URLSearchParams({ filter })}`;
    if (wanted && this.url === url && !this.stream?.ended) return;
    this.hush();
    if (!wanted) return;
    this.url = url;
    this.stream = new Stream(url, { trace: (event) => this.take(JSON.parse(event.data)) });
    this.timer = setInterval(() => this.stream?.ended && void this.look(filter), WITHOUT_STREAM_MS);
  }

  /** @param {string} filter */
  async look(filter) {
    const answer = await api(`${this.list.settings.api}/traces`, { filter, limit: NEWEST }).catch(() => ({ traces: [] }));
    for (const row of answer.traces.reverse()) {
      const known = this.list.rows.find((other) => other.trace_id === row.trace_id);
      if (!known || JSON.stringify(known) !== JSON.stringify(row)) this.take(row);
    }
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
