from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tracer
from tests.tracer.conftest import Sink
from tracer.testing import CapturedSpans, assert_not_retrieved, assert_retrieved, capture_spans


@tracer.retriever(stage="recall")
def retrieve(question: str) -> list[dict[str, str]]:
    return [{"id": "a", "content": "Mount a volume", "source": "volumes.md"}, {"id": "b", "content": "Publish", "source": "ports.md"}]


@tracer.chain
def answer(question: str) -> str:
    retrieve(question)
    with tracer.llm("generate") as span:
        span.set_model("gpt-4o-mini").set_output("with -v")
    return "with -v"


def test_spans_of_a_block_are_at_hand() -> None:
    with capture_spans() as spans:
        answer("How?")
    assert [span.name for span in spans] == ["answer", "retrieve", "generate"]
    assert (spans.named("generate").model, spans.named("generate").output) == ("gpt-4o-mini", "with -v")
    assert spans.named("retrieve").query == "How?"
    assert [document["id"] for document in spans.named("retrieve").documents] == ["a", "b"]
    assert [span.name for span in spans.children(spans[0])] == ["retrieve", "generate"]
    assert spans.tree().splitlines()[1].startswith("  RETRIEVER retrieve")
    with pytest.raises(LookupError, match="there are answer, generate, retrieve"):
        spans.named("retreive")


def test_assert_retrieved_says_what_was_retrieved_instead() -> None:
    with capture_spans() as spans:
        answer("How?")
    assert_retrieved(spans, "volumes.md", k=1)
    assert_retrieved(spans, "b", stage="recall")
    assert_retrieved(spans, "Mount a vol")
    assert_not_retrieved(spans, "images.md")
    with pytest.raises(AssertionError, match=r"'ports.md' was not retrieved among the first 1\n  retrieve: a"):
        assert_retrieved(spans, "ports.md", k=1)
    with pytest.raises(AssertionError, match="was retrieved by retrieve"):
        assert_not_retrieved(spans, "ports.md")


def test_captured_spans_do_not_reach_the_collector_unless_asked(sink: Sink) -> None:
    with capture_spans():
        answer("How?")
    assert sink.spans() == {}
    with capture_spans(deliver=True) as spans:
        answer("How?")
    assert set(sink.spans()) == {span.name for span in spans}


def test_the_fixtures(captured_spans: CapturedSpans, assert_retrieved: object) -> None:
    answer("How?")
    assert callable(assert_retrieved)
    assert_retrieved("volumes.md", k=1)
    assert captured_spans[0].json("metadata")["test"].endswith("test_the_fixtures")


def test_a_failed_test_shows_its_tree_and_links_its_trace(quiet_sink: Sink, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("""
import tracer

@tracer.retriever
def retrieve(q): return [{"id": "ports.md", "content": "x"}]

def test_it(captured_spans, assert_retrieved):
    retrieve("How?")
    assert_retrieved("volumes.md")
""")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--trace-to", quiet_sink.url, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 1
    assert "RETRIEVER retrieve" in done.stdout
    assert "→ ports.md" in done.stdout
    [span] = quiet_sink.all()
    assert f"/trace?trace_id={span.trace_id}" in done.stdout
