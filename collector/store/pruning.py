"""Taking traces away, whole and in small slices, and giving the disk back.

A slice is at most a few hundred spans in one transaction, so ingest waits milliseconds. What a trace counted is counted out; packs go when
their last span went, and a pack that few spans still need (kept because scored) is packed again without the dead ones. Names that only
they had (users, sessions, tags, resources) go after them. Freed pages return to the file system a few megabytes at a time
(`auto_vacuum=INCREMENTAL`), not by a VACUUM that would block for its whole length.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from collector.model import Pruned, RetentionPolicy
from collector.store import packs
from collector.store.connection import Connection
from collector.store.deriving import derive_again
from collector.store.facets import KIND, PACE, Facets, span_facets, summary_facets
from collector.store.rows import SpanRecord, TraceRecord, columns
from collector.store.tallies import Changes
from collector.store.writer import Writer

SLICE_SPANS = 512
PAGE = 1_000
ANNOUNCED_NS = 86_400 * 10**9
VACUUM_PAGES = 1_024  # 4 MiB a step
BREATH_S = 0.002  # between slices, so that the writing thread gets its turn
_SELECT_TRACES = f"SELECT {columns(TraceRecord)} FROM traces"
_SELECT_SPANS = f"SELECT {columns(SpanRecord)} FROM spans"


# ---- One slice ----


def remove_traces(writer: Writer, traces: Sequence[int]) -> tuple[int, int]:
    """Delete these traces in one transaction; how many traces and spans went."""
    changes, facets = Changes(), Facets()
    with writer.transaction() as connection:
        found = connection.execute(f"{_SELECT_TRACES} WHERE id IN (SELECT value FROM json_each(?))", (_json(traces),))
        records = [TraceRecord._make(row) for row in found.fetchall()]
        spans = sum(_remove(writer, record, changes, facets) for record in records)
        writer.apply(changes)
        facets.apply(connection)
        writer.scores -= _remove_scores_of_sessions(connection, changes.left_sessions)
        writer.forget([record.id for record in records])
        counted = sum(record.span_count > 0 for record in records)
        writer.traces -= counted
        writer.spans -= spans
    return len(records), spans


def _remove(writer: Writer, trace: TraceRecord, changes: Changes, facets: Facets) -> int:
    connection = writer.connection
    records = [SpanRecord._make(row) for row in connection.execute(f"{_SELECT_SPANS} WHERE trace=?", (trace.id,)).fetchall()]
    changes.spans(records, -1)
    changes.trace(trace, writer.first_service(trace), -1)
    facets.remove(trace.id, span_facets(records) | summary_facets(trace, writer.intern), {record.kind for record in records})
    for statement in (
        "INSERT OR IGNORE INTO gone VALUES (?)",
        "DELETE FROM spans WHERE trace=?",
        "DELETE FROM running WHERE trace=?",
        "DELETE FROM links WHERE trace=?",
        "DELETE FROM traces WHERE id=?",
    ):
        connection.execute(statement, (trace.id,))
    connection.execute("DELETE FROM log_events WHERE trace_id=?", (trace.trace_id,))
    writer.scores -= _remove_scores(connection, "trace_id=?", trace.trace_id)
    _release(writer, Counter(record.pack for record in records))
    return len(records)


def _remove_scores_of_sessions(connection: Connection, sessions: Iterable[int]) -> int:
    """Scores of conversations that have no trace any more."""
    return _remove_scores(
        connection,
        "trace_id IS NULL AND session IN (SELECT text FROM strings WHERE id IN (SELECT value FROM json_each(?)) "
        "AND id NOT IN (SELECT session FROM sessions))",
        _json(list(sessions)),
    )


def _remove_scores(connection: Connection, condition: str, value: object) -> int:
    """How many of those that went counted."""
    return sum(counts for (counts,) in connection.execute(f"DELETE FROM scores WHERE {condition} RETURNING counts", (value,)).fetchall())


def _release(writer: Writer, gone: Counter[int]) -> None:
    """Packs with fewer living spans: without any they go, with few they are packed again."""
    for pack, count in gone.items():
        connection = writer.connection
        connection.execute("UPDATE packs SET live = live - ? WHERE id=?", (count, pack))
        first, spans, live = connection.execute("SELECT first_span, spans, live FROM packs WHERE id=?", (pack,)).fetchone()
        if live <= 0:
            connection.execute("DELETE FROM packs WHERE id=?", (pack,))
        elif live * 2 <= spans:
            _pack_again(connection, pack, first, spans)


def _pack_again(connection: Connection, pack: int, first: int, spans: int) -> None:
    (data,) = connection.execute("SELECT data FROM packs WHERE id=?", (pack,)).fetchone()
    bodies = packs.unpack(data)
    select = "SELECT id, slot FROM spans WHERE id >= ? AND pack = ? ORDER BY id LIMIT ?"
    rows = connection.execute(select, (first, pack, spans)).fetchall()
    connection.executemany("UPDATE spans SET slot=? WHERE id=?", [(slot, span) for slot, (span, _) in enumerate(rows)])
    packed = packs.pack([bodies[slot] for _, slot in rows])
    connection.execute("UPDATE packs SET spans=live, data=? WHERE id=?", (packed, pack))


def _json(numbers: Sequence[int]) -> str:
    return orjson.dumps(list(numbers)).decode()


# ---- Which, in what order ----


class Candidate(NamedTuple):
    """A trace that may go."""

    id: int
    start_ns: int
    duration_ns: int
    span_count: int


def candidates(connection: Connection, policy: RetentionPolicy) -> Iterator[Candidate]:
    """The traces a policy may take, oldest first; a page at a time, so that no snapshot is held while they are removed."""
    conditions = ["(t.start_ns, t.id) > (?, ?)"]
    values: list[Any] = []
    if policy.service is not None:
        conditions.append(_OF_SERVICE)
        values.append(policy.service)
    if policy.keep_scored:
        conditions.append(_UNSCORED)
    select = (
        f"SELECT t.id, t.start_ns, t.duration_ns, t.span_count FROM traces t WHERE {' AND '.join(conditions)} "
        f"ORDER BY t.start_ns, t.id LIMIT {PAGE}"
    )
    at = (-(2**63), 0)
    while rows := connection.execute(select, (*at, *values)).fetchall():
        yield from map(Candidate._make, rows)
        at = rows[-1][1], rows[-1][0]


_OF_SERVICE = "EXISTS (SELECT 1 FROM json_each(t.services) j WHERE j.value = ?)"
_UNSCORED = (
    "NOT EXISTS (SELECT 1 FROM scores c WHERE c.trace_id = t.trace_id AND c.counts = 1) "
    "AND NOT EXISTS (SELECT 1 FROM scores c WHERE c.session = (SELECT text FROM strings WHERE id = t.session) AND c.counts = 1)"
)


@dataclass(slots=True)
class Doomed:
    """Which of the candidates a policy takes, going from the oldest on: too many, too large, too old."""

    policy: RetentionPolicy
    now_ns: int
    surplus: int
    size: Callable[[], int]

    def of(self, traces: Iterator[Candidate]) -> Iterator[Candidate]:
        policy = self.policy
        oldest = self.now_ns - policy.max_age_ns if policy.max_age_ns is not None else None
        taken = 0
        for trace in traces:
            if taken < self.surplus or (policy.max_bytes is not None and self.size() > policy.max_bytes):
                taken += 1
                yield trace
            elif oldest is not None and trace.start_ns < oldest:
                if trace.start_ns + trace.duration_ns < oldest:  # one that began long ago and went on is not old
                    taken += 1
                    yield trace
            else:
                return


def surplus(connection: Connection, policy: RetentionPolicy) -> int:
    """By how many traces the policy's number is exceeded."""
    if policy.max_traces is None:
        return 0
    if policy.service is None:
        count = connection.execute("SELECT traces FROM counters").fetchone()[0]
    else:
        count = connection.execute(f"SELECT count(*) FROM traces t WHERE {_OF_SERVICE}", (policy.service,)).fetchone()[0]
    return max(0, count - policy.max_traces)


