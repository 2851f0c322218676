// @ts-check
/** Above the tree: search, pills of kinds, and the buttons for the tree. Holds what is asked for; the page decides what that shows. */

import { compact, counted } from "./format.js";
import { h, icon, iconButton, replace } from "./dom.js";
import { ICONS, kindIcon } from "./icons.js";
import { kindCounts } from "./rows.js";

/**
 * @typedef {object} SearchEvents
 * @property {(kinds: boolean) => void} onask the text, or (true) the kinds changed
 * @property {(direction: number) => void} onstep
 * @property {(direction: number) => void} onenter also search what spans contain, then step
 * @property {() => void} onleave down into the tree
 * @property {() => void} oncritical
 * @property {() => void} onunzoom
 * @property {(closed: boolean) => void} oncollapse
 */

/** @param {SearchEvents} events */
export function createSearch(events) {
  const input = /** @type {HTMLInputElement} */ (h("input", { type: "search", placeholder: "Search spans", "aria-label": "Search spans in this trace", autocomplete: "off", spellcheck: "false", maxlength: 300 }));
  const count = h("span", { class: "hit-count", role: "status" });
  const critical = iconButton(ICONS.path, "Critical path (x)", events.oncritical, { "aria-pressed": "false" });
  const toolbar = h(
    "div",
    "toolbar",
    h("label", "search", icon(ICONS.search), input, h("kbd", null, "/")),
    count,
    h("span", "hit-steps", iconButton(ICONS.up, "Previous match or error (p)", () => events.onstep(-1)), iconButton(ICONS.down, "Next match or error (n)", () => events.onstep(1))),
    h("span", "separator"),
    critical,
    iconButton(ICONS.zoomOut, "Show all of the time (0)", events.onunzoom, { class: "icon-button unzoom" }),
    iconButton(ICONS.collapse, "Collapse all", () => events.oncollapse(true)),
    iconButton(ICONS.expand, "Expand all", () => events.oncollapse(false)),
  );
  const pills = h("div", { class: "pills", role: "group", "aria-label": "Show only" });
  const search = {
    toolbar,
    pills,
    input,
    text: "",
    /** @type {Set<string>} */
    kinds: new Set(),
    /** @type {Set<string>} ids of spans that contain the text, as the collector answered */
    inContent: new Set(),
    asked: () => Boolean(search.text || search.kinds.size),
    clear() {
      search.text = input.value = "";
      search.kinds = new Set();
      search.inContent = new Set();
    },
    /** @param {import("./model.js").Trace} trace */
    drawPills(trace) {
      replace(
        pills,
        kindCounts(trace).map(({ key, count: number }) => pill(key, number, search.kinds.has(key), () => toggleKind(key))),
        search.kinds.size > 0 && h("button", { type: "button", class: "as-link quiet", onclick: () => setKinds(new Set()) }, "all kinds"),
      );
    },
    /** @param {Uint8Array | null} hits @param {number} size */
    drawCount(hits, size) {
      const found = hits ? hits.reduce((sum, hit) => sum + hit, 0) : 0;
      count.textContent = hits ? `${compact(found)} of ${compact(size)}` : counted(size, "span");
    },
    /** @param {boolean} on */
    markCritical: (on) => critical.setAttribute("aria-pressed", String(on)),
  };
  const setKinds = (/** @type {Set<string>} */ kinds) => {
    search.kinds = kinds;
    events.onask(true);
  };
  const toggleKind = (/** @type {string} */ key) => setKinds(search.kinds.has(key) ? new Set([...search.kinds].filter((each) => each !== key)) : new Set([...search.kinds, key]));
  input.addEventListener("input", () => {
    search.text = input.value.trim();
    search.inContent = new Set();
    events.onask(false);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      events.onenter(event.shiftKey ? -1 : 1);
    } else if (event.key === "ArrowDown") events.onleave();
  });
  return search;
}

/** @param {string} key @param {number} number @param {boolean} on @param {() => void} onclick */
function pill(key, number, on, onclick) {
  const picture = key === "error" ? ICONS.error : key === "running" ? ICONS.clock : kindIcon(key);
  const name = key === "error" ? (number === 1 ? "error" : "errors") : key.toLowerCase();
  return h("button", { type: "button", class: `kind-pill k-${key.toLowerCase()}`, "aria-pressed": String(on), data: { kind: key }, onclick }, icon(picture), name, h("span", "count", compact(number)));
}
