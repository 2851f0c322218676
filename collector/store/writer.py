"""The one writer: a connection, a lock, and the transaction in which a group of batches becomes rows, packs and roll-ups.

What does not depend on the file (normalising, pricing, the payload's JSON) is done before the lock is taken. Inside, one probe tells which
traces and spans are known; only new spans go on. Counts and histograms are added to; what depends on the tree of a trace (usage, cost,
previews) is computed again for the traces that were touched, and the difference goes to hours and sessions. A failed transaction leaves
nothing behind, neither in the file nor in memory.

A trace of thousands of spans that comes in many batches is not computed again for each: its counts and times go on, and the rest waits in
`stale` until half as many spans as it had have come, until somebody reads, or until a quiet moment (`settle`).
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import orjson

from collector import rollup
from collector.errors import InvalidValue
from collector.model import Batch, Event, LogRecord, Score, Span, Target, Written
from collector.store import packs
from collector.store.connection import Connection, explained, insert_rows, with_nulls
from collector.store.deriving import derive_again
from collector.store.facets import PACE, Facets, facet_changes
from collector.store.reading import announced_body, log_events, running_spans, spans_of_trace, understand
from collector.store.rows import (
    COST_COUNTS,
    ERROR,
    KEEP_LINK,
    KINDS,
    LIMIT,
    TOKENS_COUNT,
    LinkRecord,
    SpanRecord,
    TraceRecord,
    columns,
    flags_of,
    id_number,
    link_records,
    span_record,
    trace_record,
    update,
)
from collector.store.strings import Strings
from collector.store.tallies import Changes, HourKey, MinuteKey, Tally, read_tally, tally_row

OPEN_SPANS = 50_000
"""Condensed spans kept of traces that wait for their root (about 1 kB each); beyond it the longest untouched trace is read again."""
DEFERRED_FROM = 128
"""Spans from which a trace's roll-up may wait: computing it anew costs 7 µs for each span it has, a millisecond here."""
GROWS_ON = 64  # a trace larger than this that came in several batches is kept condensed though its root is here: more will come
MOVES_KEPT = 200_000
IN_CLAUSE = 500
ANALYSED_ROWS = 400
CELLS_KEPT = 512  # of minutes and hours, as they are in the file: what comes now goes into the same few again and again
ANALYSED_FROM = 10_000  # traces; plans for a handful of rows would read whole tables that have grown since

_UPDATE_TRACE = update("traces", TraceRecord)
_SPAN_COLUMNS, _TRACE_COLUMNS = columns(SpanRecord), columns(TraceRecord)
_SELECT_TRACE = f"SELECT {columns(TraceRecord)} FROM traces"


_SUMS = ("trace_count", "error_count", "input_tokens", "output_tokens", "cost_pico", "priced")
_ADD_TO_SESSION = (
    "INSERT INTO sessions VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (session) DO UPDATE SET start_ns=min(start_ns, excluded.start_ns), "
    f"end_ns=max(end_ns, excluded.end_ns), {', '.join(f'{name}={name}+excluded.{name}' for name in _SUMS)}"
)


@dataclass(slots=True)
class Arrival:
    """A span on its way in: understood and with its body; `batch` says whose it is, the rest where it will lie."""

    span: Span
    body: bytes
    batch: int
    id: int = field(init=False)
    pack: int = field(init=False)
    slot: int = field(init=False)


Stored = tuple[SpanRecord, Span, int]  # a span's row, the span, and the bytes of its body


@dataclass(slots=True)
class Prepared:
    """A group of batches, as far as it goes without the file."""

    arrivals: Mapping[str, Mapping[str, Arrival]]  # by trace id and span id
    running: Sequence[Span]
    logs: Sequence[LogRecord]
    scores: Sequence[tuple[Score, int]]
    duplicates: Counter[int]


class Stale(NamedTuple):
    """How many spans a trace had when it was last rolled up, and whether its spans' rows are behind, too."""

    rolled: int
    received: bool


@dataclass(slots=True)
class Touched:
    """A trace in this transaction: as it was (None: new), and the spans it gets."""

    id: int
    trace_id: str
    before: TraceRecord | None
    arrivals: list[Arrival] = field(default_factory=list[Arrival])
    running: list[Span] = field(default_factory=list[Span])


