// @ts-check
/**
 * Text of a trace as text on the page. `prose` draws the markdown that models and documents are written in (paragraphs, lists, headings,
 * tables, code, bold, citation marks); links, images and markup stay the characters they are. `longText` shows any size a slice at a time.
 */

import { bytes, visible } from "./format.js";
import { h } from "./dom.js";
import { read } from "./markdown.js";

/** Characters drawn at once: 5 MB in one text node costs seconds of layout. */
const SLICE = 20_000;
/** Longer text starts folded. */
const FOLD = 700;

/** @typedef {(mark: string) => Node | null} Chip draws a citation mark such as "1"; null leaves it text */

const INLINE = /(`[^`\n]+`)|(\*\*[^*\n]+\*\*)|((?<![\w*])\*[^*\s](?:[^*\n]*[^*\s])?\*(?![\w*]))|(?<!!)(\[[^\]\n]{1,200}\])(\([^()\s]{1,1000}\))|(\[\^?[\w,\s-]{1,24}\])(?!\()/g;
/** A table of more cells is drawn as the characters it came as. */
const CELLS = 1_000;

/** @typedef {{from: number, to: number, share: number}} Shared a sentence that the answer has too */
/** @typedef {{chip?: Chip, ranges?: Shared[], draw?: (text: string) => string}} Look `draw`: a last change to characters that are drawn */

/**
 * A part of a text with code, bold, citation marks, and the sentences in `ranges` marked.
 * @param {string} text @param {number} from @param {number} to @param {Look} look @returns {Node[]}
 */
function stretch(text, from, to, { chip, ranges = [], draw = visible }) {
  /** @type {{node: Node, shared: Shared | undefined}[]} */
  const drawn = [];
  const sharing = ranges.filter((range) => range.from < to && range.to > from);
  const plain = (/** @type {number} */ start, /** @type {number} */ stop) => {
    for (let at = start; at < stop; ) {
      const shared = sharing.find((range) => range.from <= at && range.to > at);
      const next = shared ? Math.min(stop, shared.to) : Math.min(stop, ...sharing.filter((range) => range.from > at).map((range) => range.from));
      drawn.push({ node: document.createTextNode(draw(text.slice(at, next))), shared });
      at = next;
    }
  };
  let at = from;
  for (const match of text.slice(from, to).matchAll(INLINE)) {
    const [whole, code, bold, slanted, named, target, mark] = match;
    const start = from + /** @type {number} */ (match.index);
    const node = code ? h("code", null, draw(code.slice(1, -1))) : bold ? h("strong", null, draw(bold.slice(2, -2))) : slanted ? h("em", null, draw(slanted.slice(1, -1))) : target ? h("span", "prose-link", draw(named), h("span", "target", draw(target))) : mark && chip ? chips(mark, chip) : null;
    if (!node) continue;
    plain(at, start);
    drawn.push({ node, shared: sharing.find((range) => range.from <= start && range.to > start) });
    at = start + whole.length;
  }
  plain(at, to);
  return marked(drawn);
}

/** @param {{node: Node, shared: Shared | undefined}[]} drawn @returns {Node[]} neighbours of one sentence under one mark */
function marked(drawn) {
  /** @type {Node[]} */
  const nodes = [];
  /** @type {Shared | undefined} */
  let open;
  for (const { node, shared } of drawn) {
    if (shared && shared === open) nodes[nodes.length - 1].appendChild(node);
    else nodes.push(shared ? h("mark", { title: `Shares ${Math.round(shared.share * 100)} % of its words with a sentence of the answer (word overlap, not a judgement)` }, node) : node);
    open = shared;
  }
  return nodes;
}

/** @param {string} mark "[1]" or "[1, 3]" @param {Chip} chip */
function chips(mark, chip) {
  const drawn = mark.slice(1, -1).split(",").map((part) => chip(part.trim().replace(/^\^/, "")));
  return drawn.every((node) => node !== null) ? h("span", "chips", ...drawn) : null;
}

/** @param {string} raw @param {Chip} [chip] @param {Shared[]} [ranges] of `raw`, which then has line feeds as line ends @returns {HTMLElement} */
export function prose(raw, chip, ranges = []) {
  const { blocks, text } = read(ranges.length ? raw : raw.replaceAll("\r\n", "\n"));
  const look = { chip, ranges };
  const inside = (/** @type {import("./markdown.js").Range} */ { from, to }) => stretch(text, from, to, look);
  return h("div", "prose", blocks.map((block) => {
    if (block.type === "code") return h("pre", { class: "code", tabindex: 0 }, stretchPlain(text, block, ranges));
    if (block.type === "heading") return h("p", `prose-heading level-${Math.min(block.level, 4)}`, inside(block));
    if (block.type === "comment") return h("p", "prose-comment", visible(text.slice(block.from, block.to)));
    if (block.type === "table") return table(text, block, look);
    if (block.type === "paragraph") return h("p", null, inside(block));
    return h(block.ordered ? "ol" : "ul", block.ordered ? { start: block.start } : null, block.items.map((item) => h("li", item.depth ? `deep-${item.depth}` : null, inside(item))));
  }));
}

/** Characters as they are, shared sentences marked. @param {string} text @param {import("./markdown.js").Range} range @param {Shared[]} ranges @returns {Node[]} */
function stretchPlain(text, { from, to }, ranges) {
  /** @type {Node[]} */
  const nodes = [];
  let at = from;
  for (const shared of ranges.filter((range) => range.from < to && range.to > from)) {
    const [start, stop] = [Math.max(at, shared.from), Math.min(to, shared.to)];
    if (start > at) nodes.push(document.createTextNode(visible(text.slice(at, start))));
    nodes.push(...marked([{ node: document.createTextNode(visible(text.slice(start, stop))), shared }]));
    at = stop;
  }
  if (at < to) nodes.push(document.createTextNode(visible(text.slice(at, to))));
  return nodes;
}

/** @param {string} text @param {Extract<import("./markdown.js").Block, {type: "table"}>} block @param {Look} look */
function table(text, { head, rows, align }, look) {
  const columns = Math.max(head?.cells.length ?? 0, ...rows.map((row) => row.cells.length));
  if (columns * rows.length > CELLS) {
    const whole = { from: (head ?? rows[0]).from, to: (rows[rows.length - 1] ?? head).to };
    return h("pre", { class: "code", tabindex: 0 }, stretchPlain(text, whole, look.ranges ?? []));
  }
  const cellLook = { ...look, draw: (/** @type {string} */ piece) => visible(piece.replaceAll("\\|", "|")) };
  const line = (/** @type {import("./markdown.js").TableRow} */ row, /** @type {"th" | "td"} */ tag) =>
    h("tr", null, Array.from({ length: columns }, (_, n) => {
      const cell = row.cells[n];
      return h(tag, { scope: tag === "th" ? "col" : null, class: align[n] && align[n] !== "left" ? `to-${align[n]}` : null }, cell ? stretch(text, cell.from, cell.to, cellLook) : [], row.after && n === row.cells.length - 1 ? [" ", ...stretch(text, row.after.from, row.after.to, look)] : []);
    }));
  return h("div", "prose-table", h("table", head ? null : "headless", head && h("thead", null, line(head, "th")), h("tbody", null, rows.map((row) => line(row, "td")))));
}

/** Text that is too long to be laid out as prose: characters as they came. @param {string} text @param {Shared[]} ranges */
function plainText(text, ranges) {
  return h("div", "plain", stretchPlain(text, { from: 0, to: text.length }, ranges));
}

/**
 * Text of any length: folded beyond some lines, drawn a slice at a time.
 * @param {string} raw
 * @param {{mono?: boolean, rich?: boolean, chip?: Chip, fold?: number, ranges?: Shared[], draw?: (text: string) => Node}} [options]
 *   `ranges` are marked, `draw` overrides how it is drawn
 */
export function longText(raw, { mono = false, rich = false, chip, fold = FOLD, ranges = [], draw } = {}) {
  const box = h("div", mono ? "long mono" : "long");
  const drawSlice = (/** @type {string} */ text, /** @type {Shared[]} */ shared = []) => (draw ? draw(text) : rich && raw.length <= SLICE ? prose(text, chip, shared) : plainText(text, shared));
  box.append(drawSlice(raw.slice(0, SLICE), ranges));
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
