"""The SQLite backend: one file, one writing connection, as many reading ones as there are readers.

WAL with `synchronous=FULL`: a write has reached the disk when it returns, and readers never wait for it. Each method opens no transaction
longer than one page of an answer, so no reader holds back the checkpoint. The parts: `writer` (what comes in), `reading` (one trace),
`finding` (lists), and their neighbours in this package.
"""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from collector.errors import InvalidValue, StoreUnavailable, StoreUnreadable, TraceNotFound
from collector.filters import EVERYTHING, Filter, says_text
from collector.model import (
    Batch,
    Json,
    LinkFrom,
    Page,
    PageRequest,
    PassageSummary,
    Pruned,
    RetentionPolicy,
    Score,
    SessionSummary,
    Skeleton,
    Span,
    SpanRow,
    Stats,
    Trace,
    TraceSummary,
    ValueCount,
    Written,
)
from collector.store import aggregating, finding, links, passages, pruning, reading, schema, sessions, values
from collector.store.catalog import SqliteCatalog
from collector.store.connection import CHECKPOINT_PAGES, WRITER_CACHE_KIB, Connection, connect, explained, lock_file, prepare_file, sqlite3
from collector.store.deriving import derive_again
from collector.store.facets import Facets
from collector.store.rows import TraceRecord, columns
from collector.store.search import PENDING_SPANS, WAIT_S, Indexer, SearchIndex
from collector.store.searcher import Searcher
from collector.store.strings import Strings
from collector.store.tallies import Changes
from collector.store.writer import Writer

READERS_KEPT = 16
FAR_BEHIND = 20_000  # spans: more than the search index takes in while a reader waits for it
EXPORT_PAGE = 200
GONE_AT_ONCE = 2_000  # deleted traces that the search index takes out in one commit
LOOKED_THROUGH_AT_ONCE = 1_000_000  # spans that a deletion still looks through for names it leaves behind: under a second
ANALYSE_S = 3600.0  # while it is written to, in a quiet moment; and on closing
DERIVED_TRACES = 50  # of one transaction when all is derived again


