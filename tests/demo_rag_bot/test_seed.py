import gzip
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.demo_rag_bot.test_console import run


class Taking(BaseHTTPRequestHandler):
    """A collector that keeps the spans and counts the scores it is sent."""

    spans: list[Span]
    scores: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
        if self.path == "/v1/traces":
            request = ExportTraceServiceRequest.FromString(body)
            self.spans.extend(span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans)
            answer = b""
        else:
            self.scores.append(body)
            answer = b'{"id": "s"}'
        self.send_response(200)
        self.send_header("content-type", "application/json" if answer else "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[tuple[str, type[Taking]]]:
    handler = type("Handler", (Taking,), {"spans": [], "scores": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", handler
    server.shutdown()
    server.server_close()


def test_a_history_is_asked_traced_backdated_and_rated(docs: Path, tmp_path: Path, collector: tuple[str, type[Taking]]) -> None:
    url, taken = collector
    done = run("seed", "--collector", url, "--docs", str(docs), cwd=tmp_path, OTEL_SDK_DISABLED="false")
    assert done.returncode == 0, done.stderr
    traces = {span.trace_id for span in taken.spans}
    assert f"asked {len(traces)} questions" in done.stdout
    assert len(taken.scores) == len(traces)
    ages = sorted((time.time() - span.start_time_unix_nano / 1e9) / 3600 for span in taken.spans)
    assert ages[-1] > 100
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano for span in taken.spans)
    again = run("seed", "--collector", url, "--docs", str(docs), cwd=tmp_path, OTEL_SDK_DISABLED="false")
    assert again.returncode == 0


def test_without_a_collector_it_says_so(docs: Path, tmp_path: Path) -> None:
    done = run("seed", "--collector", "http://127.0.0.1:9", "--docs", str(docs), cwd=tmp_path, OTEL_SDK_DISABLED="false")
    assert done.returncode == 2
    assert "took no traces" in done.stderr


def test_a_fault_of_the_environment_is_a_tag_of_the_trace(docs: Path, tmp_path: Path, collector: tuple[str, type[Taking]]) -> None:
    url, taken = collector
    fault = {"RIGHTPASSAGE_FAULT": "k-1", "OTEL_SDK_DISABLED": "false"}
    run("ask", "How do I mount a volume?", "--collector", url, "--docs", str(docs), cwd=tmp_path, **fault)
    assert b"fault:k-1" in b"".join(span.SerializeToString() for span in taken.spans if span.name == "answer question")
