"""From rows and packs back to spans: one trace, its skeleton, one span, scores.

What was received is understood again on every read, with the dialects as they are now; log events join their span first, scores after.
Functions over a connection, so that the writer can use them inside its transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Protocol

import orjson

from collector import dialects, health, pricing, rollup
from collector.errors import SpanNotFound, StoreUnreadable, TraceNotFound
from collector.model import AnnotatorKind, Event, Resource, Scope, Score, Skeleton, Span, SpanKind, SpanRow, Target, Trace, TraceSummary
from collector.store import packs
from collector.store.answer import columns_of, real
from collector.store.connection import Connection
from collector.store.rows import (
    KINDS,
    KINDS_BACK,
    ROW_COLUMNS,
    SpanRecord,
    TraceRecord,
    columns,
    id_number,
    id_text,
    span_rows,
    summary_of,
)
from collector.store.strings import Strings

LENDERS_TRIED = 300
_LOOKED_UP = frozenset(KINDS[kind] for kind in rollup.NEVER_ANSWERS)
SELECT_TRACE = f"SELECT {columns(TraceRecord)} FROM traces"
SELECT_SPANS = f"SELECT {columns(SpanRecord)} FROM spans"
_SCORE_COLUMNS = "id, trace_id, span_id, session, name, value, label, explanation, annotator_kind, annotator_id, time_ns"


def understand(span: Span) -> Span:
    """Normalise and price."""
    return dialects.normalise(span, pricing.estimate)


# ---- Announced spans ----


def announced_body(span: Span) -> bytes:
    """A running span whole: it has no row of its own."""
    told = [span.parent_span_id, span.name, span.start_unix_nano, packs.resource_body(span.resource).decode()]
    return orjson.dumps([*told, packs.scope_body(span.scope).decode(), packs.body(span).decode()])


def _announced(trace_id: str, span_id: int, body: bytes) -> Span:
    parent, name, start, resource, scope, content = orjson.loads(body)
    received = packs.span_of(
        trace_id,
        id_text(span_id),
        parent,
        name,
        start,
        0,
        packs.loads(content.encode()),
        packs.resource_of(resource.encode()),
        packs.scope_of(scope.encode()),
    )
    return understand(received)


def running_spans(connection: Connection, trace: int, trace_id: str) -> list[Span]:
    """The announced spans of a trace that have not ended, by start time."""
    found = connection.execute("SELECT span_id, body FROM running WHERE trace=?", (trace,))
    return sorted((_announced(trace_id, *row) for row in found), key=lambda span: span.start_unix_nano)


# ---- Spans ----


def log_events(connection: Connection, trace_id: bytes, span_ids: Sequence[int] | None = None) -> Mapping[int, list[Event]]:
    """The log records of a trace's spans, or of some of them, in order of time."""
    events: dict[int, list[Event]] = {}
    select, asked = "SELECT span_id, body FROM log_events WHERE trace_id=?", [trace_id]
    if span_ids is None:
        rows = connection.execute(select, asked)
    else:
        rows = connection.execute(f"{select} AND span_id IN (SELECT value FROM json_each(?))", (*asked, orjson.dumps(span_ids).decode()))
    for span_id, body in rows:
        events.setdefault(span_id, []).append(packs.event_of(body))
    for found in events.values():
        found.sort(key=lambda event: (event.time_unix_nano, event.name))
    return events


class Packed(Protocol):
    """Where a body is: in which pack, at which place."""

    @property
    def pack(self) -> int: ...

    @property
    def slot(self) -> int: ...


