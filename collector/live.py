"""The tail: what changed since a cursor, then what changes next, without polling.

A cursor is the store's change number; the store calls us after every change, and that only wakes the waiters: each then asks for what is
new to it. Bursts therefore cost one query per waiter and wake-up, not one per span, and nothing is missed or kept in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from collector.filters import EVERYTHING, Filter
from collector.model import TraceSummary
from collector.store.base import SpanStore

PAGE = 100
SETTLE_S = 0.1
"""Pause between two looks: a trace that arrives in many small commits is told ten times a second, not a thousand."""


class Tail:
    """One per store, used on one event loop."""

    def __init__(self, store: SpanStore) -> None:
        self._store = store
        self._waiters: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._stop = store.subscribe(self._wake)

    def close(self) -> None:
        self._stop()

    def _wake(self) -> None:
        """From the writing thread."""
        for event, loop in list(self._waiters.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    async def traces(self, filter: Filter = EVERYTHING, cursor: int = -1) -> AsyncGenerator[tuple[TraceSummary, int]]:
        """Each changed trace that matches, as it is now, with the cursor to go on from; for as long as one asks.

        Starts behind `cursor` (-1: from now, 0: from the beginning). Traces of one commit share a cursor until the last of them, so that
        whoever stops in between sees the commit again rather than half of it."""
        event = asyncio.Event()
        self._waiters[event] = asyncio.get_running_loop()
        try:
            if cursor < 0:
                _, cursor = await asyncio.to_thread(self._store.changes, -1)
            while True:
                event.clear()
                traces, following = await asyncio.to_thread(self._store.changes, cursor, PAGE, filter)
                if following == cursor:
                    await event.wait()
                    await asyncio.sleep(SETTLE_S)
                    continue
                for number, trace in enumerate(traces, 1):
                    yield trace, following if number == len(traces) else cursor
                cursor = following
        finally:
            del self._waiters[event]
