// @ts-check
/**
 * The trace page under Streamlit: what arrives as component data becomes the options of `mount`, selections become the URL. Streamlit calls
 * the default export again on every change of data or theme, with the same element.
 */

import { mount } from "./assets/mount.js";

const sheet = new CSSStyleSheet();
sheet.replaceSync(await (await fetch(new URL("./assets/trace_view.css", import.meta.url))).text());

/** @type {WeakMap<Element, {page: ReturnType<typeof mount>, traceId: string, spanId: string}>} */
const mounted = new WeakMap();

/** @param {HTMLElement} host light or dark, from the background Streamlit gives */
function followTheme(host) {
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
export default function ({ data, parentElement }) {
  const host = /** @type {HTMLElement} */ (parentElement.querySelector(".mount"));
  const known = mounted.get(host);
  followTheme(host);
  if (known) {
    // Only what Python changed counts: between two calls the reader may have gone elsewhere by themselves.
    const next = { ...(data.traceId !== known.traceId ? { traceId: data.traceId, spanId: data.spanId } : data.spanId !== known.spanId ? { spanId: data.spanId } : {}), list: data.list };
    known.page.update(next);
    mounted.set(host, { page: known.page, traceId: data.traceId, spanId: data.spanId });
  } else {
    const root = host.getRootNode();
    if (root instanceof ShadowRoot) root.adoptedStyleSheets = [sheet];
    mounted.set(host, { page: mount(host, { ...data, onstate: keepUrl }), traceId: data.traceId, spanId: data.spanId });
  }
  return () => {
    mounted.get(host)?.page.destroy();
    mounted.delete(host);
  };
}
