"""Further recordings of real instrumentations, made by `benchmarks.live_instrumentations`: every fact of them is shown, in any order.

Where content travelled as log records, the facts that need them are under `spans_with_logs` and hold once the records are joined.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from collector import jsonform
from collector.dialects import join_logs, normalise
from collector.model import Trace
from collector.otlp import decode_logs, decode_traces
from collector.rollup import borrow, summarise
from tests.collector.test_otlp_cases import checker, content_type, facts_of

CASES = Path(__file__).parents[1] / "cases" / "otlp_live"
PATHS = sorted(CASES.glob("*.expect.json"))
WITH_LOGS = [path for path in PATHS if '"spans_with_logs": [\n' in path.read_text(encoding="utf-8")]


def name_of(path: Path) -> str:
    return path.name.removesuffix(".expect.json")


def wrong_of(facts: list[Any]) -> list[str]:
    return [f"{fact.owner}: {fact.field}: want {fact.want!r}, got {fact.got!r}" for fact in facts if not fact.ok and not fact.bonus]


@pytest.mark.parametrize("path", PATHS, ids=name_of)
def test_every_fact_of_a_live_recording_is_shown(path: Path) -> None:
    for order in ("forward", "reverse"):
        facts = facts_of(path, order)
        assert facts
        assert not wrong_of(facts), f"{order}:\n" + "\n".join(wrong_of(facts))


@pytest.mark.parametrize("path", WITH_LOGS, ids=name_of)
def test_log_records_bring_the_content_of_their_spans(path: Path) -> None:
    expect = json.loads(path.read_text(encoding="utf-8"))
    spans = [
        span for body in expect["bodies"] for span in decode_traces((path.parent / body["file"]).read_bytes(), content_type(body)).spans
    ]
    logs = [record for body in expect["companion_logs"] for record in decode_logs((path.parent / body["file"]).read_bytes()).logs]
    joined = [join_logs(normalise(span), [log for log in logs if log.span_id == span.span_id]) for span in spans]
    shown = json.loads(jsonform.encode(jsonform.to_json(Trace(summarise(borrow(joined)), borrow(joined)))))
    by_id = {span["span_id"]: span for span in shown["spans"]}
    for span in expect["spans_with_logs"]:
        facts = list(checker.facts_about(span["name"], span, by_id[span["span_id"]], checker.SPAN_RULES, "span not shown"))
        assert not wrong_of(facts), "\n".join(wrong_of(facts))
