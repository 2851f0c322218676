"""A recording tee in front of a collector: keeps every OTLP request as it came, and passes it on unchanged.

HTTP on any path and gRPC; without a collector behind it answers success itself. What it keeps is what goes into
`tests/cases/otlp_live`: the body, and how it was sent.
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import httpx

HOP_BY_HOP = frozenset({"host", "content-length", "connection", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Recorded:
    transport: str  # "http" or "grpc"
    path: str
    content_type: str
    encoding: str
    user_agent: str
    body: bytes  # decompressed

    @property
    def signal(self) -> str:
        """traces, logs or metrics."""
        return next((signal for signal in ("logs", "metrics") if signal in self.path.lower()), "traces")


@dataclass
class Tee:
    http: str = ""
    grpc: str = ""
    recorded: list[Recorded] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # what the collector did not take


@contextmanager
def running_tee(collector_http: str | None, collector_grpc: str | None) -> Iterator[Tee]:
    tee = Tee()
    client = httpx.Client(base_url=collector_http, timeout=30) if collector_http else None
    channel = grpc.insecure_channel(collector_grpc) if collector_grpc else None

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None: ...

        def do_GET(self) -> None:
            self._answer(200, {"content-type": "application/json"}, b"{}")

        def do_POST(self) -> None:
            raw = self._body()
            encoding, kind = self.headers.get("content-encoding", "identity"), self.headers.get("content-type", "")
            body = gzip.decompress(raw) if encoding == "gzip" else raw
            path = self.path.partition("?")[0]
            if "/v1/" in path and path.rpartition("/")[2] in ("traces", "logs", "metrics"):
                tee.recorded.append(Recorded("http", path, kind, encoding, self.headers.get("user-agent", ""), body))
            if client is None:
                return self._answer(200, {"content-type": kind}, b"{}" if "json" in kind else b"")
            sent = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            answer = client.post(path, content=raw, headers=sent)
            if answer.status_code != 200 and "/v1/" in path:  # not an SDK's own API, which a collector has no part of
                tee.refused.append(f"{path}: {answer.status_code} {answer.text[:200]}")
            return self._answer(answer.status_code, {"content-type": answer.headers.get("content-type", "")}, answer.content)

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("content-length") or 0))
            parts: list[bytes] = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    class Service(grpc.GenericRpcHandler):
        def service(self, handler_call_details: Any) -> Any:
            method = handler_call_details.method

            def export(body: bytes, context: grpc.ServicerContext) -> bytes:
                agent = dict(context.invocation_metadata()).get("user-agent", "")
                tee.recorded.append(Recorded("grpc", method, "application/grpc", "identity", str(agent), body))
                return channel.unary_unary(method)(body, timeout=30) if channel else b""

            return grpc.unary_unary_rpc_method_handler(export)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    remote = grpc.server(ThreadPoolExecutor(4), handlers=[Service()])
    port = remote.add_insecure_port("127.0.0.1:0")
    remote.start()
    tee.http, tee.grpc = f"http://127.0.0.1:{server.server_address[1]}", f"127.0.0.1:{port}"
    try:
        yield tee
    finally:
        server.shutdown()
        server.server_close()
        remote.stop(1).wait()
