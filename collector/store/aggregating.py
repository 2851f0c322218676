"""Charts: counts, errors, tokens, cost and percentiles in groups.

What is counted are traces, unless the filter or the groups speak of spans (`kind`, `model`, `name`, …): then spans. Where groups and filter
fit the tables of minutes or hours, those answer at any size, with percentiles out of histograms (within 12.5 %, named in `estimated`).
Everything else is summed by SQLite over the rows, a stretch of time after the other from the newest on, within a time budget; an answer
that ran out of time says how far back it looked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any as Anything

import orjson

from collector import filters
from collector.errors import InvalidValue
from collector.filters import And, Condition, Filter, Node, Not, Op, Or, conjuncts
from collector.model import Json, Page, SpanKind
from collector.store.connection import Connection
from collector.store.finding import FIRST_CHUNK, STEPS, STEPS_OF_ROWS, Bounds, Clock, TextSearch, TimeUp, bounds_of, holding
from collector.store.rows import COST_COUNTS, KINDS, KINDS_BACK, STATUSES_BACK, TOKENS_COUNT, WHOLE_TRACE
from collector.store.strings import Strings
from collector.store.tallies import HOUR, MINUTE, bucket, percentile
from collector.store.where import Sql, Where, speaks_of_trace

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
) -> Page[Mapping[str, Json]]:
    """One mapping per group, in order of the groups."""
    _check("measure", measures, MEASURES)
    _check("group", by, GROUPS)
    asked = Asked(filter, tuple(measures) or ("count",), tuple(by))
    text = _Names(connection, strings)
    kept, reached = None if "traces" in measures and asked.of_spans else _from_tables(connection, asked), None
    if kept is None or not asked.beyond(connection, EXACT_ROWS):
        kept, reached = _from_rows(connection, strings, asked, search, Clock(budget_s))
    rows: list[Mapping[str, Json]] = [{**text.group(by, key), **_measured(total, asked.measures)} for key, total in kept.items()]
    rows.sort(key=lambda row: [_sortable(row[group]) for group in by])
    if reached is not None:
        rows = [{**row, "searched_back_to_unix_nano": str(reached)} for row in rows]
    return Page(rows, None, reached is None, reached)


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

    @property
    def percentiles(self) -> bool:
        return any(measure in PERCENTILES for measure in self.measures)

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

    count: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_pico: int = 0
    traces: set[int] = field(default_factory=set[int])
    durations: list[int] | None = field(default_factory=list[int])  # while few enough to be exact
    cells: Counter[int] = field(default_factory=Counter[int])  # of the histogram, once they are not

    def add(self, sums: Sequence[Anything]) -> None:
        count, errors, input_tokens, output_tokens, cost_pico = sums
        self.count += count
        self.errors += errors
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.cost_pico += cost_pico

    def took(self, durations: Sequence[int]) -> None:
        """Durations one by one."""
        if self.durations is None:
            self.cells.update(map(bucket, durations))
            return
        self.durations.extend(durations)
        if len(self.durations) > EXACT_ROWS:
            self.cells.update(map(bucket, self.durations))
            self.durations = None

    def took_about(self, histograms: Sequence[Mapping[str, int]]) -> None:
        """Durations as the tables keep them."""
        self.durations = None
        merged = Counter[str]()
        for histogram in histograms:
            for cell, count in histogram.items():
                merged[cell] += count
        for cell, count in merged.items():
            self.cells[int(cell)] += count


# ---- From the tables of minutes and hours ----

_TABLE_SUMS = ", ".join(f"sum({name})" for name in ("count", "errors", "input_tokens", "output_tokens", "cost_pico"))


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows of one of the two tables: its unit, and the first and last of them."""

    unit: str
    first: int
    last: int

    @property
    def length(self) -> int:
        return TIMES[self.unit]


def _from_tables(connection: Connection, asked: Asked) -> dict[tuple[Anything, ...], Total] | None:
    """None where the tables cannot say it."""
    limits = _simple(asked.node)
    if limits is None or not set(asked.by) <= {*TIMES, "service", "kind", "model"}:
        return None
    of_models = "model" in asked.by or "model" in limits
    if (of_models and "minute" in asked.by) or (not asked.of_spans and ("kind" in asked.by or of_models)):
        return None
    totals: dict[tuple[Anything, ...], Total] = {}
    for stretch in _stretches(asked, of_models=of_models):
        _read_table(connection, asked, limits, stretch, totals)
    return totals


