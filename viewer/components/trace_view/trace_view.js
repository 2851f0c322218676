// @ts-check
/**
 * The trace page under Streamlit: what arrives as component data becomes the options of `mount`, selections become the URL. Streamlit calls
 * the default export again on every change of data or theme, with the same element.
 */

import { mount } from "./assets/mount.js";
import sheet from "./assets/trace_view.css.js";
import { first, inFirstView, place } from "../base/first.js";

/** @typedef {{page: ReturnType<typeof mount>, traceId: string, spanId: string, parentElement: HTMLElement | ShadowRoot}} Mounted */
/** @type {WeakMap<Element, Mounted>} */
const mounted = new WeakMap();

/** @param {HTMLElement} host light or dark, from the background Streamlit gives; before that what boot.js found */
function followTheme(host) {
  if (inFirstView(host)) {
    host.dataset.scheme = document.documentElement.dataset.scheme;
    return;
  }
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  if (!probe) return;
  probe.fillStyle = getComputedStyle(host).getPropertyValue("--st-background-color") || "#fff";
  probe.fillRect(0, 0, 1, 1);
  const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
  host.dataset.scheme = red * 0.3 + green * 0.6 + blue * 0.1 < 128 ? "dark" : "light";
}

/** Keeps the address of what is shown, without a rerun and without filling the history. @param {{traceId: string, spanId: string, tab: string}} state */
function keepUrl({ traceId, spanId, tab }) {
  const url = new URL(location.href);
  const put = (/** @type {string} */ name, /** @type {string} */ value) => (value ? url.searchParams.set(name, value) : url.searchParams.delete(name));
  put("trace_id", traceId);
  put("span_id", spanId);
  put("tab", tab);
  if (url.href !== location.href) history.replaceState(history.state, "", url);
}

/** @param {{data: any, parentElement: HTMLElement | ShadowRoot}} component */
function component({ data, parentElement }) {
  const host = place(parentElement, mounted);
  const root = host.getRootNode();
  if (root instanceof ShadowRoot) root.adoptedStyleSheets = [sheet];
  const known = mounted.get(host);
  followTheme(host);
  const { traceId, spanId, list } = data;
  if (known) {
    // Only what Python changed counts: between two calls the reader may have gone elsewhere by themselves, also in the first view.
    const other = traceId !== known.traceId;
    const moved = spanId !== known.spanId && parentElement === known.parentElement;
    known.page.update({ ...(other && { traceId }), ...((other || moved) && { spanId }), list });
  }
  const page = known?.page ?? mount(host, { ...data, onstate: keepUrl });
  mounted.set(host, { page, traceId, spanId, parentElement });
  return () => {
    mounted.get(host)?.page.destroy();
    mounted.delete(host);
  };
}

export default first(component);
