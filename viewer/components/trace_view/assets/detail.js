// @ts-check
/**
 * The right pane: one span, by what it is. The head comes from the columns at once, the tabs from the span's body when it is there. Which
 * tabs a kind has is a table; a tab that a reader chose stays chosen while they step through spans that have it too.
 */

import { clock, compact, cost, counted, dateOf, duration, grouped, oneLine, textOf, visible } from "./format.js";
import { ICONS, kindIcon } from "./icons.js";
import { append, h, icon, iconButton, replace } from "./dom.js";
import { copyText, download } from "./copy.js";
import { conversation, promptCard } from "./messages.js";
import { disclosure, passageList, queryLine } from "./passages.js";
import { drawStory, hasStory, spanLink } from "./story.js";
import { drawLinks, linksTo } from "./links.js";
import { asCurl, asPython, prettyExact, parseExact, toOtlp } from "./raw.js";
import { scorePanel } from "./scores.js";
import { considered, journey } from "./stages.js";
import { longText } from "./text.js";
import { matching, readable, valueNode } from "./value.js";
import { ruleForm } from "./rules.js";
import { openMenu } from "./menu.js";

/** @typedef {import("./page.js").Page} Page */

/** @typedef {{key: string, title: string, count?: number, draw: () => Node | Promise<Node>}} Tab */

/** @type {Record<string, {key: string, title: string, draw: (page: Page, span: any) => Node}>} */
const BY_KIND = {
  LLM: { key: "conversation", title: "Conversation", draw: drawConversation },
  RETRIEVER: { key: "passages", title: "Passages", draw: drawRetrieval },
  RERANKER: { key: "passages", title: "Passages", draw: drawRerank },
  EMBEDDING: { key: "texts", title: "Texts", draw: drawEmbedding },
  TOOL: { key: "call", title: "Call", draw: drawTool },
  PROMPT: { key: "prompt", title: "Prompt", draw: drawPrompt },
};

/** @param {Page} page */
export function createDetail(page) {
  const element = h("section", { class: "detail", "aria-label": "Span" });
  let chosen = page.tab; // what the reader asked for last
  let current = ""; // id of the span shown: its place in the columns moves while a trace grows
  let turn = 0; // which selection an answer belongs to

  const draw = (/** @type {number} */ i) => {
    const changed = current !== page.trace.id[i];
    current = page.trace.id[i];
    const mine = ++turn;
    const cached = page.store.cached(page.trace.id[i]);
    if (cached) fill(i, cached, changed);
    else {
      // The same span again: what is shown stays until the answer is there, so that a running trace completes without a flicker.
      const shown = !changed && element.querySelector(".tab-body") !== null;
      const waiting = h("div", { class: "skeleton", "aria-busy": "true" }, h("i"), h("i"), h("i"), h("i"));
      const tabs = h("div", "tabs");
      if (!shown) {
        replace(element, head(page, i, null), tabs, h("div", "tab-body", waiting));
        element.removeAttribute("data-span");
      }
      page.store.body(page.trace.id[i]).then(
        (body) => mine === turn && fill(i, body, changed),
        (error) => mine === turn && replace(element, head(page, i, null), failed(error, () => draw(i))),
      );
    }
  };
  const fill = (/** @type {number} */ i, /** @type {import("./store.js").Body} */ body, /** @type {boolean} */ changed) => {
    const mine = turn;
    const tabs = tabsOf(page, i, body);
    const active = tabs.find((tab) => tab.key === chosen) ?? tabs[0];
    const content = h("div", { class: "tab-body", role: "tabpanel", tabindex: -1, "aria-label": active.title });
    const show = async (/** @type {Tab} */ tab) => {
      content.setAttribute("aria-label", tab.title);
      for (const button of bar.children) {
        const on = /** @type {HTMLElement} */ (button).dataset.tab === tab.key;
        button.setAttribute("aria-selected", String(on));
        button.setAttribute("tabindex", on ? "0" : "-1");
      }
      const drawn = tab.draw();
      if (drawn instanceof Promise) {
        if (!content.firstChild) replace(content, h("div", { class: "skeleton", "aria-busy": "true" }, h("i"), h("i"), h("i")));
        const node = await drawn.catch((error) => failed(error, () => show(tab)));
        if (mine === turn) replace(content, node);
      } else replace(content, drawn);
    };
    const bar = h(
      "div",
      { class: "tabs", role: "tablist" },
      tabs.map((tab) =>
        h(
          "button",
          {
            type: "button",
            role: "tab",
            data: { tab: tab.key },
            onclick: () => {
              chosen = tab.key;
              page.ontab(tab.key);
              show(tab);
              content.scrollTop = 0;
            },
            onkeydown: moveAlong,
          },
          tab.title,
          tab.count ? h("span", "count", compact(tab.count)) : null,
        ),
      ),
    );
    const before = changed ? null : /** @type {HTMLElement | null} */ (element.querySelector(".tab-body"));
    const put = () => {
      const kept = before?.scrollTop ?? 0;
      replace(element, head(page, i, body), alerts(page, body.data), bar, content);
      element.dataset.span = page.trace.id[i];
      content.scrollTop = kept;
    };
    if (!before) {
      put();
      show(active);
    } else void show(active).then(() => mine === turn && put());
  };
  return {
    element,
    show: draw,
    /** @param {number} g */
    showGroup(g) {
      turn++;
      current = "";
      replace(element, drawGroup(page, g));
      element.dataset.span = "";
    },
    /** @param {string} key */
    choose(key) {
      chosen = key;
      const i = page.trace.index.get(current);
      if (i !== undefined) draw(i);
    },
  };
}

