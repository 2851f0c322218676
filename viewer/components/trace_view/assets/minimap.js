// @ts-check
/** The whole trace on one canvas: a line per span, lanes by depth; dragging selects the part of time the waterfall shows. */

import { h } from "./dom.js";
import { duration } from "./format.js";

const LANES = 14; // deeper spans share the last lane
const LEAST = 0.002; // of the whole: a narrower drag is a click

/** @typedef {import("./model.js").Trace} Trace */

/** @param {(zoom: [number, number] | null) => void} onzoom null: everything */
export function createMinimap(onzoom) {
  const canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { "aria-hidden": "true" }));
  const brush = h("div", "brush");
  const hint = h("div", "brush-hint");
  const element = h("div", { class: "minimap", title: "Drag to zoom into a part of the time; double-click shows everything" }, canvas, brush, hint);
  /** @type {Trace | null} */
  let trace = null;
  /** @type {[number, number]} */
  let zoom = [0, 1];
  let anchor = -1;

  const share = (/** @type {PointerEvent} */ event) => {
    const box = element.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const place = (/** @type {number} */ from, /** @type {number} */ to) => {
    brush.style.left = `${from * 100}%`;
    brush.style.width = `${(to - from) * 100}%`;
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    anchor = share(event);
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => {
    if (anchor < 0 || !trace) return;
    const at = share(event);
    element.classList.add("zoomed");
    place(Math.min(anchor, at), Math.max(anchor, at));
    hint.textContent = duration(Math.abs(at - anchor) * trace.total);
  });
  element.addEventListener("pointerup", (event) => {
    if (anchor < 0 || !trace) return;
    const at = share(event);
    const [from, to] = [Math.min(anchor, at), Math.max(anchor, at)];
    anchor = -1;
    hint.textContent = "";
    if (to - from > LEAST) onzoom([from * trace.total, to * trace.total]);
    else show(zoom);
  });
  element.addEventListener("pointercancel", () => {
    anchor = -1;
    show(zoom);
  });
  element.addEventListener("dblclick", () => onzoom(null));

  const paint = () => {
    const width = element.clientWidth;
    const height = element.clientHeight;
    if (!trace || !width) return;
    const ratio = devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.scale(ratio, ratio);
    const style = getComputedStyle(element);
    /** @type {Map<string, string>} */
    const colours = new Map();
    const colour = (/** @type {string} */ kind) => {
      let found = colours.get(kind);
      if (!found) colours.set(kind, (found = style.getPropertyValue(`--kind-${kind.toLowerCase()}`).trim() || "#888"));
      return found;
    };
    const depths = Math.min(LANES, Math.max(1, trace.depth.reduce((most, depth) => Math.max(most, depth), 0) + 1));
    const lane = (height - 6) / depths;
    const bar = Math.max(1, Math.min(4, lane - 1));
    const seen = new Map(); // the last pixel drawn per lane: 32,000 spans are at most width × lanes rectangles
    for (let i = 0; i < trace.size; i++) {
      const at = Math.min(depths - 1, trace.depth[i]);
      const left = Math.floor((trace.start[i] / (trace.total || 1)) * width);
      const lasts = trace.state[i] === "running" ? trace.total - trace.start[i] : trace.duration[i];
      const length = Math.max(1, (lasts / (trace.total || 1)) * width);
      if (length <= 1 && seen.get(at) === left && trace.status[i] !== "error") continue;
      seen.set(at, left);
      context.fillStyle = trace.status[i] === "error" ? style.getPropertyValue("--bad").trim() : colour(trace.kind[i]);
      context.fillRect(left, 3 + at * lane, length, bar);
    }
  };
  const show = (/** @type {[number, number]} */ next) => {
    zoom = next;
    if (!trace) return;
    const whole = trace.total || 1;
    const zoomed = next[0] > 0 || next[1] < whole;
    element.classList.toggle("zoomed", zoomed);
    if (zoomed) place(next[0] / whole, next[1] / whole);
  };
  new ResizeObserver(paint).observe(element);

  return {
    element,
    /** @param {Trace} next @param {[number, number]} view */
    draw(next, view) {
      trace = next;
      paint();
      show(view);
    },
    show,
  };
}
