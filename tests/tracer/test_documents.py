from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy
import orjson
import pytest

import tracer
from tests.tracer.conftest import Sink
from tracer.capture import to_json
from tracer.documents import documents


@dataclass
class Passage:
    id: int
    text: str
    source: str


class LangChain:
    """A LangChain document, by its fields."""

    model_fields = {"page_content": None, "metadata": None, "id": None}  # noqa: RUF012

    def __init__(self, text: str, **metadata: Any) -> None:
        self.page_content, self.metadata, self.id = text, metadata, "lc-1"

    def model_dump(self) -> dict[str, Any]:
        return {"page_content": self.page_content, "metadata": self.metadata, "id": self.id, "type": "Document"}


class NodeWithScore:
    """A LlamaIndex node with its score, by its fields."""

    model_fields = {"node": None, "score": None}  # noqa: RUF012

    def __init__(self, text: str, score: float) -> None:
        self.node = SimpleNamespace(node_id="n-1", get_content=lambda: text, metadata={"source": "a.md"})
        self.score = score


@dataclass
class HaystackDocument:
    id: str
    content: str
    meta: dict[str, Any]
    score: float
    embedding: list[float] | None = None


CASES: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "texts": (["a", "b"], [{"content": "a", "rank": 1}, {"content": "b", "rank": 2}]),
    "pairs": ([("a", 0.9)], [{"content": "a", "score": 0.9, "rank": 1}]),
    "score first": ([(0.9, "a")], [{"content": "a", "score": 0.9, "rank": 1}]),
    "numpy scores": ([("a", numpy.float32(0.5))], [{"content": "a", "score": 0.5, "rank": 1}]),
    "two lists": ((["a"], [0.9]), [{"content": "a", "score": 0.9, "rank": 1}]),
    "dataclass": ([Passage(7, "a", "f.md")], [{"id": "7", "content": "a", "rank": 1, "metadata": {"source": "f.md"}}]),
    "dict": ([{"text": "a", "doc_id": 3, "meta": {"p": 1}}], [{"id": "3", "content": "a", "rank": 1, "metadata": {"p": 1}}]),
    "distance": ([{"text": "a", "distance": 0.2}], [{"content": "a", "score": 0.2, "score_kind": "distance", "rank": 1}]),
    "LangChain": ([LangChain("a", source="f.md")], [{"id": "lc-1", "content": "a", "rank": 1, "metadata": {"source": "f.md"}}]),
    "LangChain with score": (
        [(LangChain("a", source="f.md"), 0.7)],
        [{"id": "lc-1", "content": "a", "score": 0.7, "rank": 1, "metadata": {"source": "f.md"}}],
    ),
    "LlamaIndex": ([NodeWithScore("a", 0.8)], [{"id": "n-1", "content": "a", "score": 0.8, "rank": 1, "metadata": {"source": "a.md"}}]),
    "Haystack": (
        {"documents": [HaystackDocument("h", "a", {"page": 2}, 0.4, [0.1] * 3)]},
        [{"id": "h", "content": "a", "score": 0.4, "rank": 1, "metadata": {"page": 2}}],
    ),
    "no documents": ({"answer": 42}, []),
    "numbers": ([1, 2, 3], []),
}


@pytest.mark.parametrize("name", CASES)
def test_what_retrievers_return_becomes_documents(name: str) -> None:
    given, expected = CASES[name]
    assert documents(orjson.loads(to_json(given))) == expected


def test_a_reranker_shows_what_it_was_given_and_what_it_kept(sink: Sink) -> None:
    @tracer.reranker(stage="rerank")
    def rerank(question: str, passages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return passages[::-1]

    rerank("why?", [{"id": "a", "text": "x"}, {"id": "b", "text": "y"}])
    span = sink.span("rerank")
    assert span["reranker.query"] == "why?"
    assert [d["id"] for d in span.json("rightpassage.input_documents")] == ["a", "b"]
    assert [(d["id"], d["rank"]) for d in span.json("gen_ai.retrieval.documents")] == [("b", 1), ("a", 2)]
    assert span["rightpassage.stage"] == "rerank"


def test_candidates_add_up_with_stage_kind_and_reason(sink: Sink) -> None:
    with tracer.retriever("recall") as span:
        span.set_candidates([{"id": "a", "score": 3.0}], stage="recall", score_kind="bm25")
        span.set_candidates([{"id": "b", "score": 0.2, "dropped": "below cut"}], stage="recall", score_kind="cosine")
        span.set_index("docs", version="v61", passage_count=100, dimension=384)
    seen = sink.span("recall")
    assert seen.json("rightpassage.candidates") == [
        {"id": "a", "score": 3.0, "score_kind": "bm25", "rank": 1, "stage": "recall"},
        {"id": "b", "score": 0.2, "score_kind": "cosine", "rank": 1, "stage": "recall", "dropped": "below cut"},
    ]
    assert (seen["rightpassage.index.name"], seen["rightpassage.index.passage_count"]) == ("docs", 100)


def test_a_result_is_recorded_beside_candidates_and_not_beside_documents(sink: Sink) -> None:
    found = [{"id": "a", "content": "x"}, {"id": "b", "content": "y"}]

    @tracer.retriever
    def with_candidates(question: str) -> list[dict[str, str]]:
        tracer.current_span().set_candidates(found, stage="recall")
        return found[:1]

    @tracer.retriever
    def with_documents(question: str) -> list[dict[str, str]]:
        tracer.current_span().set_documents(found[:1])
        return found

    with_candidates("q")
    with_documents("q")
    spans = sink.spans()
    for span in spans.values():
        assert [document["id"] for document in span.json("gen_ai.retrieval.documents")] == ["a"]
    assert spans["with_documents"].get("output.value") is None


def test_embeddings_of_documents_are_not_kept(sink: Sink) -> None:
    vector = [0.125 * n for n in range(1024)]
    sparse = {"indices": list(range(300)), "values": vector[:300]}
    quoted = orjson.dumps({"embedding": vector}).decode()
    found: list[Any] = [HaystackDocument("h", quoted, {"page": 2}, 0.4, vector), {"id": "b", "content": "b", "sparse_embedding": sparse}]

    @tracer.retriever
    def retrieve(question: str) -> list[Any]:
        return found

    @tracer.chain
    def pipeline(question: str) -> dict[str, Any]:
        return {"documents": retrieve(question), "embeddings": [vector, vector], "vector": [1.0, 2.0]}

    pipeline("why?")
    spans = sink.spans()
    first, second = spans["retrieve"].json("output.value")
    assert first == {"id": "h", "content": quoted, "meta": {"page": 2}, "score": 0.4, "embedding": "<1024 numbers>"}
    assert second["sparse_embedding"] == "<600 numbers>"
    assert [document["content"] for document in spans["retrieve"].json("gen_ai.retrieval.documents")] == [quoted, "b"]
    said = spans["pipeline"].json("output.value")
    assert (said["embeddings"], said["vector"]) == ("<2048 numbers>", [1.0, 2.0])
    assert found[0].embedding == vector
