"""The funnel over traces as stages record them: joined by id, else by text; what is not recorded is not claimed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from collector.diagnosis.funnel import Row, funnel, prompt
from collector.model import (
    Candidate,
    Citation,
    Document,
    Message,
    Normalised,
    Placement,
    Prompt,
    Span,
    SpanKind,
    StatusCode,
    Trace,
    TraceSummary,
    Usage,
)
from tests.collector.served import rag_trace, served

SUMMARY = TraceSummary("a" * 32, "ask", False, (), None, None, (), 0, 9, 1, 0, StatusCode.UNSET, Usage(), None, None, None, None)


def trace_of(*steps: Normalised) -> Trace:
    spans = [Span("a" * 32, f"{number:016x}", "", "step", number, number + 1, normalised=step) for number, step in enumerate(steps, 1)]
    return Trace(SUMMARY, spans)


def by_id(rows: Sequence[Row]) -> dict[str | None, Row]:
    return {row.id: row for row in rows}


RECALL = Normalised(
    kind=SpanKind.RETRIEVER,
    documents=(Document("Refunds take five days.", "faq-7", 0.8, "cosine", 1), Document("Returns are free.", "faq-9", 0.4, "cosine", 2)),
    candidates=(Candidate("faq-1", None, "recall", 3, 0.1, "cosine", "below cut"),),
)
RERANK = Normalised(
    kind=SpanKind.RERANKER,
    input_documents=(Document("Refunds  take five days."), Document("Returns are free.", "faq-9")),
    documents=(Document("Returns are free.", "faq-9", 3.1, "rerank", 1),),
)


def test_a_passage_is_followed_over_stages_by_id_and_by_text():
    rows = by_id(funnel(trace_of(RECALL, RERANK)))
    assert set(rows) == {"faq-1", "faq-7", "faq-9"}
    assert [(seen.stage, seen.rank, seen.dropped) for seen in rows["faq-9"].stages] == [("recall", 2, None), ("rerank", 1, None)]
    assert [(seen.stage, seen.rank, seen.dropped) for seen in rows["faq-7"].stages] == [("recall", 1, None), ("rerank", None, "input")]
    assert rows["faq-1"].stages[0].dropped == "below cut"


def test_what_got_furthest_comes_first():
    assert [row.id for row in funnel(trace_of(RERANK, RECALL))] == ["faq-9", "faq-7", "faq-1"]


def test_nothing_is_claimed_about_prompt_and_citations_that_were_not_recorded():
    row = by_id(funnel(trace_of(RECALL)))["faq-7"]
    assert (row.placed, row.cited) == (None, None)
    assert prompt(trace_of(RECALL)) is None


def test_recorded_placement_and_citations_are_joined():
    answer = Normalised(
        kind=SpanKind.LLM,
        placement=(Placement("faq-7", 1, message=0, start=10, end=33),),
        citations=(Citation("[1]", "faq-7", True),),
        prompt=Prompt("Answer from {context}", {"context": "…"}, "answer", "3"),
    )
    trace = trace_of(RECALL, answer)
    rows = by_id(funnel(trace))
    assert (rows["faq-7"].placed, rows["faq-7"].cited, rows["faq-7"].markers) == (True, True, ["[1]"])
    assert (rows["faq-9"].placed, rows["faq-9"].cited) == (False, False)
    used = prompt(trace)
    assert used is not None
    assert (used.template, used.version, used.placement[0].id) == ("Answer from {context}", "3", "faq-7")


def test_without_placement_the_text_is_looked_up_in_the_model_input():
    call = Normalised(kind=SpanKind.LLM, input_messages=(Message("user", "Context:\nRefunds take\nfive days.\nHow long?"),))
    rows = by_id(funnel(trace_of(RECALL, call)))
    assert (rows["faq-7"].placed, rows["faq-9"].placed, rows["faq-1"].placed) == (True, False, None)


def test_equal_texts_with_two_ids_stay_two_passages():
    twins = Normalised(kind=SpanKind.RETRIEVER, documents=(Document("same", "a"), Document("same", "b")))
    assert {row.id for row in funnel(trace_of(twins))} == {"a", "b"}


def test_the_route_answers_for_a_trace_of_another_sdk(tmp_path: Path):
    with served(tmp_path) as collector:
        trace, spans = rag_trace()
        collector.send(*spans)
        answer = collector.http.get(f"/api/v1/traces/{trace}/diagnosis")
        assert answer.status_code == 200
        found = answer.json()
        assert set(found) == {"verdict", "funnel", "provenance", "prompt", "health"}
        assert [(row["id"], row["stages"][0]["rank"], row["stages"][0]["score"]) for row in found["funnel"]] == [
            ("faq-7", 1, 0.82),
            ("faq-9", 2, 0.41),
        ]
        assert collector.http.get(f"/api/v1/traces/{'0' * 31}1/diagnosis").status_code == 404
