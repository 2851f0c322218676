// @ts-check
/** The start of a saved file: traces embedded as lines of JSON (summary and health, then a line per span), one shown at a time. */

import { mount } from "./mount.js";
import { oneLine } from "./format.js";

/** Reads the traces of this document and shows the one its address names (`#trace=…&span=…`), else the first. */
export function openSaved() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const held = [...document.querySelectorAll('script[type="application/jsonl"]')].map((element) => {
    const [first, ...texts] = (element.textContent ?? "").trim().split("\n");
    return { ...JSON.parse(first), texts };
  });
  const at = new URLSearchParams(location.hash.slice(1));
  const chooser = /** @type {HTMLSelectElement} */ (document.getElementById("chooser"));
  let shown = Math.max(0, held.findIndex(({ trace }) => trace.trace_id === at.get("trace")));
  /** @type {ReturnType<typeof mount> | null} */
  let page = null;

  const open = (/** @type {number} */ i) => {
    page?.destroy();
    shown = i;
    const root = document.createElement("div");
    root.dataset.scheme = document.documentElement.dataset.scheme || (dark.matches ? "dark" : "light");
    document.getElementById("page")?.replaceChildren(root);
    const whole = { ...held[i], spans: held[i].texts.map((/** @type {string} */ text) => JSON.parse(text)) };
    page = mount(root, { whole, spanId: at.get("span") ?? "", tab: at.get("tab") ?? "", onstep: (by) => held[shown + by] && open(shown + by) });
    chooser.value = String(i);
  };

  held.forEach(({ trace }, i) => chooser.add(new Option(`${i + 1}. ${oneLine(trace.input_preview || trace.root_name || trace.trace_id, 160)}`, String(i))));
  chooser.hidden = held.length < 2;
  chooser.addEventListener("change", () => open(Number(chooser.value)));
  dark.addEventListener("change", () => open(shown));
  open(shown);
}
