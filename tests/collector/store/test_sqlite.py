"""What is SQLite's alone: the file, its locks and failures, its plans, and that a killed process loses nothing."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import sqlite3 as stdlib_sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.errors import InvalidValue, RightPassageError, StoreLocked, StoreUnavailable, StoreUnreadable
from collector.filters import EVERYTHING, FIELDS, Op, Type, conjuncts, for_spans, for_traces, parse
from collector.model import Batch, Event, Link, LogRecord, PageRequest, Resource, RetentionPolicy, Score, Span, Target
from collector.store import finding, open_store, packs, schema, words, writer
from collector.store.connection import connect, sqlite3
from collector.store.finding import Shortlists, holding
from collector.store.pruning import remove_traces
from collector.store.sqlite import SqliteStore
from collector.store.where import Where
from collector.store.writer import ANALYSED_FROM
from tests.collector.store.conformance import image
from tests.collector.store.samples import MINUTE, NOW, forest, llm, question, span, span_id, trace_id

ALL = PageRequest(limit=1000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "traces.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = open_store(path)
    yield store
    store.close()


# ---- The file ----


def test_only_the_owner_may_read_the_files(store: SqliteStore, path: Path) -> None:
    store.write(Batch(spans=[span()]))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def test_a_second_collector_is_refused_and_a_reader_is_not(store: SqliteStore, path: Path) -> None:
    store.write(Batch(spans=question(0)))
    with pytest.raises(StoreLocked, match=str(os.getpid())):
        open_store(path)
    reader = open_store(path, read_only=True)
    assert reader.stats().spans == 3
    assert len(reader.find_traces(parse("refunds or return"), ALL).items) == 1  # text without the index
    with pytest.raises(StoreUnavailable):
        reader.write(Batch(spans=[span(1)]))
    reader.close()


@pytest.mark.parametrize("url", ["sqlite:///{}", "{}"])
def test_urls_and_paths(url: str, path: Path) -> None:
    open_store(url.format(path)).close()
    assert path.exists()
    with pytest.raises(InvalidValue, match="sqlite"):
        open_store("oracle://x")


def test_the_writing_connection_syncs_every_commit_and_alone_checkpoints(store: SqliteStore) -> None:
    pragma = {
        name: store.writer.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode", "mmap_size")
    }
    assert pragma == {"synchronous": 2, "journal_mode": "wal", "mmap_size": 0}
    reader = connect(store.path, query_only=True)
    assert reader.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    with pytest.raises(sqlite3.OperationalError):
        reader.execute("DELETE FROM spans")
    reader.close()


def test_a_file_of_another_application_is_refused(path: Path) -> None:
    other = stdlib_sqlite3.connect(path)
    other.execute("CREATE TABLE mine (x)")
    other.commit()
    other.close()
    with pytest.raises(StoreUnreadable, match="another application"):
        open_store(path)


def test_a_newer_schema_is_refused(path: Path) -> None:
    open_store(path).close()
    newer = stdlib_sqlite3.connect(path)
    newer.execute("PRAGMA user_version=99")
    newer.close()
    with pytest.raises(StoreUnreadable, match="newer"):
        open_store(path)


@pytest.mark.parametrize("earlier", range(1, schema.VERSION))
def test_a_file_of_an_earlier_schema_is_brought_up_to_date(store: SqliteStore, tmp_path: Path, earlier: int) -> None:
    numbers = random.Random(earlier)
    store.write(Batch(spans=[*forest(numbers, 30, 12), *question(40, attributes={"session.id": "talk"})], logs=[answer_log(span(40, 1))]))
    store.write(Batch(spans=[replace(span(50, name="retry"), links=[Link(trace_id(40), span_id(1))])]))
    store.write(Batch(running=[replace(span(51, attributes={"rightpassage.span.state": "running"}), end_unix_nano=0)]))
    store.write(Batch(scores=[Score("good", value, target=Target(trace_id(40)), time_unix_nano=at) for at, value in ((1, 1.0), (2, 0.0))]))
    store.catalog.add_version("view", "mine", {"filter": "kind:llm"}, ["default"])
    old = tmp_path / "old.db"
    as_of(earlier, store, old)

    opened = open_store(old)
    connection = opened.writer.connection
    assert connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id").fetchall() == [(name,) for name, _ in schema.MIGRATIONS]
    assert schema.version(connection) == schema.VERSION
    assert (image(opened), opened.stats().scores) == (image(store), 1)
    assert list(opened.spans(EVERYTHING)) == list(store.spans(EVERYTHING))
    assert opened.scores(trace_id=trace_id(40)) == store.scores(trace_id=trace_id(40))
    assert opened.catalog.version("view", "mine", "default") == store.catalog.version("view", "mine", "default")
    assert opened.find_traces(parse('"return an item"'), ALL).items == store.find_traces(parse('"return an item"'), ALL).items
    assert opened.write(Batch(spans=[*question(40), *question(41)])).duplicates == 3
    linked = store.links(trace_id(40), ALL).items
    assert opened.links(trace_id(40), ALL).items == ([] if earlier < 3 else linked)
    assert opened.renormalise() == 0  # rows for the links of old spans are made then
    assert opened.links(trace_id(40), ALL).items == linked
    opened.close()


def as_of(number: int, store: SqliteStore, path: Path) -> None:
    """What a store holds in a file of an earlier schema: as many migrations as it had, and the rows of the tables it knew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:number])
        patch.setattr(schema, "VERSION", number)
        path.touch()
        connection = connect(path)
        schema.migrate(connection, path)
    store.settle()
    connection.execute("ATTACH ? AS now", (str(store.path),))
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE '%sqlite%'")]
    for table in tables:
        connection.execute(f"DELETE FROM {table}")
        connection.execute(f"INSERT INTO {table} SELECT * FROM now.{table}")
    if number < 3:  # it counted all of them
        connection.execute("UPDATE counters SET scores = (SELECT count(*) FROM scores)")
    assert schema.version(connection) == number
    assert {"strings", "spans", "traces", "scores", "versions"} < set(tables)
    connection.close()


