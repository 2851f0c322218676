"""OTLP over gRPC: TraceService, LogsService and MetricsService on one port, by threads, into the same admission as HTTP.

Measured on the same load, threads cost no more than `grpc.aio` (500 to 1,100 µs of server CPU per request against 650 to 2,500), and a
thread may simply wait for the commit. Bodies arrive as bytes and go through the decoder HTTP uses. What is worth retrying is UNAVAILABLE
with a RetryInfo; a client must not retry INVALID_ARGUMENT or a message over the size limit.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from collector import otlp
from collector.errors import InvalidValue, MalformedRequest, Overloaded, RequestTooLarge, RightPassageError
from collector.otlp import Encoding
from collector.reception import Accepts, Limits, Reception, Signal, holds_anything

METHODS = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": Signal.TRACES,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": Signal.LOGS,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": Signal.METRICS,
}
THREADS = 32  # all may wait for one commit: the more wait together, the fewer commits


class GrpcServer:
    """A running server; `port` is the bound one (the address may say 0)."""

    def __init__(self, server: grpc.Server, threads: ThreadPoolExecutor, port: int) -> None:
        self.port = port
        self._server, self._threads = server, threads

    def stop(self, grace_s: float = 5.0) -> None:
        """Refuse new requests, let running ones finish within the grace period, release the port. Idempotent."""
        self._server.stop(grace_s).wait()
        self._threads.shutdown(wait=True)


def serve(
    ingest: Accepts, address: str, token: str | None = None, limits: Limits | None = None, reception: Reception | None = None
) -> GrpcServer:
    """Start serving OTLP on HOST:PORT; InvalidValue when the address cannot be bound."""
    reception = reception or Reception(limits)
    threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="otlp-grpc")
    options = [
        ("grpc.so_reuseport", 0),  # a second collector on the port must fail, not share it
        ("grpc.max_receive_message_length", reception.limits.body_bytes),
        ("grpc.max_metadata_size", 16 * 1024),
    ]
    server = grpc.server(threads, handlers=[_Export(ingest, reception, token)], options=options)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    if not port:
        threads.shutdown()
        raise InvalidValue(f"cannot listen for gRPC on {address!r}: is the port taken?")
    server.start()
    return GrpcServer(server, threads, port)


class _Export(grpc.GenericRpcHandler):
    def __init__(self, ingest: Accepts, reception: Reception, token: str | None) -> None:
        self._ingest, self._reception = ingest, reception
        self._expected = token.encode() if token else None

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        signal = METHODS.get(handler_call_details.method)
        if signal is None:
            return None  # UNIMPLEMENTED
        if not self._may(handler_call_details.invocation_metadata or ()):
            return grpc.unary_unary_rpc_method_handler(_unauthenticated)
        return grpc.unary_unary_rpc_method_handler(self._export(signal))

    def _may(self, metadata: Sequence[Any]) -> bool:
        if self._expected is None:
            return True
        given = next((value for key, value in metadata if key == "authorization"), "")
        scheme, _, secret = (given if isinstance(given, bytes) else given.encode()).strip().partition(b" ")
        return hmac.compare_digest(secret.strip(), self._expected) and scheme.lower() == b"bearer"  # a scheme has no case

    def _export(self, signal: Signal) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def export(body: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                with self._reception.holding() as holding:
                    holding.add(len(body))
                    received = self._reception.read(signal, body, Encoding.PROTOBUF)
                    if holds_anything(received.batch):
                        self._ingest.accept_blocking(received.batch, received.body_bytes)
            except RightPassageError as error:
                _abort(context, error)
            return otlp.encode_answer(received.rejected, received.message, Encoding.PROTOBUF)

        return export


def _unauthenticated(body: bytes, context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "this collector wants metadata authorization: Bearer TOKEN")


def _abort(context: grpc.ServicerContext, error: RightPassageError) -> NoReturn:
    if isinstance(error, MalformedRequest):
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
    if isinstance(error, RequestTooLarge):
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))  # without RetryInfo: not to be retried
    after = error.retry_after_s if isinstance(error, Overloaded) else 1
    retry = any_pb2.Any()
    retry.Pack(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=min(max(int(after), 1), 30))))
    status = status_pb2.Status(code=grpc.StatusCode.UNAVAILABLE.value[0], message=str(error), details=[retry])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
