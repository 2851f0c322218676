"""Sessions: conversations as one row each, and their traces."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from collector.errors import NotFound
from collector.filters import Filter, for_traces
from collector.model import Page, PageRequest, SessionSummary, TraceSummary, Usage
from collector.store.connection import Connection
from collector.store.finding import (
    BUDGET_S,
    FIRST_CHUNK,
    LAST_CHUNK,
    Clock,
    Cursor,
    Key,
    Order,
    TextSearch,
    TimeUp,
    cursor_of,
    holding,
    limit_of,
)
from collector.store.reading import summaries
from collector.store.rows import TraceRecord, columns
from collector.store.strings import Strings
from collector.store.where import Where

SESSIONS_AT_ONCE = 8  # where the payloads of their traces must be read
MOST_TRACES = 10_000  # of one session in one answer
_ORDER = Order("end_time", "end_ns", descending=True)
_COLUMNS = "x.session, x.start_ns, x.end_ns, x.trace_count, x.error_count, x.input_tokens, x.output_tokens, x.cost_pico, x.priced"


def find_sessions(
    connection: Connection, strings: Strings, filter: Filter, request: PageRequest, search: TextSearch | None
) -> Page[SessionSummary]:
    """The most recently active first; with a filter, those that have a matching trace."""
    limit, cursor = limit_of(request), cursor_of(request, _ORDER)
    where = Where(indexed=search is not None)
    condition = where.trace(for_traces(filter))
    exists = f"EXISTS (SELECT 1 FROM traces t WHERE t.session = x.session AND {condition.text})" if filter else "1"
    matching = f"SELECT session FROM sessions x WHERE x.session IN (SELECT value FROM json_each(?)) AND {exists}"
    hits: list[Key] = []
    at: Key | None = (cursor.value, cursor.id) if cursor else None
    size = SESSIONS_AT_ONCE if where.reads_payloads else max(limit + 1, FIRST_CHUNK)
    clock, complete = Clock(BUDGET_S), True
    with holding(connection, strings, where, search):
        while True:
            keyset = "WHERE (end_ns, session) < (?, ?)" if at else ""
            select = f"SELECT end_ns, session FROM sessions {keyset} ORDER BY end_ns DESC, session DESC LIMIT {size}"
            keys: list[Key] = connection.execute(select, at or ()).fetchall()
            ids = orjson.dumps([session for _, session in keys]).decode()
            try:
                with clock.limiting(connection):
                    wanted = {row[0] for row in connection.execute(matching, (ids, *(condition.parameters if filter else ())))}
            except TimeUp:  # a first one that takes longer than all is passed over, so that every page goes on
                at, complete = at or keys[0], False
                break
            hits.extend(key for key in keys if key[1] in wanted)
            if len(hits) > limit or len(keys) < size:
                break
            at, size = keys[-1], size if where.reads_payloads else min(size * 2, LAST_CHUNK)
            if clock.over():
                complete = False
                break
    following = hits[limit - 1] if len(hits) > limit else None if complete else at
    found = [_summary(connection, strings, session) for _, session in hits[:limit]]
    searched = int(at[0]) if at and not complete else None
    return Page(found, Cursor(*following, 0).encode(_ORDER) if following else None, complete, searched)


def read_session(connection: Connection, strings: Strings, session_id: str) -> tuple[SessionSummary, Sequence[TraceSummary]]:
    row = connection.execute(
        "SELECT x.session FROM strings n JOIN sessions x ON x.session = n.id WHERE n.text = ?", (session_id,)
    ).fetchone()
    if row is None:
        raise NotFound(f"no session {session_id!r} in this store")
    select = f"SELECT {columns(TraceRecord)} FROM traces WHERE session = ? AND span_count > 0 ORDER BY start_ns LIMIT {MOST_TRACES}"
    records = [TraceRecord._make(found) for found in connection.execute(select, row)]
    return _summary(connection, strings, row[0]), summaries(connection, records, strings)


def _summary(connection: Connection, strings: Strings, number: int) -> SessionSummary:
    row = connection.execute(f"SELECT {_COLUMNS} FROM sessions x WHERE x.session = ?", (number,)).fetchone()
    session, start, end, traces, errors, tokens_in, tokens_out, cost, priced = row
    edge = "SELECT user, services, input_preview, output_preview FROM traces WHERE session = ? AND span_count > 0 ORDER BY start_ns"
    first = connection.execute(f"{edge} LIMIT 1", (number,)).fetchone() or (None, "[]", None, None)
    last = connection.execute(f"{edge} DESC LIMIT 1", (number,)).fetchone() or first
    services = dict.fromkeys([*orjson.loads(first[1]), *orjson.loads(last[1])])
    return SessionSummary(
        session_id=strings.text(connection, session) or "",
        user_id=first[0] or last[0],
        services=list(services),
        start_unix_nano=start,
        end_unix_nano=end,
        trace_count=traces,
        error_count=errors,
        usage=Usage(input_tokens=tokens_in or None, output_tokens=tokens_out or None),
        cost_usd=cost / 1e12 if priced else None,
        first_input_preview=first[2],
        last_output_preview=last[3],
    )