@pytest.mark.parametrize("seed", range(25))
def test_damage_is_told_and_nothing_is_deleted(path: Path, seed: int) -> None:
    """4 KB of noise at any place: refused in one line that names the file, or still readable up to an error that says so."""
    store = open_store(path)
    store.write(Batch(spans=[one for trace in range(200) for one in question(trace)]))
    store.close()
    whole, numbers = path.read_bytes(), random.Random(seed)
    at = numbers.randrange(len(whole) // 4096) * 4096 if seed else 0
    path.write_bytes(whole[:at] + numbers.randbytes(4096) + whole[at + 4096 :])
    damaged = path.read_bytes()
    complaint = ""
    try:
        hurt = open_store(path)
    except StoreUnreadable as error:
        complaint = str(error)
        assert path.read_bytes() == damaged
    else:
        with contextlib.suppress(RightPassageError):
            sum(len(trace.spans) for trace in hurt.spans(EVERYTHING))
        hurt.close()
    assert not complaint or str(path) in complaint


def test_deleted_text_leaves_the_disk(path: Path) -> None:
    secret = "kingfisher-4711"
    store = open_store(path)
    store.write(Batch(spans=[span(attributes={"input.value": f"{secret} and other words"})]))
    store.write(Batch(spans=question(7)))
    store.delete(parse(f'"{secret}"'))
    store.close()
    assert not [file.name for file in path.parent.glob(f"{path.name}*") if secret.encode() in file.read_bytes()]


def test_names_that_only_deleted_traces_had_leave_the_disk(path: Path) -> None:
    own = {"session.id": "session-of-4711", "user.id": "user-4711", "tag.tags": ["tag-4711"]}
    host = Resource({"service.name": "service-4711", "host.name": "host-4711"})
    store = open_store(path)
    store.write(Batch(spans=[replace(span(attributes={**own, "gen_ai.operation.name": "chat"}), name="name-4711", resource=host)]))
    on_session = Score("helpful", 1.0, target=Target(session_id="session-of-4711"), explanation="said-4711")
    store.write(Batch(spans=[span(7, attributes={"gen_ai.operation.name": "name-4711x", "session.id": "other"})], scores=[on_session]))
    store.delete(parse("user:user-4711"))
    store.write(Batch(spans=[span(8, attributes={"session.id": "other", "user.id": "user-4712"})]))  # numbers go on
    seen = {row.span_count: (row.session_id, row.user_id) for row in store.find_traces(parse("user:user-4712"), ALL).items}
    assert seen == {1: ("other", "user-4712")}
    assert [one.normalised.operation for one in store.trace(trace_id(7)).spans if one.normalised] == ["name-4711x"]
    assert store.stats().scores == 0
    store.close()
    assert set(re.findall(rb"[a-z-]*4711x?", path.read_bytes())) == {b"name-4711x"}


@pytest.mark.parametrize("filter", ['attr["absent"]:1', '"some words"'])
def test_a_damaged_pack_is_told_also_while_a_filter_reads_it(path: Path, filter: str) -> None:
    store = open_store(path)
    store.write(Batch(spans=[span()]))
    store.close()
    direct = connect(path)
    direct.execute("UPDATE packs SET data=CAST(substr(data, 1, length(data) - 8) || zeroblob(8) AS BLOB)")
    direct.close()
    path.with_name(f"{path.name}.search").unlink()  # or a text that the index knows to be absent needs no look
    hurt = open_store(path)
    with pytest.raises(StoreUnreadable, match="damaged"):
        hurt.find_traces(parse(filter), PageRequest())
    hurt.close()


def test_a_truncated_file_with_its_log_is_refused(path: Path) -> None:
    store = open_store(path)
    store.write(Batch(spans=[span()]))
    log = Path(f"{path}-wal").read_bytes()
    store.close()
    path.write_bytes(b"")
    Path(f"{path}-wal").write_bytes(log)
    with pytest.raises(StoreUnreadable, match="truncated"):
        open_store(path)


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc/self/mountinfo").exists(), reason="root may write anywhere")
def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot write"):
        open_store(tmp_path / "file" / "traces.db")


def test_a_full_disk_refuses_writes_reads_go_on_and_it_recovers(store: SqliteStore) -> None:
    store.write(Batch(spans=question(0)))
    connection = store.writer.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages + 2}")
    noise = random.Random(2).randbytes(200_000).hex()
    with pytest.raises(StoreUnavailable, match="full"):
        store.write(Batch(spans=question(1, text=noise)))
    assert store.find_traces(EVERYTHING, ALL).items[0].trace_id == trace_id(0)
    assert store.stats().spans == 3
    connection.execute("PRAGMA max_page_count=1000000")
    assert store.write(Batch(spans=question(1, text=noise))).spans == 3
    assert store.stats().spans == 6


