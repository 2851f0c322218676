"""Which values a field has: facets and completion.

Fields with lists of traces (`facets`) answer at once. With a filter, or for other fields, the traces are asked, the newest first, for half
a second, or a tenth where their payloads must be read: counts that were not complete by then say that they are at least so high.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from collector import filters
from collector.errors import InvalidValue
from collector.filters import FIELDS, Condition, Filter, Op, Type
from collector.model import ValueCount
from collector.store import matching
from collector.store.connection import Connection
from collector.store.facets import FACETS
from collector.store.finding import AT_A_TIME, Clock, TextSearch, every_trace
from collector.store.reading import find_record_by_number, records_of_trace, spans_of_records
from collector.store.rows import KINDS_BACK, STATUSES_BACK, SpanRecord
from collector.store.strings import Strings

BUDGET_S = 0.5
BUDGET_OF_PAYLOADS_S = (
    0.1  # about 300 traces; a list page asks for several at once. What is typed (a prefix) is looked for as long as a column
)
UNDERSTOOD_AT_ONCE = 100  # spans: 10 ms
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
    complete = True
    if FIELDS[name].choices and name not in FACETS and name not in _SPAN_COLUMNS:
        return [ValueCount(choice, 0) for choice in FIELDS[name].choices if choice.lower().startswith(prefix.lower())][:limit]
    if name in FACETS and not filter:
        counts = _exact(connection, name, prefix, limit)
    elif name == "score" and not condition.key:
        counts = Counter(dict(connection.execute("SELECT name, count(*) FROM scores WHERE counts = 1 GROUP BY name").fetchall()))
    else:
        budget = BUDGET_OF_PAYLOADS_S if _reads_payloads(name) and not prefix else BUDGET_S
        counts, complete = _counted(connection, strings, condition, filter or filters.EVERYTHING, search, Clock(budget))
    lowered = prefix.lower()
    chosen = [(value, count) for value, count in counts.items() if value.lower().startswith(lowered) and len(value) <= LONGEST]
    chosen.sort(key=lambda one: (-one[1], one[0]))
    return [ValueCount(value, count, at_least=not complete) for value, count in chosen[:limit]]


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


def _counted(
    connection: Connection, strings: Strings, condition: Condition, filter: Filter, search: TextSearch | None, clock: Clock
) -> tuple[Counter[str], bool]:
    """Values of the traces that match, and whether all of them were asked; each value counts once per trace."""
    counts = Counter[str]()
    for ids, complete in every_trace(connection, strings, filter, search, clock):
        asked = _unpacked(connection, strings, condition, ids, clock, counts) if _reads_payloads(condition.field) else True
        if not _reads_payloads(condition.field):
            counts.update(_from_columns(connection, strings, condition.field, ids))
        if not complete or not asked:
            return counts, False
        if clock.over() and len(ids) == AT_A_TIME:
            return counts, False
    return counts, True


def _reads_payloads(name: str) -> bool:
    return name != "tag" and name not in _SPAN_COLUMNS and name not in _TRACE_COLUMNS


def _from_columns(connection: Connection, strings: Strings, name: str, ids: Sequence[int]) -> Counter[str]:
    column = _SPAN_COLUMNS.get(name) or _TRACE_COLUMNS.get(name)
    if name == "tag":
        select = "SELECT j.value, count(*) FROM traces t, json_each(t.tags) j WHERE t.id IN (SELECT value FROM json_each(?)) GROUP BY 1"
    elif name in _SPAN_COLUMNS:
        select = f"SELECT {column}, count(DISTINCT s.trace) FROM spans s WHERE s.trace IN (SELECT value FROM json_each(?)) GROUP BY 1"
    else:
        select = f"SELECT {column}, count(*) FROM traces t WHERE t.id IN (SELECT value FROM json_each(?)) GROUP BY 1"
    readers = {"kind": lambda number: KINDS_BACK[number].value, "status": lambda number: STATUSES_BACK[number].value}
    if name in _NUMBERED:
        readers[name] = lambda number: strings.text(connection, number)
    read = readers.get(name, str)
    rows = connection.execute(select, ("[" + ",".join(map(str, ids)) + "]",))
    return Counter({str(read(value)): count for value, count in rows if value is not None})


def _any_span(_: SpanRecord) -> bool:
    return True


_MAY_HAVE: Mapping[str, Callable[[SpanRecord], bool]] = {  # by what their rows say, most spans need not be read
    "passage": lambda span: bool(span.documents),
    "dropped": lambda span: bool(span.candidates),
}


def _unpacked(
    connection: Connection, strings: Strings, condition: Condition, ids: Sequence[int], clock: Clock, counts: Counter[str]
) -> bool:
    """Add what the payloads say; False where the time was up. A trace that is being read is read to its end or not counted."""
    if condition.field not in matching.READ_FROM_SPAN:
        return True
    may_have_values = _MAY_HAVE.get(condition.field.partition(".")[0], _any_span)
    for number in ids:
        record = find_record_by_number(connection, number)
        seen: set[str] = set()
        spans = [span for span in records_of_trace(connection, number) if may_have_values(span)]
        for at in range(0, len(spans), UNDERSTOOD_AT_ONCE):
            if clock.over():
                return False
            understood = spans_of_records(connection, record.trace_id.hex(), spans[at : at + UNDERSTOOD_AT_ONCE], strings)
            seen.update(str(value) for _, span in understood for value in matching.values(condition, span))
        counts.update(seen)
    return True
