// @ts-check
/**
 * The filter text as the page edits it: its terms, the values a facet has put there, what to complete at the caret. Pure.
 * The collector alone parses the language; this only knows where one term ends and the next begins.
 */

/** @typedef {{text: string, start: number, end: number}} Term */

/** @param {string} text @returns {Term[]} top-level terms: split at blanks outside quotes, brackets and parentheses */
export function terms(text) {
  /** @type {Term[]} */
  const found = [];
  let start = -1;
  let depth = 0;
  let quoted = false;
  for (let at = 0; at <= text.length; at++) {
    const character = text[at];
    const ends = at === text.length || (!quoted && depth === 0 && /\s/.test(character));
    if (ends) {
      if (start >= 0) found.push({ text: text.slice(start, at), start, end: at });
      start = -1;
      continue;
    }
    if (start < 0) start = at;
    if (character === "\\" && quoted) at++;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && (character === "(" || character === "[")) depth++;
    else if (!quoted && (character === ")" || character === "]")) depth = Math.max(0, depth - 1);
  }
  return found;
}

/** @param {string} value @returns {string} the value as the language reads it back, quoted where it must be */
export function quote(value) {
  return /^[^\s()",*?!=<>~\\:.-][^\s()",*?\\]*$/.test(value) && !value.includes("..") ? value : `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** @param {string} list `a,"b c",d` @returns {string[] | null} null where an entry is more than a plain value */
export function values(list) {
  const found = [];
  const entry = /\s*(?:"((?:\\.|[^"\\])*)"|([^\s()",]+))\s*(,|$)/gy;
  let end = 0;
  while (end < list.length) {
    entry.lastIndex = end;
    const match = entry.exec(list);
    if (!match || (match[2] && /^[!=<>~]/.test(match[2]))) return null;
    found.push(match[1] !== undefined ? match[1].replace(/\\(.)/g, "$1") : match[2]);
    end = entry.lastIndex;
    if (match[3] === "") break;
  }
  return end >= list.length && !list.trimEnd().endsWith(",") ? found : null;
}

/** @param {string} text @param {string} field @returns {{term: Term, values: string[]} | null} the plain term of a field */
export function termOf(text, field) {
  for (const term of terms(text)) {
    if (!term.text.startsWith(`${field}:`)) continue;
    const list = values(term.text.slice(field.length + 1));
    if (list) return { term, values: list };
  }
  return null;
}

/** @param {string} text @param {string} field @returns {string[]} */
export function chosen(text, field) {
  return termOf(text, field)?.values ?? [];
}

/** @param {string} text @param {string} field @param {string[]} list @returns {string} the text with the field's plain term replaced */
export function withValues(text, field, list) {
  const known = termOf(text, field);
  const written = list.length ? `${field}:${list.map(quote).join(",")}` : "";
  if (!known) return [text.trim(), written].filter(Boolean).join(" ");
  return [text.slice(0, known.term.start).trim(), written, text.slice(known.term.end).trim()].filter(Boolean).join(" ");
}

/** @param {string} text @param {string} field @param {string} value */
export function toggled(text, field, value) {
  const list = chosen(text, field);
  return withValues(text, field, list.includes(value) ? list.filter((other) => other !== value) : [...list, value]);
}

/** @param {...string} parts @returns {string} every part must hold; a part with `or` keeps its own parentheses */
export function both(...parts) {
  return parts
    .map((part) => part.trim())
    .filter(Boolean)
    .map((part, _, all) => (all.length > 1 && terms(part).some((term) => term.text.toLowerCase() === "or") ? `(${part})` : part))
    .join(" ");
}

/**
 * @typedef {{kind: "field", prefix: string, start: number, end: number} | {kind: "value", field: string, prefix: string, start: number, end: number}} Context
 * @param {string} text @param {number} caret @returns {Context | null} what stands at the caret, null inside a quoted phrase
 */
export function context(text, caret) {
  const before = text.slice(0, caret);
  if ((before.match(/(?<!\\)"/g) ?? []).length % 2 === 1) return null;
  const end = caret + (/^[^\s()",]*/.exec(text.slice(caret))?.[0].length ?? 0);
  const value = /([A-Za-z_][\w.]*(?:\[[^\]]*\])?)\s*:(?:[^\s()]*,)?(?:!=|>=|<=|=|>|<|~|!)?([^\s()",:]*)$/.exec(before);
  if (value) return { kind: "value", field: value[1].toLowerCase(), prefix: value[2], start: caret - value[2].length, end };
  const word = /[A-Za-z_]?[\w.]*$/.exec(before)?.[0] ?? "";
  return { kind: "field", prefix: word, start: caret - word.length, end };
}

/**
 * @typedef {{text: string, role: "field" | "operator" | "value" | "word" | "plain"}} Piece
 * @param {string} text @returns {Piece[]} pieces to colour; joined they are the text
 */
export function pieces(text) {
  /** @type {Piece[]} */
  const found = [];
  const token = /("(?:\\.|[^"\\])*"?)|([A-Za-z_][\w.]*(?:\[[^\]]*\])?)(:(?:!=|>=|<=|=|>|<|~|!)?|!=|>=|<=|=|>|<|~)|\b(and|or|not|any)\b|([()])|([^\s()":]+)|(\s+|:)/gi;
  let expectsValue = false;
  for (const match of text.matchAll(token)) {
    const [whole, quoted, field, operator, word, paren, other] = match;
    if (field) found.push({ text: field, role: "field" }, { text: operator, role: "operator" });
    else if (word && !expectsValue) found.push({ text: whole, role: "operator" });
    else found.push({ text: whole, role: paren ? "operator" : (quoted || other || word) && expectsValue ? "value" : quoted ? "word" : "plain" });
    expectsValue = Boolean(field) || (expectsValue && (other ?? "").endsWith(","));
  }
  return found;
}
