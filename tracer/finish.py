"""From an ended span to what is sent: everything that could wait until the caller had its result.

Documents, queries and messages are found in what was captured, input and output get their type, the provider's limits are applied, and
secrets are removed. The result is a `Finished` value that the encoder writes as it stands and from which `readable` makes the SDK's
own span for other exporters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind
from opentelemetry.trace.status import Status, StatusCode

from tracer import conventions as names
from tracer import documents, messages
from tracer.lightspan import Binary, Span, parent_context, readable_value
from tracer.safety import attempt
from tracer.vectors import without_vectors

Attributes = dict[str, Any]
Redactor = Callable[[Attributes], Attributes]


@dataclass(slots=True)
class Finished:
    """An ended span as it will be sent. In attributes, `bytes` is text in UTF-8 and `Binary` is bytes."""

    trace_id: int
    span_id: int
    parent_id: int
    parent_remote: bool
    trace_state: str
    name: str
    otel_kind: int  # OTLP's number
    start_time: int
    end_time: int
    attributes: Attributes
    events: Sequence[tuple[str, int, Attributes, int]]  # name, time, attributes, dropped attributes
    links: Sequence[tuple[SpanContext, Attributes, int]]
    status_code: int
    status_message: str | None
    resource: Resource
    scope: InstrumentationScope | None
    dropped_attributes: int = 0
    dropped_events: int = 0
    dropped_links: int = 0


Item = Span | ReadableSpan | Finished
"""What waits in the queue: a span of ours, one of other instrumentation, or one that was finished already."""


# ---- From our span ----


def finish(span: Span, limits: SpanLimits | None, redact: Redactor | None) -> Finished:
    """The span with everything derived, limited and redacted."""
    attributes = span.attributes_
    for value, mime in _TYPED:
        given = attributes.get(value)
        if type(given) is bytes:
            attributes[value] = without_vectors(given)
        if given is not None and mime not in attributes:
            attributes[mime] = names.MIME_JSON if type(given) is bytes else names.MIME_TEXT
    if redact is not None:
        attributes = redact(attributes)
    for derive in _DERIVED.get(span.kind, ()):  # from clean text comes clean text
        attempt(derive, attributes, default=None)
    state = span.trace_state
    finished = Finished(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        parent_remote=span.parent_remote,
        trace_state=",".join(f"{key}={value}" for key, value in state.items()) if state else "",
        name=span.name,
        otel_kind=span.otel_kind.value + 1,
        start_time=span.start_time,
        end_time=span.end_time,
        attributes=attributes,
        events=[(name, time, kept, 0) for name, time, kept in span.events_] if span.events_ else (),
        links=[(context, kept, 0) for context, kept in span.links_] if span.links_ else (),
        status_code=span.status_code,
        status_message=span.status_message,
        resource=span.recorder.resource,
        scope=span.recorder.scope,
    )
    if limits is not None:
        _limit(finished, limits)
    if redact is not None:
        _redact_rest(finished, redact)
    return finished


_TYPED = ((names.INPUT_VALUE, names.INPUT_MIME_TYPE), (names.OUTPUT_VALUE, names.OUTPUT_MIME_TYPE))


def _retriever(attributes: Attributes) -> None:
    given, returned = attributes.get(names.INPUT_VALUE), attributes.get(names.OUTPUT_VALUE)
    if names.QUERY not in attributes and given is not None:
        query, _ = documents.query_and_documents(given)
        if query is not None:
            attributes[names.QUERY] = query
    if names.DOCUMENTS not in attributes and type(returned) is bytes:
        found = documents.from_output(returned)
        if found is not None:
            attributes[names.DOCUMENTS] = found


def _reranker(attributes: Attributes) -> None:
    given, returned = attributes.get(names.INPUT_VALUE), attributes.get(names.OUTPUT_VALUE)
    if given is not None and not (names.RERANKER_QUERY in attributes and names.INPUT_DOCUMENTS in attributes):
        query, before = documents.query_and_documents(given)
        if query is not None:
            attributes.setdefault(names.RERANKER_QUERY, query)
        if before is not None:
            attributes.setdefault(names.INPUT_DOCUMENTS, before)
    if names.DOCUMENTS not in attributes and type(returned) is bytes:
        found = documents.from_output(returned)
        if found is not None:
            attributes[names.DOCUMENTS] = found


def _llm(attributes: Attributes) -> None:
    given, returned = attributes.get(names.INPUT_VALUE), attributes.get(names.OUTPUT_VALUE)
    if names.INPUT_MESSAGES not in attributes and given is not None:
        found = messages.from_input(given)
        if found is not None:
            attributes[names.INPUT_MESSAGES] = found
    if names.OUTPUT_MESSAGES not in attributes and returned is not None:
        found = messages.from_output(returned)
        if found is not None:
            attributes[names.OUTPUT_MESSAGES] = found
    if type(returned) is bytes and names.INPUT_TOKENS not in attributes:
        for key, value in messages.told_by_completion(returned).items():
            attributes.setdefault(key, value)


def _embedding(attributes: Attributes) -> None:
    given = attributes.get(names.INPUT_VALUE)
    if names.EMBEDDING_TEXTS not in attributes and given is not None:
        texts = documents.texts(given)
        if texts is not None:
            attributes[names.EMBEDDING_TEXTS] = texts


def _prompt(attributes: Attributes) -> None:
    given = attributes.get(names.INPUT_VALUE)
    if names.PROMPT_TEMPLATE in attributes and names.PROMPT_VARIABLES not in attributes and type(given) is bytes and given[:1] == b"{":
        attributes[names.PROMPT_VARIABLES] = given


_DERIVED: dict[str, Sequence[Callable[[Attributes], None]]] = {
    "RETRIEVER": (_retriever,),
    "RERANKER": (_reranker,),
    "LLM": (_llm,),
    "EMBEDDING": (_embedding,),
    "PROMPT": (_prompt,),
}
"""What is found in the captured arguments and result of a step, by its kind, where the step did not say it itself."""


# ---- Limits, as the SDK applies them: the oldest attributes go first, and what went is counted ----


def _limit(finished: Finished, limits: SpanLimits) -> None:
    length = limits.max_span_attribute_length
    finished.attributes, finished.dropped_attributes = _limited(finished.attributes, limits.max_span_attributes, length)
    if limits.max_events is not None and len(finished.events) > limits.max_events:
        finished.dropped_events = len(finished.events) - limits.max_events
        finished.events = finished.events[-limits.max_events :]
    if limits.max_links is not None and len(finished.links) > limits.max_links:
        finished.dropped_links = len(finished.links) - limits.max_links
        finished.links = finished.links[-limits.max_links :]
    if finished.events:
        count, length = limits.max_event_attributes, limits.max_attribute_length
        finished.events = [(name, time, *_limited(kept, count, length)) for name, time, kept, _ in finished.events]
    if finished.links:
        count, length = limits.max_link_attributes, limits.max_attribute_length
        finished.links = [(context, *_limited(kept, count, length)) for context, kept, _ in finished.links]


def _limited(attributes: Attributes, count: int | None, length: int | None) -> tuple[Attributes, int]:
    dropped = max(0, len(attributes) - count) if count is not None else 0
    if dropped:
        attributes = dict(list(attributes.items())[dropped:])
    if length is not None:
        attributes = {key: _shortened(value, length) for key, value in attributes.items()}
    return attributes, dropped


def _shortened(value: Any, length: int) -> Any:
    if type(value) is str:
        return value[:length]
    if type(value) is bytes and len(value) > length:
        return value.decode("utf-8", "replace")[:length]
    if type(value) is tuple:
        return tuple(_shortened(item, length) for item in value)
    return value


# ---- Redaction ----


def _redact_rest(finished: Finished, redact: Redactor) -> None:
    """Takes the secrets out of events (exceptions) and the status message."""
    if finished.events:
        finished.events = [(name, time, redact(kept), dropped) for name, time, kept, dropped in finished.events]
    if finished.status_message:
        message = redact({"exception.message": finished.status_message}).get("exception.message", "")
        finished.status_message = message.decode("utf-8", "replace") if type(message) is bytes else message


# ---- From and to the SDK's span ----


def from_readable(span: ReadableSpan, redact: Redactor | None) -> Finished | None:
    """A span of other OpenTelemetry instrumentation; it is already limited. None for one without a context."""
    context, parent = span.get_span_context(), span.parent
    if context is None:
        return None
    finished = Finished(
        trace_id=context.trace_id,
        span_id=context.span_id,
        parent_id=parent.span_id if parent is not None else 0,
        parent_remote=parent is not None and parent.is_remote,
        trace_state=",".join(f"{key}={value}" for key, value in context.trace_state.items()),
        name=span.name,
        otel_kind=span.kind.value + 1,
        start_time=span.start_time or 0,
        end_time=span.end_time or 0,
        attributes=_from_sdk(span.attributes),
        events=[(event.name, event.timestamp, _from_sdk(event.attributes), event.dropped_attributes) for event in span.events],
        links=[(link.context, _from_sdk(link.attributes), link.dropped_attributes) for link in span.links],
        status_code=span.status.status_code.value,
        status_message=span.status.description,
        resource=span.resource,
        scope=span.instrumentation_scope,
        dropped_attributes=span.dropped_attributes,
        dropped_events=span.dropped_events,
        dropped_links=span.dropped_links,
    )
    if redact is not None:
        finished.attributes = redact(finished.attributes)
        _redact_rest(finished, redact)
    return finished


def _from_sdk(attributes: Mapping[str, Any] | None) -> Attributes:
    if not attributes:
        return {}
    return {key: _marked(value) for key, value in attributes.items()}


def _marked(value: Any) -> Any:
    """Bytes are bytes in the SDK's attributes, at any depth."""
    kind = type(value)
    if kind is bytes:
        return Binary(value)
    if kind is tuple or kind is list:
        return tuple(_marked(item) for item in value)
    if kind is dict:
        return {key: _marked(item) for key, item in value.items()}
    return value


class Readable(ReadableSpan):
    """The SDK's view of one of our spans, for processors and exporters of the user's choice."""


def readable(span: Span, finished: Finished) -> Readable:
    """What other processors and exporters get."""
    code = StatusCode(finished.status_code)
    return Readable(
        name=finished.name,
        context=span.get_span_context(),
        parent=parent_context(span),
        resource=finished.resource,
        attributes={key: readable_value(value) for key, value in finished.attributes.items()},
        events=[Event(name, {k: readable_value(v) for k, v in kept.items()}, time) for name, time, kept, _ in finished.events],
        links=[Link(context, {k: readable_value(v) for k, v in kept.items()}) for context, kept, _ in finished.links],
        kind=SpanKind(finished.otel_kind - 1),
        status=Status(code, finished.status_message if code is StatusCode.ERROR else None),
        start_time=finished.start_time,
        end_time=finished.end_time,
        instrumentation_scope=finished.scope,
    )
