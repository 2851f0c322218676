from __future__ import annotations

import asyncio
import functools
import logging
from typing import Any

import pytest

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


def test_name_and_model_may_be_keywords(sink: Sink) -> None:
    @tracer.retriever(name="pairs")
    def retrieve(question: str) -> list[str]:
        return [question]

    @tracer.llm(model="my-model")
    def generate(prompt: str) -> str:
        return prompt

    retrieve("why?")
    generate("why?")
    with tracer.embedding(name="vectors", model="small"), tracer.reranker("sort", model="cross"), tracer.span("any", kind="LLM", model="m"):
        pass
    spans = sink.spans()
    assert spans["generate"]["gen_ai.request.model"] == spans["generate"]["llm.model_name"] == "my-model"
    assert spans["vectors"]["embedding.model_name"] == "small"
    assert spans["sort"]["reranker.model_name"] == "cross"
    assert spans["any"]["gen_ai.request.model"] == "m"
    assert spans["pairs"].json("gen_ai.retrieval.documents")[0]["content"] == "why?"


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "a typo": ({"nmae": "x"}, "tracer.chain(nmae=…) is unknown and was left out; known are name, stage, capture_input"),
    "no model": ({"model": "x"}, "tracer.chain(model=…) is unknown and was left out; known are name, stage, capture_input"),
    "a stage": ({"stage": "x"}, "unknown stage 'x'; known are rewrite"),
    "ignore": ({"ignore": 5}, "a piece of telemetry was lost: TypeError"),
    "attributes": ({"attributes": ["x"]}, "a piece of telemetry was lost: AttributeError"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_decorating_is_told_and_the_program_goes_on(sink: Sink, mistake: str, caplog: pytest.LogCaptureFixture) -> None:
    options, told = MISTAKES[mistake]
    with caplog.at_level(logging.WARNING, "tracer"):
        decorated = tracer.chain(**options)(abs)
    assert decorated(-1) == 1
    assert [told in record.getMessage() for record in caplog.records] == [True]
    with tracer.chain(**options) as span:
        span.set_output(1)


def test_functions_with_keywords_take_a_typo_too(sink: Sink, caplog: pytest.LogCaptureFixture) -> None:
    typo: dict[str, Any] = {"nmea": "x"}
    with caplog.at_level(logging.WARNING, "tracer"):
        tracer.configure(endpoint=sink.url, spool=False, **typo)
        with tracer.span("a step", **typo):
            tracer.score("good", 1, **typo)
    assert [record.getMessage().partition("(")[0] for record in caplog.records] == ["tracer.configure", "tracer.span", "tracer.score"]
    assert sink.span("a step").json("rightpassage.scores")[0]["name"] == "good"
