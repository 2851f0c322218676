"""Model → JSON → model is the identity, and the JSON is what the contract says."""

from __future__ import annotations

import math

import orjson
from hypothesis import given
from hypothesis import strategies as st

from collector.jsonform import attribute_from_json, attribute_json, columns_json, encode, from_json, rfc3339, to_json
from collector.model import (
    AnnotatorKind,
    AttributeValue,
    Candidate,
    Citation,
    Document,
    Event,
    Index,
    Link,
    Message,
    Normalised,
    Placement,
    Prompt,
    Resource,
    Scope,
    Score,
    Skeleton,
    Span,
    SpanError,
    SpanKind,
    SpanRow,
    StatusCode,
    Target,
    ToolCall,
    TraceSummary,
    Usage,
)

TRACE, SPAN, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"

FULL = Span(
    trace_id=TRACE,
    span_id=SPAN,
    parent_span_id=PARENT,
    name="search",
    start_unix_nano=1_764_000_000_123_456_789,
    end_unix_nano=1_764_000_001_123_456_790,
    attributes={"int": 2**53 + 1, "low": -(2**63), "bytes": b"\x00\xff", "list": [1, 2.5, "x"], "map": {"a": {"b": True}}, "none": None},
    events=(Event("exception", 1_764_000_000_500_000_001, {"exception.type": "ValueError"}, 2),),
    links=(Link(TRACE, PARENT, attributes={"fork_of": "x"}),),
    status=StatusCode.UNSET,
    status_message="no",
    otel_kind=3,
    trace_state="a=b",
    flags=1,
    dropped_events_count=4,
    resource=Resource({"service.name": "shop"}),
    scope=Scope("tracer", "1.0"),
    normalised=Normalised(
        kind=SpanKind.RETRIEVER,
        dialect="genai",
        status=StatusCode.ERROR,
        error=SpanError("ValueError", "no", "Traceback"),
        model="m",
        input={"q": 1},
        input_messages=(Message("user", "hi", tool_calls=(ToolCall("f", {"x": 1}, "c1"),)),),
        usage=Usage(10, 0, 10),
        cost_usd=0.25,
        query="how",
        documents=(Document("text", "d1", 0.0, "cosine", 1, {"source": "a.md"}),),
        candidates=(Candidate("d2", stage="recall", rank=7, score=0.1, dropped="below_cut"),),
        prompt=Prompt("Say {x}", {"x": "y"}, "p", "2"),
        index=Index("docs", "v1", passage_count=5),
        citations=(Citation("[1]", "d1", False),),
        placement=(Placement("d1", 1, 0, 5, 9),),
        tags=("a",),
        derived=("input",),
    ),
    scores=(Score("thumbs", -1.0, "bad", annotator_kind=AnnotatorKind.LLM, annotator_id="judge", target=Target(TRACE, SPAN), id="s1"),),
)


def test_a_span_comes_back_as_it_was() -> None:
    assert from_json(Span, orjson.loads(encode(to_json(FULL)))) == FULL


def test_a_span_reads_as_the_contract_says() -> None:
    shown = to_json(FULL)
    assert shown["start_unix_nano"] == "1764000000123456789"
    assert shown["start_time"] == "2025-11-24T16:00:00.123456Z"
    assert shown["duration_ns"] == 1_000_000_001
    assert (shown["kind"], shown["status"], shown["state"]) == ("RETRIEVER", "error", "ended")
    assert shown["documents"] == [
        {"id": "d1", "content": "text", "score": 0.0, "score_kind": "cosine", "rank": 1, "metadata": {"source": "a.md"}}
    ]
    assert shown["input_messages"][0]["tool_calls"] == [{"name": "f", "arguments": {"x": 1}, "id": "c1"}]
    assert shown["usage"] == {"input_tokens": 10, "output_tokens": 0, "total_tokens": 10}
    assert shown["scores"][0]["annotator"] == {"kind": "LLM", "id": "judge"}
    assert shown["citations"] == [{"marker": "[1]", "document_id": "d1", "valid": False}]
    assert not {"output", "tool_name", "session_id", "texts"} & shown.keys(), "what is unknown is absent"


