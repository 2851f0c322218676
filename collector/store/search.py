"""The search index: words of every text, and passages by their digest, kept up to date behind the writer's back.

Its own file beside the database (`….search`), because inline indexing would double the cost of a span. One thread reads what was committed
since it last looked and adds it in large commits; whoever searches first waits a moment for it to catch up. Losing the file loses nothing:
it is made again. A word query reads only the index, newest first; what the index cannot prove (several words, CJK) is read in the spans.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from collector import rollup
from collector.errors import StoreUnavailable, StoreUnreadable
from collector.model import Event, Span, SpanKind
from collector.store import schema, words
from collector.store.answer import columns_of
from collector.store.connection import Connection, connect, explained, is_damage, is_refusal, prepare_file, sqlite3
from collector.store.matching import passage_hash, searchable, searchable_of, source_of
from collector.store.reading import Payloads, log_events, understand
from collector.store.rows import KINDS, SpanRecord, columns, id_number
from collector.store.strings import Strings

log = logging.getLogger(__name__)
VERSION = 2
BATCH_SPANS = 4_096
OFFERED_BYTES = 8 * 2**20  # of bodies that wait in memory; as objects three times that
SHARD_DOCUMENTS = 16_384
"""Traces per shard: about 11 MB. Forty shards at five million spans cost a rare word 1 ms."""
SEGMENTS_JOINED_AT = 8
"""Segments of one size that FTS5 joins while a shard grows; its default (4) reads it over more often, and a full shard is joined anyway."""
FULL_SHARD_PAGE = 1_000
"""Bytes of a full shard's pages (FTS5's default: 4,050). From four pages on FTS5 keeps an index of where in a word's list a document
stands. With it, and one segment instead of seven, a rare word beside a common one takes 14 µs a shard instead of 157, five common words
in one document 18 instead of 413. Joining costs 1.5 µs of CPU a span, outside the interpreter's lock."""
WAIT_S = 1.0  # how long a reader waits for the index to catch up
PENDING_SPANS = 1_000  # of the newest spans that a reader reads itself when the index is behind
RETRY_S, RETRY_AT_MOST_S = 1.0, 600.0
BUSY_SHARE = 2.0  # while spans come in, rest this many times as long as was worked
SLICE_SPANS, GIVE_WAY_S = 64, 0.05  # ask whether batches wait before each slice (6 ms); under full load a thousand spans a second go on
_RETURNING = {KINDS[SpanKind.RETRIEVER], KINDS[SpanKind.RERANKER]}


