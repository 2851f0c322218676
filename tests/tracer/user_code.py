"""What users write, as `pyright --strict` sees it: `tests/tracer/test_user_code.py` checks this file. Nothing here runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import assert_type

import tracer


@tracer.retriever
def retrieve(question: str, *, k: int = 3) -> list[str]:
    return [question] * k


@tracer.reranker("rerank", stage="rerank", ignore=["passages"])
def rerank(question: str, passages: list[str]) -> list[str]:
    return passages


@tracer.embedding()
async def embed(texts: list[str]) -> list[list[float]]:
    return [[0.0] for _ in texts]


@tracer.llm(reduce="".join)
def stream(prompt: str) -> Iterator[str]:
    yield prompt


@tracer.llm
async def stream_async(prompt: str) -> AsyncIterator[str]:
    yield prompt


class Pipeline:
    @tracer.chain
    def answer(self, question: str) -> str:
        return retrieve(question)[0]

    @tracer.tool
    @classmethod
    def make(cls, size: int) -> Pipeline:
        return cls()

    @tracer.tool
    @staticmethod
    def add(a: int, b: int) -> int:
        return a + b


@tracer.retriever(name="pairs", stage="recall")
def pairs(question: str) -> list[tuple[str, float]]:
    return [(question, 1.0)]


@tracer.llm(model="my-model")
def generate(prompt: str) -> str:
    return prompt


@tracer.span("route", kind="AGENT")
def route(question: str) -> bool:
    return bool(question)


async def use() -> None:
    assert_type(retrieve("q", k=2), list[str])
    assert_type(rerank("q", []), list[str])
    assert_type(await embed(["a"]), list[list[float]])
    assert_type(stream("p"), Iterator[str])
    assert_type([text async for text in stream_async("p")], list[str])
    assert_type(Pipeline().answer("q"), str)
    assert_type(Pipeline.make(1), Pipeline)
    assert_type(Pipeline.add(1, 2), int)
    assert_type(route("q"), bool)
    assert_type(pairs("q"), list[tuple[str, float]])
    assert_type(generate("p"), str)
    with tracer.llm(name="x", model="m") as asked, tracer.embedding("y", model="m"), tracer.reranker(model="m"):
        asked.set_usage(1, 2)
    work: Callable[[str], str] = tracer.carried(Pipeline().answer)
    with tracer.session("s"), tracer.user("u"), tracer.tags("a"), tracer.metadata(b=1), tracer.prompt("build", stage="assemble") as span:
        assert_type(span, tracer.Span)
        span.set_prompt("{q}", {"q": work("x")}).set_output("x").set_usage(1, 2, cached_input_tokens=1)
        span.set(query="q", documents=[("a", 0.5)], usage={"input_tokens": 1}, model="m", tags=["t"])
        tracer.score("good", 1.0, explanation="yes")
    assert_type(tracer.flush(), tracer.Delivery)
    assert_type(tracer.current_trace_id(), str | None)


def wrong() -> None:
    retrieve(1)  # pyright: ignore[reportArgumentType]  (the signature is kept)
    retrieve("q", n=1)  # pyright: ignore[reportCallIssue]  (the signature is kept)
    Pipeline().answer()  # pyright: ignore[reportCallIssue]  (the signature is kept)
    with tracer.chain("x") as span:
        span.set(qeury="typo")  # pyright: ignore[reportCallIssue]  (names are checked)
    generate(1)  # pyright: ignore[reportArgumentType]  (the signature is kept)
    tracer.chain(nmae="typo")  # pyright: ignore[reportCallIssue]  (names are checked)
    tracer.chain(model="m")  # pyright: ignore[reportCallIssue]  (a chain asks no model)
    tracer.retriever(name=1)  # pyright: ignore[reportArgumentType]  (a name is text)
    tracer.span("x", nmae="typo")  # pyright: ignore[reportCallIssue]  (names are checked)
    tracer.configure(servcie="typo")  # pyright: ignore[reportCallIssue]  (names are checked)
