import assert from "node:assert/strict";
import { test } from "node:test";
import { ancestorsOf, childrenOf, columnsOf, fromColumns, preorder, rootOf, tokensOf } from "../../../viewer/components/trace_view/assets/model.js";
import { fold, kindCounts, select, visibleRows, withAncestors } from "../../../viewer/components/trace_view/assets/rows.js";
import { coverage, criticalPath, selfTimeByKind, selfTimes, ticks } from "../../../viewer/components/trace_view/assets/timing.js";

/** @param {[number, string, string, number, number, string?][]} spans parent, name, kind, start, duration, status */
function traceOf(spans) {
  return fromColumns({
    trace: {},
    health: {},
    columns: {
      span_id: spans.map((_, i) => `s${i}`),
      parent: spans.map(([parent]) => parent),
      name: spans.map(([, name]) => name),
      kind: spans.map(([, , kind]) => kind),
      start_ns: spans.map(([, , , start]) => start),
      duration_ns: spans.map(([, , , , duration]) => duration),
      status: spans.map(([, , , , , status]) => status ?? "unset"),
    },
  });
}

const small = () =>
  traceOf([
    [-1, "root", "CHAIN", 0, 100],
    [0, "search", "RETRIEVER", 10, 30],
    [1, "embed", "EMBEDDING", 12, 10],
    [0, "answer", "LLM", 50, 40, "error"],
  ]);

test("columns become a tree in pre-order", () => {
  const trace = small();
  assert.deepEqual([...trace.depth], [0, 1, 2, 1]);
  assert.deepEqual([...trace.end], [4, 3, 3, 4]);
  assert.deepEqual([...childrenOf(trace, 0)], [1, 3]);
  assert.deepEqual(ancestorsOf(trace, 2), [0, 1]);
  assert.equal(trace.total, 100);
});

test("dictionary columns and missing columns are read", () => {
  const trace = fromColumns({ trace: { root_span_id: "b" }, columns: { span_id: ["a", "b"], parent: [-1, -1], name: [1, 0], names: ["x", "y"], start_ns: [0, 1], model: [null, "m"], input_tokens: [null, 3] } });
  assert.deepEqual(trace.name, ["y", "x"]);
  assert.deepEqual(trace.kind, ["UNKNOWN", "UNKNOWN"]);
  assert.equal(rootOf(trace), 1);
  assert.equal(tokensOf(trace, 0), null);
  assert.equal(tokensOf(trace, 1), 3);
});

test("spans that come out of order are put in order, siblings by start", () => {
  assert.equal(preorder([-1, 0, 1], [0, 1, 2]), null);
  const trace = traceOf([
    [2, "late", "CHAIN", 9, 1],
    [2, "early", "CHAIN", 3, 1],
    [-1, "root", "CHAIN", 0, 10],
  ]);
  assert.deepEqual(trace.name, ["root", "early", "late"]);
  assert.deepEqual(trace.id, ["s2", "s1", "s0"]);
});

test("a cycle loses no span", () => {
  const trace = traceOf([
    [1, "a", "CHAIN", 0, 1],
    [0, "b", "CHAIN", 1, 1],
    [-1, "root", "CHAIN", 2, 1],
  ]);
  assert.deepEqual(new Set(trace.name), new Set(["a", "b", "root"]));
});

test("a whole trace gives the same columns", () => {
  const start = 1_795_560_252_737_492_326n;
  const span = (id, parent, at) => ({ span_id: id, ...(parent ? { parent_span_id: parent } : {}), name: id, kind: "LLM", start_unix_nano: String(start + BigInt(at)), duration_ns: 5, status: "ok", state: "ended", usage: { input_tokens: 7 } });
  const trace = fromColumns(columnsOf({ trace: {}, spans: [span("r", "", 0), span("c", "r", 1000), span("o", "gone", 2000)] }));
  assert.deepEqual([...trace.start], [0, 1000, 2000]);
  assert.deepEqual([...trace.orphans], [2]);
  assert.equal(trace.inputTokens[1], 7);
});

