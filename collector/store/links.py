"""Links from the other end: which spans of other traces link to a trace.

OpenTelemetry writes a link into the span that links; the trace it leads to does not know of it. So each link to another trace has a row,
led by the id of the trace it leads to, also before that one comes. The row says which link of which span it is; the rest is read from the
span. A link within one trace has none: whoever reads the trace has it.
"""

from __future__ import annotations

from collector.model import LinkFrom, Page, PageRequest
from collector.store.connection import Connection
from collector.store.finding import Cursor, Order, cursor_of, limit_of
from collector.store.reading import SELECT_SPANS, Payloads, find_record, find_record_by_number
from collector.store.rows import KINDS_BACK, STATUSES_BACK, SpanRecord
from collector.store.strings import Strings

_ORDER = Order("arrival", "span", descending=True)


def read_links(connection: Connection, trace_id: str, request: PageRequest, strings: Strings) -> Page[LinkFrom]:
    """The links that lead to a trace, those of the newest spans first."""
    limit, cursor = limit_of(request), cursor_of(request, _ORDER)
    target = find_record(connection, trace_id).trace_id
    before = (cursor.value, cursor.id) if cursor else (2**63 - 1, 0)
    select = "SELECT span, position FROM links WHERE target=? AND (span, position) < (?, ?) ORDER BY span DESC, position DESC LIMIT ?"
    keys: list[tuple[int, int]] = connection.execute(select, (target, *before, limit + 1)).fetchall()
    payloads = Payloads(connection)
    found = [_link_from(connection, payloads, strings, span, position) for span, position in keys[:limit]]
    return Page(found, Cursor(*keys[limit - 1], 0).encode(_ORDER) if len(keys) > limit else None)


def _link_from(connection: Connection, payloads: Payloads, strings: Strings, number: int, position: int) -> LinkFrom:
    record = SpanRecord._make(connection.execute(f"{SELECT_SPANS} WHERE id=?", (number,)).fetchone())
    trace = find_record_by_number(connection, record.trace)
    span = payloads.received(record, trace.trace_id.hex(), strings.text(connection, record.name) or "")
    link = span.links[position]
    return LinkFrom(
        trace_id=span.trace_id,
        span_id=span.span_id,
        target_span_id=link.span_id,
        name=span.name,
        kind=KINDS_BACK[record.kind],
        start_unix_nano=span.start_unix_nano,
        status=STATUSES_BACK[record.status],
        service=strings.text(connection, record.service),
        root_name=trace.root_name,
        input_preview=trace.input_preview,
        attributes=link.attributes,
    )