/** @param {KeyboardEvent} event arrow keys inside a row of tabs */
function moveAlong(event) {
  const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
  if (!step) return;
  event.stopPropagation();
  event.preventDefault();
  const tabs = [.../** @type {HTMLElement} */ (/** @type {HTMLElement} */ (event.target).parentElement).children];
  const next = /** @type {HTMLElement} */ (tabs[(tabs.indexOf(/** @type {Element} */ (event.target)) + step + tabs.length) % tabs.length]);
  next.focus();
  next.click();
}

/** @param {Error} error @param {() => void} again */
function failed(error, again) {
  return h("div", { class: "state", role: "alert" }, icon(ICONS.warning), h("p", null, visible(error.message)), h("button", { type: "button", class: "button", onclick: again }, "Try again"));
}

// ---- Head ----

/** @param {Page} page @param {number} i @param {import("./store.js").Body | null} body */
function head(page, i, body) {
  const { trace } = page;
  const span = body?.data;
  const kind = trace.kind[i];
  const running = trace.state[i] === "running";
  const under = [kind.toLowerCase(), trace.recorded[i] !== trace.name[i] && trace.recorded[i], trace.model[i], span?.provider, span?.tool_name, span?.service].filter(Boolean).map((part) => visible(String(part)));
  const usage = span?.usage ?? { input_tokens: trace.inputTokens[i] ?? undefined, output_tokens: trace.outputTokens[i] ?? undefined };
  const link = iconButton(ICONS.link, "Copy a link to this span", () => copyText(page.linkTo(trace.id[i]), link));
  const more = iconButton(ICONS.more, "More", () => body && openMenu(more, menuOf(page, body)), { "aria-haspopup": "menu" });
  return h(
    "header",
    `detail-head k-${kind.toLowerCase()}`,
    h("div", "detail-title", h("span", "kind-icon large", icon(kindIcon(kind))), h("div", "detail-names", h("h2", { title: trace.name[i] }, visible(trace.name[i]) || "(no name)"), h("p", "tiny", [...new Set(under)].join(" · "))), page.store.live && link, body && more),
    h(
      "dl",
      "facts",
      fact("Duration", running ? "running" : duration(trace.duration[i]), trace.end[i] > i + 1 && !running ? `own ${duration(page.self[i])}` : null),
      fact("Started", `+${duration(trace.start[i])}`, null, trace.summary.start_unix_nano ? `${dateOf(BigInt(trace.summary.start_unix_nano) + BigInt(Math.round(trace.start[i]))).toISOString()}` : ""),
      tokensFact(usage),
      (trace.cost[i] ?? span?.cost_usd) !== null && (trace.cost[i] ?? span?.cost_usd) !== undefined ? fact("Cost", cost(trace.cost[i] ?? span.cost_usd), span?.cost_source === "reported" ? "reported" : null, span?.cost_source ?? "") : span?.cost_source === "unpriced" ? fact("Cost", "unpriced", null, "No price is known for this model") : null,
      span?.time_to_first_token_ns !== undefined && fact("First token", duration(span.time_to_first_token_ns)),
      span?.finish_reasons?.length && kind === "LLM" && fact("Finish", visible(span.finish_reasons.join(", "))),
      span?.index?.name && fact("Index", visible(String(span.index.name)), span.index.version ? visible(`v ${span.index.version}`) : null, JSON.stringify(span.index, null, 1)),
      (running || trace.status[i] !== "unset") && fact("Status", statusPill(running ? "running" : trace.status[i])),
    ),
  );
}

