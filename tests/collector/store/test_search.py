"""The search index as a file of its own: made again only where it is of no use, left alone by every other failure."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from collector.errors import StoreUnavailable
from collector.filters import EVERYTHING, parse
from collector.model import Batch, PageRequest
from collector.store import open_store
from tests.collector.store.samples import question, trace_id

ALL = PageRequest(limit=1000)


@pytest.mark.parametrize("obstacle", [".search-shm", ".search-wal"])
def test_an_index_that_cannot_be_opened_now_is_kept_and_the_store_serves(tmp_path: Path, obstacle: str) -> None:
    path = tmp_path / "traces.db"
    store = open_store(path)
    store.write(Batch(spans=question(0)))
    assert store.find_traces(parse("return"), ALL).items
    store.close()
    index, before = Path(f"{path}.search"), Path(f"{path}.search").read_bytes()
    Path(f"{path}{obstacle}").mkdir()  # SQLite says "unable to open", as on a medium that refuses
    again = open_store(path)
    assert again.write(Batch(spans=question(1))).spans == 3
    assert len(again.find_traces(EVERYTHING, ALL).items) == 2
    with pytest.raises(StoreUnavailable, match="search is behind"):
        again.find_traces(parse("return"), ALL)
    assert again.stats().extra["search_behind"] == 6
    assert index.read_bytes() == before
    Path(f"{path}{obstacle}").rmdir()
    until = time.monotonic() + 20
    while again.stats().extra["search_behind"] and time.monotonic() < until:
        time.sleep(0.05)
    assert {one.trace_id for one in again.find_traces(parse("return"), ALL).items} == {trace_id(0), trace_id(1)}
    again.close()


def test_an_index_that_is_no_file_of_ours_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    store = open_store(path)
    store.write(Batch(spans=question(0)))
    store.close()
    index = Path(f"{path}.search")
    for content in (b"", b"no database at all" * 1000, path.read_bytes()):
        index.write_bytes(content)
        again = open_store(path)
        assert len(again.find_traces(parse("return"), ALL).items) == 1
        again.close()
