"""What is kept by addition: the histograms and sums per minute and per hour, in one pure form that adds and takes away.

Every span and every trace contributes to a few cells; a trace that changes takes its old contribution away and adds the new one. Since
addition has no order, any order, split or repetition of the same spans ends in the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import orjson

from collector.store.rows import COST_COUNTS, ERROR, TOKENS_COUNT, WHOLE_TRACE, SpanRecord, TraceRecord

MINUTE, HOUR = 60 * 10**9, 3600 * 10**9


def bucket(duration_ns: int) -> int:
    """The histogram cell of a duration, eight per octave (12.5 % wide at most); -1 for a negative one, which counts in no percentile."""
    if duration_ns <= 0:
        return -1 if duration_ns else 0
    bits = duration_ns.bit_length()
    return bits * 8 + ((duration_ns >> (bits - 4)) & 7 if bits >= 4 else (duration_ns << (4 - bits)) & 7)


def bucket_middle(cell: int) -> int:
    """The duration in the middle of a cell, ns."""
    if cell <= 0:
        return 0
    bits, eighth = divmod(cell, 8)
    low, width = (8 + eighth) * 2.0 ** (bits - 4), 2.0 ** (bits - 4)
    return round(low + width / 2)


def percentile(cells: Mapping[int, int], share: float) -> int | None:
    """The duration below which a share of the counted ones lie, estimated within half a cell."""
    total = sum(count for cell, count in cells.items() if cell >= 0)
    if not total:
        return None
    rank, seen = share * (total - 1), 0
    for cell in sorted(cell for cell in cells if cell >= 0):
        seen += cells[cell]
        if seen > rank:
            return bucket_middle(cell)
    return bucket_middle(max(cells))


def pico(cost_usd: float | None) -> int:
    """Dollars in units of 10^-12: integers add up the same in every order, floats do not."""
    return round(cost_usd * 1e12) if cost_usd else 0


@dataclass(slots=True)
class Tally:
    """One cell's numbers; sums, so they may be negative while they describe a change."""

    count: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_pico: int = 0
    durations: dict[int, int] = field(default_factory=dict[int, int])

    def merge(self, other: Tally) -> None:
        self.count += other.count
        self.errors += other.errors
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cost_pico += other.cost_pico
        durations = self.durations
        for cell, count in other.durations.items():
            durations[cell] = durations.get(cell, 0) + count


def read_tally(row: tuple[int, int, int, int, int, str]) -> Tally:
    """From the last six columns of a row of minutes or hours."""
    count, errors, input_tokens, output_tokens, cost_pico, durations = row
    cells = {int(cell): number for cell, number in orjson.loads(durations).items()}
    return Tally(count, errors, input_tokens, output_tokens, cost_pico, cells)


def tally_row(tally: Tally) -> tuple[int, int, int, int, int, str]:
    cells = {cell: number for cell, number in tally.durations.items() if number}
    durations = orjson.dumps(cells, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS).decode()
    return tally.count, tally.errors, tally.input_tokens, tally.output_tokens, tally.cost_pico, durations


MinuteKey = tuple[int, int, int]  # minute, service, kind
HourKey = tuple[int, int, int, int]  # hour, service, model, kind


class Changes:
    """What a transaction adds to the minutes, hours and sessions."""

    def __init__(self) -> None:
        self.sessions: dict[int, list[int]] = {}  # start, end, then sums, in the order of the table
        self.left_sessions: set[int] = set()
        self._spans: dict[tuple[int, int, int, int], Tally] = {}  # minute, service, model, kind: adds up to both tables
        self._traces: dict[MinuteKey, Tally] = {}

    def spans(self, records: Iterable[SpanRecord], sign: int = 1) -> None:
        """Count spans in (sign 1) or out (-1)."""
        cells = self._spans
        for record in records:
            key = (record.start_ns // MINUTE, record.service or 0, record.model or 0, record.kind)
            tally = cells.get(key)
            if tally is None:
                tally = cells[key] = Tally()
            tally.count += sign
            cell, durations = bucket(record.duration_ns), tally.durations
            durations[cell] = durations.get(cell, 0) + sign
            if record.status == ERROR:
                tally.errors += sign
            flags = record.flags
            if flags & TOKENS_COUNT:
                tally.input_tokens += sign * (record.input_tokens or 0)
                tally.output_tokens += sign * (record.output_tokens or 0)
            if flags & COST_COUNTS:
                tally.cost_pico += sign * pico(record.cost_usd)

    def trace(self, record: TraceRecord, service: int, sign: int = 1) -> None:
        """Count a whole trace in or out; one of announcements alone is not counted."""
        if not record.span_count:
            return
        key = (record.start_ns // MINUTE, service, WHOLE_TRACE)
        tally = self._traces.get(key)
        if tally is None:
            tally = self._traces[key] = Tally()
        cost, cell = pico(record.cost_usd), bucket(record.duration_ns)
        tally.count += sign
        tally.errors += sign * (record.status == ERROR)
        tally.input_tokens += sign * (record.input_tokens or 0)
        tally.output_tokens += sign * (record.output_tokens or 0)
        tally.cost_pico += sign * cost
        tally.durations[cell] = tally.durations.get(cell, 0) + sign
        if record.session is not None:
            self._session(record.session, record, sign, cost)

    def _session(self, session: int, record: TraceRecord, sign: int, cost: int) -> None:
        start, end = record.start_ns, record.start_ns + record.duration_ns
        change = self.sessions.get(session)
        if change is None:
            change = self.sessions[session] = [start, end, 0, 0, 0, 0, 0, 0]
        if start < change[0]:
            change[0] = start
        if end > change[1]:
            change[1] = end
        change[2] += sign
        change[3] += sign * record.error_count
        change[4] += sign * (record.input_tokens or 0)
        change[5] += sign * (record.output_tokens or 0)
        change[6] += sign * cost
        change[7] += sign * (record.cost_usd is not None)
        if sign < 0:
            self.left_sessions.add(session)

    def minutes(self) -> Mapping[MinuteKey, Tally]:
        """What the table of minutes changes by: spans, and whole traces."""
        found = _added_up(((minute, service, kind), tally) for (minute, service, _, kind), tally in self._spans.items())
        return {**found, **self._traces}

    def hours(self) -> Mapping[HourKey, Tally]:
        """What the table of hours changes by."""
        return _added_up(((minute // 60, service, model, kind), tally) for (minute, service, model, kind), tally in self._spans.items())


Key = TypeVar("Key")


def _added_up(tallies: Iterable[tuple[Key, Tally]]) -> dict[Key, Tally]:
    found: dict[Key, Tally] = {}
    for key, tally in tallies:
        found.setdefault(key, Tally()).merge(tally)
    return found
