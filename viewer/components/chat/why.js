// @ts-check
/** "Why this answer?": the passages behind a reply with ranks and scores, which were cited, and feedback on each source. */

import { h, icon, replace } from "../trace_view/assets/dom.js";
import { oneLine, score, visible } from "../trace_view/assets/format.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { prose } from "../trace_view/assets/text.js";
import { link } from "../base/shell.js";
import { said } from "./message.js";

/**
 * @param {HTMLElement} panel @param {import("./message.js").Message} message @param {import("./message.js").Hands} hands
 * @param {() => void} close @param {string} [passage] the id to show first
 */
export function drawWhy(panel, message, hands, close, passage) {
  const documents = message.documents ?? [];
  const best = Math.max(1e-9, ...documents.map((/** @type {any} */ document) => Math.abs(document.score ?? 0)));
  const cited = documents.filter((/** @type {any} */ document) => document.cited).length;
  const cards = documents.map((/** @type {any} */ document) => card(document, message, hands, best, () => drawWhy(panel, message, hands, close, document.id), document.id === passage));
  replace(
    panel,
    h("header", "why-head", h("h2", "grow", "Why this answer?"), h("button", { type: "button", class: "icon-button", "aria-label": "Close", title: "Close (Esc)", onclick: close }, icon(ICONS.close))),
    h(
      "div",
      "why-body",
      h("dl", "facts", h("dt", "muted", "Searched for"), h("dd", null, message.query ? visible(message.query) : "–"), h("dt", "muted", "Passages"), h("dd", null, `${documents.length} retrieved · ${cited} cited`)),
      message.offline ? h("p", "muted note", "Written by the offline extractive model: it quotes the passages and composes nothing.") : null,
      documents.length ? null : h("p", "muted note", "No passage stood behind this answer."),
      ...cards,
      message.trace_id ? link(`/trace?trace_id=${message.trace_id}`, { class: "button wide" }, icon(ICONS.path), "Open the whole trace") : null,
    ),
  );
  cards.find((/** @type {HTMLElement} */ element) => element.classList.contains("shown"))?.scrollIntoView({ block: "nearest" });
}

/** @param {any} document @param {import("./message.js").Message} message @param {import("./message.js").Hands} hands @param {number} best @param {() => void} redraw @param {boolean} shown */
function card(document, message, hands, best, redraw, shown) {
  const source = (message.sources ?? []).find((/** @type {any} */ entry) => entry.link === document.link);
  const text = h("div", `passage-text ${document.cited || shown ? "" : "closed"}`, prose((document.content ?? "").slice(0, 6000)));
  return h(
    "section",
    { class: `passage ${document.cited ? "cited" : ""} ${shown ? "shown" : ""}`, data: { passage: document.id ?? "" } },
    h(
      "button",
      { type: "button", class: "passage-head", "aria-label": `Passage ${document.rank}`, onclick: () => text.classList.toggle("closed") },
      h("span", "rank muted", `#${document.rank ?? "–"}`),
      h("span", "grow clip title", oneLine(document.heading || document.title || document.id || "", 70)),
      document.cited ? h("span", "pill accent", icon(ICONS.quote), "cited") : document.placed === false ? h("span", "pill", "not in the prompt") : null,
      h("span", "score-bar", h("i", { style: { width: `${Math.max(2, (100 * Math.abs(document.score ?? 0)) / best)}%` } })),
      h("span", "mono", score(document.score)),
    ),
    h("div", "passage-where mono muted clip", oneLine(document.link || document.source || "", 90)),
    text,
    source
      ? h(
          "div",
          "source-feedback",
          h("span", "muted", "Is this source right?"),
          ...[1, -1].map((value) => {
            const on = said(message.feedback, hands.user, source.link)?.value === value;
            return h(
              "button",
              { type: "button", class: `reaction ${on ? "on" : ""}`, "aria-pressed": String(on), "aria-label": value === 1 ? "Right source" : "Wrong source", onclick: async () => (await hands.rate(message, on ? null : /** @type {1 | -1} */ (value), { source: source.link }), redraw()) },
              icon(value === 1 ? ICONS.thumbUp : ICONS.thumbDown),
            );
          }),
        )
      : null,
  );
}
