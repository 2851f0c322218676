// @ts-check
/** Counts and the histogram over the table; asked after the rows, so that the rows never wait for them. */

import { h, replace } from "../trace_view/assets/dom.js";
import { compact, cost, grouped } from "../trace_view/assets/format.js";
import { api } from "../base/shell.js";
import { buckets, grain, histogram } from "./histogram.js";
import { both } from "./query.js";
import { extent, fullFilter } from "./state.js";

const GRAIN_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

/** @param {any} value a group of time: RFC 3339, or nanoseconds @returns {number} milliseconds */
function moment(value) {
  return /^\d+$/.test(String(value)) ? Number(BigInt(value) / 1_000_000n) : Date.parse(value);
}

/** @param {any[]} groups @param {string} measure */
function sum(groups, measure) {
  return groups.reduce((total, group) => total + (group[measure] ?? 0), 0);
}

export class Overview {
  /** @param {import("./trace_list.js").TraceList} list */
  constructor(list) {
    this.list = list;
    this.totals = h("div", "totals");
    this.chart = histogram((from, to) => list.go({ range: "", from: String(from), to: String(to), cursor: "" }));
    this.element = h("div", "overview", this.totals, this.chart.element);
  }

  async load() {
    const { list } = this;
    const mine = list.turn;
    const filter = fullFilter(list.state);
    const [from, to] = extent(list.state, Date.now());
    const by = from === null ? "hour" : grain(to - from);
    const ask = (/** @type {string} */ text, /** @type {string} */ measures) =>
      api(`${list.settings.api}/aggregate`, { filter: text, measures, by }, { signal: list.stale.signal }).then((answer) => answer.rows).catch(() => []);
    const [all, bad] = await Promise.all([ask(filter, "traces,tokens,cost"), ask(both(filter, "status:error"), "traces")]);
    if (mine !== list.turn) return;
    const failed = new Map(bad.map((/** @type {any} */ group) => [moment(group[by]), group.traces]));
    const points = all.map((/** @type {any} */ group) => ({ at: moment(group[by]), count: group.traces, errors: failed.get(moment(group[by])) ?? 0 }));
    this.chart.draw(points.length ? buckets(points, from, to, GRAIN_MS[by]) : null);
    list.total = sum(all, "traces");
    this.draw(list.total ?? 0, sum(bad, "traces"), sum(all, "tokens"), all.some((/** @type {any} */ group) => group.cost) ? sum(all, "cost") : null);
    list.drawFoot();
  }

  /** @param {number} count @param {number} bad @param {number} tokens @param {number | null} usd */
  draw(count, bad, tokens, usd) {
    const entry = (/** @type {string} */ label, /** @type {any} */ value, tone = "") => h("div", "total", h("span", `value ${tone}`, value), h("span", "muted", label));
    const share = count ? (100 * bad) / count : 0;
    replace(
      this.totals,
      entry(count === 1 ? "trace" : "traces", grouped(count)),
      entry("failed", count ? `${share < 0.05 && bad ? "<0.1" : share.toFixed(bad ? 1 : 0)} %` : "–", bad ? "error-text" : ""),
      entry("tokens", compact(tokens)),
      entry("cost", cost(usd)),
    );
  }
}
