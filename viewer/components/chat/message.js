// @ts-check
/** One message of a thread: who, when, the text, and under a reply its sources, thumbs, reasons and ways on. */

import { h, icon, replace } from "../trace_view/assets/dom.js";
import { duration, oneLine } from "../trace_view/assets/format.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { prose } from "../trace_view/assets/text.js";
import { link } from "../base/shell.js";

/** @typedef {Record<string, any>} Message as the bot's API gives it */
/**
 * @typedef {object} Hands what a message can ask the page to do
 * @property {string} user who rates @property {string[]} reasons
 * @property {(message: Message, value: 1 | -1 | null, more?: {reason?: string, source?: string}) => Promise<void>} rate
 * @property {(message: Message, passage?: string) => void} explain @property {(text: string) => void} copy
 */

const HUES = [262, 200, 150, 28, 340, 95, 310, 230];

/** @param {string} name @returns {number} */
function hue(name) {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 997;
  return HUES[sum % HUES.length];
}

/** @param {string} name @param {boolean} bot */
export function avatar(name, bot) {
  if (bot) return h("div", { class: "avatar bot", "aria-hidden": "true" }, icon(ICONS.llm));
  const letters = name.replace(/[^\p{L}\p{N} ]/gu, " ").trim().split(/\s+/).slice(0, 2).map((part) => [...part][0] ?? "").join("").toUpperCase();
  return h("div", { class: "avatar", style: { background: `hsl(${hue(name)} 48% 42%)` }, "aria-hidden": "true" }, letters || "?");
}

/** @param {string} created RFC 3339 @param {Date} now */
export function clock(created, now = new Date()) {
  const date = new Date(created);
  if (Number.isNaN(date.getTime())) return "";
  const time = date.toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hour12: false });
  return date.toDateString() === now.toDateString() ? time : `${date.toLocaleDateString("en", { month: "short", day: "numeric" })} ${time}`;
}

/** @param {any[]} feedback @param {string} user @param {string} [source] @returns {any} what a user said */
export function said(feedback, user, source = "") {
  return (feedback ?? []).find((given) => given.user === user && (given.source ?? "") === source);
}

/** @param {Message} message @param {Hands} hands @param {boolean} follows the previous message is by the same author */
export function drawMessage(message, hands, follows) {
  const bot = message.role === "bot";
  const name = bot ? "Docs bot" : message.user || "you";
  const body = h("div", "message-body");
  const element = h("article", { class: `message ${bot ? "by-bot" : ""} ${follows ? "follows" : ""}`, data: { message: message.id ?? "" }, tabindex: "-1", "aria-label": `${name}: ${oneLine(message.text ?? "", 80)}` }, follows ? h("div", "gutter muted", clock(message.created)) : avatar(name, bot), body);
  const text = h("div", { class: "message-text" });
  replace(
    body,
    follows
      ? null
      : h("header", "message-head", h("b", null, oneLine(name, 40)), bot ? h("span", "app-tag", "APP") : null, h("time", { class: "muted", title: message.created }, clock(message.created))),
    text,
    bot && message.trace_id ? below(message, hands) : null,
  );
  writeText(text, message, hands);
  return element;
}

/** @param {Element} place @param {Message} message @param {Hands | null} hands */
export function writeText(place, message, hands) {
  const sources = message.documents ?? [];
  const chip = (/** @type {string} */ mark) => {
    if (!hands || !/^\d+$/.test(mark) || !(message.citations ?? []).some((/** @type {any} */ citation) => String(citation.marker).replace(/\D/g, "") === mark)) return null;
    const cited = message.citations.find((/** @type {any} */ citation) => String(citation.marker).replace(/\D/g, "") === mark);
    const passage = sources.find((/** @type {any} */ document) => document.id === cited.document_id);
    return h("button", { type: "button", class: `cite ${cited.valid === false ? "invalid" : ""}`, title: cited.valid === false ? "This mark points at no passage" : oneLine(passage?.heading || passage?.title || cited.link || "", 90), onclick: () => hands.explain(message, cited.document_id) }, mark);
  };
  replace(place, message.role === "bot" ? prose(message.text ?? "", chip) : h("div", "plain", message.text ?? ""));
  if (message.failed) place.prepend(h("span", "pill error", icon(ICONS.error), "failed"));
  else if (message.abstained) place.prepend(h("span", "pill warning", "declined: the evidence is thin"));
}

/** @param {Message} message @param {Hands} hands */
function below(message, hands) {
  const box = h("div", "below");
  const draw = (asksReason = false) => {
    const mine = said(message.feedback, hands.user);
    const thumbs = (/** @type {1 | -1} */ value) => {
      const raters = (message.feedback ?? []).filter((/** @type {any} */ given) => given.value === value && !given.source);
      const on = mine?.value === value;
      return h(
        "button",
        {
          type: "button",
          class: `reaction ${on ? "on" : ""}`,
          "aria-pressed": String(on),
          "aria-label": value === 1 ? "Good answer" : "Bad answer",
          title: raters.length ? raters.map((/** @type {any} */ given) => `${given.user}${given.reason ? `: ${given.reason}` : ""}`).join("\n") : value === 1 ? "Good answer" : "Bad answer",
          onclick: async () => {
            await hands.rate(message, on ? null : value);
            draw(!on && value === -1);
          },
        },
        icon(value === 1 ? ICONS.thumbUp : ICONS.thumbDown),
        raters.length ? String(raters.length) : null,
      );
    };
    const reason = mine?.value === -1 && (asksReason || !mine.reason);
    replace(
      box,
      (message.sources ?? []).length
        ? h(
            "div",
            "sources",
            h("span", "muted", "Sources"),
            ...message.sources.map((/** @type {any} */ source) =>
              h("button", { type: "button", class: "source", title: oneLine(source.link ?? source.source ?? "", 160), onclick: () => hands.explain(message, (message.documents ?? []).find((/** @type {any} */ document) => document.link === source.link)?.id) }, icon(ICONS.prompt), h("span", "clip", oneLine(source.heading || source.title || source.source || "", 48))),
            ),
          )
        : null,
      h(
        "div",
        "reactions",
        thumbs(1),
        thumbs(-1),
        mine?.reason ? h("span", "pill", oneLine(mine.reason, 40)) : null,
        h("button", { type: "button", class: "reaction text", onclick: () => hands.explain(message) }, icon(ICONS.recall), "Why this answer?"),
        link(`/trace?trace_id=${message.trace_id}`, { class: "reaction text" }, icon(ICONS.path), "Open trace"),
        h("button", { type: "button", class: "reaction text quiet", "aria-label": "Copy the answer", title: "Copy the answer", onclick: () => hands.copy(message.text ?? "") }, icon(ICONS.copy)),
        message.duration_ms ? h("span", "muted time", duration(message.duration_ms * 1e6)) : null,
      ),
      reason
        ? h(
            "div",
            { class: "reasons", role: "group", "aria-label": "What was wrong?" },
            h("span", "muted", "What was wrong?"),
            ...hands.reasons.map((text) =>
              h(
                "button",
                { type: "button", class: "pill choice", onclick: async () => (await hands.rate(message, -1, { reason: text }), draw()) },
                text,
              ),
            ),
          )
        : null,
    );
  };
  draw();
  return box;
}
