"""Narrow rows: what of a span and of a trace has a column, as tuples in the order of their tables.

`SpanRecord` and `TraceRecord` are the one column map: statements are written from their fields, rows are read into them. Text that repeats
(names, models, services) is a number into the table of strings; the caller gives the function that knows the numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import orjson

from collector import rollup
from collector.model import Candidate, Document, Normalised, Span, SpanKind, SpanRow, StatusCode, TraceSummary, Usage
from collector.store.answer import number as number_of
from collector.store.packs import plain

KINDS: Mapping[SpanKind, int] = {kind: number for number, kind in enumerate(sorted(SpanKind))}
KINDS_BACK: Sequence[SpanKind] = tuple(sorted(SpanKind))
WHOLE_TRACE = -1  # the "kind" of a trace in the table of minutes
STATUSES: Mapping[StatusCode, int] = {StatusCode.UNSET: 0, StatusCode.OK: 1, StatusCode.ERROR: 2}
STATUSES_BACK: Sequence[StatusCode] = (StatusCode.UNSET, StatusCode.OK, StatusCode.ERROR)
ERROR = STATUSES[StatusCode.ERROR]
TOKENS_COUNT, COST_COUNTS, UNPRICED = 1, 2, 4  # SpanRecord.flags
LIMIT = 2**63 - 1

Intern = Callable[[str | None], int | None]
InternAll = Callable[[tuple[str | None, ...]], tuple[int | None, ...]]


class SpanRecord(NamedTuple):
    id: int
    trace: int
    span_id: int
    parent: int | None
    kind: int
    status: int
    start_ns: int
    duration_ns: int
    flags: int
    name: int
    service: int | None
    model: int | None
    provider: int | None
    operation: int | None
    error: int | None
    stage: int | None
    index_name: int | None
    index_version: int | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    ttft_ns: int | None
    documents: int | None
    candidates: int | None
    top_score: float | None
    margin: float | None
    resource: int
    scope: int
    pack: int
    slot: int


NAMED = slice(SpanRecord._fields.index("name"), SpanRecord._fields.index("index_version") + 1)
"""The columns that hold numbers of texts: what like spans share, looked up together."""


class TraceRecord(NamedTuple):
    id: int
    trace_id: bytes
    seq: int
    start_ns: int
    duration_ns: int
    span_count: int
    running_count: int
    error_count: int
    status: int
    root_name: str | None
    root_kind: int
    root_span: int | None
    root_missing: int
    services: str
    models: str
    tags: str
    session: int | None
    user: str | None
    environment: str | None
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    cached_input_tokens: int | None
    reasoning_tokens: int | None
    audio_input_tokens: int | None
    audio_output_tokens: int | None
    embedding_tokens: int | None
    tokens: int | None
    cost_usd: float | None
    unpriced: int
    input_preview: str | None
    output_preview: str | None
    verdict: str | None


class LinkRecord(NamedTuple):
    """A link to another trace, led by that trace's id; `position` says which of its span's links it is."""

    target: bytes
    span: int
    position: int
    trace: int


KEEP_LINK = "INSERT OR IGNORE INTO links (target, span, position, trace) VALUES (?, ?, ?, ?)"


def columns(record: type[SpanRecord | TraceRecord], alias: str = "") -> str:
    """The columns of a table in the record's order, for a SELECT."""
    return ", ".join(f"{alias}.{name}" if alias else name for name in record._fields)


def update(table: str, record: type[SpanRecord | TraceRecord]) -> str:
    """Set every column; parameters in the record's order without the id, then the id."""
    return f"UPDATE {table} SET {', '.join(f'{name}=?' for name in record._fields[1:])} WHERE id=?"


# ---- Ids ----


def id_number(hex_id: str) -> int:
    """A span id as the signed integer that SQLite keeps."""
    number = int(hex_id, 16)
    return number - 2**64 if number >= 2**63 else number


def id_text(number: int) -> str:
    return f"{number & 0xFFFFFFFFFFFFFFFF:016x}"


# ---- Links ----

_TRACE_ID = re.compile(r"[0-9a-f]{32}")


