"""The sender: one thread that posts parcels, waits when it is told to, and puts on disk what cannot go now.

Written rules. A refused connection, a timeout, 408, 429 and 5xx are tried again, after a back-off of 1, 2, 4 … 30 s or what Retry-After
says, at most 30 s. Anything else that is not a success is final: 400 and 4xx drop the parcel, 413 halves it, and a single span that is
too large is cut. While the collector is away parcels go to the spool; without a spool the newest `memory_bytes` stay in memory and the
oldest go. Every span that goes is counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from tracer.conventions import COLLECTOR_HEADER
from tracer.counters import Counters
from tracer.endpoint import Endpoint
from tracer.halving import halves, partial_success
from tracer.loading import loading
from tracer.safety import attempt, report, safely
from tracer.spool import Parcel, Spool

if TYPE_CHECKING:
    from tracer.transport import Answer, Transport

_LONGEST_WAIT = 30.0
_PATIENCE = 1.0  # seconds a collector that answers is waited for before spans are dropped for want of memory
_SPOOL_LOOK = 30.0  # between looks for parcels that other processes left
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
PROTOBUF = "application/x-protobuf"


def started(work: Callable[[], None], name: str) -> threading.Thread | None:
    """A daemon thread at work; None when the program is at its end: Python 3.12 and newer start no thread then."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread


