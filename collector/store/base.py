"""The storage surface: two small protocols and their contracts.

Telemetry (spans, scores) is append-only and large; catalogue records (prompts, indexes, datasets, experiments, saved views) are few and
mutable. Everything that asks goes through these protocols, so a backend is one class each and one conformance suite judges them all
(`tests/collector/store/conformance.py`). Nothing in this file may know how a backend keeps its data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from collector.filters import EVERYTHING, Filter
from collector.model import (
    Batch,
    Json,
    LinkFrom,
    Page,
    PageRequest,
    PassageSummary,
    Pruned,
    RetentionPolicy,
    Score,
    SessionSummary,
    Skeleton,
    Span,
    SpanRow,
    Stats,
    Trace,
    TraceSummary,
    Trial,
    ValueCount,
    Version,
    Written,
)


class SpanStore(Protocol):
    """Spans and scores.

    Any method may be called from any thread. Every read sees all writes that returned before it began. Unknown trace and span ids raise
    `TraceNotFound` and `SpanNotFound`. Attributes come back with the types they went in with.
    """

    def write(self, batch: Batch) -> Written:
        """Store a batch durably: when it returns, the data survives a kill and a power cut. Idempotent by (trace_id, span_id): the first
        ended span wins, an ended span replaces its running announcement. Scores and log records may come before their span.
        Raises `Overloaded` before anything is queued when the queue is full, `StoreUnavailable` when the medium refuses."""
        ...

    def write_group(self, batches: Sequence[Batch]) -> Sequence[Written]:
        """Several batches in one durable commit, all or none; what each brought, in order. Of two that bring one span the first has it."""
        ...

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have `listener` called after every change, from the thread that made it: it must not block. Call what it returns to end it."""
        ...

    def settle(self) -> None:
        """Do what writes left for later and no read has asked for yet; for quiet moments: a large trace takes up to a second."""
        ...

    def give_way_to(self, busy: Callable[[], bool]) -> None:
        """Let background work (a search index) rest while `busy()` is true: slowed down, never stopped for good."""
        ...

    def trace(self, trace_id: str) -> Trace:
        """The whole trace: normalised spans by start time with their scores and log events joined, summary, health."""
        ...

    def skeleton(self, trace_id: str) -> Skeleton:
        """The trace without payloads, ordered by start time."""
        ...

    def span(self, trace_id: str, span_id: str) -> Span:
        """One whole span, normalised, scores and log events joined."""
        ...

    def links(self, trace_id: str, page: PageRequest) -> Page[LinkFrom]:
        """The links of other traces' spans that lead to this trace or to one of its spans, those of the newest spans first; the page's
        order is not looked at. They may have come before the trace did."""
        ...

    def find_traces(self, filter: Filter, page: PageRequest) -> Page[TraceSummary]:
        """Traces with at least one matching span (or a matching trace-level field). Cursors are stable while spans arrive: going through
        all pages shows every trace that was there at the first page exactly once."""
        ...

    def find_spans(self, filter: Filter, page: PageRequest) -> Page[SpanRow]:
        """Matching spans, newest first unless the page orders otherwise; same cursor promise."""
        ...

    def sessions(self, filter: Filter, page: PageRequest) -> Page[SessionSummary]:
        """Sessions with a matching trace, the most recently active first."""
        ...

    def session(self, session_id: str) -> tuple[SessionSummary, Sequence[TraceSummary]]:
        """One session and its traces, oldest first; `NotFound` if there is none."""
        ...

    def passages(self, text: str | None, source: str | None, page: PageRequest) -> Page[PassageSummary]:
        """Distinct passages that were ever returned, most recently seen first."""
        ...

    def passage(self, passage_hash: str) -> tuple[PassageSummary, str, Sequence[TraceSummary]]:
        """One passage: summary, full text, the newest traces that retrieved it (at most 100)."""
        ...

    def aggregate(self, filter: Filter, measures: Sequence[str], by: Sequence[str]) -> Page[Mapping[str, Json]]:
        """One row per group, in their order. Measures: `count`, `errors`, `error_rate`, `p50`, `p90`, `p95`, `p99` (of duration,
        ns), `tokens`, `input_tokens`, `output_tokens`, `cost`, `traces`. Groups: `minute`, `hour`, `day` (RFC 3339, the start), `service`,
        `tag`, `status`, `environment`, `session`, `user`, `verdict`, `root`, and of spans `kind`, `model`, `name`, `provider`,
        `operation`, `stage`, `index`, `error`. Traces are counted, unless groups or filter speak of spans. Percentiles may be estimated
        within 12.5 % and are then named in the row's `estimated`; above some thousands of rows a period may be widened to whole minutes (by
        model: hours). Where the time was up, the page is not complete: it and its rows say since when they count."""
        ...

    def values(self, field: str, prefix: str = "", filter: Filter | None = None, limit: int = 50) -> Sequence[ValueCount]:
        """Values of a field with their trace counts, most frequent first: facets and completion."""
        ...

    def changes(self, cursor: int, limit: int = 100, filter: Filter = EVERYTHING) -> tuple[Sequence[TraceSummary], int]:
        """Matching traces touched since `cursor` (an opaque, growing number; 0 is the beginning, -1 means "from now") and the next
        cursor. The cursor moves past traces that do not match; it stands still when nothing was touched. A large trace
        that grows may be told with the sums it had a moment ago: it is touched again when they are up to date."""
        ...

    def spans(self, filter: Filter) -> Iterator[Trace]:
        """Every matching trace whole, oldest first, one at a time: for export. Holds no snapshot between traces."""
        ...

    def scores(self, trace_id: str | None = None, session_id: str | None = None) -> Sequence[Score]:
        """The scores that count (last per target, name and annotator; retracted ones left out)."""
        ...

    def delete(self, filter: Filter) -> Pruned:
        """Remove matching traces whole: spans, scores, passages no other trace holds, search index. Works in small slices."""
        ...

    def prune(self, policy: RetentionPolicy, dry_run: bool = False) -> Pruned:
        """Remove what the policy does not keep, oldest first, and give the space back."""
        ...

    def renormalise(self) -> int:
        """Derive every stored span's fields again with the current dialects and rules; returns the spans changed."""
        ...

    def backup(self, path: str) -> int:
        """Write a consistent copy while running; returns its bytes."""
        ...

    def stats(self) -> Stats:
        """Exact counts and the bytes on disk."""
        ...

    def close(self) -> None:
        """Drain the queue, finish, release the medium. Idempotent."""
        ...


class Catalog(Protocol):
    """Named, content-addressed versions with movable labels, and the trials of experiments. Same threading promise as `SpanStore`."""

    def add_version(self, kind: str, name: str, content: Json, labels: Sequence[str] = ()) -> Version:
        """Store a version under the digest of its content; the same content again is the same version."""
        ...

    def version(self, kind: str, name: str, digest_or_label: str = "latest") -> Version:
        """One version by digest (or a unique prefix), label, or `latest`; `NotFound` otherwise."""
        ...

    def versions(self, kind: str, name: str) -> Sequence[Version]:
        """All versions of a name, newest first."""
        ...

    def names(self, kind: str) -> Sequence[str]:
        """All names of a kind, sorted."""
        ...

    def label(self, kind: str, name: str, digest: str, label: str) -> Version:
        """Move a label to a version."""
        ...

    def remove(self, kind: str, name: str) -> int:
        """Forget a name with all its versions (saved views); returns how many versions went."""
        ...

    def add_trials(self, trials: Sequence[Trial]) -> None:
        """Store trials durably."""
        ...

    def trials(self, experiment: str) -> Sequence[Trial]:
        """The trials of an experiment in the order they were added."""
        ...
