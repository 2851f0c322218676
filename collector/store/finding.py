"""Finding traces and spans: a stream of keys in the page's order, tried chunk by chunk until the page is full or the time is up.

Keys come from the index of the order, or, where a facet or an index tells that few traces can match at all, from that short list, sorted.
So a query costs about the square root of the table: a common value is met soon on the walk, a rare one is gathered at once. What neither
finds soon (a payload condition that nothing matches) ends after its time budget and says how far back it looked.

A cursor shows the list as it was at its first page: it carries the change number of that moment, and traces that a later write moved are
put back to where they stood (table `moves`).
"""

from __future__ import annotations

import base64
import heapq
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any as Anything
from typing import Protocol

import orjson

from collector.errors import InvalidValue, RightPassageError
from collector.filters import Any, Condition, Filter, Node, Not, Op, Or, Text, conjuncts, for_spans, for_traces
from collector.model import Event, Page, PageRequest, SpanKind, SpanRow, StatusCode, TraceSummary
from collector.store import words
from collector.store.answer import columns_of, real
from collector.store.answer import number as number_of
from collector.store.connection import Connection, sqlite3
from collector.store.facets import FACETS, PACE
from collector.store.matching import holds, may_have, needs_understanding, searchable
from collector.store.pruning import Candidate
from collector.store.reading import Packed, Payloads, log_events, summaries, texts, understand
from collector.store.rows import KINDS, ROW_COLUMNS, STATUSES, SpanRecord, TraceRecord, columns, span_rows
from collector.store.strings import Strings
from collector.store.where import Sql, Where, asks_failure, speaks_of_trace

BUDGET_S = 2.0
FEW = 5_000
"""Matches worth gathering and sorting (about 10 ms). With more of them than this among N traces, a page of 50 is full after about
N / 100 tries of the walk."""
PATIENCE, MANY = 4_096, 50_000
"""Traces that are walked before a list of at most `MANY` is gathered all the same: what matches is rare among them, or old (5 µs each)."""
AT_A_TIME = 2_000  # traces of which all are wanted
WORTH_A_SEARCH = 200  # traces of a shortlist that are quicker tried than looked up in the index
LEAST_CHUNK, FIRST_CHUNK, LAST_CHUNK = 16, 128, 8_192
PORTION, PORTION_OF_PAYLOADS = 100_000, 1_000  # spans that are tried in one statement, if their traces are that small
WITHOUT_HASTE_S = 3_600.0  # for one trace where nobody waits for a page and none may be passed over: removal, export
LAST_TRY_S = 0.5  # for one trace, where the budget did not even do for the first portion
STEPS, STEPS_OF_ROWS = 1_000, 100_000
"""Of SQLite's machine between two looks at the clock, where a statement reads payloads (100 of them) and where it does not (2 ms). A look
takes the interpreter, which beside a thread that computes means up to 5 ms of waiting: 1,500 of them made 30 ms of counting 400."""
PACKS_KEPT, PACK_BYTES_KEPT = 64, 16 * 2**20  # unpacked, while a query runs
MAX_LIMIT = 1_000

TRACE_ORDERS: Mapping[str, str] = {
    "start_time": "t.start_ns",
    "duration": "t.duration_ns",
    "cost": "ifnull(t.cost_usd, -1)",
    "tokens": "ifnull(t.tokens, -1)",
    "span_count": "t.span_count",
    "error_count": "t.error_count",
}
SPAN_ORDERS: Mapping[str, str] = {
    "start_time": "s.start_ns",
    "duration": "s.duration_ns",
    "cost": "ifnull(s.cost_usd, -1)",
    "tokens": "ifnull(s.input_tokens, 0) + ifnull(s.output_tokens, 0)",
}

Key = tuple[float, int]  # value of the order, row id


@dataclass(frozen=True, slots=True)
class Order:
    name: str
    column: str
    descending: bool

    def text(self) -> str:
        return f"{'-' if self.descending else ''}{self.name}"

    def keys(self, connection: Connection, row: str, source: str, parameters: Sequence[Anything]) -> list[Key]:
        """Value and number (`row`) of the rows of a source, in its order."""
        if self.name != "cost":
            values, numbers = columns_of(connection, [self.column, row], source, parameters)
            return list(zip(values, numbers, strict=True))
        values, numbers = columns_of(connection, [real(self.column), row], source, parameters)
        return list(zip(map(float, values), numbers, strict=True))


def order_of(request: PageRequest, orders: Mapping[str, str]) -> Order:
    name = request.order.removeprefix("-")
    if name not in orders:
        raise InvalidValue(
            f"no order {request.order!r}: take one of {', '.join(orders)}, or the same with a - in front for the largest first"
        )
    return Order(name, orders[name], request.order.startswith("-"))