class SearchIndex:
    """One per store. Reading methods may be called from any thread; `Indexer` writes."""

    def __init__(self, database: Path, identity: str, last_span: int) -> None:
        """Open the index of a database by its identity; one of another file, or that knows spans this one has not, is made again."""
        self.path, self._identity, self._last_span = Path(f"{database}.search"), identity, last_span
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue()
        self._closed = False
        self._made = 0  # how often the file was made again: connections of before read one that is gone
        self.suspect: StoreUnreadable | None = None  # what a reader met that looks like damage; for the indexer to look into
        self._writer: Connection | None = None
        with suppress(StoreUnavailable, sqlite3.OperationalError):  # a full disk, say: the store serves, and the indexer tries again
            self._writer = self._opened()

    @property
    def writer(self) -> Connection:
        """The writing connection, for the indexer's thread. Raises `StoreUnavailable` while the file cannot be opened."""
        if self._writer is None:
            self._writer = self._opened()
        return self._writer

    @property
    def reached(self) -> int:
        """The newest span that is indexed; 0 while the file cannot be opened."""
        if self._writer is None:
            return 0
        return self._writer.execute("SELECT last_span FROM progress").fetchone()[0]

    def _opened(self) -> Connection:
        """A file that is damaged, of another version or another database's is made again; any other failure leaves it as it is."""
        try:
            return self._open()
        except StoreUnreadable as error:
            log.info("the search index is made again: %s", error)
            self._remove()
            return self._open()

    def make_again(self) -> None:
        """An empty index in place of one that is damaged; by the indexer."""
        if self._writer is not None:
            self._writer.close()
        self._writer, self.suspect, self._made = None, None, self._made + 1
        self._drop_idle()
        self._remove()
        self._writer = self._open()

    def is_damaged(self) -> bool:
        """Look through the whole file: seconds, outside the interpreter's lock."""
        try:
            if self.writer.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                return True
            for (shard,) in self.writer.execute("SELECT shard FROM shards").fetchall():
                self.writer.execute(f"INSERT INTO words_{shard} (words_{shard}) VALUES ('integrity-check')")
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            return True
        return False

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    def _open(self) -> Connection:
        with explained(self.path):
            prepare_file(self.path)
            connection = connect(self.path, cache_kib=32_768)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            return connection

    def _prepare(self, connection: Connection) -> None:
        """The settings, the tables of a new file, and the check that it is this database's."""
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")  # what a power cut takes away is indexed again
        connection.execute("PRAGMA wal_autocheckpoint=4096")
        if schema.version(connection) != VERSION:
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise StoreUnreadable("another version of the search index")
            connection.execute("BEGIN")
            for statement in schema.statements(schema.sql("search")):
                connection.execute(statement)
            connection.execute("INSERT INTO progress VALUES (1, 0, 0, 0, ?)", (self._identity,))
            connection.execute(f"PRAGMA user_version={VERSION}")
            connection.execute("COMMIT")
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name='progress'").fetchone():
            raise StoreUnreadable("no search index")
        last_span, identity = connection.execute("SELECT last_span, identity FROM progress").fetchone() or (0, None)
        if identity != self._identity or last_span > self._last_span:
            raise StoreUnreadable("the search index of another database")

    @contextmanager
    def reader(self) -> Generator[Connection]:
        if self._writer is None:
            raise StoreUnavailable(f"the search is behind: its index {self.path} cannot be opened; the log says why", retry_after_s=5)
        made = self._made
        try:
            with explained(self.path):
                try:
                    connection = self._idle.get_nowait()
                except queue.Empty:
                    connection = connect(self.path, query_only=True)
                try:
                    yield connection
                finally:
                    if self._closed or made != self._made or self._idle.qsize() > 8:
                        connection.close()
                    else:
                        self._idle.put(connection)
        except StoreUnreadable as error:
            if isinstance(error.__cause__, sqlite3.DatabaseError):  # of this file or of the database's: the indexer finds out
                self.suspect = error
            raise

    def close(self) -> None:
        self._closed = True
        self._drop_idle()
        if self._writer is not None:
            self._writer.close()

    def _drop_idle(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()


# ---- Keeping it up to date ----


@dataclass(slots=True)
class Document:
    """What a batch adds for one trace."""

    trace: int
    start_ns: int
    texts: dict[str, None]  # a trace says its question and its passages again and again: each once


@dataclass(frozen=True, slots=True)
class Returned:
    """A passage (or candidate) in a span's list."""

    span: SpanRecord
    place: int
    hash: int | None
    rank: int | None
    score: float | None
    stage: str | None
    dropped: str | None
    document_id: str | None
    source: str | None


class _Traces:
    """What a batch asks of its traces: where they start, their ids, and their log records if the store has any at all."""

    def __init__(self, store: Connection, numbers: Collection[int]) -> None:
        self._store = store
        source = "FROM traces WHERE id IN (SELECT value FROM json_each(?))"
        found, starts, ids = columns_of(store, ["id", "start_ns", "hex(trace_id)"], source, [orjson.dumps(list(numbers)).decode()])
        self.starts: Mapping[int, int] = dict(zip(found, starts, strict=True))
        self.ids: Mapping[int, bytes] = dict(zip(found, map(bytes.fromhex, ids), strict=True))
        self._logged = store.execute("SELECT 1 FROM log_events LIMIT 1").fetchone() is not None

    def events(self, record: SpanRecord) -> Sequence[Event]:
        return log_events(self._store, self.ids[record.trace]).get(record.span_id, ()) if self._logged else ()


Taken = tuple[SpanRecord, Span | None]  # a span to index; None: it is read from the file


class Offered:
    """The newest spans as the writer had them: what is indexed soon need not be read, unpacked and understood again (half the work)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: dict[int, tuple[SpanRecord, Span, int]] = {}  # by number, ascending
        self._bytes = 0

    def put(self, stored: Sequence[tuple[SpanRecord, Span, int]]) -> None:
        """Before their commit. Numbers that were given out before belonged to a transaction that failed. What finds no room is left out."""
        with self._lock:
            if not stored:
                return
            while self._spans and next(reversed(self._spans)) >= stored[0][0].id:
                self._bytes -= self._spans.popitem()[1][2]
            for record, span, size in stored:
                if self._bytes + size > OFFERED_BYTES:
                    return
                self._spans[record.id] = record, span, size
                self._bytes += size

    def first(self, otherwise: int) -> int:
        with self._lock:
            return next(iter(self._spans), otherwise)

    def take(self, after: int, committed: int) -> Sequence[Taken]:
        """The spans that follow a number without a gap, as far as they are committed; older ones are dropped."""
        taken: list[Taken] = []
        with self._lock:
            while self._spans:
                number = next(iter(self._spans))
                if number > after + 1 or number > committed or len(taken) == BATCH_SPANS:
                    break
                record, span, size = self._spans.pop(number)
                self._bytes -= size
                if number == after + 1:
                    taken.append((record, span))
                    after = number
        return taken


class Indexer:
    """The thread that follows the store. `read` opens a snapshot of it; `commits` counts its commits; `forgotten` takes deleted traces;
    while `busy()` it gives way."""

    def __init__(
        self,
        index: SearchIndex,
        strings: Strings,
        read: Callable[[], AbstractContextManager[Connection]],
        commits: Callable[[], int],
        gone: Callable[[], Sequence[int]],
        forgotten: Callable[[Sequence[int]], None],
    ) -> None:
        self._index, self._strings, self._read = index, strings, read
        self._commits, self._gone, self._forgotten = commits, gone, forgotten
        self._offered = Offered()
        self.offer = self._offered.put
        self._wake, self._caught_up = threading.Event(), threading.Condition()
        self._wanted, self._asked_for = 0, threading.Event()  # the newest span that somebody waits for
        self._work = threading.Lock()
        self._closing = False
        self.busy: Callable[[], bool] = lambda: False
        self.problem: str | None = None  # why it waits or what else is wrong
        self._made = 0  # how often the index was made again because it was damaged
        self._full: list[int] | None = None  # shards that will not grow any more and are still in many pieces
        self.indexed = self._committed = index.reached
        self.seconds = 0.0  # CPU of the thread, for the benchmarks
        self._thread = threading.Thread(target=self._run, name="rightpassage-search", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def wait_for(self, span: int, seconds: float) -> bool:
        """Wait until a span is indexed; False if it takes longer."""
        if self.indexed >= span:
            return True
        self._wanted = max(self._wanted, span)
        self._asked_for.set()
        self._wake.set()
        with self._caught_up:
            return self._caught_up.wait_for(lambda: self.indexed >= span or self._closing, seconds) and self.indexed >= span

    def close(self) -> None:
        self._closing = True
        self._asked_for.set()
        self._wake.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._closing:
            commits, began, cpu = self._commits(), time.monotonic(), time.thread_time()
            try:
                worked = self._look_into_suspicion() or self._drop_gone() or self._add_batch()
                worked = self._join_segments() or worked
                if self.problem and self.indexed + BATCH_SPANS > self._committed:
                    self.problem = None
            except StoreUnavailable as error:
                self._wait(error)
                continue
            except StoreUnreadable as error:  # what is to be indexed cannot be read
                self._stand_still(error)
                return
            except sqlite3.Error as error:  # of the index itself: what reading the database raises is none of SQLite's any more
                if is_refusal(error) or self._closing:
                    self._wait(error)
                else:
                    self._make_again(error)
                continue
            self.seconds += time.thread_time() - cpu
            if not worked:
                self._wake.wait()
                self._wake.clear()
            elif self._commits() != commits:
                self._rest(min(1.0, BUSY_SHARE * (time.monotonic() - began)))

    def _wait(self, error: Exception, seconds: float = RETRY_S) -> None:
        """Before the next try: a full disk, a file that somebody holds."""
        self._tell(f"waits: {error}", logging.WARNING)
        self._sleep(seconds)

    def _stand_still(self, error: Exception) -> None:
        self._tell(f"stands still: {error}", logging.ERROR)

    def _make_again(self, error: Exception) -> None:
        """It only holds what the database says as well. Where that does not help, each further try waits twice as long."""
        self._tell(f"is damaged and is made again: {error}", logging.ERROR)
        if self._made:
            self._sleep(min(RETRY_AT_MOST_S, RETRY_S * 2**self._made))
        if self._closing:
            return
        self._made += 1
        self._full = None
        self._reached(0)
        try:
            self._index.make_again()
        except (StoreUnavailable, sqlite3.Error) as refusal:
            self._wait(refusal)

    def _look_into_suspicion(self) -> bool:
        """A reader met damage, in the index or in the database beside it."""
        if self._index.suspect is None:
            return False
        suspect, self._index.suspect = self._index.suspect, None
        if self._index.is_damaged():
            self._make_again(suspect)
        return True

    def _tell(self, problem: str, level: int) -> None:
        """Once, not with every try."""
        if problem != self.problem and not self._closing:
            self.problem = problem
            log.log(level, "the search index %s", problem)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._closing and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))

    def _rest(self, seconds: float) -> None:
        """Leave the interpreter to others, unless somebody waits for what is not indexed yet."""
        self._asked_for.clear()
        if self.indexed >= self._wanted and not self._closing:
            self._asked_for.wait(seconds)

    @property
    def _connection(self) -> Connection:
        return self._index.writer

    def _reached(self, span: int) -> None:
        with self._caught_up:
            self.indexed = span
            self._caught_up.notify_all()

    # ---- A batch ----

    def _add_batch(self) -> bool:
        last_span, last_log = self._connection.execute("SELECT last_span, last_log FROM progress").fetchone()
        if self.indexed != last_span:  # the file was opened just now
            self._reached(last_span)
        with self._read() as store:
            committed: int = store.execute("SELECT last_span FROM counters").fetchone()[0]
            self._committed = committed
            spans = self._offered.take(last_span, committed)
            if not spans:
                select = f"SELECT {columns(SpanRecord)} FROM spans WHERE id > ? AND id < ? ORDER BY id LIMIT {BATCH_SPANS}"
                rows = store.execute(select, (last_span, self._offered.first(committed + 1)))
                spans = [(SpanRecord._make(row), None) for row in rows] or self._offered.take(self._offered.first(0) - 1, committed)
            logs = store.execute("SELECT trace_id, body, seq FROM log_events WHERE seq > ? ORDER BY seq LIMIT 1000", (last_log,)).fetchall()
            if not spans and not logs:
                return False
            documents, returned = self._read_spans(store, spans)
            self._read_logs(store, logs, documents)
        reached = spans[-1][0].id if spans else last_span
        with self._transaction():
            self._add_documents(list(documents.values()))
            self._add_passages(returned)
            logged = logs[-1][2] if logs else last_log
            self._connection.execute("UPDATE progress SET last_span=?, last_log=?", (reached, logged))
        self._reached(reached)
        return True

    def _read_spans(self, store: Connection, spans: Sequence[Taken]) -> tuple[dict[int, Document], list[Returned]]:
        payloads, traces = Payloads(store), _Traces(store, {record.trace for record, _ in spans})
        documents: dict[int, Document] = {}
        returned: list[Returned] = []
        for number, (record, span) in enumerate(spans):
            if number % SLICE_SPANS == 0:
                self._give_way()
            document = documents.get(record.trace)
            if document is None:
                start_ns = traces.starts.get(record.trace)
                if start_ns is None:
                    continue
                document = documents[record.trace] = Document(record.trace, start_ns, {})
            returns = record.kind in _RETURNING or record.documents or record.candidates
            if span is None:
                body, name = payloads.body(record), self._strings.text(store, record.name) or ""
                document.texts.update(dict.fromkeys(searchable(body, name)))
                if returns:
                    span = understand(payloads.received(record, traces.ids[record.trace].hex(), name, traces.events(record), body))
            else:
                document.texts.update(dict.fromkeys(searchable_of(span)))
            if returns and span is not None:
                returned.extend(_returned(record, span))
        return documents, returned

    def _give_way(self) -> None:
        """Batches that wait to be written go first, for a while: both need the interpreter."""
        until = time.monotonic() + GIVE_WAY_S
        while self.busy() and not self._closing and self.indexed >= self._wanted and time.monotonic() < until:
            time.sleep(0.002)

    def _read_logs(self, store: Connection, logs: Sequence[tuple[bytes, bytes, int]], documents: dict[int, Document]) -> None:
        """Log records are told by their body; those whose trace has not come are read with its spans."""
        for trace_id, body, _ in logs:
            found = store.execute("SELECT id, start_ns FROM traces WHERE trace_id=?", (trace_id,)).fetchone()
            if found is not None:
                document = documents.setdefault(found[0], Document(found[0], found[1], {}))
                document.texts[_text_of_log(body)] = None

    # ---- Words ----

    def _add_documents(self, documents: Sequence[Document]) -> None:
        """A run of documents, sorted by start; one that would cross into the next shard becomes two."""
        if not documents:
            return
        connection = self._connection
        number: int = connection.execute("SELECT last_document FROM progress").fetchone()[0] + 1
        ordered = sorted(documents, key=lambda one: one.start_ns)
        while ordered:
            shard, room = number // SHARD_DOCUMENTS, SHARD_DOCUMENTS - number % SHARD_DOCUMENTS
            run, ordered = ordered[:room], ordered[room:]
            self._open_shard(shard, len(run))
            numbered = list(enumerate(run, number))
            number += len(run)
            connection.executemany("INSERT INTO documents VALUES (?, ?, ?)", [(key, one.trace, one.start_ns) for key, one in numbered])
            connection.executemany(_add_words(shard), [(key, words.indexed(one.texts)) for key, one in numbered])
            bounds = numbered[0][0], number - 1, run[0].start_ns, run[-1].start_ns
            connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?)", bounds)
            if len(run) == room and self._full is not None:
                self._full.append(shard)
        connection.execute("UPDATE progress SET last_document=?", (number - 1,))

    def _open_shard(self, shard: int, documents: int) -> None:
        """Make a shard ready for more documents."""
        connection = self._connection
        if not connection.execute("UPDATE shards SET written = written + ? WHERE shard = ?", (documents, shard)).rowcount:
            connection.execute("INSERT INTO shards VALUES (?, ?)", (shard, documents))
            connection.execute(
                f"CREATE VIRTUAL TABLE words_{shard} USING fts5(words, content='', detail=none, columnsize=0, tokenize='ascii')"
            )
            connection.execute(_configure(shard, "automerge"), (SEGMENTS_JOINED_AT,))

    def _join_segments(self) -> bool:
        """Of one shard that is full and will be read for long (see `FULL_SHARD_PAGE`), unless somebody waits for the index."""
        if self._full is None:
            self._full = self._scattered()
        if not self._full or self.indexed < self._wanted:
            return False
        shard = self._full.pop()
        with self._transaction():
            self._connection.execute(_configure(shard, "pgsz"), (FULL_SHARD_PAGE,))
            self._connection.execute(f"INSERT INTO words_{shard} (words_{shard}) VALUES ('optimize')")
        return True

    def _scattered(self) -> list[int]:
        """Full shards of more than one segment, the newest last."""
        connection = self._connection
        newest = connection.execute("SELECT last_document / ? FROM progress", (SHARD_DOCUMENTS,)).fetchone()[0]
        select = "SELECT (SELECT segid FROM words_{0}_idx ORDER BY segid) < (SELECT segid FROM words_{0}_idx ORDER BY segid DESC)"
        shards = [row[0] for row in connection.execute("SELECT shard FROM shards WHERE shard < ? ORDER BY shard", (newest,))]
        return [shard for shard in shards if connection.execute(select.format(shard)).fetchone()[0]]

    # ---- Passages ----

    def _add_passages(self, returned: Sequence[Returned]) -> None:
        connection = self._connection
        known = self._known_passages(returned)
        numbers = {**known, **self._new_passages(returned, known)}
        counts: Counter[int] = Counter()
        traces: set[tuple[int, int]] = set()
        newest: dict[int, int] = {}
        rows: list[tuple[object, ...]] = []
        for one in returned:
            number = numbers.get(one.hash) if one.hash is not None else None
            rows.append((one.span.trace, one.span.id, one.place, number, one.rank, one.score, one.stage, one.dropped))
            if number is not None and one.place >= 0:
                counts[number] += 1
                traces.add((number, one.span.trace))
                newest[number] = max(newest.get(number, 0), one.span.start_ns)
        seen_before = "SELECT 1 FROM candidates WHERE passage=? AND trace=? AND place >= 0"
        old = set(known.values())
        new_traces = Counter(
            passage
            for passage, trace in traces
            if passage not in old or connection.execute(seen_before, (passage, trace)).fetchone() is None
        )
        connection.executemany("INSERT OR REPLACE INTO candidates VALUES (?,?,?,?,?,?,?,?)", rows)
        connection.executemany(
            "UPDATE passages SET retrieved=retrieved+?, traces=traces+?, last_seen_ns=max(last_seen_ns, ?) WHERE id=?",
            [(count, new_traces[number], newest[number], number) for number, count in counts.items()],
        )

    def _known_passages(self, returned: Sequence[Returned]) -> Mapping[int, int]:
        """The numbers of the passages that were returned before, by digest."""
        digests = orjson.dumps(sorted({one.hash for one in returned if one.hash is not None})).decode()
        select = "SELECT hash, id FROM passages WHERE hash IN (SELECT value FROM json_each(?))"
        return dict(self._connection.execute(select, (digests,)).fetchall())

    def _new_passages(self, returned: Sequence[Returned], known: Mapping[int, int]) -> Mapping[int, int]:
        """Numbers for the others, where they were first returned."""
        connection = self._connection
        firsts = {one.hash: one for one in reversed(returned) if one.hash is not None and one.hash not in known}
        last: int = connection.execute("SELECT coalesce(max(id), 0) FROM passages").fetchone()[0]
        numbers = {digest: number for number, digest in enumerate(firsts, last + 1)}
        sources = {source: self._source(source) for source in {one.source for one in firsts.values()}}
        rows = [
            (numbers[digest], digest, one.span.id, one.place, one.document_id, sources[one.source], one.span.start_ns)
            for digest, one in sorted(firsts.items())  # in order of the digests: their index is walked once
        ]
        connection.executemany("INSERT INTO passages VALUES (?,?,?,?,?,?,0,0,?)", rows)
        return numbers

    def _source(self, text: str | None) -> int | None:
        if text is None:
            return None
        self._connection.execute("INSERT OR IGNORE INTO sources (text) VALUES (?)", (text,))
        number: int = self._connection.execute("SELECT id FROM sources WHERE text=?", (text,)).fetchone()[0]
        return number

    # ---- Deleted traces ----

    def _drop_gone(self) -> bool:
        """Traces that were deleted leave the index. Their words do when half of a shard's documents are gone: it is written again from the
        texts that are left (SQLite before 3.43 cannot take a document out of it), or dropped; then the disk is given back."""
        gone = self._gone()
        if not gone:
            return False
        connection = self._connection
        shards: set[int] = set()
        with self._transaction():
            for trace in gone:
                self._drop_passages(trace)
                documents = connection.execute("SELECT id FROM documents WHERE trace=?", (trace,)).fetchall()
                shards.update(document // SHARD_DOCUMENTS for (document,) in documents)
                connection.execute("DELETE FROM documents WHERE trace=?", (trace,))
            connection.execute("DELETE FROM sources WHERE NOT EXISTS (SELECT 1 FROM passages WHERE passages.source = sources.id)")
        for shard in shards:
            with self._transaction():
                self._shrink(shard)
        while connection.execute("PRAGMA freelist_count").fetchone()[0] and not self._closing:
            self._give_way()
            connection.execute("PRAGMA incremental_vacuum(4096)").fetchall()
        self._forgotten(gone)
        return True

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # SQLite itself rolls back where the disk is full
                self._connection.execute("ROLLBACK")
            raise

    def _shrink(self, shard: int) -> None:
        """Runs without documents go, and a shard without runs; one that lost half of its documents is written again."""
        connection, bounds = self._connection, (shard * SHARD_DOCUMENTS, (shard + 1) * SHARD_DOCUMENTS - 1)
        connection.execute(
            "DELETE FROM runs WHERE first BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 FROM documents WHERE id BETWEEN first AND last)", bounds
        )
        written = connection.execute("SELECT written FROM shards WHERE shard=?", (shard,)).fetchone()
        left = connection.execute("SELECT id, trace FROM documents WHERE id BETWEEN ? AND ? ORDER BY id", bounds).fetchall()
        if written is None or 2 * len(left) > written[0]:
            return
        connection.execute(f"DROP TABLE IF EXISTS words_{shard}")
        connection.execute("DELETE FROM shards WHERE shard=?", (shard,))
        if left:
            self._open_shard(shard, len(left))
            self._write_again(shard, left)
            self._full = [*(self._full or ()), shard]

    def _write_again(self, shard: int, documents: Sequence[tuple[int, int]]) -> None:
        """The words of documents, each with all that its trace said so far."""
        for at in range(0, len(documents), SLICE_SPANS):
            self._give_way()
            with self._read() as store:
                payloads = Payloads(store)
                rows = [(key, words.indexed(self._said(store, payloads, trace))) for key, trace in documents[at : at + SLICE_SPANS]]
            self._connection.executemany(_add_words(shard), rows)

    def _said(self, store: Connection, payloads: Payloads, trace: int) -> Mapping[str, None]:
        """The texts of a trace that were indexed."""
        texts: dict[str, None] = {}
        select = f"SELECT {columns(SpanRecord)} FROM spans WHERE trace=? AND id <= ? ORDER BY pack, slot"
        for record in map(SpanRecord._make, store.execute(select, (trace, self.indexed))):
            texts.update(dict.fromkeys(searchable(payloads.body(record), self._strings.text(store, record.name) or "")))
        logs = "SELECT body FROM log_events WHERE trace_id = (SELECT trace_id FROM traces WHERE id=?)"
        texts.update(dict.fromkeys(_text_of_log(body) for (body,) in store.execute(logs, (trace,))))
        return texts

    def _drop_passages(self, trace: int) -> None:
        """A passage that another trace returned goes on, told from there."""
        connection = self._connection
        select = "SELECT passage, count(*) FROM candidates WHERE trace=? AND passage IS NOT NULL AND place >= 0 GROUP BY passage"
        counts = connection.execute(select, (trace,)).fetchall()
        connection.execute("DELETE FROM candidates WHERE trace=?", (trace,))
        for passage, count in counts:
            connection.execute("UPDATE passages SET retrieved=retrieved-?, traces=traces-1 WHERE id=?", (count, passage))
            other = connection.execute("SELECT span, place FROM candidates WHERE passage=? AND place >= 0 LIMIT 1", (passage,)).fetchone()
            if other is None:
                connection.execute("DELETE FROM passages WHERE id=?", (passage,))
            else:
                connection.execute("UPDATE passages SET span=?, place=? WHERE id=?", (*other, passage))


def _configure(shard: int, option: str) -> str:
    return f"INSERT INTO words_{shard} (words_{shard}, rank) VALUES ('{option}', ?)"


def _add_words(shard: int) -> str:
    return f"INSERT INTO words_{shard} (rowid, words) VALUES (?, ?)"


def _text_of_log(body: bytes) -> str:
    """A log record as its JSON says it."""
    return body.decode("utf-8", "replace").replace("\\n", " ")


def _returned(record: SpanRecord, span: Span) -> Iterator[Returned]:
    n = rollup.understood(span)
    for place, document in enumerate(n.documents):
        digest = id_number(passage_hash(document.content)) if document.content else None
        rank = document.rank if document.rank is not None else place + 1
        source = source_of(document.metadata)
        yield Returned(record, place, digest, rank, document.score, n.stage, None, document.id, source)
    for place, candidate in enumerate(n.candidates):
        digest = id_number(passage_hash(candidate.content)) if candidate.content else None
        stage = candidate.stage or n.stage
        source = source_of(candidate.metadata)
        yield Returned(record, -1 - place, digest, candidate.rank, candidate.score, stage, candidate.dropped, candidate.id, source)
