"""Whatever an argument is, the function runs, the span is sent, its neighbour too, and the argument is left alone."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import decimal
import enum
import gc
import pathlib
import threading
import time
import traceback
import uuid
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy
import orjson
import pytest

import tracer
from tests.tracer.conftest import Sink
from tracer.capture import capture, to_json


class Raising:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__

    def __len__(self) -> int:
        raise RuntimeError("no len")

    def __bool__(self) -> bool:
        raise RuntimeError("no bool")

    @property
    def content(self) -> str:
        raise RuntimeError("no content")


class RaisingEverywhere:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


def cycle() -> dict[str, Any]:
    value: dict[str, Any] = {"a": 1}
    value["self"] = value
    return value


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


HOSTILE: dict[str, Callable[[], Any]] = {
    "raising repr": Raising,
    "raising repr, nested": lambda: {"a": [Raising()]},
    "raising attributes": RaisingEverywhere,
    "cycle": cycle,
    "5,000 deep": lambda: deep(5_000),
    "lone surrogate": lambda: "a\ud800b",
    "lone surrogate, nested": lambda: {"k\ud800": ["a\udfff"]},
    "lock": threading.Lock,
    "not a number": lambda: [float("nan"), float("inf")],
    "bytes": lambda: b"\x00\xff" * 1000,
    "generator": lambda: (n for n in range(3)),
    "large integers": lambda: {"n": 2**200},
    "keys that are no strings": lambda: {1: "a", None: "b", (1, 2): "c"},
    "coroutine function": lambda: asyncio.sleep,
    "event loop object": asyncio.Lock,
    "numpy": lambda: numpy.ones((1000, 8)),
    "a class": lambda: Raising,
    "a module": lambda: threading,
    "a namespace of hostiles": lambda: SimpleNamespace(a=Raising(), b=cycle()),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_arguments_harm_neither_the_call_nor_the_span_nor_its_neighbour(sink: Sink, name: str) -> None:
    given = HOSTILE[name]()

    @tracer.chain
    def function(value: object) -> object:
        return value

    @tracer.chain
    def canary() -> str:
        return "alive"

    assert function(given) is given
    assert canary() == "alive"
    spans = sink.spans()
    assert set(spans) == {"function", "canary"}
    assert spans["function"]["output.value"]


def test_a_hundred_megabytes_cost_a_moment_and_five_megabytes(sink: Sink) -> None:
    huge = "x" * 100_000_000

    @tracer.chain
    def function(value: object, pair: object) -> None: ...

    start = time.thread_time()
    function(huge, {"text": huge})
    took = time.thread_time() - start
    span = sink.span("function")
    assert took < 0.5  # of CPU: the text is cut, not copied
    assert len(span["input.value"]) < 6_000_000
    assert "[cut: " in span["input.value"]


def test_nothing_is_consumed_mutated_or_kept_alive(sink: Sink) -> None:
    class Thing:
        pass

    thing, numbers = Thing(), iter([1, 2, 3])
    gone = weakref.ref(thing)

    @tracer.chain
    def function(thing: object, numbers: object, changed: list[int]) -> None:
        changed.append(2)

    function(thing, numbers, [1])
    del thing
    gc.collect()
    assert gone() is None
    assert list(numbers) == [1, 2, 3]
    assert sink.span("function").json("input.value")["changed"] == [1]


def test_values_read_as_one_would_write_them() -> None:
    class Colour(enum.Enum):
        RED = "red"

    @dataclasses.dataclass
    class Passage:
        text: str
        score: float

    class Plain:
        def __init__(self) -> None:
            self.a = 1
            self._hidden = 2

    now = datetime.datetime(2026, 11, 24, tzinfo=datetime.timezone.utc)  # noqa: UP017
    unique = uuid.UUID(int=1)
    written = {
        "passage": Passage("t", 0.5),
        "colour": Colour.RED,
        "when": now,
        "id": unique,
        "path": pathlib.PurePosixPath("a/b"),
        "price": decimal.Decimal("1.10"),
        "set": {1},
        "score": numpy.float32(0.5),
        "vector": numpy.array([1.0, 2.0]),
        "matrix": numpy.zeros((100, 3)),
        "bytes": b"abc",
        "error": ValueError("bad"),
        "plain": Plain(),
        "none": None,
    }
    assert orjson.loads(to_json(written)) == {
        "passage": {"text": "t", "score": 0.5},
        "colour": "red",
        "when": "2026-11-24T00:00:00+00:00",
        "id": str(unique),
        "path": "a/b",
        "price": "1.10",
        "set": [1],
        "score": 0.5,
        "vector": [1.0, 2.0],
        "matrix": {"array": "ndarray", "shape": [100, 3], "dtype": "float64"},
        "bytes": "<3 bytes>",
        "error": {"type": "ValueError", "message": "bad"},
        "plain": {"a": 1},
        "none": None,
    }


def test_an_object_graph_without_end_ends() -> None:
    class Node:
        def __init__(self) -> None:
            self.links: list[Any] = []

    nodes = [Node() for _ in range(30)]
    for node in nodes:
        node.links = nodes
    start = time.perf_counter()
    assert len(capture(nodes[0])) < 12_000_000
    assert time.perf_counter() - start < 2


def test_pydantic_models_read_as_their_fields() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Model(pydantic.BaseModel):
        n: int
        tags: list[str]

    assert orjson.loads(to_json(Model(n=1, tags=["a"]))) == {"n": 1, "tags": ["a"]}


@pytest.mark.parametrize("raised", [ValueError("no"), KeyboardInterrupt(), SystemExit(3), asyncio.CancelledError(), GeneratorExit()])
def test_an_exception_passes_through_as_the_same_object(sink: Sink, raised: BaseException) -> None:
    def plain() -> None:
        raise raised

    with pytest.raises(type(raised)) as direct:
        plain()
    depth = len(traceback.extract_tb(direct.value.__traceback__))
    raised.__traceback__ = None
    with pytest.raises(type(raised)) as traced:
        tracer.chain(plain)()
    assert traced.value is raised
    assert len(traceback.extract_tb(raised.__traceback__)) == depth + 1
    span = sink.span("plain")
    if not isinstance(raised, GeneratorExit):
        assert span.status == 2
        assert span.message.startswith(type(raised).__name__)
        name, event = span.events[0]
        assert (name, event["exception.type"].rpartition(".")[2]) == ("exception", type(raised).__name__)
        assert "in plain" in event["exception.stacktrace"]


def test_content_can_be_left_out_globally_per_step_and_per_argument(quiet_sink: Sink) -> None:
    @tracer.chain(ignore=["key"])
    def without_key(question: str, key: str) -> str:
        return question

    @tracer.chain(capture_input=False, capture_output=False)
    def without_content(question: str) -> str:
        tracer.current_span().set_input("x").set_output("y")
        return question

    tracer.configure(endpoint=quiet_sink.url, spool=False)
    without_key("why", "k")
    without_content("why")
    spans = quiet_sink.spans()
    assert spans["without_key"]["input.value"] == "why"
    assert spans["without_content"].get("input.value") is spans["without_content"].get("output.value") is None

    tracer.configure(endpoint=quiet_sink.url, spool=False, capture=False)

    @tracer.retriever
    def nothing(question: str) -> list[dict[str, str]]:
        tracer.current_span().set_documents([{"id": "a", "content": "secret"}]).set_query(question)
        return []

    nothing("why")
    span = quiet_sink.span("nothing")
    assert span.get("input.value") is span.get("output.value") is span.get("gen_ai.retrieval.query.text") is None
    assert span.json("gen_ai.retrieval.documents") == [{"id": "a", "rank": 1}]
