// @ts-check
/** Counts and the histogram over the table; asked after the rows, so that the rows never wait for them. */

import { h, replace } from "../trace_view/assets/dom.js";
import { compact, cost, grouped } from "../trace_view/assets/format.js";
import { api } from "../base/shell.js";
import { buckets, grain, histogram } from "./histogram.js";
import { extent, fullFilter } from "./state.js";

const SHORT_MS = 6 * 3_600_000;
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

  /** @param {string} filter @param {"minute" | "hour" | "day"} by */
  ask(filter, by) {
    const asked = { filter, measures: "traces,errors,tokens,cost", by };
    return api(`${this.list.settings.api}/aggregate`, asked, { signal: this.list.stale.signal }).catch(() => ({ rows: [] }));
  }

  async load() {
    const { list } = this;
    const mine = list.turn;
    const filter = fullFilter(list.state);
    const [from, to] = extent(list.state, Date.now());
    let by = from === null ? "hour" : grain(to - from);
    let answer = await this.ask(filter, by);
    if (mine !== list.turn) return;
    if (from === null && answer.rows.length && to - moment(answer.rows[0].hour) < SHORT_MS) {
      by = "minute"; // a first hour's traces would be one bar
      answer = await this.ask(filter, by);
      if (mine !== list.turn) return;
    }
    /** @type {any[]} */
    const all = answer.rows;
    const points = all.map((group) => ({ at: moment(group[by]), count: group.traces, errors: group.errors }));
    this.chart.draw(points.length ? buckets(points, from, to, GRAIN_MS[by]) : null);
    list.total = sum(all, "traces");
    list.exact = answer.complete !== false;
    this.draw({ count: list.total ?? 0, bad: sum(all, "errors"), tokens: sum(all, "tokens"), usd: sum(all, "cost") }, list.exact);
    list.drawFoot();
  }

  /** @param {{count: number, bad: number, tokens: number, usd: number}} sums @param {boolean} exact false where only the newest were counted in time */
  draw({ count, bad, tokens, usd }, exact) {
    const entry = (/** @type {string} */ label, /** @type {any} */ value, tone = "", title = "") => h("div", { class: "total", title: title || null }, h("span", `value ${tone}`, value), h("span", "muted", label));
    const least = exact ? "" : "≥ ";
    const unpriced = this.list.rows.some((row) => row.unpriced); // of those in view: nothing counts them all
    const known = usd > 0 || this.list.rows.some((row) => row.cost_usd === 0 && !row.unpriced && row.models?.length); // 0 is a price, too
    const share = count ? (100 * bad) / count : 0;
    replace(
      this.totals,
      entry(count === 1 ? "trace" : "traces", least + grouped(count), "", exact ? "" : "At least so many: the time to count ended before all were seen"),
      entry("failed", count ? `${share < 0.05 && bad ? "<0.1" : share.toFixed(bad ? 1 : 0)} %` : "–", bad ? "error-text" : ""),
      entry("tokens", least + compact(tokens)),
      entry("cost", known ? (unpriced || !exact ? "≥ " : "") + cost(usd) : "–", "", unpriced ? "A lower bound: the models of some traces have no known price" : "Of calls whose model has a known price"),
    );
  }
}