def slices(traces: Iterable[Candidate]) -> Iterator[Sequence[int]]:
    """Groups of about `SLICE_SPANS` spans."""
    part: list[int] = []
    weight = 0
    for trace in traces:
        if part and weight + trace.span_count > SLICE_SPANS:
            yield part
            part, weight = [], 0
        part.append(trace.id)
        weight += trace.span_count
    if part:
        yield part


def remove_all(writer: Writer, traces: Iterable[Candidate]) -> tuple[int, int]:
    """Remove a stream of traces slice by slice."""
    gone = spans = 0
    for part in slices(traces):
        removed = remove_traces(writer, part)
        gone, spans = gone + removed[0], spans + removed[1]
        time.sleep(BREATH_S)
    return gone, spans


def preview(traces: Iterable[Candidate], per_span: float, counted: list[int]) -> Pruned:
    """What would go, without touching it; bytes by the average span. `counted` is told the spans so far, for the size that would remain."""
    gone = 0
    for trace in traces:
        gone += 1
        counted[0] += trace.span_count
    return Pruned(gone, counted[0], round(counted[0] * per_span), dry_run=True)


def forget_old_announcements(writer: Writer, now_ns: int) -> None:
    """Announcements that never ended and log records whose span never came go after a day."""
    before = now_ns - ANNOUNCED_NS
    with writer.lock:
        old = writer.connection.execute("SELECT DISTINCT trace FROM running WHERE received_ns < ?", (before,)).fetchall()
        logs = writer.connection.execute("SELECT 1 FROM log_events WHERE received_ns < ? LIMIT 1", (before,)).fetchone()
    if not old and logs is None:
        return
    changes, facets, empty = Changes(), Facets(), list[int]()
    with writer.transaction() as connection:
        connection.execute("DELETE FROM running WHERE received_ns < ?", (before,))
        connection.execute("DELETE FROM log_events WHERE received_ns < ? AND trace_id NOT IN (SELECT trace_id FROM traces)", (before,))
        for (trace,) in old:
            record = TraceRecord._make(connection.execute(f"{_SELECT_TRACES} WHERE id=?", (trace,)).fetchone())
            left = connection.execute("SELECT count(*) FROM running WHERE trace=?", (trace,)).fetchone()[0]
            if not record.span_count and not left:
                empty.append(trace)
            else:
                connection.execute("UPDATE traces SET running_count=? WHERE id=?", (left, trace))
                derive_again(writer, record._replace(running_count=left), changes, facets)
        writer.apply(changes)
        facets.apply(connection)
    if empty:
        remove_traces(writer, empty)


