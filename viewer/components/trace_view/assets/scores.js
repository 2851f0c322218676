// @ts-check
/** Scores and notes: shown with who gave them, given in place. A note is a score named "note" whose explanation is the text. */

import { clock, score as scoreText, visible } from "./format.js";
import { ICONS } from "./icons.js";
import { h, icon, iconButton, replace } from "./dom.js";
import { recall, remember } from "./preferences.js";

/** @typedef {import("./page.js").Page} Page */

const ANNOTATOR = "rightpassage.annotator"; // who annotates in this browser

/** @param {number | null | undefined} value @returns {string} a share's colour class; other scales have none */
export function tone(value) {
  if (value === null || value === undefined || value < 0 || value > 1) return "";
  return value >= 0.8 ? "good" : value >= 0.5 ? "fair" : "poor";
}

/** @param {any} score given by who annotates in this browser */
export function isMine(score) {
  return score.annotator?.kind === "HUMAN" && (score.annotator.id ?? "") === (recall(ANNOTATOR) ?? "");
}

/** @param {any} annotator */
function who(annotator = {}) {
  const kinds = { HUMAN: "person", LLM: "LLM judge", CODE: "code" };
  const kind = kinds[/** @type {keyof typeof kinds} */ (annotator.kind)] ?? "";
  return annotator.id ? (annotator.kind === "HUMAN" ? annotator.id : `${annotator.id} · ${kind}`) : kind;
}

/** @param {any} score */
export function scoreRow(score) {
  const share = typeof score.value === "number" && score.value >= 0 && score.value <= 1 ? score.value : null;
  const note = score.name === "note" && score.explanation;
  const thumb = score.name === "thumbs" && typeof score.value === "number" && h("b", { class: `thumb ${score.value > 0.5 ? "up" : "down"}` }, icon(score.value > 0.5 ? ICONS.thumbUp : ICONS.thumbDown), score.label ? visible(score.label) : score.value > 0.5 ? "up" : "down");
  return h(
    "div",
    { class: note ? "score-row note" : "score-row", title: visible([score.name, score.explanation].filter(Boolean).join(": ")) },
    h("span", "score-name", visible(score.name)),
    thumb
      ? [thumb, h("span")]
      : note
      ? h("span", "note-text", visible(score.explanation))
      : [share !== null ? h("span", `meter ${tone(share)}`, h("span", { style: { width: `${share * 100}%` } })) : h("span", "meter empty"), h("b", "num", typeof score.value === "number" ? scoreText(score.value) : visible(String(score.label ?? "–")))],
    h("span", { class: "tiny", title: score.time_unix_nano ? clock(score.time_unix_nano) : null }, visible(who(score.annotator))),
  );
}

/**
 * @param {Page} page @param {{trace_id: string, span_id?: string}} target @param {Record<string, any>} judgement name, value?, label?, explanation?
 */
export async function giveScore(page, target, judgement) {
  const id = recall(ANNOTATOR);
  const score = { target, ...judgement, annotator: { kind: "HUMAN", ...(id ? { id } : {}) } };
  await page.store.ask("/scores", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(score) });
  return score;
}

/** @param {any[]} scores @param {any} given the list with one replaced or added: the last per name and annotator counts */
export function withScore(scores, given) {
  const same = (/** @type {any} */ score) => score.name === given.name && score.annotator?.kind === given.annotator.kind && (score.annotator?.id ?? "") === (given.annotator.id ?? "");
  const others = scores.filter((score) => !same(score));
  return given.value === undefined && given.label === undefined ? others : [...others, given];
}

/**
 * The scores of a span, at a root those of the trace too, and a form to give one to either.
 * @param {Page} page @param {any} span body
 */
