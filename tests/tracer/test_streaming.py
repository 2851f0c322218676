"""The streaming rows of performance.md §3.4, one story each."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import tracer
from tests.tracer.conftest import Sink
from tracer.streaming import Stream


@tracer.llm("generate")
def words() -> Iterator[str]:
    with tracer.tool("inside"):
        yield "Mount "
    yield "it."


@tracer.llm("generate")
async def words_async() -> AsyncIterator[str]:
    with tracer.tool("inside"):
        yield "Mount "
    await asyncio.sleep(0)
    yield "it."


def test_output_is_accumulated_and_inner_work_nests(sink: Sink) -> None:
    with tracer.chain("request"):
        assert "".join(words()) == "Mount it."
    spans = sink.spans()
    assert spans["generate"]["output.value"] == "Mount it."
    assert spans["inside"].parent_id == spans["generate"].span_id
    assert spans["generate"].parent_id == spans["request"].span_id
    assert spans["generate"]["gen_ai.response.time_to_first_chunk"] >= 0
    assert spans["generate"].json("gen_ai.output.messages") == [{"role": "assistant", "parts": [{"type": "text", "content": "Mount it."}]}]


def test_async_output_is_accumulated_and_inner_work_nests(sink: Sink) -> None:
    async def request() -> str:
        with tracer.chain("request"):
            return "".join([word async for word in words_async()])

    assert asyncio.run(request()) == "Mount it."
    spans = sink.spans()
    assert spans["generate"]["output.value"] == "Mount it."
    assert spans["inside"].parent_id == spans["generate"].span_id
    assert spans["generate"].parent_id == spans["request"].span_id


def test_a_stream_left_half_way_keeps_what_came_and_is_marked(sink: Sink) -> None:
    @tracer.chain
    def count() -> Iterator[int]:
        yield 1
        yield 2

    for _ in count():
        break
    gc.collect()
    with tracer.chain("sibling"):
        pass
    spans = sink.spans()
    assert spans["count"].json("output.value") == [1]
    assert spans["count"]["rightpassage.cancelled"] is True
    assert spans["count"].status == 0
    assert spans["sibling"].parent_id == ""


def test_a_sibling_after_a_half_consumed_stream_has_the_right_parent(sink: Sink) -> None:
    with tracer.chain("request"):
        stream = words()
        next(stream)
        with tracer.chain("sibling"):
            pass
        stream.close()  # type: ignore[attr-defined]
    spans = sink.spans()
    assert spans["sibling"].parent_id == spans["request"].span_id


def test_async_for_with_break_sends_the_partial_chunk(sink: Sink) -> None:
    async def request() -> None:
        async for _ in words_async():
            break

    asyncio.run(request())
    gc.collect()
    span = sink.span("generate")
    assert span["output.value"] == "Mount "
    assert span["rightpassage.cancelled"] is True


def test_steps_from_fresh_contexts_log_nothing_and_leak_nothing(sink: Sink, caplog: pytest.LogCaptureFixture) -> None:
    stream = words()
    with caplog.at_level(logging.WARNING):
        assert contextvars.Context().run(next, stream) == "Mount "
        assert contextvars.copy_context().run(next, stream) == "it."
        assert contextvars.Context().run(next, stream, None) is None
        assert tracer.current_trace_id() is None
    assert caplog.records == []
    spans = sink.spans()
    assert spans["inside"].parent_id == spans["generate"].span_id


def test_async_steps_from_other_tasks_log_nothing(sink: Sink, caplog: pytest.LogCaptureFixture) -> None:
    async def request() -> list[str]:
        stream = words_async()
        return [await asyncio.create_task(stream.__anext__()) for _ in range(2)]  # type: ignore[arg-type]

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(request()) == ["Mount ", "it."]
    assert caplog.records == []
    assert sink.span("inside").parent_id == sink.span("generate").span_id


def test_a_cancelled_task_is_sent_and_marked(sink: Sink) -> None:
    @tracer.llm
    async def slow() -> str:
        await asyncio.sleep(60)
        return "never"

    async def request() -> None:
        task = asyncio.create_task(slow())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(request())
    span = sink.span("slow")
    assert span["rightpassage.cancelled"] is True
    assert span.status == 2


def test_a_stream_that_raises_keeps_its_output_and_its_error(sink: Sink) -> None:
    @tracer.llm
    def failing() -> Iterator[str]:
        yield "so far"
        raise ValueError("cut off")

    with pytest.raises(ValueError, match="cut off"):
        list(failing())
    span = sink.span("failing")
    assert span["output.value"] == "so far"
    assert (span.status, span.message) == (2, "ValueError: cut off")


def test_send_throw_close_and_return_reach_the_generator(sink: Sink) -> None:
    said: list[Any] = []

    @tracer.chain
    def talk() -> Any:
        try:
            said.append((yield "ready"))
            yield "more"
        except KeyError:
            said.append("thrown")
            return "done"

    stream = talk()
    assert next(stream) == "ready"
    assert stream.send("hello") == "more"
    with pytest.raises(StopIteration) as stopped:
        stream.throw(KeyError("x"))
    assert (said, stopped.value.value) == (["hello", "thrown"], "done")


def test_reduce_turns_items_into_the_output(sink: Sink) -> None:
    @tracer.llm(reduce=lambda chunks: "".join(chunk["delta"] for chunk in chunks))
    def chunks() -> Iterator[dict[str, str]]:
        yield {"delta": "a"}
        yield {"delta": "b"}

    list(chunks())
    assert sink.span("chunks")["output.value"] == "ab"


def test_a_stream_never_read_leaves_no_span_and_streams_left_half_way_leave_nothing(quiet_sink: Sink) -> None:
    """2,000 of them by the number of objects; a hundred thousand are in `benchmarks.tracer_promises`."""
    quiet_sink.answer = lambda handler, body: (200, {}, b"")
    tracer.configure(endpoint=quiet_sink.url, spool=False)

    @tracer.chain(capture_output=False)
    def numbers() -> Iterator[int]:
        yield 1
        yield 2

    def leave(times: int) -> int:
        for _ in range(times):
            for _ in numbers():
                break
        tracer.flush(20)
        gc.collect()
        return sum(isinstance(thing, (tracer.Span, Stream)) for thing in gc.get_objects())

    numbers()
    before = leave(100)
    assert leave(2_000) <= before
    assert tracer.delivery().acked == 2_100


def test_a_plain_function_may_return_a_generator_or_a_coroutine(sink: Sink) -> None:
    @tracer.chain
    def lazily() -> Iterator[str]:
        return (word for word in ("a", "b"))

    async def later() -> str:
        return "later"

    @tracer.chain
    def soon() -> Any:
        return later()

    assert list(lazily()) == ["a", "b"]
    assert asyncio.run(soon()) == "later"
    spans = sink.spans()
    assert spans["lazily"]["output.value"] == "ab"
    assert spans["soon"]["output.value"] == "later"
