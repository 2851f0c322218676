"""The way in: durable before answered, bounded, and one bad batch harms nobody."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from collector.errors import InvalidValue, Overloaded, StoreUnavailable
from collector.filters import EVERYTHING
from collector.ingest import Ingest, weight
from collector.model import Batch, PageRequest, Written
from collector.store import open_store
from collector.store.sqlite import SqliteStore
from tests.collector.store.samples import question, span


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = open_store(tmp_path / "traces.db")
    yield store
    store.close()


class Gate(SqliteStore):
    """A store whose writes wait until it is opened; counts its groups."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.opened, self.entered, self.groups = threading.Event(), threading.Event(), list[int]()

    def write_group(self, batches: Sequence[Batch]) -> Sequence[Written]:
        self.groups.append(len(batches))
        self.entered.set()
        self.opened.wait(10)
        return super().write_group(batches)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path / "gate.db")
    yield gate
    gate.opened.set()
    gate.close()


@pytest.mark.anyio
async def test_accept_answers_when_it_is_there(store: SqliteStore) -> None:
    ingest = Ingest(store)
    assert await ingest.accept(Batch(spans=question(0))) == Written(3, 0, 0)
    assert store.stats().spans == 3
    assert (await ingest.accept(Batch(spans=question(0)))).duplicates == 3
    ingest.close()


def test_what_waits_is_written_in_one_commit(gate: Gate) -> None:
    ingest = Ingest(gate)
    senders = [threading.Thread(target=ingest.accept_blocking, args=(Batch(spans=question(0)),))]
    senders[0].start()
    gate.entered.wait(5)
    senders += [threading.Thread(target=ingest.accept_blocking, args=(Batch(spans=question(trace)),)) for trace in range(1, 9)]
    for sender in senders[1:]:
        sender.start()
    while ingest.waiting_bytes < 9 * weight(Batch(spans=question(0))):
        threading.Event().wait(0.005)
    gate.opened.set()
    for sender in senders:
        sender.join()
    assert gate.groups == [1, 8]
    assert (ingest.commits, gate.stats().traces) == (2, 9)
    ingest.close()


def test_a_full_queue_refuses_before_it_keeps_anything(gate: Gate) -> None:
    one = weight(Batch(spans=question(0)))
    ingest = Ingest(gate, queue_bytes=2 * one)
    sender = threading.Thread(target=ingest.accept_blocking, args=(Batch(spans=question(0)),))
    sender.start()
    gate.entered.wait(5)
    second = threading.Thread(target=ingest.accept_blocking, args=(Batch(spans=question(1)),))
    second.start()
    while ingest.waiting_bytes < 2 * one:
        threading.Event().wait(0.005)
    with pytest.raises(Overloaded) as refused:
        ingest.accept_blocking(Batch(spans=question(2)))
    assert (refused.value.retry_after_s, ingest.refused) == (1, 1)
    gate.opened.set()
    sender.join()
    second.join()
    assert ingest.accept_blocking(Batch(spans=question(2))).spans == 3
    ingest.close()
    assert ingest.waiting_bytes == 0


def test_a_batch_that_cannot_be_stored_harms_no_neighbour(gate: Gate) -> None:
    ingest, results = Ingest(gate), dict[int, object]()

    def send(number: int, batch: Batch) -> None:
        try:
            results[number] = ingest.accept_blocking(batch).spans
        except InvalidValue as error:
            results[number] = type(error)

    bad = Batch(spans=[replace(span(5), trace_id="xyz")])
    threads = [threading.Thread(target=send, args=(number, bad if number == 2 else Batch(spans=question(number)))) for number in range(5)]
    threads[0].start()
    gate.entered.wait(5)
    for thread in threads[1:]:
        thread.start()
    gate.opened.set()
    for thread in threads:
        thread.join()
    assert results == {0: 3, 1: 3, 2: InvalidValue, 3: 3, 4: 3}
    ingest.close()


def test_closing_writes_what_waits_and_refuses_what_comes(gate: Gate) -> None:
    ingest = Ingest(gate)
    senders = [threading.Thread(target=ingest.accept_blocking, args=(Batch(spans=question(trace)),)) for trace in range(4)]
    for sender in senders:
        sender.start()
    gate.entered.wait(5)
    while ingest.waiting_bytes < 4 * weight(Batch(spans=question(0))):
        threading.Event().wait(0.005)
    threading.Timer(0.1, gate.opened.set).start()
    ingest.close()
    for sender in senders:
        sender.join()
    assert gate.stats().traces == 4
    with pytest.raises(StoreUnavailable):
        ingest.accept_blocking(Batch(spans=question(9)))
    ingest.close()


def test_a_full_disk_is_told_to_the_sender_and_passes(store: SqliteStore) -> None:
    ingest = Ingest(store)
    ingest.accept_blocking(Batch(spans=question(0)))
    connection = store.writer.connection
    connection.execute(f"PRAGMA max_page_count={connection.execute('PRAGMA page_count').fetchone()[0] + 1}")
    big = Batch(spans=[span(1, attributes={"input.value": bytes(range(256)).hex() * 400 + "".join(map(chr, range(256, 60_000)))[:50_000]})])
    with pytest.raises(StoreUnavailable):
        ingest.accept_blocking(big)
    connection.execute("PRAGMA max_page_count=1000000")
    assert ingest.accept_blocking(big).spans == 1
    ingest.close()


@pytest.mark.anyio
async def test_an_asker_that_goes_away_is_no_harm(gate: Gate) -> None:
    ingest = Ingest(gate)
    asking = asyncio.create_task(ingest.accept(Batch(spans=question(0))))
    await asyncio.sleep(0.05)
    asking.cancel()
    gate.opened.set()
    assert (await ingest.accept(Batch(spans=question(1)))).spans == 3
    assert len(gate.find_traces(EVERYTHING, PageRequest()).items) == 2
    ingest.close()


def test_what_was_left_for_later_is_done_in_a_quiet_moment(store: SqliteStore) -> None:
    ingest = Ingest(store)
    spans = [span(0, number, 0 if number else None) for number in range(300)]
    left = False
    for at in range(0, 300, 20):
        ingest.accept_blocking(Batch(spans=spans[at : at + 20]))
        left = left or bool(store.writer.stale)
    assert left
    until = time.monotonic() + 60
    while store.writer.stale and time.monotonic() < until:
        time.sleep(0.05)
    assert not store.writer.stale
    ingest.close()
