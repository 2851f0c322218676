"""A collector of a few lines: an HTTP server that keeps the spans it was sent, parsed by OpenTelemetry's own protobufs."""

from __future__ import annotations

import gzip
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import tracer
from tests.servers import QuietServer
from tracer.recorder import current


def plain(value: Any) -> Any:
    """An AnyValue as Python."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
    return getattr(value, kind) if kind else None


@dataclass
class SeenSpan:
    """A span as it arrived."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    status: int
    message: str
    resource: dict[str, Any]
    scope: str

    def __getitem__(self, key: str) -> Any:
        return self.attributes[key]

    def json(self, key: str) -> Any:
        return orjson.loads(self.attributes[key])

    def get(self, key: str) -> Any:
        return self.attributes.get(key)


@dataclass
class Sink:
    """The collector of a test. `answer` may be replaced to misbehave: it gets the handler and the body."""

    url: str = ""
    version: str | None = None  # the x-rightpassage header of the answers
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answer: Callable[[BaseHTTPRequestHandler, bytes], tuple[int, dict[str, str], bytes]] | None = None
    lock: Any = field(default_factory=threading.Lock)

    def bodies(self, path: str = "/v1/traces") -> list[bytes]:
        with self.lock:
            return [body for where, _, body in self.requests if where == path]

    def messages(self) -> list[ExportTraceServiceRequest]:
        return [ExportTraceServiceRequest.FromString(body) for body in self.bodies()]

    def all(self) -> list[SeenSpan]:
        return [
            SeenSpan(
                span.name,
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                span.start_time_unix_nano,
                span.end_time_unix_nano,
                {pair.key: plain(pair.value) for pair in span.attributes},
                [(event.name, {p.key: plain(p.value) for p in event.attributes}) for event in span.events],
                span.status.code,
                span.status.message,
                {pair.key: plain(pair.value) for pair in resource_spans.resource.attributes},
                scope_spans.scope.name,
            )
            for message in self.messages()
            for resource_spans in message.resource_spans
            for scope_spans in resource_spans.scope_spans
            for span in scope_spans.spans
        ]

    def spans(self) -> dict[str, SeenSpan]:
        """Ended spans by name, after a flush."""
        tracer.flush()
        return {span.name: span for span in self.all() if span.end}

    def span(self, name: str) -> SeenSpan:
        return self.spans()[name]

    def wait(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.01)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sink: Sink

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        status, headers, content = self.sink.answer(self, body) if self.sink.answer else (200, {}, b"")
        if 200 <= status < 300:
            with self.sink.lock:
                self.sink.requests.append((self.path, dict(self.headers.items()), body))
        self.send_response(status)
        if self.sink.version:
            self.send_header("x-rightpassage", self.sink.version)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        return None


@dataclass(frozen=True)
class Away:
    """The address of a collector that is away: connections are refused. The port is ours, so nobody else can answer there meanwhile."""

    held: socket.socket

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.held.getsockname()[1]}"


@pytest.fixture
def away() -> Iterator[Away]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield Away(held)


def serve(sink: Sink, at: Away | None = None) -> QuietServer:
    """Starts a sink on a free port of the loopback interface, or where it was away."""
    server = QuietServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"sink": sink}), bind_and_activate=at is None)
    if at:
        server.socket.close()
        server.socket = at.held
        server.server_activate()
    sink.url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


@pytest.fixture
def quiet_sink() -> Iterator[Sink]:
    """A collector, and no tracer configured."""
    sink = Sink()
    server = serve(sink)
    yield sink
    server.shutdown()
    server.server_close()
    tracer.disable()


@pytest.fixture
def sink(quiet_sink: Sink, tmp_path: Path) -> Sink:
    """A collector, and a tracer that sends to it."""
    tracer.configure(endpoint=quiet_sink.url, spool=tmp_path / "spool", flatten=False)
    assert current.recorder is not None
    return quiet_sink


_watched: dict[int, list[str]] = {}


def _audit(event: str, args: tuple[Any, ...]) -> None:
    seen = _watched.get(threading.get_ident())
    if seen is not None and event.partition(".")[0] in ("socket", "subprocess", "open", "os", "shutil", "http"):
        seen.append(f"{event} {args[:1]}")


@contextmanager
def on_this_thread() -> Generator[list[str]]:
    """What this thread asks of the network, the disk and other processes inside the block, as the interpreter audits it."""
    if not _watched:
        _watched[0] = []
        sys.addaudithook(_audit)
    seen = _watched[threading.get_ident()] = []
    try:
        yield seen
    finally:
        del _watched[threading.get_ident()]


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]
