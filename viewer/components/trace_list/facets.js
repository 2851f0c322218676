// @ts-check
/** The facets: values of a few fields with their counts under the rest of the filter; a click writes the condition into the filter text. */

import { h, icon, replace } from "../trace_view/assets/dom.js";
import { compact, oneLine } from "../trace_view/assets/format.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { api } from "../base/shell.js";
import { chosen, toggled, withValues } from "./query.js";

/** field, title, open at first */
export const FACETS = /** @type {const} */ ([
  ["status", "Status", true],
  ["environment", "Environment", true],
  ["service", "Service", true],
  ["model", "Model", true],
  ["tag", "Tag", true],
  ["user", "User", false],
  ["kind", "Span kind", false],
  ["stage", "Stage", false],
  ["error", "Error", false],
  ["passage.source", "Passage source", false],
  ["verdict", "Verdict", false],
]);
const LIMIT = 8;

/** @typedef {{value: string, count: number, at_least?: boolean}} Counted `at_least`: the time to count was up before all traces were seen */

/**
 * @param {{api: string, onFilter: (text: string) => void}} options
 */
export function facets(options) {
  const element = h("aside", { class: "facets", "aria-label": "Facets" });
  const open = new Map(FACETS.map(([field, , first]) => [field, /** @type {boolean} */ (first)]));
  let text = "";
  /** @type {(leave: string) => string} */
  let scope = () => "";
  let turn = 0;
  let signal = new AbortController().signal;

  const groups = FACETS.map(([field, title]) => {
    const body = h("div", "facet-body");
    const head = h(
      "button",
      {
        type: "button",
        class: "facet-head",
        onclick: () => {
          open.set(field, !open.get(field));
          show(group);
          if (open.get(field)) load(group, turn);
        },
      },
      icon(ICONS.caret),
      title,
    );
    const group = { field, head, body, element: h("section", "facet", head, body), loaded: "\0" };
    return group;
  });
  replace(element, ...groups.map((group) => group.element));

  /** @param {typeof groups[number]} group */
  function show(group) {
    const isOpen = Boolean(open.get(group.field));
    group.head.setAttribute("aria-expanded", String(isOpen));
    group.body.classList.toggle("hidden", !isOpen);
  }

  /** @param {typeof groups[number]} group @param {number} mine */
  async function load(group, mine) {
    const filter = scope(group.field);
    if (group.loaded === filter) return mark(group);
    const counts = await counted(group.field, filter).catch(() => null);
    if (mine !== turn || !counts) return;
    group.loaded = filter;
    draw(group, counts);
  }

  /**
   * The status of a trace is that of its root, so it is counted by trace; values of the other fields may be of any of its spans.
   * @param {string} field @param {string} filter @returns {Promise<Counted[]>}
   */
  async function counted(field, filter) {
    if (field !== "status") return (await api(`${options.api}/values`, { field, filter, limit: LIMIT + 1 }, { signal })).values;
    const answer = await api(`${options.api}/aggregate`, { filter, measures: "traces", by: "status" }, { signal });
    return answer.rows.map((/** @type {any} */ row) => ({ value: row.status, count: row.traces, at_least: answer.complete === false }));
  }

  /** @param {typeof groups[number]} group @param {Counted[]} counts */
  function draw(group, counts) {
    const picked = chosen(text, group.field);
    const missing = picked.filter((value) => !counts.some((count) => count.value === value)).map((value) => ({ value, count: 0, at_least: false }));
    const most = Math.max(1, ...counts.map((count) => count.count));
    const rows = [...counts.slice(0, LIMIT), ...missing].map(({ value, count, at_least }) =>
      h(
        "button",
        {
          type: "button",
          class: "facet-value",
          role: "checkbox",
          "aria-checked": String(picked.includes(value)),
          data: { value },
          title: oneLine(value, 120),
          onclick: (/** @type {MouseEvent} */ event) => options.onFilter(event.altKey ? withValues(text, group.field, [value]) : toggled(text, group.field, value)),
        },
        h("i", { class: "facet-bar", style: { width: `${(100 * count) / most}%` } }),
        h("span", "box", icon(ICONS.ok)),
        h("span", "grow clip", value === "" ? h("span", "muted", "none") : oneLine(value, 60)),
        h("span", { class: "muted", title: at_least ? "At least so many: the newest matching traces were counted" : null }, at_least ? "≥ " : "", compact(count)),
      ),
    );
    replace(group.body, ...(rows.length ? rows : [h("div", "facet-none muted", "none recorded")]), counts.length > LIMIT ? h("div", "facet-none muted", "more: type them into the filter") : null);
  }

  /** @param {typeof groups[number]} group */
  function mark(group) {
    const picked = chosen(text, group.field);
    for (const row of group.body.querySelectorAll(".facet-value")) row.setAttribute("aria-checked", String(picked.includes(/** @type {HTMLElement} */ (row).dataset.value ?? "")));
  }

  groups.forEach(show);
  return {
    element,
    /**
     * @param {AbortSignal} until what is asked now is no longer wanted once it fires
     * @param {string} filter the filter text @param {(leave: string) => string} scoped the whole filter without a field's own condition
     */
    update(until, filter, scoped) {
      signal = until;
      text = filter;
      scope = scoped;
      const mine = ++turn;
      for (const group of groups) if (open.get(group.field)) load(group, mine);
    },
    refresh() {
      for (const group of groups) group.loaded = "\0";
    },
  };
}
