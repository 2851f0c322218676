// @ts-check
/**
 * The markdown that models and documents are written in, as blocks that are ranges of the text: paragraphs, headings, lists, tables, code,
 * comments. Nothing is drawn here and no character moves, so a sentence found in the text is found again in what is drawn from it.
 */

/** @typedef {{from: number, to: number}} Range */
/** @typedef {Range & {cells: Range[], after: Range | null}} TableRow `after`: citation marks behind the last pipe */
/** @typedef {{type: "list", ordered: boolean, start: number, items: (Range & {depth: number})[]}} List */
/**
 * @typedef {{type: "paragraph", from: number, to: number} | {type: "code", from: number, to: number} | {type: "comment", from: number, to: number}
 *   | {type: "heading", level: number, from: number, to: number} | List
 *   | {type: "table", head: TableRow | null, rows: TableRow[], align: ("left" | "right" | "center")[]}} Block
 */

const FENCE = /^\s{0,6}(```+|~~~+)/;
const ITEM = /^(\s*)([-*•+]|\d{1,4}[.)])\s+/;
const HEADING = /^(#{1,6})\s+/;
const COMMENT = /^\s*<!--.*-->\s*$/;
const RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
/** A row that stands alone, as in an answer that quotes one: a pipe at both ends, citation marks after it. */
const ROW = /^\s*\|.*\|\s*(\[\^?[\w,\s-]{1,24}\]\s*)*$/;
const MARKS = /^(\[\^?[\w,\s-]{1,24}\]\s*)*$/;
/** Nobody wraps lines shorter than this; lines with fewer words than one in 14 characters are data, not prose. */
const WRAPPED_FROM = 50;
const WORD = 14;

/** @param {string} text @returns {Range[]} without their line ends */
function linesOf(text) {
  const lines = [];
  for (let from = 0; from <= text.length; ) {
    const end = text.indexOf("\n", from);
    const to = end < 0 ? text.length : end;
    lines.push({ from, to });
    from = to + 1;
  }
  return lines;
}

/** Whether a line was broken to fit a width, not because something ends there. @param {string} line @param {string} next */
function wrapped(line, next) {
  return line.length >= WRAPPED_FROM && (line.match(/ +/g)?.length ?? 0) >= line.length / WORD && !/( {2}|\\)$/.test(line) && !/^\s{2}/.test(next);
}

/** @param {string} text @param {Range} range */
function trimmed(text, { from, to }) {
  while (from < to && /\s/.test(text[from])) from++;
  while (to > from && /\s/.test(text[to - 1])) to--;
  return { from, to };
}

/** @param {string} text @param {Range} line @returns {TableRow} cells between pipes that are not escaped */
function rowOf(text, line) {
  const whole = trimmed(text, line);
  const pipes = [];
  for (let at = whole.from; at < whole.to; at++) if (text[at] === "\\") at++; else if (text[at] === "|") pipes.push(at);
  const starts = pipes[0] === whole.from ? pipes.map((at) => at + 1) : [whole.from, ...pipes.map((at) => at + 1)];
  const cells = starts.map((from, n) => trimmed(text, { from, to: n + 1 < starts.length ? starts[n + 1] - 1 : whole.to }));
  const last = cells[cells.length - 1];
  const beyond = cells.length > 1 && pipes[0] === whole.from && MARKS.test(text.slice(last.from, last.to)); // empty, or marks alone
  if (beyond) cells.pop();
  return { ...whole, cells, after: beyond && last.to > last.from ? last : null };
}

/** @param {string} text @param {Range} rule "|:--|--:|" */
function alignOf(text, rule) {
  return rowOf(text, rule).cells.map(({ from, to }) => (text[to - 1] !== ":" ? "left" : text[from] === ":" ? "center" : "right"));
}

/**
 * @param {string} text with line feeds as line ends
 * @returns {{blocks: Block[], text: string}} `text` of the same length, in which the line ends inside wrapped paragraphs are spaces
 */
export function read(text) {
  const lines = linesOf(text);
  const say = (/** @type {number} */ n) => (n < lines.length ? text.slice(lines[n].from, lines[n].to) : "");
  const ruled = (/** @type {number} */ n) => say(n).includes("|") && say(n + 1).includes("-") && say(n + 1).includes("|") && RULE.test(say(n + 1));
  const begins = (/** @type {number} */ n) => !say(n).trim() || FENCE.test(say(n)) || ITEM.test(say(n)) || HEADING.test(say(n)) || COMMENT.test(say(n)) || ROW.test(say(n)) || ruled(n);
  /** @type {Block[]} */
  const blocks = [];
  /** @type {number[]} */
  const joined = [];
  for (let i = 0; i < lines.length; ) {
    const line = say(i);
    const { from } = lines[i];
    const fence = FENCE.exec(line);
    const heading = HEADING.exec(line);
    const item = ITEM.exec(line);
    if (!line.trim()) i++;
    else if (fence) {
      const first = ++i;
      while (i < lines.length && !say(i).trim().startsWith(fence[1].slice(0, 3))) i++;
      if (i > first) blocks.push({ type: "code", from: lines[first].from, to: lines[i - 1].to });
      i++;
    } else if (heading) {
      blocks.push({ type: "heading", level: heading[1].length, from: from + heading[0].length, to: lines[i++].to });
    } else if (COMMENT.test(line)) {
      blocks.push({ type: "comment", ...trimmed(text, lines[i++]) });
    } else if (ruled(i) || ROW.test(line)) {
      const head = ruled(i) ? rowOf(text, lines[i]) : null;
      const align = head ? alignOf(text, lines[i + 1]) : [];
      const rows = [];
      for (i += head ? 2 : 0; i < lines.length && say(i).includes("|") && (head ? say(i).trim() : ROW.test(say(i)) && !ruled(i)); i++) if (!RULE.test(say(i))) rows.push(rowOf(text, lines[i]));
      if (head || rows.length) blocks.push({ type: "table", head, rows, align: /** @type {any} */ (align) });
    } else if (item) {
      const ordered = /\d/.test(item[2]);
      const items = [];
      for (let match = /** @type {RegExpExecArray | null} */ (item); match && (match[1].length > item[1].length || /\d/.test(match[2]) === ordered); ) {
        const start = lines[i].from + match[0].length;
        for (i++; i < lines.length && !begins(i) && (/^\s{2}/.test(say(i)) || wrapped(say(i - 1), say(i))); i++) joined.push(lines[i].from - 1);
        items.push({ from: start, to: lines[i - 1].to, depth: Math.min(4, Math.floor((match[1].length - item[1].length + 1) / 2)) });
        const next = !say(i).trim() && ITEM.test(say(i + 1)) ? i + 1 : i; // one empty line between items
        match = next < lines.length ? ITEM.exec(say(next)) : null;
        if (match) i = next;
      }
      blocks.push({ type: "list", ordered, start: Number.parseInt(item[2], 10) || 1, items });
    } else {
      for (i++; i < lines.length && !begins(i); i++) if (wrapped(say(i - 1), say(i))) joined.push(lines[i].from - 1);
      blocks.push({ type: "paragraph", from, to: lines[i - 1].to });
    }
  }
  const characters = joined.length ? text.split("") : null;
  for (const at of joined) if (characters) characters[at] = " ";
  return { blocks, text: characters ? characters.join("") : text };
}

/** @param {Block} block @returns {Range[]} what in a block says something by itself: a paragraph, an item, a row */
function partsOf(block) {
  if (block.type === "list") return block.items;
  if (block.type === "table") return [...(block.head ? [block.head] : []), ...block.rows];
  return block.type === "comment" ? [] : [block];
}

/** @param {string} text @returns {{text: string, parts: Range[]}} what to look for sentences in */
export function parts(text) {
  const known = read(text);
  return { text: known.text, parts: known.blocks.flatMap(partsOf) };
}

/** Text without the signs of its markup, for one line of a list: cells become "a · b", rules, fences and comments go. @param {string} text */
export function gist(text) {
  const said = text.split("\n").filter((line) => !FENCE.test(line) && !COMMENT.test(line) && !(line.includes("|") && RULE.test(line)));
  const lines = said.map((line) => (/^\s*\|/.test(line) ? line.replace(/^\s*\|\s*/, "").replace(/\s*\|\s*(?=\[[\d,\s]+\]|$)/g, " ").replace(/\s*(?<!\\)\|\s*/g, " · ") : line.replace(HEADING, "").replace(ITEM, "")).trim());
  return plain(lines.join(" ")).trim();
}

/** @param {string} line without the signs inside it: links and images keep their words */
function plain(line) {
  return line
    .replace(/!?\[([^\]\n]*)\]\([^()\s]*\)/g, "$1")
    .replace(/`([^`\n]+)`/g, "$1")
    .replace(/\*\*([^*\n]+)\*\*/g, "$1")
    .replace(/(?<![\w*])\*([^*\s](?:[^*\n]*[^*\s])?)\*(?![\w*])/g, "$1");
}
