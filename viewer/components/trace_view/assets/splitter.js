// @ts-check
/** The bar between tree and detail: dragged, or moved with the arrow keys; its place is kept in the browser. */

import { h } from "./dom.js";
import { recall, remember } from "./preferences.js";

const KEPT_AS = "rightpassage.tree-width";
const LEAST = 0.28;
const MOST = 0.75;
const FIRST = 0.52;
const STEP = 0.02;

/** Sets `--tree-width` on the element it lies in. @param {() => void} onchange */
export function createSplitter(onchange) {
  const element = h("div", { class: "splitter", role: "separator", "aria-orientation": "vertical", "aria-label": "Width of the tree", tabindex: 0 });
  const body = () => /** @type {HTMLElement} */ (element.parentElement);
  let share = Number(recall(KEPT_AS)) || FIRST;
  const set = (/** @type {number} */ next) => {
    share = Math.min(MOST, Math.max(LEAST, next));
    body().style.setProperty("--tree-width", `${(share * 100).toFixed(1)}%`);
    element.setAttribute("aria-valuenow", String(Math.round(share * 100)));
    remember(KEPT_AS, String(share));
  };
  const drag = (/** @type {PointerEvent} */ event) => {
    const box = body().getBoundingClientRect();
    set((event.clientX - box.left) / box.width);
  };
  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    element.addEventListener("pointermove", drag);
  });
  element.addEventListener("pointerup", () => {
    element.removeEventListener("pointermove", drag);
    onchange();
  });
  element.addEventListener("keydown", (event) => {
    const by = event.key === "ArrowLeft" ? -STEP : event.key === "ArrowRight" ? STEP : 0;
    if (!by) return;
    event.stopPropagation();
    set(share + by);
    onchange();
  });
  return { element, place: () => set(share) };
}