class SqliteStore:
    """`SpanStore` over one SQLite file; see there for the promises."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path, self.read_only = path.absolute(), read_only
        self._strings = Strings()
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue()
        self._closed = False
        self._names_left = False  # of deleted traces; for the next round of retention
        self._lock = None
        self.catalog = SqliteCatalog(self._reader, lambda: self.writer)
        self._index: SearchIndex | None = None
        self._indexer: Indexer | None = None
        if read_only:
            self._writer = None
            with self._reader() as connection:
                schema.check(connection, self.path)
        else:
            self._writer = self._open_writer()
            try:
                with explained(self.path):
                    self._follow(self._writer)
            except BaseException:
                self.close()
                raise

    def _open_writer(self) -> Writer:
        prepare_file(self.path)
        self._lock = lock_file(self.path)
        try:
            with explained(self.path):
                connection = connect(self.path, cache_kib=WRITER_CACHE_KIB)
                schema.check(connection, self.path)
                connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
                connection.execute(f"PRAGMA journal_size_limit={CHECKPOINT_PAGES * 4096 * 2}")
                schema.migrate(connection, self.path)
                return Writer(connection, self.path, self._strings)
        except BaseException:
            self._lock.close()
            raise

    def _follow(self, writer: Writer) -> None:
        """Start the search index behind the writer."""
        self._index = SearchIndex(self.path, writer.identity, writer.last_span)
        self._indexer = Indexer(self._index, self._strings, self._snapshot_reader, lambda: writer.seq, self._gone, self._forget_gone)
        writer.follower = self._indexer.offer
        writer.listeners.append(self._indexer.wake)

    @contextmanager
    def _snapshot_reader(self) -> Generator[Connection]:
        with self._reader(settled=False) as connection, _snapshot(connection):
            yield connection

    def _gone(self) -> Sequence[int]:
        with self._reader(settled=False) as connection:
            return [row[0] for row in connection.execute(f"SELECT trace FROM gone LIMIT {GONE_AT_ONCE}")]

    def _forget_gone(self, traces: Sequence[int]) -> None:
        with self.writer.transaction() as connection:
            connection.executemany("DELETE FROM gone WHERE trace=?", [(trace,) for trace in traces])

    @property
    def writer(self) -> Writer:
        if self._writer is None or self._closed:
            raise StoreUnavailable(f"{self.path} is {'closed' if self._closed else 'open for reading only'}", retry_after_s=5)
        return self._writer

    @property
    def sqlite_version(self) -> str:
        return sqlite3.sqlite_version

    @contextmanager
    def _reader(self, *, settled: bool = True) -> Generator[Connection]:
        """A reading connection for the length of one call; before it, roll-ups that wait are made, unless they may go on waiting."""
        if self._closed:
            raise StoreUnavailable(f"{self.path} is closed", retry_after_s=5)
        if settled:
            with contextlib.suppress(StoreUnavailable):  # a full disk: what is there can be read
                self._roll_up()
        with explained(self.path):
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                connection = connect(self.path, read_only=self.read_only, query_only=True)
            try:
                yield connection
            finally:
                if self._closed or self._idle.qsize() >= READERS_KEPT:
                    connection.close()
                else:
                    self._idle.put(connection)

    @contextmanager
    def _asking(self, filter: Filter | None, *, settled: bool = True) -> Generator[tuple[Connection, Searcher | None]]:
        """A snapshot for one query, and the search index where the filter looks for text."""
        with self._reader(settled=settled) as connection:
            if self._indexer is None or filter is None or not says_text(filter):
                with _snapshot(connection):
                    yield connection, None
                return
            if self._is_far_behind(connection):
                with _snapshot(connection):
                    yield connection, None
                return
            with self._searching(connection, reads_pending=True) as (_, searcher):
                yield connection, searcher

    def _is_far_behind(self, connection: Connection) -> bool:
        """Whether the search index is being made (again), also after a moment's wait: then what is asked is read from the spans, as far as
        the time goes, and the answer says how far that was."""
        last: int = connection.execute("SELECT last_span FROM counters").fetchone()[0]
        if self._indexer is None or last - self._indexer.indexed > FAR_BEHIND:
            return self._indexer is not None
        return not self._indexer.wait_for(last - PENDING_SPANS, WAIT_S)

    @contextmanager
    def _searching(self, connection: Connection, *, reads_pending: bool = False) -> Generator[tuple[Connection, Searcher]]:
        """The index, caught up with what was committed before (for a second, or as far as the reader reads the rest from the spans), and a
        snapshot."""
        if self._indexer is None or self._index is None:
            raise StoreUnavailable(f"{self.path} is open for reading only: its search index is not kept")
        left = PENDING_SPANS if reads_pending and not self.writer.has_logs else 0
        self._indexer.wait_for(connection.execute("SELECT last_span FROM counters").fetchone()[0] - left, WAIT_S)
        with self._index.reader() as index, _snapshot(connection):
            yield index, Searcher(index, connection, self._strings)

    # ---- Writing ----

    def write(self, batch: Batch) -> Written:
        return self.writer.write([batch])[0]

    def write_group(self, batches: Sequence[Batch]) -> Sequence[Written]:
        return self.writer.write(batches)

    def settle(self) -> None:
        self._roll_up()
        if self._writer is not None and time.monotonic() - self._writer.analysed > ANALYSE_S:
            self._writer.analyse()

    def _roll_up(self) -> None:
        if self._writer is not None and self._writer.stale:
            self._writer.settle()

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` (from the writing thread; it must not block) after every change; returns what ends it."""
        listeners = self.writer.listeners
        listeners.append(listener)
        return lambda: listeners.remove(listener)

    def give_way_to(self, busy: Callable[[], bool]) -> None:
        if self._indexer is not None:
            self._indexer.busy = busy

    # ---- One trace ----

    def trace(self, trace_id: str) -> Trace:
        with self._reader() as connection, _snapshot(connection):
            return reading.read_trace(connection, trace_id, self._strings)

    def skeleton(self, trace_id: str) -> Skeleton:
        with self._reader() as connection, _snapshot(connection):
            return reading.read_skeleton(connection, trace_id, self._strings)

    def span(self, trace_id: str, span_id: str) -> Span:
        with self._reader() as connection, _snapshot(connection):
            return reading.read_span(connection, trace_id, span_id, self._strings)

    def links(self, trace_id: str, page: PageRequest) -> Page[LinkFrom]:
        with self._reader() as connection, _snapshot(connection):
            if (found := schema.version(connection)) < schema.LINKS_SINCE:
                raise StoreUnreadable(
                    f"{self.path} has schema {found}, which knows no links, and is open for reading only: bring it up to date with "
                    f"`rightpassage renormalise --db {self.path}`"
                )
            return links.read_links(connection, trace_id, page, self._strings)

    def scores(self, trace_id: str | None = None, session_id: str | None = None) -> Sequence[Score]:
        with self._reader() as connection:
            return reading.scores_that_count(connection, [bytes.fromhex(trace_id)] if trace_id else [], session_id)

    # ---- Lists ----

    def find_traces(self, filter: Filter, page: PageRequest) -> Page[TraceSummary]:
        with self._asking(filter) as (connection, search):
            return finding.find_traces(connection, self._strings, filter, page, search)

    def find_spans(self, filter: Filter, page: PageRequest) -> Page[SpanRow]:
        with self._asking(filter) as (connection, search):
            return finding.find_spans(connection, self._strings, filter, page, search)

    def changes(self, cursor: int, limit: int = 100, filter: Filter = EVERYTHING) -> tuple[Sequence[TraceSummary], int]:
        with self._asking(filter, settled=False) as (connection, search):
            if cursor < 0:
                return (), connection.execute("SELECT seq FROM counters").fetchone()[0]
            select = f"SELECT {columns(TraceRecord)} FROM traces WHERE seq > ? ORDER BY seq LIMIT ?"
            records = [TraceRecord._make(row) for row in connection.execute(select, (cursor, limit))]
            if filter and records:
                ids, clock = [record.id for record in records], finding.Clock(finding.BUDGET_S)
                wanted, tried = finding.matching(connection, self._strings, filter, ids, search, clock)
                cursor, records = records[tried - 1].seq, [record for record in records[:tried] if record.id in wanted]
                return reading.summaries(connection, records, self._strings), cursor
            following = records[-1].seq if records else cursor
            return reading.summaries(connection, records, self._strings), following

    def sessions(self, filter: Filter, page: PageRequest) -> Page[SessionSummary]:
        with self._asking(filter) as (connection, search):
            return sessions.find_sessions(connection, self._strings, filter, page, search)

    def session(self, session_id: str) -> tuple[SessionSummary, Sequence[TraceSummary]]:
        with self._reader() as connection, _snapshot(connection):
            return sessions.read_session(connection, self._strings, session_id)

    def aggregate(self, filter: Filter, measures: Sequence[str], by: Sequence[str]) -> Page[Mapping[str, Json]]:
        with self._asking(filter) as (connection, search):
            return aggregating.aggregate(connection, self._strings, filter, measures, by, search)

    def values(self, field: str, prefix: str = "", filter: Filter | None = None, limit: int = 50) -> Sequence[ValueCount]:
        with self._asking(filter) as (connection, search):
            return values.find_values(connection, self._strings, field, prefix, filter, limit, search)

    def passages(self, text: str | None, source: str | None, page: PageRequest) -> Page[PassageSummary]:
        with self._reader() as connection, self._searching(connection) as (index, searcher):
            return passages.find_passages(index, connection, self._strings, searcher, text, source, page)

    def passage(self, passage_hash: str) -> tuple[PassageSummary, str, Sequence[TraceSummary]]:
        with self._reader() as connection, self._searching(connection) as (index, _):
            return passages.read_passage(index, connection, self._strings, passage_hash)

    def spans(self, filter: Filter) -> Iterator[Trace]:
        request = PageRequest(limit=EXPORT_PAGE, order="start_time")
        while True:
            with self._asking(filter) as (connection, search):
                page = finding.find_traces(connection, self._strings, filter, request, search, last_try_s=finding.WITHOUT_HASTE_S)
            for summary in page.items:
                with contextlib.suppress(TraceNotFound):  # deleted since
                    yield self.trace(summary.trace_id)
            if page.next_cursor is None:
                return
            request = replace(request, cursor=page.next_cursor)

    # ---- Upkeep ----

    def delete(self, filter: Filter) -> Pruned:
        before, gone, spans = pruning.file_bytes(self.path), 0, 0
        request = PageRequest(limit=EXPORT_PAGE, order="start_time")
        while True:
            with self._asking(filter) as (connection, search):
                doomed, request = finding.find_candidates(connection, self._strings, filter, request, search)
            removed = pruning.remove_all(self.writer, doomed)
            gone, spans = gone + removed[0], spans + removed[1]
            if request.cursor is None:
                break
        if gone:
            self._names_left = True
            if self.writer.spans <= LOOKED_THROUGH_AT_ONCE:
                self._forget_names()
            pruning.give_back(self.writer)
        return Pruned(gone, spans, max(0, before - pruning.file_bytes(self.path)))

    def prune(self, policy: RetentionPolicy, dry_run: bool = False) -> Pruned:
        pruning.forget_old_announcements(self.writer, time.time_ns())
        before = pruning.file_bytes(self.path)
        with self._reader() as connection:
            used, spans = pruning.used_bytes(connection), connection.execute("SELECT spans FROM counters").fetchone()[0]
            surplus = pruning.surplus(connection, policy)
            per_span = used / spans if spans else 0.0
            if dry_run:
                counted = [0]
                doomed = pruning.Doomed(policy, time.time_ns(), surplus, lambda: round(used - counted[0] * per_span))
                return pruning.preview(doomed.of(pruning.candidates(connection, policy)), per_span, counted)
            doomed = pruning.Doomed(policy, time.time_ns(), surplus, lambda: pruning.used_bytes(connection))
            gone, removed = pruning.remove_all(self.writer, doomed.of(pruning.candidates(connection, policy)))
        self._names_left |= gone > 0
        if self._names_left:
            self._forget_names()
        if gone:
            pruning.give_back(self.writer)
        return Pruned(gone, removed, max(0, before - pruning.file_bytes(self.path)))

    def _forget_names(self) -> None:
        """Names that only deleted traces had leave the file."""
        self._names_left = False
        pruning.forget_loose(self.writer, pruning.loose(lambda: self._reader(settled=False)))

    def renormalise(self) -> int:
        self._roll_up()  # what merely waited is no change
        changed, at = 0, 0
        while True:
            with self.writer.transaction() as connection:
                select = f"SELECT {columns(TraceRecord)} FROM traces WHERE id > ? AND span_count > 0 ORDER BY id LIMIT {DERIVED_TRACES}"
                records = [TraceRecord._make(row) for row in connection.execute(select, (at,)).fetchall()]
                changes, facets = Changes(), Facets()
                changed += sum(derive_again(self.writer, record, changes, facets) for record in records)
                self.writer.apply(changes)
                facets.apply(connection)
            if not records:
                return changed
            at = records[-1].id
            time.sleep(pruning.BREATH_S)

    def backup(self, path: str) -> int:
        target = Path(path)
        if target.exists():
            raise InvalidValue(f"{path} exists already: a backup is written to a new file")
        part = target.with_name(f"{target.name}.part")
        with self._reader() as connection:
            part.unlink(missing_ok=True)
            try:
                prepare_file(part)
                connection.execute("PRAGMA query_only=0")  # VACUUM INTO writes only the copy
                connection.execute("VACUUM INTO ?", (str(part),))
            except BaseException:
                part.unlink(missing_ok=True)
                raise
            finally:
                connection.execute("PRAGMA query_only=1")
        part.replace(target)
        return target.stat().st_size

    def stats(self) -> Stats:
        with self._reader() as connection, _snapshot(connection):
            traces, spans, scores = connection.execute("SELECT traces, spans, scores FROM counters").fetchone()
            found = connection.execute("SELECT count(*) FROM sessions").fetchone()[0]
            last = connection.execute("SELECT last_span FROM counters").fetchone()[0]
        extra: dict[str, Json] = {}
        if self._indexer is not None:
            extra = {
                "search_behind": max(0, last - self._indexer.indexed),
                "search_problem": self._indexer.problem,
                "search_cpu_s": round(self._indexer.seconds, 3),
            }
        return Stats(traces, spans, found, scores, self._bytes(), extra)

    def _bytes(self) -> int:
        """The database, its write-ahead log and the search index."""
        return pruning.file_bytes(self.path) + (pruning.file_bytes(self._index.path) if self._index is not None else 0)

    def close(self) -> None:
        if self._closed:
            return
        writer = self._writer
        if self._indexer is not None:
            self._indexer.close()
        with contextlib.suppress(StoreUnavailable, StoreUnreadable):
            self._roll_up()
            if writer is not None:
                writer.analyse()
        if writer is not None:
            writer.lock.acquire()
        self._closed = True
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                break
        if writer is not None:
            writer.connection.close()  # the last connection's close checkpoints and removes the WAL
            writer.lock.release()
        if self._index is not None:
            self._index.close()
        if self._lock is not None:
            self._lock.close()


@contextmanager
def _snapshot(connection: Connection) -> Generator[None]:
    """The statements inside see one state of the file."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("COMMIT")
