import assert from "node:assert/strict";
import { test } from "node:test";
import { gist, read } from "../../../viewer/components/trace_view/assets/markdown.js";
import { sentences, sharedSentences } from "../../../viewer/components/trace_view/assets/overlap.js";

const said = (known, { from, to }) => known.text.slice(from, to);
const WRAPPED = "A rollback shifts the traffic back in steps and waits for\nthe health gate. It never runs migrations in reverse.";

test("lines that were wrapped are one paragraph of the same length; short ones and data stay lines", () => {
  const known = read(WRAPPED);
  assert.equal(known.text.length, WRAPPED.length);
  assert.equal(known.blocks.length, 1);
  assert.ok(said(known, known.blocks[0]).includes("waits for the health gate"));
  for (const kept of ["Name: x\nState: y", `${"a,".repeat(40)}\n${"b,".repeat(40)}`, "A line that was broken on purpose here, by two blanks:  \nnext", "def answer(question): # this line is long enough to be prose\n  return 1"]) {
    assert.equal(read(kept).text, kept);
  }
});

test("a table has its head, cells, alignment and escaped pipes; what is around it stays apart", () => {
  const known = read("<!-- made -->\n| a | b |\n|:--|--:|\n| `x` | y\\|z |\n| only one |\n\nAfter it.");
  const [comment, table, after] = known.blocks;
  assert.deepEqual([comment.type, table.type, after.type], ["comment", "table", "paragraph"]);
  assert.deepEqual(table.align, ["left", "right"]);
  assert.deepEqual(table.head.cells.map((cell) => said(known, cell)), ["a", "b"]);
  assert.deepEqual(table.rows.map((row) => row.cells.map((cell) => said(known, cell))), [["`x`", "y\\|z"], ["only one"]]);
});

test("a row that an answer quotes alone is a row, its marks behind it", () => {
  const known = read("See this:\n| `errors` | number | failed spans | [4]\n\nUse a | b in a shell.");
  const [, table, shell] = known.blocks;
  assert.equal(table.head, null);
  assert.deepEqual(table.rows[0].cells.map((cell) => said(known, cell)), ["`errors`", "number", "failed spans"]);
  assert.equal(said(known, table.rows[0].after), "[4]");
  assert.equal(shell.type, "paragraph");
  assert.equal(gist("| `errors` | **number** | failed spans | [4]"), "errors · number · failed spans [4]");
  assert.equal(gist("plain | text"), "plain | text");
});

test("lists nest, go on over wrapped lines and an empty line, and end", () => {
  const known = read("- one\n  goes on\n  - inner\n\n- two\n\n3. three\n4. four\ntext");
  const [bullets, numbers, text] = known.blocks;
  assert.deepEqual(bullets.items.map((item) => [item.depth, said(known, item).replace(/\s+/g, " ")]), [[0, "one goes on"], [1, "inner"], [0, "two"]]);
  assert.deepEqual([numbers.ordered, numbers.start, numbers.items.length], [true, 3, 2]);
  assert.equal(text.type, "paragraph");
});

test("code is left alone, also without its end; headings have levels; nothing is lost of a hostile text", () => {
  const known = read("## Head\n```py\na | b\n- c\n");
  assert.deepEqual(known.blocks.map((block) => block.type), ["heading", "code"]);
  assert.equal(said(known, known.blocks[1]).trim(), "a | b\n- c");
  for (const odd of ["|", "||", "|-|", "```", "- ", "1.", "#", "\n\n", "|".repeat(5_000), "- - - -\n".repeat(500), "[".repeat(5_000)]) assert.ok(read(odd).blocks.length >= 0);
});

test("a sentence over a wrapped line is one, a table row and an item are one each", () => {
  const text = `${WRAPPED}\n\n| gate | waits ten minutes for health |\n|---|---|\n| canary | five percent of traffic first |\n- an item`;
  const found = sentences(text).map(({ from, to }) => text.slice(from, to));
  assert.equal(found[0], "A rollback shifts the traffic back in steps and waits for\nthe health gate.");
  assert.deepEqual(found.slice(2), ["| gate | waits ten minutes for health |", "| canary | five percent of traffic first |", "an item"]);
  const [shared] = sharedSentences(text, "The canary gets five percent of the traffic first.");
  assert.equal(text.slice(shared.from, shared.to), "| canary | five percent of traffic first |");
});
