// @ts-check
/**
 * Passages as ranked cards: what the last step returned, then a line for the cut, then what fell below it. A bar is the last score, the
 * tick on it the first one; cited passages stand open, the rest are one line each until asked.
 */

import { counted, oneLine, score, visible } from "./format.js";
import { ICONS } from "./icons.js";
import { h, icon, iconButton } from "./dom.js";
import { copyText } from "./copy.js";
import { longText } from "./text.js";
import { sharedSentences } from "./overlap.js";
import { lastPlace, scoreShare, STAGE_TITLES, survived, titleOf } from "./stages.js";
import { valueNode } from "./value.js";

/** @typedef {import("./stages.js").Passage} Passage */
/** @typedef {import("./stages.js").Column} Column */

/**
 * @typedef {object} PassageContext
 * @property {string | null} answer text the passages are compared with
 * @property {Map<string, string[]>} marks citation marks by passage key
 * @property {boolean} citationsRecorded false: marks were matched by position
 * @property {boolean} promptRecorded whether the placement in the prompt is known
 */

const OPEN_WITHOUT_CITATIONS = 3;
const NEAR_MISSES = 8;

/** @param {Passage[]} passages @param {number} column */
function scoresBeside(passages, column) {
  return passages.map((passage) => passage.places.get(column)?.score ?? null);
}

/**
 * @param {Column[]} columns @param {Passage[]} passages @param {PassageContext} context
 * @returns {HTMLElement}
 */
export function passageList(columns, passages, context) {
  const kept = passages.filter((passage) => survived(passage, columns));
  const below = passages.filter((passage) => !survived(passage, columns));
  const box = h("div", "passages");
  if (!passages.length) return h("p", "muted", "No passages were recorded.");
  const cited = kept.filter((passage) => context.marks.get(passage.key)?.length);
  const texts = passages.some((passage) => passage.content);
  if (!texts) box.append(h("p", "muted", "These passages were recorded by id and score, without their texts."));
  /** @type {HTMLElement | null} */
  let plain = null; // consecutive one-line passages share a box
  kept.forEach((passage, position) => {
    const open = texts && (cited.length ? cited.includes(passage) : position < OPEN_WITHOUT_CITATIONS);
    const card = passageCard(passage, position + 1, columns, passages, context, open);
    if (open) {
      plain = null;
      box.append(card);
      return;
    }
    if (!plain) box.append((plain = h("div", "plain-passages")));
    plain.append(card);
  });
  if (below.length) box.append(cutLine(kept.length, passages.length, below), nearMisses(below, columns, passages, context));
  return box;
}

