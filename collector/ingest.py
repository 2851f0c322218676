"""The way in: batches wait in a queue bounded by bytes, one thread writes whatever waits in one commit, and only then are they answered.

Under load many requests share one fsync; with one sender each request has its own. A full queue refuses before it keeps anything
(`Overloaded`: the sender waits and tries again), so memory stays bounded whatever comes. A batch that cannot be stored does not take its
neighbours with it: a failed group is written again one batch at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from collector.errors import Overloaded, RightPassageError, StoreUnavailable
from collector.model import Batch, Written
from collector.store.base import SpanStore

QUEUE_BYTES = 128 * 2**20
GROUP_BYTES = 8 * 2**20
"""What one transaction takes at most: a few thousand spans, so that a commit stays under half a second."""
SPAN_BYTES, VALUE_BYTES = 1_000, 400  # of an object in memory, beside its text
DRAIN_SECONDS = 30.0
QUIET_SECONDS = 0.5
"""Without a batch for so long, what the store left for later is done."""


def weight(batch: Batch, body_bytes: int = 0) -> int:
    """About how many bytes of memory a batch holds: a flat price per object, and its text: the size of the body it was decoded from, where
    that is known, else the lengths of the top attributes."""
    total = SPAN_BYTES * (len(batch.spans) + len(batch.running) + len(batch.logs) + len(batch.scores)) + 2 * body_bytes
    if body_bytes:
        return total
    for span in batch.spans:
        for value in span.attributes.values():
            total += len(value) if isinstance(value, str | bytes) else VALUE_BYTES
        total += VALUE_BYTES * (len(span.events) + len(span.links))
    return total


@dataclass(slots=True)
class _Waiting:
    batch: Batch
    bytes: int
    answer: Future[Written] = field(default_factory=Future[Written])


class Ingest:
    """One per store. `accept` and `accept_blocking` return after the commit; counters are read by the metrics page."""

    def __init__(self, store: SpanStore, *, queue_bytes: int = QUEUE_BYTES) -> None:
        self._store, self._limit = store, queue_bytes
        self._waiting: deque[_Waiting] = deque()
        self._wake = threading.Condition()
        self._bytes = 0
        self._closing = False
        self.commits = self.refused = 0
        self._thread = threading.Thread(target=self._run, name="rightpassage-writer", daemon=True)
        self._thread.start()

    @property
    def waiting_bytes(self) -> int:
        return self._bytes

    async def accept(self, batch: Batch, body_bytes: int = 0) -> Written:
        """Store a batch (decoded from a body of that size, where known); returns once it is durable. Raises `Overloaded` or
        `StoreUnavailable` before anything is queued."""
        return await asyncio.wrap_future(self._enqueue(batch, body_bytes))

    def accept_blocking(self, batch: Batch, body_bytes: int = 0) -> Written:
        """The same from a thread."""
        return self._enqueue(batch, body_bytes).result()

    def close(self) -> None:
        """Refuse what comes from now on, write what waits, stop. Idempotent."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(DRAIN_SECONDS)

    def _enqueue(self, batch: Batch, body_bytes: int) -> Future[Written]:
        waiting = _Waiting(batch, weight(batch, body_bytes))
        with self._wake:
            if self._closing:
                raise StoreUnavailable("the collector is stopping", retry_after_s=5)
            # a batch larger than the whole queue is let into an empty one: the transports bound its size
            if self._bytes and self._bytes + waiting.bytes > self._limit:
                self.refused += 1
                raise Overloaded(f"{self._bytes >> 20} MiB are waiting to be written", retry_after_s=1)
            self._bytes += waiting.bytes
            self._waiting.append(waiting)
            self._wake.notify()
        return waiting.answer

    # ---- The writing thread ----

    def _run(self) -> None:
        settled = True
        while True:
            group = self._next_group(None if settled else QUIET_SECONDS)
            if group:
                self._write(group)
            elif self._closing:
                return
            else:
                with contextlib.suppress(RightPassageError):  # a full disk: whoever reads tries again
                    self._store.settle()
            settled = not group
            with self._wake:
                self._bytes -= sum(waiting.bytes for waiting in group)

    def _next_group(self, quiet: float | None) -> Sequence[_Waiting]:
        """Everything that waits, up to the size of a transaction; empty when nothing came for `quiet` seconds or the ingest closes."""
        with self._wake:
            self._wake.wait_for(lambda: self._waiting or self._closing, quiet)
            group: list[_Waiting] = []
            size = 0
            while self._waiting and (not group or size + self._waiting[0].bytes <= GROUP_BYTES):
                size += self._waiting[0].bytes
                group.append(self._waiting.popleft())
            return group

    def _write(self, group: Sequence[_Waiting]) -> None:
        try:
            written = self._store.write_group([waiting.batch for waiting in group])
        except BaseException as error:
            self._failed(group, error)
            if not isinstance(error, Exception):
                raise
            return
        self.commits += 1
        for waiting, answer in zip(group, written, strict=True):
            _answer(waiting.answer, lambda future, answer=answer: future.set_result(answer))

    def _failed(self, group: Sequence[_Waiting], error: BaseException) -> None:
        """Alone, the batch is at fault or the medium is; together, each gets its own try, unless the medium refuses them all."""
        if len(group) == 1 or isinstance(error, StoreUnavailable):
            known = error if isinstance(error, RightPassageError) else StoreUnavailable(f"the batch could not be stored: {error!r}")
            for waiting in group:
                _answer(waiting.answer, lambda future: future.set_exception(known))
            return
        for waiting in group:
            self._write([waiting])


def _answer(future: Future[Written], settle: Callable[[Future[Written]], None]) -> None:
    """Unless the asker has gone away."""
    if future.set_running_or_notify_cancel():
        settle(future)