def link_records(span: Span, number: int, trace: int) -> list[LinkRecord]:
    """The links of a span that lead to other traces; `number` and `trace` are its own row and its trace's."""
    leading_out = ((at, link.trace_id) for at, link in enumerate(span.links) if link.trace_id != span.trace_id)
    return [LinkRecord(bytes.fromhex(target), number, at, trace) for at, target in leading_out if _TRACE_ID.fullmatch(target)]


# ---- Spans ----


def span_record(
    span: Span, n: Normalised, numbers: InternAll, *, id: int, trace: int, resource: int, scope: int, pack: int, slot: int, flags: int
) -> SpanRecord:
    """The row of a span. Times beyond a signed integer are held at its limit; the body has them exactly."""
    usage, index = n.usage, n.index
    start = span.start_unix_nano if span.start_unix_nano <= LIMIT else LIMIT
    end = span.end_unix_nano if span.end_unix_nano <= LIMIT else LIMIT
    parent, error = span.parent_span_id, error_name(n) if n.status is StatusCode.ERROR else None
    documents, candidates = n.documents, n.candidates
    ranked = bool(documents or candidates)
    names = (span.name, n.service, n.model, n.provider, n.operation, error, n.stage)
    return SpanRecord._make(
        (
            id,
            trace,
            id_number(span.span_id),
            id_number(parent) if parent else None,
            KINDS[n.kind],
            STATUSES[n.status],
            start,
            end - start,
            flags,
            *numbers((*names, index.name, index.version) if index else (*names, None, None)),
            _small(usage.input_tokens) if usage else None,
            _small(usage.output_tokens) if usage else None,
            n.cost_usd,
            n.time_to_first_token_ns,
            len(documents) if ranked or n.kind is SpanKind.RETRIEVER else None,
            len(candidates) if ranked else None,
            top_score(documents) if ranked else None,
            margin(documents, candidates) if candidates else None,
            resource,
            scope,
            pack,
            slot,
        )
    )


def flags_of(counted: rollup.Counted, spans: Sequence[Span]) -> Mapping[str, int]:
    """Which spans of a trace count: their tokens and their cost once per call; and which have no price."""
    flags: dict[str, int] = {}
    for span in (*counted.calls, *counted.embeddings):
        flags[span.span_id] = TOKENS_COUNT
    for span in counted.priced:
        flags[span.span_id] = flags.get(span.span_id, 0) | COST_COUNTS
    for span in spans:
        if span.normalised is not None and span.normalised.cost_source == "unpriced":
            flags[span.span_id] = flags.get(span.span_id, 0) | UNPRICED
    return flags


def error_name(n: Normalised) -> str:
    """The type of a failed span's error; one that says no type is still an error."""
    return (n.error.type if n.error else None) or "error"


def _small(number: int | None) -> int | None:
    return number if number is None or -LIMIT <= number <= LIMIT else LIMIT


def top_score(documents: Sequence[Document]) -> float | None:
    """The score of the first document that has one: documents come in rank order."""
    return next((document.score for document in documents if document.score is not None), None)


def margin(documents: Sequence[Document], candidates: Sequence[Candidate]) -> float | None:
    """By how much the last document kept beat the best one dropped; None where nothing was dropped or scored."""
    kept = [document.score for document in documents if document.score is not None]
    dropped = [candidate.score for candidate in candidates if candidate.dropped and candidate.score is not None]
    if not kept or not dropped:
        return None
    return min(abs(kept[-1] - score) for score in dropped)


ROW_COLUMNS = (
    "span_id", "parent", "name", "kind", "status", "start_ns", "duration_ns", "model", "input_tokens", "output_tokens", "cost_usd",
    "service", "stage",
)  # fmt: skip
"""What `span_rows` takes, in its order: a trace of 32,000 spans is read in half the time without the other columns."""