/** @param {number} kept @param {number} all @param {Passage[]} below */
function cutLine(kept, all, below) {
  /** @type {Map<string, number>} */
  const reasons = new Map();
  for (const passage of below) {
    const reason = lastPlace(passage)[1].dropped?.split(":")[0]; // "below cut: rank 9 of 8" → "below cut"
    if (reason) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const why = [...reasons].sort((a, b) => b[1] - a[1]).map(([reason, count]) => `${visible(reason)} ${count}`);
  return h("div", { class: "cut-line", role: "separator" }, h("span", null, kept ? `cut after ${kept} of ${all}` : `none of ${all} kept`), why.length > 0 && h("span", "cut-why", why.slice(0, 4).join(" · ")));
}

/** @param {Passage[]} below @param {Column[]} columns @param {Passage[]} all @param {PassageContext} context */
function nearMisses(below, columns, all, context) {
  const box = h("div", "plain-passages below");
  const add = (/** @type {number} */ from, /** @type {number} */ to) =>
    below.slice(from, to).forEach((passage) => box.append(passageCard(passage, lastPlace(passage)[1].rank, columns, all, context, false)));
  add(0, NEAR_MISSES);
  if (below.length > NEAR_MISSES) {
    const more = h("button", { type: "button", class: "show-more" }, `Show ${below.length - NEAR_MISSES} more below the cut`);
    more.addEventListener("click", () => {
      more.remove();
      add(NEAR_MISSES, below.length);
    });
    box.append(more);
  }
  return box;
}

/**
 * @param {Passage} passage @param {number | null} position @param {Column[]} columns @param {Passage[]} all
 * @param {PassageContext} context @param {boolean} open
 */
function passageCard(passage, position, columns, all, context, open) {
  const [column, place] = lastPlace(passage);
  const marks = context.marks.get(passage.key) ?? [];
  const { title, source } = titleOf(passage.metadata, passage.id);
  const shown = passage.content ? oneLine(passage.content, 240) : null;
  const body = h("div", "passage-body");
  const card = h("article", { class: classOf(survived(passage, columns), marks.length > 0, open), data: { passage: passage.key } });
  let filled = false;
  const toggle = (/** @type {boolean} */ now) => {
    card.classList.toggle("open", now);
    head.setAttribute("aria-expanded", String(now));
    if (now && !filled) {
      filled = true;
      fillBody(body, passage, source, title, columns, context);
    }
  };
  const named = title !== "Passage" && !(title === passage.id && shown);
  const head = h(
    "button",
    { type: "button", class: "passage-head", "aria-expanded": "false", onclick: () => toggle(!card.classList.contains("open")) },
    h("span", "rank", position === null ? "" : `#${position}`),
    h("span", "passage-title", named ? visible(title) : (shown ?? title)),
    !passage.content && passage.id && passage.id !== title && h("span", { class: "passage-id mono", title: visible(passage.id) }, visible(oneLine(passage.id, 60))),
    marks.length > 0 && h("span", { class: "pill cited", title: context.citationsRecorded ? "Cited in the answer" : "Matched by position: the trace records no citations" }, icon(ICONS.quote), context.citationsRecorded ? `cited ${marks.map((mark) => `[${mark}]`).join(" ")}` : `${marks.map((mark) => `[${mark}]`).join(" ")} by position`),
    passage.prompt && h("span", { class: passage.prompt.cut ? "pill warn" : "pill", title: `Position ${passage.prompt.position} in the prompt` }, passage.prompt.cut ? "cut in the prompt" : "in the prompt"),
    survived(passage, columns) && context.promptRecorded && !passage.prompt && h("span", "pill warn", "not in the prompt"),
    place.dropped && h("span", { class: "pill dropped", title: `Why it went no further after ${columns[column].name}` }, `${columns.length > 1 ? `${STAGE_TITLES[columns[column].stage].toLowerCase()}: ` : ""}${visible(oneLine(place.dropped, 60))}`),
    scoreBar(passage, column, columns, all),
  );
  card.append(head, body);
  if (open) toggle(true);
  return card;
}

/** @param {boolean} kept @param {boolean} cited @param {boolean} open */
function classOf(kept, cited, open) {
  return ["passage", kept ? "" : "missed", cited ? "is-cited" : "", open ? "open" : ""].filter(Boolean).join(" ");
}

/** @param {Passage} passage @param {number} column @param {Column[]} columns @param {Passage[]} all */
function scoreBar(passage, column, columns, all) {
  const place = /** @type {import("./stages.js").Place} */ (passage.places.get(column));
  const length = scoreShare(place.score, place.scoreKind, scoresBeside(all, column));
  const first = [...passage.places].find(([at, other]) => at !== column && other.score !== null);
  const tick = first ? scoreShare(first[1].score, first[1].scoreKind, scoresBeside(all, first[0])) : null;
  const kind = place.scoreKind ? ` (${place.scoreKind})` : "";
  const title = place.score === null ? "No score recorded" : `${columns[column].name}: ${place.score}${kind}${first ? `\n${columns[first[0]].name}: ${first[1].score}${first[1].scoreKind ? ` (${first[1].scoreKind})` : ""}` : ""}`;
  return h(
    "span",
    { class: "score", title },
    length !== null && h("span", "score-bar", h("span", { class: "score-fill", style: { width: `${Math.round(Math.max(0, length) * 100)}%` } }), tick !== null && h("span", { class: "score-tick", style: { left: `${Math.round(Math.max(0, tick) * 100)}%` } })),
    h("span", "score-value", score(place.score)),
  );
}

/** @param {HTMLElement} body @param {Passage} passage @param {string | null} source @param {string} title @param {Column[]} columns @param {PassageContext} context */
function fillBody(body, passage, source, title, columns, context) {
  const id = passage.id && passage.id !== source ? String(passage.id) : null;
  const parts = id && source && id.startsWith(source) ? [id] : [source, id === title ? null : id]; // "faq.md#refunds" says "faq.md" too
  const where = parts.filter(Boolean).map((part) => visible(String(part))).join("  ·  ");
  body.append(h("div", "passage-meta", h("span", { class: "mono", title: where }, where), trail(passage, columns)));
  if (passage.fromPrompt) body.append(h("p", "tiny", "The text as it stands in the prompt; the passage itself was recorded without it."));
  if (passage.content) {
    const content = String(passage.content).replaceAll("\r\n", "\n");
    const ranges = context.answer ? sharedSentences(content, context.answer) : [];
    body.append(longText(content, { rich: true, fold: 900, ranges }));
  } else body.append(h("p", "muted", "Recorded without its text."));
  const rest = Object.entries(passage.metadata);
  const actions = h("div", "passage-actions");
  if (passage.content) {
    const copy = iconButton(ICONS.copy, "Copy the passage", () => copyText(String(passage.content), copy));
    actions.append(copy);
  }
  if (rest.length) actions.append(disclosure(`Metadata · ${rest.length}`, () => h("div", "value-tree", rest.map(([key, value]) => valueNode(key, value, { open: 0 })))));
  body.append(actions);
}

/** Its way through the columns: "recall #4 0.94 → rerank #1 0.97". @param {Passage} passage @param {Column[]} columns */
function trail(passage, columns) {
  if (columns.length < 2) return null;
  const steps = columns.map((column, at) => {
    const place = passage.places.get(at);
    const repeated = columns.filter((other) => other.stage === column.stage).length > 1;
    const name = repeated ? oneLine(column.name, 24) : STAGE_TITLES[column.stage].toLowerCase();
    if (!place) return h("span", { class: "step none", title: `${column.name} did not return it` }, `${name} –`);
    return h("span", { class: place.kept ? "step" : "step none", title: column.name }, `${name} ${place.rank === null ? "" : `#${place.rank} `}`, h("b", null, score(place.score)));
  });
  // Arms of one stage stand side by side; an arrow leads to the next stage.
  const sign = (/** @type {number} */ i) => (i > 0 && columns[i].stage === columns[i - 1].stage ? "· " : "→ ");
  return h("span", "trail", steps.map((step, i) => h("span", "hop", i > 0 && h("span", "arrow", sign(i)), step)));
}

/** @param {string} title @param {() => Node} draw */
export function disclosure(title, draw) {
  const details = h("details", "disclosure", h("summary", null, title));
  details.addEventListener("toggle", () => {
    if (details.children.length === 1) details.append(draw());
  }, { once: true });
  return details;
}

/** What the retrieval asked: query, index. @param {string | null} query @param {any} index @param {boolean} twoScores */
export function queryLine(query, index, twoScores) {
  const facts = index ? [index.name, index.version && `v ${index.version}`, index.passage_count && counted(index.passage_count, "passage"), index.embedding_model].filter(Boolean) : [];
  if (!query && !facts.length) return null;
  return h(
    "div",
    "query-line",
    query && h("div", "query-row", h("span", "tiny", "query"), h("span", "query", visible(oneLine(query, 1000)))),
    facts.length > 0 && h("span", { class: "tiny index", title: Object.entries(index).map(([key, value]) => `${key}: ${value}`).join("\n") }, visible(facts.join(" · "))),
    twoScores && h("span", "legend", h("i", "legend-bar"), "last score", h("i", "legend-tick"), "first"),
  );
}
