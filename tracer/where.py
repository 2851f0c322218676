"""Where the program is: the current span, its trace, and the trace's page in the viewer."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.context import get_current

from tracer.lightspan import SPAN_KEY, Span
from tracer.recorder import SILENT, current


def current_span() -> Span:
    """The innermost open step; outside of any, a silent one that takes everything and keeps nothing."""
    found = get_current().get(SPAN_KEY)
    return found if isinstance(found, Span) else SILENT


def current_trace_id() -> str | None:
    """The trace id of the current span, 32 hex digits; None outside of any."""
    found = get_current().get(SPAN_KEY)
    context = found.get_span_context() if isinstance(found, trace.Span) else None
    return f"{context.trace_id:032x}" if context is not None and context.is_valid else None


def current_trace_url() -> str | None:
    """The page of the current trace in the viewer; None outside of any."""
    trace_id = current_trace_id()
    if trace_id is None:
        return None
    recorder = current.recorder
    return trace_url(trace_id, recorder.viewer if recorder is not None else None)


def trace_url(trace_id: str, viewer: str | None = None) -> str:
    """The page of a trace in the viewer."""
    return f"{viewer or 'http://localhost:8501'}/trace?trace_id={trace_id}"