def limit_of(request: PageRequest) -> int:
    if not 1 <= request.limit <= MAX_LIMIT:
        raise InvalidValue(f"limit must be 1 to {MAX_LIMIT}, not {request.limit}")
    return request.limit


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next page goes on, and when the first one was."""

    value: float
    id: int
    seq: int

    def encode(self, order: Order) -> str:
        return base64.urlsafe_b64encode(orjson.dumps([order.text(), self.value, self.id, self.seq])).decode().rstrip("=")


def cursor_of(request: PageRequest, order: Order) -> Cursor | None:
    if request.cursor is None:
        return None
    try:
        text = request.cursor + "=" * (-len(request.cursor) % 4)
        named, value, row, seq = orjson.loads(base64.urlsafe_b64decode(text))
        if named == order.text():
            return Cursor(value + 0, row + 0, seq + 0)
    except (ValueError, TypeError):
        pass
    raise InvalidValue(f"the cursor {request.cursor!r} does not belong to a list in the order {order.text()}: start again without it")


# ---- Time ----


class TimeUp(Exception):
    """The time is up in the middle of a statement."""


class Clock:
    """A time budget."""

    def __init__(self, seconds: float, last_try_s: float = LAST_TRY_S) -> None:
        self._end, self.last_try_s = time.monotonic() + seconds, last_try_s

    def over(self) -> bool:
        return time.monotonic() >= self._end

    @contextmanager
    def limiting(self, connection: Connection, steps: int = STEPS) -> Generator[None]:
        """A statement inside ends with `TimeUp` when the time is up, wherever it is: one trace may have 100,000 spans."""
        fired: list[bool] = []

        def tick() -> int:
            if self.over():
                fired.append(True)
            return int(bool(fired))

        connection.set_progress_handler(tick, steps)
        try:
            yield
        except sqlite3.OperationalError:
            if fired:
                raise TimeUp from None
            raise
        finally:
            connection.set_progress_handler(None, 0)


def steps_of(where: Where) -> int:
    """How often a statement of this filter looks at the clock."""
    return STEPS if where.reads_payloads else STEPS_OF_ROWS


# ---- The conditions that no column answers ----


class _KeptPayloads(Payloads):
    """Payloads for a walk by start time: traces that ran side by side lie in the same packs, and the walk comes back to them by turns."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._kept: dict[int, Sequence[bytes]] = {}  # by pack, the one used last at the end
        self._bytes = 0

    def raw(self, record: Packed) -> bytes:
        if self._pack[0] == record.pack:
            return super().raw(record)
        bodies = self._kept.pop(record.pack, None)
        if bodies is not None:
            self._pack = record.pack, bodies
        text = super().raw(record)
        self._kept[record.pack] = self._pack[1]
        if bodies is None:
            self._bytes += sum(map(len, self._pack[1]))
            while len(self._kept) > PACKS_KEPT or (self._bytes > PACK_BYTES_KEPT and len(self._kept) > 1):
                self._bytes -= sum(map(len, self._kept.pop(next(iter(self._kept)))))
        return text


class Holder:
    """`span_holds(condition, span)` on a connection while one query runs; a span is unpacked once for all its conditions, and not read
    as JSON where its bytes already say no."""

    def __init__(self, connection: Connection, strings: Strings, asked: Sequence[Condition | Text]) -> None:
        self._connection, self._strings, self._asked = connection, strings, asked
        self._payloads = _KeptPayloads(connection)
        self._span_id = -1
        self._record: SpanRecord | None = None
        self._span: Anything = None
        self._trace: tuple[int, str, Mapping[int, Sequence[Event]]] = (-1, "", {})

    def __call__(self, number: int, span_id: int) -> int:
        asked = self._asked[number]
        if span_id != self._span_id:
            self._read(span_id)
        record = self._record
        if record is None:
            return 0
        if isinstance(asked, Text):
            name = self._strings.text(self._connection, record.name) or ""
            if not words.may_say(asked.phrase, self._payloads.raw(record), name):
                return 0
            return int(words.says(asked.phrase, searchable(self._payloads.body(record), name)))
        if asked.field == "attr" and not may_have(asked, self._payloads.raw(record)):
            return 0
        return int(holds(asked, self._understood(record, needs_understanding(asked))))

    def _read(self, span_id: int) -> None:
        row = self._connection.execute(f"SELECT {columns(SpanRecord)} FROM spans WHERE id=?", (span_id,)).fetchone()
        self._span_id, self._record, self._span = span_id, SpanRecord._make(row) if row else None, None

    def _understood(self, record: SpanRecord, understanding: bool) -> Anything:
        if self._span is None or (understanding and self._span.normalised is None):
            if self._trace[0] != record.trace:
                trace_id = self._connection.execute("SELECT trace_id FROM traces WHERE id=?", (record.trace,)).fetchone()[0]
                self._trace = record.trace, trace_id.hex(), log_events(self._connection, trace_id)
            _, trace_id, events = self._trace
            name = self._strings.text(self._connection, record.name) or ""
            span = self._payloads.received(record, trace_id, name, events.get(record.span_id, ()))
            self._span = understand(span) if understanding else span
        return self._span


class TextSearch(Protocol):
    """What finding needs of a search index."""

    def keys(self, phrase: str, first: int, last: int, at: tuple[int, int] | None, *, descending: bool) -> Iterator[tuple[int, int]]:
        """Traces that may say the phrase, in order of their start."""
        ...

    def few(self, phrase: str, first: int, last: int, most: int) -> Collection[int] | None:
        """All traces that may say the phrase, also those that the index does not know yet; None where they are more than `most`."""
        ...

    def rarest(self, phrases: Sequence[str]) -> str:
        """The phrase that seems to be said least."""
        ...

    def trace_says(self, phrase: str, trace: int) -> bool:
        """Whether some span of the trace has the phrase."""
        ...

    def pending(self) -> Mapping[int, object]:
        """The traces of the newest spans that the index does not know yet."""
        ...


