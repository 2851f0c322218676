import assert from "node:assert/strict";
import { test } from "node:test";
import { labelled, labelsOf, unlabelled } from "../../../viewer/components/trace_view/assets/labels.js";
import { fromColumns } from "../../../viewer/components/trace_view/assets/model.js";

test("a component is called what it says, and is recorded as it came", () => {
  const name = ["haystack.pipeline.run", "haystack.component.run", "haystack.component.run"];
  const trace = fromColumns({ trace: {}, columns: { span_id: ["a", "b", "c"], parent: [-1, 0, 0], name, start_ns: [0, 1, 2], duration_ns: [3, 1, 1] } });
  assert.ok(unlabelled(trace, new Map()));
  const labels = labelsOf(name.map((each, i) => ({ span_id: "abc"[i], name: each, attributes: i === 1 ? { "haystack.component.name": "retriever" } : {} })));
  const called = labelled(trace, labels);
  assert.deepEqual(called.name, ["haystack.pipeline.run", "retriever", "haystack.component.run"]);
  assert.deepEqual(called.recorded, name);
  assert.ok(!unlabelled(called, labels));
});
