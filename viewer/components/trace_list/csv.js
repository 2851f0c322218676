// @ts-check
/** Rows → CSV that a spreadsheet opens as text: a cell that would start a formula gets a leading apostrophe. Pure. */

/** @param {unknown} value */
export function cell(value) {
  let text = value === null || value === undefined ? "" : String(value);
  if (typeof value !== "number" && /^[\s\u0000-\u001f\ufeff]*[=+\-@\t\r]/.test(text)) text = `'${text}`;
  text = text.replace(/(\r\n|\r|\n)(?=[ \t]*[=+\-@])/g, "$1'");
  return /[",\r\n\t;]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const FIELDS = /** @type {const} */ ([
  ["trace_id", (/** @type {any} */ row) => row.trace_id],
  ["start_time", (/** @type {any} */ row) => row.start_time],
  ["status", (/** @type {any} */ row) => row.status],
  ["question", (/** @type {any} */ row) => row.input_preview],
  ["answer", (/** @type {any} */ row) => row.output_preview],
  ["duration_ms", (/** @type {any} */ row) => Number(row.duration_ns) / 1e6],
  ["tokens", (/** @type {any} */ row) => row.usage?.total_tokens],
  ["cost_usd", (/** @type {any} */ row) => row.cost_usd],
  ["services", (/** @type {any} */ row) => (row.services ?? []).join(" ")],
  ["environment", (/** @type {any} */ row) => row.environment],
  ["session", (/** @type {any} */ row) => row.session_id],
  ["user", (/** @type {any} */ row) => row.user_id],
  ["tags", (/** @type {any} */ row) => (row.tags ?? []).join(" ")],
]);

/** @param {any[]} rows trace summaries */
export function table(rows) {
  return [FIELDS.map(([name]) => name), ...rows.map((row) => FIELDS.map(([, read]) => read(row)))].map((line) => line.map(cell).join(",")).join("\r\n");
}