# ---- Names that nobody has any more ----

SCANNED = 50_000  # spans that are looked through in one go: 30 ms
AT_ONCE = 1_000  # names that go in one transaction
_NAMES_OF_SPANS = ("provider", "operation")  # have no facet that counts them
_LOOSE_TEXTS = (
    f"SELECT id FROM strings WHERE id NOT IN (SELECT value FROM facet_counts WHERE field NOT IN ({KIND}, {PACE})) "
    "AND NOT (text = char(0) || id AND id = (SELECT max(id) FROM strings))"  # the one that was emptied
)


@dataclass(frozen=True, slots=True)
class Loose:
    """Strings and contexts that no span up to `last_span` names."""

    texts: set[int]
    contexts: set[int]
    last_span: int


def loose(read: Callable[[], AbstractContextManager[Connection]]) -> Loose:
    """What the facets do not count may still be named by spans: they are looked through, the newest first, for as long as it matters."""
    with read() as connection:
        texts = {row[0] for row in connection.execute(_LOOSE_TEXTS)}
        contexts = {row[0] for row in connection.execute("SELECT id FROM contexts")}
        last = last_span = connection.execute("SELECT last_span FROM counters").fetchone()[0]
    while last > 0 and (texts or contexts):
        with read() as connection:
            named, of_contexts = _named(connection, last - SCANNED, last)
        texts -= named
        contexts -= of_contexts
        last -= SCANNED
        time.sleep(BREATH_S)
    return Loose(texts, contexts, last_span)


def _named(connection: Connection, after: int, last: int) -> tuple[set[int], set[int]]:
    """The strings and contexts that a stretch of spans names."""
    columns = [f"DISTINCT {name}" for name in (*_NAMES_OF_SPANS, "resource", "scope")]
    packed = ", ".join(f"json_group_array({column})" for column in columns)
    row = connection.execute(f"SELECT {packed} FROM spans WHERE id > ? AND id <= ?", (after, last)).fetchone()
    *names, resources, scopes = map(orjson.loads, row)
    return {number for found in names for number in found}, {*resources, *scopes}


def forget_loose(writer: Writer, found: Loose) -> int:
    """Remove what is still named by nobody; how many went. A string's number is never given out again: the highest one stays, emptied."""
    texts, contexts = sorted(found.texts), sorted(found.contexts)
    gone = 0
    while texts or contexts:
        with writer.transaction() as connection:
            named, of_contexts = _named(connection, found.last_span, writer.last_span)  # by spans that came meanwhile
            highest = connection.execute("SELECT max(id) FROM strings").fetchone()[0]
            some = _json([number for number in texts[:AT_ONCE] if number not in named])
            still = f"id IN (SELECT value FROM json_each(?)) AND id IN ({_LOOSE_TEXTS})"
            gone += connection.execute(f"DELETE FROM strings WHERE {still} AND id <> ?", (some, highest)).rowcount
            connection.execute(f"UPDATE strings SET text = char(0) || id WHERE {still}", (some,))
            others = _json([number for number in contexts[:AT_ONCE] if number not in of_contexts])
            gone += connection.execute("DELETE FROM contexts WHERE id IN (SELECT value FROM json_each(?))", (others,)).rowcount
            writer.forget_names()
        del texts[:AT_ONCE], contexts[:AT_ONCE]
        time.sleep(BREATH_S)
    return gone


# ---- Disk ----


def file_bytes(path: Path) -> int:
    """The database with its write-ahead log."""
    files = [Path(f"{path}{suffix}") for suffix in ("", "-wal")]
    return sum(file.stat().st_size for file in files if file.exists())


def used_bytes(connection: Connection) -> int:
    """What the file would be without its free pages."""
    pages, free, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size"))
    return (pages - free) * size


def give_back(writer: Writer) -> None:
    """Return free pages to the file system, a slice at a time, and shorten the write-ahead log."""
    while True:
        with writer.lock:
            free = writer.connection.execute("PRAGMA freelist_count").fetchone()[0]
            if not free:
                break
            writer.connection.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()
            if writer.connection.execute("PRAGMA freelist_count").fetchone()[0] >= free:
                break  # a file of an older kind that cannot shrink
        time.sleep(BREATH_S)
    with writer.lock:
        writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
