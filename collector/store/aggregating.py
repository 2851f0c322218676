"""Charts: counts, errors, tokens, cost and percentiles in groups.

What is counted are traces, unless the filter or the groups speak of spans (`kind`, `model`, `name`, …): then spans. Where groups and filter
fit the tables of minutes or hours, those answer at any size, with percentiles out of histograms (within 12.5 %, named in `estimated`).
Everything else is read row by row, newest first, within a time budget; rows of an answer that ran out of time say how far back it looked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any as Anything

import orjson

from collector import filters
from collector.errors import InvalidValue
from collector.filters import And, Condition, Filter, Node, Not, Op, Or, conjuncts
from collector.model import Json, SpanKind
from collector.store.connection import Connection
from collector.store.finding import FIRST_CHUNK, Bounds, Clock, TextSearch, TimeUp, bounds_of, holding
from collector.store.rows import COST_COUNTS, KINDS, KINDS_BACK, STATUSES_BACK, TOKENS_COUNT, WHOLE_TRACE
from collector.store.strings import Strings
from collector.store.tallies import HOUR, MINUTE, Tally, bucket, percentile, pico, read_tally
from collector.store.where import Sql, Where

BUDGET_S = 3.0
EXACT_ROWS = 20_000
"""Up to so many rows in the period are read one by one: exact ends of the period, exact percentiles."""
CHUNK = 20_000

MEASURES = (
    "count", "errors", "error_rate", "p50", "p90", "p95", "p99", "tokens", "input_tokens", "output_tokens", "cost", "traces",
)  # fmt: skip
TIMES = {"minute": MINUTE, "hour": HOUR, "day": 24 * HOUR}
OF_TRACE = ("service", "tag", "status", "environment", "session", "user", "verdict", "root")
OF_SPAN = ("kind", "model", "name", "provider", "operation", "stage", "index", "error")
GROUPS = (*TIMES, *OF_TRACE, *OF_SPAN)
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


def aggregate(
    connection: Connection,
    strings: Strings,
    filter: Filter,
    measures: Sequence[str],
    by: Sequence[str],
    search: TextSearch | None = None,
    budget_s: float = BUDGET_S,
) -> Sequence[Mapping[str, Json]]:
    """One mapping per group, in order of the groups."""
    _check("measure", measures, MEASURES)
    _check("group", by, GROUPS)
    asked = Asked(filter, tuple(measures) or ("count",), tuple(by))
    text = _Names(connection, strings)
    kept = None if "traces" in measures and asked.of_spans else _from_tables(connection, strings, asked)
    if kept is None or not asked.beyond(connection, EXACT_ROWS):
        kept = _from_rows(connection, strings, asked, search, Clock(budget_s))
    rows = [{**text.group(by, key), **_measured(total, asked.measures)} for key, total in kept.items()]
    return sorted(rows, key=lambda row: [_sortable(row[group]) for group in by])


def _check(what: str, given: Sequence[str], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise InvalidValue(f"no {what} {name!r}: take some of {', '.join(known)}")


def _sortable(value: Json) -> tuple[bool, str]:
    return value is None, value if isinstance(value, str) else f"{value:020}" if isinstance(value, int) else str(value)


@dataclass(frozen=True, slots=True)
class Asked:
    filter: Filter
    measures: Sequence[str]
    by: Sequence[str]

    @property
    def of_spans(self) -> bool:
        return any(group in OF_SPAN for group in self.by) or _speaks_of_spans(self.filter.root)

    @property
    def node(self) -> Node | None:
        """Of spans, those that match in traces that the list shows: only a condition that no span may satisfy is not said by the span."""
        of_traces = filters.for_traces(self.filter)
        if not self.of_spans:
            return of_traces
        of_spans = filters.for_spans(self.filter)
        return And((of_spans, of_traces)) if of_spans and of_traces and _negates(of_traces) else of_spans

    @property
    def bounds(self) -> Bounds:
        return bounds_of(self.node, "span" if self.of_spans else "trace")

    def beyond(self, connection: Connection, rows: int) -> bool:
        """Whether the period holds more rows than that."""
        table = "spans" if self.of_spans else "traces"
        bounds = self.bounds
        select = f"SELECT 1 FROM {table} WHERE start_ns BETWEEN ? AND ? LIMIT 1 OFFSET {rows}"
        return connection.execute(select, (bounds.first, bounds.last)).fetchone() is not None


def _speaks_of_spans(node: Node | None) -> bool:
    match node:
        case None | filters.Text() | filters.Any() | Not():  # "no span is like that" is said of a trace
            return False
        case Condition():
            return filters.FIELDS[node.field].scope is filters.Scope.SPAN
        case And() | Or():
            return any(_speaks_of_spans(part) for part in node.parts)


def _negates(node: Node) -> bool:
    """Whether something is denied of a whole trace."""
    match node:
        case Not():
            return True
        case And() | Or():
            return any(map(_negates, node.parts))
        case _:
            return False


@dataclass(slots=True)
class Total:
    """A group's numbers."""

    tally: Tally = field(default_factory=Tally)
    durations: list[int] | None = None  # while few enough to be exact
    traces: set[int] = field(default_factory=set[int])
    searched_back_to: int | None = None