/** @param {any} usage */
function tokensFact(usage) {
  if (usage.input_tokens === undefined && usage.output_tokens === undefined && usage.total_tokens === undefined) return null;
  const parts = [usage.input_tokens !== undefined && grouped(usage.input_tokens), usage.output_tokens !== undefined && grouped(usage.output_tokens)].filter(Boolean);
  const extra = [usage.cached_input_tokens && `${compact(usage.cached_input_tokens)} cached`, usage.reasoning_tokens && `${compact(usage.reasoning_tokens)} reasoning`].filter(Boolean).join(", ");
  return fact("Tokens", parts.length ? parts.join(" → ") : grouped(usage.total_tokens), extra || null, Object.entries(usage).filter(([, value]) => value !== undefined).map(([key, value]) => `${key}: ${value}`).join("\n"));
}

/** @param {string} name @param {import("./dom.js").Child} value @param {string | null} [note] @param {string} [title] */
export function fact(name, value, note, title) {
  return h("div", { class: "fact", title: title || null }, h("dt", null, name), h("dd", null, value, note && h("span", "fact-note", note)));
}

const STATUS_TITLES = { ok: "OK", error: "Error", unset: "Unset", running: "Running" };

/** @param {string} status */
export function statusPill(status) {
  return h("span", `status ${status}`, STATUS_TITLES[/** @type {keyof typeof STATUS_TITLES} */ (status)] ?? status);
}

/** @param {Page} page @param {import("./store.js").Body} body @returns {import("./menu.js").Item[]} */
function menuOf(page, body) {
  const { trace_id: traceId, span_id: spanId } = body.data;
  const items = [
    { title: "Copy span id", act: () => copyText(spanId) },
    { title: "Copy as JSON", act: () => copyText(prettyExact(parseExact(body.text))) },
    { title: "Copy as OTLP JSON", act: () => copyText(prettyExact(toOtlp(body.text))) },
    { title: "Download OTLP JSON", act: () => download(prettyExact(toOtlp(body.text)), `span-${spanId}.json`) },
  ];
  if (!page.store.live) return items;
  return [...items, { title: "Copy as curl", act: () => copyText(asCurl(location.origin, page.api, traceId, spanId)) }, { title: "Copy as Python", act: () => copyText(asPython(location.origin, traceId, spanId)) }];
}

/** Findings that the tree or the notice with the rules shows already. */
const ABOUT_THE_TREE = new Set(["missing_root", "orphan", "running", "unmapped"]);