@contextmanager
def holding(connection: Connection, strings: Strings, where: Where, search: TextSearch | None = None) -> Generator[None]:
    """`span_holds` and `text_holds` exist inside, if the filter needs them."""
    asked = where.asked
    damage: list[RightPassageError] = []

    def told(function: Callable[[int, int], int]) -> Callable[[int, int], int]:
        """The function, remembering why it failed: SQLite only says that one raised."""

        def remembering(number: int, row: int) -> int:
            try:
                return function(number, row)
            except RightPassageError as failure:
                damage.append(failure)
                raise

        return remembering

    if asked:
        connection.create_function("span_holds", 2, told(Holder(connection, strings, asked)))
    if asked and search is not None:
        phrases = [one.phrase if isinstance(one, Text) else "" for one in asked]
        connection.create_function("text_holds", 2, told(lambda number, trace: int(search.trace_says(phrases[number], trace))))
    try:
        yield
    except sqlite3.OperationalError as error:
        raise (damage[0] if damage else error) from None


# ---- Which keys can match at all ----


@dataclass(frozen=True, slots=True)
class Bounds:
    """Start times that a filter leaves, nanoseconds, both ends included."""

    first: int = -(2**63)
    last: int = 2**63 - 1


def bounds_of(node: Node | None, scope: str) -> Bounds:
    """From the start conditions that every match must satisfy."""
    first, last = -(2**63), 2**63 - 1
    for part in conjuncts(node):
        if not isinstance(part, Condition) or part.field != "start" or part.scope != scope or not isinstance(part.value, int):
            continue
        if part.op in {Op.GE, Op.GT}:
            first = max(first, part.value + (part.op is Op.GT))
        elif part.op in {Op.LE, Op.LT}:
            last = min(last, part.value - (part.op is Op.LT))
    return Bounds(max(first, -(2**63)), min(last, 2**63 - 1))


@dataclass(frozen=True, slots=True)
class Few:
    """A query for the numbers of all traces that can match, with how many they are at most."""

    count: int
    sql: Sql


_TRACE_FACETS = ("session", "user", "tag", "environment", "root", "service")
_SPAN_FACETS = ("service", "name", "model", "error", "stage", "index.name", "index.version")
_TRACE_RANGES: Mapping[str, str] = {
    "duration": "duration_ns",
    "cost": "ifnull(cost_usd, -1)",
    "tokens": "ifnull(tokens, -1)",
    "span_count": "span_count",
    "error_count": "error_count",
}


