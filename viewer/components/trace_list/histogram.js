// @ts-check
/** Traces over time as bars, failed ones in red; drag to choose a time range. */

import { h, replace } from "../trace_view/assets/dom.js";
import { grouped } from "../trace_view/assets/format.js";

const BARS = 80;
const LEAST_BARS = 30;
const STEPS_S = [1, 5, 15, 60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400, 30 * 86_400];

/** @param {number} milliseconds the length shown @returns {"minute" | "hour" | "day"} the group to ask the collector for */
export function grain(milliseconds) {
  if (milliseconds <= 24 * 3_600_000) return "minute";
  return milliseconds <= 60 * 86_400_000 ? "hour" : "day";
}

/**
 * @typedef {{at: number, count: number, errors: number}} Point milliseconds, traces that began then
 * @typedef {{start: number, width: number, bars: {count: number, errors: number}[]}} Buckets
 * @param {Point[]} points @param {number | null} from @param {number} to @param {number} grainMs no bar is narrower than the data
 * @returns {Buckets}
 */
export function buckets(points, from, to, grainMs) {
  const first = from ?? Math.min(to - LEAST_BARS * grainMs, ...points.map((point) => point.at)); // a first trace is a bar, not a wall
  const step = STEPS_S.map((seconds) => seconds * 1000).find((size) => size >= grainMs && (to - first) / size <= BARS) ?? 30 * 86_400_000;
  const start = Math.floor(first / step) * step;
  const bars = Array.from({ length: Math.max(1, Math.ceil((to - start) / step)) }, () => ({ count: 0, errors: 0 }));
  for (const point of points) {
    const bar = bars[Math.floor((point.at - start) / step)];
    if (!bar) continue;
    bar.count += point.count;
    bar.errors += point.errors;
  }
  return { start, width: step, bars };
}

const two = (/** @type {number} */ value) => String(value).padStart(2, "0");

/** @param {number} at @param {number} length of what is shown: decides whether the day or the time matters */
function label(at, length) {
  const date = new Date(at);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}${length < 600_000 ? `:${two(date.getSeconds())}` : ""}`;
  const day = date.toLocaleDateString("en", { month: "short", day: "numeric" });
  return length > 4 * 86_400_000 ? day : length > 20 * 3_600_000 ? `${day} ${clock}` : clock;
}

const DAY_MS = 86_400_000;
const MARKS = 7;
const MARK_STEPS_S = [...STEPS_S, 2 * 86_400, 3 * 86_400].sort((a, b) => a - b);
const LAST_MARK = 0.93; // of the width: a label further right would be cut

/** @param {number} at a midnight is called by its day @param {number} length of what is shown */
function markLabel(at, length) {
  return new Date(at).getHours() + new Date(at).getMinutes() === 0 ? label(at, 5 * DAY_MS) : label(at, Math.min(length, DAY_MS / 2));
}

/** @param {number} from @param {number} to milliseconds @returns {number[]} round local times between them: midnights, full hours */
export function marks(from, to) {
  const step = MARK_STEPS_S.map((seconds) => seconds * 1000).find((size) => (to - from) / size <= MARKS) ?? 90 * DAY_MS;
  const midnight = new Date(from).setHours(0, 0, 0, 0);
  const found = [];
  for (let n = Math.max(0, Math.floor((from - midnight) / step)); ; n++) {
    // Days are counted by the calendar: one of them has 23 hours, another 25.
    const at = step >= DAY_MS ? new Date(midnight).setDate(new Date(midnight).getDate() + n * Math.round(step / DAY_MS)) : midnight + n * step;
    if (at > to) return found;
    if (at >= from) found.push(at);
  }
}

/** @param {(from: number, to: number) => void} onBrush milliseconds */
export function histogram(onBrush) {
  const plot = h("div", "plot");
  const axis = h("div", { class: "axis muted", "aria-hidden": "true" });
  const tip = h("div", "tip hidden");
  const shade = h("div", "shade hidden");
  const element = h("div", { class: "histogram", role: "img", "aria-label": "Traces over time" }, plot, axis, shade, tip);
  /** @type {Buckets | null} */
  let shown = null;

  /** @param {PointerEvent} event @returns {number} */
  const share = (event) => {
    const box = plot.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const timeAt = (/** @type {number} */ part) => (shown ? shown.start + part * shown.width * shown.bars.length : 0);

  /** @type {number | null} */
  let anchor = null;
  element.addEventListener("pointerdown", (event) => {
    if (!shown || event.button !== 0) return;
    anchor = share(event);
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => {
    if (!shown) return;
    const here = share(event);
    if (anchor !== null) {
      const [left, right] = [Math.min(anchor, here), Math.max(anchor, here)];
      shade.classList.remove("hidden");
      shade.style.setProperty("left", `${left * 100}%`);
      shade.style.setProperty("width", `${(right - left) * 100}%`);
    }
    const index = Math.min(shown.bars.length - 1, Math.floor(here * shown.bars.length));
    const bar = shown.bars[index];
    const length = shown.width * shown.bars.length;
    replace(tip, h("b", null, `${grouped(bar.count)} trace${bar.count === 1 ? "" : "s"}`), bar.errors ? h("span", "error-text", ` ${grouped(bar.errors)} failed`) : null, h("span", "muted", ` ${label(shown.start + index * shown.width, Math.min(length, 86_400_000 * 3))}`));
    tip.classList.remove("hidden");
    tip.style.setProperty("left", `${Math.min(88, Math.max(6, here * 100))}%`);
  });
  element.addEventListener("pointerup", (event) => {
    if (anchor === null) return;
    const here = share(event);
    const [left, right] = [Math.min(anchor, here), Math.max(anchor, here)];
    anchor = null;
    shade.classList.add("hidden");
    if (!shown) return;
    const bars = shown.bars.length;
    // A click takes the bar under it, a drag whole bars.
    const first = Math.floor(left * bars) / bars;
    const last = right - left < 0.004 ? first + 1 / bars : Math.ceil(right * bars) / bars;
    onBrush(Math.round(timeAt(first)), Math.round(timeAt(last)));
  });
  element.addEventListener("pointerleave", () => tip.classList.add("hidden"));

  return {
    element,
    /** @param {Buckets | null} next */
    draw(next) {
      shown = next;
      const most = Math.max(1, ...(next?.bars ?? []).map((bar) => bar.count));
      replace(
        plot,
        ...(next?.bars ?? []).map((bar) =>
          h(
            "div",
            "bar",
            bar.count ? h("i", { style: { height: `${Math.max(5, (100 * bar.count) / most)}%` } }, bar.errors ? h("b", { style: { height: `${(100 * bar.errors) / bar.count}%` } }) : null) : null,
          ),
        ),
      );
      const length = next ? next.width * next.bars.length : 0;
      const end = (next?.start ?? 0) + length;
      const places = next ? marks(next.start, end).map((at) => ({ at, share: (at - next.start) / length })) : [];
      replace(axis, ...places.filter(({ share }) => share < LAST_MARK).map(({ at, share }) => h("span", { style: { left: `${100 * share}%` } }, markLabel(at, length))));
    },
  };
}