def prepare(batches: Sequence[Batch]) -> Prepared:
    """Everything that needs no lock. The first of equal spans wins; an id that is no hexadecimal id is refused."""
    arrivals: dict[str, dict[str, Arrival]] = {}
    running: dict[tuple[str, str], Span] = {}
    duplicates: Counter[int] = Counter()
    for number, batch in enumerate(batches):
        for span in batch.spans:
            trace_id, span_id = span.trace_id, span.span_id
            of_trace = arrivals.get(trace_id)
            if of_trace is not None and span_id in of_trace:
                duplicates[number] += 1
                continue
            if not span.end_unix_nano and rollup.is_running(span):
                running[trace_id, span_id] = understand(span)
                continue
            _check_ids(span)
            if of_trace is None:
                of_trace = arrivals[trace_id] = {}
            of_trace[span_id] = Arrival(understand(span), packs.body(span), number)
        for span in batch.running:
            _check_ids(span)
            running[span.trace_id, span.span_id] = understand(span)
    return Prepared(
        arrivals,
        [span for (trace_id, span_id), span in running.items() if span_id not in arrivals.get(trace_id, ())],
        [log for batch in batches for log in batch.logs],
        [(score, number) for number, batch in enumerate(batches) for score in batch.scores],
        duplicates,
    )


def _check_ids(span: Span) -> None:
    if len(span.trace_id) != 32 or len(span.span_id) != 16 or len(span.parent_span_id) not in {0, 16}:
        raise InvalidValue(f"span ids must be 32 and 16 hexadecimal digits: {span.trace_id!r}, {span.span_id!r}, {span.parent_span_id!r}")