class Shortlists:
    """Looks for the shortest list of traces that the filter's conjuncts allow."""

    def __init__(
        self, connection: Connection, *, of_spans: bool = False, search: TextSearch | None = None, bounds: Bounds | None = None
    ) -> None:
        self._connection, self._of_spans, self._search, self._bounds = connection, of_spans, search, bounds or Bounds()
        # a span's cost can be above its trace's, where a wrapper repeats what its children cost; its duration cannot
        self._ranges = {"duration": "duration_ns"} if of_spans else _TRACE_RANGES

    def best(self, node: Node | None, most: int = FEW, *, texts: bool = True) -> Few | None:
        """`texts`: also of what must be said, where the order does not let the index name it one by one."""
        parts = [part for part in conjuncts(node) if texts or not isinstance(part, Text)]
        found = [few for part in parts if (few := self._of(part, most)) is not None]
        best = min(found, key=lambda few: few.count, default=None)
        return best if best is not None and best.count <= most else None

    def _of(self, part: Node, most: int) -> Few | None:
        match part:
            case Condition(field="trace_id", op=Op.EQ):
                return self._by_id(str(part.value))
            case Condition(field="state", op=Op.EQ, value="running"):
                return Few(0, Sql("SELECT DISTINCT trace FROM running"))
            case Condition(field="score"):
                return self._scored(part, most)
            case Condition() if part.field in _TRACE_FACETS and part.op is Op.EQ:
                return self._facet(part.field, str(part.value))
            case Condition() if part.field in self._ranges and part.op in {Op.GT, Op.GE} and isinstance(part.value, int | float):
                return self._range(part, most)
            case Condition(field="status", op=Op.EQ, value="error"):  # of the root, which is one of its spans
                failed = self._any_value("error")
                return Few(failed.count, Sql(f"{failed.sql.text} UNION SELECT trace FROM running", failed.sql.parameters))
            case Any():
                return self._some_span(part.part)
            case Text():
                return self._said(part.phrase, most)
            case Or():
                return self._either(part.parts, most)
            case Not(part=Any(part=Condition() as missing)) if not self._of_spans:
                return self._without(missing)
            case _:
                return None

    def _said(self, phrase: str, most: int) -> Few | None:
        first, last = max(self._bounds.first, -(2**62)), min(self._bounds.last, 2**62)
        traces = self._search.few(phrase, first, last, most) if self._search is not None else None
        return None if traces is None else Few(len(traces), Sql("SELECT value FROM json_each(?)", [_json(traces)]))

    def _either(self, parts: Sequence[Node], most: int) -> Few | None:
        """What satisfies one of several is in one of their lists, where each has one."""
        lists: list[Few] = []
        for part in sorted(parts, key=lambda part: isinstance(part, Text)):  # a text is only looked up where the others are few
            few = self.best(part, most)
            if few is None:
                return None
            lists.append(few)
        union = " UNION ".join(f"SELECT * FROM ({few.sql.text})" for few in lists)
        return Few(sum(few.count for few in lists), Sql(union, [value for few in lists for value in few.sql.parameters]))

    def _without(self, part: Condition) -> Few | None:
        """No trace at all, where every trace has the value that must not be there."""
        if part.op is not Op.EQ or not (part.field == "kind" or part.field in _SPAN_FACETS):
            return None
        if part.field == "kind":
            asked: tuple[object, ...] = (FACETS["kind"], KINDS[SpanKind(str(part.value))])
            select = "SELECT traces FROM facet_counts WHERE field = ? AND value = ?"
        else:
            asked = (FACETS[part.field], part.value)
            select = "SELECT traces FROM facet_counts WHERE field = ? AND value = (SELECT id FROM strings WHERE text = ?)"
        everywhere = f"SELECT ifnull(({select}), 0) = (SELECT traces FROM counters)"
        return Few(0, Sql("SELECT id FROM traces WHERE 0")) if self._connection.execute(everywhere, asked).fetchone()[0] else None

    def _by_id(self, trace_id: str) -> Few:
        try:
            return Few(1, Sql("SELECT id FROM traces WHERE trace_id = ?", [bytes.fromhex(trace_id)]))
        except ValueError:
            return Few(0, Sql("SELECT id FROM traces WHERE 0"))

    def _facet(self, facet: str, text: str) -> Few:
        row = self._connection.execute(
            "SELECT c.value, c.traces FROM strings n JOIN facet_counts c ON c.field = ? AND c.value = n.id WHERE n.text = ?",
            (FACETS[facet], text),
        ).fetchone()
        value, count = row or (-1, 0)
        return Few(count, Sql("SELECT trace FROM facets WHERE field = ? AND value = ?", [FACETS[facet], value]))

    def _scored(self, part: Condition, most: int) -> Few | None:
        if not part.key:
            return None
        where, values = "name = ? AND counts = 1", [part.key]
        limited = f"SELECT 1 FROM scores WHERE {where} LIMIT {most + 1}"
        count = self._connection.execute(f"SELECT count(*) FROM ({limited})", values).fetchone()[0]
        of_session = (
            "SELECT t.id FROM scores c JOIN strings n ON n.text = c.session JOIN traces t ON t.session = n.id "
            f"WHERE c.session IS NOT NULL AND c.{where.replace(' AND ', ' AND c.')}"
        )
        by_trace = f"SELECT t.id FROM scores c JOIN traces t ON t.trace_id = c.trace_id WHERE c.{where.replace(' AND ', ' AND c.')}"
        return Few(count, Sql(f"{by_trace} UNION {of_session}", [*values, *values]))

    def _range(self, part: Condition, most: int) -> Few:
        column = self._ranges[part.field]
        condition = f"{column} {part.op.value} ?"
        limited = f"SELECT 1 FROM traces WHERE {condition} LIMIT {most + 1}"
        count = self._connection.execute(f"SELECT count(*) FROM ({limited})", (part.value,)).fetchone()[0]
        return Few(count, Sql(f"SELECT id FROM traces WHERE {condition}", [part.value]))

    def _some_span(self, node: Node) -> Few | None:
        """One span must satisfy all conjuncts: the shortest of their lists will do."""
        parts = conjuncts(node)
        found = [few for part in parts if (few := self._of_span(part, parts)) is not None]
        return min(found, key=lambda few: few.count, default=None)

    def _of_span(self, part: Node, neighbours: Sequence[Node]) -> Few | None:
        match part:
            case Condition(field="kind", op=Op.EQ):
                return self._paced([KINDS[SpanKind(str(part.value))]], neighbours)
            case Or() if all(isinstance(one, Condition) and one.field == "kind" and one.op is Op.EQ for one in part.parts):
                kinds = [KINDS[SpanKind(str(one.value))] for one in part.parts if isinstance(one, Condition)]
                return self._paced(kinds, neighbours)
            case Condition(field="status", op=Op.EQ, value="error") | Condition(field="error", op=Op.HAS):
                return self._any_value("error")
            case Condition(field="index", op=Op.EQ):
                name, version = self._facet("index.name", str(part.value)), self._facet("index.version", str(part.value))
                both = Sql(f"{name.sql.text} UNION {version.sql.text}", [*name.sql.parameters, *version.sql.parameters])
                return Few(name.count + version.count, both)
            case Condition() if part.field in _SPAN_FACETS and part.op is Op.EQ:
                return self._facet(part.field, str(part.value))
            case _:
                return None

    def _paced(self, kinds: Sequence[int], neighbours: Sequence[Node]) -> Few:
        """Kinds, and by how long they took if a neighbour says it."""
        slow = [part for part in neighbours if isinstance(part, Condition) and part.field == "duration" and part.op in {Op.GT, Op.GE}]
        octave = max((int(part.value).bit_length() for part in slow if isinstance(part.value, int)), default=0)
        ranges = [(kind * 64 + min(octave, 63), kind * 64 + 63) for kind in kinds]
        where = " OR ".join("(value BETWEEN ? AND ?)" for _ in ranges)
        values = [PACE, *(bound for pair in ranges for bound in pair)]
        count = self._connection.execute(f"SELECT total(traces) FROM facet_counts WHERE field = ? AND ({where})", values).fetchone()[0]
        union = " UNION ".join("SELECT trace FROM facets WHERE field = ? AND value BETWEEN ? AND ?" for _ in ranges)
        return Few(int(count), Sql(union, [value for pair in ranges for value in (PACE, *pair)]))

    def _any_value(self, facet: str) -> Few:
        number = FACETS[facet]
        count = self._connection.execute("SELECT total(traces) FROM facet_counts WHERE field = ?", (number,)).fetchone()[0]
        return Few(int(count), Sql("SELECT DISTINCT trace FROM facets WHERE field = ?", [number]))


