"""The real objects of libraries, where they are installed; the same shapes without them are in the tests of each module."""

from __future__ import annotations

from typing import Any

import pytest

import tracer
from tests.tracer.conftest import Sink

ROWS = [{"id": "a", "text": "alpha", "score": 0.9}, {"id": "b", "text": "beta", "score": 0.1}]
FOUND = [("a", "alpha", 0.9, 1), ("b", "beta", 0.1, 2)]


def found(sink: Sink, value: object) -> list[tuple[Any, ...]]:
    """The documents of a retriever that returns this value."""

    @tracer.retriever
    def retrieve(question: str) -> object:
        return value

    assert retrieve("why?") is value
    documents = sink.span("retrieve").json("gen_ai.retrieval.documents")
    return [tuple(document.get(name) for name in ("id", "content", "score", "rank")) for document in documents]


def captured(sink: Sink, value: object) -> Any:
    with tracer.chain("value") as span:
        span.set_output({"value": value})
    return sink.span("value").json("output.value")["value"]


def test_pandas(sink: Sink) -> None:
    pandas: Any = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ROWS)
    assert found(sink, frame) == FOUND


def test_rows_of_pandas(sink: Sink) -> None:
    pandas: Any = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ROWS)
    assert found(sink, [row for _, row in frame.iterrows()]) == FOUND
    assert captured(sink, frame["score"]) == {"series": "Series", "length": 2, "head": [0.9, 0.1]}


def test_times_of_pandas(sink: Sink) -> None:
    pandas: Any = pytest.importorskip("pandas")
    assert captured(sink, [pandas.Timestamp("2026-01-01"), pandas.NaT]) == ["2026-01-01T00:00:00", "NaT"]


def test_polars(sink: Sink) -> None:
    polars: Any = pytest.importorskip("polars")
    assert found(sink, polars.DataFrame(ROWS)) == FOUND


def test_a_frame_of_many_rows_shows_its_first_ones_and_no_documents(sink: Sink) -> None:
    pandas: Any = pytest.importorskip("pandas")
    frame = pandas.DataFrame([{"id": str(n), "text": "x"} for n in range(1000)])

    @tracer.retriever
    def retrieve(question: str) -> Any:
        return frame

    retrieve("why?")
    span = sink.span("retrieve")
    assert span.get("gen_ai.retrieval.documents") is None
    assert (span.json("output.value")["shape"], len(span.json("output.value")["head"])) == ([1000, 2], 20)


def test_torch(sink: Sink) -> None:
    torch: Any = pytest.importorskip("torch")
    assert found(sink, list(zip(["alpha", "beta"], torch.tensor([0.5, 0.25]), strict=True))) == [
        (None, "alpha", 0.5, 1),
        (None, "beta", 0.25, 2),
    ]
    assert captured(sink, torch.ones(1000, 768)) == {"array": "Tensor", "shape": [1000, 768], "dtype": "torch.float32"}


def test_langchain(sink: Sink) -> None:
    documents: Any = pytest.importorskip("langchain_core.documents")
    document = documents.Document(page_content="alpha", metadata={"source": "a.md"}, id="a")
    assert found(sink, [(document, 0.9)]) == [("a", "alpha", 0.9, 1)]


def test_llamaindex(sink: Sink) -> None:
    schema: Any = pytest.importorskip("llama_index.core.schema")
    node = schema.TextNode(text="alpha", id_="a", metadata={"file": "a.md"}, embedding=[0.1] * 1536)
    assert found(sink, [schema.NodeWithScore(node=node, score=0.9)]) == [("a", "alpha", 0.9, 1)]


def test_haystack(sink: Sink) -> None:
    haystack: Any = pytest.importorskip("haystack")
    assert found(sink, {"documents": [haystack.Document(id="a", content="alpha", score=0.9)]}) == [("a", "alpha", 0.9, 1)]


def test_numbers_of_numpy(sink: Sink) -> None:
    numpy: Any = pytest.importorskip("numpy")
    with tracer.llm("model") as span:
        span.set_usage(numpy.int64(3), 2).set_cost(numpy.float32(0.5)).set_index("docs", passage_count=numpy.int32(4))
    seen = sink.span("model")
    assert (seen["gen_ai.usage.input_tokens"], seen["llm.cost.total"], seen["rightpassage.index.passage_count"]) == (3, 0.5, 4)