def test_a_running_span_has_no_end() -> None:
    shown = to_json(Span(TRACE, SPAN, "", "root", 1, 0, {"rightpassage.span.state": "running"}))
    assert shown["state"] == "running"
    assert not {"end_unix_nano", "duration_ns", "parent_span_id"} & shown.keys()


values: st.SearchStrategy[AttributeValue] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(values)
def test_every_attribute_value_keeps_its_type(value: AttributeValue) -> None:
    if isinstance(value, dict) and len(value) == 1 and set(value) & {"bytes_base64", "float"}:
        return  # a map written by hand in exactly our form of bytes reads as bytes
    back = attribute_from_json(orjson.loads(encode(attribute_json(value))))
    assert repr(back) == repr(value)
    assert not isinstance(value, float) or not math.isnan(value) or math.isnan(back)  # type: ignore[arg-type]


def test_what_orjson_refuses_is_still_written() -> None:
    deep: object = "bottom"
    for _ in range(1000):
        deep = [deep]
    shown = orjson.loads(encode({"huge": [2**64 + 1], "lone": "\ud800"}).replace(str(2**64 + 1).encode(), b"7"))
    assert shown == {"huge": [7], "lone": "?"}
    assert b"nested deeper than 200 levels" in encode(deep)


def test_times_outside_the_calendar_do_not_break() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00.000000Z"
    assert rfc3339(2**64 - 1).startswith("2554-07-21")


def row(span_id: str, parent: str, start: int, name: str = "step") -> SpanRow:
    return SpanRow(TRACE, span_id, parent, name, SpanKind.CHAIN, start, 5, StatusCode.OK)


def skeleton(*rows: SpanRow) -> Skeleton:
    summary = TraceSummary(TRACE, "a", False, (), None, None, (), 10, 5, len(rows), 0, StatusCode.OK, Usage(), None, None, None, None)
    return Skeleton(summary, rows)


def test_columns_stand_in_tree_order_with_siblings_by_start() -> None:
    columns = columns_json(skeleton(row("c", "a", 13), row("a", "", 10), row("b", "a", 12), row("d", "b", 20)))["columns"]
    assert columns["span_id"] == ["a", "b", "d", "c"]
    assert columns["parent"] == [-1, 0, 1, 0]
    assert columns["start_ns"] == [0, 2, 10, 3]
    assert [columns["names"][i] for i in columns["name"]] == ["step"] * 4


def test_columns_draw_every_span_once_whatever_the_parents_say() -> None:
    rows = (row("x", "y", 12), row("y", "x", 11), row("self", "self", 13), row("orphan", "gone", 14), row("z", "x", 15))
    columns = columns_json(skeleton(*rows))["columns"]
    assert sorted(columns["span_id"]) == ["orphan", "self", "x", "y", "z"]
    assert [columns["span_id"][i] for i in columns["orphans"]] == ["orphan"]
    assert [columns["span_id"][i] for i in columns["cut"]] == ["self", "y"], "a cycle is cut at its earliest span"
    assert columns["parent"][columns["span_id"].index("y")] == -1


def test_ten_thousand_levels_need_no_recursion() -> None:
    rows = [row(f"{i}", f"{i - 1}" if i else "", i) for i in range(10_000)]
    columns = columns_json(skeleton(*reversed(rows)))["columns"]
    assert columns["parent"] == list(range(-1, 9_999))


def test_an_end_time_of_zero_is_a_mistake_where_the_span_does_not_say_that_it_runs() -> None:
    mistake = Span(TRACE, SPAN, "", "step", 5, 0)
    assert {name: to_json(mistake)[name] for name in ("state", "end_unix_nano", "duration_ns")} == {
        "state": "ended",
        "end_unix_nano": "0",
        "duration_ns": 0,
    }
