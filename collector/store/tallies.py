"""What is kept by addition: the histograms and sums per minute and per hour, in one pure form that adds and takes away.

Every span and every trace contributes to a few cells; a trace that changes takes its old contribution away and adds the new one. Since
addition has no order, any order, split or repetition of the same spans ends in the same numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

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
    durations: Counter[int] = field(default_factory=Counter[int])

    def add(self, sign: int, error: bool, input_tokens: int, output_tokens: int, cost_pico: int, cell: int) -> None:
        self.count += sign
        self.errors += sign * error
        self.input_tokens += sign * input_tokens
        self.output_tokens += sign * output_tokens
        self.cost_pico += sign * cost_pico
        self.durations[cell] += sign

    def merge(self, other: Tally) -> None:
        self.count += other.count
        self.errors += other.errors
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cost_pico += other.cost_pico
        for cell, count in other.durations.items():
            self.durations[cell] += count


def read_tally(row: tuple[int, int, int, int, int, str]) -> Tally:
    """From the last six columns of a row of minutes or hours."""
    count, errors, input_tokens, output_tokens, cost_pico, durations = row
    cells = Counter({int(cell): number for cell, number in orjson.loads(durations).items()})
    return Tally(count, errors, input_tokens, output_tokens, cost_pico, cells)


def tally_row(tally: Tally) -> tuple[int, int, int, int, int, str]:
    cells = {str(cell): number for cell, number in sorted(tally.durations.items()) if number}
    durations = orjson.dumps(cells).decode()
    return tally.count, tally.errors, tally.input_tokens, tally.output_tokens, tally.cost_pico, durations


MinuteKey = tuple[int, int, int]  # minute, service, kind
HourKey = tuple[int, int, int, int]  # hour, service, model, kind


class Changes:
    """What a transaction adds to the minutes, hours and sessions."""

    def __init__(self) -> None:
        self.sessions: dict[int, list[int]] = {}  # start, end, then sums, in the order of the table
        self.left_sessions: set[int] = set()
        self.minutes: dict[MinuteKey, Tally] = {}
        self.hours: dict[HourKey, Tally] = {}

    def spans(self, records: Iterable[SpanRecord], sign: int = 1) -> None:
        """Count spans in (sign 1) or out (-1)."""
        minutes, hours = self.minutes, self.hours
        for record in records:
            flags, start = record.flags, record.start_ns
            counted = flags & TOKENS_COUNT
            tokens_in = (record.input_tokens or 0) if counted else 0
            tokens_out = (record.output_tokens or 0) if counted else 0
            cost = pico(record.cost_usd) if flags & COST_COUNTS else 0
            error, cell = record.status == ERROR, bucket(record.duration_ns)
            service, kind = record.service or 0, record.kind
            key = (start // MINUTE, service, kind)
            tally = minutes.get(key)
            if tally is None:
                tally = minutes[key] = Tally()
            tally.add(sign, error, tokens_in, tokens_out, cost, cell)
            hour = (start // HOUR, service, record.model or 0, kind)
            tally = hours.get(hour)
            if tally is None:
                tally = hours[hour] = Tally()
            tally.add(sign, error, tokens_in, tokens_out, cost, cell)

    def trace(self, record: TraceRecord, service: int, sign: int = 1) -> None:
        """Count a whole trace in or out; one of announcements alone is not counted."""
        if not record.span_count:
            return
        tally = self.minutes.setdefault((record.start_ns // MINUTE, service, WHOLE_TRACE), Tally())
        tally.add(
            sign,
            record.status == ERROR,
            record.input_tokens or 0,
            record.output_tokens or 0,
            pico(record.cost_usd),
            bucket(record.duration_ns),
        )
        if record.session is not None:
            self._session(record.session, record, sign)

    def _session(self, session: int, record: TraceRecord, sign: int) -> None:
        end = record.start_ns + record.duration_ns
        change = self.sessions.get(session)
        if change is None:
            change = self.sessions[session] = [record.start_ns, end, 0, 0, 0, 0, 0, 0]
        change[0], change[1] = min(change[0], record.start_ns), max(change[1], end)
        sums = (
            1,
            record.error_count,
            record.input_tokens or 0,
            record.output_tokens or 0,
            pico(record.cost_usd),
            record.cost_usd is not None,
        )
        for at, amount in enumerate(sums, 2):
            change[at] += sign * amount
        if sign < 0:
            self.left_sessions.add(session)
