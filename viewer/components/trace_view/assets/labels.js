// @ts-check
/**
 * What to call spans whose recorded name says nothing: Haystack names every component `haystack.component.run` and says in an attribute which
 * one ran. The name as recorded stays in the tooltip, under the title and in Raw; the collector stores, filters and groups by it.
 */

/** @typedef {import("./model.js").Trace} Trace */
/** @typedef {Map<string, string>} Labels span id → what to call it, "" where the span does not say */

/** @type {Record<string, string>} recorded name → the attribute that says what ran */
const SAID_BY = { "haystack.component.run": "haystack.component.name" };

const saysNothing = (/** @type {string} */ name) => Object.hasOwn(SAID_BY, name);

/** @param {any[]} spans whole @returns {Labels} */
export function labelsOf(spans) {
  const said = (/** @type {any} */ span) => span.attributes?.[SAID_BY[span.name]];
  return new Map(spans.filter((span) => saysNothing(span.name)).map((span) => [span.span_id, typeof said(span) === "string" ? said(span) : ""]));
}

/** @param {Trace} trace @param {Labels} labels @returns {boolean} whether a span is not known by what it is */
export function unlabelled(trace, labels) {
  return trace.recorded.some((name, i) => saysNothing(name) && !labels.has(trace.id[i]));
}

/** @param {Trace} trace @param {Labels} labels @returns {Trace} */
export function labelled(trace, labels) {
  return labels.size ? { ...trace, name: trace.recorded.map((name, i) => labels.get(trace.id[i]) || name) } : trace;
}
