"""Which traces have a value: one short list of trace numbers per value, and how many they are.

`facets` drives the filters that few traces match and answers "which values are there"; the counts beside it are exact, so the planner of a
query knows what a list costs before it reads it. A kind's list also says how slow: its value is kind × 64 + the octave of the duration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache

import orjson

from collector.store.connection import Connection, insert_rows
from collector.store.rows import NAMED, SpanRecord, TraceRecord

FACETS: Mapping[str, int] = {
    "service": 1,
    "name": 2,
    "model": 3,
    "kind": 4,  # counts only: its lists are those of `pace`
    "error": 5,
    "stage": 6,
    "index.name": 7,
    "index.version": 8,
    "session": 9,
    "user": 10,
    "tag": 11,
    "environment": 12,
    "root": 13,
    "pace": 14,  # kind × 64 + octave of the duration
}
_OF_SPAN = tuple(
    (FACETS[facet], SpanRecord._fields[NAMED].index(column))
    for facet, column in (
        ("service", "service"),
        ("name", "name"),
        ("model", "model"),
        ("error", "error"),
        ("stage", "stage"),
        ("index.name", "index_name"),
        ("index.version", "index_version"),
    )
)
KIND, PACE = FACETS["kind"], FACETS["pace"]
_SESSION, _USER, _TAG, _ENVIRONMENT, _ROOT = (FACETS[facet] for facet in ("session", "user", "tag", "environment", "root"))

Value = tuple[int, int]  # facet, value
Intern = Callable[[str | None], int | None]


def pace(kind: int, duration_ns: int) -> int:
    """A kind with the octave of a duration, 0 to 63."""
    return kind * 64 + max(0, duration_ns).bit_length()


def span_facets(records: Collection[SpanRecord]) -> set[Value]:
    """The values that the spans of one trace have."""
    values = {(PACE, pace(record.kind, record.duration_ns)) for record in records}
    for numbers in {record[NAMED] for record in records}:
        values.update(_of_names(numbers))
    return values


@lru_cache(maxsize=4096)
def _of_names(numbers: tuple[int | None, ...]) -> tuple[Value, ...]:
    """The values of the columns that hold numbers of texts: most spans have the same as one before."""
    return tuple((facet, number) for facet, at in _OF_SPAN if (number := numbers[at]) is not None)


def summary_facets(record: TraceRecord | None, intern: Intern) -> set[Value]:
    """The values a trace has as a whole."""
    if record is None:
        return set()
    tags: Sequence[str] = orjson.loads(record.tags) if record.tags != "[]" else ()
    values = {(_TAG, number) for tag in tags if (number := intern(tag)) is not None}
    if record.session is not None:
        values.add((_SESSION, record.session))
    for facet, text in ((_USER, record.user), (_ENVIRONMENT, record.environment), (_ROOT, record.root_name)):
        if text is not None and (number := intern(text)) is not None:
            values.add((facet, number))
    return values


class Facets:
    """What a transaction adds to and takes from the lists."""

    def __init__(self) -> None:
        self._new: dict[Value, list[int]] = {}  # traces that did not exist
        self._maybe: list[tuple[int, int, int]] = []  # perhaps there already
        self._gone: list[tuple[int, int, int]] = []
        self._counts: Counter[Value] = Counter()

    def add_spans(self, trace: int, records: Sequence[SpanRecord], earlier_kinds: Collection[int], *, new: bool) -> None:
        """The values of new spans; `earlier_kinds` are the kinds the trace had before, `new` says that it had no spans."""
        self.add(trace, span_facets(records), new=new)
        for kind in {record.kind for record in records}.difference(earlier_kinds):
            self._counts[KIND, kind] += 1

    def add(self, trace: int, values: Iterable[Value], *, new: bool) -> None:
        if not new:
            self._maybe += [(facet, value, trace) for facet, value in values]
            return
        lists = self._new
        for value in values:
            traces = lists.get(value)
            if traces is None:
                lists[value] = [trace]
            else:
                traces.append(trace)

    def remove(self, trace: int, values: Iterable[Value], kinds: Iterable[int] = ()) -> None:
        for facet, value in values:
            self._gone.append((facet, value, trace))
        for kind in kinds:
            self._counts[KIND, kind] -= 1

    def count(self, facet: int, values: Iterable[int]) -> None:
        """Values that are only counted."""
        for value in values:
            self._counts[facet, value] += 1

    def apply(self, connection: Connection) -> None:
        for facet, value, trace in self._gone:
            gone = connection.execute("DELETE FROM facets WHERE field=? AND value=? AND trace=?", (facet, value, trace)).rowcount
            self._counts[facet, value] -= gone
        insert_rows(connection, "facets", [(*value, trace) for value in sorted(self._new) for trace in self._new[value]])
        self._counts.update({value: len(traces) for value, traces in self._new.items()})
        for facet, value, trace in self._maybe:
            added = connection.execute("INSERT OR IGNORE INTO facets VALUES (?, ?, ?)", (facet, value, trace)).rowcount
            self._counts[facet, value] += added
        counts = [(facet, value, count) for (facet, value), count in self._counts.items() if count]
        connection.executemany(
            "INSERT INTO facet_counts VALUES (?, ?, ?) ON CONFLICT (field, value) DO UPDATE SET traces = traces + excluded.traces", counts
        )
        if any(count < 0 for _, _, count in counts):
            connection.execute("DELETE FROM facet_counts WHERE traces <= 0")


def facet_changes(facets: Facets, before: TraceRecord | None, after: TraceRecord, intern: Intern) -> None:
    """What the trace as a whole has now and had not, and the reverse."""
    had, has = summary_facets(before, intern), summary_facets(after, intern)
    facets.remove(after.id, had - has)
    facets.add(after.id, has - had, new=before is None)
