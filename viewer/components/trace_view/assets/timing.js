// @ts-check
/** Where the time went: self time, the critical path, what of a span its children cover, and round ticks for an axis. Pure. */

import { childrenOf } from "./model.js";

/** @typedef {import("./model.js").Trace} Trace */

/**
 * Nanoseconds each span spent outside its children (the union of their intervals, clipped to the span). Siblings come by start time, so
 * one pass per parent suffices.
 * @param {Trace} trace @returns {Float64Array}
 */
export function selfTimes(trace) {
  const { size, parent, start, duration } = trace;
  const self = Float64Array.from(duration);
  const covered = Float64Array.from(start); // how far a parent's children reach already
  for (let i = 0; i < size; i++) {
    const above = parent[i];
    if (above < 0) continue;
    const from = Math.max(start[i], covered[above]);
    const to = Math.min(start[i] + duration[i], start[above] + duration[above]);
    if (to <= from) continue;
    self[above] -= to - from;
    covered[above] = to;
  }
  return self.map((value) => Math.max(0, value));
}

/** @param {Trace} trace @param {Float64Array} self @returns {{kind: string, ns: number, share: number}[]} largest first */
export function selfTimeByKind(trace, self) {
  /** @type {Map<string, number>} */
  const sums = new Map();
  let all = 0;
  for (let i = 0; i < trace.size; i++) {
    sums.set(trace.kind[i], (sums.get(trace.kind[i]) ?? 0) + self[i]);
    all += self[i];
  }
  return [...sums].map(([kind, ns]) => ({ kind, ns, share: all ? ns / all : 0 })).filter((part) => part.ns > 0).sort((a, b) => b.ns - a.ns);
}

/** @typedef {{span: number, from: number, to: number}} Segment */

/**
 * The chain of work that decided when `root` ended: from its end backwards, always into the child that ended last before that point.
 * Shortening anything off this path does not shorten the trace.
 * @param {Trace} trace @param {number} root @returns {Segment[]} by time, latest first
 */
export function criticalPath(trace, root) {
  /** @type {Segment[]} */
  const path = [];
  const { start, duration } = trace;
  /** @type {{span: number, cursor: number, children: number[]}[]} */
  const stack = [];
  const enter = (/** @type {number} */ span, /** @type {number} */ limit) => {
    const finish = (/** @type {number} */ i) => start[i] + duration[i];
    const children = [...childrenOf(trace, span)].sort((a, b) => finish(a) - finish(b)); // popped from the end: the last to finish first
    stack.push({ span, cursor: Math.min(start[span] + duration[span], limit), children });
  };
  enter(root, Number.POSITIVE_INFINITY);
  while (stack.length) {
    const at = stack[stack.length - 1];
    const child = at.children.pop();
    if (child === undefined) {
      if (at.cursor > start[at.span]) path.push({ span: at.span, from: start[at.span], to: at.cursor });
      stack.pop();
      continue;
    }
    const childEnd = Math.min(start[child] + duration[child], at.cursor);
    if (start[child] >= at.cursor || childEnd <= start[at.span] || duration[child] === 0) continue;
    if (childEnd < at.cursor) path.push({ span: at.span, from: childEnd, to: at.cursor });
    at.cursor = Math.max(start[at.span], start[child]);
    enter(child, childEnd);
  }
  return path;
}

/**
 * Parts of a span its direct children cover, merged where the gap is under `gap` ns: at most a few hundred pieces to draw.
 * @param {Trace} trace @param {number} i @param {number} gap @returns {[number, number][]}
 */
export function coverage(trace, i, gap) {
  /** @type {[number, number][]} */
  const pieces = [];
  const limit = trace.start[i] + trace.duration[i];
  for (const child of childrenOf(trace, i)) {
    const from = Math.max(trace.start[child], trace.start[i]);
    const to = Math.min(trace.start[child] + trace.duration[child], limit);
    if (to <= from) continue;
    const last = pieces[pieces.length - 1];
    if (last && from <= last[1] + gap) last[1] = Math.max(last[1], to);
    else pieces.push([from, to]);
  }
  return pieces;
}

const STEPS = [1, 2, 5];

/** @param {number} from @param {number} to @param {number} most @returns {number[]} round values inside [from, to] */
export function ticks(from, to, most) {
  const span = to - from;
  if (!(span > 0)) return [from];
  const rough = span / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (STEPS.find((factor) => factor * power >= rough) ?? 10);
  const marks = [];
  for (let k = Math.ceil(from / step - 1e-9); k * step <= to + step * 1e-9; k++) marks.push(k * step || 0); // no -0
  return marks;
}