# ---- Pages ----


def find_traces(
    connection: Connection,
    strings: Strings,
    filter: Filter,
    request: PageRequest,
    search: TextSearch | None = None,
    budget_s: float = BUDGET_S,
    last_try_s: float = LAST_TRY_S,
) -> Page[TraceSummary]:
    order, limit = order_of(request, TRACE_ORDERS), limit_of(request)
    cursor, node = cursor_of(request, order), for_traces(filter)
    seq = cursor.seq if cursor else connection.execute("SELECT seq FROM counters").fetchone()[0]
    hits, last, complete = _TraceSearch(connection, strings, node, order, cursor, seq, search).page(limit, Clock(budget_s, last_try_s))
    following = hits[limit - 1] if len(hits) > limit else None if complete else last
    records = _records(connection, [key[1] for key in hits[:limit]])
    return Page(
        summaries(connection, records, strings),
        Cursor(*following, seq).encode(order) if following else None,
        complete,
        int(last[0]) if last and not complete and order.name == "start_time" else None,
    )


def find_candidates(
    connection: Connection, strings: Strings, filter: Filter, request: PageRequest, search: TextSearch | None
) -> tuple[Sequence[Candidate], PageRequest]:
    """One page of matching traces for a removal, and the request of the next page (without a cursor: that was all)."""
    order = order_of(request, TRACE_ORDERS)
    cursor = cursor_of(request, order)
    seq = cursor.seq if cursor else connection.execute("SELECT seq FROM counters").fetchone()[0]
    hits, last, complete = _TraceSearch(connection, strings, for_traces(filter), order, cursor, seq, search).page(
        request.limit, Clock(BUDGET_S, WITHOUT_HASTE_S)
    )
    following = hits[request.limit - 1] if len(hits) > request.limit else None if complete else last
    select = "SELECT id, start_ns, duration_ns, span_count FROM traces WHERE id IN (SELECT value FROM json_each(?))"
    numbers = orjson.dumps([number for _, number in hits[: request.limit]]).decode()
    found = [Candidate._make(row) for row in connection.execute(select, (numbers,))]
    return found, replace(request, cursor=Cursor(*following, seq).encode(order) if following else None)


def every_trace(
    connection: Connection, strings: Strings, filter: Filter, search: TextSearch | None, clock: Clock
) -> Iterator[tuple[Sequence[int], bool]]:
    """The numbers of all matching traces, the newest first, some thousands at a time, each time with whether that was done in time."""
    order, cursor = Order("start_time", TRACE_ORDERS["start_time"], descending=True), None
    seq: int = connection.execute("SELECT seq FROM counters").fetchone()[0]
    while True:
        hits, _, complete = _TraceSearch(connection, strings, for_traces(filter), order, cursor, seq, search).page(AT_A_TIME, clock)
        yield [number for _, number in hits[:AT_A_TIME]], complete
        if len(hits) <= AT_A_TIME:
            return
        cursor = Cursor(*hits[AT_A_TIME - 1], seq)


def matching(
    connection: Connection, strings: Strings, filter: Filter, ids: Sequence[int], search: TextSearch | None, clock: Clock
) -> tuple[set[int], int]:
    """Which of the traces a filter selects, and how many of them were tried in time: at least the first, which counts as not selected
    where even it takes longer than `last_try_s`."""
    where = Where(indexed=search is not None)
    condition = where.trace(for_traces(filter))
    size, tried, found, steps = FIRST_CHUNK // 16 if where.reads_payloads else LAST_CHUNK, 0, set[int](), steps_of(where)
    with holding(connection, strings, where, search):
        while tried < len(ids) and not (tried and clock.over()):
            part = ids[tried : tried + size]
            try:
                with clock.limiting(connection, steps):
                    found |= _matching(connection, condition, part)
                tried += len(part)
            except TimeUp:
                if tried:
                    break
                with suppress(TimeUp), Clock(clock.last_try_s).limiting(connection):
                    found |= _matching(connection, condition, part[:1])
                tried = 1
    return found, tried


def _matching(connection: Connection, condition: Sql, ids: Sequence[int]) -> set[int]:
    source = f"FROM traces t WHERE t.id IN (SELECT value FROM json_each(?)) AND {condition.text}"
    (found,) = columns_of(connection, ["t.id"], source, [_json(ids), *condition.parameters])
    return set(found)


_RECORD = [
    f"hex({name})" if name == "trace_id" else real(name) if name == "cost_usd" else name for name in TraceRecord._fields
]  # as `columns_of` takes them


def _records(connection: Connection, ids: Sequence[int]) -> Sequence[TraceRecord]:
    found = {record.id: record for record in _records_where(connection, "id IN (SELECT value FROM json_each(?))", [_json(ids)])}
    return [found[number] for number in ids if number in found]


def _records_where(connection: Connection, condition: str, parameters: Sequence[Anything]) -> Sequence[TraceRecord]:
    columns = dict(zip(TraceRecord._fields, columns_of(connection, _RECORD, f"FROM traces WHERE {condition}", parameters), strict=True))
    columns["trace_id"], columns["cost_usd"] = list(map(bytes.fromhex, columns["trace_id"])), list(map(number_of, columns["cost_usd"]))
    return list(map(TraceRecord._make, zip(*columns.values(), strict=True)))


def _json(numbers: Collection[int]) -> str:
    return orjson.dumps(list(numbers)).decode()


