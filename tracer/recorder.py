"""The recorder: starts spans in the OpenTelemetry context and hands ended ones on.

It stands on an SDK TracerProvider, the user's or one of our own, and takes from it everything OpenTelemetry promises: sampler, id
generator, limits, resource, and the processors of others, which see every span of ours as the SDK's own.
There is at most one, in `current`; the first span configures it from the environment when nobody did.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.context import Context, get_current
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, SynchronousMultiSpanProcessor, Tracer, TracerProvider
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext

from tracer import conventions as names
from tracer.context import BOUND_KEY, Bound
from tracer.counters import EXIT_SECONDS, Delivery
from tracer.finish import Finished, Item, Readable, Redactor, finish, from_readable, readable
from tracer.lightspan import SPAN_KEY, Span
from tracer.provenance import dirty
from tracer.safety import safely

if TYPE_CHECKING:
    from tracer.pipeline import Pipeline

OPERATIONS = {
    "LLM": "chat",
    "EMBEDDING": "embeddings",
    "RETRIEVER": "retrieval",
    "TOOL": "execute_tool",
    "AGENT": "invoke_agent",
}
"""OpenTelemetry's operation names of our kinds."""

KINDS = ("AGENT", "CHAIN", "EMBEDDING", "EVALUATOR", "GUARDRAIL", "LLM", "PROMPT", "RERANKER", "RETRIEVER", "TOOL", "UNKNOWN")


@dataclass(slots=True)
class Recorder:
    """What `configure` built. `pipeline` is None when spans go to other processors only."""

    provider: TracerProvider
    tracer: Tracer
    limits: SpanLimits
    pipeline: Pipeline | None
    redact: Redactor | None
    listeners: Callable[[], tuple[Any, ...]]  # processors of others
    flatten: Callable[[Finished], Finished] | None = None  # for collectors that are not ours
    captures: bool = True
    value_limit: int = 5 * 1024 * 1024
    viewer: str | None = None
    always_flatten: bool = False
    always: bool = False  # the sampler is the default one: a root is sampled, a child as its parent
    random_flag: int = 0
    foreign: ForeignSpans | None = None  # our processor on the provider
    scope: Any = None
    asks_git: bool = False  # the resource is ours to describe
    _sent: tuple[Any, Any] = (None, None)  # the provider's resource, and what is sent for it

    def __post_init__(self) -> None:
        self.always = self.tracer.sampler is DEFAULT_ON
        is_random = getattr(self.tracer.id_generator, "is_trace_id_random", None)
        self.random_flag = 2 if is_random is not None and is_random() else 0
        self.scope = getattr(self.tracer, "_instrumentation_scope", None)

    @property
    def resource(self) -> Any:
        return self.tracer.resource

    def sent_resource(self) -> Any:
        """The resource as it is sent: with whether the code differs from its commit, asked once, on the pipeline's thread."""
        plain = self.tracer.resource
        if self._sent[0] is not plain:
            commit = plain.attributes.get(names.GIT_COMMIT)
            changed = dirty(Path.cwd()) if commit is not None and self.asks_git else None
            self._sent = (plain, plain.merge(Resource({names.GIT_DIRTY: changed})) if changed is not None else plain)
        return self._sent[1]

    # ---- Starting ----

    def start(self, name: str, kind: str, attributes: dict[str, Any], context: Context | None = None) -> Span:
        """A started span in `span.context`, a child of the current span. `attributes` is the span's own from now on."""
        if context is None:
            context = get_current()
        parent: Any = context.get(SPAN_KEY)
        generator = self.tracer.id_generator
        if type(parent) is Span and parent.span_id:
            span = Span(self, name, kind, parent.trace_id, generator.generate_span_id(), attributes)
            span.parent_id, span.trace_state = parent.span_id, parent.trace_state
            sampled = parent.sampled
        else:
            known: SpanContext | None = parent.get_span_context() if parent is not None else None
            if known is not None and known.is_valid:
                span = Span(self, name, kind, known.trace_id, generator.generate_span_id(), attributes)
                span.parent_id, span.parent_remote = known.span_id, known.is_remote
                span.trace_state = known.trace_state or None
                sampled = known.trace_flags.sampled
            else:
                span = Span(self, name, kind, generator.generate_trace_id(), generator.generate_span_id(), attributes)
                sampled = True
        bound: Any = context.get(BOUND_KEY)
        if bound is not None:
            _bind(bound, attributes)
        span.context = Context({**context, SPAN_KEY: span})
        if not self.always:
            self._sample(span, context)
        elif not sampled:
            span.sampled = span.recording = False
        if span.recording:
            pipeline = self.pipeline
            if pipeline is not None and pipeline.announcing:
                pipeline.opened(span)
            for listener in self.listeners():
                with safely:
                    listener.on_start(span, parent_context=context)
        return span

    def _sample(self, span: Span, context: Context) -> None:
        result = self.tracer.sampler.should_sample(context, span.trace_id, span.name, span.otel_kind, span.attributes, ())
        span.sampled = result.decision.is_sampled()
        span.recording = result.decision.is_recording()
        span.trace_state = result.trace_state or None
        if span.recording and result.attributes:
            span.set_attributes(result.attributes)

    # ---- Ending ----

    def ended(self, span: Span) -> None:
        """Hands an ended span on: to other processors at once, to the pipeline as a reference."""
        pipeline = self.pipeline
        item: Item = span
        listeners = self.listeners()
        if listeners:
            finished = finish(span, self.limits, self.redact)
            seen = readable(span, finished)
            for listener in listeners:
                with safely:
                    listener.on_end(seen)
            item = finished
        if pipeline is not None:
            if pipeline.announcing:
                pipeline.closed(span)
            if span.sampled:
                pipeline.put(item, _size(span.attributes_))

    def prepare(self, item: Item, ours: bool | None) -> Finished | None:
        """What the pipeline sends for an item; called on its thread."""
        if isinstance(item, Span):
            finished = finish(item, self.limits, self.redact) if item.end_time else _announcement(item, self.redact)
        elif isinstance(item, Finished):
            finished = item
        else:
            finished = from_readable(item, self.redact)
        if finished is not None and finished.resource is self.tracer.resource:
            finished.resource = self.sent_resource()
        if finished is not None and self.flatten is not None and (self.always_flatten or not ours):
            return self.flatten(finished)
        return finished