class Sender:
    """Owns the connection, the memory of waiting parcels and the thread."""

    def __init__(
        self,
        endpoint: Endpoint,
        spool: Spool | None,
        counters: Counters,
        *,
        memory_bytes: int,
        on_answer: Callable[[bool], None],
    ) -> None:
        self._endpoint = endpoint
        self._spool = spool
        self._counters = counters
        self._memory_bytes = memory_bytes
        self._on_answer = on_answer  # whether the collector is a Right Passage
        self._reset()

    def _reset(self) -> None:
        self._condition = threading.Condition()
        self._memory: deque[Parcel] = deque()
        self._size = 0
        self._current: Parcel | None = None  # the one on its way
        self._not_before = 0.0
        self._failures = 0
        self._urgent = False
        self._no_disk_before = 0.0  # the spool could not be written: memory serves until then
        self._attempts = 0  # posts that were answered or failed
        self._posting_since = 0.0  # when the one on its way was first tried; 0: none is
        self._thread: threading.Thread | None = None
        self._stopped = False

    def forked(self) -> None:
        """In a child process: what waits is the parent's, the connection too; the thread is gone."""
        if self._spool is not None:
            self._spool.forked()
        self._reset()

    @property
    def spooled(self) -> int:
        return self._spool.mine if self._spool is not None else 0

    @property
    def queued(self) -> int:
        with self._condition:
            waiting = [*self._memory, *([self._current] if self._current is not None else [])]
            return sum(parcel.spans for parcel in waiting if parcel.mine and parcel.file is None)

    def start(self) -> None:
        """Starts the thread, once."""
        with self._condition:
            if self._thread is None and not self._stopped:
                self._thread = started(self._run, "tracer-sender")

    def offer(self, parcel: Parcel) -> None:
        """Takes a parcel from the encoder's thread, which may be held for a moment, or write to the disk."""
        self.start()
        with self._condition:
            away = time.monotonic() < self._not_before and not self._urgent
            if away and parcel.fleeting:
                return
            crowded = self._size + len(parcel.body) > self._memory_bytes
            if not (away or (crowded and self._has_disk())):
                self._wait_for_room(len(parcel.body))
                self._remember(parcel)
                return
        self._keep(parcel)

    def flush(self, deadline: float) -> bool:
        """Sends what waits, the spool of this process included; False when the deadline came first.

        Returns early when the collector is away and everything is safe on disk.
        """
        self.start()
        if self._thread is None:
            return self._send_here(deadline)
        with self._condition:
            attempts, self._urgent = self._attempts, True
            self._condition.notify_all()
            while True:
                waiting = bool(self._memory) or (self._current is not None and self._current.mine)
                tried = self._attempts > attempts and self._failures > 0
                if not waiting and (self.spooled == 0 or tried):
                    return True
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._condition.wait(min(left, 0.5))

    def stop(self) -> None:
        """Ends the thread and saves what is left in memory: to the spool, or it is dropped and counted."""
        with self._condition:
            self._stopped = True
            left, self._memory, self._size = list(self._memory), deque[Parcel](), 0
            current = self._current  # it may arrive yet: stored once all the same
            self._condition.notify_all()
        if current is not None and current.file is not None and self._spool is not None:
            self._spool.back(current)
        elif current is not None:
            left.append(current)
        for parcel in left:
            self._keep(parcel)

    # ---- The thread ----

    def _run(self) -> None:
        with loading:
            from tracer.transport import Transport
        transport = Transport(self._endpoint)
        while not self._stopped:
            with safely:
                parcel = self._next()
                if parcel is None:
                    continue
                self._try(parcel, transport)
        transport.close()

    def _try(self, parcel: Parcel, transport: Transport) -> None:
        if not attempt(self._deliver, parcel, transport, default=False):
            self._lost(parcel.spans, "they could not be sent")
        self._settled()

    def _settled(self) -> None:
        with self._condition:
            self._current = None
            self._condition.notify_all()

    def _send_here(self, deadline: float) -> bool:
        """Sends what waits in memory on the thread that asks, where none of our own can be started: the program is at its end."""
        from tracer.transport import Transport

        transport = Transport(replace(self._endpoint, timeout=max(0.1, min(self._endpoint.timeout, deadline - time.monotonic()))))
        while self._memory and not self._failures and time.monotonic() < deadline:
            with self._condition:
                parcel = self._current = self._forget()
            self._try(parcel, transport)
        transport.close()
        return not self._memory

    def _next(self) -> Parcel | None:
        """The next parcel to try, memory before disk; waits for one, or for the time to try."""
        with self._condition:
            wait = self._not_before - time.monotonic()
            resting = wait > 0 and not self._urgent
            if self._memory and (not resting or self._has_disk()):
                self._current = self._forget()
            elif resting:
                self._condition.wait(wait)
                return None
        if self._current is not None and resting:
            self._keep(self._current)
            self._settled()
            return None
        if self._current is not None:
            return self._current
        taken = self._spool.take() if self._spool is not None else None
        with self._condition:
            self._current = taken
            if taken is None:
                self._urgent = False
                self._condition.notify_all()
                if not self._memory and not self._stopped:
                    self._condition.wait(_SPOOL_LOOK)
        return taken

    def _deliver(self, parcel: Parcel, transport: Transport) -> bool:
        """Posts a parcel and does with it what the answer says. True: it is where it belongs."""
        endpoint = self._endpoint
        url = endpoint.base + parcel.path if parcel.path else endpoint.url
        if parcel.mine and not parcel.posted:
            self._counters.add(sent=parcel.spans)
            parcel = replace(parcel, posted=True)
        self._posting_since = time.monotonic()
        try:
            answer = transport.post(url, parcel.headers, parcel.body)
        except OSError as error:
            report("collector away", "no collector at %s (%s); %s", endpoint.url, error, self._plan(), level=logging.INFO)
            self._again(parcel, None)
            return True
        if answer.status in _RETRIED:
            report("collector busy", "the collector at %s answers %d; %s", endpoint.url, answer.status, self._plan())
            self._again(parcel, _retry_after(answer))
            return True
        with self._condition:
            self._failures, self._not_before = 0, 0.0
            self._attempts += 1
        if answer.status == 413 and not parcel.path:
            self._divide(parcel)
        elif 200 <= answer.status < 300:
            self._acked(parcel, answer)
        else:
            report(f"refused {answer.status}", "the collector refused %d spans: %d %s", parcel.spans, answer.status, _line(answer.body))
            self._counters.add(dropped=parcel.spans)
            self._settle(parcel)
        return True

    def _plan(self) -> str:
        return "spans wait on disk" if self._spool is not None else "spans wait in memory"

    def _acked(self, parcel: Parcel, answer: Answer) -> None:
        self._on_answer(COLLECTOR_HEADER in answer.headers)
        told = not parcel.path and answer.headers.get("content-type", "").startswith(PROTOBUF)
        rejected, message = partial_success(answer.body) if told else (0, "")
        if rejected:
            report("rejected", "the collector rejected %d of %d spans: %s", rejected, parcel.spans, message)
        if parcel.mine:
            self._counters.add(acked=parcel.spans - rejected, rejected=rejected)
        else:
            self._counters.add(replayed=parcel.spans)
        self._settle(parcel)

    def _again(self, parcel: Parcel, retry_after: float | None) -> None:
        with self._condition:
            self._failures += 1
            backoff = 2.0 ** min(self._failures - 1, 10)
            wait = min(backoff if retry_after is None else retry_after, _LONGEST_WAIT)
            self._not_before = time.monotonic() + wait
            self._attempts += 1
            self._urgent = False
        if parcel.file is not None and self._spool is not None:
            self._spool.back(parcel)
        else:
            self._keep(parcel, first=True)

    def _divide(self, parcel: Parcel) -> None:
        body = parcel.plain()
        smaller_ones = halves(body)
        if not smaller_ones:
            report("too large", "a span of %d bytes is too large for the collector and was dropped", len(body))
            self._counters.add(dropped=parcel.spans)
        with self._condition:
            for half, spans in reversed(smaller_ones):
                smaller = replace(parcel, body=half, gzipped=False, spans=spans, file=None).compressed()
                self._memory.appendleft(smaller)
                self._size += len(smaller.body)
        self._settle(parcel)

    def _settle(self, parcel: Parcel) -> None:
        if parcel.file is not None and self._spool is not None:
            self._spool.done(parcel)

    # ---- Where parcels wait ----

    def _wait_for_room(self, size: int) -> None:
        """Holds the encoder's thread while memory is full and the collector answers: the queue before it is the larger one."""
        while self._memory and self._size + size > self._memory_bytes and not self._stopped:
            left = self._posting_since + _PATIENCE - time.monotonic()
            if self._failures or (self._posting_since and left <= 0):
                return
            self._condition.wait(max(left, 0.05))

    def _remember(self, parcel: Parcel, *, first: bool = False) -> None:
        """Keeps a parcel in memory; the oldest go when there is too much. Under the condition."""
        if first:
            self._memory.appendleft(parcel)
        else:
            self._memory.append(parcel)
        self._size += len(parcel.body)
        while self._size > self._memory_bytes and len(self._memory) > 1:
            self._lost(self._forget().spans, "memory is full")
        self._condition.notify_all()

    def _forget(self) -> Parcel:
        parcel = self._memory.popleft()
        self._size -= len(parcel.body)
        return parcel

    def _keep(self, parcel: Parcel, *, first: bool = False) -> None:
        """To the spool, or to memory where there is none or the disk says no; dropped when the sender has stopped."""
        if parcel.fleeting:
            return
        if self._spool is not None and (self._has_disk() or self._stopped):
            try:
                gone = self._spool.write(parcel)
            except OSError as error:
                self._no_disk_before = time.monotonic() + _LONGEST_WAIT
                report("spool", "the spool cannot be written (%s)", error)
            else:
                if gone:
                    self._lost(gone, "the spool is full")
                return
        parcel = parcel.compressed()  # it will stay a while
        with self._condition:
            if self._stopped:
                self._lost(parcel.spans, "the process ends and there is no spool")
            else:
                self._remember(parcel, first=first)

    def _has_disk(self) -> bool:
        return self._spool is not None and time.monotonic() >= self._no_disk_before

    def _lost(self, spans: int, why: str) -> None:
        self._counters.add(dropped=spans)
        report(f"lost {why}", "%d spans were dropped: %s (dropped so far: %d)", spans, why, self._counters.totals()["dropped"])


def _retry_after(answer: Answer) -> float | None:
    from email.utils import parsedate_to_datetime  # part of what the transport has loaded

    given = answer.headers.get("retry-after", "").strip()
    if given.isdigit():
        return float(given)
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _line(body: bytes) -> str:
    return body[:200].decode("utf-8", "replace").replace("\n", " ")
