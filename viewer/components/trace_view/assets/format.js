// @ts-check
/** Values → text for people. Pure; tested with node's runner. Numbers keep three significant digits, units follow a no-break space. */

const NBSP = "\u00a0";

/** @param {number} value three significant digits, no exponent; a zero at the end is one of them, and keeps columns in line */
function three(value) {
  return value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

/** @param {string} text */
function trim(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** @param {number | null | undefined} ns nanoseconds → "2.4 ms", "6.02 s", "3 min 12 s" */
export function duration(ns) {
  if (ns === null || ns === undefined || !Number.isFinite(ns)) return "–";
  if (ns === 0) return "0";
  if (ns < 1e3) return `${Math.round(ns)}${NBSP}ns`;
  if (ns < 999_500) return `${three(ns / 1e3)}${NBSP}µs`;
  if (ns < 999.5e6) return `${three(ns / 1e6)}${NBSP}ms`;
  if (ns < 59.995e9) return `${(ns / 1e9).toFixed(ns < 9.995e9 ? 2 : 1)}${NBSP}s`;
  const seconds = Math.round(ns / 1e9);
  if (seconds < 600) return `${Math.floor(seconds / 60)}${NBSP}min${NBSP}${seconds % 60}${NBSP}s`;
  if (seconds < 3600) return `${(seconds / 60).toFixed(1)}${NBSP}min`;
  return `${Math.floor(seconds / 3600)}${NBSP}h${NBSP}${Math.floor((seconds % 3600) / 60)}${NBSP}min`;
}

/** @param {number} ns a round time, as on an axis: "20 ms" rather than "20.0 ms" */
export function roundDuration(ns) {
  return duration(ns).replace(/\.0+(?=\u00a0)/, "");
}

/** @param {number | null | undefined} count 312, 2.6k, 1.2M */
export function compact(count) {
  if (count === null || count === undefined) return "–";
  if (count < 1000) return String(count);
  if (count < 999_500) return `${(count / 1e3).toFixed(count < 99_950 ? 1 : 0)}k`;
  return `${(count / 1e6).toFixed(1)}M`;
}

/** @param {number | null | undefined} count 5229 → "5,229" */
export function grouped(count) {
  return count === null || count === undefined ? "–" : Math.round(count).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

/** @param {number | null | undefined} usd at least two significant digits: "$0.0118", "$12.40", "$0.000031" */
export function cost(usd) {
  if (usd === null || usd === undefined) return "–";
  if (usd === 0) return "$0";
  if (usd >= 1) return `$${usd.toFixed(2)}`;
  const places = Math.min(9, 2 - Math.floor(Math.log10(usd)));
  return `$${trim(usd.toFixed(places))}`;
}

/** @param {number | null | undefined} usd for a narrow column: what is less than a hundredth of a cent is said so */
export function briefCost(usd) {
  return usd && usd < 1e-4 ? "< $0.0001" : cost(usd);
}

/** @param {number | null | undefined} value a score, three decimals at most */
export function score(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && size < 0.001) return value.toExponential(1);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size < 0.1 && size > 0 ? value.toFixed(3) : value.toFixed(2);
}

/** @param {number} share 0..1 */
export function percent(share) {
  return share > 0 && share < 0.01 ? `<1${NBSP}%` : `${Math.round(share * 100)}${NBSP}%`;
}

/** @param {number} count */
export function bytes(count) {
  if (count < 1000) return `${count}${NBSP}B`;
  return count < 1e6 ? `${trim(three(count / 1e3))}${NBSP}kB` : `${trim(three(count / 1e6))}${NBSP}MB`;
}

/** @param {number} count @param {string} noun @param {string} [plural] */
export function counted(count, noun, plural = `${noun}s`) {
  return `${grouped(count)} ${count === 1 ? noun : plural}`;
}

/** @param {string | number | bigint} ns Unix nanoseconds as they stand in the JSON → a Date (milliseconds) */
export function dateOf(ns) {
  return new Date(Number(BigInt(ns) / 1_000_000n));
}

/** @param {string | number | bigint | null | undefined} ns local time to the second */
export function clock(ns) {
  if (ns === null || ns === undefined || ns === "" || ns === "0") return "–";
  const date = dateOf(ns);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

// Characters that would act instead of being read: C0 controls but tab and newline, DEL, C1, and the bidirectional overrides and isolates.
const ACTING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\ufeff]/g;

/** @param {string} text the same text with characters that act (NUL, escape, RTL override …) made visible */
export function visible(text) {
  if (text.includes("\r\n")) text = text.replaceAll("\r\n", "\n");
  return text.replace(ACTING, (character) => {
    return `⟨U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

/** @param {string} text one line, at most `length` characters */
export function oneLine(text, length = 200) {
  const line = visible(text.slice(0, length * 4)).replace(/\s+/g, " ").trim();
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}

/**
 * A JSON value in words, for one line: the text it is about, else its values with their names.
 * @param {unknown} value @param {number} [depth] @returns {string}
 */
export function wordsOf(value, depth = 0) {
  if (value === null || typeof value !== "object") return value === null ? "null" : String(value);
  if (Array.isArray(value)) {
    if (typeof value.flat(2)[0] === "number") return `[${counted(value.flat(2).length, "number")}]`;
    return value.slice(0, 4).map((item) => wordsOf(item, depth + 1)).join(" · ") + (value.length > 4 ? " …" : "");
  }
  const about = TEXT_FIELDS.map((field) => /** @type {any} */ (value)[field]).find((text) => typeof text === "string" && text);
  if (about) return about;
  const entries = Object.entries(value).filter(([, inner]) => inner !== null && inner !== "" && !(typeof inner === "object" && !Object.keys(inner).length));
  if (entries.length === 1 && entries[0][1] !== null && typeof entries[0][1] === "object") return wordsOf(entries[0][1], depth + 1);
  if (depth > 2) return counted(entries.length, "field");
  if (entries.length === 1 && typeof entries[0][1] === "string" && entries[0][1].includes(" ")) return entries[0][1]; // a sentence needs no name
  return entries.slice(0, 4).map(([key, inner]) => `${key}: ${wordsOf(inner, depth + 1)}`).join(", ") + (entries.length > 4 ? " …" : "");
}

/** @param {string | null | undefined} preview the beginning of an input or output @returns {string | null} what its JSON says; null where it is none, "" where it was cut */
export function jsonWords(preview) {
  const text = (preview ?? "").trim();
  if (!/^(\{\s*"|\[\s*[[{"\d-])/.test(text)) return null;
  try {
    return wordsOf(JSON.parse(text));
  } catch {
    return /^\{\s*"\w+"\s*:|^\[\s*([[{"]|-?\d+\.\d)/.test(text) ? "" : null;
  }
}

// What a JSON value is called when it holds the text people mean, in the order we believe it.
const TEXT_FIELDS = ["question", "query", "input", "answer", "output", "text", "content", "message", "result", "response", "prompt"];

/** @param {unknown} value @returns {string | null} the text a JSON value is about, where that is plain */
export function textOf(value) {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return value.length === 0 ? null : textOf(value[value.length - 1]);
  if (value && typeof value === "object") {
    const object = /** @type {Record<string, unknown>} */ (value);
    for (const field of TEXT_FIELDS) if (typeof object[field] === "string") return /** @type {string} */ (object[field]);
    if (Array.isArray(object.messages)) return textOf(object.messages);
  }
  return null;
}
