// @ts-check
/**
 * A request as a story: the question, the answer with its citations, the passages through every stage, the prompt. Told of any span with a
 * pipeline below it, from the bodies of a handful of spans: those of the stages, never of the whole trace.
 */

import { compact, cost, counted, duration, jsonWords, oneLine, textOf, visible, wordsOf } from "./format.js";
import { ICONS, kindIcon } from "./icons.js";
import { h, icon, iconButton } from "./dom.js";
import { copyText } from "./copy.js";
import { conversation } from "./messages.js";
import { gist } from "./markdown.js";
import { passageList, queryLine } from "./passages.js";
import { fillFromPrompt, journey, pipelineOf, stageOf, survived } from "./stages.js";
import { reach } from "./model.js";
import { readable } from "./value.js";
import { longText } from "./text.js";

/** @typedef {import("./model.js").Trace} Trace */
/** @typedef {import("./page.js").Page} Page */

/** Bodies read of one stage, the last ones: a pipeline has one or two, a loop may have thousands. */
const PER_STAGE = 6;
const PASSAGE_STAGES = /** @type {const} */ (["fuse", "filter", "rerank"]);
/** Kinds that are a part of a story; one of them alone is told by its own tab. */
const PARTS = new Set(["LLM", "RETRIEVER", "RERANKER", "EMBEDDING", "PROMPT"]);
const ERRORS = 5;
const STEPS = 40;

/** @param {Trace} trace @param {number} i whether there is more to tell than the span's own input and output */
export function hasStory(trace, i) {
  const until = reach(trace, i);
  if (until <= i + 1 || (PARTS.has(trace.kind[i]) && until === trace.end[i])) return false;
  for (let at = i; at < until; at++) if (trace.kind[at] === "LLM" || trace.kind[at] === "RETRIEVER") return true;
  return false;
}

/**
 * @typedef {object} Told
 * @property {any} top body of the span the story is told of
 * @property {any | null} answer body of the model call that answered
 * @property {any[]} rewrites
 * @property {any[]} assembled
 * @property {any[]} cites
 * @property {{span: any, stage: import("./stages.js").Stage}[][]} retrievals sources of passages, one list per retrieval
 * @property {import("./stages.js").Stage[]} stages
 * @property {number} scope
 * @property {number} found retriever spans below the top
 */

/** @param {Page} page @param {number} i @returns {Promise<Told>} */
async function readStory(page, i) {
  const { trace, store } = page;
  const { scope, answer, retrievals, stages } = pipelineOf(trace, i);
  const whole = reach(trace, i) === trace.end[i];
  const body = async (/** @type {number} */ at) => (await store.body(trace.id[at])).data;
  const bodies = (/** @type {import("./stages.js").Stage} */ stage, most = PER_STAGE) => Promise.all((stages.get(stage) ?? []).slice(-most).map(body));
  const nested = (/** @type {number} */ at) => {
    // A hybrid retriever holds one retriever per arm: the arms are columns of their own, before it.
    const inner = [];
    for (let below = at + 1; below < trace.end[at]; below++) if (trace.kind[below] === "RETRIEVER") inner.push(below);
    return inner.slice(0, 6);
  };
  const recalled = (stages.get("recall") ?? []).slice(-PER_STAGE);
  const passing = [...new Set([...recalled.flatMap((at) => [...nested(at), at]), ...PASSAGE_STAGES.flatMap((stage) => (stages.get(stage) ?? []).slice(-PER_STAGE))])];
  const found = await Promise.all([
    whole ? body(i) : { input: trace.summary.input_preview ?? undefined, derived: ["input"] }, // no root: no input and output of the whole
    answer >= 0 ? body(answer) : null,
    bodies("rewrite", 2),
    bodies("assemble", 2),
    bodies("cite", 2),
    Promise.all(passing.map(async (at) => ({ at, span: await body(at) }))),
  ]);
  const ended = (/** @type {number} */ at) => trace.start[at] + trace.duration[at];
  const sources = found[5]
    .filter(({ span }) => span.documents?.length || span.candidates?.length)
    .filter(({ at }, _, all) => !all.some((inner) => inner.at > at && inner.at < trace.end[at])) // its arms tell more than their sum
    .sort((a, b) => ended(a.at) - ended(b.at))
    .map(({ at, span }) => ({ at, span, stage: stageOf(span.kind, span.name, span.stage) ?? "recall" }));
  return { top: found[0], answer: found[1], rewrites: found[2], assembled: found[3], cites: found[4], retrievals: separate(trace, sources), stages: [...stages.keys()], scope, found: retrievals };
}