/** What a reader must know first: the error, and content that was not recognised. @param {Page} page @param {any} span */
function alerts(page, span) {
  const box = h("div", "alerts");
  if (span.error || span.status === "error") {
    const error = span.error ?? {};
    box.append(
      h(
        "div",
        { class: "error-box", role: "alert" },
        h("div", "error-title", icon(ICONS.error), h("b", null, visible(error.type ?? "Error")), h("span", null, visible(oneLine(error.message ?? span.status_message ?? "no message recorded", 600)))),
        error.stacktrace && disclosure("Stack trace", () => longText(String(error.stacktrace), { mono: true, fold: 4000 })),
      ),
    );
  }
  for (const finding of page.trace.health.findings ?? []) {
    if (ABOUT_THE_TREE.has(finding.code) || !finding.span_ids?.includes(span.span_id)) continue;
    box.append(h("div", "notice", h("p", null, icon(ICONS.warning), h("span", "finding", visible(String(finding.message))))));
  }
  const blank = span.input === undefined && span.output === undefined && !span.input_messages?.length && !span.documents?.length;
  if (span.unmapped?.length && blank) box.append(unmapped(page, span));
  return box.firstChild ? box : null;
}

/** @param {Page} page @param {any} span */
function unmapped(page, span) {
  return h(
    "div",
    "notice",
    h("p", null, icon(ICONS.warning), h("b", null, "No input or output recognised. "), `${span.unmapped.length === 1 ? "This key looks" : "These keys look"} like content:`),
    h("ul", "unmapped", span.unmapped.map((/** @type {string} */ key) => h("li", null, h("code", null, visible(key)), h("span", "tiny clip", oneLine(textOf(span.attributes?.[key]) ?? JSON.stringify(span.attributes?.[key]) ?? "", 120)), page.store.live && ruleForm(page, span, key)))),
  );
}

// ---- Tabs ----

/** @param {Page} page @param {number} i @param {import("./store.js").Body} body @returns {Tab[]} */
function tabsOf(page, i, body) {
  const { trace } = page;
  const span = body.data;
  const special = BY_KIND[span.kind];
  const tabs = [];
  if (hasStory(trace, i)) tabs.push({ key: "story", title: "Story", draw: () => drawStory(page, i) });
  if (special) tabs.push({ key: special.key, title: special.title, draw: () => special.draw(page, span) });
  if (!special && (span.documents?.length || span.candidates?.length)) tabs.push({ key: "passages", title: "Passages", draw: () => drawRetrieval(page, span) });
  if (!special && (span.input_messages?.length || span.output_messages?.length)) tabs.push({ key: "conversation", title: "Conversation", draw: () => drawConversation(page, span) });
  if (special?.key !== "prompt" && (span.prompt || span.placement?.length)) tabs.push({ key: "prompt", title: "Prompt", draw: () => drawPrompt(page, span) });
  if (!special || span.kind === "PROMPT") tabs.push({ key: "io", title: "Input & output", draw: () => drawInOut(page, span) });
  tabs.push({ key: "attributes", title: "Attributes", count: Object.keys(span.attributes ?? {}).length, draw: () => drawAttributes(page, span) });
  if (span.events?.length) tabs.push({ key: "events", title: "Events", count: span.events.length, draw: () => drawEvents(span) });
  const links = (span.links?.length ?? 0) + linksTo(page, span.span_id).length;
  if (links) tabs.push({ key: "links", title: "Links", count: links, draw: () => drawLinks(page, span) });
  tabs.push({ key: "scores", title: "Scores", count: span.scores?.length ?? 0, draw: () => scorePanel(page, span) });
  tabs.push({ key: "raw", title: "Raw", draw: () => drawRaw(body) });
  return tabs;
}

/** @param {string} title @param {import("./dom.js").Child} content @param {import("./dom.js").Child} [facts] */
function block(title, content, facts) {
  return h("section", "block", h("header", "section-head", h("h3", null, title), facts && h("span", "facts", facts)), content);
}

/** @param {any} span @param {string} field */
function derivedNote(span, field) {
  return span.derived?.includes(field) ? "taken from a child span" : null;
}