def _size(attributes: dict[str, Any]) -> int:
    size = 0
    for value in attributes.values():
        if type(value) is str or type(value) is bytes:
            size += len(value)
    return size


def _bind(bound: Bound, attributes: dict[str, Any]) -> None:
    for key, value in bound.attributes.items():
        attributes.setdefault(key, value)


def _announcement(span: Span, redact: Redactor | None) -> Finished:
    """A running span as it is so far: an end time of 0 and the state say so."""
    twin = Span(span.recorder, span.name, span.kind, span.trace_id, span.span_id, dict(span.attributes_))
    twin.parent_id, twin.parent_remote, twin.trace_state, twin.start_time = (
        span.parent_id,
        span.parent_remote,
        span.trace_state,
        span.start_time,
    )
    twin.attributes_[names.SPAN_STATE] = "running"
    return finish(twin, None, redact)


# ---- What the provider calls ----


class Processors(SynchronousMultiSpanProcessor):
    """The processors of a provider of ours; knows whether anybody but us listens."""

    def __init__(self) -> None:
        super().__init__()
        self.others: tuple[Any, ...] = ()

    def add_span_processor(self, span_processor: Any) -> None:
        super().add_span_processor(span_processor)
        if not isinstance(span_processor, ForeignSpans):
            self.others = (*self.others, span_processor)


class ForeignSpans(SpanProcessor):
    """Our processor on the provider: takes the spans that other OpenTelemetry instrumentation makes."""

    def __init__(self) -> None:
        self.recorder: Recorder | None = None

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        bound: Any = (get_current() if parent_context is None else parent_context).get(BOUND_KEY)
        if bound is not None and not isinstance(cast(object, span), Span):
            with safely:
                span.set_attributes(bound.readable)

    def _on_ending(self, span: SdkSpan) -> None:
        return None

    def on_end(self, span: ReadableSpan) -> None:
        recorder = self.recorder
        if type(span) is Readable or recorder is None or recorder.pipeline is None:
            return
        context = span.get_span_context()
        if context is not None and context.trace_flags.sampled:
            with safely:
                recorder.pipeline.put(span, _size(dict(span.attributes or {})))

    def shutdown(self) -> None:
        recorder = self.recorder
        if recorder is not None and recorder.pipeline is not None:
            recorder.pipeline.stop(EXIT_SECONDS)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        recorder = self.recorder
        if recorder is None or recorder.pipeline is None:
            return True
        return recorder.pipeline.flush(timeout_millis / 1000).queued == 0


# ---- The one recorder ----


class _Current:
    """The recorder in use; `off` once tracing is disabled."""

    __slots__ = ("off", "recorder")

    def __init__(self) -> None:
        self.recorder: Recorder | None = None
        self.off = False


current = _Current()
_configuring = threading.RLock()


def active() -> Recorder | None:
    """The recorder, configured from the environment at the first call; None while tracing is off."""
    if current.recorder is not None or current.off:
        return current.recorder
    with _configuring:
        if current.recorder is None and not current.off:
            from tracer.configuration import configure_by_itself

            configure_by_itself()
    if current.recorder is None:
        current.off = True
    return current.recorder


def flush(timeout: float = 5.0) -> Delivery:
    """Sends what is queued, waiting at most `timeout` seconds; what cannot be sent is safe on disk where there is a spool."""
    recorder = current.recorder
    if recorder is None:
        return Delivery()
    if recorder.pipeline is not None:
        return recorder.pipeline.flush(timeout)
    with safely:
        recorder.provider.force_flush(int(timeout * 1000))  # an exporter of the user's: OpenTelemetry does not count
    return Delivery()


def delivery() -> Delivery:
    """Where the spans of this process went so far."""
    pipeline = current.recorder.pipeline if current.recorder is not None else None
    return pipeline.delivery() if pipeline is not None else Delivery()


class _Silent(Span):
    """What steps get while tracing is off: takes everything, keeps nothing, and is never current."""

    def __init__(self) -> None:
        self.kind = "UNKNOWN"
        self.name = ""
        self.trace_id = self.span_id = self.parent_id = 0
        self.parent_remote = self.sampled = self.recording = self.captures_input = self.captures_output = False
        self.trace_state = self.previous = None
        self.attributes_ = {}
        self.events_, self.links_ = [], ()
        self.status_code, self.status_message = 0, None
        self.value_limit = 0
        self.start_time = self.end_time = 1
        self.context = Context()

    def get_span_context(self) -> SpanContext:
        return INVALID_SPAN_CONTEXT


SILENT = _Silent()
