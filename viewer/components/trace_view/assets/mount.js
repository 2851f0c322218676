// @ts-check
/** The trace page for any host: `mount(root, options)` draws it into an element, without knowing Streamlit. */

import { TracePage } from "./page.js";

/**
 * @typedef {object} Options
 * @property {string} [traceId]
 * @property {string} [spanId] span to open
 * @property {string} [api] prefix of the collector's JSON API; default "/api/v1"
 * @property {{trace: any, spans: any[], texts?: string[], health?: any}} [whole] an embedded trace instead of an API
 * @property {string} [tab]
 * @property {{filter?: string, order?: string}} [list] the list this trace was opened from
 * @property {{session?: string, compare?: string, html?: string, traces?: string}} [links] URL prefixes and the list page
 * @property {(state: {traceId: string, spanId: string, tab: string}) => void} [onstate] after each selection, to keep a URL
 * @property {(direction: number) => void} [onstep] previous or next, where there is no collector to ask
 * @property {boolean} [fill] take the height from the viewport; default true
 */

/**
 * @param {HTMLElement} root an empty element; becomes the page
 * @param {Options} options
 */
export function mount(root, options) {
  const page = new TracePage(root, options);
  void page.load();
  return {
    /** @param {Partial<Options>} next another trace or span was asked for from outside */
    update(next) {
      if (next.list) options.list = next.list;
      page.fit();
      if (next.traceId && next.traceId !== page.traceId) page.openTrace(next.traceId, next.spanId);
      else if (next.spanId && next.spanId !== page.selectedId()) page.select(next.spanId);
    },
    destroy: () => page.destroy(),
  };
}