# ---- From the tables of minutes and hours ----

_TABLE_COLUMNS = "count, errors, input_tokens, output_tokens, cost_pico, durations"


def _from_tables(connection: Connection, strings: Strings, asked: Asked) -> dict[tuple[Anything, ...], Total] | None:
    """None where the tables cannot say it."""
    limits = _simple(asked.node)
    if limits is None:
        return None
    hourly = "model" in asked.by or "model" in limits
    step, table = (HOUR, "hours") if hourly else (MINUTE, "minutes")
    known = {"hour", "day", "service", "kind", "model"} if hourly else {"minute", "hour", "day", "service", "kind"}
    if not set(asked.by) <= known or (not asked.of_spans and ("kind" in asked.by or hourly)):
        return None
    return _read_tables(connection, asked, limits, step, table)


def _simple(node: Node | None) -> Mapping[str, Sequence[str]] | None:
    """The values allowed for service, kind and model, if that and the start time is all a filter says."""
    limits: dict[str, Sequence[str]] = {}
    for part in conjuncts(node):
        options = part.parts if isinstance(part, Or) else (part,)
        names = {option.field for option in options if isinstance(option, Condition)}
        if names == {"start"} and len(options) == 1:
            continue
        plain = all(isinstance(option, Condition) and option.op is Op.EQ for option in options)
        if not plain or len(names) != 1 or not names <= {"service", "kind", "model"} or names & set(limits):
            return None
        limits[names.pop()] = [str(option.value) for option in options if isinstance(option, Condition)]
    return limits