/** @param {Page} _page @param {any} span */
function drawInOut(_page, span) {
  const copy = (/** @type {any} */ value) => {
    const button = iconButton(ICONS.copy, "Copy", () => copyText(typeof value === "string" ? value : JSON.stringify(value, null, 2), button));
    return button;
  };
  if (span.input === undefined && span.output === undefined) return nothingSaid(span);
  const same = span.input !== undefined && JSON.stringify(span.input) === JSON.stringify(span.output);
  return h(
    "div",
    null,
    block("Input", span.input === undefined ? h("p", "muted", "No input was recorded.") : h("div", "io", readable(span.input)), [derivedNote(span, "input"), span.input !== undefined && copy(span.input)]),
    block("Output", span.output === undefined ? h("p", "muted", "No output was recorded.") : same ? h("p", "muted", "The same as the input.") : h("div", "io", readable(span.output)), [derivedNote(span, "output"), span.output !== undefined && !same && copy(span.output)]),
    Object.keys(span.metadata ?? {}).length > 0 && block("Metadata", h("div", "value-tree", Object.entries(span.metadata).map(([key, value]) => valueNode(key, value, { open: 0 })))),
  );
}

/** Neither input nor output: what there is instead, rather than a blank pane. @param {any} span */
function nothingSaid(span) {
  const entries = matching(span.attributes ?? {}, "");
  const said = entries.length ? "Neither input nor output was recorded. The attributes of the span:" : "The span recorded neither input nor output, and has no attributes.";
  return h("div", null, h("p", "muted", said), entries.length > 0 && h("div", "value-tree attributes", entries.map(([key, value]) => valueNode(key, value, { open: 0 }))));
}

/** @param {Page} page @param {any} span */
function drawConversation(page, span) {
  const input = span.input_messages ?? [];
  const output = span.output_messages ?? [];
  const parameters = Object.entries(span.parameters ?? {}).filter(([, value]) => value !== null && typeof value !== "object");
  const box = h("div", null);
  if (parameters.length) box.append(h("div", "parameters", parameters.map(([key, value]) => h("span", "parameter", h("span", "tiny", visible(key)), visible(String(value))))));
  if (span.tools_offered?.length) box.append(disclosure(`Tools offered · ${span.tools_offered.length}`, () => h("div", "value-tree", span.tools_offered.map((/** @type {any} */ tool) => valueNode(String(tool.name ?? "tool"), tool, { open: 0 })))));
  if (input.length || output.length) {
    box.append(conversation(input, { output, attributes: span.attributes }));
    if (!output.length) box.append(page.trace.state[page.trace.index.get(span.span_id) ?? 0] === "running" ? h("p", "muted", "Still running: no answer yet.") : span.output !== undefined ? block("Output", readable(span.output)) : h("p", "muted", "No output was recorded."));
  } else box.append(drawInOut(page, span));
  return box;
}

/** @param {Page} page @param {any} span @param {{span: any, stage: import("./stages.js").Stage}[]} sources */
function drawPassages(page, span, sources) {
  const { columns, passages } = journey(sources);
  const context = { answer: null, marks: new Map(), citationsRecorded: false, promptRecorded: false };
  const { kept, all } = considered(span);
  const facts = all > kept ? `${counted(kept, "passage")} kept of ${all} considered` : counted(kept, "passage");
  return h("div", null, block("Passages", [queryLine(span.query ?? textOf(span.input), span.index, columns.length > 1), passageList(columns, passages, context)], facts), !passages.length && drawInOut(page, span));
}

/** @param {Page} page @param {any} span */
function drawRetrieval(page, span) {
  return drawPassages(page, span, [{ span, stage: "recall" }]);
}

/** @param {Page} page @param {any} span */
function drawRerank(page, span) {
  const before = { span_id: span.span_id, name: "before", documents: span.input_documents ?? [], query: span.query };
  return drawPassages(page, span, [{ span: before, stage: "recall" }, { span, stage: "rerank" }]);
}

/** @param {Page} page @param {any} span */
function drawEmbedding(page, span) {
  const texts = span.texts ?? [];
  if (!texts.length) return drawInOut(page, span);
  const facts = [counted(texts.length, "text"), span.vector_dimensions && `${span.vector_dimensions} dimensions`].filter(Boolean).join(" · ");
  const list = h("ol", "texts", texts.slice(0, 100).map((/** @type {string} */ text) => h("li", null, longText(String(text)))));
  return block("Texts embedded", [list, texts.length > 100 && h("p", "muted", `${texts.length - 100} more under Attributes.`)], facts);
}

