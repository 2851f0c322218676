// @ts-check
/**
 * Which spans are which step of a retrieval pipeline, and which passages passed through them. Spans that say their stage
 * (`rightpassage.stage`) are believed; for the rest kind and name decide. Passages of different spans are one passage if their id is the
 * same, else if their text is. Nothing here judges: it joins what was recorded.
 */

import { reach } from "./model.js";

/** @typedef {import("./model.js").Trace} Trace */

export const STAGES = /** @type {const} */ (["rewrite", "recall", "fuse", "filter", "rerank", "assemble", "generate", "cite"]);

/** @typedef {typeof STAGES[number]} Stage */

/** @type {Record<Stage, string>} */
export const STAGE_TITLES = {
  rewrite: "Rewrite",
  recall: "Recall",
  fuse: "Fuse",
  filter: "Filter",
  rerank: "Rerank",
  assemble: "Assemble",
  generate: "Generate",
  cite: "Cite",
};

/** @type {[RegExp, Stage][]} names say the stage where the kind alone does not */
const BY_NAME = [
  [/rewrit|condens|reformulat|expand.?quer|query.?expan|hyde|multi.?quer|standalone/i, "rewrite"],
  [/\bfus(e|ion)\b|rrf|[._-]fuse|merge.?results/i, "fuse"],
  [/(^|[._\-\s])(filter|dedup|dedupe|deduplicate|acl)/i, "filter"],
  [/re-?rank/i, "rerank"],
  [/cit(e|es|ation|ations)\b|attribut(e|ion).?(answer|source)/i, "cite"],
  [/assembl|(build|format|render|make|fill).?(prompt|context)|(prompt|context).?(build|format|render|assembl)/i, "assemble"],
];

/** @type {Record<string, Stage>} */
const BY_KIND = { RETRIEVER: "recall", RERANKER: "rerank", PROMPT: "assemble", LLM: "generate" };

/** @param {string} kind @param {string} name @param {string | null} [said] @returns {Stage | null} */
export function stageOf(kind, name, said) {
  if (said && STAGES.includes(/** @type {Stage} */ (said))) return /** @type {Stage} */ (said);
  if (kind === "EVALUATOR" || kind === "GUARDRAIL") return /cit(e|es|ation|ations)\b/i.test(name) ? "cite" : null;
  if (kind === "AGENT" || kind === "TOOL") return null;
  for (const [pattern, stage] of BY_NAME) {
    if (!pattern.test(name)) continue;
    if (stage === "rewrite" || kind !== "LLM") return stage; // an LLM named "answer with citations" generates
  }
  return BY_KIND[kind] ?? null;
}

/**
 * The part of the trace a story is told about: the last answer below `top` and the subtree round it that holds its retrieval.
 * @param {Trace} trace @param {number} top
 * @returns {{scope: number, answer: number, retrievals: number, stages: Map<Stage, number[]>}} `answer` is -1 without a model call;
 *   `retrievals` counts retriever spans below `top`
 */
export function pipelineOf(trace, top) {
  const { kind, parent, start, duration, depth } = trace;
  let answer = -1;
  let retrievals = 0;
  const judged = judgedBelow(trace, top);
  for (let i = top; i < reach(trace, top); i++) {
    if (kind[i] === "RETRIEVER") retrievals++;
    if (kind[i] !== "LLM" || judged[i - top] || stageOf(kind[i], trace.name[i], trace.stage[i]) !== "generate") continue;
    if (answer < 0 || start[i] + duration[i] >= start[answer] + duration[answer]) answer = i;
  }
  let scope = top;
  if (answer >= 0 && retrievals > 1) {
    for (let at = answer; at >= top && depth[at] >= depth[top]; at = parent[at]) {
      if (hasKind(trace, at, "RETRIEVER")) {
        scope = at;
        break;
      }
      if (at === top || parent[at] < 0) break;
    }
  }
  return { scope, answer, retrievals, stages: stagesBelow(trace, scope) };
}

/** @param {Trace} trace @param {number} top @returns {Uint8Array} 1 where a span lies below an evaluator or guardrail: their own model calls */
function judgedBelow(trace, top) {
  const until = reach(trace, top);
  const judged = new Uint8Array(until - top);
  for (let i = top; i < until; i++) {
    const parent = trace.parent[i];
    if (i === top || parent < top) continue;
    judged[i - top] = judged[parent - top] || trace.kind[parent] === "EVALUATOR" || trace.kind[parent] === "GUARDRAIL" ? 1 : 0;
  }
  return judged;
}

/** @param {Trace} trace @param {number} top @param {string} kind */
function hasKind(trace, top, kind) {
  for (let i = top; i < reach(trace, top); i++) if (trace.kind[i] === kind) return true;
  return false;
}

