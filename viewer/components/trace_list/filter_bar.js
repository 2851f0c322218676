// @ts-check
/** The filter bar: coloured text, completion of fields and values, and the collector's own error with its place and "did you mean". */

import { h, icon, replace } from "../trace_view/assets/dom.js";
import { ICONS } from "../trace_view/assets/icons.js";
import { api, menu } from "../base/shell.js";
import { context, pieces, quote } from "./query.js";

/** @typedef {{name: string, description: string, type: string, operators: string[], choices?: string[], keyed?: boolean}} Field */

const DEBOUNCE_MS = 220;
const HINTS = /** @type {Record<string, string[]>} */ ({ duration: [">1s", ">5s", "100ms..1s"], number: [">0", ">100"], time: [">-1h", "today"], boolean: ["true", "false"] });

const EXAMPLES = /** @type {const} */ ([
  ["status:error", "requests that failed"],
  ["duration:>2s", "slow requests"],
  ["kind:retriever duration:>1s", "with a slow retriever"],
  ["kind:retriever documents:0", "where retrieval found nothing"],
  ["top_score:<0.3", "where even the best passage scored low"],
  ["margin:<0.02", "where the cut was close"],
  ["passage.source:faq.md", "that retrieved this source"],
  ["score.thumbs:<0", "that people marked down"],
  ["-service:docs-bot", "of other services"],
  ["error:Timeout* or ttft:>3s", "one or the other"],
  ['"refund policy"', "words in inputs, outputs and passages"],
]);

/** @type {Promise<Field[]> | null} */
let fields = null;

/** @param {string} path @returns {Promise<Field[]>} the collector's fields, asked once */
function knownFields(path) {
  fields ??= api(`${path}/filter/fields`).then((answer) => answer.fields).catch(() => ((fields = null), []));
  return fields;
}

/**
 * @param {{api: string, onSubmit: (text: string) => void, scope: () => string}} options `scope` is the filter that values are counted under
 */
