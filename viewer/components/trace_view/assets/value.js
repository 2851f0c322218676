// @ts-check
/** JSON values as a tree that opens on demand and can be searched; strings that hold JSON open like JSON. */

import { bytes, counted, visible } from "./format.js";
import { ICONS } from "./icons.js";
import { h, icon, iconButton } from "./dom.js";
import { longText, prose } from "./text.js";
import { copyText } from "./copy.js";

const ENTRIES = 100; // drawn at once in one object or list
const FIELDS = 12; // named values that are read as a form
const LONG = 160; // characters of a string that stand on the line

/** @param {unknown} value */
const isBranch = (value) => value !== null && typeof value === "object";

/** @param {string} text @param {number} [longest] @returns {unknown} what the text holds if it is a JSON object or list, else undefined */
export function jsonIn(text, longest = 2e6) {
  const first = text.trimStart()[0];
  if ((first !== "{" && first !== "[") || text.length > longest) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @param {unknown} value @returns {[string, unknown][]} */
function entriesOf(value) {
  return Array.isArray(value) ? value.map((item, i) => [String(i), item]) : Object.entries(/** @type {object} */ (value));
}

/** @param {any} value the collector's forms for what JSON cannot say */
function leafText(value) {
  if (value && typeof value === "object" && typeof value.float === "string") return value.float;
  if (value && typeof value === "object" && typeof value.bytes_base64 === "string") return `${bytes((value.bytes_base64.length * 3) / 4)} of bytes`;
  return undefined;
}

/**
 * @param {string | null} key @param {unknown} value
 * @param {{open?: number, path?: string}} [options] `open`: levels that start open
 * @returns {HTMLElement}
 */
export function valueNode(key, value, { open = 1, path = "" } = {}) {
  const special = leafText(value);
  const parsed = typeof value === "string" ? jsonIn(value) : undefined;
  const branch = special === undefined && (isBranch(value) || parsed !== undefined);
  const line = h("div", { class: "value-line", data: { path } });
  const node = h("div", "value-node", line);
  const copy = iconButton(ICONS.copy, "Copy value", () => copyText(typeof value === "string" ? value : JSON.stringify(value, null, 2), copy), { class: "icon-button value-copy" });
  if (branch && !entriesOf(parsed ?? value).length) {
    line.append(h("span", "caret-space"), ...(key === null ? [] : [h("span", "value-key", visible(key))]), h("span", "value-summary", Array.isArray(parsed ?? value) ? "[ ] empty" : "{ } empty"), copy);
    return node;
  }
  if (!branch) {
    line.append(h("span", "caret-space"), ...(key === null ? [] : [h("span", "value-key", visible(key))]), leaf(special ?? value), copy);
    return node;
  }
  const content = parsed ?? value;
  const entries = entriesOf(content);
  const children = h("div", "value-children");
  const caret = h("button", { type: "button", class: "caret", "aria-expanded": "false", "aria-label": `Open ${key ?? "value"}` }, icon(ICONS.caret));
  const summary = Array.isArray(content) ? counted(entries.length, "item") : counted(entries.length, "field");
  const name = key === null ? null : h("span", "value-key", visible(key));
  line.append(caret, ...(name ? [name] : []), h("span", "value-summary", `${Array.isArray(content) ? "[ ]" : "{ }"} ${summary}${parsed === undefined ? "" : " · JSON text"}`), copy);
  node.append(children);
  let filled = 0;
  const fill = () => {
    for (const [childKey, child] of entries.slice(filled, filled + ENTRIES)) children.append(valueNode(childKey, child, { open: open - 1, path: path ? `${path}.${childKey}` : childKey }));
    filled = Math.min(entries.length, filled + ENTRIES);
    children.querySelector(":scope > .show-more")?.remove();
    if (filled < entries.length) children.append(h("button", { type: "button", class: "show-more", onclick: fill }, `Show ${Math.min(ENTRIES, entries.length - filled)} more of ${entries.length}`));
  };
  const toggle = () => {
    const opened = node.classList.toggle("open");
    caret.setAttribute("aria-expanded", String(opened));
    if (opened && !filled) fill();
  };
  line.addEventListener("click", (event) => {
    if (!/** @type {Element} */ (event.target).closest(".value-copy")) toggle();
  });
  if (open > 0 && entries.length <= ENTRIES) toggle();
  return node;
}

/** @param {unknown} value */
function leaf(value) {
  if (typeof value === "string") {
    if (value.length > LONG || value.includes("\n")) return h("div", "value-text", longText(value, { mono: true, fold: 400 }));
    return h("span", "value-string", value === "" ? "(empty)" : visible(value));
  }
  return h("span", `value-${value === null ? "null" : typeof value}`, String(value));
}

/**
 * A value as people want to read it: text as prose, JSON as a tree.
 * @param {unknown} value @param {{chip?: import("./text.js").Chip}} [options]
 */
export function readable(value, { chip } = {}) {
  const parsed = typeof value === "string" ? jsonIn(value) : undefined;
  if (typeof value === "string" && parsed === undefined) return longText(value, { rich: true, chip });
  const content = parsed ?? value;
  if (content === null || content === undefined) return h("p", "muted", "Nothing recorded.");
  if (!isBranch(content)) return prose(String(content));
  return asFields(content) ?? h("div", "value-tree", valueNode(null, content, { open: 2 }));
}

/**
 * A few named values, or a list of texts, as a form one reads: names small, texts as prose. Deeper and longer things are trees.
 * @param {any} content @returns {HTMLElement | null} null where a tree says it better
 */
function asFields(content) {
  const entries = entriesOf(content);
  if (!entries.length || entries.length > FIELDS || leafText(content) !== undefined) return null;
  if (Array.isArray(content)) return content.every((item) => typeof item === "string") ? h("ol", "texts", content.map((text) => h("li", null, longText(text, { rich: true })))) : null;
  const shown = (/** @type {unknown} */ value) => {
    const parsed = typeof value === "string" ? jsonIn(value) : undefined;
    const inner = parsed ?? value;
    if (typeof inner === "string") return inner === "" ? h("span", "muted", "empty") : longText(inner, { rich: true });
    const special = leafText(inner);
    if (special !== undefined || !isBranch(inner)) return leaf(special ?? inner);
    return entriesOf(inner).length ? h("div", "value-tree", valueNode(null, inner, { open: 1 })) : h("span", "muted", "empty");
  };
  return h("dl", "fields", entries.flatMap(([key, value]) => [h("dt", null, visible(key)), h("dd", null, shown(value))]));
}

/**
 * @param {Record<string, unknown>} values @param {string} text
 * @returns {[string, unknown][]} entries whose key or value holds the text
 */
export function matching(values, text) {
  const needle = text.toLowerCase();
  const entries = Object.entries(values).sort(([a], [b]) => a.localeCompare(b));
  if (!needle) return entries;
  return entries.filter(([key, value]) => key.toLowerCase().includes(needle) || holds(value, needle));
}

/** @param {unknown} value @param {string} needle */
function holds(value, needle) {
  if (typeof value === "string") return value.toLowerCase().includes(needle);
  return (JSON.stringify(value) ?? "").toLowerCase().includes(needle);
}
