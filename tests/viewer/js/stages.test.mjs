import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fromColumns } from "../../../viewer/components/trace_view/assets/model.js";
import { considered, fillFromPrompt, foundBy, journey, lastPlace, pipelineOf, scoreShare, searches, stageOf, survived, titleOf } from "../../../viewer/components/trace_view/assets/stages.js";
import { passedText } from "../../../viewer/components/trace_view/assets/header.js";
import { suggestedField } from "../../../viewer/components/trace_view/assets/rules.js";
import { tone, withScore } from "../../../viewer/components/trace_view/assets/scores.js";
import { jsonIn, matching } from "../../../viewer/components/trace_view/assets/value.js";

const cases = JSON.parse(readFileSync(new URL("../stage_cases.json", import.meta.url), "utf-8"));

test("a stage that is said is believed, else kind and name decide", () => {
  for (const [kind, name, said, stage] of cases.stages) assert.equal(stageOf(kind, name, said), stage, `${kind} ${name}`);
});

/** @param {[number, string, string][]} spans parent, name, kind; one second each, one after another */
const traceOf = (spans) =>
  fromColumns({ trace: {}, columns: { span_id: spans.map((_, i) => `s${i}`), parent: spans.map(([p]) => p), name: spans.map(([, n]) => n), kind: spans.map(([, , k]) => k), start_ns: spans.map((_, i) => i), duration_ns: spans.map(() => 1) } });

test("of many pipelines the last answer's is told, a judge's call is no answer", () => {
  const trace = traceOf([
    [-1, "batch", "CHAIN"],
    [0, "rag", "CHAIN"],
    [1, "search", "RETRIEVER"],
    [1, "chat", "LLM"],
    [0, "rag", "CHAIN"],
    [4, "search", "RETRIEVER"],
    [5, "vector", "RETRIEVER"],
    [4, "chat", "LLM"],
    [0, "faithfulness", "EVALUATOR"],
    [8, "judge", "LLM"],
  ]);
  const { scope, answer, retrievals, stages } = pipelineOf(trace, 0);
  assert.deepEqual([scope, answer, retrievals], [4, 7, 3]);
  assert.deepEqual([...stages], [["recall", [5]], ["generate", [7]]]);
});

test("without a root the pipeline spans all tops", () => {
  const orphans = traceOf([[-1, "rewrite", "CHAIN"], [-1, "search", "RETRIEVER"], [1, "vector", "RETRIEVER"], [1, "words", "RETRIEVER"], [-1, "chat", "LLM"]]);
  assert.deepEqual([...pipelineOf(orphans, 0).stages], [["rewrite", [0]]]);
  orphans.orphans = new Set([0, 1, 4]);
  const { stages, answer } = pipelineOf(orphans, 0);
  assert.deepEqual([[...stages], answer], [[["rewrite", [0]], ["recall", [1]], ["generate", [4]]], 4]);
  assert.deepEqual(searches(orphans, [1]), [2, 3]); // the arms found more than their sum hands on
  assert.equal(foundBy([{ documents: [{ id: "a" }, { id: "b" }] }, { candidates: [{ id: "b" }, { id: "c", dropped: "below cut" }] }]), 2);
});

test("a hybrid search found what its arms found together", () => {
  const { spans, searches: arms, found } = cases.hybrid;
  const at = spans.map((span) => span.id);
  const trace = traceOf(spans.map((span) => [at.indexOf(span.parent), span.name, span.kind]));
  const bodies = spans.map((span) => ({ documents: span.documents?.map((id) => ({ id })), candidates: span.dropped?.map((id) => ({ id, dropped: "below cut" })) }));
  const searched = searches(trace, pipelineOf(trace, 0).stages.get("recall"));
  assert.deepEqual(searched.map((i) => at[i]), arms);
  assert.equal(foundBy(searched.map((i) => bodies[i])), found);
});

const recall = { span_id: "r", name: "search", query: "q", documents: [{ id: "a", content: "A", score: 0.9 }, { id: "b", content: "B", score: 0.8 }, { content: "C", score: 0.7 }], candidates: [{ id: "d", rank: 4, score: 0.6, dropped: "below cut" }] };
const rerank = { span_id: "k", name: "rerank", documents: [{ id: "b", content: "B", score: 0.99, rank: 1 }, { id: "c", content: " C ", score: 0.5, rank: 2 }], candidates: [{ id: "a", rank: 3, score: 0.1, dropped: "below cut" }] };

