// @ts-check
/** The page's state ⇄ its URL. Pure. Everything a person can choose is here, so that a link, a reload and Back bring it back. */

import { both, quote } from "./query.js";

export const RANGES = /** @type {const} */ ([
  ["15m", "Last 15 minutes", 900],
  ["1h", "Last hour", 3600],
  ["6h", "Last 6 hours", 6 * 3600],
  ["24h", "Last 24 hours", 86_400],
  ["7d", "Last 7 days", 7 * 86_400],
  ["30d", "Last 30 days", 30 * 86_400],
  ["all", "All time", 0],
]);

export const PAGE_SIZE = 100;
export const DEFAULT_ORDER = "-start_time";

/**
 * @typedef {object} State
 * @property {string} filter the filter text
 * @property {string} range a key of RANGES; "" when from/to say it
 * @property {string} from milliseconds since 1970, "" without @property {string} to
 * @property {string[]} environments
 * @property {string} order @property {string} cursor @property {string[]} columns empty: the default ones
 * @property {boolean} live
 */

/** @param {string} search @returns {State} */
export function parse(search) {
  const query = new URLSearchParams(search);
  const number = (/** @type {string} */ name) => (/^\d{1,15}$/.test(query.get(name) ?? "") ? /** @type {string} */ (query.get(name)) : "");
  const from = number("from");
  const to = number("to");
  const range = query.get("range") ?? "";
  const known = RANGES.some(([key]) => key === range);
  return {
    filter: query.get("filter") ?? "",
    range: from || to ? "" : known ? range : "all",
    from,
    to,
    environments: (query.get("environment") ?? "").split(",").filter(Boolean),
    order: query.get("order") || DEFAULT_ORDER,
    cursor: query.get("cursor") ?? "",
    columns: (query.get("columns") ?? "").split(",").filter(Boolean),
    live: query.get("live") !== "off",
  };
}

/** @param {State} state @returns {string} the query string with its "?", "" for the page as it opens */
export function search(state) {
  const query = new URLSearchParams();
  const put = (/** @type {string} */ name, /** @type {string} */ value, standard = "") => {
    if (value && value !== standard) query.set(name, value);
  };
  put("filter", state.filter);
  put("range", state.range, "all");
  put("from", state.from);
  put("to", state.to);
  put("environment", state.environments.join(","));
  put("order", state.order, DEFAULT_ORDER);
  put("columns", state.columns.join(","));
  put("live", state.live ? "" : "off");
  put("cursor", state.cursor);
  const text = query.toString();
  return text ? `?${text}` : "";
}

/** @param {number} milliseconds */
const nanoseconds = (milliseconds) => `${Math.round(milliseconds)}000000`;

/** @param {State} state @returns {string} the condition on the start time */
export function timeFilter(state) {
  if (state.from || state.to) {
    return both(state.from && `start:>=${nanoseconds(Number(state.from))}`, state.to && `start:<${nanoseconds(Number(state.to))}`);
  }
  return state.range === "all" ? "" : `since:${state.range}`;
}

/** @param {State} state @param {{time?: boolean, environment?: boolean}} [leave] parts to leave out @returns {string} what to ask the collector */
export function fullFilter(state, leave = {}) {
  const environment = state.environments.length && !leave.environment ? `environment:${state.environments.map(quote).join(",")}` : "";
  return both(state.filter, environment, leave.time ? "" : timeFilter(state));
}

/** @param {State} state @param {number} now milliseconds @returns {[number | null, number]} first and last millisecond shown; null: unknown */
export function extent(state, now) {
  if (state.from || state.to) return [state.from ? Number(state.from) : null, state.to ? Number(state.to) : now];
  const seconds = RANGES.find(([key]) => key === state.range)?.[2] ?? 0;
  return [seconds ? now - seconds * 1000 : null, now];
}