def _read_tables(
    connection: Connection, asked: Asked, limits: Mapping[str, Sequence[str]], step: int, table: str
) -> dict[tuple[Anything, ...], Total]:
    unit, bounds = table[:-1], asked.bounds
    where, values = [f"{unit} BETWEEN ? AND ?"], [bounds.first // step, bounds.last // step]
    where.append("kind >= 0" if asked.of_spans else f"kind = {WHOLE_TRACE}")
    for name, allowed in limits.items():
        numbers = [KINDS[SpanKind(kind)] for kind in allowed] if name == "kind" else _numbers(connection, allowed)
        where.append(f"{name} IN (SELECT value FROM json_each(?))")
        values.append(orjson.dumps(numbers).decode())  # type: ignore[arg-type]  # a list of parameters of several types
    key_columns = [unit if group in TIMES else group for group in asked.by]
    select = f"SELECT {', '.join([*key_columns, _TABLE_COLUMNS])} FROM {table} WHERE {' AND '.join(where)}"
    width, totals = len(key_columns), dict[tuple[Anything, ...], Total]()
    scale = [(TIMES[group] // step, TIMES[group]) if group in TIMES else None for group in asked.by]
    for row in connection.execute(select, values):
        key = tuple(value // by[0] * by[1] if by else value or None for value, by in zip(row, scale, strict=False))
        if "kind" in asked.by:
            key = tuple(row[at] if group == "kind" else value for at, (group, value) in enumerate(zip(asked.by, key, strict=True)))
        total = totals.get(key)
        if total is None:
            total = totals[key] = Total()
        total.tally.merge(read_tally(row[width:]))
    return totals


def _numbers(connection: Connection, allowed: Sequence[str]) -> list[int]:
    select = "SELECT id FROM strings WHERE text IN (SELECT value FROM json_each(?))"
    return [row[0] for row in connection.execute(select, (orjson.dumps(list(allowed)).decode(),))]


# ---- From the rows ----

_SPAN_KEYS: Mapping[str, str] = {
    "service": "s.service",
    "status": "s.status",
    "environment": "t.environment",
    "session": "t.session",
    "user": "t.user",
    "verdict": "t.verdict",
    "root": "t.root_name",
    "kind": "s.kind",
    "model": "s.model",
    "name": "s.name",
    "provider": "s.provider",
    "operation": "s.operation",
    "stage": "s.stage",
    "index": "s.index_name",
    "error": "s.error",
}
_TRACE_KEYS: Mapping[str, str] = {
    "service": "json_extract(t.services, '$[0]')",
    "status": "t.status",
    "environment": "t.environment",
    "session": "t.session",
    "user": "t.user",
    "verdict": "t.verdict",
    "root": "t.root_name",
}
_SPAN_SUMS = (
    f"s.status = 2, CASE WHEN s.flags & {TOKENS_COUNT} THEN s.input_tokens END, "
    f"CASE WHEN s.flags & {TOKENS_COUNT} THEN s.output_tokens END, CASE WHEN s.flags & {COST_COUNTS} THEN s.cost_usd END, "
    "s.duration_ns, s.trace"
)
_TRACE_SUMS = "t.status = 2, t.input_tokens, t.output_tokens, t.cost_usd, t.duration_ns, t.id"


def _from_rows(
    connection: Connection, strings: Strings, asked: Asked, search: TextSearch | None, clock: Clock
) -> dict[tuple[Anything, ...], Total]:
    where = Where(indexed=search is not None)
    condition = where.span(asked.node) if asked.of_spans else where.trace(asked.node)
    totals: dict[tuple[Anything, ...], Total] = {}
    with holding(connection, strings, where, search):
        reached: int | None = None
        chunks = _chunks(connection, asked, condition, clock, small=where.reads_payloads)
        try:
            for rows, oldest in chunks:
                _add_rows(totals, rows, asked)
                reached = oldest
                if clock.over() and oldest is not None:
                    break
        except TimeUp:
            pass
    for total in totals.values():
        total.searched_back_to = reached
    return totals


def _add_rows(totals: dict[tuple[Anything, ...], Total], rows: Sequence[Sequence[Anything]], asked: Asked) -> None:
    width = len(asked.by)
    tags = asked.by.index("tag") if "tag" in asked.by else None
    for row in rows:
        key, (error, tokens_in, tokens_out, cost, duration, trace) = tuple(row[:width]), row[width:]
        for each in _per_tag(key, tags) if tags is not None else (key,):
            total = totals.get(each)
            if total is None:
                total = totals[each] = Total(durations=[])
            total.tally.add(1, bool(error), tokens_in or 0, tokens_out or 0, pico(cost), bucket(duration))
            total.traces.add(trace)
            if total.durations is not None and duration >= 0:
                total.durations.append(duration)
                if len(total.durations) > EXACT_ROWS:
                    total.durations = None


def _per_tag(key: tuple[Anything, ...], at: int) -> Iterator[tuple[Anything, ...]]:
    """A trace with several tags counts under each."""
    for tag in orjson.loads(key[at]) or [None]:
        yield (*key[:at], tag, *key[at + 1 :])


def _chunks(
    connection: Connection, asked: Asked, condition: Sql, clock: Clock, *, small: bool
) -> Iterator[tuple[Sequence[Sequence[Anything]], int | None]]:
    """Matching rows newest first, with the start of the oldest one looked at (None: that was all)."""
    alias, keys, sums = ("s", _SPAN_KEYS, _SPAN_SUMS) if asked.of_spans else ("t", _TRACE_KEYS, _TRACE_SUMS)
    times = {name: f"{alias}.start_ns / {length} * {length}" for name, length in TIMES.items()}
    columns = [times.get(group) or ("t.tags" if group == "tag" else keys[group]) for group in asked.by]
    source = "spans s JOIN traces t ON t.id = s.trace" if asked.of_spans else "traces t"
    counted = "1" if asked.of_spans else "t.span_count > 0"
    where = f"{alias}.id IN (SELECT value FROM json_each(?)) AND {counted} AND {condition.text}"
    select = f"SELECT {', '.join([*columns, sums])} FROM {source} WHERE {where}"
    bounds, size = asked.bounds, FIRST_CHUNK
    at: tuple[int, int] | None = None
    table = "spans" if asked.of_spans else "traces"
    while True:
        keyset = "AND (start_ns, id) < (?, ?)" if at else ""
        page = f"SELECT start_ns, id FROM {table} WHERE start_ns BETWEEN ? AND ? {keyset} ORDER BY start_ns DESC, id DESC LIMIT {size}"
        found = connection.execute(page, (bounds.first, bounds.last, *(at or ()))).fetchall()
        ids = orjson.dumps([number for _, number in found]).decode()
        with clock.limiting(connection):
            rows = connection.execute(select, (ids, *condition.parameters)).fetchall() if found else []
        done = len(found) < size
        yield rows, None if done else found[-1][0]
        if done:
            return
        at, size = found[-1], size if small else min(size * 4, CHUNK)


# ---- Rows of the answer ----


_INTERNED = ("session", "model", "name", "provider", "operation", "stage", "index", "error")


class _Names:
    """Numbers of groups as what they mean."""

    def __init__(self, connection: Connection, strings: Strings) -> None:
        self._connection, self._strings = connection, strings
        self._readers: Mapping[str, Callable[[Anything], Json]] = {
            **dict.fromkeys(_INTERNED, self._text),
            "kind": lambda number: None if number is None else KINDS_BACK[number].value,
            "status": lambda number: STATUSES_BACK[number].value,
        }

    def _text(self, number: Anything) -> Json:
        return self._strings.text(self._connection, number)

    def group(self, by: Sequence[str], key: Sequence[Anything]) -> dict[str, Json]:
        return {name: self._read(name, value) for name, value in zip(by, key, strict=True)}

    def _read(self, name: str, value: Anything) -> Json:
        if name in TIMES:
            return datetime.fromtimestamp(value // 10**9, UTC).isoformat().replace("+00:00", "Z")
        if name == "service" and isinstance(value, int):
            return self._text(value)
        return self._readers[name](value) if name in self._readers else value


def _measured(total: Total, measures: Sequence[str]) -> dict[str, Json]:
    tally = total.tally
    plain: Mapping[str, Callable[[], Json]] = {
        "count": lambda: tally.count,
        "errors": lambda: tally.errors,
        "error_rate": lambda: tally.errors / tally.count if tally.count else 0.0,
        "tokens": lambda: tally.input_tokens + tally.output_tokens,
        "input_tokens": lambda: tally.input_tokens,
        "output_tokens": lambda: tally.output_tokens,
        "cost": lambda: tally.cost_pico / 1e12,
        "traces": lambda: len(total.traces) or tally.count,
    }
    row: dict[str, Json] = {}
    for measure in measures:
        row[measure] = plain[measure]() if measure in plain else _percentile(total, PERCENTILES[measure])
    estimated = [measure for measure in measures if measure in PERCENTILES and total.durations is None]
    if estimated:
        row["estimated"] = estimated
    if total.searched_back_to is not None:
        row["searched_back_to_unix_nano"] = str(total.searched_back_to)
    return row


def _percentile(total: Total, share: float) -> int | None:
    if total.durations is None:
        return percentile(total.tally.durations, share)
    ordered = sorted(total.durations)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
