"""What is odd about how a trace arrived, in plain words: missing root, orphans, cycles, late spans, clocks, losses, unreadable content.

Pure: the same spans give the same findings. Nothing here changes a span; a child outside its parent's interval is reported, never moved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from collector.dialects import searched
from collector.model import Finding, Health, Span, SpanKind
from collector.rollup import Tree, is_running, understood

LATE_NS = 60 * 10**9  # a child that starts a minute after its parent ended was not part of it
SKEW_NS = 1_000_000  # 1 ms: clocks of one machine differ by less
YEAR_2000_NS = 946_684_800 * 10**9
SHOWN_MAX = 20  # span ids per finding
SDK_LIMIT = 128  # attributes per span, OpenTelemetry's default
CONTENT_SWITCHES = {
    "opentelemetry.instrumentation.genai": "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only (or span_and_event)",
    "opentelemetry.instrumentation.openai_v2": "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true",
    "opentelemetry.instrumentation": "TRACELOOP_TRACE_CONTENT=true",
    "traceloop": "TRACELOOP_TRACE_CONTENT=true",
    "openinference": "OPENINFERENCE_HIDE_INPUTS and OPENINFERENCE_HIDE_OUTPUTS unset",
    "haystack": "HAYSTACK_CONTENT_TRACING_ENABLED=true",
    "pydantic-ai": "InstrumentationSettings(include_content=True)",
    "ai": "experimental_telemetry.recordInputs and recordOutputs left on",
    "gen_ai": "recordInputs and recordOutputs left on",
    "Microsoft.SemanticKernel": "SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS_SENSITIVE=true",
    "strands": "content capture left on",
    "azure": "AZURE_TRACING_GEN_AI_CONTENT_RECORDING_ENABLED=true",
}


def examine(spans: Sequence[Span]) -> Health:
    """The findings of one trace, the gravest first, and the counts for a footer. Spans normalised, any order, running ones included."""
    tree = Tree(spans)
    findings = tuple(finding for check in CHECKS for finding in check(tree))
    return Health(
        findings=findings,
        orphan_count=len(_orphans(tree)),
        unmapped_count=sum(len(understood(span).unmapped) for span in tree.spans),
        dropped_count=sum(_dropped(span) for span in tree.spans),
        running_count=sum(map(is_running, tree.spans)),
    )


def examine_shape(tops: Sequence[Span], running: int) -> Health:
    """What is known without payloads, from the spans of a trace that have no parent there: missing root, orphans, several roots."""
    tree = Tree(tops)
    findings = tuple(finding for check in SHAPE_CHECKS for finding in check(tree))
    return Health(findings=findings, orphan_count=len(_orphans(tree)), running_count=running)


def content_switch(scope: str) -> str | None:
    """The setting that makes an instrumentation record content, by its scope name; the longest matching prefix knows best."""
    known = [prefix for prefix in CONTENT_SWITCHES if scope.startswith(prefix)]
    return CONTENT_SWITCHES[max(known, key=len)] if known else None


def _orphans(tree: Tree) -> list[Span]:
    cut = {span.span_id for span in tree.cut}
    return [span for span in tree.tops if span.parent_span_id and span.span_id not in cut]


def _ids(spans: Sequence[Span]) -> list[str]:
    return [span.span_id for span in spans[:SHOWN_MAX]]


def _plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _missing_root(tree: Tree) -> Iterator[Finding]:
    if tree.root_missing and tree.tops:
        yield Finding(
            "missing_root",
            "The root span has not arrived: it is still running, was not sampled, or the program ended without flushing its tracer.",
            _ids(tree.tops),
        )


def _orphan(tree: Tree) -> Iterator[Finding]:
    orphans = _orphans(tree)
    if orphans:
        parents = len({span.parent_span_id for span in orphans})
        yield Finding(
            "orphan", f"{_plural(len(orphans), 'span names', 'spans name')} {_plural(parents, 'parent')} that never arrived.", _ids(orphans)
        )


def _several_roots(tree: Tree) -> Iterator[Finding]:
    roots = [span for span in tree.tops if not span.parent_span_id]
    if len(roots) > 1:
        yield Finding("several_roots", f"The trace has {len(roots)} root spans; the earliest gives it its name.", _ids(roots))


def _cycle(tree: Tree) -> Iterator[Finding]:
    if tree.cut:
        yield Finding("cycle", "Parent ids form a cycle; it is cut at the earliest span, so each span is shown once.", _ids(tree.cut))


def _pairs(tree: Tree) -> Iterator[tuple[Span, Span]]:
    for span in tree.spans:
        parent = tree.parent.get(span.span_id)
        if parent is not None:
            yield tree.by_id[parent], span


def _late(tree: Tree) -> Iterator[Finding]:
    late = [child for parent, child in _pairs(tree) if parent.end_unix_nano and child.start_unix_nano > parent.end_unix_nano + LATE_NS]
    if late:
        yield Finding("late", f"{_plural(len(late), 'span')} began more than a minute after the parent had ended.", _ids(late))


def _skew(tree: Tree) -> Iterator[Finding]:
    early = [(parent, child) for parent, child in _pairs(tree) if child.start_unix_nano + SKEW_NS < parent.start_unix_nano]
    if early:
        between = any(understood(parent).service != understood(child).service for parent, child in early)
        why = "the clocks of two machines differ" if between else "a clock was set back, or the parent was given a later start"
        children = [child for _, child in early]
        yield Finding(
            "clock_skew", f"{_plural(len(early), 'span')} began before the parent: {why}. Times are shown as sent.", _ids(children)
        )


def _times(tree: Tree) -> Iterator[Finding]:
    backwards = [span for span in tree.spans if 0 < span.end_unix_nano < span.start_unix_nano]
    if backwards:
        yield Finding(
            "negative_duration", f"{_plural(len(backwards), 'span')} ended before the start; the duration is shown as 0.", _ids(backwards)
        )
    endless = [span for span in tree.spans if not span.end_unix_nano and not is_running(span)]
    if endless:
        yield Finding("no_end", f"{_plural(len(endless), 'span')} came without an end time; the duration is shown as 0.", _ids(endless))
    ancient = [span for span in tree.spans if span.start_unix_nano < YEAR_2000_NS]
    if ancient:
        yield Finding(
            "no_start", f"{_plural(len(ancient), 'span')} began before the year 2000: milliseconds sent as nanoseconds?", _ids(ancient)
        )


def _dropped(span: Span) -> int:
    return (
        span.dropped_attributes_count
        + span.dropped_events_count
        + span.dropped_links_count
        + sum(event.dropped_attributes_count for event in span.events)
    )


def _losses(tree: Tree) -> Iterator[Finding]:
    dropping = [span for span in tree.spans if _dropped(span)]
    if dropping:
        count = sum(map(_dropped, dropping))
        yield Finding(
            "dropped",
            f"The SDK dropped {_plural(count, 'attribute, event or link', 'attributes, events or links')}: raise "
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT or OTEL_SPAN_EVENT_COUNT_LIMIT in the program.",
            _ids(dropping),
        )
    limited = [span for span in tree.spans if len(span.attributes) == SDK_LIMIT and not span.dropped_attributes_count]
    if limited:
        yield Finding(
            "limit_hit",
            f"{_plural(len(limited), 'span carries', 'spans carry')} exactly {SDK_LIMIT} attributes, the SDK's limit.",
            _ids(limited),
        )
    lengths = Counter(
        len(value) for span in tree.spans for value in span.attributes.values() if isinstance(value, str) and len(value) >= 256
    )
    cut = [length for length, count in lengths.items() if count >= 3 and (length & (length - 1) == 0 or length % 1000 == 0)]
    if cut:
        yield Finding(
            "truncated",
            f"Several values are exactly {max(cut)} characters long: the SDK cuts them (OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT).",
            [],
        )


def _unmapped(tree: Tree) -> Iterator[Finding]:
    keys = Counter(key for span in tree.spans for key in understood(span).unmapped)
    if keys:
        named = ", ".join(key for key, _ in keys.most_common(5))
        spans = [span for span in tree.spans if understood(span).unmapped]
        more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
        yield Finding(
            "unmapped",
            f"{_plural(len(keys), 'key sounds', 'keys sound')} like content, unknown to us: {named}{more}. Add a rule.",
            _ids(spans),
        )


def _no_content(tree: Tree) -> Iterator[Finding]:
    """Model calls without a word of input or output: the SDK was told not to record any, or was not told to."""
    silent = [span for span in tree.spans if understood(span).kind is SpanKind.LLM and not _has_content(span) and not is_running(span)]
    if silent:
        switches = sorted({switch for span in silent if (switch := content_switch(span.scope.name))})
        how = f" Switch it on with {'; '.join(switches)}." if switches else ""
        keys = [key for slot in ("input_messages", "input", "output_messages", "output") for key in searched(slot)]
        names = f" Searched were {len(keys)} names, {', '.join(keys[:4])} and the others of docs/dialects.md."
        yield Finding("no_content", f"{_plural(len(silent), 'model call')} came without input and output text.{how}{names}", _ids(silent))


def _has_content(span: Span) -> bool:
    n = understood(span)
    return bool(n.input_messages or n.output_messages or n.input is not None or n.output is not None)


CHECKS: Sequence[Callable[[Tree], Iterator[Finding]]] = (
    _missing_root,
    _orphan,
    _cycle,
    _losses,
    _no_content,
    _unmapped,
    _times,
    _skew,
    _late,
    _several_roots,
)
SHAPE_CHECKS: Sequence[Callable[[Tree], Iterator[Finding]]] = (_missing_root, _orphan, _several_roots)