test("32,000 nested spans are read without recursion", () => {
  const size = 32_000;
  const trace = fromColumns({ trace: {}, columns: { span_id: Array.from({ length: size }, (_, i) => `s${i}`), parent: Array.from({ length: size }, (_, i) => size - 1 === i ? -1 : i + 1), start_ns: Array.from({ length: size }, (_, i) => size - i), duration_ns: new Array(size).fill(1) } });
  assert.equal(trace.depth[size - 1], size - 1);
  assert.ok(criticalPath(trace, 0).length > 0);
});

test("collapsed subtrees and folded siblings take no rows", () => {
  const spans = [[-1, "root", "CHAIN", 0, 100]];
  for (let n = 0; n < 9; n++) {
    spans.push([0, "rag.pipeline", "CHAIN", n * 10, 9, n === 4 ? "error" : "ok"]);
    spans.push([spans.length - 1, "call", "LLM", n * 10 + 1, 5]);
  }
  const trace = traceOf(spans);
  const folding = fold(trace);
  assert.equal(folding.groups.length, 1);
  assert.deepEqual([folding.groups[0].count, folding.groups[0].errors], [9, 1]);
  assert.deepEqual([...visibleRows(trace, folding, { collapsed: new Set(), open: new Set() })], [0, ~0]);
  const opened = [...visibleRows(trace, folding, { collapsed: new Set([1]), open: new Set([0]) })];
  assert.deepEqual(opened.slice(0, 5), [0, ~0, 1, 3, 4]);
  assert.equal(folding.extra[2], 1);
});

test("alternating siblings are not folded: their order is the story", () => {
  const spans = [[-1, "agent", "AGENT", 0, 100]];
  for (let n = 0; n < 20; n++) spans.push([0, n % 2 ? "tool" : "chat", n % 2 ? "TOOL" : "LLM", n, 1]);
  assert.equal(fold(traceOf(spans)).groups.length, 0);
});

test("search needs every word, kinds and errors are choices", () => {
  const trace = small();
  assert.equal(select(trace, "", new Set()), null);
  assert.deepEqual([...select(trace, "sear retr", new Set())], [0, 1, 0, 0]);
  assert.deepEqual([...select(trace, "", new Set(["error"]))], [0, 0, 0, 1]);
  assert.deepEqual([...select(trace, "", new Set(["EMBEDDING", "LLM"]))], [0, 0, 1, 1]);
  assert.deepEqual([...select(trace, "nothing-named-so", new Set(), new Set(["s2"]))], [0, 0, 1, 0]);
  assert.deepEqual([...withAncestors(trace, select(trace, "embed", new Set()))], [1, 1, 1, 0]);
});

test("pills put errors first", () => {
  assert.deepEqual(kindCounts(small()).map(({ key }) => key), ["error", "CHAIN", "EMBEDDING", "LLM", "RETRIEVER"]);
});

test("self time leaves out what children cover, overlaps once", () => {
  const trace = traceOf([
    [-1, "root", "CHAIN", 0, 100],
    [0, "a", "TOOL", 10, 40],
    [0, "b", "TOOL", 30, 40],
    [0, "late", "TOOL", 90, 40],
  ]);
  const self = selfTimes(trace);
  assert.deepEqual([...self], [30, 40, 40, 40]);
  assert.deepEqual(selfTimeByKind(trace, self).map(({ kind, ns }) => [kind, ns]), [["TOOL", 120], ["CHAIN", 30]]);
  assert.deepEqual(coverage(trace, 0, 0), [[10, 70], [90, 100]]);
});

test("the critical path goes back from the end into what ended last", () => {
  const trace = traceOf([
    [-1, "root", "CHAIN", 0, 100],
    [0, "short", "TOOL", 10, 20],
    [0, "long", "TOOL", 10, 60],
    [0, "last", "LLM", 75, 20],
  ]);
  assert.deepEqual(criticalPath(trace, 0).map(({ span, from, to }) => [span, from, to]), [[0, 95, 100], [3, 75, 95], [0, 70, 75], [2, 10, 70], [0, 0, 10]]);
});

test("ticks are round and inside", () => {
  assert.deepEqual(ticks(0, 100, 5), [0, 20, 40, 60, 80, 100]);
  assert.deepEqual(ticks(3, 9, 3), [4, 6, 8]);
  assert.deepEqual(ticks(5, 5, 3), [5]);
});