class _TraceSearch:
    """One page of traces."""

    def __init__(
        self,
        connection: Connection,
        strings: Strings,
        node: Node | None,
        order: Order,
        cursor: Cursor | None,
        seq: int,
        search: TextSearch | None = None,
    ) -> None:
        self._connection, self._strings, self._order, self._cursor, self._seq = connection, strings, order, cursor, seq
        self._search, self._where = search, Where(indexed=search is not None)
        self._node, self._condition = node, self._where.trace(node)
        self._bounds = bounds_of(node, "trace") if order.name == "start_time" else Bounds()
        self._moved = self._moved_since(seq) if cursor else {}
        self._clock = Clock(BUDGET_S)
        self._tried = self._found = 0

    def page(self, limit: int, clock: Clock) -> tuple[list[Key], Key | None, bool]:
        """Up to limit + 1 matching keys in order, the last key that was tried, and whether all were."""
        hits: list[Key] = []
        last: Key | None = None
        self._clock = clock
        with holding(self._connection, self._strings, self._where, self._search):
            for keys in self._portions(self._chunks(limit)):
                try:
                    with clock.limiting(self._connection, steps_of(self._where)):
                        matching = self._matching([number for _, number in keys])
                except TimeUp:
                    return (hits, last, False) if last else (self._first(keys[0], clock.last_try_s), keys[0], False)
                for key in keys:
                    last = key
                    if key[1] in matching:
                        hits.append(key)
                    if len(hits) > limit:
                        return hits, last, True
                self._tried, self._found = self._tried + len(keys), len(hits)
                if clock.over():
                    return hits, last, False
        return hits, last, True

    def _first(self, key: Key, seconds: float) -> list[Key]:
        """The first trace alone, so that every page goes on. One that is too large even for that is passed over."""
        try:
            with Clock(seconds).limiting(self._connection):
                return [key] if self._matching([key[1]]) else []
        except TimeUp:
            return []

    def _portions(self, chunks: Iterator[Sequence[Key]]) -> Iterator[Sequence[Key]]:
        """Chunks cut where they come to many spans, which is what is lost when the time is up inside."""
        if not self._where.reads_payloads and " FROM spans " not in self._condition.text:
            yield from chunks
            return
        most = PORTION_OF_PAYLOADS if self._where.reads_payloads else PORTION
        select = "SELECT id, span_count FROM traces WHERE id IN (SELECT value FROM json_each(?))"
        for keys in chunks:
            spans = dict(self._connection.execute(select, (_json([number for _, number in keys]),)))
            first = total = 0
            for at, (_, number) in enumerate(keys):
                total += spans.get(number, 0)
                if total > most and at > first:
                    yield keys[first:at]
                    first, total = at, spans.get(number, 0)
            yield keys[first:]

    def _matching(self, ids: Sequence[int]) -> set[int]:
        if self._node is None:
            return set(ids)
        return _matching(self._connection, self._condition, ids)

    # ---- Keys ----

    def _chunks(self, limit: int) -> Iterator[Sequence[Key]]:
        by_start = self._order.name == "start_time"
        few = Shortlists(self._connection, search=self._search, bounds=self._bounds).best(self._node, texts=not by_start)
        source = self._said() if by_start and (few is None or few.count > WORTH_A_SEARCH) else None
        if source is None:
            source = self._gathered(few) if few is not None else self._walked_awhile()
        size = max(limit + 1, FIRST_CHUNK) if not self._where.reads_payloads else min(limit + 1, FIRST_CHUNK)
        chunk: list[Key] = []
        for key in source:
            chunk.append(key)
            if len(chunk) >= size:
                yield chunk
                chunk, size = [], min(size * 2, LAST_CHUNK) if not self._where.reads_payloads else self._missing(limit)
        if chunk:
            yield chunk

    def _missing(self, limit: int) -> int:
        """How many traces to read for what the page lacks, by what those before came to."""
        odds = (self._found + 1) / (self._tried + 1)
        return max(LEAST_CHUNK, min(FIRST_CHUNK, int((limit + 1 - self._found) / odds)))

    def _beyond(self, key: Key) -> bool:
        """Whether a key comes after the cursor."""
        if self._cursor is None:
            return True
        at = (self._cursor.value, self._cursor.id)
        return key < at if self._order.descending else key > at

    def _said(self) -> Iterator[Key] | None:
        """Where a text must be there: the traces that the index names, by start as it streams them."""
        phrases = [part.phrase for part in conjuncts(self._node) if isinstance(part, Text)]
        if self._search is None or not phrases:
            return None
        first, last = max(self._bounds.first, -(2**62)), min(self._bounds.last, 2**62)
        at = (int(self._cursor.value), self._cursor.id) if self._cursor else None
        indexed = self._search.keys(self._search.rarest(phrases), first, last, at, descending=self._order.descending)
        return self._merged(indexed, self._pending_keys())

    def _pending_keys(self) -> Sequence[Key]:
        pending = self._search.pending() if self._search is not None else {}
        select = "SELECT start_ns, id FROM traces WHERE id IN (SELECT value FROM json_each(?))"
        keys: list[Key] = self._connection.execute(select, (orjson.dumps(list(pending)).decode(),)).fetchall()
        return [key for key in keys if self._beyond(key) and self._bounds.first <= key[0] <= self._bounds.last]

    def _merged(self, indexed: Iterator[tuple[int, int]], pending: Sequence[Key]) -> Iterator[Key]:
        """A trace that has spans in the index and newer ones shows once, at the index's place."""
        down = self._order.descending
        seen: set[int] = set()
        for key in heapq.merge(indexed, sorted(pending, reverse=down), reverse=down):
            if key[1] not in seen:
                seen.add(key[1])
                yield key

    def _gathered(self, few: Few, narrowed: Sql | None = None) -> Iterator[Key]:
        condition = narrowed or Sql("1")
        source = f"FROM traces t WHERE t.id IN ({few.sql.text}) AND {condition.text}"
        found = self._order.keys(self._connection, "t.id", source, [*few.sql.parameters, *condition.parameters])
        touched = self._touched(few) if self._cursor is not None else {}
        keys: list[Key] = []
        for value, number in found:
            key = self._as_of(value, number, touched.get(number, 0))
            if key is not None and self._beyond(key) and self._bounds.first <= key[0] <= self._bounds.last:
                keys.append(key)
        return iter(sorted(keys, reverse=self._order.descending))

    def _touched(self, few: Few) -> Mapping[int, int]:
        """Those of the traces that were written since the first page."""
        source = f"FROM traces t WHERE t.id IN ({few.sql.text}) AND t.seq > ?"
        numbers, seqs = columns_of(self._connection, ["t.id", "t.seq"], source, [*few.sql.parameters, self._seq])
        return dict(zip(numbers, seqs, strict=True))

    def _as_of(self, value: float, number: int, seq: int) -> Key | None:
        """Where the trace stood at the first page; None if it was not there."""
        if self._cursor is None or seq <= self._seq:
            return value, number
        return (self._moved[number], number) if number in self._moved else None

    def _walked_awhile(self) -> Iterator[Key]:
        """The walk; where it goes on and on, what is left of a longer list."""
        for tried, key in enumerate(self._walked(), 1):
            yield key
            if tried == PATIENCE and (rest := self._rest_of_many(key)) is not None:
                yield from rest
                return

    def _rest_of_many(self, at: Key) -> Sequence[Key] | None:
        """What comes after a key in a list that is longer than one would like to gather, tried as far as that needs no payload."""
        many = Shortlists(self._connection).best(self._node, MANY, texts=False)
        if many is None:
            return None
        try:
            with self._clock.limiting(self._connection, STEPS_OF_ROWS):
                found = self._gathered(many, None if self._where.reads_payloads else self._condition)
        except TimeUp:
            return None
        return [key for key in found if (key < at if self._order.descending else key > at)]

    def _walked(self) -> Iterator[Key]:
        moved = sorted(
            (key for number, value in self._moved.items() if self._beyond(key := (value, number))), reverse=self._order.descending
        )
        return heapq.merge(self._indexed(), moved, reverse=self._order.descending)

    def _indexed(self) -> Iterator[Key]:
        """Keys of traces that nothing touched since the first page, from the index of the order, a slice at a time."""
        column, down = self._order.column, self._order.descending
        sign, direction = ("<", "DESC") if down else (">", "ASC")
        where, values = ["1"], list[Anything]()
        if self._order.name == "start_time":
            where, values = ["t.start_ns BETWEEN ? AND ?"], [self._bounds.first, self._bounds.last]
        if asks_failure(self._node):  # an index of its own; the figure is written out for SQLite to see that it fits
            where.append("t.error_count > 0")
        if self._cursor is not None:
            where.append("t.seq <= ?")
            values.append(self._seq)
        at: Key | None = (self._cursor.value, self._cursor.id) if self._cursor else None
        size = FIRST_CHUNK
        while True:
            keyset = [f"({column}, t.id) {sign} (?, ?)"] if at else []
            condition = " AND ".join([*where, *keyset])
            source = f"FROM traces t WHERE {condition} ORDER BY {column} {direction}, t.id {direction} LIMIT {size}"
            rows = self._order.keys(self._connection, "t.id", source, [*values, *(at or ())])
            yield from rows
            if len(rows) < size:
                return
            at, size = rows[-1], min(size * 2, LAST_CHUNK)

    def _moved_since(self, seq: int) -> Mapping[int, float]:
        """Traces that were there at a change and were written since, with the value their order had then."""
        column = self._order.column.replace("t.", "m.")
        select = f"SELECT m.trace, {column}, min(m.seq) FROM moves m WHERE m.seq > ? GROUP BY m.trace"
        return {trace: value for trace, value, _ in self._connection.execute(select, (seq,))}


