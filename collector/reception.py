"""What both OTLP transports share: limits, admission, decoding a body into a batch, and counting what came.

A request is admitted by the bytes it holds: from the first byte read until its answer, they count against one budget, and beyond the
budget a request is refused before any work is done for it. Logs are kept when they carry a span's model content; other logs and all
metrics are accepted, counted and not stored, because an error answer would only make the sender retry and fill its own log.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from collector import otlp
from collector.errors import Overloaded
from collector.model import Batch, Written


class Accepts(Protocol):
    """What a transport needs of ingest: both ways return after the commit, and raise Overloaded or StoreUnavailable before queueing."""

    async def accept(self, batch: Batch, body_bytes: int = 0) -> Written: ...

    def accept_blocking(self, batch: Batch, body_bytes: int = 0) -> Written: ...


class Signal(StrEnum):
    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


REJECTED_FIELDS = {Signal.TRACES: "rejectedSpans", Signal.LOGS: "rejectedLogRecords", Signal.METRICS: "rejectedDataPoints"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost, and all of them together."""

    body_bytes: int = 64 * 2**20  # before and after decompression; the specification's default
    held_bytes: int = 64 * 2**20  # bodies being read or waiting for their commit; decoded and written, each takes four times its size
    body_seconds: float = 30.0  # a body must arrive within
    decode: otlp.DecodeLimits = otlp.LIMITS


@dataclass(frozen=True, slots=True)
class Received:
    """A decoded request: what to store, and what to tell the sender about the rest."""

    batch: Batch
    rejected: int = 0
    message: str = ""
    body_bytes: int = 0


class Reception:
    """One per collector, shared by HTTP and gRPC; `counts` is read by the metrics page. Thread-safe."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.counts: Counter[str] = Counter()  # spans, spans_rejected, logs, logs_ignored, metrics_ignored, requests_refused
        self._held = 0
        self._lock = threading.Lock()

    def count(self, name: str, more: int = 1) -> None:
        if more:
            with self._lock:
                self.counts[name] += more

    @contextmanager
    def holding(self) -> Generator[Holding]:
        """A place to count a request's bytes; they are given back at the end whatever happens."""
        holding = Holding(self)
        try:
            yield holding
        finally:
            holding.release()

    def hold(self, size: int, mine: int = 0) -> None:
        """Count more bytes for a request that holds `mine`. One that is alone is let in whatever its size: the body's limit bounds it."""
        with self._lock:
            if self._held > mine:
                self._refuse_beyond(size)
            self._held += size

    def expect(self, size: int) -> None:
        """Refuse a body that would not fit now before it is read; nothing is set aside, or a slow client could hold what it never sends."""
        with self._lock:
            if self._held:
                self._refuse_beyond(size)

    def _refuse_beyond(self, size: int) -> None:
        if self._held + size > self.limits.held_bytes:
            self.counts["requests_refused"] += 1
            raise Overloaded("too many requests at once: their bodies fill the memory set aside for them")

    def give_back(self, size: int) -> None:
        with self._lock:
            self._held -= size

    def read(self, signal: Signal, body: bytes, content_type: str) -> Received:
        """Decode a body. Raises MalformedRequest, RequestTooLarge, UnsupportedMediaType."""
        readers = {Signal.TRACES: self._read_traces, Signal.LOGS: self._read_logs, Signal.METRICS: self._read_metrics}
        return readers[signal](body, content_type)

    def _read_traces(self, body: bytes, content_type: str) -> Received:
        decoded = otlp.decode_traces(body, content_type, self.limits.decode)
        self.count("spans", len(decoded.spans))
        self.count("spans_rejected", decoded.rejected)
        return Received(Batch(spans=decoded.spans), decoded.rejected, decoded.message, len(body))

    def _read_logs(self, body: bytes, content_type: str) -> Received:
        decoded = otlp.decode_logs(body, content_type, self.limits.decode)
        self.count("logs", len(decoded.logs))
        self.count("logs_ignored", decoded.ignored)
        return Received(Batch(logs=decoded.logs), body_bytes=len(body))

    def _read_metrics(self, body: bytes, content_type: str) -> Received:
        self.count("metrics_ignored", otlp.count_records(body, content_type, self.limits.decode))
        return Received(Batch())


class Holding:
    """The bytes one request holds of the reception's budget."""

    def __init__(self, reception: Reception) -> None:
        self._reception, self._size = reception, 0

    def add(self, size: int) -> None:
        """Raises Overloaded when the budget of all requests together is used up."""
        self._reception.hold(size, self._size)
        self._size += size

    def release(self) -> None:
        self._reception.give_back(self._size)
        self._size = 0


def holds_anything(batch: Batch) -> bool:
    return bool(batch.spans or batch.logs or batch.running or batch.scores)