class Writer:
    """Owns the only connection that writes. `lock` is held for one transaction at a time, by whichever thread writes."""

    def __init__(self, connection: Connection, path: Path, strings: Strings) -> None:
        self.connection, self.path, self.strings = connection, path, strings
        self.lock = threading.RLock()
        self.listeners: list[Callable[[], None]] = []
        self.follower: Callable[[Sequence[Stored]], None] = lambda _: None  # told what is about to be committed; must not block
        self.analysed = time.monotonic()
        self._open: OrderedDict[int, list[Span]] = OrderedDict()
        self._contexts: dict[bytes, int] = {}
        self._cells: dict[tuple[str, *tuple[int, ...]], Tally] = {}
        self._load_counters()

    # ---- Transactions ----

    @contextmanager
    def transaction(self) -> Generator[Connection]:
        """Everything inside is one durable change, or none."""
        with self.lock, explained(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self._save_counters()
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                self._load_counters()
                raise
        self.wake()

    def wake(self) -> None:
        for listener in self.listeners:
            listener()

    def _save_counters(self) -> None:
        numbers = (self.traces, self.spans, self.scores, self.seq, self._last["traces"], self._last["spans"], self._last["packs"])
        self.connection.execute("UPDATE counters SET traces=?, spans=?, scores=?, seq=?, last_trace=?, last_span=?, last_pack=?", numbers)

    def _load_counters(self) -> None:
        """Memory follows the file: at the start, and after a rollback. Numbers are never given out twice, also not after a delete."""
        self._open.clear()
        self._open_spans = 0
        self._contexts.clear()
        self._cells.clear()
        self._first_services: dict[str, int] = {}
        self.strings.forget()
        select = "SELECT traces, spans, scores, seq, last_trace, last_span, last_pack FROM counters"
        self.traces, self.spans, self.scores, self.seq, *last = self.connection.execute(select).fetchone()
        self._last: dict[str, int] = dict(zip(("traces", "spans", "packs"), last, strict=True))
        self.has_logs = self.connection.execute("SELECT 1 FROM log_events LIMIT 1").fetchone() is not None
        found = self.connection.execute("SELECT trace, rolled, received FROM stale")
        self.stale = {trace: Stale(rolled, bool(received)) for trace, rolled, received in found}

    @property
    def last_span(self) -> int:
        """The number given to the newest span."""
        return self._last["spans"]

    @property
    def identity(self) -> str:
        found: str = self.connection.execute("SELECT identity FROM counters").fetchone()[0]
        return found

    def next_id(self, table: str) -> int:
        return self.next_ids(table, 1)

    def next_ids(self, table: str, count: int) -> int:
        """The first of so many numbers in a row."""
        first = self._last[table] + 1
        self._last[table] += count
        return first

    # ---- A group of batches ----

    def write(self, batches: Sequence[Batch]) -> Sequence[Written]:
        """Store the batches in one transaction; what each of them brought."""
        prepared = prepare(batches)
        with self.transaction():
            group = _Group(self, prepared)
            written = group.store()
            self._remember(group)
            self.follower(group.stored())
        return [written.get(number, Written(0, prepared.duplicates[number], 0)) for number in range(len(batches))]

    def analyse(self) -> None:
        """Let SQLite look at how the rows of tables that grew tenfold spread, for its plans: a few hundred of each index, under 0.1 s."""
        if self.traces < ANALYSED_FROM:
            return
        with self.lock, explained(self.path):
            self.connection.execute(f"PRAGMA analysis_limit={ANALYSED_ROWS}")
            self.connection.execute("PRAGMA optimize=0x10002").fetchall()  # also tables that only other connections read
        self.analysed = time.monotonic()

    def settle(self) -> None:
        """Roll up what was left for later, a trace in a transaction."""
        while self.stale:
            with self.lock:
                if self.connection.in_transaction or not self.stale:
                    return
                with self.transaction():
                    group = _Group(self, prepare(()))
                    group.settle(next(iter(self.stale)))
                    self._remember(group)

    def leave(self, trace: int, waits: Stale) -> None:
        """The roll-up of a trace waits."""
        if self.stale.get(trace) != waits:
            self.stale[trace] = waits
            self.connection.execute("INSERT OR REPLACE INTO stale VALUES (?, ?, ?)", (trace, *waits))

    def settled(self, trace: int) -> None:
        """The trace's row says all again."""
        if self.stale.pop(trace, None) is not None:
            self.connection.execute("DELETE FROM stale WHERE trace=?", (trace,))

    def _remember(self, group: _Group) -> None:
        self.forget(group.closed)
        for trace, spans in group.open.items():
            self.forget([trace])
            self._open[trace] = spans
            self._open_spans += len(spans)
        for trace, spans in group.grown.items():
            self._open[trace].extend(spans)
            self._open.move_to_end(trace)
            self._open_spans += len(spans)
        while self._open_spans > OPEN_SPANS and len(self._open) > 1:
            _, spans = self._open.popitem(last=False)
            self._open_spans -= len(spans)

    def is_open(self, trace: int) -> bool:
        """Whether the spans of a trace are here, condensed."""
        return trace in self._open

    def spans_so_far(self, before: TraceRecord) -> list[Span]:
        """The ended spans a trace has in the file, condensed where the trace is still waiting for its root."""
        waiting = self._open.get(before.id)
        if waiting is not None:
            return waiting
        return [rollup.condense(span) for _, span in spans_of_trace(self.connection, before, self.strings)]

    def forget(self, traces: Iterable[int]) -> None:
        for trace in traces:
            self._open_spans -= len(self._open.pop(trace, ()))

    def forget_names(self) -> None:
        """After strings or contexts were removed."""
        self.strings.forget()
        self._contexts.clear()
        self._first_services.clear()

    # ---- Small shared pieces ----

    def next_seq(self) -> int:
        self.seq += 1
        return self.seq

    def count_trace(self, record: TraceRecord, changes: Changes) -> None:
        """Count a new trace in."""
        changes.trace(record, self.first_service(record))
        self.traces += record.span_count > 0

    def replace_trace(self, before: TraceRecord, after: TraceRecord, changes: Changes) -> None:
        """Write a trace's row anew; what it counted is counted out, what it counts now is counted in."""
        self.connection.executemany(_UPDATE_TRACE, with_nulls([(*after[1:], after.id)]))
        remember_move(self.connection, before, after.seq)
        changes.trace(before, self.first_service(before), -1)
        changes.trace(after, self.first_service(after))
        self.traces += (after.span_count > 0) - (before.span_count > 0)

    def context(self, body: bytes) -> int:
        """The number of a resource or scope, by its JSON."""
        known = self._contexts.get(body)
        if known is None:
            digest = hashlib.blake2b(body, digest_size=16).digest()
            self.connection.execute("INSERT OR IGNORE INTO contexts (digest, body) VALUES (?, ?)", (digest, body))
            known = self.connection.execute("SELECT id FROM contexts WHERE digest=?", (digest,)).fetchone()[0]
            if len(self._contexts) > 4096:
                self._contexts.clear()
            self._contexts[body] = known
        return known

    def intern(self, text: str | None) -> int | None:
        known = self.strings.known(text)
        return known if known is not None else self.strings.number(self.connection, text)

    def numbers(self, texts: tuple[str | None, ...]) -> tuple[int | None, ...]:
        """The numbers of several texts."""
        return self.strings.known_together(texts) or self.strings.numbers(self.connection, texts)

    def apply(self, changes: Changes) -> None:
        """Add what changed to the minutes and hours; cells that come to nothing go."""
        self._merge("minutes", ("minute", "service", "kind"), changes.minutes())
        self._merge("hours", ("hour", "service", "model", "kind"), changes.hours())
        self.connection.executemany(_ADD_TO_SESSION, [(session, *change) for session, change in changes.sessions.items()])
        for session in changes.left_sessions:
            self._close_session(session)

    def _merge(self, table: str, key: Sequence[str], changes: Mapping[MinuteKey, Tally] | Mapping[HourKey, Tally]) -> None:
        where = " AND ".join(f"{column}=?" for column in key)
        rows: list[tuple[object, ...]] = []
        for cell, change in changes.items():
            tally = self._cells.get((table, *cell))
            if tally is None:
                select = f"SELECT count, errors, input_tokens, output_tokens, cost_pico, durations FROM {table} WHERE {where}"
                found = self.connection.execute(select, cell).fetchone()
                if len(self._cells) >= CELLS_KEPT:
                    self._cells.clear()
                tally = self._cells[table, *cell] = read_tally(found) if found is not None else Tally()
            tally.merge(change)
            if tally.count or tally.cost_pico:
                rows.append((*cell, *tally_row(tally)))
            else:
                self.connection.execute(f"DELETE FROM {table} WHERE {where}", cell)
        marks = ",".join("?" * (len(key) + 6))
        self.connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)

    def _close_session(self, session: int) -> None:
        """After a trace left: an empty session goes, another is measured again."""
        self.connection.execute("DELETE FROM sessions WHERE session=? AND trace_count<=0", (session,))
        self.connection.execute(
            "UPDATE sessions SET (start_ns, end_ns) = (SELECT min(start_ns), max(start_ns + duration_ns) FROM traces WHERE session=?1 "
            "AND span_count > 0) WHERE session=?1",
            (session,),
        )

    def first_service(self, record: TraceRecord) -> int:
        known = self._first_services.get(record.services)
        if known is None:
            services = orjson.loads(record.services)
            if len(self._first_services) > 4096:
                self._first_services.clear()
            known = self._first_services[record.services] = self.intern(services[0]) or 0 if services else 0
        return known