# ---- Spans ----


def find_spans(
    connection: Connection,
    strings: Strings,
    filter: Filter,
    request: PageRequest,
    search: TextSearch | None = None,
    budget_s: float = BUDGET_S,
) -> Page[SpanRow]:
    order, limit = order_of(request, SPAN_ORDERS), limit_of(request)
    cursor, node = cursor_of(request, order), for_spans(filter)
    asked = _SpanSearch(connection, strings, node, for_traces(filter), order, cursor, search)
    hits, searched, complete = asked.page(limit, Clock(budget_s))
    following = hits[limit - 1] if len(hits) > limit else None
    if following is None and not complete and order.name == "start_time":
        following = searched
    rows = _span_rows(connection, strings, [number for _, number in hits[:limit]])
    return Page(
        rows,
        Cursor(*following, 0).encode(order) if following else None,
        complete,
        int(searched[0]) if searched and not complete else None,
    )


_ROW = ["s.id", "lower(hex(t.trace_id))", *(real("s.cost_usd") if name == "cost_usd" else f"s.{name}" for name in ROW_COLUMNS)]


def _span_rows(connection: Connection, strings: Strings, ids: Sequence[int]) -> Sequence[SpanRow]:
    source = "FROM spans s JOIN traces t ON t.id = s.trace WHERE s.id IN (SELECT value FROM json_each(?))"
    numbers, trace_ids, *columns = columns_of(connection, _ROW, source, [_json(ids)])
    found = dict(zip(numbers, span_rows(trace_ids, columns, texts(connection, strings)), strict=True))
    return [found[number] for number in ids if number in found]