export function scorePanel(page, span) {
  const list = h("div", "score-list");
  const root = !span.parent_span_id;
  const draw = () => {
    const whole = root ? (page.trace.summary.scores ?? []).filter((/** @type {any} */ score) => !score.target?.span_id) : [];
    const own = span.scores ?? [];
    replace(
      list,
      whole.length > 0 && [h("h3", "label-head", "Of the trace"), ...whole.map(scoreRow)],
      own.length > 0 && [h("h3", "label-head", "Of this span"), ...own.map(scoreRow)],
      !whole.length && !own.length && h("p", "muted", root ? "No scores yet." : "No scores on this span yet."),
    );
  };
  draw();
  const box = h("div", "score-panel", list);
  if (!page.store.live) return box;
  const target = /** @type {HTMLSelectElement} */ (h("select", { "aria-label": "What is scored" }, h("option", { value: "span", selected: !root }, "this span"), h("option", { value: "trace", selected: root }, "the whole trace")));
  const chosen = () => (target.value === "trace" ? { trace_id: span.trace_id } : { trace_id: span.trace_id, span_id: span.span_id });
  const given = (/** @type {any} */ score) => {
    if (score.target.span_id) span.scores = withScore(span.scores ?? [], score);
    page.onscore(score);
    draw();
  };
  box.append(form(page, target, chosen, given));
  return box;
}

/** @param {Page} page @param {HTMLElement} choice @param {() => {trace_id: string, span_id?: string}} target @param {(given: any) => void} given */
function form(page, choice, target, given) {
  const input = (/** @type {string} */ name, /** @type {string} */ placeholder, /** @type {import("./dom.js").Properties} */ more = {}) =>
    /** @type {HTMLInputElement} */ (h("input", { name, placeholder, "aria-label": placeholder, autocomplete: "off", ...more }));
  const name = input("name", "Name, e.g. correctness", { required: true, maxlength: 120 });
  const value = input("value", "Value, e.g. 0.8", { inputmode: "decimal" });
  const label = input("label", "Label, e.g. wrong source");
  const me = input("annotator", "Your name");
  me.value = recall(ANNOTATOR) ?? "";
  const note = /** @type {HTMLTextAreaElement} */ (h("textarea", { name: "explanation", rows: 2, placeholder: "Why, or just a note", "aria-label": "Why, or just a note" }));
  const said = h("span", { class: "tiny", role: "status" });
  const save = async (/** @type {Record<string, any>} */ judgement) => {
    if (me.value.trim()) remember(ANNOTATOR, me.value.trim());
    said.textContent = "Saving…";
    try {
      given(await giveScore(page, target(), judgement));
      said.textContent = "Saved";
      value.value = label.value = note.value = "";
    } catch (error) {
      said.textContent = `Not saved: ${visible(/** @type {Error} */ (error).message)}`;
    }
  };
  const thumbs = (/** @type {boolean} */ up) => iconButton(up ? ICONS.thumbUp : ICONS.thumbDown, up ? "Good" : "Bad", () => save({ name: "thumbs", value: up ? 1 : 0, label: up ? "up" : "down", ...(note.value.trim() ? { explanation: note.value.trim() } : {}) }), { class: "icon-button boxed" });
  return h(
    "form",
    {
      class: "score-form",
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        const number = value.value.trim() === "" ? undefined : Number(value.value.replace(",", "."));
        const text = note.value.trim();
        if (number !== undefined && !Number.isFinite(number)) said.textContent = "The value must be a number.";
        else if (!name.value.trim() && text) save({ name: "note", label: "note", explanation: text });
        else if (number === undefined && !label.value.trim() && !text) said.textContent = "Give a value, a label or a note.";
        else if (!name.value.trim()) said.textContent = "Give the score a name.";
        else save({ name: name.value.trim(), ...(number === undefined ? {} : { value: number }), label: label.value.trim() || (number === undefined ? "note" : undefined), ...(text ? { explanation: text } : {}) });
      },
      novalidate: true,
    },
    h("div", "form-row", h("h3", "label-head", "Score or note on"), choice),
    h("div", "form-row", thumbs(true), thumbs(false), name, value, label),
    note,
    h("div", "form-row", me, h("button", { type: "submit", class: "button" }, icon(ICONS.note), "Save"), said),
  );
}
