"""The SQLite backend keeps the store's promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.store import open_store
from collector.store.base import Catalog
from collector.store.sqlite import SqliteStore
from tests.collector.store.conformance import StoreConformance


class TestSqlite(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SqliteStore]:
        store = open_store(tmp_path / "traces.db")
        yield store
        store.close()

    @pytest.fixture
    def another(self, tmp_path: Path) -> Iterator[SqliteStore]:
        store = open_store(tmp_path / "another.db")
        yield store
        store.close()

    @pytest.fixture
    def catalog(self, store: SqliteStore) -> Catalog:
        return store.catalog

    @pytest.fixture
    def reopen(self, store: SqliteStore) -> Iterator[Callable[[], SqliteStore]]:
        opened: list[SqliteStore] = []

        def again() -> SqliteStore:
            store.close()
            opened.append(open_store(store.path))
            return opened[0]

        yield again
        for one in opened:
            one.close()
