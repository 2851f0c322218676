"""The pipeline behind every span: a queue bounded by bytes, a thread that finishes and encodes, and the sender.

The caller appends a reference and is done. The encoder thread turns spans into compressed batches, cut by bytes and by count; a span
that cannot be encoded is counted and costs nobody else. Both threads start with the first span, so that a process may be forked
before; a forked child starts its own and leaves what was queued to its parent.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tracer import encoding
from tracer.counters import EXIT_SECONDS, Counters, Delivery
from tracer.endpoint import Endpoint
from tracer.finish import Finished, Item
from tracer.lightspan import Span
from tracer.safety import report, safely
from tracer.sender import PROTOBUF, Sender, started
from tracer.spool import Parcel, Spool

Prepare = Callable[[Item, bool | None], Finished | None]
"""Finishes an item for a collector that is ours (True), another's (False) or not known yet (None)."""

_OVERHEAD = 1500  # bytes a queued span weighs beside its texts
_HURRY_BYTES = 2 * 1024 * 1024  # the encoder does not wait for more than this
_HURRY_SPANS = 512
_ANNOUNCED_AFTER = 0.25  # seconds a span must have been running; shorter ones are never announced
_OPEN_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be kept where, in bytes; `value` counts characters of one captured value."""

    value: int = 5 * 1024 * 1024
    queue: int = 256 * 1024 * 1024  # spans not encoded yet: a burst
    memory: int = 8 * 1024 * 1024  # encoded batches that wait for the network
    spool: int = 256 * 1024 * 1024
    batch: int = 2 * 1024 * 1024  # one request before compression
    batch_spans: int = 512


@dataclass(slots=True)
class _Batch:
    groups: dict[tuple[int, int], encoding.Group]
    fleeting: bool = False  # announcements
    size: int = 0
    spans: int = 0


class Pipeline:
    """Queue, encoder thread and sender of one configured tracer. `put` may be called from any thread and never waits."""

    def __init__(
        self, endpoint: Endpoint, prepare: Prepare, *, spool: Spool | None, limits: Limits, delay: float = 0.5, announce: bool = True
    ) -> None:
        self._prepare = prepare
        self._limits = limits
        self._delay = delay
        self._announce = announce
        self._gzips = endpoint.gzip
        self._counters = Counters()
        self.ours: bool | None = None  # whether a Right Passage collector answers
        self._sender = Sender(endpoint, spool, self._counters, memory_bytes=limits.memory, on_answer=self._answered)
        self._reset()
        _on_fork(self)
        atexit.register(_at_exit, weakref.ref(self))

    def _reset(self) -> None:
        self._queue: deque[tuple[Item, int]] = deque()
        self._posts: deque[Parcel] = deque()  # something else than spans
        self._lock = threading.Lock()
        self._size = 0
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._idle = threading.Condition()
        self._busy = False
        self._batched = 0  # spans taken from the queue and not yet handed to the sender
        self._open: dict[int, Span] = {}
        self._announced: set[int] = set()
        self.announcing = False
        self._thread: threading.Thread | None = None
        self._retired = False
        self._stopped = False

    def forked(self) -> None:
        """In a child process: an empty pipeline; the parent sends what was queued."""
        self._counters.forked()
        self._sender.forked()
        self._reset()
        self.announcing = self._announce and self.ours is True

    # ---- On the caller's thread ----

    def put(self, item: Item, size: int) -> None:
        """Queues a span of about `size` bytes; refused and counted when the queue is full."""
        size += _OVERHEAD
        with self._lock:
            full = self._full(size)
            if not full:
                self._size += size
                self._queue.append((item, size))
        if full:
            self._counters.add(dropped=1)
            self._refused("spans")
            return
        if not self._wake.is_set():
            self._wake.set()
            self._start()
        if (self._size > _HURRY_BYTES or len(self._queue) > _HURRY_SPANS) and not self._hurry.is_set():
            self._hurry.set()

    def post(self, path: str, body: bytes) -> None:
        """Queues a small JSON document for the collector: it takes the way of the spans, with the same retries and the same spool."""
        with self._lock:
            full = self._full(len(body))
            if not full:
                self._size += len(body)
                self._posts.append(Parcel(path, "application/json", body, 0, gzipped=False))
        if full:
            self._refused("scores")
            return
        self._wake.set()
        self._start()

    def _full(self, size: int) -> bool:
        return self._stopped or self._size + size > self._limits.queue

    def _refused(self, what: str) -> None:
        why = "tracing has stopped" if self._stopped else f"the span queue is full ({self._limits.queue} bytes)"
        report(why, "%s: %s are dropped", why, what)

    def opened(self, span: Span) -> None:
        """Notes a span that started, to be announced when it runs long. Only called while `announcing`."""
        if len(self._open) < _OPEN_LIMIT:
            self._open[span.span_id] = span
            if not self._wake.is_set():
                self._wake.set()

    def closed(self, span: Span) -> None:
        self._open.pop(span.span_id, None)

    def flush(self, timeout: float) -> Delivery:
        """Encodes and sends what was put before; returns the counters after at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        if self._at_work:
            self._start()
            with self._idle:
                self._wake.set()
                self._hurry.set()
                while self._at_work and (left := deadline - time.monotonic()) > 0 and self._thread is not None:
                    self._idle.wait(min(left, 0.5))
        self._sender.flush(deadline)
        return self.delivery()

    @property
    def _at_work(self) -> bool:
        return bool(self._queue or self._posts or self._busy)

    def delivery(self) -> Delivery:
        """The counters now."""
        queued = len(self._queue) + self._batched + self._sender.queued
        return Delivery(**self._counters.totals(), spooled=self._sender.spooled, queued=queued)

    def stop(self, timeout: float) -> None:
        """Sends what there is within `timeout`, saves the rest to the spool, and says what was lost."""
        if self._stopped:
            return
        used = self._thread is not None or self._at_work
        if self._thread is None and used:  # what ended when no thread could be started any more
            with safely:
                self._drain()
        if used:
            self.flush(timeout)
        self._stopped = True
        self._wake.set()
        self._hurry.set()
        self._sender.stop()
        left = len(self._queue)
        if left:
            self._counters.add(dropped=left)
            report("exit", "%d spans were lost at exit: they could not be encoded in time", left)

    def retire(self) -> None:
        """Sends what is queued, in the background, and ends: another pipeline, or none, has taken over."""
        self.announcing = False
        self._retired = True
        self._open.clear()
        self._wake.set()
        self._hurry.set()

    # ---- The encoder thread ----

    def _start(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = started(self._run, "tracer-encoder")
                    self._sender.start()  # with it: when the program ends it is too late to start a thread
                    _stop_with_child(self)

    def _run(self) -> None:
        while not self._stopped:
            self._wake.wait()
            self._hurry.wait(_ANNOUNCED_AFTER if self._open else self._delay)
            self._wake.clear()
            self._hurry.clear()
            self._busy = True
            try:
                with safely:
                    self._drain()
                with safely:
                    self._announce_open()
            finally:
                self._busy = False
                with self._idle:
                    self._idle.notify_all()
            if self._retired and not self._queue and not self._posts:
                self._sender.flush(time.monotonic() + EXIT_SECONDS)
                self._sender.stop()
                self._stopped = True

    def _drain(self) -> None:
        batch = _Batch({})
        while self._queue:
            self._batched += 1
            item, size = self._queue.popleft()
            with self._lock:
                self._size -= size
            written = False
            with safely:
                written = self._encode(item, batch)
            if not written:
                self._batched -= 1
                self._counters.add(dropped=1)
            if batch.size > self._limits.batch or batch.spans >= self._limits.batch_spans:
                self._ship(batch)
                batch = _Batch({})
        if batch.spans:
            self._ship(batch)
        while self._posts:
            parcel = self._posts.popleft()
            with self._lock:
                self._size -= len(parcel.body)
            self._sender.offer(parcel)

    def _encode(self, item: Item, batch: _Batch) -> bool:
        finished = self._prepare(item, self.ours)
        if finished is None:
            return False
        self._add(finished, batch)
        return True

    def _add(self, finished: Finished, batch: _Batch) -> None:
        written = encoding.span(finished)
        if batch.spans and batch.size + len(written) > self._limits.batch:
            self._ship(batch)
            batch.groups, batch.size, batch.spans = {}, 0, 0
        key = (id(finished.resource), id(finished.scope))
        group = batch.groups.get(key)
        if group is None:
            group = batch.groups[key] = encoding.Group(finished.resource, finished.scope, [])
        group.spans.append(written)
        batch.size += len(written)
        batch.spans += 1

    def _ship(self, batch: _Batch) -> None:
        spans = 0 if batch.fleeting else batch.spans
        parcel = Parcel("", PROTOBUF, encoding.request(batch.groups.values()), spans, gzipped=False, fleeting=batch.fleeting)
        self._sender.offer(parcel.compressed() if self._gzips else parcel)
        self._batched -= spans

    def _announce_open(self) -> None:
        """Announces the spans that have been running for a while and were not announced yet."""
        if not self.announcing:
            return
        now, batch = time.time_ns(), _Batch({}, fleeting=True)
        running = list(self._open.values())
        for span in running:
            if span.span_id not in self._announced and now - span.start_time > _ANNOUNCED_AFTER * 1e9:
                self._announced.add(span.span_id)
                with safely:
                    self._encode(span, batch)
        if batch.spans:
            self._ship(batch)
        self._announced.intersection_update({span.span_id for span in running})
        if self._open:
            self._wake.set()

    def _answered(self, ours: bool) -> None:
        self.ours = ours
        self.announcing = self._announce and ours


def _on_fork(pipeline: Pipeline) -> None:
    if hasattr(os, "register_at_fork"):
        known = weakref.WeakMethod(pipeline.forked)

        def after() -> None:
            forked = known()
            if forked is not None:
                forked()

        os.register_at_fork(after_in_child=after)


def _stop_with_child(pipeline: Pipeline) -> None:
    """In a child of multiprocessing, or of Celery's billiard: those end without atexit, by a list of their own."""
    for package in ("multiprocessing", "billiard"):
        process, util = (sys.modules.get(f"{package}.{part}") for part in ("process", "util"))
        if process is not None and util is not None and getattr(process.current_process(), "_parent_pid", None) is not None:
            util.Finalize(None, _at_exit, args=(weakref.ref(pipeline),), exitpriority=0)


_exit: list[float] = []  # when exit began: all pipelines together get EXIT_SECONDS


def _at_exit(pipeline: weakref.ref[Pipeline]) -> None:
    if not _exit:
        _exit.append(time.monotonic())
    known = pipeline()
    if known is not None:
        with safely:
            known.stop(max(0.0, _exit[0] + EXIT_SECONDS - time.monotonic()))
