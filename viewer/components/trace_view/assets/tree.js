// @ts-check
/**
 * The tree and waterfall: fixed rows, of which only those in view exist. A row is made when it scrolls in and thrown away when it leaves,
 * so the DOM holds about fifty rows at any size. The tree element keeps the focus; `aria-activedescendant` names the current row.
 */

import { compact, counted, duration, roundDuration, visible } from "./format.js";
import { ICONS, kindIcon } from "./icons.js";
import { h, icon, replace } from "./dom.js";
import { coverage, ticks } from "./timing.js";
import { tokensOf } from "./model.js";

const ROW = 28; // px
const OVERSCAN = 6;
const SHARPEST = 3; // px: the shortest bar one can still see and hit

/** @typedef {import("./model.js").Trace} Trace */
/** @typedef {import("./rows.js").Folding} Folding */

/**
 * @typedef {object} TreeView what the tree draws
 * @property {Trace} trace
 * @property {Folding} folding
 * @property {Int32Array} rows
 * @property {Set<number>} collapsed
 * @property {Set<number>} open groups
 * @property {Uint8Array | null} hits
 * @property {number} selected row value: a span, or ~group
 * @property {[number, number]} zoom nanoseconds shown
 * @property {Map<number, [number, number][]> | null} critical segments by span
 * @property {Set<number>} orphans
 * @property {Float64Array} self own time of each span
 */

/**
 * @typedef {object} TreeEvents
 * @property {(row: number) => void} onselect
 * @property {(row: number) => void} ontoggle
 * @property {(zoom: [number, number]) => void} onzoom
 */

/** @param {TreeEvents} events */
export function createTree(events) {
  const axis = h("div", "axis lane");
  const head = h("div", { class: "columns head", "aria-hidden": "true" }, h("div", null, "Span"), h("div", "tokens", "Tokens"), h("div", "axis-cell", axis));
  const content = h("div", "rows");
  const scroller = h("div", { class: "scroller", role: "tree", tabindex: 0, "aria-label": "Spans of the trace" }, content);
  const element = h("div", "tree", head, scroller);
  /** @type {Map<number, HTMLElement>} row position → element */
  const drawn = new Map();
  /** @type {TreeView | null} */
  let view = null;
  let frame = 0;
  // What is in view, as last measured: to ask again once rows have changed makes the browser lay out the page.
  let top = 0;
  let height = 0;

  const draw = () => {
    frame = 0;
    if (!view) return;
    const from = Math.max(0, Math.floor(top / ROW) - OVERSCAN);
    const to = Math.min(view.rows.length, Math.ceil((top + height) / ROW) + OVERSCAN);
    for (const [position, row] of drawn) {
      if (position >= from && position < to) continue;
      row.remove();
      drawn.delete(position);
    }
    const fresh = document.createDocumentFragment();
    for (let position = from; position < to; position++) {
      if (drawn.has(position)) continue;
      const row = drawRow(view, position);
      drawn.set(position, row);
      fresh.append(row);
    }
    content.append(fresh);
  };
  const measure = () => {
    top = scroller.scrollTop;
    height = scroller.clientHeight;
  };
  const later = () => {
    frame ||= requestAnimationFrame(() => (measure(), draw()));
  };
  scroller.addEventListener("scroll", later, { passive: true });
  new ResizeObserver(later).observe(scroller);

  content.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const row = /** @type {HTMLElement | null} */ (target.closest(".row"));
    if (!row) return;
    const value = Number(row.dataset.row);
    if (target.closest(".caret")) events.ontoggle(value);
    else events.onselect(value);
  });
  content.addEventListener("dblclick", (event) => {
    const row = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest(".row"));
    if (row) events.ontoggle(Number(row.dataset.row));
  });
  // Control or command with the wheel zooms the time axis at the pointer, as in other timelines; plain wheel scrolls.
  element.addEventListener(
    "wheel",
    (event) => {
      if (!view || !(event.ctrlKey || event.metaKey)) return;
      const box = axis.getBoundingClientRect();
      if (event.clientX < box.left) return;
      event.preventDefault();
      const [from, to] = view.zoom;
      const at = from + ((to - from) * (event.clientX - box.left)) / box.width;
      const factor = event.deltaY > 0 ? 1.25 : 0.8;
      events.onzoom([at - (at - from) * factor, at + (to - at) * factor]);
    },
    { passive: false },
  );

  return {
    element,
    scroller,
    axis,
    /** @param {TreeView} next */
    show(next) {
      view = next;
      measure();
      drawAxis(axis, next.zoom);
      for (const row of drawn.values()) row.remove();
      drawn.clear();
      const whole = next.rows.length * ROW;
      content.style.height = `${whole}px`;
      element.classList.toggle("fits", whole <= height);
      top = Math.min(top, Math.max(0, whole - height));
      draw();
      this.mark(next.selected);
    },
    /** @param {number} row the selected row, without redrawing */
    mark(row) {
      if (!view) return;
      view.selected = row;
      scroller.removeAttribute("aria-activedescendant");
      for (const element of drawn.values()) {
        const chosen = Number(element.dataset.row) === row;
        element.classList.toggle("selected", chosen);
        element.setAttribute("aria-selected", String(chosen));
        if (chosen) scroller.setAttribute("aria-activedescendant", element.id);
      }
    },
    /** @param {number} position @param {boolean} [centre] */
    reveal(position, centre = false) {
      const at = position * ROW;
      const out = at < top ? at : at + ROW > top + height ? at + ROW - height : top;
      if (out !== top) {
        scroller.scrollTop = centre ? Math.max(0, at - height / 2) : out;
        measure();
      }
      draw();
      this.mark(view?.selected ?? -1);
    },
    /** @param {number} position whether the row is in view */
    shows: (position) => position * ROW >= top - ROW && position * ROW <= top + height,
    pageSize: () => Math.max(1, Math.floor(height / ROW) - 1),
  };
}

