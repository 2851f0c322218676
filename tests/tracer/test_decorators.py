from __future__ import annotations

import asyncio
import functools

import tracer
from tests.tracer.conftest import Sink


def test_a_pipeline_becomes_one_tree(sink: Sink) -> None:
    @tracer.retriever
    def retrieve(question: str) -> list[dict[str, object]]:
        return [{"id": "a", "content": question, "score": 0.5, "source": "faq.md"}]

    @tracer.llm
    def generate(prompt: str) -> str:
        return prompt.upper()

    @tracer.chain
    def answer(question: str) -> str:
        return generate(str(retrieve(question)[0]["content"]))

    assert answer("why?") == "WHY?"
    spans = sink.spans()
    assert {name: span["openinference.span.kind"] for name, span in spans.items()} == {
        "retrieve": "RETRIEVER",
        "generate": "LLM",
        "answer": "CHAIN",
    }
    assert spans["retrieve"].parent_id == spans["generate"].parent_id == spans["answer"].span_id
    assert spans["retrieve"].json("gen_ai.retrieval.documents") == [
        {"id": "a", "content": "why?", "score": 0.5, "rank": 1, "metadata": {"source": "faq.md"}}
    ]
    assert spans["answer"]["input.value"] == "why?"
    assert spans["answer"]["output.value"] == "WHY?"


def test_every_shape_of_callable(sink: Sink) -> None:
    class Pipeline:
        @tracer.chain
        def method(self, n: int) -> int:
            return n

        @tracer.chain
        @classmethod
        def of_class(cls, n: int) -> int:
            return n

        @tracer.chain
        @staticmethod
        def static(n: int) -> int:
            return n

    class Callable:
        def __call__(self, n: int) -> int:
            return n

    async def coroutine(n: int) -> int:
        return n

    assert (Pipeline().method(1), Pipeline.of_class(2), Pipeline.static(3)) == (1, 2, 3)
    assert tracer.chain(Callable())(4) == 4
    assert asyncio.run(tracer.chain(functools.partial(coroutine))(5)) == 5
    assert tracer.chain(len)([1, 2]) == 2
    spans = sink.spans()
    assert {name: span["input.value"] for name, span in spans.items()} == {
        "method": "1",
        "of_class": "2",
        "static": "3",
        "Callable": "4",
        "coroutine": "5",
        "len": "[1,2]",
    }


def test_methods_of_what_is_wrapped_stay(sink: Sink) -> None:
    @tracer.chain
    @functools.lru_cache
    def slow(n: int) -> int:
        return n

    assert (slow(1), slow(1)) == (1, 1)
    assert slow.cache_info().hits == 1
    slow.cache_clear()
    assert slow.cache_info().hits == 0