/** @param {Page} _page @param {any} span */
function drawTool(_page, span) {
  const values = span.arguments ?? span.input;
  return h(
    "div",
    null,
    block("Arguments", values === undefined ? h("p", "muted", "No arguments were recorded.") : h("div", "io", readable(values)), span.tool_name && h("code", null, visible(span.tool_name))),
    block("Result", span.output === undefined ? h("p", "muted", span.status === "error" ? "It failed; see above." : "No result was recorded.") : h("div", "io", readable(span.output))),
  );
}

/** @param {Page} page @param {any} span */
function drawPrompt(page, span) {
  const box = promptCard(span.prompt, span.placement ?? []);
  if (span.kind === "PROMPT" && span.output !== undefined) box.append(block("Result", h("div", "io", readable(span.output))));
  else if (!box.firstChild) box.append(drawInOut(page, span));
  return box;
}

/** @param {Page} page @param {any} span */
function drawAttributes(page, span) {
  const list = h("div", "value-tree attributes");
  const search = /** @type {HTMLInputElement} */ (h("input", { type: "search", class: "small-search", placeholder: "Search keys and values", "aria-label": "Search keys and values" }));
  const groups = /** @type {[string, Record<string, unknown>][]} */ ([
    ["Span", span.attributes ?? {}],
    ["Resource", span.resource?.attributes ?? {}],
    ["Scope", { ...(span.scope?.name ? { name: span.scope.name } : {}), ...(span.scope?.version ? { version: span.scope.version } : {}), ...(span.scope?.attributes ?? {}) }],
  ]);
  const draw = () => {
    list.textContent = "";
    for (const [title, values] of groups) {
      const entries = matching(values, search.value.trim());
      if (!entries.length) continue;
      list.append(h("h3", "label-head", title, h("span", "count", entries.length)), ...entries.map(([key, value]) => valueNode(key, value, { open: 0 })));
    }
    if (!list.firstChild) list.append(h("p", "muted", search.value ? "Nothing matches." : "No attributes were sent."));
  };
  search.addEventListener("input", draw);
  draw();
  const dropped = span.dropped_attributes_count ? h("p", "inline-warning", icon(ICONS.warning), `${counted(span.dropped_attributes_count, "attribute")} dropped by the sender's limits.`) : null;
  const source = span.dialect ? h("p", "tiny", `Read as ${span.dialect}${span.derived?.length ? ` · inferred: ${span.derived.join(", ")}` : ""}`) : null;
  return h("div", null, h("div", "toolbar-row", search, source), dropped, span.unmapped?.length && unmappedNote(page, span), list);
}

/** @param {Page} page @param {any} span */
function unmappedNote(page, span) {
  return h("div", "notice", h("p", null, "Looks like content, but no rule maps it:"), h("ul", "unmapped", span.unmapped.map((/** @type {string} */ key) => h("li", null, h("code", null, visible(key)), page.store.live && ruleForm(page, span, key)))));
}

/** @param {any} span */
function drawEvents(span) {
  const start = BigInt(span.start_unix_nano);
  return h(
    "ol",
    "events",
    span.events.map((/** @type {any} */ event) => {
      const { "exception.stacktrace": stack, ...rest } = event.attributes ?? {};
      const bad = event.name === "exception";
      return h(
        "li",
        bad ? "event bad" : "event",
        h("header", null, h("span", { class: "num tiny", title: clock(event.time_unix_nano) }, `+${duration(Number(BigInt(event.time_unix_nano) - start))}`), h("b", null, visible(event.name)), bad && h("span", null, visible(oneLine([rest["exception.type"], rest["exception.message"]].filter(Boolean).join(": "), 300)))),
        stack && longText(String(stack), { mono: true, fold: 1200 }),
        Object.keys(rest).length > 0 && h("div", "value-tree", Object.entries(rest).map(([key, value]) => valueNode(key, value, { open: 0 }))),
      );
    }),
  );
}