test("passages are joined over stages by id, else by text", () => {
  const { columns, passages } = journey([{ span: recall, stage: "recall" }, { span: rerank, stage: "rerank" }], [{ id: "b", position: 1 }], [{ marker: "[1]", document_id: "b" }]);
  assert.deepEqual(columns.map(({ stage }) => stage), ["recall", "rerank"]);
  assert.deepEqual(passages.map(({ content, id }) => (id ?? content).trim()), ["b", "C", "a", "d"]);
  const [b, c, a] = passages;
  assert.deepEqual([b.places.get(0).rank, b.places.get(1).rank, b.prompt.position, b.markers], [2, 1, 1, ["[1]"]]);
  assert.ok(survived(b, columns) && survived(c, columns) && !survived(a, columns));
  assert.equal(c.places.size, 2);
  assert.deepEqual(lastPlace(a)[1], { rank: 3, score: 0.1, scoreKind: null, dropped: "below cut", kept: false });
});

test("a candidate without a reason to drop it was kept, where the span says nothing else", () => {
  const dense = { span_id: "d", name: "dense", candidates: [{ id: "a", rank: 1 }, { id: "b", rank: 2, dropped: "filtered: draft" }] };
  const { columns, passages } = journey([{ span: dense, stage: "recall" }]);
  assert.deepEqual(passages.map((passage) => survived(passage, columns)), [true, false]);
  assert.deepEqual(considered(dense), { kept: 1, all: 2 });
});

test("texts that stand only in the prompt are cut out of it, by characters", () => {
  const { passages } = journey([{ span: { span_id: "d", name: "d", documents: [{ id: "a" }, { id: "b" }] }, stage: "recall" }]);
  fillFromPrompt(passages, [{ id: "b", position: 1, message: 0, start: 3, end: 9 }], [{ role: "user", content: "😀: Page B!" }]);
  assert.deepEqual(passages.map(({ content, fromPrompt }) => [content, fromPrompt]), [[null, false], ["Page B", true]]);
});

test("bars keep known scales and compare the rest", () => {
  assert.equal(scoreShare(0.9, "cosine", [0.9, 0.4]), 0.9);
  assert.equal(scoreShare(0.016, "rrf", [0.032, 0.016]), 0.5);
  assert.equal(scoreShare(0.2, "l2 distance", [0.2, 1.2]), 1);
  assert.equal(scoreShare(-3, null, [-3, 5]), 0.08);
  assert.equal(scoreShare(null, "cosine", [1]), null);
});

test("a passage is called by its heading, its source, its id", () => {
  assert.deepEqual(titleOf({ heading: ["Deploy", "Rollback"], source: "a.md" }, "a#1"), { title: "Deploy › Rollback", source: "a.md" });
  assert.deepEqual(titleOf({ source: "a.md" }, "a#1"), { title: "a.md", source: null });
  assert.equal(titleOf({ source: "a.md" }, "a.md#two").title, "a.md#two");
  assert.equal(titleOf({ heading: "", title: "Commands" }, null).title, "Commands");
  assert.equal(titleOf({}, null).title, "Passage");
});

test("what passed a stage is said in one phrase", () => {
  assert.equal(passedText("recall", recall), "3 of 4");
  assert.equal(passedText("rerank", { documents: [{ id: "a" }], input_documents: [{ id: "a" }, { id: "b" }] }), "1 of 2");
  assert.equal(passedText("cite", { citations: [{ valid: true }, { valid: false }] }), "1 of 2 cited");
  assert.equal(passedText("fuse", {}), "");
});

test("the last score per name and annotator counts, an empty one retracts", () => {
  const given = (value, id) => ({ name: "thumbs", value, annotator: { kind: "HUMAN", id } });
  assert.deepEqual(withScore([given(1, "a"), given(1, "b")], given(0, "a")), [given(1, "b"), given(0, "a")]);
  assert.deepEqual(withScore([given(1, "a")], given(undefined, "a")), []);
  assert.deepEqual([0.9, 0.6, 0.1, 7].map(tone), ["good", "fair", "poor", ""]);
});

test("attributes are searched by key and by value, a rule has a first guess", () => {
  const values = { "b.key": "x", a: { deep: ["needle"] }, c: 3 };
  assert.deepEqual(matching(values, "").map(([key]) => key), ["a", "b.key", "c"]);
  assert.deepEqual(matching(values, "NEEDLE").map(([key]) => key), ["a"]);
  assert.deepEqual(matching(values, "b.").map(([key]) => key), ["b.key"]);
  assert.deepEqual(jsonIn(' {"a":1}'), { a: 1 });
  assert.equal(jsonIn("{not json}"), undefined);
  assert.deepEqual(["acme.docs", "acme.question", "acme.reply", "acme.x"].map((key) => suggestedField(key)), ["documents", "input", "output", "input"]);
  assert.equal(suggestedField("acme.question", "RETRIEVER"), "query");
});