class Payloads:
    """The bodies of spans, each pack unpacked once, and their resources and scopes; for one read."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pack: tuple[int, Sequence[bytes]] = (0, ())
        self._resources: dict[int, Resource] = {}
        self._scopes: dict[int, Scope] = {}

    def body(self, record: Packed) -> Mapping[str, Any]:
        return packs.loads(self.raw(record))

    def raw(self, record: Packed) -> bytes:
        if self._pack[0] != record.pack:
            found = self._connection.execute("SELECT data FROM packs WHERE id=?", (record.pack,)).fetchone()
            if found is None:
                raise StoreUnreadable(f"the database is damaged: pack {record.pack} is missing")
            self._pack = record.pack, packs.unpack(found[0])
        text = self._pack[1][record.slot]
        if not (text.startswith(b"{") and text.endswith(b"}")):  # also for those who look at the bytes alone
            raise StoreUnreadable(f"the database is damaged: pack {record.pack} has a body that is no JSON")
        return text

    def resource(self, number: int) -> Resource:
        if number not in self._resources:
            self._resources[number] = packs.resource_of(self._context(number))
        return self._resources[number]

    def scope(self, number: int) -> Scope:
        if number not in self._scopes:
            self._scopes[number] = packs.scope_of(self._context(number))
        return self._scopes[number]

    def _context(self, number: int) -> bytes:
        body: bytes = self._connection.execute("SELECT body FROM contexts WHERE id=?", (number,)).fetchone()[0]
        return body

    def received(
        self, record: SpanRecord, trace_id: str, name: str, events: Sequence[Event] = (), body: Mapping[str, Any] | None = None
    ) -> Span:
        """The span as it was sent, with the log events that belong to it; `body`, where the caller has it already."""
        return packs.span_of(
            trace_id,
            id_text(record.span_id),
            "" if record.parent is None else id_text(record.parent),
            name,
            record.start_ns,
            record.start_ns + record.duration_ns,
            self.body(record) if body is None else body,
            self.resource(record.resource),
            self.scope(record.scope),
            events,
        )


def records_of_trace(connection: Connection, trace: int) -> list[SpanRecord]:
    return [SpanRecord._make(row) for row in connection.execute(f"{SELECT_SPANS} WHERE trace=? ORDER BY pack, slot", (trace,))]


def spans_of_trace(connection: Connection, trace: TraceRecord, strings: Strings) -> list[tuple[SpanRecord, Span]]:
    """The ended spans of a trace, understood, with their rows; in the order they came."""
    return spans_of_records(connection, trace.trace_id.hex(), records_of_trace(connection, trace.id), strings)


def spans_of_records(
    connection: Connection, trace_id: str, records: Iterable[SpanRecord], strings: Strings
) -> list[tuple[SpanRecord, Span]]:
    payloads, events = Payloads(connection), log_events(connection, bytes.fromhex(trace_id))
    spans: list[tuple[SpanRecord, Span]] = []
    for record in records:
        name = strings.text(connection, record.name) or ""
        spans.append((record, understand(payloads.received(record, trace_id, name, events.get(record.span_id, ())))))
    return spans


# ---- Scores ----


def score_of(row: Sequence[Any]) -> Score:
    score_id, trace_id, span_id, session, name, value, label, explanation, kind, annotator, time_ns = row
    target = Target(trace_id.hex() if trace_id else None, id_text(span_id) if span_id is not None else None, session)
    return Score(name, value, label, explanation, AnnotatorKind(kind), annotator, target, score_id, time_ns)


def scores_that_count(connection: Connection, trace_ids: Sequence[bytes] = (), session_id: str | None = None) -> list[Score]:
    """The last score per target, name and annotator, retracted ones left out."""
    found: list[Score] = []
    for trace_id in trace_ids:
        select = f"SELECT {_SCORE_COLUMNS} FROM scores WHERE trace_id=? AND counts=1 ORDER BY time_ns, rowid"
        found.extend(map(score_of, connection.execute(select, (trace_id,))))
    if session_id is not None:
        select = f"SELECT {_SCORE_COLUMNS} FROM scores WHERE session=? AND counts=1 ORDER BY time_ns, rowid"
        found.extend(map(score_of, connection.execute(select, (session_id,))))
    return found


# ---- A trace ----


def find_record(connection: Connection, trace_id: str) -> TraceRecord:
    try:
        wanted = bytes.fromhex(trace_id)
    except ValueError:
        raise TraceNotFound(trace_id) from None
    row = connection.execute(f"{SELECT_TRACE} WHERE trace_id=?", (wanted,)).fetchone()
    if row is None:
        raise TraceNotFound(trace_id)
    return TraceRecord._make(row)


def find_record_by_number(connection: Connection, number: int) -> TraceRecord:
    return TraceRecord._make(connection.execute(f"{SELECT_TRACE} WHERE id=?", (number,)).fetchone())


def texts(connection: Connection, strings: Strings) -> Callable[[int | None], str | None]:
    return lambda number: strings.text(connection, number)


def summaries(connection: Connection, records: Iterable[TraceRecord], strings: Strings) -> list[TraceSummary]:
    """Trace rows with the scores on the trace that count (those on its spans are the spans'), for lists."""
    rows = list(records)
    text = texts(connection, strings)
    scores: dict[bytes, list[Score]] = {}
    of_traces = f"counts=1 AND span_id IS NULL AND trace_id IN ({','.join('?' * len(rows))})"
    select = f"SELECT {_SCORE_COLUMNS} FROM scores WHERE {of_traces} ORDER BY time_ns, rowid"
    for row in connection.execute(select, [record.trace_id for record in rows]) if rows else ():
        scores.setdefault(row[1], []).append(score_of(row))
    return [
        replace(summary_of(record, text), scores=scores[record.trace_id]) if record.trace_id in scores else summary_of(record, text)
        for record in rows
    ]


def read_trace(connection: Connection, trace_id: str, strings: Strings) -> Trace:
    record = find_record(connection, trace_id)
    ended = [span for _, span in spans_of_trace(connection, record, strings)]
    ended.sort(key=lambda span: (span.start_unix_nano, span.span_id))
    running = running_spans(connection, record.id, trace_id) if record.running_count else []
    scores = scores_that_count(connection, [record.trace_id])
    whole = replace(summary_of(record, texts(connection, strings)), scores=[score for score in scores if score.target.span_id is None])
    spans = _with_scores(rollup.borrow([*ended, *running]), scores)
    return Trace(whole, spans, health.examine(spans))


def _with_scores(spans: Sequence[Span], scores: Sequence[Score]) -> Sequence[Span]:
    of_span: dict[str, list[Score]] = {}
    for score in scores:
        if score.target.span_id is not None:
            of_span.setdefault(score.target.span_id, []).append(score)
    return [_scored(span, of_span.get(span.span_id, ())) for span in spans]


def _scored(span: Span, scores: Sequence[Score]) -> Span:
    """The span with the scores that count; those that travelled with it were stored as scores when it came, and are among them."""
    if span.normalised is not None and span.normalised.scores:
        span = replace(span, normalised=replace(span.normalised, scores=()))
    return replace(span, scores=scores) if scores else span


def read_skeleton(connection: Connection, trace_id: str, strings: Strings) -> Skeleton:
    record = find_record(connection, trace_id)
    text = texts(connection, strings)
    columns = [real(name) if name == "cost_usd" else name for name in ROW_COLUMNS]
    found = columns_of(connection, columns, "FROM spans WHERE trace=? ORDER BY start_ns, span_id", (record.id,))
    rows = span_rows(trace_id, found, text)
    running = [_running_row(span) for span in running_spans(connection, record.id, trace_id)] if record.running_count else []
    scores = scores_that_count(connection, [record.trace_id])
    whole = replace(summary_of(record, text), scores=[score for score in scores if score.target.span_id is None])
    rows.extend(running)
    return Skeleton(whole, rows, health.examine_shape(_tops(rows), len(running)))


def _tops(rows: Sequence[SpanRow]) -> list[Span]:
    """The spans whose parent is not there, without payload: all that the shape's findings ask for."""
    ids = {row.span_id for row in rows}
    tops = [row for row in rows if row.parent_span_id not in ids]
    return [Span(row.trace_id, row.span_id, row.parent_span_id, row.name, row.start_unix_nano, 0) for row in tops]


def _running_row(span: Span) -> SpanRow:
    n = rollup.understood(span)
    start, model, service = span.start_unix_nano, n.model, n.service
    return SpanRow(
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        span.name,
        n.kind,
        start,
        0,
        n.status,
        model,
        service=service,
        state="running",
        stage=n.stage,
    )


def read_span(connection: Connection, trace_id: str, span_id: str, strings: Strings) -> Span:
    record = find_record(connection, trace_id)
    try:
        number = id_number(span_id)
    except ValueError:
        raise SpanNotFound(trace_id, span_id) from None
    row = connection.execute(f"{SELECT_SPANS} WHERE trace=? AND span_id=?", (record.id, number)).fetchone()
    if row is None:
        announced = [span for span in running_spans(connection, record.id, trace_id) if span.span_id == span_id]
        if not announced:
            raise SpanNotFound(trace_id, span_id)
        return announced[0]
    found = SpanRecord._make(row)
    span = spans_of_records(connection, trace_id, [found], strings)[0][1]
    if found.parent is None and _borrows(span):
        span = _borrowed(connection, trace_id, found, span, strings)
    return _scored(span, [score for score in scores_that_count(connection, [record.trace_id]) if score.target.span_id == span_id])


def _borrows(span: Span) -> bool:
    n = rollup.understood(span)
    return n.input is None or n.output is None


def _borrowed(connection: Connection, trace_id: str, record: SpanRecord, root: Span, strings: Strings) -> Span:
    """A root without input or output of its own shows what it shows in the whole trace. Those who may lend are read one by one in the order
    in which `rollup.borrow` would take them, at most `LENDERS_TRIED` for either side: the first one or two nearly always do."""
    below = _Below(connection, record)
    first = islice(below.in_order(), LENDERS_TRIED)
    last = islice(below.latest_first(), LENDERS_TRIED)
    for side, candidates in (("input", first), ("output", last)):
        if getattr(rollup.understood(root), side) is not None:
            continue
        for number in candidates:
            found = SpanRecord._make(connection.execute(f"{SELECT_SPANS} WHERE id=?", (number,)).fetchone())
            lender = replace(spans_of_records(connection, trace_id, [found], strings)[0][1], parent_span_id=root.span_id)
            filled = rollup.borrow([root, lender])[0]
            n = rollup.understood(filled)
            if side in n.derived and side not in rollup.understood(root).derived:
                if side == "input" or not below.model_spoke_after(found):
                    kept = replace(rollup.understood(root), derived=[*rollup.understood(root).derived, side], **{side: getattr(n, side)})
                    root = replace(root, normalised=kept)
                break
    return root


class _Below:
    """The row numbers of the spans below a root, in the two orders in which they are asked for what they say."""

    def __init__(self, connection: Connection, root: SpanRecord) -> None:
        select = "SELECT span_id, parent, start_ns, start_ns + duration_ns, kind, id FROM spans WHERE trace=?"
        self._root = root.span_id
        self._children: dict[int, list[tuple[int, ...]]] = {}
        for row in connection.execute(select, (root.trace,)):
            if row[1] is not None:
                self._children.setdefault(row[1], []).append(row)
        for children in self._children.values():
            children.sort(key=lambda row: (row[2], row[0] & 0xFFFFFFFFFFFFFFFF))

    def _walk(self, without: frozenset[int] = frozenset()) -> Iterator[tuple[int, ...]]:
        """`without` kinds, and what is below them."""
        stack = list(reversed(self._children.get(self._root, ())))
        while stack:
            row = stack.pop()
            if row[4] not in without:
                yield row
                stack.extend(reversed(self._children.get(row[0], ())))

    def in_order(self) -> Iterator[int]:
        return (row[5] for row in self._walk())

    def latest_first(self) -> Iterator[int]:
        """By end and start; the direct children before those further down."""
        rows = sorted(self._walk(_LOOKED_UP), key=lambda row: (row[3], row[2]), reverse=True)
        for direct in (True, False):
            yield from (row[5] for row in rows if (row[1] == self._root) is direct)

    def model_spoke_after(self, record: SpanRecord) -> bool:
        """What a tool returned is no answer where a model was called after it."""
        if KINDS_BACK[record.kind] not in rollup.NO_ANSWERS:
            return False
        end, llm = record.start_ns + record.duration_ns, KINDS[SpanKind.LLM]
        return any(row[4] == llm and row[3] > end for row in self._walk())
