"""How a span ended: the status as it must be shown, and what went wrong."""

from __future__ import annotations

import re

from collector.dialects.reading import Reading
from collector.dialects.values import text
from collector.model import (
    Event,
    SpanError,
    StatusCode,
)

LEVEL = "langfuse.observation.level"
_PREFIXED = re.compile(r"([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Timeout|Warning))(?:: |\()")


def status_of(reading: Reading) -> tuple[StatusCode, SpanError | None]:
    """The status as it must be shown, and what went wrong: the exception event says it best. An exception that was handled is told too, and
    leaves the status alone."""
    span = reading.span
    status = span.status
    if status is not StatusCode.ERROR and not span.events and LEVEL not in reading.attributes:
        return status, None
    exception = next((event for event in reversed(span.events) if event.name == "exception"), None) if span.events else None
    if status is not StatusCode.ERROR:
        escaped = exception is not None and str(exception.attributes.get("exception.escaped")).lower() == "true"
        # LangSmith records an exception for a failed run only, but its status may have been set to OK before, which OpenTelemetry keeps.
        failed = exception is not None and reading.dialect_name == "langsmith"
        if failed or str(reading.attributes.get(LEVEL)) == "ERROR" or (status is StatusCode.UNSET and escaped):
            status = StatusCode.ERROR
        elif exception is None:
            return status, None
    type_, message, stack = _exception(exception)
    message = message or reading.take("error_message", "error") or span.status_message or None
    type_ = type_ or reading.take("error_type", "error")
    if type_ is None and message and (prefixed := _PREFIXED.match(message[:200])):
        type_ = prefixed[1]
    return status, SpanError(type_, message, stack or reading.take("error_stack", "error"))


def _exception(event: Event | None) -> tuple[str | None, str | None, str | None]:
    if event is None:
        return None, None, None
    return (
        text(event.attributes.get("exception.type")),
        text(event.attributes.get("exception.message")),
        text(event.attributes.get("exception.stacktrace")),
    )
