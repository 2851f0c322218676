// @ts-check
/** The columns of the trace table as one table: how wide, how sorted, how a cell is drawn. */

import { h, icon } from "../trace_view/assets/dom.js";
import { briefCost, compact, cost, counted, dateOf, duration, grouped, jsonWords, oneLine, score } from "../trace_view/assets/format.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { gist } from "../trace_view/assets/markdown.js";

/** @typedef {Record<string, any>} Row a TraceSummary as the API gives it */
/**
 * @typedef {object} Column
 * @property {string} id @property {string} label @property {string} width a width of a table column
 * @property {string} [order] what the API sorts by @property {boolean} [number] right-aligned
 * @property {boolean} [optional] not shown unless chosen @property {(row: Row, page: {slowest: number}) => any} cell
 */

const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** @param {string} ns @param {Date} now today only the time, this year the day, else the date */
export function when(ns, now) {
  const date = dateOf(ns);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  if (date.toDateString() === now.toDateString()) return clock;
  const day = `${MONTHS[date.getMonth()]} ${two(date.getDate())}`;
  return date.getFullYear() === now.getFullYear() ? `${day} ${clock.slice(0, 5)}` : `${date.getFullYear()} ${day}`;
}

const STATUS = /** @type {Record<string, [string, readonly string[]]>} */ ({
  error: ["error", ICONS.error],
  ok: ["ok", ICONS.ok],
  running: ["running", ICONS.spinner],
});

/** @param {Row} row */
function status(row) {
  if (row.root_missing && row.state !== "running") {
    const text = `The root span has not come${row.error_count ? `; ${counted(row.error_count, "span")} failed` : ""}`;
    return h("span", { class: `status ${row.error_count ? "error" : "handled"}`, title: text, role: "img", "aria-label": text }, icon(ICONS.rootless));
  }
  const handled = row.error_count > 0 && row.status !== "error";
  const [tone, paths] = handled ? ["handled", ICONS.warning] : (STATUS[row.state === "running" ? "running" : row.status] ?? [null, []]);
  if (!tone) return h("span", { class: "visually-hidden" }, "no status"); // unset says nothing, as on the trace page
  const text = row.error_count ? `${row.status}, ${row.error_count} of ${row.span_count} spans failed` : tone;
  return h("span", { class: `status ${tone}`, title: text, role: "img", "aria-label": text }, icon(paths, tone === "running" ? "icon spin" : "icon"));
}

/** @param {Row} row */
function question(row) {
  const words = jsonWords(row.input_preview);
  const text = oneLine(words ?? gist(row.input_preview ?? ""));
  return text || h("span", "muted", row.root_missing ? "root span has not come" : (row.root_name ?? "unnamed"));
}

/** @param {Row} row */
function answer(row) {
  const words = jsonWords(row.output_preview);
  return h("span", "muted", oneLine(words || gist(row.output_preview ?? "")));
}

/** @param {Row} row */
function price(row) {
  if (row.unpriced && !row.cost_usd) return h("span", { title: "no price is known for its models" }, "–");
  const title = [row.cost_usd > 0 && cost(row.cost_usd), row.unpriced && "a lower bound: a model has no known price"].filter(Boolean).join(", ");
  return h("span", { title: title || null }, row.unpriced ? "≥ " : "", briefCost(row.cost_usd));
}

/** The first tag, and how many more there are. @param {any[]} given */
function tags(given) {
  const names = given.map((tag) => oneLine(String(tag), 120));
  if (!names.length) return null;
  return h("div", { class: "pills", title: names.join("\n") }, h("span", "pill", h("span", "clip", names[0])), names.length > 1 ? h("span", "more muted", `+${names.length - 1}`) : null);
}

/** @param {any} given */
export function scoreText(given) {
  return given.label && (given.value === null || given.value === undefined || given.label.length < 14) ? oneLine(given.label, 16) : Number.isInteger(given.value) ? String(given.value) : score(given.value);
}

/** @param {any} given @returns {string} a tone: what is clearly good or clearly bad */
export function scoreTone(given) {
  if (given.value === null || given.value === undefined) return "";
  return given.value >= 0.8 ? "ok" : given.value < 0.5 ? "error" : "warning";
}

/** @param {any} given @returns {any[]} a thumb as a thumb, everything else as name and value */
function scoreFace(given) {
  if (given.name === "thumbs" && typeof given.value === "number") return [icon(given.value > 0 ? ICONS.thumbUp : ICONS.thumbDown)];
  return [h("span", "clip", oneLine(given.name, 18)), h("b", null, scoreText(given))];
}

