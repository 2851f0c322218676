"""Passages: what stages returned, each once, with who returned it. The text is read where a span brought it, so nothing is stored twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from collector.errors import NotFound
from collector.model import Page, PageRequest, PassageSummary, TraceSummary
from collector.rollup import understood
from collector.store import words
from collector.store.connection import Connection
from collector.store.finding import BUDGET_S, Clock, Cursor, Key, Order, cursor_of, limit_of
from collector.store.matching import passage_hash
from collector.store.reading import Payloads, log_events, summaries, understand
from collector.store.rows import SpanRecord, TraceRecord, columns, id_number, id_text
from collector.store.searcher import Searcher
from collector.store.strings import Strings

PREVIEW = 300
NEWEST_TRACES = 100
CHUNK = 200
_ORDER = Order("last_seen", "last_seen_ns", descending=True)
_COLUMNS = (
    "id, hash, span, place, document_id, (SELECT text FROM sources WHERE sources.id = passages.source), retrieved, traces, last_seen_ns"
)


def find_passages(
    index: Connection, store: Connection, strings: Strings, searcher: Searcher, text: str | None, source: str | None, request: PageRequest
) -> Page[PassageSummary]:
    """The most recently seen first; with a text, those that say it."""
    limit, cursor = limit_of(request), cursor_of(request, _ORDER)
    at: Key | None = (cursor.value, cursor.id) if cursor else None
    allowed = None if text is None else _passages_of_traces(index, searcher, text)
    clock, found, complete = Clock(BUDGET_S), list[tuple[Sequence[Any], str]](), True
    size = limit + 1 if text is None else CHUNK
    texts = _Texts(store, strings)
    while len(found) <= limit:
        rows = _page(index, source, allowed, at, size)
        for row in rows:
            content = texts.of(row)
            if content is not None and (text is None or words.says(text, [content])):
                found.append((row, content))
        if len(rows) < size:
            break
        at = (rows[-1][8], rows[-1][0])
        if clock.over() and len(found) <= limit:
            complete = False
            break
    last = found[limit - 1][0] if len(found) > limit else None
    following = (last[8], last[0]) if last is not None else None if complete else at
    return Page(
        [_summary(row, content) for row, content in found[:limit]],
        Cursor(*following, 0).encode(_ORDER) if following else None,
        complete,
        int(at[0]) if at and not complete else None,
    )


def _passages_of_traces(index: Connection, searcher: Searcher, text: str) -> str:
    """The passages of traces that say the text, as a JSON array."""
    traces = [trace for _, trace in _first(searcher.keys(text, -(2**62), 2**62, None, descending=True), 5_000)]
    select = "SELECT DISTINCT passage FROM candidates WHERE trace IN (SELECT value FROM json_each(?)) AND passage IS NOT NULL"
    return orjson.dumps([row[0] for row in index.execute(select, (orjson.dumps(traces).decode(),))]).decode()


def _first(keys: Iterator[tuple[int, int]], count: int) -> Iterator[tuple[int, int]]:
    for _, key in zip(range(count), keys, strict=False):
        yield key


def _page(index: Connection, source: str | None, allowed: str | None, at: Key | None, size: int) -> Sequence[Sequence[Any]]:
    where, values = ["retrieved > 0"], list[Any]()
    if source is not None:
        where.append("source = (SELECT id FROM sources WHERE text = ?)")
        values.append(source)
    if allowed is not None:
        where.append("id IN (SELECT value FROM json_each(?))")
        values.append(allowed)
    if at is not None:
        where.append("(last_seen_ns, id) < (?, ?)")
        values.extend(at)
    select = f"SELECT {_COLUMNS} FROM passages WHERE {' AND '.join(where)} ORDER BY last_seen_ns DESC, id DESC LIMIT {size}"
    return index.execute(select, values).fetchall()


class _Texts:
    """Texts of passages, each from the span that the index names. Passages of one retrieval stand together: a span is read once."""

    def __init__(self, store: Connection, strings: Strings) -> None:
        self._store, self._strings = store, strings
        self._read: dict[int, dict[str, str]] = {}

    def of(self, row: Sequence[Any]) -> str | None:
        """None: deleted, and the index has not heard yet."""
        _, digest, span, *_ = row
        if span not in self._read:
            self._read[span] = _texts_of(self._store, self._strings, span)
        return self._read[span].get(id_text(digest))


def _texts_of(store: Connection, strings: Strings, span: int) -> dict[str, str]:
    """What a span returned, by hash."""
    found = store.execute(
        f"SELECT t.trace_id, {columns(SpanRecord, 's')} FROM spans s JOIN traces t ON t.id = s.trace WHERE s.id=?", (span,)
    )
    told = found.fetchone()
    if told is None:
        return {}
    record, trace_id = SpanRecord._make(told[1:]), told[0]
    events = log_events(store, trace_id).get(record.span_id, ())
    received = Payloads(store).received(record, trace_id.hex(), strings.text(store, record.name) or "", events)
    n = understood(understand(received))
    contents = [one.content for one in (*n.documents, *n.candidates) if one.content]
    return {passage_hash(content): content for content in reversed(contents)}


def _summary(row: Sequence[Any], content: str) -> PassageSummary:
    _, digest, _, _, document_id, source, retrieved, traces, last_seen = row
    preview = content if len(content) <= PREVIEW else content[: PREVIEW - 1] + "…"
    return PassageSummary(id_text(digest), preview, source, document_id, retrieved, traces, last_seen)


def read_passage(index: Connection, store: Connection, strings: Strings, digest: str) -> tuple[PassageSummary, str, Sequence[TraceSummary]]:
    missing = NotFound(f"no passage {digest!r} in this store")
    try:
        row = index.execute(f"SELECT {_COLUMNS} FROM passages WHERE hash=?", (id_number(digest),)).fetchone()
    except (ValueError, OverflowError):
        raise missing from None
    content = _Texts(store, strings).of(row) if row is not None else None
    if row is None or content is None:
        raise missing
    select = f"SELECT DISTINCT trace FROM candidates WHERE passage=? AND place >= 0 ORDER BY trace DESC LIMIT {NEWEST_TRACES}"
    traces = orjson.dumps([found[0] for found in index.execute(select, (row[0],))]).decode()
    told = f"SELECT {columns(TraceRecord)} FROM traces WHERE id IN (SELECT value FROM json_each(?)) ORDER BY start_ns DESC"
    records = [TraceRecord._make(found) for found in store.execute(told, (traces,))]
    return _summary(row, content), content, summaries(store, records, strings)
