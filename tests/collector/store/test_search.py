"""The search index as a file of its own: made again only where it is of no use, left alone by every other failure."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from collector.errors import StoreUnavailable
from collector.filters import EVERYTHING, parse
from collector.model import Batch, PageRequest, StatusCode
from collector.store import open_store, search, searcher, sqlite
from collector.store.connection import connect
from collector.store.sqlite import SqliteStore
from tests.collector.store.samples import NOW, question, span, trace_id

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


def found(store: SqliteStore, asked: str) -> set[str]:
    return {one.trace_id for one in store.find_traces(parse(asked), ALL).items}


def caught_up(store: SqliteStore) -> None:
    until = time.monotonic() + 20
    while store.stats().extra["search_behind"] and time.monotonic() < until:
        time.sleep(0.02)


def test_an_index_that_turns_out_damaged_is_made_again_while_the_store_serves(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store(tmp_path / "traces.db")
    store.write(Batch(spans=question(0)))
    caught_up(store)
    assert found(store, "return") == {trace_id(0)}
    other = connect(Path(f"{store.path}.search"))
    other.execute("DROP TABLE words_0")  # the next batch meets it
    other.close()
    store.write(Batch(spans=question(1)))
    until = time.monotonic() + 20
    while "made again" not in caplog.text and time.monotonic() < until:
        time.sleep(0.02)
    caught_up(store)
    assert found(store, "return") == {trace_id(0), trace_id(1)}
    assert store.stats().extra["search_problem"] is None
    assert sum("the search index" in line.message for line in caplog.records) == 1
    store.close()


def test_while_the_index_is_far_behind_texts_are_read_from_the_spans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(tmp_path / "traces.db")
    store.write(Batch(spans=[*question(0), *question(1)]))
    caught_up(store)
    monkeypatch.setattr(sqlite, "FAR_BEHIND", -1)
    assert found(store, '"return an item"') == {trace_id(0), trace_id(1)}
    assert found(store, "nowhere") == set()
    store.close()


def test_a_full_shard_becomes_one_segment_and_says_what_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (search, searcher):
        monkeypatch.setattr(module, "SHARD_DOCUMENTS", 4)
    store = open_store(tmp_path / "traces.db")
    for number in range(10):  # two full shards and a third
        store.write(Batch(spans=[span(number, attributes={"input.value": f"common ticket-{number}"})]))
        caught_up(store)
    other = connect(Path(f"{store.path}.search"))
    until = time.monotonic() + 20
    segments = "SELECT count(DISTINCT segid) FROM words_{0}_idx"
    while [other.execute(segments.format(shard)).fetchone()[0] for shard in (0, 1)] != [1, 1] and time.monotonic() < until:
        time.sleep(0.02)
    assert [other.execute(segments.format(shard)).fetchone()[0] for shard in (0, 1)] == [1, 1]
    other.close()
    for number in range(10):
        assert found(store, f"ticket-{number}") == {trace_id(number)}
    assert len(found(store, "comm*")) == len(found(store, "common")) == 10
    store.close()


@pytest.mark.parametrize("order", ["-start_time", "start_time", "-duration"])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("rare or session:s3", {0, 3}),
        ('"common rare" or status:error', {0, 5}),
        ("rare common", {0}),
        ("com* rare", {0}),
        ("-kind:chain", set[int]()),
        ("kind:chain -kind:llm -rare", {1, 2, 3, 4, 5}),
    ],
)
def test_texts_beside_and_instead_of_other_conditions(tmp_path: Path, asked: str, expected: set[int], order: str) -> None:
    store = open_store(tmp_path / "traces.db")
    for number in range(6):
        said = "common rare" if number == 0 else "common"
        failed = {"status": StatusCode.ERROR} if number == 5 else {}
        one = span(number, start=NOW + number, attributes={"input.value": said, "session.id": f"s{number}"})
        store.write(Batch(spans=[replace(one, **failed)]))
    caught_up(store)
    listed = [one.trace_id for one in store.find_traces(parse(asked), PageRequest(limit=1000, order=order)).items]
    assert sorted(listed) == sorted(trace_id(number) for number in expected)
    assert {one.trace_id for one in store.find_spans(parse("-kind:llm"), ALL).items} == {trace_id(number) for number in range(6)}
    store.close()