/** @param {Row} row */
function scores(row) {
  const drawn = (row.scores ?? []).map((/** @type {any} */ given) => {
    const by = given.annotator?.id ?? given.annotator?.kind ?? "";
    return h("span", { class: `pill ${scoreTone(given)}`, title: `${oneLine(given.name, 60)} ${scoreText(given)} · ${by}` }, ...scoreFace(given));
  });
  return h("div", "pills", ...drawn);
}

/** @type {Column[]} */
export const COLUMNS = [
  { id: "time", label: "Time", width: "114px", order: "start_time", cell: (row) => h("span", { class: "mono muted", title: row.start_time }, when(row.start_unix_nano, new Date())) },
  { id: "status", label: "", width: "34px", cell: status },
  { id: "question", label: "Question", width: "auto", cell: question },
  { id: "answer", label: "Answer", width: "auto", cell: answer },
  {
    id: "duration",
    label: "Duration",
    width: "106px",
    order: "duration",
    number: true,
    cell: (row, page) => [
      h("span", { class: "meter", "aria-hidden": "true" }, h("i", { style: { width: `${Math.min(100, Math.max(2, (100 * row.duration_ns) / (page.slowest || 1)))}%` } })),
      row.state === "running" ? "…" : duration(Number(row.duration_ns)),
    ],
  },
  {
    id: "tokens",
    label: "Tokens",
    width: "72px",
    order: "tokens",
    number: true,
    cell: (row) => {
      const usage = row.usage ?? {};
      const total = usage.total_tokens ?? ((usage.input_tokens ?? 0) + (usage.output_tokens ?? 0) || null);
      return h("span", { title: `${grouped(usage.input_tokens)} in, ${grouped(usage.output_tokens)} out` }, compact(total));
    },
  },
  { id: "cost", label: "Cost", width: "88px", order: "cost", number: true, cell: price },
  { id: "service", label: "Service", width: "106px", cell: (row) => oneLine((row.services ?? []).join(", ")) },
  { id: "session", label: "Session", width: "86px", cell: (row) => h("span", "mono muted", oneLine(row.session_id ?? "", 40)) },
  { id: "tags", label: "Tags", width: "122px", cell: (row) => tags(row.tags ?? []) },
  { id: "scores", label: "Scores", width: "96px", cell: scores },
  { id: "verdict", label: "Verdict", width: "120px", optional: true, cell: (row) => row.verdict && h("span", `pill ${row.verdict === "ok" ? "ok" : "warning"}`, oneLine(row.verdict, 30)) },
  { id: "spans", label: "Spans", width: "64px", order: "span_count", number: true, optional: true, cell: (row) => grouped(row.span_count) },
  { id: "errors", label: "Errors", width: "64px", order: "error_count", number: true, optional: true, cell: (row) => grouped(row.error_count) },
  { id: "user", label: "User", width: "104px", optional: true, cell: (row) => oneLine(row.user_id ?? "", 60) },
  { id: "environment", label: "Environment", width: "104px", optional: true, cell: (row) => oneLine(row.environment ?? "", 60) },
  { id: "model", label: "Models", width: "130px", optional: true, cell: (row) => h("span", "mono", oneLine((row.models ?? []).join(", "), 80)) },
  { id: "name", label: "Root span", width: "130px", optional: true, cell: (row) => oneLine(row.root_name ?? "", 80) },
  { id: "id", label: "Trace id", width: "130px", optional: true, cell: (row) => h("span", "mono muted", row.trace_id) },
];

/** @type {Record<string, (row: Row) => boolean>} whether a row has something to show in a column that is often empty */
const FILLED = {
  status: (row) => row.root_missing || row.status !== "unset" || row.error_count > 0 || row.state === "running",
  cost: (row) => row.cost_usd > 0 || row.unpriced,
  session: (row) => Boolean(row.session_id),
  tags: (row) => Boolean(row.tags?.length),
  scores: (row) => Boolean(row.scores?.length),
};

/**
 * The columns that were chosen; else the standard ones without those that no row fills, and in a narrow window without what is least read.
 * @param {string[]} chosen @param {number} room pixels @param {Row[]} rows @returns {Column[]}
 */
export function shown(chosen, room, rows) {
  if (chosen.length) return COLUMNS.filter((column) => chosen.includes(column.id));
  const dropped = room < 900 ? ["session", "tags", "service", "tokens"] : room < 1100 ? ["session", "tags"] : room < 1300 ? ["session"] : [];
  return COLUMNS.filter((column) => !column.optional && !dropped.includes(column.id) && (!FILLED[column.id] || rows.some(FILLED[column.id])));
}
