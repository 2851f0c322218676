"""Which values a field has: facets and completion.

Fields with lists of traces (`facets`) answer with exact counts; with a filter, or for other fields, the newest traces are asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from collector import filters
from collector.errors import InvalidValue
from collector.filters import FIELDS, Condition, Filter, Op, Type
from collector.model import ValueCount
from collector.store import matching
from collector.store.connection import Connection
from collector.store.facets import FACETS
from collector.store.finding import TextSearch, find_trace_ids
from collector.store.reading import find_record_by_number, spans_of_trace
from collector.store.rows import KINDS_BACK, STATUSES_BACK
from collector.store.strings import Strings

SAMPLED_TRACES = 2_000
UNPACKED_TRACES = 200  # where the payload must be read: about 20 ms
LONGEST = 200  # characters of a value worth offering

_SPAN_COLUMNS: Mapping[str, str] = {
    name: f"s.{name.replace('.', '_')}"
    for name in ("service", "name", "model", "error", "stage", "index.name", "index.version", "provider", "operation", "kind", "status")
}
_TRACE_COLUMNS = {"session": "t.session", "user": "t.user", "environment": "t.environment", "root": "t.root_name", "verdict": "t.verdict"}
_NUMBERED = {"session", *_SPAN_COLUMNS} - {"kind", "status"}


def find_values(
    connection: Connection, strings: Strings, field: str, prefix: str, filter: Filter | None, limit: int, search: TextSearch | None
) -> Sequence[ValueCount]:
    condition = _asked(field)
    name = condition.field
    if FIELDS[name].choices and name not in FACETS and name not in _SPAN_COLUMNS:
        return [ValueCount(choice, 0) for choice in FIELDS[name].choices if choice.lower().startswith(prefix.lower())][:limit]
    if name in FACETS and not filter:
        counts = _exact(connection, name, prefix, limit)
    elif name == "score" and not condition.key:
        counts = Counter(dict(connection.execute("SELECT name, count(*) FROM scores WHERE counts = 1 GROUP BY name").fetchall()))
    else:
        counts = _sampled(connection, strings, condition, filter or filters.EVERYTHING, search)
    lowered = prefix.lower()
    chosen = [(value, count) for value, count in counts.items() if value.lower().startswith(lowered) and len(value) <= LONGEST]
    chosen.sort(key=lambda one: (-one[1], one[0]))
    return [ValueCount(value, count) for value, count in chosen[:limit]]


def _asked(field: str) -> Condition:
    """The field of a condition `field:*`."""
    node = filters.parse(f"{field}:*").root
    if not isinstance(node, Condition) or node.op is not Op.HAS:
        raise InvalidValue(f"{field!r} is no field: take one of {', '.join(FIELDS)}")
    if FIELDS[node.field].type not in {Type.TEXT, Type.CHOICE, Type.ANY}:
        raise InvalidValue(f"{field} is a {FIELDS[node.field].type.value}: it has no list of values")
    return node


def _exact(connection: Connection, name: str, prefix: str, limit: int) -> Counter[str]:
    if name == "kind":
        rows = connection.execute("SELECT value, traces FROM facet_counts WHERE field=?", (FACETS["kind"],))
        return Counter({KINDS_BACK[value].value: count for value, count in rows})
    pattern = prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    select = (
        "SELECT n.text, c.traces FROM facet_counts c JOIN strings n ON n.id = c.value WHERE c.field = ? AND n.text LIKE ? ESCAPE '\\' "
        "ORDER BY c.traces DESC, n.text LIMIT ?"
    )
    return Counter(dict(connection.execute(select, (FACETS[name], pattern, limit)).fetchall()))


def _sampled(connection: Connection, strings: Strings, condition: Condition, filter: Filter, search: TextSearch | None) -> Counter[str]:
    """From the newest traces that match; each value counts once per trace."""
    name = condition.field
    columns = _SPAN_COLUMNS.get(name) or _TRACE_COLUMNS.get(name)
    ids = find_trace_ids(connection, strings, filter, SAMPLED_TRACES if columns or name == "tag" else UNPACKED_TRACES, search)
    if name == "tag":
        select = "SELECT j.value, count(*) FROM traces t, json_each(t.tags) j WHERE t.id IN (SELECT value FROM json_each(?)) GROUP BY 1"
    elif name in _SPAN_COLUMNS:
        select = f"SELECT {columns}, count(DISTINCT s.trace) FROM spans s WHERE s.trace IN (SELECT value FROM json_each(?)) GROUP BY 1"
    elif columns:
        select = f"SELECT {columns}, count(*) FROM traces t WHERE t.id IN (SELECT value FROM json_each(?)) GROUP BY 1"
    else:
        return _unpacked(connection, strings, condition, ids)
    readers = {"kind": lambda number: KINDS_BACK[number].value, "status": lambda number: STATUSES_BACK[number].value}
    if name in _NUMBERED:
        readers[name] = lambda number: strings.text(connection, number)
    read = readers.get(name, str)
    rows = connection.execute(select, ("[" + ",".join(map(str, ids)) + "]",))
    return Counter({str(read(value)): count for value, count in rows if value is not None})


def _unpacked(connection: Connection, strings: Strings, condition: Condition, ids: Sequence[int]) -> Counter[str]:
    counts: Counter[str] = Counter()
    if condition.field not in matching.READ_FROM_SPAN:
        return counts
    for number in ids:
        record = find_record_by_number(connection, number)
        spans = spans_of_trace(connection, record, strings)
        counts.update({str(value) for _, span in spans for value in matching.values(condition, span)})
    return counts