/** @param {Trace} trace @param {number} scope @returns {Map<Stage, number[]>} spans of each stage in time order */
function stagesBelow(trace, scope) {
  const judged = judgedBelow(trace, scope);
  /** @type {Map<Stage, number[]>} */
  const stages = new Map();
  /** @type {Map<Stage, number>} end of the last span of each stage: what lies before it is a detail of that span */
  const until = new Map();
  for (let i = scope; i < reach(trace, scope); i++) {
    if (judged[i - scope]) continue;
    const stage = stageOf(trace.kind[i], trace.name[i], trace.stage[i]);
    if (!stage || i < (until.get(stage) ?? 0)) continue;
    until.set(stage, trace.end[i]);
    const spans = stages.get(stage);
    if (spans) spans.push(i);
    else stages.set(stage, [i]);
  }
  return stages;
}

/**
 * The retrievers that searched: a hybrid retriever holds one for each arm, and hands on less than they found.
 * @param {Trace} trace @param {number[]} recalled spans of the recall stage @returns {number[]}
 */
export function searches(trace, recalled) {
  return recalled.flatMap((top) => {
    const arms = [];
    for (let i = top + 1; i < trace.end[top]; i++) if (trace.kind[i] === "RETRIEVER" && stageOf(trace.kind[i], trace.name[i], trace.stage[i]) === "recall") arms.push(i);
    return arms.length ? arms.filter((i) => !arms.some((inner) => inner > i && inner < trace.end[i])) : [top];
  });
}

// ---- Passages ----

/**
 * @typedef {object} Place where a passage stood after one span
 * @property {number | null} rank
 * @property {number | null} score
 * @property {string | null} scoreKind
 * @property {string | null} dropped why it went no further, where that was recorded
 * @property {boolean} kept returned by the span, not merely considered
 */

/**
 * @typedef {object} Passage
 * @property {string} key
 * @property {string | null} id
 * @property {string | null} content
 * @property {boolean} fromPrompt the text was not recorded with the passage but cut from the prompt, where it was placed
 * @property {Record<string, any>} metadata
 * @property {Map<number, Place>} places by the number of the column
 * @property {{position: number, cut: boolean, tokens: number | null} | null} prompt where it stands in the prompt, if that was recorded
 * @property {string[]} markers citation marks in the answer that point at it
 */

/** @typedef {{spanId: string, name: string, stage: Stage, query: string | null, index: any}} Column a span that returned documents */

/** @param {any} document @returns {string} */
function keyOf(document) {
  const id = document.id ?? document.metadata?.id;
  if (id !== undefined && id !== null && id !== "") return `id:${id}`;
  return `text:${String(document.content ?? "").replace(/\s+/g, " ").trim()}`;
}

/**
 * Passages of the spans of a pipeline, joined over the columns; the last column that has a passage decides the order.
 * @param {{span: any, stage: Stage}[]} sources bodies in the order of their stages and times
 * @param {any[]} placement @param {any[]} citations
 * @returns {{columns: Column[], passages: Passage[]}}
 */
export function journey(sources, placement = [], citations = []) {
  /** @type {Map<string, Passage>} */
  const passages = new Map();
  /** @type {Map<string, string>} text → key, to join a passage that has an id here and none there */
  const byText = new Map();
  /** @type {Column[]} */
  const columns = [];
  const note = (/** @type {any} */ document, /** @type {number} */ at, /** @type {boolean} */ kept, /** @type {number} */ position) => {
    const text = String(document.content ?? "").replace(/\s+/g, " ").trim();
    let key = keyOf(document);
    if (!passages.has(key) && text && byText.has(text)) key = /** @type {string} */ (byText.get(text));
    let passage = passages.get(key);
    if (!passage) {
      passage = { key, id: document.id ?? null, content: null, fromPrompt: false, metadata: {}, places: new Map(), prompt: null, markers: [] };
      passages.set(key, passage);
    }
    if (text) byText.set(text, key);
    passage.content = passage.content ?? document.content ?? null;
    passage.metadata = { ...document.metadata, ...passage.metadata };
    if (passage.places.get(at)?.kept) return;
    passage.places.set(at, {
      rank: document.rank ?? (kept ? position : null),
      score: document.score ?? null,
      scoreKind: document.score_kind ?? null,
      dropped: document.dropped ?? null,
      kept,
    });
  };
  for (const { span, stage } of sources) {
    if (!span.documents?.length && !span.candidates?.length) continue;
    const at = columns.length;
    columns.push({ spanId: span.span_id, name: span.name, stage, query: span.query ?? null, index: span.index ?? null });
    (span.documents ?? []).forEach((/** @type {any} */ document, /** @type {number} */ i) => note(document, at, true, i + 1));
    // A candidate without a reason to drop it was kept, where the span does not say itself what it returned.
    const silent = !span.documents?.length;
    (span.candidates ?? []).forEach((/** @type {any} */ candidate, /** @type {number} */ i) => note(candidate, at, silent && !candidate.dropped, i + 1));
  }
  const known = (/** @type {any} */ id) => passages.get(`id:${id}`);
  for (const place of placement) {
    const passage = known(place.id);
    if (passage) passage.prompt = { position: place.position, cut: Boolean(place.cut), tokens: place.tokens ?? null };
  }
  for (const citation of citations) {
    if (citation.document_id === undefined || citation.document_id === null) continue;
    known(citation.document_id)?.markers.push(String(citation.marker));
  }
  return { columns, passages: [...passages.values()].sort(byLastPlace) };
}