/** @param {HTMLElement} axis @param {[number, number]} zoom */
function drawAxis(axis, [from, to]) {
  const width = axis.clientWidth || 300;
  // Counted from the left edge: zoomed in, absolute times would all read alike.
  const marks = ticks(0, to - from, Math.max(2, Math.floor(width / 72)));
  const step = marks.length > 1 ? (marks[1] - marks[0]) / (to - from) : 1;
  const tree = /** @type {HTMLElement | null} */ (axis.closest(".tree"));
  tree?.style.setProperty("--tick-step", `${step * 100}%`);
  replace(
    axis,
    marks.map((mark) => h("span", { class: "tick", style: { left: `${(mark / (to - from)) * 100}%` } }, from > 0 && mark > 0 ? `+${roundDuration(mark)}` : from ? duration(from + mark) : roundDuration(mark))),
  );
}

/** @param {TreeView} view @param {number} position */
function drawRow(view, position) {
  const value = view.rows[position];
  const row = value < 0 ? drawGroup(view, ~value) : drawSpan(view, value);
  row.id = `row-${position}`;
  row.style.top = `${position * ROW}px`;
  row.dataset.row = String(value);
  row.setAttribute("role", "treeitem");
  row.setAttribute("aria-selected", String(view.selected === value));
  if (view.selected === value) row.classList.add("selected");
  return row;
}

/** @param {TreeView} view @param {number} i */
function drawSpan(view, i) {
  const { trace, folding, hits } = view;
  const level = trace.depth[i] + (hits ? 0 : folding.extra[i]);
  const parent = trace.end[i] > i + 1;
  const open = parent && !view.collapsed.has(i);
  const kind = trace.kind[i];
  const failed = trace.status[i] === "error";
  const running = trace.state[i] === "running";
  const tokens = kind === "LLM" || kind === "EMBEDDING" || kind === "RERANKER" ? tokensOf(trace, i) : null;
  const classes = ["row", "columns", `k-${kind.toLowerCase()}`];
  if (failed) classes.push("failed");
  if (running) classes.push("running");
  if (hits && !hits[i]) classes.push("dim");
  const name = visible(trace.name[i]) || "(no name)";
  return h(
    "div",
    {
      class: classes.join(" "),
      "aria-level": level + 1,
      "aria-expanded": parent ? String(open) : null,
      data: { span: trace.id[i], kind },
    },
    h(
      "div",
      { class: "name", style: { "--level": String(level) } },
      caret(parent, open),
      h("span", "kind-icon", icon(kindIcon(kind))),
      h("span", { class: "label", title: trace.recorded[i] === trace.name[i] ? name : `${name}, recorded as ${visible(trace.recorded[i])}` }, name),
      h("span", "unseen", ` ${kind.toLowerCase()} `),
      trace.model[i] && !name.includes(/** @type {string} */ (trace.model[i])) && h("span", "model", visible(/** @type {string} */ (trace.model[i]))),
      view.orphans.has(i) && h("span", { class: "tag warn", title: "The span it names as its parent has not arrived" }, "orphan"),
      failed && h("span", { class: "row-flag", title: "Error" }, icon(ICONS.error), h("span", "unseen", " error ")),
    ),
    h("div", "tokens", tokens === null ? "" : compact(tokens)),
    h("div", { class: "bar-cell", title: `starts at ${duration(trace.start[i])}, takes ${running ? "…" : duration(trace.duration[i])}${parent && !running ? `, of it ${duration(view.self[i])} outside its children` : ""}` }, h("div", "lane", bar(view, i, running))),
  );
}