def span_rows(trace_id: str | Sequence[str], columns: Sequence[Sequence[Any]], text: Callable[[int | None], str | None]) -> list[SpanRow]:
    """From one list per column of `ROW_COLUMNS` (cost as `answer.real` wrote it) to payload-free views; of one trace or several."""
    span_ids, parents, names, kinds, statuses, starts, durations, models, tokens_in, tokens_out, costs, services, stages = columns
    count = len(span_ids)

    def said(numbers: Sequence[int | None]) -> Iterator[str | None]:
        return map({number: text(number) for number in set(numbers)}.get, numbers)

    return list(
        map(
            SpanRow,
            repeat(trace_id, count) if isinstance(trace_id, str) else trace_id,
            [f"{number & 0xFFFFFFFFFFFFFFFF:016x}" for number in span_ids],
            ["" if number is None else f"{number & 0xFFFFFFFFFFFFFFFF:016x}" for number in parents],
            [name or "" for name in said(names)],
            map(KINDS_BACK.__getitem__, kinds),
            starts,
            [duration if duration > 0 else 0 for duration in durations],
            map(STATUSES_BACK.__getitem__, statuses),
            said(models),
            tokens_in,
            tokens_out,
            map(number_of, costs),
            said(services),
            repeat("ended"),
            said(stages),
        )
    )


# ---- Traces ----


def trace_record(summary: TraceSummary, intern: Intern, *, id: int, seq: int, running: int, verdict: str | None) -> TraceRecord:
    usage = summary.usage
    known = usage.input_tokens is not None or usage.output_tokens is not None
    return TraceRecord(
        id,
        bytes.fromhex(summary.trace_id),
        seq,
        min(summary.start_unix_nano, LIMIT),
        min(summary.duration_ns, LIMIT),
        summary.span_count,
        running,
        summary.error_count,
        STATUSES[summary.status],
        _plain(summary.root_name),
        KINDS[summary.root_kind],
        id_number(summary.root_span_id) if summary.root_span_id else None,
        summary.root_missing,
        _array(summary.services),
        _array(summary.models),
        _array(summary.tags),
        intern(summary.session_id),
        _plain(summary.user_id),
        _plain(summary.environment),
        usage.input_tokens,
        usage.output_tokens,
        usage.total_tokens,
        usage.cached_input_tokens,
        usage.reasoning_tokens,
        usage.audio_input_tokens,
        usage.audio_output_tokens,
        summary.embedding_tokens,
        (usage.input_tokens or 0) + (usage.output_tokens or 0) if known else usage.total_tokens,
        summary.cost_usd,
        summary.unpriced,
        _plain(summary.input_preview),
        _plain(summary.output_preview),
        verdict,
    )


def _plain(text: str | None) -> str | None:
    return text if text is None else plain(text)


def _array(values: Sequence[str]) -> str:
    return orjson.dumps([plain(value) for value in values]).decode() if values else "[]"


def summary_of(record: TraceRecord, text: Callable[[int | None], str | None]) -> TraceSummary:
    """A row of the trace list, as stored; scores are joined by whoever shows them."""
    return TraceSummary(
        trace_id=record.trace_id.hex(),
        root_name=record.root_name,
        root_missing=bool(record.root_missing),
        services=orjson.loads(record.services),
        session_id=text(record.session),
        user_id=record.user,
        tags=orjson.loads(record.tags),
        start_unix_nano=record.start_ns,
        duration_ns=record.duration_ns,
        span_count=record.span_count,
        error_count=record.error_count,
        status=STATUSES_BACK[record.status],
        usage=Usage(
            record.input_tokens,
            record.output_tokens,
            record.total_tokens,
            record.cached_input_tokens,
            record.reasoning_tokens,
            record.audio_input_tokens,
            record.audio_output_tokens,
        ),
        embedding_tokens=record.embedding_tokens,
        cost_usd=record.cost_usd,
        input_preview=record.input_preview,
        output_preview=record.output_preview,
        verdict=record.verdict,
        environment=record.environment,
        models=orjson.loads(record.models),
        root_kind=KINDS_BACK[record.root_kind],
        root_span_id=id_text(record.root_span) if record.root_span is not None else None,
        unpriced=bool(record.unpriced),
        state="running" if record.running_count else "ended",
    )