class _SpanSearch:
    """One page of spans. By start time it walks the index; for other orders it keeps the best of what the budget lets it see."""

    def __init__(
        self,
        connection: Connection,
        strings: Strings,
        node: Node | None,
        of_traces: Node | None,
        order: Order,
        cursor: Cursor | None,
        search: TextSearch | None,
    ) -> None:
        self._connection, self._strings, self._order, self._cursor = connection, strings, order, cursor
        self._where, self._search = Where(), search
        self._node, self._condition = node, self._where.span(node)
        self._join = "JOIN traces t ON t.id = s.trace" if speaks_of_trace(self._condition.text) else ""
        self._of_traces, self._bounds = of_traces, bounds_of(node, "span")
        self._by_time = order.name == "start_time"

    def page(self, limit: int, clock: Clock) -> tuple[list[Key], Key | None, bool]:
        hits: list[Key] = []
        last: Key | None = None
        with holding(self._connection, self._strings, self._where):
            for keys in self._chunks(limit):
                try:
                    with clock.limiting(self._connection, steps_of(self._where)):
                        found = self._matching([number for _, number in keys])
                except TimeUp:
                    if last is not None:
                        return self._best(hits, limit + 1), last, False
                    return [key for key in self._first(keys[0]) if self._beyond(key)], keys[0], False
                last = keys[-1]
                hits.extend(key for key in found if self._beyond(key))
                if self._by_time and len(hits) > limit:
                    break
                hits = self._best(hits, limit + 1)
                if clock.over():
                    return self._best(hits, limit + 1), last, False
        return self._best(hits, limit + 1), last, True

    def _first(self, key: Key) -> list[Key]:
        """The first span alone, so that every page goes on."""
        try:
            with Clock(LAST_TRY_S).limiting(self._connection):
                return self._matching([key[1]])
        except TimeUp:
            return []

    def _best(self, hits: Sequence[Key], count: int) -> list[Key]:
        return heapq.nlargest(count, hits) if self._order.descending else heapq.nsmallest(count, hits)

    def _beyond(self, key: Key) -> bool:
        if self._cursor is None:
            return True
        at = (self._cursor.value, self._cursor.id)
        return key < at if self._order.descending else key > at

    def _matching(self, ids: Sequence[int]) -> list[Key]:
        source = f"FROM spans s {self._join} WHERE s.id IN (SELECT value FROM json_each(?)) AND {self._condition.text}"
        return self._order.keys(self._connection, "s.id", source, [_json(ids), *self._condition.parameters])

    def _chunks(self, limit: int) -> Iterator[Sequence[Key]]:
        few = Shortlists(self._connection, of_spans=True, search=self._search).best(self._of_traces)
        if few is not None and self._spans_of(few) <= PORTION:
            yield from self._sliced(self._gathered(few))
            return
        size = max(limit + 1, FIRST_CHUNK)
        walk = Order("start_time", "s.start_ns", self._order.descending or not self._by_time)
        at: Key | None = (self._cursor.value, self._cursor.id) if self._cursor and self._by_time else None
        sign, direction = ("<", "DESC") if walk.descending else (">", "ASC")
        failed = f"AND s.status = {STATUSES[StatusCode.ERROR]}" if asks_failure(self._node) else ""  # which has an index of its own
        while True:
            keyset = f"AND (s.start_ns, s.id) {sign} (?, ?)" if at else ""
            order = f"ORDER BY s.start_ns {direction}, s.id {direction} LIMIT {size}"
            source = f"FROM spans s WHERE s.start_ns BETWEEN ? AND ? {failed} {keyset} {order}"
            rows = walk.keys(self._connection, "s.id", source, (self._bounds.first, self._bounds.last, *(at or ())))
            if rows:
                yield rows
            if len(rows) < size:
                return
            at, size = rows[-1], min(size * 2, LAST_CHUNK if not self._where.reads_payloads else FIRST_CHUNK)

    def _spans_of(self, few: Few) -> int:
        select = f"SELECT total(span_count) FROM traces WHERE id IN ({few.sql.text})"
        return int(self._connection.execute(select, few.sql.parameters).fetchone()[0])

    def _gathered(self, few: Few) -> Sequence[Key]:
        """The spans of the traces that come into question, already tried as far as that needs no payload."""
        tried = Sql("1") if self._where.reads_payloads else self._condition
        source = f"FROM spans s {self._join} WHERE s.trace IN ({few.sql.text}) AND s.start_ns BETWEEN ? AND ? AND {tried.text}"
        parameters = [*few.sql.parameters, self._bounds.first, self._bounds.last, *tried.parameters]
        starts, numbers = columns_of(self._connection, ["s.start_ns", "s.id"], source, parameters)
        return sorted(zip(starts, numbers, strict=True), reverse=self._order.descending)

    def _sliced(self, keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
        size = FIRST_CHUNK if self._where.reads_payloads or self._by_time else LAST_CHUNK
        for at in range(0, len(keys), size):
            yield keys[at : at + size]