class _Group:
    """One group in its transaction."""

    def __init__(self, writer: Writer, prepared: Prepared) -> None:
        self.writer, self.prepared, self.connection = writer, prepared, writer.connection
        self.intern = writer.intern
        self.now = time.time_ns()
        self.touched: dict[str, Touched] = {}
        self.spans, self.duplicates, self.scores = Counter[int](), Counter(prepared.duplicates), Counter[int]()
        self.changes, self.facets = Changes(), Facets()
        self.records: list[SpanRecord] = []
        self.origins: dict[tuple[int, int], tuple[int, int]] = {}
        self.new_traces: list[TraceRecord] = []
        self.open: dict[int, list[Span]] = {}
        self.grown: dict[int, list[Span]] = {}
        self.closed: set[int] = set()

    def store(self) -> Mapping[int, Written]:
        self._resolve()
        self._drop_known()
        self._add_logs()
        self._pack()
        self._announce()
        for touched in self.touched.values():
            if touched.arrivals or touched.running:
                (self._leave if self._may_wait(touched) else self._roll_up)(touched)
        insert_rows(self.connection, "spans", self.records, _SPAN_COLUMNS)
        self.changes.spans(self.records)
        insert_rows(self.connection, "traces", self.new_traces, _TRACE_COLUMNS)
        self._derive_logged()
        self.writer.apply(self.changes)
        self.facets.apply(self.connection)
        self._add_scores()
        batches = {*self.spans, *self.duplicates, *self.scores}
        return {number: Written(self.spans[number], self.duplicates[number], self.scores[number]) for number in batches}

    def stored(self) -> Sequence[Stored]:
        """The new spans, in the order of their numbers."""
        arrivals = (arrival for touched in self.touched.values() for arrival in touched.arrivals)
        return [(record, arrival.span, len(arrival.body)) for record, arrival in zip(self.records, arrivals, strict=True)]

    # ---- Which traces and spans are known ----

    def _resolve(self) -> None:
        arrivals, running = self.prepared.arrivals, self.prepared.running
        ids = list(dict.fromkeys([*arrivals, *(span.trace_id for span in running)]))
        known = traces_by_id(self.connection, ids)
        for trace_id in ids:
            before, came = known.get(trace_id), arrivals.get(trace_id)
            number = before.id if before else self.writer.next_id("traces")
            self.touched[trace_id] = Touched(number, trace_id, before, [*came.values()] if came else [])
        for span in running:
            self.touched[span.trace_id].running.append(span)

    def _drop_known(self) -> None:
        """Spans that are in the file already go no further, announcements of ended spans neither."""
        for touched in self.touched.values():
            if touched.before is None or not touched.before.span_count:
                continue
            asked = [id_number(span.span_id) for span in (*(arrival.span for arrival in touched.arrivals), *touched.running)]
            found = known_spans(self.connection, touched.id, asked)
            if not found:
                continue
            for arrival in touched.arrivals:
                self.duplicates[arrival.batch] += id_number(arrival.span.span_id) in found
            touched.arrivals = [arrival for arrival in touched.arrivals if id_number(arrival.span.span_id) not in found]
            touched.running = [span for span in touched.running if id_number(span.span_id) not in found]

    # ---- Rows ----

    def _pack(self) -> None:
        """Traces one after the other, so that a trace's spans lie in one pack and in neighbouring rows."""
        entering = [(touched, arrival) for touched in self.touched.values() for arrival in touched.arrivals]
        links: list[LinkRecord] = []
        at = 0
        for count in packs.in_packs([arrival.body for _, arrival in entering]):
            pack, first = self.writer.next_id("packs"), self.writer.next_ids("spans", count)
            members = entering[at : at + count]
            at += count
            data = packs.pack([arrival.body for _, arrival in members])
            self.connection.execute("INSERT INTO packs VALUES (?, ?, ?, ?, ?)", (pack, first, count, count, data))
            for slot, (touched, arrival) in enumerate(members):
                arrival.id, arrival.pack, arrival.slot = first + slot, pack, slot
                self.spans[arrival.batch] += 1
                if arrival.span.links:
                    links += link_records(arrival.span, arrival.id, touched.id)
        self.writer.spans += len(entering)
        if links:
            self.connection.executemany(KEEP_LINK, links)

    def _rows(self, touched: Touched, flags: Mapping[str, int]) -> Sequence[SpanRecord]:
        """The rows of the spans a trace gets."""
        records: list[SpanRecord] = []
        for arrival in touched.arrivals:
            span = arrival.span
            resource, scope = self._origin(span)
            records.append(
                span_record(
                    span,
                    span.normalised or rollup.NOTHING,
                    self.writer.numbers,
                    id=arrival.id,
                    trace=touched.id,
                    resource=resource,
                    scope=scope,
                    pack=arrival.pack,
                    slot=arrival.slot,
                    flags=flags.get(span.span_id, 0),
                )
            )
        self.records += records
        return records

    def _origin(self, span: Span) -> tuple[int, int]:
        """The numbers of a span's resource and scope."""
        objects = id(span.resource), id(span.scope)  # the spans of a request share them
        known = self.origins.get(objects)
        if known is None:
            resource, scope = self.writer.context(packs.resource_body(span.resource)), self.writer.context(packs.scope_body(span.scope))
            known = self.origins[objects] = resource, scope
        return known

    def _announce(self) -> None:
        for touched in self.touched.values():
            before = touched.before
            if before is not None and before.running_count and touched.arrivals:
                ended = [(touched.id, id_number(arrival.span.span_id)) for arrival in touched.arrivals]
                self.connection.executemany("DELETE FROM running WHERE trace=? AND span_id=?", ended)
            for span in touched.running:
                self.connection.execute(
                    "INSERT OR REPLACE INTO running VALUES (?, ?, ?, ?)",
                    (touched.id, id_number(span.span_id), self.now, announced_body(span)),
                )

    # ---- Roll-ups ----

    def settle(self, trace: int) -> None:
        """Roll up a trace that waits for it; one that was deleted since waits no more."""
        row = self.connection.execute(f"{_SELECT_TRACE} WHERE id=?", (trace,)).fetchone()
        if row is not None:
            before = TraceRecord._make(row)
            if self.writer.stale[trace].received:
                derive_again(self.writer, before, self.changes, self.facets)
                self.closed.add(trace)
            else:
                self._roll_up(Touched(trace, before.trace_id.hex(), before))
            self.writer.apply(self.changes)
            self.facets.apply(self.connection)
        self.writer.settled(trace)

    def _may_wait(self, touched: Touched) -> bool:
        """Whether too few spans came to compute a large trace anew: it is, whenever it grew by half, so a span is looked at three times."""
        before = touched.before
        if before is None or before.span_count < DEFERRED_FROM:
            return False
        rolled = self._waits(before).rolled
        return 2 * (before.span_count + len(touched.arrivals) - rolled) < rolled

    def _waits(self, before: TraceRecord) -> Stale:
        return self.writer.stale.get(before.id) or Stale(before.span_count, False)

    def _leave(self, touched: Touched) -> None:
        """Only what adds up: counts, times, facets of the new spans; the rest of the roll-up waits."""
        before = touched.before
        assert before is not None, "a new trace is rolled up"
        records, running = self._rows(touched, {}), before.running_count
        if running or touched.running:
            running = self.connection.execute("SELECT count(*) FROM running WHERE trace=?", (touched.id,)).fetchone()[0]
        start = min(
            before.start_ns, *(record.start_ns for record in records), *(min(span.start_unix_nano, LIMIT) for span in touched.running)
        )
        end = max(before.start_ns + before.duration_ns, *(record.start_ns + record.duration_ns for record in records), start)
        after = before._replace(
            seq=self.writer.next_seq(),
            start_ns=start,
            duration_ns=min(end - start, LIMIT),
            span_count=before.span_count + len(records),
            error_count=before.error_count + sum(record.status == ERROR for record in records),
            running_count=running,
        )
        self.writer.replace_trace(before, after, self.changes)
        kinds = {record.kind for record in records}
        self.facets.add_spans(touched.id, records, known_kinds(self.connection, touched.id, kinds), new=False)
        self.writer.leave(touched.id, self._waits(before))
        if self.writer.is_open(touched.id):
            self.grown[touched.id] = [rollup.condense(arrival.span) for arrival in touched.arrivals]
        self._own_scores(touched)

    def _roll_up(self, touched: Touched) -> None:
        """The trace's row again from all its spans; what changed goes to the minutes, hours, facets and the session."""
        writer, before = self.writer, touched.before
        earlier = writer.spans_so_far(before) if before is not None and before.span_count else []
        ended = [*earlier, *(arrival.span for arrival in touched.arrivals)]
        running = touched.running
        if before is not None and before.running_count:
            running = running_spans(self.connection, before.id, touched.trace_id)
        summary, counted = rollup.summarise_and_count([*ended, *running] if running else ended)
        flags = flags_of(counted, ended)
        self._flag_earlier(touched, flags)
        records = self._rows(touched, flags)
        after = trace_record(
            summary,
            self.intern,
            id=touched.id,
            seq=writer.next_seq(),
            running=len(running),
            verdict=before.verdict if before else None,
        )
        if before is None:
            self.new_traces.append(after)
            writer.count_trace(after, self.changes)
        else:
            writer.replace_trace(before, after, self.changes)
        kinds = {KINDS[span.normalised.kind] for span in earlier if span.normalised}
        self.facets.add_spans(touched.id, records, kinds, new=not earlier)
        facet_changes(self.facets, before, after, self.intern)
        grows = before is not None and len(ended) > GROWS_ON
        self._keep_open(touched.id, summary.root_missing or bool(running) or grows, ended, len(earlier))
        self._own_scores(touched)
        waits = writer.stale.get(touched.id)
        if waits is not None and waits.received:
            writer.leave(touched.id, Stale(len(ended), received=True))
        else:
            writer.settled(touched.id)

    def _flag_earlier(self, touched: Touched, flags: Mapping[str, int]) -> None:
        """A late child can take over what its wrapper counted: earlier rows whose flags change are counted out and in again."""
        if touched.before is None or not touched.before.span_count:
            return
        new = {id_number(span_id): flag for span_id, flag in flags.items()}
        stored = self.connection.execute("SELECT id, span_id, flags FROM spans WHERE trace=?", (touched.id,)).fetchall()
        for number, span_id, flag in stored:
            wanted = new.get(span_id, 0 if flag & (TOKENS_COUNT | COST_COUNTS) else flag)
            if wanted != flag:  # few: the other columns of a trace's thousands of spans are not read each time it grows
                select = f"SELECT {columns(SpanRecord)} FROM spans WHERE id=?"
                record = SpanRecord._make(self.connection.execute(select, (number,)).fetchone())
                self.connection.execute("UPDATE spans SET flags=? WHERE id=?", (wanted, number))
                self.changes.spans([record], -1)
                self.changes.spans([record._replace(flags=wanted)])

    def _keep_open(self, trace: int, waiting: bool, ended: Sequence[Span], condensed: int) -> None:
        if waiting:
            self.open[trace] = [*ended[:condensed], *(rollup.condense(span) for span in ended[condensed:])]
        else:
            self.closed.add(trace)

    # ---- Log records and scores ----

    def _add_logs(self) -> None:
        """Log records go to their span's reading; a span that is here already is derived again, one that comes now takes them along."""
        for log in self.prepared.logs:
            body = packs.event_body(log.event)
            digest = hashlib.blake2b(body, digest_size=8).digest()
            self.connection.execute(
                "INSERT OR IGNORE INTO log_events VALUES (?, ?, ?, ?, ?, ?)",
                (bytes.fromhex(log.trace_id), id_number(log.span_id), digest, self.now, body, self.writer.next_seq()),
            )
        self.writer.has_logs = self.writer.has_logs or bool(self.prepared.logs)
        if not self.writer.has_logs:
            return
        for touched in self.touched.values():
            ids = [id_number(arrival.span.span_id) for arrival in touched.arrivals]
            events = log_events(self.connection, bytes.fromhex(touched.trace_id), ids)
            for arrival in touched.arrivals:
                found = events.get(id_number(arrival.span.span_id))
                if found:
                    arrival.span = understand(_with_events(arrival.span, found))

    def _derive_logged(self) -> None:
        """Spans that were here before their log records."""
        logged = list(dict.fromkeys(log.trace_id for log in self.prepared.logs))
        known = traces_by_id(self.connection, logged)
        for trace_id in logged:
            came_now = {arrival.span.span_id for arrival in self.touched[trace_id].arrivals} if trace_id in self.touched else set[str]()
            late = [log.span_id for log in self.prepared.logs if log.trace_id == trace_id and log.span_id not in came_now]
            before = known.get(trace_id)
            if before is None or not late or not before.span_count:
                continue
            if before.span_count < DEFERRED_FROM:
                derive_again(self.writer, before, self.changes, self.facets)
            else:
                self.writer.leave(before.id, self._waits(before)._replace(received=True))
            self.open.pop(before.id, None)
            self.grown.pop(before.id, None)
            self.closed.add(before.id)

    def _own_scores(self, touched: Touched) -> None:
        """Evaluations that travelled with a span count like any other."""
        for arrival in touched.arrivals:
            for score in (arrival.span.normalised or rollup.NOTHING).scores:
                target = Target(arrival.span.trace_id, arrival.span.span_id)
                stamped = replace(score, target=target, time_unix_nano=score.time_unix_nano or arrival.span.end_unix_nano)
                self.writer.scores += add_score(self.connection, stamped).counting

    def _add_scores(self) -> None:
        for score, batch in self.prepared.scores:
            added = add_score(self.connection, score if score.time_unix_nano else replace(score, time_unix_nano=self.now))
            self.writer.scores += added.counting
            self.scores[batch] += added.rows
        scored = list({score.target.trace_id: None for score, _ in self.prepared.scores if score.target.trace_id})
        for trace in traces_by_id(self.connection, [trace_id for trace_id in scored if trace_id not in self.touched]).values():
            seq = self.writer.next_seq()
            remember_move(self.connection, trace, seq)
            self.connection.execute("UPDATE traces SET seq=? WHERE id=?", (seq, trace.id))


