// @ts-check
/**
 * Text of a trace as text on the page. `prose` reads the little markdown that models write (paragraphs, lists, headings, code, bold,
 * citation marks); links and images stay the characters they are. `longText` shows any size a slice at a time.
 */

import { bytes, visible } from "./format.js";
import { h } from "./dom.js";

/** Characters drawn at once: 5 MB in one text node costs seconds of layout. */
const SLICE = 20_000;
/** Longer text starts folded. */
const FOLD = 700;

/** @typedef {(mark: string) => Node | null} Chip draws a citation mark such as "1"; null leaves it text */

const INLINE = /(`[^`\n]+`)|(\*\*[^*\n]+\*\*)|(\[\^?[\w,\s-]{1,24}\])(?!\()/g;

/** @param {string} text @param {Chip} [chip] @returns {Node[]} */
export function inline(text, chip) {
  /** @type {Node[]} */
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, code, bold, mark] = match;
    const from = /** @type {number} */ (match.index);
    /** @type {Node | null} */
    let node = null;
    if (code) node = h("code", null, code.slice(1, -1));
    else if (bold) node = h("strong", null, bold.slice(2, -2));
    else if (mark && chip) node = chips(mark, chip);
    if (!node) continue;
    if (from > at) nodes.push(document.createTextNode(text.slice(at, from)));
    nodes.push(node);
    at = from + whole.length;
  }
  if (at < text.length) nodes.push(document.createTextNode(text.slice(at)));
  return nodes;
}

/** @param {string} mark "[1]" or "[1, 3]" @param {Chip} chip */
function chips(mark, chip) {
  const drawn = mark.slice(1, -1).split(",").map((part) => chip(part.trim().replace(/^\^/, "")));
  return drawn.every((node) => node !== null) ? h("span", "chips", ...drawn) : null;
}

/** @param {string} raw @param {Chip} [chip] @returns {HTMLElement} */
export function prose(raw, chip) {
  const box = h("div", "prose");
  const lines = visible(raw).split("\n");
  for (let i = 0; i < lines.length; ) {
    const line = lines[i];
    if (/^\s*(```|~~~)/.test(line)) {
      const fence = line.trim().slice(0, 3);
      const code = [];
      for (i++; i < lines.length && !lines[i].trim().startsWith(fence); i++) code.push(lines[i]);
      i++;
      box.append(h("pre", "code", code.join("\n")));
    } else if (/^\s*([-*•]|\d+[.)])\s+/.test(line)) {
      const ordered = /^\s*\d/.test(line);
      const list = h(ordered ? "ol" : "ul", ordered ? { start: Number(/\d+/.exec(line)?.[0]) } : null);
      for (; i < lines.length && /^\s*([-*•]|\d+[.)])\s+/.test(lines[i]); i++) list.append(h("li", null, ...inline(lines[i].replace(/^\s*([-*•]|\d+[.)])\s+/, ""), chip)));
      box.append(list);
    } else if (/^#{1,6}\s/.test(line)) {
      box.append(h("p", "prose-heading", ...inline(line.replace(/^#+\s+/, ""), chip)));
      i++;
    } else if (!line.trim()) {
      i++;
    } else {
      const paragraph = [];
      for (; i < lines.length && lines[i].trim() && !/^\s*(```|~~~|#{1,6}\s|([-*•]|\d+[.)])\s+)/.test(lines[i]); i++) paragraph.push(lines[i]);
      box.append(h("p", null, ...inline(paragraph.join("\n"), chip)));
    }
  }
  return box;
}

/**
 * Text of any length: folded beyond some lines, drawn a slice at a time.
 * @param {string} raw
 * @param {{mono?: boolean, rich?: boolean, chip?: Chip, fold?: number, draw?: (text: string) => Node}} [options] `draw` overrides how it is drawn
 */
export function longText(raw, { mono = false, rich = false, chip, fold = FOLD, draw } = {}) {
  const box = h("div", mono ? "long mono" : "long");
  const drawSlice = (/** @type {string} */ text) => (draw ? draw(text) : rich && raw.length <= SLICE ? prose(text, chip) : h("div", "plain", visible(text)));
  box.append(drawSlice(raw.slice(0, SLICE)));
  const lines = Math.max(14, fold / 60);
  const folded = raw.length > fold || countLines(raw, lines + 1) > lines;
  let shown = Math.min(SLICE, raw.length);
  const more = h("button", { type: "button", class: "show-more" });
  const label = () => {
    if (box.classList.contains("folded")) more.textContent = raw.length > SLICE ? `Show more · ${bytes(raw.length)}` : "Show all";
    else more.textContent = shown < raw.length ? `Show the next ${bytes(Math.min(SLICE * 5, raw.length - shown))} of ${bytes(raw.length)}` : "Show less";
  };
  if (!folded && raw.length <= SLICE) return box;
  if (folded) box.classList.add("folded");
  more.addEventListener("click", () => {
    if (box.classList.contains("folded")) box.classList.remove("folded");
    else if (shown < raw.length) {
      more.before(drawSlice(raw.slice(shown, shown + SLICE * 5)));
      shown = Math.min(raw.length, shown + SLICE * 5);
    } else box.classList.add("folded");
    label();
  });
  label();
  box.append(more);
  return box;
}

/** @param {string} text @param {number} most */
function countLines(text, most) {
  let lines = 1;
  for (let at = text.indexOf("\n"); at >= 0 && lines < most; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}

/** @param {string} text @param {{from: number, to: number, share: number}[]} ranges drawn as marks @returns {Node[]} */
export function marked(text, ranges) {
  /** @type {Node[]} */
  const nodes = [];
  let at = 0;
  for (const { from, to, share } of ranges) {
    if (from > at) nodes.push(...inline(visible(text.slice(at, from))));
    const title = `Shares ${Math.round(share * 100)} % of its words with a sentence of the answer (word overlap, not a judgement)`;
    nodes.push(h("mark", { title }, ...inline(visible(text.slice(from, to)))));
    at = to;
  }
  nodes.push(...inline(visible(text.slice(at))));
  return nodes;
}