/** @param {import("./store.js").Body} body */
function drawRaw(body) {
  const forms = { "OTLP JSON": () => prettyExact(toOtlp(body.text)), "As read by the collector": () => prettyExact(parseExact(body.text)) };
  const text = h("div", null);
  const bar = h("div", "toolbar-row segmented");
  const show = (/** @type {keyof typeof forms} */ form) => {
    const json = forms[form]();
    const copy = iconButton(ICONS.copy, "Copy", () => copyText(json, copy));
    const save = iconButton(ICONS.download, "Download", () => download(json, `span-${body.data.span_id}.json`));
    replace(text, h("div", "raw-actions", copy, save), longText(json, { mono: true, fold: 12_000 }));
    for (const button of bar.children) button.setAttribute("aria-pressed", String(button.textContent === form));
  };
  append(bar, Object.keys(forms).map((form) => h("button", { type: "button", onclick: () => show(/** @type {keyof typeof forms} */ (form)) }, form)));
  show("OTLP JSON");
  return h("div", "raw", bar, text);
}

// ---- A folded group ----

/** @param {Page} page @param {number} g */
function drawGroup(page, g) {
  const { trace, folding } = page;
  const group = folding.groups[g];
  /** @type {number[]} */
  const members = [];
  for (let i = group.first; i < group.last; i = trace.end[i]) members.push(i);
  const times = members.map((i) => trace.duration[i]).sort((a, b) => a - b);
  const at = (/** @type {number} */ share) => times[Math.min(times.length - 1, Math.floor(share * times.length))];
  const slowest = [...members].sort((a, b) => trace.duration[b] - trace.duration[a]).slice(0, 5);
  const broken = members.filter((i) => [...failedBelow(trace, i)].length > 0).slice(0, 8);
  const kind = trace.kind[group.first];
  const list = (/** @type {number[]} */ spans) => h("ul", "group-list", spans.map((i) => h("li", null, spanLink(page, trace.id[i], `${trace.name[i]} #${members.indexOf(i) + 1}`), h("span", "tiny num", duration(trace.duration[i])))));
  return [
    h(
      "header",
      `detail-head k-${kind.toLowerCase()}`,
      h("div", "detail-title", h("span", "kind-icon large stacked", icon(kindIcon(kind))), h("div", "detail-names", h("h2", null, `${visible(trace.name[group.first])} × ${grouped(group.count)}`), h("p", "tiny", `${kind.toLowerCase()} · repeated siblings, folded`)), h("button", { type: "button", class: "button", onclick: () => page.toggle(~g) }, page.open.has(g) ? "Fold" : "Unfold")),
      h("dl", "facts", fact("Altogether", duration(group.end - group.start)), fact("Median", duration(at(0.5))), fact("p95", duration(at(0.95))), fact("Longest", duration(times[times.length - 1])), fact("Tokens", compact(group.tokens)), fact("Errors", String(group.errors))),
    ),
    h("div", "tab-body", broken.length > 0 && block("With errors", list(broken)), block("Slowest", list(slowest)), block("How long they took", histogram(times))),
  ];
}

/** @param {import("./model.js").Trace} trace @param {number} i */
function* failedBelow(trace, i) {
  for (let at = i; at < trace.end[i]; at++) if (trace.status[at] === "error") yield at;
}

/** @param {number[]} times sorted */
function histogram(times) {
  const most = times[times.length - 1] || 1;
  const bins = new Array(24).fill(0);
  for (const time of times) bins[Math.min(23, Math.floor((time / most) * 24))]++;
  const tallest = Math.max(...bins);
  return h("div", "histogram", bins.map((count, i) => h("i", { title: `${duration((most * i) / 24)} – ${duration((most * (i + 1)) / 24)}: ${count}`, style: { height: `${(count / tallest) * 100}%` } })), h("span", "tiny", "0"), h("span", "tiny", duration(most)));
}