/**
 * One pipeline, or several searches of an agent? With a fuse or rerank step, or one query, the retrievals belong together.
 * @param {Trace} trace @param {{at: number, span: any, stage: import("./stages.js").Stage}[]} sources
 */
function separate(trace, sources) {
  const tops = sources.filter(({ at, stage }) => stage === "recall" && !sources.some((other) => other.at < at && trace.end[other.at] > at));
  const queries = new Set(tops.map(({ span }) => span.query ?? textOf(span.input) ?? ""));
  if (tops.length < 2 || queries.size < 2 || sources.some(({ stage }) => stage === "fuse" || stage === "rerank")) return sources.length ? [sources] : [];
  return tops.map((top) => sources.filter(({ at }) => at >= top.at && at < trace.end[top.at]));
}

/** @param {Page} page @param {number} i @returns {Promise<HTMLElement>} */
export async function drawStory(page, i) {
  const { trace } = page;
  const told = await readStory(page, i);
  const box = h("div", "story");
  box.append(...failures(page, i));
  const joined = told.retrievals.map((sources) => journey(sources, placementOf(told), citationsOf(told)));
  for (const { passages } of joined) fillFromPrompt(passages, placementOf(told), told.answer?.input_messages ?? []);
  const marks = marksOf(told, joined.flatMap(({ passages, columns }) => passages.filter((passage) => survived(passage, columns))));
  const chip = (/** @type {string} */ mark) => citationChip(box, marks, mark, told);
  const silent = !told.answer && told.top.output === undefined; // a search alone has no answer to show
  box.append(question(page, told), ...(silent ? [] : [answerBox(page, told, i, chip)]), ...steps(page, i));
  for (const [at, { columns, passages }] of joined.entries()) {
    const context = { answer: answerText(told), marks: marks.byPassage, citationsRecorded: marks.recorded, promptRecorded: placementOf(told).length > 0 };
    const last = columns[columns.length - 1];
    const kept = passages.filter((passage) => survived(passage, columns));
    const cited = kept.filter((passage) => marks.byPassage.get(passage.key)?.length).length;
    const facts = [counted(kept.length, "passage") + " kept", passages.length > kept.length && `of ${passages.length} considered`, (marks.recorded || cited > 0) && `${cited} cited`].filter(Boolean).join(" · ");
    box.append(
      section(
        joined.length > 1 ? `Retrieval ${at + 1}` : "Passages",
        facts,
        last && spanLink(page, last.spanId, last.name),
        [columns.length > 0 && queryLine(columns.find((column) => column.query)?.query ?? null, columns.find((column) => column.index)?.index, columns.length > 1), passageList(columns, passages, context)],
        "passages",
      ),
    );
  }
  if (told.found > 0 && trace.id[told.scope] !== trace.id[i]) box.append(h("p", "muted", `This subtree holds ${counted(told.found, "retrieval")}; told is the last answer, below `, spanLink(page, trace.id[told.scope], trace.name[told.scope]), "."));
  const messages = told.answer?.input_messages ?? [];
  if (messages.length) {
    const tokens = told.answer.usage?.input_tokens;
    box.append(section("Prompt", [counted(messages.length, "message"), tokens !== undefined && `${compact(tokens)} tokens in`].filter(Boolean).join(" · "), spanLink(page, told.answer.span_id, told.answer.name), [conversation(messages, { attributes: told.answer.attributes })], "assemble"));
  }
  return box;
}