def test_a_lost_or_foreign_search_index_is_made_again(path: Path) -> None:
    store = open_store(path)
    store.write(Batch(spans=question(0)))
    assert len(store.find_traces(parse("return"), ALL).items) == 1
    store.close()
    search = Path(f"{path}.search")
    search.unlink()
    again = open_store(path)
    assert len(again.find_traces(parse("return"), ALL).items) == 1
    again.close()
    search.write_bytes(b"no database at all" * 1000)
    third = open_store(path)
    assert len(third.find_traces(parse("return"), ALL).items) == 1
    third.close()
    path.unlink()
    fresh = open_store(path)  # the index beside it belonged to the file that is gone
    assert fresh.find_traces(parse("return"), ALL).items == []
    fresh.close()


def test_a_backup_is_whole_and_private(store: SqliteStore, tmp_path: Path) -> None:
    store.write(Batch(spans=forest(random.Random(4), 5, 6)))
    copy = tmp_path / "copy.db"
    assert store.backup(str(copy)) == copy.stat().st_size
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with pytest.raises(InvalidValue, match="exists"):
        store.backup(str(copy))
    opened = open_store(copy)
    assert image(opened) == image(store)
    opened.close()


def test_the_file_reads_with_plain_sqlite_and_the_payload_function(store: SqliteStore, path: Path) -> None:
    from collector.store.plugin import for_datasette, for_sqlite_utils

    store.write(Batch(spans=question(0)))
    store.close()
    for plugin in (for_sqlite_utils, for_datasette):
        plain = stdlib_sqlite3.connect(path)
        plugin.prepare_connection(plain)
        assert plain.execute("SELECT trace_id, root_name, span_count FROM trace_list").fetchall() == [(trace_id(0), "ask", 3)]
        assert {row[0] for row in plain.execute("SELECT name FROM span_list")} == {"ask", "retrieve", "chat"}
        payload = plain.execute("SELECT span_payload(p.data, s.slot) FROM spans s JOIN packs p ON p.id = s.pack").fetchone()[0]
        assert orjson.loads(payload)["attributes"]["openinference.span.kind"]
        plain.close()


# ---- Never two SQLites ----


def test_sqlite_utils_and_the_store_use_one_sqlite() -> None:
    import sqlite_utils.utils

    assert sqlite_utils.utils.sqlite3.sqlite_version == sqlite3.sqlite_version
    assert sqlite_utils.utils.dbapi2.__name__ == sqlite3.__name__ or sqlite3.__name__ == "sqlite3"


