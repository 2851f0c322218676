"""The bytes we write parse equal to what OpenTelemetry's own encoder makes of the same span."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.trace import SpanContext, TraceFlags
from opentelemetry.trace.status import StatusCode

import tracer
from tests.tracer.conftest import Sink
from tracer import encoding
from tracer.encoding import Group, request
from tracer.finish import Finished, finish, from_readable, readable
from tracer.halving import halves, partial_success
from tracer.lightspan import Span
from tracer.recorder import Processors, Recorder


def a_recorder() -> Recorder:
    provider = TracerProvider(resource=Resource({"service.name": "s", "n": 1}), active_span_processor=Processors(), shutdown_on_exit=False)
    sdk_tracer = provider.get_tracer("scope", "1.2", schema_url="https://schema", attributes={"a": True})
    assert isinstance(sdk_tracer, SdkTracer)
    return Recorder(provider, sdk_tracer, SpanLimits(), None, None, tuple)


def written(finished: Finished) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(request([Group(finished.resource, finished.scope, [encoding.span(finished)])]))


def plain(span: Span) -> None:
    return None


def full(span: Span) -> None:
    for key, value in {
        "s": "ü\U0001f600",
        "i": -5,
        "b": True,
        "f": 1.5,
        "none": None,
        "raw": b"\x00\xff",
        "l": [1, 2],
        "m": {"k": ["v"]},
    }.items():
        span.set_attribute(key, value)
    span.set_output({"a": [1, None, "x"]})
    span.add_event("e", {"k": "v"}, 123)
    span.add_link(SpanContext(5, 6, True, TraceFlags(1)), {"why": "fork"})
    span.fail(ValueError("bad"))


def remote(span: Span) -> None:
    span.parent_id, span.parent_remote = 77, True
    span.otel_kind = trace.SpanKind.CLIENT
    span.set_status(StatusCode.OK)


@pytest.mark.parametrize("shape", [plain, full, remote])
def test_our_bytes_equal_opentelemetrys_message(shape: Callable[[Span], None]) -> None:
    span = a_recorder().start("näme", "CHAIN", {"openinference.span.kind": "CHAIN"})
    shape(span)
    span.end()
    finished = finish(span, SpanLimits(), None)
    assert written(finished) == encode_spans([readable(span, finished)])


attribute_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1), attribute_values, max_size=6), st.text())
def test_spans_of_other_instrumentation_are_encoded_as_opentelemetry_does(attributes: dict[str, Any], name: str) -> None:
    span = a_recorder().tracer.start_span(name)
    span.set_attributes(attributes)
    span.add_event("e", attributes)
    span.end()
    seen = span._readable_span()  # type: ignore[attr-defined]
    finished = from_readable(seen, None)
    assert finished is not None
    assert written(finished) == encode_spans([seen])


def test_what_protobuf_cannot_hold_is_written_as_text(sink: Sink) -> None:
    with tracer.chain("bad\ud800name") as span:
        span.set_attribute("n", 2**70)
        span.set_attribute("k\ud800", "v\ud800")
        span.set_error("message \ud800")
    with tracer.chain("neighbour"):
        pass
    spans = sink.spans()
    assert set(spans) == {"bad\ufffdname", "neighbour"}
    assert spans["bad\ufffdname"]["n"] == str(2**70)
    assert spans["bad\ufffdname"]["k\ufffd"] == "v\ufffd"


def test_a_span_that_cannot_be_encoded_costs_only_itself(sink: Sink) -> None:
    with tracer.chain("before"):
        pass
    with tracer.chain("impossible") as span:
        span.start_time = -1
    with tracer.chain("after"):
        pass
    told = tracer.flush()
    assert (told.acked, told.dropped) == (2, 1)
    assert set(sink.spans()) == {"before", "after"}


def test_halving_keeps_every_span_resource_and_scope() -> None:
    recorder = a_recorder()
    spans = [recorder.start(str(n), "CHAIN", {}) for n in range(5)]
    finished = [finish(span, None, None) for span in spans]
    whole = request([Group(recorder.resource, recorder.scope, [encoding.span(one) for one in finished])])
    parts = [(ExportTraceServiceRequest.FromString(body), spans) for body, spans in halves(whole)]
    assert [count for _, count in parts] == [2, 3]
    for message, _ in parts:
        assert message.resource_spans[0].resource.attributes[0].value.string_value == "s"
        assert message.resource_spans[0].scope_spans[0].scope.name == "scope"


@given(st.binary(max_size=200))
def test_any_answer_can_be_read(body: bytes) -> None:
    rejected, _ = partial_success(body)
    assert isinstance(rejected, int)
