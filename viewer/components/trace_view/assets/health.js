// @ts-check
/** The line at the foot: how the trace arrived, and what is odd about it. */

import { counted, visible } from "./format.js";
import { ICONS } from "./icons.js";
import { h, icon } from "./dom.js";
import { spanLink } from "./story.js";

/** @typedef {import("./page.js").Page} Page */

/**
 * What the collector found, and what the columns alone show where it was not asked to look at every span.
 * @param {import("./model.js").Trace} trace @returns {Record<string, any>}
 */
function healthOf(trace) {
  const { health, orphans, id } = trace;
  if (!orphans.size || health.orphan_count) return health;
  const ids = [...orphans].map((i) => id[i]);
  const message = `${counted(ids.length, "span")} ${ids.length === 1 ? "names a parent" : "name parents"} that never arrived.`;
  return { ...health, orphan_count: ids.length, findings: [...(health.findings ?? []), { code: "orphan", message, span_ids: ids }] };
}

/** @param {Page} page @param {string} state what the page is doing: "", "live", "offline" */
export function footer(page, state) {
  const { size } = page.trace;
  const health = healthOf(page.trace);
  const findings = health.findings ?? [];
  const notes = [
    [health.orphan_count, "orphan"],
    [health.unmapped_count, "unmapped key"],
    [health.dropped_count, "dropped item"],
    [health.running_count, "running span"],
  ].filter(([count]) => count);
  const running = page.trace.state.includes("running");
  const odd = findings.length > 0 || notes.length > 0;
  const summary = [icon(running ? ICONS.clock : odd ? ICONS.warning : ICONS.ok), h("span", null, running && !odd ? "still arriving" : odd ? notes.map(([count, noun]) => counted(count, noun)).join(" · ") || counted(findings.length, "finding") : "arrived whole"), h("span", "facts", counted(size, "span"))];
  const arrival = findings.length
    ? h("details", "health odd", h("summary", null, summary), h("div", "health-card", h("h3", null, "Trace health"), h("ul", null, findings.slice(0, 40).map((/** @type {any} */ finding) => findingRow(page, finding)))))
    : h("div", odd ? "health odd" : "health", summary);
  return h(
    "footer",
    "foot",
    arrival,
    h("span", "spacer"),
    state === "live" && h("span", "live", h("i", "pulse"), "live: updates as spans arrive"),
    state === "offline" && h("span", { class: "offline", role: "status" }, icon(ICONS.warning), "collector not reachable; trying again"),
    h("button", { type: "button", class: "as-link quiet", onclick: () => page.help() }, icon(ICONS.keyboard), "Keys ", h("kbd", null, "?")),
  );
}

/** @param {Page} page @param {any} finding */
function findingRow(page, finding) {
  const known = (finding.span_ids ?? []).filter((/** @type {string} */ id) => page.trace.index.has(id));
  return h(
    "li",
    null,
    h("b", null, visible(String(finding.code).replaceAll("_", " "))),
    h("span", null, visible(String(finding.message))),
    known.slice(0, 3).map((/** @type {string} */ id) => spanLink(page, id, page.trace.name[page.trace.index.get(id) ?? 0])),
    known.length > 3 && h("span", "tiny", `+${known.length - 3}`),
  );
}

/** What stands above the tree where the root is not there. @param {Page} page */
export function rootNotice(page) {
  const { summary, size } = page.trace;
  if (!summary.root_missing || !size) return null;
  const running = summary.state === "running" || (page.trace.health.running_count ?? 0) > 0;
  const text = running
    ? "The root span has not ended yet: these spans arrived before it and find their place when it comes."
    : "The root span never came: its process may have ended before it was sent, it may be sampled or filtered out on the way, or it belongs to a service that sends elsewhere. What arrived is shown whole.";
  return h("div", { class: "notice root-missing", role: "note" }, h("p", null, icon(running ? ICONS.clock : ICONS.warning), text));
}
