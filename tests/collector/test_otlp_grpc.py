"""OTLP over gRPC, against the official client: same admission, same decoder, gRPC's words for the same answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.proto.trace.v1.trace_pb2 import Span as PbSpan

from collector import grpc as otlp_grpc
from collector.errors import InvalidValue, Overloaded
from collector.otlp import encode_traces
from collector.reception import Limits
from tests.collector.otlp_bodies import SPAN, Remembering, span
from tests.collector.test_otlp import logs_request

REQUEST = ExportTraceServiceRequest.FromString(encode_traces([span()]))


@contextmanager
def served(ingest: Remembering, token: str | None = None, **limits: Any) -> Iterator[tuple[grpc.Channel, int]]:
    server = otlp_grpc.serve(ingest, "127.0.0.1:0", token, Limits(**limits))
    with grpc.insecure_channel(f"127.0.0.1:{server.port}", options=[("grpc.enable_retries", 0)]) as channel:
        yield channel, server.port
    server.stop(0)


def refused(call: Callable[[], Any]) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def raw(channel: grpc.Channel) -> Callable[..., bytes]:
    return channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_spans_arrive_with_partial_success_unset(compression: grpc.Compression) -> None:
    ingest = Remembering()
    with served(ingest) as (channel, _):
        answer = TraceServiceStub(channel).Export(REQUEST, compression=compression, timeout=10)
    assert not answer.HasField("partial_success")
    assert ingest.spans == [span()]


def test_partial_success_counts_exactly() -> None:
    ingest = Remembering()
    request = ExportTraceServiceRequest.FromString(encode_traces([span()]))
    request.resource_spans[0].scope_spans[0].spans.append(PbSpan(trace_id=b"short"))
    with served(ingest) as (channel, _):
        answer = TraceServiceStub(channel).Export(request, timeout=10)
    assert answer.partial_success.rejected_spans == 1
    assert answer.partial_success.error_message
    assert ingest.spans == [span()]


def test_what_is_no_request_is_an_invalid_argument() -> None:
    with served(Remembering()) as (channel, _):
        assert refused(lambda: raw(channel)(b"\xff", timeout=10)).code() is grpc.StatusCode.INVALID_ARGUMENT


def test_overload_is_unavailable_with_retry_info() -> None:
    with served(Remembering(Overloaded("full", 7))) as (channel, _):
        error = refused(lambda: TraceServiceStub(channel).Export(REQUEST, timeout=10))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    status = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    retry = error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(retry)
    assert retry.retry_delay.seconds == 7


def test_a_message_over_the_limit_is_exhausted_and_not_to_be_retried() -> None:
    with served(Remembering(), body_bytes=10_000) as (channel, _):
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
            error = refused(lambda compression=compression: raw(channel)(bytes(100_000), compression=compression, timeout=10))
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "grpc-status-details-bin" not in dict(error.trailing_metadata() or ())


@pytest.mark.parametrize("given", [None, "Bearer wrong", "secret", "Bearer sécret"])
def test_without_the_token_nothing_is_read(given: str | None) -> None:
    ingest = Remembering()
    metadata = (("authorization", given.encode("ascii", "replace").decode()),) if given else ()
    with served(ingest, token="secret") as (channel, _):
        assert refused(lambda: raw(channel)(b"", metadata=metadata, timeout=10)).code() is grpc.StatusCode.UNAUTHENTICATED
        for scheme in ("Bearer", "bearer"):
            assert raw(channel)(b"", metadata=(("authorization", f"{scheme} secret"),), timeout=10) == b""
    assert ingest.batches == []


def test_logs_and_metrics_are_accepted() -> None:
    ingest = Remembering()
    with served(ingest) as (channel, _):
        LogsServiceStub(channel).Export(logs_request(), timeout=10)
        MetricsServiceStub(channel).Export(ExportMetricsServiceRequest(), timeout=10)
    assert [record.span_id for batch in ingest.batches for record in batch.logs] == [SPAN]


def test_other_methods_are_unimplemented() -> None:
    with served(Remembering()) as (channel, _):
        call = channel.unary_unary("/opentelemetry.proto.collector.profiles.v1.ProfilesService/Export")
        assert refused(lambda: call(b"", timeout=10)).code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_port_in_use_is_said_so() -> None:
    with served(Remembering()) as (_, port), pytest.raises(InvalidValue, match="port"):
        otlp_grpc.serve(Remembering(), f"127.0.0.1:{port}")


def test_who_dawdles_over_a_message_loses_the_place_to_those_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp_grpc, "PLACE_SECONDS", 0.3)
    ingest, done = Remembering(), threading.Event()

    def dawdling() -> Iterator[bytes]:
        done.wait(20)
        yield REQUEST.SerializeToString()

    with served(ingest, body_seconds=0.1) as (channel, _):
        path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        slow = [channel.stream_unary(path).future(dawdling(), timeout=20) for _ in range(otlp_grpc.PLACES)]
        time.sleep(0.5)
        error = refused(lambda: TraceServiceStub(channel).Export(REQUEST, timeout=10))
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert not TraceServiceStub(channel).Export(REQUEST, timeout=10).HasField("partial_success")
        for call in slow:
            assert refused(lambda call=call: call.result(timeout=10)).code() is grpc.StatusCode.CANCELLED
        done.set()