/** @param {string} title @param {string} facts @param {Node | null | undefined | false} link @param {import("./dom.js").Child[]} content @param {string} name */
function section(title, facts, link, content, name) {
  return h("section", { class: "story-section", data: { section: name } }, h("header", "section-head", h("h3", null, title), h("span", "facts", facts), link || null), ...content);
}

/** @param {Page} page @param {string} spanId @param {string} name */
export function spanLink(page, spanId, name) {
  const i = page.trace.index.get(spanId);
  const kind = i === undefined ? "UNKNOWN" : page.trace.kind[i];
  return h("button", { type: "button", class: `span-link k-${kind.toLowerCase()}`, title: `Go to ${name}`, onclick: () => page.select(spanId) }, icon(kindIcon(kind)), h("span", null, visible(name)));
}

/** @param {Told} told */
function placementOf(told) {
  return [...told.assembled, told.answer].find((span) => span?.placement?.length)?.placement ?? [];
}

/** @param {Told} told */
function citationsOf(told) {
  return [...told.cites, told.answer, told.top].find((span) => span?.citations?.length)?.citations ?? [];
}

/** @param {Told} told */
function answerText(told) {
  const messages = told.answer?.output_messages ?? [];
  const said = messages.map((/** @type {any} */ message) => textOf(message.content) ?? "").filter(Boolean).join("\n\n");
  return textOf(told.top.output) ?? (said || textOf(told.answer?.output));
}

/** @param {Told} told */
function questionText(told) {
  const asked = textOf(told.top.input);
  if (asked) return asked;
  const users = (told.answer?.input_messages ?? []).filter((/** @type {any} */ message) => message.role === "user");
  return textOf(users[users.length - 1]?.content);
}

/** @param {Page} page @param {Told} told */
function question(page, told) {
  const text = questionText(told);
  const rewritten = told.rewrites.map((span) => ({ span, text: textOf(span.output) ?? textOf(span.output_messages?.[0]?.content) ?? span.query })).filter((each) => each.text && each.text !== text);
  return h(
    "section",
    { class: "story-section", data: { section: "question" } },
    h("header", "section-head", h("h3", null, "Question"), told.top.derived?.includes("input") && h("span", { class: "facts", title: "The span itself recorded no input; this is its first child's" }, "taken from a child")),
    h("div", "question-box", text ? longText(text, { rich: true }) : told.top.input === undefined ? h("p", "muted", "No input was recorded.") : readable(told.top.input)),
    rewritten.map(({ span, text: other }) => h("div", "rewritten", h("span", "tiny", "rewritten to"), h("span", { class: "query", title: other }, visible(oneLine(other, 400))), spanLink(page, span.span_id, span.name))),
  );
}

/** @param {Page} page @param {Told} told @param {number} i @param {import("./text.js").Chip} chip */
function answerBox(page, told, i, chip) {
  const text = answerText(told);
  const call = told.answer;
  const facts = [];
  if (call?.usage?.output_tokens !== undefined) facts.push(`${compact(call.usage.output_tokens)} tokens out`);
  if (call?.finish_reasons?.length) facts.push(`finish: ${call.finish_reasons.join(", ")}`);
  if (call?.model) facts.push(call.model);
  const running = page.trace.state[i] === "running";
  const copy = iconButton(ICONS.copy, "Copy the answer", () => copyText(text ?? "", copy));
  const invalid = citationsOf(told).filter((/** @type {any} */ citation) => citation.valid === false);
  return h(
    "section",
    { class: "story-section", data: { section: "answer" } },
    h("header", "section-head", h("h3", null, "Answer"), h("span", "facts", visible(facts.join(" · "))), call && spanLink(page, call.span_id, call.name), text && copy),
    text
      ? h("div", `answer-box${told.top.status === "error" ? " failed" : ""}`, longText(text, { rich: true, chip, fold: 2400 }))
      : call?.status === "error"
        ? h("div", "answer-box failed", "No answer: the model call failed.")
      : h("div", "answer-box none", running ? "Still running: the answer will appear here." : told.top.output === undefined ? "No output was recorded." : readable(told.top.output, { chip })),
    invalid.length > 0 && h("p", "inline-warning", icon(ICONS.warning), `${invalid.map((/** @type {any} */ each) => visible(String(each.marker))).join(", ")} ${invalid.length === 1 ? "points" : "point"} at no passage.`),
  );
}

