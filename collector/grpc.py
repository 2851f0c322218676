"""OTLP over gRPC: TraceService, LogsService and MetricsService on one port, by threads, into the same admission as HTTP.

Measured on the same load, threads cost no more than `grpc.aio` (500 to 1,100 µs of server CPU per request against 650 to 2,500), and a
thread may simply wait for the commit. Bodies arrive as bytes and go through the decoder HTTP uses. What is worth retrying is UNAVAILABLE
with a RetryInfo; a client must not retry INVALID_ARGUMENT or a message over the size limit.

gRPC would read a whole message for every thread before anyone could refuse it. The calls are therefore declared as streams (of one message:
the same bytes on the wire), so that a message is only read once its call has one of a few places; those without one wait at their senders.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from collector import otlp
from collector.errors import InvalidValue, MalformedRequest, Overloaded, RequestTooLarge, RightPassageError
from collector.otlp import Encoding
from collector.reception import Accepts, Holding, Limits, Received, Reception, Signal, holds_anything

METHODS = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": Signal.TRACES,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": Signal.LOGS,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": Signal.METRICS,
}
THREADS = 32  # all may wait for one commit: the more wait together, the fewer commits
PLACES = 2  # messages that are read or decoded at a time; four take 100 MB more under ten senders of 60 MB, and are no quicker
PLACE_SECONDS = 10.0  # a call waits for a place


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
        ("grpc.http2.bdp_probe", 0),  # else each waiting call buffers several MB ahead of being read: 200 MB for forty senders
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


class _Places:
    """Where messages are read and decoded. A sender that dawdles over its message loses its place to those who wait for one."""

    def __init__(self, body_seconds: float) -> None:
        self._body_seconds = body_seconds
        self._free = threading.Condition()
        self._taken: dict[grpc.ServicerContext, float] = {}

    @contextmanager
    def place(self, context: grpc.ServicerContext) -> Generator[None]:
        """Raises Overloaded when none becomes free."""
        with self._free:
            if not self._free.wait_for(lambda: len(self._taken) < PLACES, PLACE_SECONDS):
                self._cut_dawdlers()
                raise Overloaded("too many requests at once: their bodies are still being read")
            self._taken[context] = time.monotonic()
        try:
            yield
        finally:
            with self._free:
                del self._taken[context]
                self._free.notify()

    def _cut_dawdlers(self) -> None:
        since = time.monotonic() - self._body_seconds
        for context, began in self._taken.items():
            if began < since:
                context.cancel()


class _Export(grpc.GenericRpcHandler):
    def __init__(self, ingest: Accepts, reception: Reception, token: str | None) -> None:
        self._ingest, self._reception = ingest, reception
        self._places = _Places(reception.limits.body_seconds)
        self._expected = token.encode() if token else None

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        signal = METHODS.get(handler_call_details.method)
        if signal is None:
            return None  # UNIMPLEMENTED
        if not self._may(handler_call_details.invocation_metadata or ()):
            return grpc.stream_unary_rpc_method_handler(_unauthenticated)
        return grpc.stream_unary_rpc_method_handler(self._export(signal))

    def _may(self, metadata: Sequence[Any]) -> bool:
        if self._expected is None:
            return True
        given = next((value for key, value in metadata if key == "authorization"), "")
        scheme, _, secret = (given if isinstance(given, bytes) else given.encode()).strip().partition(b" ")
        return hmac.compare_digest(secret.strip(), self._expected) and scheme.lower() == b"bearer"  # a scheme has no case

    def _export(self, signal: Signal) -> Callable[[Iterator[bytes], grpc.ServicerContext], bytes]:
        def export(bodies: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
            try:
                with self._reception.holding() as holding:
                    with self._places.place(context):
                        received = self._read(signal, bodies, holding)
                    if holds_anything(received.batch):
                        self._ingest.accept_blocking(received.batch, received.body_bytes)
            except RightPassageError as error:
                _abort(context, error)
            return otlp.encode_answer(received.rejected, received.message, Encoding.PROTOBUF)

        return export

    def _read(self, signal: Signal, bodies: Iterator[bytes], holding: Holding) -> Received:
        body = next(bodies, None)
        if body is None:
            raise MalformedRequest("the call ended without a message")
        holding.add(len(body))
        return self._reception.read(signal, body, Encoding.PROTOBUF)


def _unauthenticated(bodies: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
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
