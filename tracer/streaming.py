"""A stream under a span: the span ends when the consumer finishes, closes or abandons the stream, with what was yielded as its output.

The span is current only while the stream works, around each single step, never across a yield: so work inside nests under it, the
consumer's own spans do not, and a web server may take every step in another context. Items are kept up to the limit of a captured value;
texts are joined, anything else becomes a list.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Generator
from types import TracebackType
from typing import Any, Self

from opentelemetry.context import Context, attach, get_current

from tracer import conventions as names
from tracer.capture import capture, to_json
from tracer.lightspan import Span
from tracer.safety import quiet, safely

_ITEM_LIMIT = 100_000  # items remembered of one stream

Reduce = Callable[[list[Any]], object]


class Accumulator:
    """The span of a stream and what came out of it so far."""

    __slots__ = ("_counts", "_ended", "_items", "_reduce", "_room", "_start", "_started", "context", "span")

    def __init__(self, start: Callable[[], Span], reduce: Reduce | None, counts: Callable[[Any], bool] | None) -> None:
        self._start = start
        self._reduce = reduce
        self._items: list[Any] = []
        self._counts = counts
        self._started = False
        self._room = 0
        self._ended = False
        self.context: Context | None = None  # the stream's own: its span, or a span it has open itself
        self.span: Span | None = None

    def begin(self) -> Span | None:
        """The span, started at the first step."""
        if self.span is None and not self._ended:
            with safely:
                self.span = self._start()
                self._room = self.span.value_limit
        return self.span

    def at_work(self) -> _AtWork:
        """A block in which the stream takes a step."""
        return _AtWork(self)

    @quiet
    def add(self, item: Any) -> None:
        """Notes an item; the first one tells the time to first token."""
        span = self.span
        if span is None or not span.recording:
            return
        if not self._started and span.kind == "LLM" and (self._counts is None or self._counts(item)):
            self._started = True
            span.put(names.TIME_TO_FIRST_CHUNK, (time.time_ns() - span.start_time) / 1e9)
        if span.captures_output and self._room > 0 and len(self._items) < _ITEM_LIMIT:
            if type(item) is str:
                self._room -= len(item)
                self._items.append(item)
            else:
                self._items.append(item if self._reduce is not None else capture(item, self._room))
                self._room -= 100 if self._reduce is not None else len(self._items[-1])

    def end(self, error: BaseException | None = None) -> None:
        """Ends the span once: finished, failed, or (GeneratorExit) left half-way."""
        span = self.span
        if self._ended:
            return
        self._ended = True
        if span is None:
            return
        with safely:
            if span.captures_output and names.OUTPUT_VALUE not in span.attributes_:
                self._write(span)
        self._items = []
        if error is not None:
            span.close(error)
        else:
            span.end()

    def _write(self, span: Span) -> None:
        items = self._items
        if self._reduce is not None:
            reduced = self._reduce(items)
            if reduced is not None:
                span.set_output(reduced)
        elif items and all(type(item) is str for item in items):
            span.set_output("".join(items))
        elif items:
            written = (item if type(item) is bytes else to_json(item) for item in items)
            span.attributes_[names.OUTPUT_VALUE] = b"[" + b",".join(written) + b"]"


class _AtWork:
    """The stream's context is current inside; the consumer gets its own back, whichever it steps from. What is raised ends the span."""

    __slots__ = ("_before", "_seen")

    def __init__(self, seen: Accumulator) -> None:
        self._seen = seen
        self._before: Context | None = None

    def __enter__(self) -> None:
        span = self._seen.span
        if span is not None and span.span_id:
            self._before = get_current()
            attach(self._seen.context or span.context)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            self._seen.end(None if isinstance(error, (StopIteration, StopAsyncIteration)) else error)
        if self._before is not None:
            self._seen.context = get_current()
            attach(self._before)


class _Wrapped:
    """A source and what is seen of it. Whatever else the source offers (`response`, …) is passed through."""

    def __init__(
        self, source: Any, start: Callable[[], Span], reduce: Reduce | None = None, *, counts: Callable[[Any], bool] | None = None
    ) -> None:
        self._source: Any = source
        self._seen = Accumulator(start, reduce, counts)

    def __del__(self) -> None:
        with safely:
            self._seen.end(GeneratorExit())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_source"], name)


class Stream(_Wrapped, Generator[Any, Any, Any]):
    """A generator or iterator under a span."""

    def send(self, value: Any, /) -> Any:
        """The next item; also what `next` and `for` call."""
        return self._step(self._source.__next__) if value is None else self._step(self._source.send, value)

    def throw(self, *error: Any) -> Any:
        return self._step(self._source.throw, *error)

    def close(self) -> None:
        """Closes the source; a stream that was left half-way is marked so."""
        close = getattr(self._source, "close", None)
        if close is not None:
            with self._seen.at_work():
                close()
        self._seen.end(GeneratorExit())

    def _step(self, advance: Callable[..., Any], *args: Any) -> Any:
        self._seen.begin()
        with self._seen.at_work():
            item = advance(*args)
        self._seen.add(item)
        return item

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None) -> None:
        if exc_val is not None:
            self._seen.end(exc_val)
        self.close()


class AsyncStream(_Wrapped, AsyncGenerator[Any, Any]):
    """The same for asynchronous generators and iterators."""

    async def asend(self, value: Any, /) -> Any:
        """The next item; also what `anext` and `async for` call."""
        return await (self._step(self._source.__anext__) if value is None else self._step(self._source.asend, value))

    async def athrow(self, *error: Any) -> Any:
        return await self._step(self._source.athrow, *error)

    async def aclose(self) -> None:
        """Closes the source; a stream that was left half-way is marked so."""
        close = getattr(self._source, "aclose", None) or getattr(self._source, "close", None)
        if close is not None:
            with self._seen.at_work():
                await close()
        self._seen.end(GeneratorExit())

    async def _step(self, advance: Callable[..., Any], *args: Any) -> Any:
        self._seen.begin()
        with self._seen.at_work():
            item = await advance(*args)
        self._seen.add(item)
        return item

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None) -> None:
        if exc_val is not None:
            self._seen.end(exc_val)
        await self.aclose()