/**
 * Which mark of the answer means which passage: as recorded, else (said so) the nth passage of the prompt or of the list.
 * @param {Told} told @param {import("./stages.js").Passage[]} kept
 */
function marksOf(told, kept) {
  /** @type {Map<string, import("./stages.js").Passage>} */
  const byMark = new Map();
  /** @type {Map<string, string[]>} */
  const byPassage = new Map();
  const recorded = citationsOf(told).length > 0;
  const add = (/** @type {string} */ mark, /** @type {import("./stages.js").Passage} */ passage) => {
    if (byMark.has(mark)) return;
    byMark.set(mark, passage);
    byPassage.set(passage.key, [...(byPassage.get(passage.key) ?? []), mark]);
  };
  if (recorded) for (const passage of kept) for (const mark of passage.markers) add(mark.replace(/^\[|\]$/g, ""), passage);
  else {
    const text = answerText(told) ?? "";
    const ordered = kept.some((passage) => passage.prompt) ? kept.filter((passage) => passage.prompt).sort((a, b) => (a.prompt?.position ?? 0) - (b.prompt?.position ?? 0)) : kept;
    for (const match of text.matchAll(/\[(\d{1,2})\](?!\()/g)) {
      const passage = ordered[Number(match[1]) - 1];
      if (passage) add(match[1], passage);
    }
  }
  const invalid = new Set(citationsOf(told).filter((/** @type {any} */ each) => each.valid === false).map((/** @type {any} */ each) => String(each.marker).replace(/^\[|\]$/g, "")));
  return { byMark, byPassage, recorded, invalid };
}

/** @param {HTMLElement} box @param {ReturnType<typeof marksOf>} marks @param {string} mark @param {Told} _told */
function citationChip(box, marks, mark, _told) {
  if (marks.invalid.has(mark)) return h("span", { class: "chip invalid", title: "Points at no passage" }, mark);
  const passage = marks.byMark.get(mark);
  if (!passage) return null;
  const button = h("button", { type: "button", class: "chip", title: marks.recorded ? "Go to the cited passage" : "Go to the passage at this position (the trace records no citations)" }, mark);
  button.addEventListener("click", () => {
    const card = [.../** @type {NodeListOf<HTMLElement>} */ (box.querySelectorAll(".passage"))].find((each) => each.dataset.passage === passage.key);
    if (!card) return;
    if (!card.classList.contains("open")) /** @type {HTMLElement} */ (card.querySelector(".passage-head")).click();
    card.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    card.classList.remove("flash");
    void card.offsetWidth; // restarts the animation
    card.classList.add("flash");
  });
  return button;
}

/** Failed spans of the subtree, deepest first: the deepest is usually the cause. @param {Page} page @param {number} i */
function failures(page, i) {
  const { trace } = page;
  /** @type {number[]} */
  const failed = [];
  for (let at = i; at < reach(trace, i); at++) if (trace.status[at] === "error") failed.push(at);
  if (!failed.length) return [];
  const leaves = failed.filter((at, n) => n + 1 === failed.length || failed[n + 1] >= trace.end[at]).sort((a, b) => trace.depth[b] - trace.depth[a]);
  const list = leaves.slice(0, ERRORS).map((at) => {
    const message = h("span", "failure-message");
    page.store.body(trace.id[at]).then(({ data }) => {
      const error = data.error ?? {};
      message.textContent = oneLine([error.type, error.message ?? data.status_message].filter(Boolean).join(": ") || "status error, no message", 240);
    }, () => {});
    return h("li", null, spanLink(page, trace.id[at], trace.name[at]), message);
  });
  return [
    h(
      "section",
      { class: "failures", data: { section: "errors" } },
      h("h3", null, icon(ICONS.error), leaves.length === 1 ? "One span failed" : `${counted(leaves.length, "span")} failed`, failed.length > leaves.length && h("span", "facts", `and ${counted(failed.length - leaves.length, "span")} above ${leaves.length === 1 ? "it" : "them"}`)),
      h("ul", null, list),
      leaves.length > ERRORS && h("p", "muted", `${leaves.length - ERRORS} more: choose “errors” above the tree.`),
    ),
  ];
}

/** What an agent did, in order: model calls and tools. @param {Page} page @param {number} i */
function steps(page, i) {
  const { trace } = page;
  /** @type {number[]} */
  const acts = [];
  let tools = 0;
  for (let at = i + 1; at < reach(trace, i); at++) {
    const kind = trace.kind[at];
    if (kind === "TOOL") tools++;
    if (kind === "TOOL" || kind === "LLM" || kind === "RETRIEVER" || (kind === "AGENT" && trace.depth[at] <= trace.depth[i] + 2)) acts.push(at);
    if (kind === "TOOL" || kind === "RETRIEVER") at = trace.end[at] - 1; // what a tool does inside is its own affair
  }
  const turns = acts.filter((at) => trace.kind[at] === "LLM" && stageOf("LLM", trace.name[at], trace.stage[at]) === "generate").length;
  if (!tools || (tools < 2 && turns < 2)) return []; // a pipeline that parses its event with a tool is no agent
  const row = (/** @type {number} */ at) => {
    const said = h("span", "step-said");
    page.store.body(trace.id[at]).then(({ data }) => {
      said.textContent = oneLine(stepText(data), 220);
    }, () => {});
    return h(
      "li",
      `k-${trace.kind[at].toLowerCase()}${trace.status[at] === "error" ? " failed" : ""}`,
      h("button", { type: "button", class: "step-row", onclick: () => page.select(trace.id[at]) }, h("span", "kind-icon", icon(kindIcon(trace.kind[at]))), h("span", "step-name", visible(trace.name[at])), said, h("span", "tiny num", trace.cost[at] ? cost(trace.cost[at]) : ""), h("span", "tiny num", trace.state[at] === "running" ? "running" : duration(trace.duration[at]))),
    );
  };
  const list = h("ol", "steps", acts.slice(0, STEPS).map(row));
  if (acts.length > STEPS) {
    const more = h("button", { type: "button", class: "show-more" }, `Show ${acts.length - STEPS} more steps`);
    more.addEventListener("click", () => {
      more.parentElement?.remove();
      list.append(...acts.slice(STEPS, STEPS + 500).map(row));
    });
    list.append(h("li", null, more));
  }
  return [section("Steps", `${counted(acts.length, "step")} · ${counted(tools, "tool call")}`, null, [list], "steps")];
}

/** @param {unknown} value arguments or a result, on one line */
function inWords(value) {
  return value === undefined || value === null ? "" : typeof value === "string" ? (jsonWords(value) || value) : wordsOf(value);
}

/** @param {any} span */
function stepText(span) {
  if (span.error?.message) return `${span.error.type ?? "error"}: ${span.error.message}`;
  const message = span.output_messages?.[span.output_messages.length - 1];
  if (message?.tool_calls?.length) return message.tool_calls.map((/** @type {any} */ call) => `→ ${call.name}(${inWords(call.arguments)})`).join("  ");
  if (message?.content) return gist(textOf(message.content) ?? "");
  if (span.kind === "TOOL") return [inWords(span.arguments ?? span.input), span.output !== undefined && `→ ${inWords(span.output)}`].filter(Boolean).join("  ");
  if (span.kind === "RETRIEVER") return `${span.query ?? textOf(span.input) ?? ""} → ${counted(span.documents?.length ?? 0, "passage")}`;
  return textOf(span.output) ?? "";
}
