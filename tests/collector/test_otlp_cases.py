"""Recorded requests of real instrumentations: every fact that a good viewer must show of them holds, in whatever order they arrive.

The cases and the checker are those that also run against a collector over HTTP and gRPC (`python tests/cases/otlp/check_cases.py`);
here they go through decode → normalise → roll-up → JSON in process.
"""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from collector import jsonform
from collector.dialects import normalise
from collector.health import examine
from collector.model import Span, Trace
from collector.otlp import decode_traces
from collector.rollup import borrow, is_running, summarise

CASES = Path(__file__).parents[1] / "cases" / "otlp"


def load_checker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_cases", CASES / "check_cases.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


checker = load_checker()


def content_type(body: dict[str, Any]) -> str:
    return body["content_type"] or "application/x-protobuf"


def shown_traces(expect: dict[str, Any], order: str, folder: Path = CASES) -> dict[str, dict[str, Any]]:
    """The JSON answers for every trace of a case, as the API gives them."""
    bodies = expect["bodies"]
    spans: dict[tuple[str, str], Span] = {}
    for body in {"forward": bodies, "reverse": bodies[::-1], "twice": bodies * 2}[order]:
        decoded = decode_traces((folder / body["file"]).read_bytes(), content_type(body))
        assert decoded.rejected == 0
        for span in decoded.spans:
            key = span.trace_id, span.span_id
            if key not in spans or is_running(spans[key]):  # as a store does: the first wins, an announcement waits for its span
                spans[key] = normalise(span)
    shown: dict[str, dict[str, Any]] = {}
    for trace_id in {trace_id for trace_id, _ in spans}:
        mine = borrow(sorted((span for span in spans.values() if span.trace_id == trace_id), key=lambda span: span.start_unix_nano))
        answer = json.loads(jsonform.encode(jsonform.to_json(Trace(summarise(mine), mine, examine(mine)))))
        shown[trace_id] = {**answer["trace"], "spans": answer["spans"]}
    return shown


def facts_of(path: Path, order: str) -> list[Any]:
    expect = json.loads(path.read_text(encoding="utf-8"))
    shown = shown_traces(expect, order, path.parent)
    spans = {(trace_id, span["span_id"]): span for trace_id, trace in shown.items() for span in trace["spans"]}
    facts: list[Any] = []
    for trace in expect["traces"]:
        facts += checker.facts_about("trace", trace, shown.get(trace["trace_id"]), checker.TRACE_RULES, "trace not shown")
    for span in expect["spans"]:
        if "tool" in span.get("kind", ()) and "output_text" in span:
            span["tool_output"] = span.pop("output_text")
        facts += checker.facts_about(
            span["name"], span, spans.get((span["trace_id"], span["span_id"])), checker.SPAN_RULES, "span not shown"
        )
    return facts


PATHS = sorted(CASES.glob("*.expect.json"))
NOT_RECORDED = {("openinference_langchain-error.expect.json", "bad_tool", "arguments")}
"""Facts that the recording does not hold: LangChain's failed tool recorded the bare value "Paris", and no model called it. The name of the
argument can only be guessed from the test program's own source line in the traceback; the value is shown as it came."""


@pytest.mark.parametrize("order", ["forward", "reverse", "twice"])
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name.removesuffix(".expect.json"))
def test_every_fact_of_a_recorded_case_is_shown(path: Path, order: str) -> None:
    facts = facts_of(path, order)
    assert facts
    wrong = [
        f"{fact.owner}: {fact.field}: want {fact.want!r}, got {fact.got!r}"
        for fact in facts
        if not fact.ok and (path.name, fact.owner, fact.field) not in NOT_RECORDED
    ]
    assert not wrong, "\n".join(wrong)


def test_normalising_twice_changes_nothing() -> None:
    for path in sorted(CASES.glob("*.pb")):
        if ".logs" not in path.name:
            for span in decode_traces(path.read_bytes()).spans:
                once = normalise(span)
                assert normalise(once) == once
                assert replace(once, normalised=None) == span