def _with_events(span: Span, events: Sequence[Event]) -> Span:
    return replace(span, events=[*span.events, *events], normalised=None)


# ---- Statements shared with the other writing modules ----


def traces_by_id(connection: Connection, trace_ids: Sequence[str]) -> Mapping[str, TraceRecord]:
    found: dict[str, TraceRecord] = {}
    for at in range(0, len(trace_ids), IN_CLAUSE):
        asked = [bytes.fromhex(trace_id) for trace_id in trace_ids[at : at + IN_CLAUSE]]
        marks = ",".join("?" * len(asked))
        for row in connection.execute(f"{_SELECT_TRACE} WHERE trace_id IN ({marks})", asked):
            record = TraceRecord._make(row)
            found[record.trace_id.hex()] = record
    return found


def known_spans(connection: Connection, trace: int, span_ids: Sequence[int]) -> set[int]:
    select = "SELECT span_id FROM spans WHERE trace=? AND span_id IN (SELECT value FROM json_each(?))"
    return {row[0] for row in connection.execute(select, (trace, orjson.dumps(list(span_ids)).decode()))}


def known_kinds(connection: Connection, trace: int, kinds: Collection[int]) -> set[int]:
    """Which of the kinds a trace has: its lists by kind and octave are asked, not its spans."""
    select = "SELECT 1 FROM facets WHERE field=? AND value IN (SELECT value FROM json_each(?)) AND trace=? LIMIT 1"
    paces = {kind: orjson.dumps([kind * 64 + octave for octave in range(64)]).decode() for kind in kinds}
    return {kind for kind in kinds if connection.execute(select, (PACE, paces[kind], trace)).fetchone() is not None}


