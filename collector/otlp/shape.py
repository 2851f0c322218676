"""What both encodings share: the groups of a request, statuses by number, and which log records concern a span."""

from __future__ import annotations

from collections.abc import Iterable

from collector.model import AttributeValue, Event, LogRecord, Resource, Scope, Span, StatusCode
from collector.otlp.limits import INT64_MAX

STATUS = {1: StatusCode.OK, 2: StatusCode.ERROR}
STATUS_NUMBERS = {StatusCode.UNSET: 0, StatusCode.OK: 1, StatusCode.ERROR: 2}

Groups = list[tuple[Resource, list[tuple[Scope, list[Span]]]]]


def grouped(spans: Iterable[Span]) -> Groups:
    """Neighbouring spans of equal resource and scope share a group; compared by value, since a store hands out copies."""
    groups: Groups = []
    for span in spans:
        if not groups or groups[-1][0] != span.resource:
            groups.append((span.resource, []))
        scopes = groups[-1][1]
        if not scopes or scopes[-1][0] != span.scope:
            scopes.append((span.scope, []))
        scopes[-1][1].append(span)
    return groups


LOG_BODY = "body"
"""The attribute under which a log record's body travels in the event made of it."""
_EVENT_NAMES = ("gen_ai.",)


def log_record(
    trace_id: str, span_id: str, name: str, time: int, attributes: dict[str, AttributeValue], body: AttributeValue, dropped: int
) -> LogRecord | None:
    """The log record as an event of its span, or None when it is not about a model call."""
    name = name or str(attributes.get("event.name") or "")
    if not name.startswith(_EVENT_NAMES):
        return None
    if body is not None:
        attributes[LOG_BODY] = body
    return LogRecord(trace_id, span_id, Event(name, min(time, INT64_MAX), attributes, dropped))