/** @param {boolean} parent @param {boolean} open */
function caret(parent, open) {
  return parent ? h("span", { class: open ? "caret open" : "caret" }, icon(ICONS.caret)) : h("span", "caret-space");
}

/**
 * @param {TreeView} view @param {number} start @param {number} length
 * @returns {{left: number, width: number} | null} percent of the axis; null outside
 */
function placed({ zoom: [from, to] }, start, length) {
  const span = to - from;
  const left = ((start - from) / span) * 100;
  const right = ((start + length - from) / span) * 100;
  if (right < 0 || left > 100) return null;
  return { left: Math.max(0, left), width: Math.min(100, right) - Math.max(0, left) };
}

/** @param {TreeView} view @param {number} i @param {boolean} running */
function bar(view, i, running) {
  const { trace } = view;
  const length = running ? Math.max(trace.duration[i], trace.total - trace.start[i]) : trace.duration[i];
  const box = placed(view, trace.start[i], length);
  if (!box) return outside(view, trace.start[i]);
  const label = running ? "running" : duration(trace.duration[i]);
  const span = view.zoom[1] - view.zoom[0];
  const parts = [];
  if (trace.end[i] > i + 1) for (const [from, to] of coverage(trace, i, span / 150).slice(0, 200)) parts.push(piece(view, from, to, "covered"));
  for (const [from, to] of view.critical?.get(i)?.slice(0, 200) ?? []) parts.push(piece(view, from, to, "critical"));
  return [
    h("div", { class: trace.end[i] > i + 1 ? "bar parent" : "bar", style: { left: `${box.left}%`, width: `max(${SHARPEST}px, ${box.width}%)` } }),
    parts,
    barLabel(label, box),
  ];
}

/** @param {TreeView} view @param {number} from @param {number} to @param {string} className */
function piece(view, from, to, className) {
  const box = placed(view, from, to - from);
  return box && h("div", { class: className, style: { left: `${box.left}%`, width: `max(1px, ${box.width}%)` } });
}

/** After the bar: the lane ends short of the pane, so there is always room. @param {string} label @param {{left: number, width: number}} box */
function barLabel(label, { left, width }) {
  return h("span", { class: "bar-label", style: { left: `calc(${left}% + max(${SHARPEST}px, ${width}%))` } }, label);
}

/** @param {TreeView} view @param {number} start a mark for a bar that lies outside the zoom */
function outside(view, start) {
  return h("span", { class: start < view.zoom[0] ? "bar-outside" : "bar-outside after" }, icon(start < view.zoom[0] ? ICONS.left : ICONS.right));
}

/** @param {TreeView} view @param {number} g */
function drawGroup(view, g) {
  const { trace, folding } = view;
  const group = folding.groups[g];
  const first = group.first;
  const level = trace.depth[first] + folding.extra[first] - 1;
  const open = view.open.has(g);
  const kind = trace.kind[first];
  const box = placed(view, group.start, group.end - group.start);
  const name = visible(trace.name[first]);
  const classes = ["row", "columns", "group", `k-${kind.toLowerCase()}`];
  if (group.errors) classes.push("has-errors");
  return h(
    "div",
    { class: classes.join(" "), "aria-level": level + 1, "aria-expanded": String(open), data: { group: g } },
    h(
      "div",
      { class: "name", style: { "--level": String(level) } },
      caret(true, open),
      h("span", "kind-icon stacked", icon(kindIcon(kind))),
      h("span", { class: "label", title: name }, name),
      h("span", "times", `× ${group.count.toLocaleString("en")}`),
      group.errors > 0 && h("span", "tag bad", counted(group.errors, "error")),
      group.running > 0 && h("span", "tag", `${group.running} running`),
    ),
    h("div", "tokens", group.tokens ? compact(group.tokens) : ""),
    h(
      "div",
      "bar-cell",
      h("div", "lane", box ? [h("div", { class: "bar folded", style: { left: `${box.left}%`, width: `max(${SHARPEST}px, ${box.width}%)` } }), barLabel(duration(group.end - group.start), box)] : outside(view, group.start)),
    ),
  );
}