def remember_move(connection: Connection, before: TraceRecord, seq: int) -> None:
    """What the trace's places in the orders were, for cursors that began before this write."""
    connection.execute(
        "INSERT INTO moves VALUES (?,?,?,?,?,?,?,?)",
        (seq, before.id, before.start_ns, before.duration_ns, before.cost_usd, before.tokens, before.span_count, before.error_count),
    )
    if seq % 1024 == 0:
        connection.execute("DELETE FROM moves WHERE seq < ?", (seq - MOVES_KEPT,))


class Added(NamedTuple):
    """Rows that were added, and by how many more scores count now: another of the same says the last word, a retraction takes it."""

    rows: int
    counting: int


def add_score(connection: Connection, score: Score) -> Added:
    """Append a score and mark which one counts now; the same id again changes nothing."""
    target = score.target
    trace_id = bytes.fromhex(target.trace_id) if target.trace_id else None
    span_id = id_number(target.span_id) if target.span_id else None
    annotator = score.annotator_id
    key = (trace_id, span_id, target.session_id, score.name, score.annotator_kind.value, annotator)
    told = (score.value, score.label, score.explanation)
    stamp = score.id or hashlib.blake2b(repr((key, told, score.time_unix_nano)).encode(), digest_size=16).hexdigest()
    added = connection.execute(
        "INSERT OR IGNORE INTO scores VALUES (?,?,?,?,?,?,?,?,?,?,?,0)",
        (stamp, trace_id, span_id, target.session_id, score.name, *told, score.annotator_kind.value, annotator, score.time_unix_nano),
    ).rowcount
    if not added:
        return Added(0, 0)
    which = "trace_id=?" if trace_id is not None else "session=?"
    same = f"{which} AND name=? AND span_id IS ? AND session IS ? AND annotator_kind=? AND annotator_id IS ?"
    those = (trace_id if trace_id is not None else target.session_id, score.name, span_id, target.session_id, *key[4:])
    counted = connection.execute(f"UPDATE scores SET counts=0 WHERE {same} AND counts=1", those).rowcount
    [(counts,)] = connection.execute(
        f"UPDATE scores SET counts=(value IS NOT NULL OR label IS NOT NULL) WHERE rowid = "
        f"(SELECT rowid FROM scores WHERE {same} ORDER BY time_ns DESC, rowid DESC LIMIT 1) RETURNING counts",
        those,
    ).fetchall()
    return Added(1, counts - counted)
