"""A stream under a span: the span ends when the consumer finishes, closes or abandons the stream, with what was yielded as its output.

The span is current only while the stream works, around each single step, never across a yield: so work inside nests under it, the
consumer's own spans do not, and a web server may take every step in another context. Items are kept up to the limit of a captured value;
texts are joined, anything else becomes a list.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
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

    __slots__ = ("_context", "_counts", "_ended", "_items", "_reduce", "_room", "_start", "_started", "span")

    def __init__(self, start: Callable[[], Span], reduce: Reduce | None, counts: Callable[[Any], bool] | None) -> None:
        self._start = start
        self._reduce = reduce
        self._items: list[Any] = []
        self._counts = counts
        self._started = False
        self._room = 0
        self._ended = False
        self._context: Context | None = None
        self.span: Span | None = None

    def begin(self) -> Span | None:
        """The span, started at the first step."""
        if self.span is None and not self._ended:
            with safely:
                self.span = self._start()
                self._room = self.span.value_limit
        return self.span

    def enter(self) -> Context | None:
        """Makes the stream's own context current: its span, or a span it has open itself. Returns what was current before."""
        span = self.span
        if span is None or not span.span_id:
            return None
        before = get_current()
        attach(self._context or span.context)
        return before

    def leave(self, before: Context | None) -> None:
        """Gives the consumer its context back, whichever it steps from, and keeps the stream's for the next step."""
        if before is not None:
            self._context = get_current()
            attach(before)

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


class Stream(Generator[Any, Any, Any]):
    """A generator or iterator under a span. Whatever else the source offers (`close`, `response`, …) is passed through."""

    def __init__(
        self,
        source: Iterator[Any],
        start: Callable[[], Span],
        reduce: Reduce | None = None,
        *,
        counts: Callable[[Any], bool] | None = None,
    ) -> None:
        self._source: Any = source
        self._seen = Accumulator(start, reduce, counts)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return self._step(self._source.__next__)

    def send(self, value: Any, /) -> Any:
        return self._step(self._source.__next__ if value is None else self._source.send, *(() if value is None else (value,)))

    def throw(self, *error: Any) -> Any:
        return self._step(self._source.throw, *error)

    def close(self) -> None:
        """Closes the source; a stream that was left half-way is marked so."""
        close = getattr(self._source, "close", None)
        if close is not None:
            before = self._seen.enter()
            try:
                close()
            except BaseException as error:
                self._seen.end(error)
                raise
            finally:
                self._seen.leave(before)
        self._seen.end(GeneratorExit())

    def _step(self, advance: Callable[..., Any], *args: Any) -> Any:
        self._seen.begin()
        before = self._seen.enter()
        try:
            item = advance(*args)
        except StopIteration:
            self._seen.end()
            raise
        except BaseException as error:
            self._seen.end(error)
            raise
        finally:
            self._seen.leave(before)
        self._seen.add(item)
        return item

    def __del__(self) -> None:
        with safely:
            self._seen.end(GeneratorExit())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None) -> None:
        if exc_val is not None:
            self._seen.end(exc_val)
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_source"], name)


class AsyncStream(AsyncGenerator[Any, Any]):
    """The same for asynchronous generators and iterators."""

    def __init__(
        self,
        source: AsyncIterator[Any],
        start: Callable[[], Span],
        reduce: Reduce | None = None,
        *,
        counts: Callable[[Any], bool] | None = None,
    ) -> None:
        self._source: Any = source
        self._seen = Accumulator(start, reduce, counts)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        return await self._step(self._source.__anext__)

    async def asend(self, value: Any, /) -> Any:
        return await self._step(self._source.__anext__ if value is None else self._source.asend, *(() if value is None else (value,)))

    async def athrow(self, *error: Any) -> Any:
        return await self._step(self._source.athrow, *error)

    async def aclose(self) -> None:
        """Closes the source; a stream that was left half-way is marked so."""
        close = getattr(self._source, "aclose", None) or getattr(self._source, "close", None)
        try:
            if close is not None:
                await self._inside(close)
        except BaseException as error:
            self._seen.end(error)
            raise
        self._seen.end(GeneratorExit())

    async def _step(self, advance: Callable[..., Any], *args: Any) -> Any:
        self._seen.begin()
        try:
            item = await self._inside(advance, *args)
        except StopAsyncIteration:
            self._seen.end()
            raise
        except BaseException as error:
            self._seen.end(error)
            raise
        self._seen.add(item)
        return item

    async def _inside(self, action: Callable[..., Any], *args: Any) -> Any:
        before = self._seen.enter()
        try:
            return await action(*args)
        finally:
            self._seen.leave(before)

    def __del__(self) -> None:
        with safely:
            self._seen.end(GeneratorExit())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None) -> None:
        if exc_val is not None:
            self._seen.end(exc_val)
        await self.aclose()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_source"], name)
