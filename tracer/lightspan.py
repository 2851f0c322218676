"""Span: an OpenTelemetry span that costs 2 µs instead of 40.

It is a `opentelemetry.trace.Span`: it sits in the OpenTelemetry context, other instrumentation nests under it and it under others.
What makes it cheap is what it leaves for later: attributes are a plain dict (JSON stays `bytes`, as orjson wrote it), limits, redaction and
documents found in results are worked out by `tracer.finish` off the caller's thread, and the SDK's own span is only built when somebody
else listens.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from opentelemetry import trace
from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import SpanContext, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode

from tracer import conventions as names
from tracer.capture import cut, describe
from tracer.fields import Fields
from tracer.safety import attempt, quiet, safely

if TYPE_CHECKING:
    from tracer.recorder import Recorder

_STACKTRACE_LIMIT = 32_000  # characters, kept from the end: the innermost frames
_MESSAGE_LIMIT = 10_000

SPAN_KEY = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))
"""OpenTelemetry's context key of the current span, found through its public function: reading it directly saves two calls a span."""


class Binary(bytes):
    """Bytes that the program gave as bytes; plain `bytes` among a span's attributes are text in UTF-8."""


class Span(Fields, trace.Span):
    """One step of the pipeline. See the setters for what can be said about it; every method of an OpenTelemetry span works too."""

    __slots__ = (
        "attributes_",
        "captures_input",
        "captures_output",
        "context",
        "end_time",
        "events_",
        "kind",
        "links_",
        "name",
        "opener",
        "otel_kind",
        "parent_id",
        "parent_remote",
        "previous",
        "recorder",
        "recording",
        "sampled",
        "span_id",
        "start_time",
        "status_code",
        "status_message",
        "trace_id",
        "trace_state",
        "value_limit",
    )

    def __init__(
        self,
        recorder: Recorder,
        name: str,
        kind: str,
        trace_id: int,
        span_id: int,
        attributes: dict[str, Any],
    ) -> None:
        self.recorder = recorder
        self.name = name
        self.kind = kind
        self.trace_id = trace_id
        self.span_id = span_id
        self.parent_id = 0
        self.parent_remote = False
        self.trace_state: TraceState | None = None
        self.attributes_ = attributes
        self.events_: list[tuple[str, int, dict[str, Any]]] = []
        self.links_: tuple[tuple[SpanContext, dict[str, Any]], ...] = ()
        self.status_code = 0
        self.status_message: str | None = None
        self.otel_kind = trace.SpanKind.INTERNAL
        self.sampled = True
        self.recording = True
        self.value_limit = recorder.value_limit
        self.captures_input = recorder.captures
        self.captures_output = recorder.captures
        self.previous: Context | None = None
        self.opener: object = None
        self.end_time = 0
        self.start_time = time.time_ns()

    # ---- What Fields needs ----

    def put(self, key: str, value: Any) -> None:
        if self.recording:
            self.attributes_[key] = value

    def get(self, key: str) -> Any:
        return self.attributes_.get(key)

    @quiet
    def fail(self, error: BaseException | str) -> None:
        """Marks the span as failed, with the exception's type, message and stack trace."""
        if not self.recording:
            return
        if isinstance(error, str):
            self.status_code, self.status_message = StatusCode.ERROR.value, error
            return
        self.record_exception(error, escaped=True)
        self.status_code = StatusCode.ERROR.value
        self.status_message = f"{type(error).__name__}: {_message(error)}"

    # ---- As a context manager ----

    def __enter__(self) -> Self:
        if self.span_id:
            self.previous = get_current()
            attach(self.context)
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None) -> None:
        # Set back rather than reset by token: a generator may be left in another context than it was entered in.
        if self.previous is not None and get_current() is self.context:
            attach(self.previous)
        self.previous = None
        if exc_val is not None:
            self.close(exc_val)
        else:
            self.end()

    def close(self, error: BaseException) -> None:
        """Ends the span of a step that was left by an exception."""
        with safely:
            if isinstance(error, GeneratorExit):
                self.attributes_[names.CANCELLED] = True
            else:
                if type(error).__name__ in ("CancelledError", "Cancelled"):
                    self.attributes_[names.CANCELLED] = True
                self.fail(error)
        self.end()

    # ---- An OpenTelemetry span ----

    def get_span_context(self) -> SpanContext:
        flags = (1 if self.sampled else 0) | self.recorder.random_flag
        return SpanContext(self.trace_id, self.span_id, False, TraceFlags(flags), self.trace_state)

    def is_recording(self) -> bool:
        return self.recording

    def end(self, end_time: int | None = None) -> None:
        """Ends the span; what happens to it afterwards is not the caller's business."""
        if self.end_time:
            return
        self.end_time = end_time or time.time_ns()
        if self.recording:
            self.recording = False
            with safely:
                self.recorder.ended(self)

    @quiet
    def set_attribute(self, key: str, value: Any) -> None:
        self.put(key, attribute_value(value))

    @quiet
    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        for key, value in attributes.items():
            self.put(key, attribute_value(value))

    @quiet
    def add_event(self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None) -> None:
        if self.recording:
            kept = {key: attribute_value(value) for key, value in attributes.items()} if attributes else {}
            self.events_.append((str(name), timestamp or time.time_ns(), kept))

    @quiet
    def add_link(self, context: SpanContext, attributes: Mapping[str, Any] | None = None) -> None:
        if self.recording and context.is_valid:
            kept = {key: attribute_value(value) for key, value in attributes.items()} if attributes else {}
            self.links_ = (*self.links_, (context, kept))

    @quiet
    def record_exception(
        self,
        exception: BaseException,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        kind = type(exception)
        lines = attempt(_format, exception, default="")
        self.add_event(
            "exception",
            {
                "exception.type": kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}",
                "exception.message": _message(exception),
                "exception.stacktrace": lines if len(lines) <= _STACKTRACE_LIMIT else f"…{lines[-_STACKTRACE_LIMIT:]}",
                "exception.escaped": str(escaped),
                **(attributes or {}),
            },
            timestamp,
        )

    @quiet
    def update_name(self, name: str) -> None:
        if self.recording:
            self.name = name

    @quiet
    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        code, message = (status.status_code, status.description) if isinstance(status, Status) else (status, description)
        if self.recording and self.status_code != StatusCode.OK.value and code is not StatusCode.UNSET:
            self.status_code = code.value
            self.status_message = message if code is StatusCode.ERROR else None

    # ---- What listeners of the SDK read at the start of a span ----

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes so far, as OpenTelemetry shows them."""
        return {key: readable_value(value) for key, value in self.attributes_.items()}

    @property
    def parent(self) -> SpanContext | None:
        return parent_context(self)

    @property
    def resource(self) -> Any:
        return self.recorder.resource

    @property
    def instrumentation_scope(self) -> Any:
        return self.recorder.scope

    @property
    def status(self) -> Status:
        code = StatusCode(self.status_code)
        return Status(code, self.status_message if code is StatusCode.ERROR else None)


def parent_context(span: Span) -> SpanContext | None:
    if not span.parent_id:
        return None
    return SpanContext(span.trace_id, span.parent_id, span.parent_remote, TraceFlags(1), span.trace_state)


def _message(error: BaseException) -> str:
    text = attempt(str, error, default="<unprintable>")
    return text if len(text) <= _MESSAGE_LIMIT else cut(text, _MESSAGE_LIMIT)


def _format(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def readable_value(value: Any) -> Any:
    """An attribute as other OpenTelemetry code expects it: text is `str`."""
    return value.decode("utf-8", "replace") if type(value) is bytes else bytes(value) if type(value) is Binary else value


def attribute_value(value: Any) -> Any:
    """What OpenTelemetry allows as an attribute, safe against later changes; anything else is described."""
    read = _ALLOWED.get(type(value))
    if read is not None:
        return read(value)
    if isinstance(value, Mapping):
        return {str(key): attribute_value(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray, memoryview)):
        return tuple(attribute_value(item) for item in cast("Sequence[object]", value))
    for base in (bool, int, float, str):
        if isinstance(value, base):
            return base(value)
    described = attempt(describe, value, default=f"<unserialisable {type(value).__name__}>")
    return described if isinstance(described, (str, int, float, bool)) else str(described)


def _same(value: Any) -> Any:
    return value


_ALLOWED: dict[type, Callable[[Any], Any]] = {
    str: _same,
    bool: _same,
    int: _same,
    float: _same,
    type(None): _same,
    bytes: Binary,
    Binary: _same,
}
