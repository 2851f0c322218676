"""The writing connection: what it says of a medium that refuses, and what SQLite knows of its tables."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.errors import StoreUnavailable
from collector.filters import EVERYTHING
from collector.model import Batch, PageRequest
from collector.store import connection, open_store, writer
from collector.store.sqlite import SqliteStore
from tests.collector.store.samples import question


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = open_store(tmp_path / "traces.db")
    yield store
    store.close()


def test_a_full_disk_is_told_as_one_whatever_sqlite_calls_it(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ROOM", 2**60)  # as if hardly anything were left
    store.writer.connection.execute("PRAGMA max_page_count=1")
    with pytest.raises(StoreUnavailable, match=r"traces\.db: the disk is full \(\d+ KiB of \d+ MiB left at .*make room"):
        store.write(Batch(spans=question(1, text=random.Random(2).randbytes(200_000).hex())))
    store.writer.connection.execute("PRAGMA max_page_count=1000000")


def test_closing_tells_sqlite_how_the_rows_spread(store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(Batch(spans=[one for number in range(100) for one in question(number)]))
    store.writer.analyse()  # too few to tell how they will spread
    assert store.writer.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'").fetchone() is None
    monkeypatch.setattr(writer, "ANALYSED_FROM", 100)
    store.close()
    again = open_store(tmp_path / "traces.db")
    known = again.writer.connection.execute("SELECT idx FROM sqlite_stat1 WHERE tbl = 'traces'").fetchall()
    assert ("traces_by_start",) in known
    assert len(again.find_traces(EVERYTHING, PageRequest(limit=1000)).items) == 100
    again.close()
