// @ts-check
/**
 * Links between traces, in both directions. Where its links lead a span says itself; who links here only the collector knows, and is asked once
 * the page rests. At the root stand the links to the whole trace, at any other span those to it.
 */

import { clock, jsonWords, oneLine, visible } from "./format.js";
import { ICONS, kindIcon } from "./icons.js";
import { h, icon } from "./dom.js";
import { gist } from "./markdown.js";
import { rootOf } from "./model.js";
import { spanLink } from "./story.js";
import { valueNode } from "./value.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {{from: any[], more: boolean}} Incoming links to the trace, as `GET /traces/{id}/links` answers; `more`: than were asked for */

const MOST = 50;
const FORK = "rightpassage.fork_of"; // on a link: the trace that links replays the other

/** @type {Incoming} */
export const UNLINKED = { from: [], more: false };

/** @param {import("./store.js").Store} store @param {string} traceId @returns {Promise<Incoming>} */
export async function incomingLinks(store, traceId) {
  const answer = await store.ask(`/traces/${encodeURIComponent(traceId)}/links?limit=${MOST}`);
  return { from: answer?.from ?? [], more: Boolean(answer?.next_cursor) };
}

/** @param {Page} page @param {string} spanId @returns {any[]} what the tab of a span lists */
export function linksTo(page, spanId) {
  const { trace, incoming } = page;
  if (trace.id[rootOf(trace)] === spanId) return incoming.from;
  return spanId ? incoming.from.filter((link) => link.target_span_id === spanId) : [];
}

/** @param {Page} page @param {any} span */
export function drawLinks(page, span) {
  const incoming = linksTo(page, span.span_id);
  const outgoing = span.links ?? [];
  return h(
    "div",
    null,
    outgoing.length > 0 && [h("h3", "label-head", "Links to"), h("ul", "links", outgoing.map((/** @type {any} */ link) => outgoingItem(page, span, link)))],
    incoming.length > 0 && [h("h3", "label-head", "Linked from"), h("ul", "links", incoming.map((link) => incomingItem(page, span, link)))],
    page.incoming.more && incoming.length > 0 && h("p", "muted", `Of the links to this trace the newest ${page.incoming.from.length} were looked at.`),
  );
}

/** @param {Page} page @param {any} span @param {any} link */
function outgoingItem(page, span, link) {
  const here = link.trace_id === span.trace_id;
  return h(
    "li",
    null,
    h("span", "tiny", link.attributes?.[FORK] ? "replay of" : here ? "in this trace" : "other trace"),
    here && page.trace.index.has(link.span_id) ? spanLink(page, link.span_id, page.trace.name[page.trace.index.get(link.span_id) ?? 0]) : elsewhere(page, link, h("span", "mono", `${link.trace_id.slice(0, 12)}… / ${link.span_id}`)),
    attributesOf(link),
  );
}

/** @param {Page} page @param {any} span the one whose tab it is @param {any} link */
function incomingItem(page, span, link) {
  const asked = String(link.input_preview ?? "");
  const title = oneLine(jsonWords(asked) ?? gist(asked), 200) || link.root_name || link.name;
  const target = page.trace.index.get(link.target_span_id);
  const facts = [link.name, link.service, clock(link.start_unix_nano), link.trace_id.slice(0, 12)].filter(Boolean).join(" · ");
  return h(
    "li",
    `k-${link.kind.toLowerCase()}`,
    h("span", "tiny", link.attributes?.[FORK] ? "replayed as" : "other trace", link.status === "error" && h("span", "bad", " · failed")),
    elsewhere(page, link, h("span", null, visible(title))),
    h("span", "tiny", visible(facts)),
    target !== undefined && link.target_span_id !== span.span_id && h("span", "tiny leads-to", "leads to", spanLink(page, link.target_span_id, page.trace.name[target])),
    attributesOf(link),
  );
}

/** @param {Page} page @param {any} link @param {Node} words */
function elsewhere(page, link, words) {
  return h("button", { type: "button", class: "span-link elsewhere", title: `Open trace ${link.trace_id}`, disabled: !page.store.live, onclick: () => page.openTrace(link.trace_id, link.span_id) }, icon(link.kind ? kindIcon(link.kind) : ICONS.link), words);
}

/** @param {any} link */
function attributesOf(link) {
  const entries = Object.entries(link.attributes ?? {});
  return entries.length > 0 && h("div", "value-tree", entries.map(([key, value]) => valueNode(key, value, { open: 0 })));
}
