// @ts-check
/** Under the tree: where the time went by kind, and the scores of the trace. */

import { duration, percent } from "./format.js";
import { h } from "./dom.js";
import { scoreRow } from "./scores.js";
import { selfTimeByKind } from "./timing.js";

/** @typedef {import("./page.js").Page} Page */

const SCORES = 5;

/** @param {Page} page */
export function rollup({ trace, self }) {
  const parts = selfTimeByKind(trace, self);
  const shown = parts.filter((part) => part.share >= 0.005).slice(0, 6);
  const scores = trace.summary.scores ?? [];
  return [
    h(
      "div",
      "self-time",
      h("h2", { class: "label-head", title: "Time spent in spans themselves, without their children" }, "Self time by kind"),
      h("div", "stacked-bar", parts.map((part) => h("i", { class: `k-${part.kind.toLowerCase()}`, style: { "flex-grow": String(part.share) }, title: `${part.kind.toLowerCase()} ${duration(part.ns)}` }))),
      h("div", "legend-row", shown.map((part) => h("span", { class: `k-${part.kind.toLowerCase()}`, title: duration(part.ns) }, h("i", "dot"), part.kind.toLowerCase(), " ", h("b", null, percent(part.share))))),
    ),
    scores.length > 0 && h("div", "score-list", h("h2", "label-head", "Scores"), scores.slice(0, SCORES).map(scoreRow), scores.length > SCORES && h("p", "tiny", `+${scores.length - SCORES} more`)),
  ];
}