def test_opening_a_store_imports_neither_pandas_nor_sqlite_utils_when_nothing_is_pending(path: Path) -> None:
    open_store(path).close()
    code = (
        f"import sys; from collector.store import open_store; open_store({str(path)!r}).close(); "
        "print('pandas' in sys.modules, 'sqlite_utils' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == ["False", "False"]


# ---- Plans ----

INDEXED = (
    "kind:llm status:error", "model:x", "session:s", "user:u", "tag:t", "name:n latency:>2s", "error:*", "index:v1", "score.a:>0",
    "latency:>60s", "cost:>1",
)  # fmt: skip
BIG = {
    *"tscxfm",
    "spans",
    "traces",
    "packs",
    "facets",
    "sessions",
    "scores",
    "links",
    "minutes",
    "hours",
    "moves",
    "documents",
    "passages",
    "candidates",
}
"""Tables, and how statements call them, that none may read from end to end without an index that orders them."""
SORTS = ("pack, slot", "start_ns, span_id", "time_ns", "received_ns", "c.traces DESC", "ORDER BY trace DESC", "GROUP BY", " UNION ")
"""What is sorted all the same: one trace, the scores of one, the values of a field, the traces of a passage, groups, short lists that
are joined."""


def plan(connection: Any, statement: str, parameters: Any = ()) -> str:
    return "; ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))


def reads(store: SqliteStore, ids: Sequence[str]) -> Iterator[tuple[str, Callable[[], object]]]:
    """Everything that a page or a program asks for often."""
    page = PageRequest(limit=3)
    for order in (*finding.TRACE_ORDERS, *(f"-{name}" for name in finding.TRACE_ORDERS)):
        yield f"traces by {order}", lambda order=order: store.find_traces(EVERYTHING, PageRequest(limit=3, order=order))
    for asked in INDEXED:
        yield asked, lambda asked=asked: store.find_traces(parse(asked), page)
        yield f"spans: {asked}", lambda asked=asked: store.find_spans(parse(asked), page)
        yield f"values: {asked}", lambda asked=asked: store.values("model", "", parse(asked))
    following = store.find_traces(EVERYTHING, page).next_cursor
    yield "the next page", lambda: store.find_traces(EVERYTHING, replace(page, cursor=following))
    spans_after = store.find_spans(EVERYTHING, page).next_cursor
    yield "the next page of spans", lambda: store.find_spans(EVERYTHING, replace(page, cursor=spans_after))
    yield "sessions", lambda: store.sessions(EVERYTHING, page)
    yield "sessions with", lambda: store.sessions(parse("kind:llm"), page)
    yield "one session", lambda: store.session("s1")
    yield "passages", lambda: store.passages(None, None, page)
    yield "passages that say", lambda: store.passages("returned", "faq.md", page)
    yield "changes", lambda: store.changes(1, 10)
    yield "changes that match", lambda: store.changes(1, 10, parse("kind:llm"))
    yield "stats", store.stats
    yield "a trace", lambda: store.trace(ids[0])
    yield "its skeleton", lambda: store.skeleton(ids[0])
    yield "a span", lambda: store.span(ids[0], store.skeleton(ids[0]).rows[0].span_id)
    yield "scores", lambda: store.scores(trace_id=ids[0])
    yield "links", lambda: store.links(trace_id(50), page)
    links_after = store.links(trace_id(50), page).next_cursor
    yield "the next page of links", lambda: store.links(trace_id(50), replace(page, cursor=links_after))
    for by in (["minute"], ["hour", "kind"], ["hour", "model"], ["day", "service"], ["name"], ["status"], ["session"], ["tag"], ["user"]):
        yield f"chart by {by}", lambda by=by: store.aggregate(parse("since:300d"), ["count", "p95", "cost"], by)


@pytest.mark.parametrize("analysed", [False, True])
def test_no_statement_scans_a_table(store: SqliteStore, monkeypatch: pytest.MonkeyPatch, analysed: bool) -> None:
    """The plan of every statement that reading, writing, indexing and removing run; also where SQLite knows how the rows spread."""
    from collector.store import aggregating

    monkeypatch.setattr(aggregating, "EXACT_ROWS", -1)  # short periods are read from the tables, too
    store.write(Batch(spans=[*forest(random.Random(3), 40, 8), *question(50, attributes={"session.id": "s1"})]))
    store.write(Batch(spans=[replace(span(60 + number), links=[Link(trace_id(50), span_id(0))]) for number in range(5)]))
    ids = [row.trace_id for row in store.find_traces(parse("name:chat"), ALL).items]
    if analysed:  # as a store is when it is looked at for the first time
        store.writer.connection.execute("ANALYZE")
        for table, rows in (("traces", ANALYSED_FROM), ("spans", 8 * ANALYSED_FROM), ("facets", 20 * ANALYSED_FROM), ("sessions", 500)):
            grown = f"UPDATE sqlite_stat1 SET stat = '{rows}' || substr(stat, instr(stat, ' ')) WHERE tbl = '{table}'"
            store.writer.connection.execute(grown)
        store.writer.connection.execute("ANALYZE sqlite_schema")
    assert store._index is not None  # pyright: ignore[reportPrivateUsage]
    search, asking, seen = Path(f"{store.path}.search"), [""], dict[tuple[str, Path], str]()

    def follow(connection: Any, path: Path) -> None:
        connection.set_trace_callback(lambda statement: seen.setdefault((statement, path), asking[0]))

    for path, idle in ((store.path, store._idle), (search, store._index._idle)):  # pyright: ignore[reportPrivateUsage]
        while not idle.empty():
            idle.get_nowait().close()
        idle.put(connect(path, query_only=True))
        follow(idle.queue[0], path)
    follow(store.writer.connection, store.path)
    follow(store._index.writer, search)  # pyright: ignore[reportPrivateUsage]
    for name, call in (*reads(store, ids), *changes(store)):
        asking[0] = name
        call()
    plans = {path: connect(path) for path in (store.path, search)}
    for function in ("span_holds", "text_holds"):
        plans[store.path].create_function(function, 2, lambda *_: 0)
    explained, wrong = 0, list[tuple[str, str, str]]()
    for (statement, path), name in list(seen.items()):  # the index may still be at work
        if statement.split()[0] not in {"SELECT", "DELETE", "UPDATE", "WITH"}:
            continue
        told = plan(plans[path], statement)
        explained += 1
        scans = [part for part in told.split("; ") if part.startswith("SCAN ") and " USING " not in part and " VIRTUAL " not in part]
        if [part for part in scans if part.split()[1] in BIG]:
            wrong.append((name, statement, told))
        if "TEMP B-TREE FOR ORDER BY" in told and not any(word in statement for word in SORTS):
            wrong.append((name, statement, told))
    for connection in plans.values():
        connection.close()
    assert wrong == []
    assert explained > 150


def changes(store: SqliteStore) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "new spans", lambda: store.write(Batch(spans=question(60)))
    yield "a late span", lambda: store.write(Batch(spans=[span(60, 900)], logs=[answer_log(span(60, 900))]))
    yield "a score", lambda: store.write(Batch(scores=[Score("good", 1.0, target=Target(trace_id(60)))]))
    yield "deletion", lambda: store.delete(parse("name:ask"))
    yield "retention", lambda: store.prune(RetentionPolicy(max_traces=10, keep_scored=True))
    yield "a text", lambda: store.find_traces(parse("return policy"), ALL)


@pytest.mark.parametrize("filter", INDEXED)
def test_filters_with_an_index_have_a_shortlist_and_probe_by_trace(store: SqliteStore, filter: str) -> None:
    store.write(Batch(spans=question(0)))
    node = for_traces(parse(filter))
    connection = store.writer.connection
    few = Shortlists(connection).best(node)
    assert few is not None
    assert "SCAN traces" not in plan(connection, few.sql.text, few.sql.parameters)
    where = Where()
    condition = where.trace(node)
    with holding(connection, store._strings, where):  # pyright: ignore[reportPrivateUsage]
        told = plan(
            connection,
            f"SELECT t.id FROM traces t WHERE t.id IN (SELECT value FROM json_each('[1]')) AND {condition.text}",
            condition.parameters,
        )
    assert "SCAN s" not in told.split("; "), told
    assert "SCAN t" not in told.split("; "), told


def test_every_field_and_operator_compiles_for_traces_and_for_spans(store: SqliteStore) -> None:
    store.write(Batch(spans=question(0)))
    values = {Type.TEXT: "x%_y", Type.NUMBER: "5", Type.DURATION: "2s", Type.TIME: "-1h", Type.BOOLEAN: "true", Type.ANY: "7"}
    for entry in FIELDS.values():
        for op in entry.operators:
            value = entry.choices[0] if entry.choices else values.get(entry.type, "x")
            written = {Op.HAS: ":*", Op.MATCH: ":x*y?", Op.EQ: f":{value}"}.get(op, f":{op.value}{value}")
            text = f"{entry.name}{'[k]' if entry.keyed else ''}{written}"
            for asked in (text, f"-{text}", f"any({text})", f"{text} or name:a"):
                store.find_traces(parse(asked), ALL)
                store.find_spans(parse(asked), ALL)


def test_a_scan_that_finds_nothing_ends_in_time_and_says_how_far_it_got(store: SqliteStore) -> None:
    for start in range(0, 2_000, 500):
        store.write(Batch(spans=[one for trace in range(start, start + 500) for one in question(trace)]))
    with store._reader() as connection:  # pyright: ignore[reportPrivateUsage]
        strings, request, seen = store._strings, PageRequest(limit=10), list[int]()  # pyright: ignore[reportPrivateUsage]
        while True:
            page = finding.find_traces(connection, strings, parse('attr["input.value"]:nothing'), request, budget_s=0.02)
            assert page.items == []
            if page.complete:
                break
            assert page.searched_back_to_unix_nano is not None
            assert page.next_cursor is not None
            seen.append(page.searched_back_to_unix_nano)
            request = PageRequest(limit=10, cursor=page.next_cursor)
    assert len(seen) > 1
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("asked", ['attr["input.value"]:*nothing*', "input:*nothing*"])
def test_one_huge_trace_does_not_outlast_the_budget(store: SqliteStore, asked: str) -> None:
    huge = [span(0, number, number // 8 if number else None, attributes={"input.value": f"q{number}"}) for number in range(3_000)]
    store.write(Batch(spans=[*huge, *question(1)]))
    with store._reader() as connection:  # pyright: ignore[reportPrivateUsage]
        strings, request = store._strings, PageRequest(limit=10)  # pyright: ignore[reportPrivateUsage]
        began = time.monotonic()
        page = finding.find_traces(connection, strings, parse(asked), request, budget_s=0.001)
        spans = finding.find_spans(connection, strings, parse(asked), request, budget_s=0.001)
        assert time.monotonic() - began < 5
        assert (page.items, page.complete, spans.complete) == ([], False, False)
        assert page.searched_back_to_unix_nano is not None
        further = finding.find_traces(connection, strings, EVERYTHING, request)  # the connection is as good as new
        assert len(further.items) == 2


def test_what_bytes_rule_out_is_what_texts_rule_out(store: SqliteStore) -> None:
    attributes: dict[str, Any] = {
        "a.b": "Müller sagt ja",
        "n": {"x": {"y": 5}},
        "q": 'say "no"\nthen go',
        "t": True,
        "list": ["one", "two"],
    }
    store.write(Batch(spans=[span(0, 0, attributes=attributes), span(1, 0, attributes={"plain": "Fetch THE page"})]))

    def found(text: str) -> int:
        return len(store.find_traces(parse(text), ALL).items)

    assert [found(f"attr[{key}]:*") for key in ("a.b", "n.x.y", "plain", "q", "b.a")] == [1, 1, 1, 1, 0]
    assert [found(text) for text in ("attr[t]:true", "attr[list]:two", "attr[n.x.y]:5", "attr[plain]:fetch")] == [1, 1, 1, 0]
    assert [found(f'"{text}"') for text in ("the page", "muller sagt", "no then", "fetch page", "step")] == [1, 1, 1, 0, 2]


def test_a_root_read_alone_borrows_what_it_borrows_in_its_trace(store: SqliteStore) -> None:
    spans = forest(random.Random(7), 150, 9)
    store.write(Batch(spans=spans))
    roots = [one for one in spans if not one.parent_span_id]
    borrowing = 0
    for root in roots:
        whole = next(one for one in store.trace(root.trace_id).spans if one.span_id == root.span_id)
        assert store.span(root.trace_id, root.span_id) == whole
        borrowing += bool(whole.normalised and whole.normalised.derived)
    assert borrowing > 20


def test_conjuncts_are_flat() -> None:
    assert len(conjuncts(for_traces(parse("user:a (session:b (tag:c service:d))")))) == 4
    assert for_spans(EVERYTHING) is None


# ---- Any order ----


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), deferred_from=st.sampled_from([2, 5, 128]), data=st.data())
def test_any_interleaving_gives_the_same_derived_data(
    tmp_path_factory: pytest.TempPathFactory, seed: int, deferred_from: int, data: st.DataObject
) -> None:
    """Order, split, repetition, log records, reads, restarts and renormalising in between: the same summaries, counts and histograms,
    whether large traces are rolled up at once or later."""
    folder = tmp_path_factory.mktemp("orders")
    spans = forest(random.Random(seed), traces=3, spans=14)
    logs = [answer_log(span) for span in spans[::4]]
    straight = open_store(folder / "straight.db")
    straight.write(Batch(spans=spans, logs=logs))
    shuffled = data.draw(st.permutations(spans + spans[: len(spans) // 2]))
    late = data.draw(st.permutations(logs))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "DEFERRED_FROM", deferred_from)
        patch.setattr(writer, "GROWS_ON", deferred_from)
        crooked = open_store(folder / "crooked.db")
        while shuffled or late:
            size = data.draw(st.integers(1, 6))
            if data.draw(st.booleans()):  # announcements, also of spans that have ended
                crooked.write(Batch(running=[running(one) for one in shuffled[size - 1 : size + 2]]))
            told = late[: data.draw(st.integers(0, 2))] if shuffled else late
            crooked.write(Batch(spans=shuffled[:size], logs=told))
            shuffled, late = shuffled[size:], late[len(told) :]
            match data.draw(st.sampled_from(["go on", "go on", "go on", "look", "restart", "die", "renormalise"])):
                case "look":
                    crooked.stats()
                case "restart":
                    crooked.close()
                    crooked = open_store(folder / "crooked.db")
                case "die":
                    patch.setattr(crooked, "_roll_up", lambda: None)
                    crooked.close()
                    crooked = open_store(folder / "crooked.db")
                case "renormalise":
                    assert crooked.renormalise() == 0
                case _:
                    pass
    try:
        assert image(crooked) == image(straight)
    finally:
        crooked.close()
        straight.close()


def test_a_large_trace_is_rolled_up_when_it_grew_by_half_or_is_read(store: SqliteStore, path: Path) -> None:
    spans = [span(0, 0), *(llm(0, number, 0, tokens=10) for number in range(1, 400))]
    for at in range(0, len(spans), 20):
        store.write(Batch(spans=spans[at : at + 20]))
    plain = connect(path, read_only=True)
    state = "SELECT span_count, input_tokens, (SELECT rolled FROM stale) FROM traces"
    count, tokens, rolled = plain.execute(state).fetchone()
    assert (count, tokens) == (400, 10 * (rolled - 1))
    assert 3 * rolled > 2 * count
    (row,) = store.find_traces(EVERYTHING, ALL).items
    assert (row.span_count, row.usage.input_tokens) == (400, 3990)
    assert plain.execute(state).fetchone() == (400, 3990, None)
    plain.close()


def test_a_trace_that_waits_for_its_roll_up_may_be_deleted(store: SqliteStore, path: Path) -> None:
    for at in range(0, 300, 20):
        store.write(Batch(spans=[llm(0, number, 0) for number in range(at, at + 20)]))
    remove_traces(store.writer, [1])
    assert (store.stats().traces, store.stats().spans) == (0, 0)
    assert store.aggregate(EVERYTHING, ["count", "tokens"], []).items in ([], [{"count": 0, "tokens": 0}])


def answer_log(span: Span) -> LogRecord:
    """A log record with a model's answer for a span."""
    event = Event("gen_ai.choice", span.start_unix_nano + 5, {"message": {"role": "assistant", "content": f"log of {span.name}"}})
    return LogRecord(span.trace_id, span.span_id, event)


def running(ended: Span) -> Span:
    """The announcement of a span."""
    return replace(ended, end_unix_nano=0, attributes={**ended.attributes, "rightpassage.span.state": "running"})


# ---- Kill -9 ----

WRITER = """
    import sys
    from collector.model import Batch
    from collector.store import open_store
    from tests.collector.store.samples import question
    store, first = open_store(sys.argv[1]), int(sys.argv[2])
    print("open", flush=True)
    for trace in range(first, first + 100_000):
        store.write(Batch(spans=question(trace)))
        print(trace, flush=True)
"""


def test_what_was_acknowledged_survives_kill_9(path: Path) -> None:
    acknowledged, first = set[int](), 0
    for round_ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(path), str(first)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        assert child.stdout is not None
        timer = threading.Timer(0.05 + 0.1 * round_, lambda running=child: os.kill(running.pid, signal.SIGKILL))
        for line in child.stdout:
            if line == "open\n":
                timer.start()
            else:
                acknowledged.add(int(line))
        child.wait()
        timer.join()
        first = max(acknowledged, default=-1) + 2  # leaves the one that may have been cut alone
    store = open_store(path)
    kept = {int(row.trace_id, 16) - 1 for page in all_pages(store) for row in page}
    assert acknowledged <= kept
    assert store.stats().spans == 3 * len(kept)
    assert store.writer.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    counted = sum(int(str(row["count"])) for row in store.aggregate(EVERYTHING, ["count"], ["minute"]).items)
    assert counted == len(kept)
    assert len(store.find_traces(parse("return"), PageRequest(limit=1000)).items) == min(1000, len(kept))
    store.close()


def all_pages(store: SqliteStore) -> Iterator[Any]:
    request = PageRequest(limit=1000)
    while True:
        page = store.find_traces(EVERYTHING, request)
        yield page.items
        if page.next_cursor is None:
            return
        request = PageRequest(limit=1000, cursor=page.next_cursor)


def test_readers_never_see_half_a_write(store: SqliteStore) -> None:
    stop, wrong = threading.Event(), list[str]()

    def read() -> None:
        while not stop.is_set():
            for row in store.find_traces(EVERYTHING, PageRequest(limit=20)).items:
                if row.span_count != len(store.skeleton(row.trace_id).rows):
                    wrong.append(row.trace_id)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for trace in range(60):
        store.write(Batch(spans=question(trace)))
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []


# ---- Small parts ----

json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5) | st.sampled_from(["\x00", "\x00b"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=6), json_like, max_size=5))
def test_json_of_attributes_loses_nothing(value: dict[str, Any]) -> None:
    assert repr(packs.loads(packs.dumps(value))) == repr(value)


@given(st.lists(st.binary(max_size=300_000 // 8), max_size=70))
def test_packs_give_back_their_bodies(bodies: list[bytes]) -> None:
    counts = packs.in_packs(bodies)
    assert sum(counts) == len(bodies)
    assert all(0 < count <= packs.MAX_SPANS for count in counts)
    assert list(packs.unpack(packs.pack(bodies))) == bodies


@pytest.mark.parametrize(
    ("text", "phrase", "expected"),
    [
        ("The Refund policy", "refund", True),
        ("The Refunds policy", "refund", False),
        ("The Refunds policy", "refund*", True),
        ("refund-policy.md", "refund policy", True),
        ("policy refund", "refund policy", False),
        ("Café au lait", "cafe", True),
        ("ＡＢＣ wide", "abc", True),
        ("検索結果の一覧", "結果", True),
        ("検索結果の一覧", "索果", False),
        ("検索結果の一覧", "覧", True),
        ("한국어 검색입니다", "검색", True),
        ("ภาษาไทยง่าย", "ไทย", True),
        ("запрос в индекс", "ИНДЕКС", True),
        ("snake_case_name", "case", True),
        ("x" * 100, "x" * 100, True),
    ],
)
def test_what_is_found_in_which_language(store: SqliteStore, text: str, phrase: str, expected: bool) -> None:
    store.write(Batch(spans=[span(attributes={"output.value": text}), span(1, attributes={"output.value": "something else"})]))
    assert [row.trace_id for row in store.find_traces(parse(f'"{phrase}"'), ALL).items] == ([trace_id(0)] if expected else [])
    assert words.says(phrase, [text]) is expected


def test_words_of_deleted_traces_leave_the_index_and_the_rest_is_found(store: SqliteStore, path: Path) -> None:
    for trace in range(40):
        store.write(Batch(spans=question(trace, text=f"number{trace} kingfisher{trace}")))
    log = LogRecord(trace_id(39), question(39)[0].span_id, Event("said", NOW, {"body": "overheard"}))
    store.write(Batch(logs=[log]))
    assert len(store.find_traces(parse("kingfisher*"), ALL).items) == 40
    for trace in range(31):  # 41 documents become 20, then 10
        store.delete(parse(f'"kingfisher{trace}"'))
    while store._gone():  # pyright: ignore[reportPrivateUsage]
        time.sleep(0.01)
    assert len(store.find_traces(parse("kingfisher*"), ALL).items) == 9
    assert len(store.find_traces(parse("kingfisher35 number35"), ALL).items) == 1
    assert len(store.find_traces(parse("overheard"), ALL).items) == 1
    store.close()
    with contextlib.closing(sqlite3.connect(f"{path}.search")) as index:
        index.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab('main', 'words_0', 'row')")
        words_left = {word for (word,) in index.execute("SELECT term FROM vocabulary")}
    assert {"kingfisher31", "kingfisher39"} <= words_left
    assert not {"kingfisher0", "kingfisher19"} & words_left


def test_old_traces_that_come_late_are_found_in_order(store: SqliteStore) -> None:
    for trace in (5, 1, 9, 3, 7):
        store.write(Batch(spans=question(trace, start=NOW + trace * MINUTE)))
        time.sleep(0.01)
        assert store.find_traces(parse("return"), ALL).items
    assert [int(row.trace_id, 16) - 1 for row in store.find_traces(parse("return"), ALL).items] == [9, 7, 5, 3, 1]
    assert [int(row.trace_id, 16) - 1 for row in store.find_traces(parse("return"), PageRequest(2, order="start_time")).items] == [1, 3]


# ---- Charts ----


def test_a_chart_that_ran_out_of_time_says_so_also_in_its_first_stretch(store: SqliteStore) -> None:
    from collector.store import aggregating

    for start in range(0, 2_000, 500):
        store.write(Batch(spans=[one for trace in range(start, start + 500) for one in question(trace)]))
    with store._reader() as connection:  # pyright: ignore[reportPrivateUsage]
        strings, asked = store._strings, parse('attr["openinference.span.kind"]:LLM')  # pyright: ignore[reportPrivateUsage]
        none, some, all_ = (aggregating.aggregate(connection, strings, asked, ["count"], [], None, budget) for budget in (0.0, 0.05, 60))
    newest = NOW + 1_999 * MINUTE
    assert (none.complete, none.items) == (False, [])
    assert newest <= (none.searched_back_to_unix_nano or 0) <= newest + MINUTE
    assert not some.complete
    assert NOW < (some.searched_back_to_unix_nano or 0) <= newest
    assert (all_.complete, [row["count"] for row in all_.items]) == (True, [2_000])


def test_tables_and_rows_count_the_same(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    from collector.store import aggregating

    store.write(Batch(spans=forest(random.Random(5), 60, 9)))
    first, last = min(row.start_unix_nano for row in all_rows(store)), max(row.start_unix_nano for row in all_rows(store))
    measures = ["count", "errors", "tokens", "cost"]
    questions = [
        (f"{window} {asked}", by)
        for window in ("", f"since:{(first + (last - first) // 3) // MINUTE * MINUTE}")
        for asked, by in (
            ("", ["hour"]),
            ("", ["day", "service"]),
            ("kind:llm", ["minute"]),
            ("", ["kind"]),
            ("kind:llm,tool", ["hour", "kind"]),
        )
    ]
    rows = [store.aggregate(parse(asked), measures, by).items for asked, by in questions]
    monkeypatch.setattr(aggregating, "EXACT_ROWS", -1)  # no period is short enough to be read row by row
    tables = [store.aggregate(parse(asked), measures, by).items for asked, by in questions]
    assert [len(found) > 0 for found in rows] == [True] * len(questions)
    assert tables == rows


def all_rows(store: SqliteStore) -> list[Any]:
    return [row for page in all_pages(store) for row in page]


# ---- Walking, gathering ----


@pytest.mark.parametrize("order", ["-start_time", "start_time", "-duration", "-cost", "tokens"])
@pytest.mark.parametrize("asked", ["error:*", "status:error", "kind:llm status:error", "name:chat", "cost:>0", "error:* -kind:tool"])
def test_a_walk_that_turns_to_gathering_finds_the_same(store: SqliteStore, monkeypatch: pytest.MonkeyPatch, order: str, asked: str) -> None:
    store.write(Batch(spans=forest(random.Random(11), 120, 6)))

    def pages() -> list[str]:
        request, seen = PageRequest(limit=4, order=order), list[str]()
        while True:
            page = store.find_traces(parse(asked), request)
            seen += [row.trace_id for row in page.items]
            if page.next_cursor is None:
                return seen
            request = replace(request, cursor=page.next_cursor)

    gathered = pages()
    monkeypatch.setattr(finding.Shortlists.best, "__defaults__", (-1,))
    monkeypatch.setattr(finding, "PATIENCE", 7)
    assert pages() == gathered
    assert len(set(gathered)) == len(gathered) > 0


def test_values_are_counted_whole_or_said_to_be_at_least_so_many(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    from collector.store import values

    monkeypatch.setattr(finding, "AT_A_TIME", 20)
    monkeypatch.setattr(values, "AT_A_TIME", 20)
    store.write(Batch(spans=[one for trace in range(70) for one in question(trace)]))
    for field, value in (("name", "chat"), ("model", "gpt-4o-mini"), ("attr[output.value]", "Within 30 days.")):
        counted = {one.value: (one.count, one.at_least) for one in store.values(field, "", parse("kind:llm"))}
        assert counted[value] == (70, False), field
    monkeypatch.setattr(values, "BUDGET_S", 0.0)
    assert all(one.at_least for one in store.values("name", "", parse("kind:llm")))
    assert not any(one.at_least for one in store.values("name"))


@pytest.mark.parametrize("asked", ["input:*nothing*", 'attr["input.value"]:needle'])
def test_the_tail_and_the_sessions_go_on_past_a_huge_trace(store: SqliteStore, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    huge = [span(0, number, number // 8 if number else None, attributes={"input.value": f"q{number}"}) for number in range(3_000)]
    store.write(Batch(spans=huge))
    store.write(Batch(spans=question(1, text="needle", attributes={"session.id": "s1"})))
    monkeypatch.setattr(finding, "BUDGET_S", 0.001)
    monkeypatch.setattr(finding, "LAST_TRY_S", 0.001)
    began, cursor, told = time.monotonic(), 0, list[str]()
    while True:
        traces, following = store.changes(cursor, 100, parse(asked))
        told += [row.trace_id for row in traces]
        if following == cursor:
            break
        cursor = following
    assert told == ([trace_id(1)] if "needle" in asked else [])
    assert len(store.sessions(parse(asked), PageRequest()).items) == len(told)
    assert time.monotonic() - began < 5


def test_what_is_indexed_from_memory_is_what_is_indexed_from_the_file(path: Path) -> None:
    store = open_store(path)
    nested: dict[str, Any] = {"list": ["alpha", "beta"], "map": {"deep": ["gamma", {"deeper": "delta"}]}, "number": 5, "bytes": b"zeta"}
    spans = [replace(span(0, 0, attributes=nested), name="eta step", events=[Event("said", NOW, {"text": "theta"})], status_message="iota")]
    store.write(Batch(spans=spans, logs=[LogRecord(trace_id(0), spans[0].span_id, Event("log", NOW, {"body": "kappa"}))]))
    store.write(Batch(spans=[*question(1), *question(2, text="Ünïcode “quoted” ＷＩＤＥ 検索結果")]))
    asked = (
        "alpha",
        "beta",
        "gamma",
        "delta",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "said",
        "unicode",
        "quoted",
        "wide",
        "検索",
        "return",
    )

    def answers(opened: SqliteStore) -> list[Any]:
        found = [[row.trace_id for row in opened.find_traces(parse(word), ALL).items] for word in asked]
        return [*found, opened.passages(None, None, PageRequest()).items]

    live = answers(store)
    store.close()
    Path(f"{path}.search").unlink()
    again = open_store(path)
    assert answers(again) == live
    assert [len(found) for found in live] == [1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
    again.close()


def test_spans_are_offered_once_in_order_and_never_out_of_a_failed_transaction() -> None:
    from collector.store import search

    def stored(first: int, count: int, size: int = 10) -> list[Any]:
        made = span()
        return [(SimpleNamespace(id=number), made, size) for number in range(first, first + count)]

    offered = search.Offered()
    offered.put(stored(1, 5))
    assert offered.take(0, 3) == [(one[0], one[1]) for one in stored(1, 3)]  # no further than what is committed
    offered.put(stored(5, 2))  # 5 was given out by a transaction that failed
    assert [one[0].id for one in offered.take(3, 9)] == [4, 5, 6]
    offered.put(stored(10, 2))
    assert (offered.take(6, 20), offered.first(0)) == ([], 10)  # 7 to 9 are read from the file
    assert [one[0].id for one in offered.take(10, 20)] == [11]  # 10 was indexed meanwhile
    offered.put(stored(12, 3, search.OFFERED_BYTES // 2))
    assert [one[0].id for one in offered.take(11, 20)] == [12, 13]  # the third found no room
