// @ts-check
/**
 * Words an answer shares with a passage, sentence by sentence. This is word overlap and says so: it finds where a sentence may come from,
 * not whether it is supported. Numbers must agree, function words do not count, and languages written without spaces are compared by
 * pairs of characters.
 */

import { parts } from "./markdown.js";

/** Of the shorter sentence's content words, this share must stand in the other: half is chance where both speak of the same product. */
const SHARED_FROM = 0.6;
/** Fewer content words than this prove nothing. */
const FEWEST = 4;

const FUNCTION_WORDS = new Set(
  ("a an and are as at be but by can do does for from has have how if in into is it its may more no not of on or so such than that the their then " +
    "there these they this to was were what when which while will with you your only also any all each other we our us he she his her i")
    .split(" "),
);
const WORDS = /[\p{L}\p{N}]+(?:[._\-/][\p{L}\p{N}]+)*/gu;
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;

/** @param {string} text @returns {Set<string>} */
export function contentWords(text) {
  /** @type {Set<string>} */
  const words = new Set();
  for (const [word] of text.toLowerCase().matchAll(WORDS)) {
    if (UNSPACED.test(word)) for (let i = 0; i + 1 < word.length; i++) words.add(word.slice(i, i + 2));
    else if (!FUNCTION_WORDS.has(word) && (word.length > 1 || /\d/.test(word))) words.add(word.length > 4 ? word.replace(/(ing|ed|es|s)$/, "") : word);
  }
  return words;
}

/** @param {string} text @returns {{from: number, to: number}[]} sentences as ranges; a line ends one unless it was only wrapped, so does an item or a table row */
export function sentences(text) {
  /** @type {{from: number, to: number}[]} */
  const found = [];
  const known = parts(text);
  for (const part of known.parts) {
    const said = known.text.slice(part.from, part.to);
    let from = 0;
    for (const match of said.matchAll(/[.!?。！？]["'”’)\]]*(?=\s|$)|[。！？]|\n+/gu)) {
      const to = /** @type {number} */ (match.index) + match[0].length;
      push(found, text, part.from + from, part.from + to);
      from = to;
    }
    push(found, text, part.from + from, part.to);
  }
  return found;
}

/** @param {{from: number, to: number}[]} found @param {string} text @param {number} from @param {number} to */
function push(found, text, from, to) {
  while (from < to && /\s/.test(text[from])) from++;
  while (to > from && /\s/.test(text[to - 1])) to--;
  if (to > from) found.push({ from, to });
}

/** @param {Set<string>} words numbers among them */
function numbersOf(words) {
  return [...words].filter((word) => /\d/.test(word));
}

/**
 * @param {string} passage @param {string} answer
 * @returns {{from: number, to: number, share: number}[]} sentences of the passage that the answer repeats, with the shared part
 */
export function sharedSentences(passage, answer) {
  const said = sentences(answer.slice(0, 20_000)).map(({ from, to }) => contentWords(answer.slice(from, to))).filter((words) => words.size >= FEWEST);
  const shared = [];
  for (const { from, to } of sentences(passage.slice(0, 20_000))) {
    const words = contentWords(passage.slice(from, to));
    if (words.size < FEWEST) continue;
    let best = 0;
    for (const other of said) {
      const numbers = numbersOf(other);
      if (numbers.length && numbersOf(words).length && !numbers.some((number) => words.has(number))) continue; // other figures: another fact
      let common = 0;
      for (const word of words) if (other.has(word)) common++;
      if (common >= FEWEST - 1) best = Math.max(best, common / Math.min(words.size, other.size));
    }
    if (best >= SHARED_FROM) shared.push({ from, to, share: best });
  }
  return shared;
}