/**
 * Texts that were recorded once, in the prompt: cut out by the placement.
 * @param {Passage[]} passages @param {any[]} placement @param {any[]} messages of the call that answered
 */
export function fillFromPrompt(passages, placement, messages) {
  const placed = new Map(placement.map((place) => [`id:${place.id}`, place]));
  for (const passage of passages) {
    const place = placed.get(passage.key);
    const text = messages[place?.message]?.content;
    if (passage.content || typeof text !== "string" || place.start === undefined || place.end === undefined) continue;
    const characters = Array.from(text); // offsets count characters, not UTF-16 units
    passage.content = characters.slice(place.start, place.end).join("") || null;
    passage.fromPrompt = passage.content !== null;
  }
}

/** @param {any} span @returns {{kept: number, all: number}} passages a span returned, and considered */
export function considered(span) {
  const documents = span.documents ?? [];
  const candidates = span.candidates ?? [];
  const kept = documents.length || candidates.filter((/** @type {any} */ candidate) => !candidate.dropped).length;
  const all = new Set([...documents, ...candidates, ...(span.input_documents ?? [])].map(keyOf)).size;
  return { kept, all };
}

/** @param {any[]} spans that searched @returns {number} different passages they returned */
export function foundBy(spans) {
  const kept = (/** @type {any} */ span) => (span.documents?.length ? span.documents : (span.candidates ?? []).filter((/** @type {any} */ candidate) => !candidate.dropped));
  return new Set(spans.flatMap((span) => kept(span).map(keyOf))).size;
}

/** @param {Passage} passage @returns {[number, Place]} the furthest column that considered it */
export function lastPlace(passage) {
  const column = Math.max(...passage.places.keys());
  return [column, /** @type {Place} */ (passage.places.get(column))];
}

/** @param {Passage} a @param {Passage} b */
function byLastPlace(a, b) {
  const [columnA, placeA] = lastPlace(a);
  const [columnB, placeB] = lastPlace(b);
  return columnB - columnA || Number(placeB.kept) - Number(placeA.kept) || (placeA.rank ?? 1e9) - (placeB.rank ?? 1e9);
}

/** @param {Passage} passage @param {Column[]} columns whether the last span of the pipeline returned it */
export function survived(passage, columns) {
  return Boolean(passage.places.get(columns.length - 1)?.kept);
}

// Kinds of score where less is better, and those that are a share already.
const DISTANCE = /dist|l2|euclid/i;
const SHARE = /cos|rerank|similar|relevan|prob|norm/i;

/**
 * How long to draw a score: on its own scale where that is known, else relative to the scores beside it.
 * @param {number | null} value @param {string | null} kind @param {(number | null)[]} beside all scores of the list @returns {number | null}
 */
export function scoreShare(value, kind, beside) {
  const values = beside.filter((each) => each !== null);
  if (value === null || !values.length) return null;
  const least = Math.min(...values);
  const most = Math.max(...values);
  if (kind && DISTANCE.test(kind)) return most === least ? 1 : 1 - (0.92 * (value - least)) / (most - least);
  if ((kind && SHARE.test(kind)) || !kind) if (least >= 0 && most <= 1 && most >= 0.2) return value;
  if (least >= 0) return most ? value / most : 0;
  return most === least ? 1 : 0.08 + (0.92 * (value - least)) / (most - least);
}

/** @param {Record<string, any>} metadata @param {string[]} names */
function firstOf(metadata, names) {
  return names.map((name) => metadata[name]).find((value) => value !== undefined && value !== null && value !== "");
}

/** @param {Record<string, any>} metadata @param {string | null} id @returns {{title: string, source: string | null}} */
export function titleOf(metadata, id) {
  const heading = firstOf(metadata, ["heading", "title", "section", "name"]);
  const title = Array.isArray(heading) ? heading.join(" › ") : heading;
  const source = firstOf(metadata, ["source", "path", "url", "file", "file_name", "filename", "document"]);
  const place = source !== undefined && id?.startsWith(String(source)) ? id : source; // "faq.md#refunds" says more than "faq.md"
  return { title: String(title ?? place ?? id ?? "Passage"), source: title === undefined ? null : source === undefined ? id : String(source) };
}
