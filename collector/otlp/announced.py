"""Announcements: what a sender tells of a span when it begins, to be replaced by the span when it has ended.

Our tracer sends the span itself without an end. Logfire, to its own backend, sends a twin: a span of another id, as long as nothing, whose
parent is the span it announces and which keeps the true parent in an attribute. Here the twin becomes what it stands for, so that it is
neither shown beside its span nor counted.
"""

from __future__ import annotations

from dataclasses import replace

from collector.model import Span
from tracer.conventions import SPAN_STATE

_TYPE, _PARENT = "logfire.span_type", "logfire.pending_parent_id"
_HEX = frozenset("0123456789abcdef")


def as_announced(span: Span) -> Span:
    """The running span that a Logfire `pending_span` stands for; any other span as it is."""
    if span.attributes.get(_TYPE) != "pending_span" or not span.parent_span_id:
        return span
    parent = str(span.attributes.get(_PARENT) or "").lower()
    return replace(
        span,
        span_id=span.parent_span_id,
        parent_span_id=parent if len(parent) == 16 and _HEX.issuperset(parent) and parent.strip("0") else "",
        end_unix_nano=0,
        attributes={**{key: value for key, value in span.attributes.items() if key not in (_TYPE, _PARENT)}, SPAN_STATE: "running"},
    )
