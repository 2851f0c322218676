import assert from "node:assert/strict";
import { test } from "node:test";
import { parser } from "../../../viewer/components/chat/events.js";
import { address, read } from "../../../viewer/components/chat/place.js";
import { contentType, pieces } from "../../../viewer/components/import_files/pieces.js";
import { cell, table } from "../../../viewer/components/trace_list/csv.js";
import { buckets, grain, marks } from "../../../viewer/components/trace_list/histogram.js";
import { extent, fullFilter, parse, search } from "../../../viewer/components/trace_list/state.js";

test("the address is the state, both ways", () => {
  for (const address of ["", "?filter=status%3Aerror&range=24h&order=-duration", "?from=1000&to=2000&environment=prod%2Cdev&live=off", "?columns=time%2Cquestion&cursor=abc"]) {
    assert.equal(search(parse(address)), address);
  }
  assert.equal(search(parse("?range=nonsense&from=x&order=")), "");
});

test("time and environment join the filter text", () => {
  assert.equal(fullFilter(parse("?filter=a or b&range=1h&environment=prod")), "(a or b) environment:prod since:1h");
  assert.equal(fullFilter(parse("?from=1000&to=2000")), "start:>=1000000000 start:<2000000000");
  assert.equal(fullFilter(parse("?filter=x&environment=prod&range=1h"), { time: true, environment: true }), "x");
  assert.deepEqual(extent(parse("?range=1h"), 7_200_000), [3_600_000, 7_200_000]);
});

test("bars cover the range, no trace is lost or counted twice", () => {
  const points = Array.from({ length: 50 }, (_, at) => ({ at: at * 60_000, count: 2, errors: 1 }));
  const drawn = buckets(points, 0, 50 * 60_000, 60_000);
  assert.equal(drawn.bars.reduce((sum, bar) => sum + bar.count, 0), 100);
  assert.equal(drawn.bars.reduce((sum, bar) => sum + bar.errors, 0), 50);
  assert.ok(drawn.bars.length <= 81 && drawn.width >= 60_000);
  assert.equal(grain(3_600_000), "minute");
  assert.equal(grain(40 * 86_400_000), "hour");
});

test("a cell that would start a formula is text, also behind blanks and line breaks", () => {
  for (const bad of ["=1+1", "+1", "-1", "@x", "\t=1", "  =cmd|'/c calc'!A0", "\r=1", "\ufeff=1"]) assert.ok(cell(bad).replace(/^"/, "").startsWith("'"), JSON.stringify(bad));
  assert.match(cell("line\n=1+1"), /\n'=/);
  assert.equal(cell(-1.5), "-1.5");
  assert.equal(cell('say "a, b"'), '"say ""a, b"""');
  assert.equal(cell(null), "");
  assert.equal(table([{ trace_id: "t", input_preview: "=HYPERLINK(1)", duration_ns: "1500000" }]).split("\r\n")[1].split(",")[3], "'=HYPERLINK(1)");
});

test("events arrive whole however the stream is cut", () => {
  const text = 'event: text\ndata: {"text": "a\\nb"}\n\n: ping\n\nevent: done\ndata: {}\n\n';
  for (let cut = 1; cut < text.length; cut++) {
    const read = parser();
    const events = [...read(text.slice(0, cut)), ...read(text.slice(cut))];
    assert.deepEqual(events, [{ event: "text", data: { text: "a\nb" } }, { event: "done", data: {} }]);
  }
});

test("a file of lines is cut at line ends, another goes whole", async () => {
  const lines = Array.from({ length: 200 }, (_, at) => JSON.stringify({ at })).join("\n");
  const cut = [];
  for await (const piece of pieces(new File([lines], "t.jsonl"), 500)) cut.push(await piece.body.text());
  assert.equal(cut.join(""), lines);
  assert.ok(cut.every((piece, index) => index === cut.length - 1 || piece.endsWith("\n")));
  const whole = [];
  for await (const piece of pieces(new File([lines], "t.pb"), 500)) whole.push(piece);
  assert.equal(whole.length, 1);
  assert.equal(contentType("a", '{"resourceSpans"'), "application/x-ndjson");
  assert.deepEqual(["a.json", "a.jsonl.gz", "traces.otlp-jsonl", "a.pb", "a"].map((name) => contentType(name)), ["application/json", "application/x-ndjson", "application/x-ndjson", "application/x-protobuf", "application/x-protobuf"]);
});

test("where one is in the chat is in the address, both ways", () => {
  for (const place of ["/ask", "/ask?channel=help&thread=t%2F1&why=m1&passage=a.md%231"]) assert.equal(address(read(place.slice(4))), place);
});

test("the axis is marked at round local times", () => {
  const from = new Date(2026, 10, 18, 7, 20).getTime();
  const week = marks(from, from + 6.5 * 86_400_000);
  assert.deepEqual(week.map((at) => [new Date(at).getDate(), new Date(at).getHours()]), [19, 20, 21, 22, 23, 24].map((day) => [day, 0]));
  assert.ok(marks(from, from + 300 * 86_400_000).length <= 8);
  assert.deepEqual(marks(from, from + 3_600_000).map((at) => new Date(at).getMinutes()), [30, 45, 0, 15]);
});
