"""Deriving again what a trace's rows say, from what was received: after a log record came late, a dialect improved, or rules changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from collector import rollup
from collector.model import Span
from collector.store.facets import KIND, Facets, facet_changes, span_facets
from collector.store.reading import running_spans, spans_of_trace
from collector.store.rows import KEEP_LINK, SpanRecord, TraceRecord, flags_of, link_records, span_record, trace_record, update

if TYPE_CHECKING:
    from collector.store.tallies import Changes
    from collector.store.writer import Writer

_UPDATE_SPAN = update("spans", SpanRecord)


def derive_again(writer: Writer, before: TraceRecord, changes: Changes, facets: Facets) -> int:
    """Bring the rows of one trace up to date, in the writer's transaction; how many spans changed."""
    pairs = spans_of_trace(writer.connection, before, writer.strings)
    ended = [span for _, span in pairs]
    running = running_spans(writer.connection, before.id, before.trace_id.hex()) if before.running_count else []
    summary, counted = rollup.summarise_and_count([*ended, *running])
    flags = flags_of(counted, ended)
    changed = [(old, new) for old, new in ((record, _record(writer, record, span, flags)) for record, span in pairs) if old != new]
    for old, new in changed:
        writer.connection.execute(_UPDATE_SPAN, (*new[1:], new.id))
        changes.spans([old], -1)
        changes.spans([new])
    if changed:
        new_by_id = {new.id: new for _, new in changed}
        _change_facets(facets, before.id, [old for old, _ in pairs], [new_by_id.get(old.id, old) for old, _ in pairs])
    now = trace_record(summary, writer.intern, id=before.id, seq=before.seq, running=len(running), verdict=before.verdict)
    for record, span in pairs:
        if span.links:  # of a time before links had rows
            writer.connection.executemany(KEEP_LINK, link_records(span, record.id, before.id))
    if now != before:
        _change_trace(writer, before, now, facets, changes)
    writer.forget([before.id])
    writer.settled(before.id)
    return len(changed)


def _record(writer: Writer, old: SpanRecord, span: Span, flags: Mapping[str, int]) -> SpanRecord:
    return span_record(
        span,
        rollup.understood(span),
        writer.numbers,
        id=old.id,
        trace=old.trace,
        resource=old.resource,
        scope=old.scope,
        pack=old.pack,
        slot=old.slot,
        flags=flags.get(span.span_id, 0),
    )


def _change_facets(facets: Facets, trace: int, before: Sequence[SpanRecord], after: Sequence[SpanRecord]) -> None:
    had, has = span_facets(before), span_facets(after)
    old_kinds, new_kinds = {record.kind for record in before}, {record.kind for record in after}
    facets.remove(trace, had - has, old_kinds - new_kinds)
    facets.add(trace, has - had, new=False)
    facets.count(KIND, new_kinds - old_kinds)


def _change_trace(writer: Writer, before: TraceRecord, now: TraceRecord, facets: Facets, changes: Changes) -> None:
    after = now._replace(seq=writer.next_seq())
    writer.replace_trace(before, after, changes)
    facet_changes(facets, before, after, writer.intern)