def _stretches(asked: Asked, *, of_models: bool) -> Sequence[Stretch]:
    """Models are only in the hours, whole traces only in the minutes; the rest is read from the hours but for the ends of the period."""
    bounds = asked.bounds
    minutes = Stretch("minute", bounds.first // MINUTE, bounds.last // MINUTE)
    if of_models:
        return [Stretch("hour", bounds.first // HOUR, bounds.last // HOUR)]
    if not asked.of_spans or "minute" in asked.by:
        return [minutes]
    first, last = -(-minutes.first // 60), (minutes.last + 1) // 60 - 1  # whole hours
    if first > last:
        return [minutes]
    ends = (Stretch("minute", minutes.first, first * 60 - 1), Stretch("minute", last * 60 + 60, minutes.last))
    return [Stretch("hour", first, last), *(end for end in ends if end.first <= end.last)]


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


def _read_table(
    connection: Connection, asked: Asked, limits: Mapping[str, Sequence[str]], stretch: Stretch, totals: dict[tuple[Anything, ...], Total]
) -> None:
    unit, values = stretch.unit, list[Anything]([stretch.first, stretch.last])
    where = [f"{unit} BETWEEN ? AND ?", "kind >= 0" if asked.of_spans else f"kind = {WHOLE_TRACE}"]
    for name, allowed in limits.items():
        numbers = [KINDS[SpanKind(kind)] for kind in allowed] if name == "kind" else _numbers(connection, allowed)
        where.append(f"{name} IN (SELECT value FROM json_each(?))")
        values.append(orjson.dumps(numbers).decode())
    known = {"kind": "kind", "service": "nullif(service, 0)", "model": "nullif(model, 0)"}
    step = {name: length // stretch.length for name, length in TIMES.items()}
    keys = [f"{unit} / {step[group]} * {TIMES[group]}" if group in TIMES else known[group] for group in asked.by]
    histograms = ["group_concat(durations)"] if asked.percentiles else []
    select = f"SELECT {', '.join([*keys, _TABLE_SUMS, *histograms])} FROM {unit}s WHERE {' AND '.join(where)}"
    width = len(keys)
    for row in connection.execute(f"{select} {_group_by(width)}", values):
        if row[width] is None:  # nothing at all
            continue
        total = totals.setdefault(tuple(row[:width]), Total())
        total.add(row[width : width + 5])
        total.took_about(orjson.loads(f"[{row[width + 5]}]") if histograms else ())


def _group_by(width: int) -> str:
    return f"GROUP BY {', '.join(str(place + 1) for place in range(width))}" if width else ""


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
_NEEDED: Sequence[frozenset[str]] = (  # by which measures, in the order of a total's sums
    frozenset({"errors", "error_rate"}), frozenset({"tokens", "input_tokens"}), frozenset({"tokens", "output_tokens"}), frozenset({"cost"}),
)  # fmt: skip
_SPAN_SUMS: Mapping[str, frozenset[str]] = dict(
    zip(
        (
            "s.status = 2",
            f"CASE WHEN s.flags & {TOKENS_COUNT} THEN s.input_tokens END",
            f"CASE WHEN s.flags & {TOKENS_COUNT} THEN s.output_tokens END",
            f"round(CASE WHEN s.flags & {COST_COUNTS} THEN s.cost_usd END * 1e12)",
        ),
        _NEEDED,
        strict=True,
    )
)
_TRACE_SUMS: Mapping[str, frozenset[str]] = dict(
    zip(("t.status = 2", "t.input_tokens", "t.output_tokens", "round(t.cost_usd * 1e12)"), _NEEDED, strict=True)
)

Found = tuple[tuple[Anything, ...], Sequence[int], Sequence[int], Sequence[int]]  # a group: its key, sums, durations, traces


def _from_rows(
    connection: Connection, strings: Strings, asked: Asked, search: TextSearch | None, clock: Clock
) -> tuple[dict[tuple[Anything, ...], Total], int | None]:
    """The groups, and where the time was up how far back they go."""
    where = Where(indexed=search is not None)
    condition = where.span(asked.node) if asked.of_spans else where.trace(asked.node)
    totals: dict[tuple[Anything, ...], Total] = {}
    tags = asked.by.index("tag") if "tag" in asked.by else None
    with holding(connection, strings, where, search):
        reached: int | None = None
        for groups, back in _chunks(connection, asked, condition, clock, small=where.reads_payloads):
            reached = back
            for key, sums, durations, traces in groups:
                for each in _per_tag(key, tags) if tags is not None else (key,):
                    total = totals.setdefault(each, Total())
                    total.add(sums)
                    total.took(durations)
                    total.traces.update(traces)
    return totals, reached


def _per_tag(key: tuple[Anything, ...], at: int) -> Iterator[tuple[Anything, ...]]:
    """A trace with several tags counts under each."""
    for tag in orjson.loads(key[at]) or [None]:
        yield (*key[:at], tag, *key[at + 1 :])


def _chunks(
    connection: Connection, asked: Asked, condition: Sql, clock: Clock, *, small: bool
) -> Iterator[tuple[Sequence[Found], int | None]]:
    """Groups of one stretch of rows after the other, the newest first, with the start of the oldest row that was looked at. None: that was
    all; a last one without groups: the time was up inside of it."""
    table = "spans" if asked.of_spans else "traces"
    select = _select(asked, condition)
    bounds, size = asked.bounds, FIRST_CHUNK
    newest = f"SELECT start_ns, id FROM {table} WHERE start_ns BETWEEN ? AND ? ORDER BY start_ns DESC, id DESC LIMIT 1"
    at: tuple[int, int] | None = connection.execute(newest, (bounds.first, bounds.last)).fetchone()
    if at is None:
        return
    reached, at = at[0] + 1, (at[0], at[1] + 1)
    edge = (
        f"SELECT start_ns, id FROM {table} WHERE start_ns BETWEEN ? AND ? AND (start_ns, id) < (?, ?) "
        "ORDER BY start_ns DESC, id DESC LIMIT 1 OFFSET ?"
    )
    while True:
        oldest: tuple[int, int] | None = connection.execute(edge, (bounds.first, at[0], *at, size - 1)).fetchone()
        first = oldest or (bounds.first, -(2**63))
        try:
            with clock.limiting(connection, STEPS if small else STEPS_OF_ROWS):
                rows = connection.execute(select, (first[0], at[0], *first, *at, *condition.parameters)).fetchall()
        except TimeUp:
            yield (), reached
            return
        yield [_found(row, asked) for row in rows if row[len(asked.by)]], None if oldest is None else oldest[0]
        if oldest is None or clock.over():
            return
        reached, at, size = oldest[0], oldest, size if small else min(size * 4, CHUNK)


def _select(asked: Asked, condition: Sql) -> str:
    """The groups of the rows between two (start, id), the second one left out. What is not asked for is not collected."""
    alias, known, wanted = ("s", _SPAN_KEYS, _SPAN_SUMS) if asked.of_spans else ("t", _TRACE_KEYS, _TRACE_SUMS)
    times = {name: f"{alias}.start_ns / {length} * {length}" for name, length in TIMES.items()}
    columns = [
        *(times.get(group) or ("t.tags" if group == "tag" else known[group]) for group in asked.by),
        "count(*)",
        *(f"total({sum_of})" if not needed.isdisjoint(asked.measures) else "0" for sum_of, needed in wanted.items()),
        f"json_group_array({alias}.duration_ns) FILTER (WHERE {alias}.duration_ns >= 0)" if asked.percentiles else "'[]'",
        "json_group_array(DISTINCT s.trace)" if asked.of_spans and "traces" in asked.measures else "'[]'",
    ]
    # a stretch is a small part of the table, which SQLite cannot know: it guesses a quarter, and would read all of it
    source, counted = (
        ("spans s INDEXED BY spans_by_start", "1") if asked.of_spans else ("traces t INDEXED BY traces_by_start", "t.span_count > 0")
    )
    if asked.of_spans and speaks_of_trace(", ".join(columns) + condition.text):
        source += " JOIN traces t ON t.id = s.trace"
    between = f"{alias}.start_ns BETWEEN ? AND ? AND ({alias}.start_ns, {alias}.id) >= (?, ?) AND ({alias}.start_ns, {alias}.id) < (?, ?)"
    return f"SELECT {', '.join(columns)} FROM {source} WHERE {between} AND {counted} AND {condition.text} {_group_by(len(asked.by))}"


def _found(row: Sequence[Anything], asked: Asked) -> Found:
    key, sums, (durations, traces) = row[: len(asked.by)], row[len(asked.by) : -2], row[-2:]
    return tuple(key), [int(amount) for amount in sums], orjson.loads(durations), orjson.loads(traces)


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
    plain: Mapping[str, Callable[[], Json]] = {
        "count": lambda: total.count,
        "errors": lambda: total.errors,
        "error_rate": lambda: total.errors / total.count if total.count else 0.0,
        "tokens": lambda: total.input_tokens + total.output_tokens,
        "input_tokens": lambda: total.input_tokens,
        "output_tokens": lambda: total.output_tokens,
        "cost": lambda: total.cost_pico / 1e12,
        "traces": lambda: len(total.traces) or total.count,
    }
    row: dict[str, Json] = {}
    for measure in measures:
        row[measure] = plain[measure]() if measure in plain else _percentile(total, PERCENTILES[measure])
    estimated = [measure for measure in measures if measure in PERCENTILES and total.durations is None]
    if estimated:
        row["estimated"] = estimated
    return row


def _percentile(total: Total, share: float) -> int | None:
    if total.durations is None:
        return percentile(total.cells, share)
    ordered = sorted(total.durations)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