export function filterBar(options) {
  const input = /** @type {HTMLInputElement} */ (
    h("input", {
      class: "filter-input",
      type: "text",
      spellcheck: "false",
      autocomplete: "off",
      autocapitalize: "off",
      placeholder: "Filter or search:  status:error  duration:>2s  kind:retriever  passage.source:faq.md  \"refund policy\"",
      role: "combobox",
      "aria-label": "Filter traces",
      "aria-expanded": "false",
      "aria-autocomplete": "list",
      "aria-controls": "filter-options",
    })
  );
  const paint = h("div", { class: "filter-paint", "aria-hidden": "true" });
  const list = h("div", { class: "completion hidden", role: "listbox", id: "filter-options", "aria-label": "Completions" });
  const problem = h("div", { class: "filter-problem hidden", role: "alert" });
  const clear = h("button", { type: "button", class: "icon-button", title: "Clear the filter", "aria-label": "Clear the filter", onclick: () => (set(""), submit()) }, icon(ICONS.close));
  const help = menu(["?"], "Examples of filters", (close) => examples(close), { class: "kbd help" });
  const box = h("div", "filter-box", icon(ICONS.search), h("div", "filter-field", paint, input), clear, h("span", "kbd", "/"), help);
  const element = h("div", "filter-bar", box, list, problem);

  /** @type {{text: string, detail: string, apply: () => void}[]} */
  let options_ = [];
  let at = -1;
  let submitted = "";
  let asked = 0;
  let wrong = -1;

  function set(/** @type {string} */ text) {
    input.value = text;
    draw();
  }

  function draw() {
    let offset = 0;
    replace(
      paint,
      ...pieces(input.value).map((piece) => {
        const covers = wrong >= offset && wrong < offset + piece.text.length;
        offset += piece.text.length;
        return h("span", `${piece.role}${covers ? " wrong" : ""}`, piece.text);
      }),
    );
    paint.scrollLeft = input.scrollLeft;
    clear.classList.toggle("hidden", !input.value);
    box.classList.toggle("changed", input.value.trim() !== submitted);
  }

  function submit() {
    close();
    const text = input.value.trim();
    submitted = text;
    draw();
    options.onSubmit(text);
  }

  /** @param {() => void} shut */
  function examples(shut) {
    const add = (/** @type {string} */ text) => {
      shut();
      set([input.value.trim(), text].filter(Boolean).join(" "));
      submit();
    };
    return h(
      "div",
      null,
      h("div", "heading", "Conditions side by side must all hold. A click adds one."),
      ...EXAMPLES.map(([text, meaning]) => h("button", { type: "button", class: "item example", onclick: () => add(text) }, h("span", "mono", text), h("span", "muted", meaning))),
    );
  }

  function close() {
    options_ = [];
    at = -1;
    list.classList.add("hidden");
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  /** @param {number} start @param {number} end @param {string} text */
  function insert(start, end, text) {
    const rest = input.value.slice(end);
    input.value = input.value.slice(0, start) + text + rest;
    input.setSelectionRange(start + text.length, start + text.length);
    wrong = -1;
    draw();
    complete();
  }

  /** @param {import("./query.js").Context} place @returns {Promise<typeof options_>} */
  async function found(place) {
    const all = await knownFields(options.api);
    const prefix = place.prefix.toLowerCase();
    if (place.kind === "field") {
      if (!prefix && input.value.slice(0, place.start).trim() && !/\s$/.test(input.value.slice(0, place.start))) return [];
      const starts = all.filter((field) => field.name.startsWith(prefix));
      const inside = prefix ? all.filter((field) => !field.name.startsWith(prefix) && field.name.includes(prefix)) : [];
      return [...starts, ...inside].slice(0, 40).map((field) => ({
        text: field.name,
        detail: field.description,
        apply: () => insert(place.start, place.end, field.keyed && field.name !== "score" ? `${field.name}[""]` : field.name === "score" ? "score." : `${field.name}:`),
      }));
    }
    const field = all.find((entry) => entry.name === place.field);
    const fixed = field?.choices?.length ? field.choices : HINTS[field?.type ?? ""];
    if (fixed) {
      return fixed.filter((choice) => choice.toLowerCase().includes(prefix)).map((choice) => ({ text: choice, detail: "", apply: () => insert(place.start, place.end, `${choice} `) }));
    }
    if (!field || field.type !== "text") return [];
    const answer = await api(`${options.api}/values`, { field: field.name, prefix: place.prefix, filter: options.scope(), limit: 12 }).catch(() => ({ values: [] }));
    return answer.values.map((/** @type {{value: string, count: number}} */ value) => ({
      text: value.value,
      detail: String(value.count),
      apply: () => insert(place.start, place.end, `${quote(value.value)} `),
    }));
  }

  async function complete() {
    const turn = ++asked;
    const place = context(input.value, input.selectionStart ?? input.value.length);
    const next = place ? await found(place) : [];
    if (turn !== asked || /** @type {ShadowRoot} */ (element.getRootNode()).activeElement !== input) return;
    options_ = next;
    at = -1;
    list.classList.remove("stale");
    if (!next.length) return close();
    replace(
      list,
      ...next.map((option, index) =>
        h(
          "div",
          { class: "option", role: "option", id: `filter-option-${index}`, "aria-selected": "false", onpointerdown: (/** @type {Event} */ event) => (event.preventDefault(), options_.includes(option) && option.apply()) },
          h("span", "mono", option.text),
          h("span", "muted clip", option.detail),
        ),
      ),
    );
    list.classList.remove("hidden");
    list.scrollTop = 0;
    input.setAttribute("aria-expanded", "true");
  }

  /** @param {number} next */
  function choose(next) {
    const rows = [...list.children];
    rows[at]?.setAttribute("aria-selected", "false");
    at = (next + rows.length) % rows.length;
    rows[at].setAttribute("aria-selected", "true");
    rows[at].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", rows[at].id);
  }

  /** @type {number | undefined} */
  let timer;
  async function check() {
    const text = input.value;
    const answer = text.trim() ? await api(`${options.api}/filter/check`, { filter: text }).catch(() => ({ ok: true })) : { ok: true };
    if (text !== input.value) return;
    // A half-typed term is not worth an alarm while the caret still stands in it.
    const typing = !answer.ok && /** @type {ShadowRoot} */ (element.getRootNode()).activeElement === input && (answer.position ?? 0) >= text.trimEnd().length - 1;
    show(answer.ok || typing ? null : answer);
  }

  /** @param {{message?: string, detail?: string, position?: number, suggestions?: string[]} | null} error */
  function show(error) {
    wrong = error?.position ?? -1;
    problem.classList.toggle("hidden", !error);
    box.classList.toggle("bad", Boolean(error));
    input.setAttribute("aria-invalid", String(Boolean(error)));
    if (error) {
      const position = error.position ?? 0;
      replace(
        problem,
        icon(ICONS.warning),
        h("span", null, error.message ?? error.detail ?? "this filter cannot be read"),
        ...(error.suggestions ?? []).map((suggestion) =>
          h("button", { type: "button", class: "pill accent", onclick: () => (correct(position, suggestion), input.focus()) }, suggestion),
        ),
      );
    }
    draw();
  }

  /** @param {number} position @param {string} suggestion */
  function correct(position, suggestion) {
    const length = /^[^\s():,"=<>!~]*/.exec(input.value.slice(position))?.[0].length ?? 0;
    input.value = input.value.slice(0, position) + suggestion + input.value.slice(position + length);
    show(null);
    submit();
  }

  /** What is listed completes the text as it was: it stays in sight until the next list, but cannot be chosen. */
  function outdate() {
    options_ = [];
    at = -1;
    list.classList.add("stale");
    input.removeAttribute("aria-activedescendant");
  }

  input.addEventListener("input", () => {
    wrong = -1;
    outdate();
    problem.classList.add("hidden");
    box.classList.remove("bad");
    draw();
    complete();
    clearTimeout(timer);
    timer = setTimeout(check, DEBOUNCE_MS);
  });
  input.addEventListener("focus", () => complete());
  input.addEventListener("click", () => complete());
  input.addEventListener("scroll", () => (paint.scrollLeft = input.scrollLeft));
  input.addEventListener("blur", () => (close(), check()));
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && options_.length) (event.preventDefault(), choose(at + 1));
    else if (event.key === "ArrowUp" && options_.length) (event.preventDefault(), choose(at - 1));
    else if ((event.key === "Enter" || event.key === "Tab") && at >= 0) (event.preventDefault(), options_[at].apply());
    else if (event.key === "Enter") (event.preventDefault(), submit());
    else if (event.key === "Escape") (event.stopPropagation(), options_.length ? close() : input.blur());
  });

  draw();
  return {
    element,
    focus: () => (input.focus(), input.select()),
    /** @param {string} text the filter that is applied now */
    apply(text) {
      submitted = text;
      if (/** @type {ShadowRoot | Document} */ (element.getRootNode()).activeElement !== input || input.value.trim() === text) set(text);
      show(null);
    },
    show,
  };
}
