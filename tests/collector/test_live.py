"""The tail: nothing is missed, nothing polls, what does not match is not told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.filters import EVERYTHING, parse
from collector.live import Tail
from collector.model import Batch, TraceSummary
from collector.store import open_store
from collector.store.sqlite import SqliteStore
from tests.collector.store.samples import question, span, trace_id


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = open_store(tmp_path / "traces.db")
    yield store
    store.close()


async def take(tail: Tail, count: int, filter: str = "", cursor: int = -1) -> list[tuple[TraceSummary, int]]:
    told: list[tuple[TraceSummary, int]] = []
    async for one in tail.traces(parse(filter), cursor):
        told.append(one)
        if len(told) == count:
            break
    return told


@pytest.mark.anyio
async def test_what_comes_is_told_as_it_is_now(store: SqliteStore) -> None:
    tail = Tail(store)
    store.write(Batch(spans=question(0)))
    waiting, numbers = asyncio.create_task(take(tail, 2)), iter(range(1, 500))
    while not waiting.done():  # "now" is when the tail first looks
        store.write(Batch(spans=question(next(numbers))))
        await asyncio.wait([waiting], timeout=0.05)
    told = [int(row.trace_id, 16) for row, _ in waiting.result()]
    assert told == [told[0], told[0] + 1]
    assert told[0] > int(trace_id(0), 16)
    tail.close()


@pytest.mark.anyio
async def test_a_cursor_resumes_without_a_gap(store: SqliteStore) -> None:
    tail = Tail(store)
    for trace in range(250):
        store.write(Batch(spans=[span(trace)]))
    told = await asyncio.wait_for(take(tail, 150, cursor=0), 60)
    rest = await asyncio.wait_for(take(tail, 100, cursor=told[-1][1]), 60)
    seen = {row.trace_id for row, _ in told} | {row.trace_id for row, _ in rest}
    assert len(seen) >= 200
    assert told[-1][1] <= 150
    tail.close()


@pytest.mark.anyio
async def test_only_matching_traces_are_told_and_a_change_tells_again(store: SqliteStore) -> None:
    tail = Tail(store)
    waiting = asyncio.create_task(take(tail, 1, "error:*", cursor=0))
    store.write(Batch(spans=question(0)))
    store.write(Batch(spans=question(1, failed=True)))
    ((row, _),) = await asyncio.wait_for(waiting, 60)
    assert (row.trace_id, row.error_count) == (trace_id(1), 1)
    tail.close()


@pytest.mark.anyio
async def test_a_listener_that_leaves_is_forgotten(store: SqliteStore) -> None:
    tail = Tail(store)
    waiting = asyncio.create_task(take(tail, 1))
    await asyncio.sleep(0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    store.write(Batch(spans=question(0)))
    assert store.changes(0, filter=EVERYTHING)[1] == 1
    tail.close()
