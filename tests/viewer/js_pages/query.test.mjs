import assert from "node:assert/strict";
import { test } from "node:test";
import { both, chosen, context, pieces, quote, terms, toggled, values, withValues } from "../../../viewer/components/trace_list/query.js";

test("terms end at blanks outside quotes, brackets and parentheses", () => {
  const text = 'status:error  any(kind:llm cost:>0.01) attr["a b"]:x "refund policy"';
  assert.deepEqual(terms(text).map((term) => term.text), ["status:error", "any(kind:llm cost:>0.01)", 'attr["a b"]:x', '"refund policy"']);
  for (const term of terms(text)) assert.equal(text.slice(term.start, term.end), term.text);
});

test("a value is quoted where the language would read it otherwise", () => {
  assert.equal(quote("docs-bot"), "docs-bot");
  for (const risky of ["two words", "a,b", ">5", "!no", "*", "1..5", "-x", 'say "hi"', "back\\slash", ""]) {
    assert.ok(quote(risky).startsWith('"'), risky);
    assert.deepEqual(values(quote(risky)), [risky]);
  }
});

test("a facet toggles its own plain term and leaves the rest", () => {
  const one = toggled('duration:>2s "refund"', "service", "docs-bot");
  assert.equal(one, 'duration:>2s "refund" service:docs-bot');
  const two = toggled(one, "service", "support agent");
  assert.deepEqual(chosen(two, "service"), ["docs-bot", "support agent"]);
  assert.equal(toggled(toggled(two, "service", "docs-bot"), "service", "support agent"), 'duration:>2s "refund"');
  assert.equal(withValues("tag:a x tag:>b", "tag", []), "x tag:>b");
});

test("parts that hold together keep their meaning when one has an or", () => {
  assert.equal(both("a or b", "since:1h"), "(a or b) since:1h");
  assert.equal(both("a or b", ""), "a or b");
  assert.equal(both('"this or that"', "since:1h"), '"this or that" since:1h');
});

test("what stands at the caret decides what is completed", () => {
  assert.deepEqual(context("sta", 3), { kind: "field", prefix: "sta", start: 0, end: 3 });
  assert.deepEqual(context("status:er x", 9), { kind: "value", field: "status", prefix: "er", start: 7, end: 9 });
  assert.deepEqual(context("tag:a,b", 7), { kind: "value", field: "tag", prefix: "b", start: 6, end: 7 });
  assert.equal(context('"a phr', 6), null);
});

test("coloured pieces join to the text", () => {
  for (const text of ['status:error duration:>2s (a or not b) "x y" attr["k"]:1', "a:b,c , ::", '"open', "émoji 🐍 tag:x"]) {
    assert.equal(pieces(text).map((piece) => piece.text).join(""), text);
  }
  assert.deepEqual(pieces("status:error").map((piece) => piece.role), ["field", "operator", "value"]);
});
