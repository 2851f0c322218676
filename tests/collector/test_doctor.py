"""The doctor against a real collector and against what people really do wrong."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from collector.doctor import Check, Outcome, check_environment, diagnose, failed
from collector.model import Scope
from collector.otlp import encode_traces
from tests.collector.otlp_bodies import span
from tests.processes import running_collector

BASE, GRPC = "http://127.0.0.1:4318", "127.0.0.1:4317"


def test_a_healthy_collector_passes_over_every_transport_and_keeps_nothing(tmp_path: Path) -> None:
    with running_collector(tmp_path / "t.db") as running:
        checks = list(diagnose(running.http, running.grpc))
        assert not failed(checks), [check.line() for check in checks]
        assert sum("arrived, was understood" in check.seen for check in checks) == 4
        assert httpx.get(f"{running.http}/api/v1/stats").json()["traces"] == 0


def test_blank_model_calls_are_named_with_the_switch_that_fills_them(tmp_path: Path) -> None:
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "acme.prompt": "hello"}
    blank = span(attributes=attributes, parent_span_id="", scope=Scope("opentelemetry.instrumentation.genai.openai"))
    with running_collector(tmp_path / "t.db") as running:
        httpx.post(f"{running.http}/v1/traces", content=encode_traces([blank]), headers={"content-type": "application/x-protobuf"})
        lines = "\n".join(check.line() for check in diagnose(running.http, None))
    assert "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT" in lines
    assert "acme.prompt" in lines


def test_a_wrong_or_missing_token_is_said_so(tmp_path: Path) -> None:
    with running_collector(tmp_path / "t.db", "--token", "secret") as running:
        for token in (None, "wrong"):
            checks = list(diagnose(running.http, running.grpc, token))
            assert failed(checks)
            assert "token" in " ".join(check.seen + check.advice for check in checks)
        assert not failed(list(diagnose(running.http, running.grpc, "secret")))
        refusals = [check.seen for check in diagnose(running.http, None, "wrong") if "OTLP" in check.name]
        assert set(refusals) == {"HTTP 401: this collector wants `Authorization: Bearer TOKEN` with the token it was started with"}


def test_a_token_of_other_letters_is_tried_and_grpc_cannot_carry_it(tmp_path: Path) -> None:
    with running_collector(tmp_path / "t.db", "--token", "тайна") as running:
        *http, grpc = diagnose(running.http, running.grpc, "тайна")
        assert not failed(http)
        assert (grpc.outcome, "ASCII" in grpc.seen) == (Outcome.WARNING, True)


def test_swapped_ports_are_recognised(tmp_path: Path) -> None:
    with running_collector(tmp_path / "t.db") as running:
        (check,) = diagnose(f"http://{running.grpc}", None)
        assert "speaks gRPC" in check.seen
        *_, last = diagnose(running.http, running.http.removeprefix("http://"))
        assert "speaks HTTP" in last.seen


def test_nobody_there() -> None:
    (check,) = diagnose("http://127.0.0.1:9", None)
    assert (check.outcome, check.seen) == (Outcome.FAILED, "nobody answers")
    assert "rightpassage serve" in check.advice


def test_the_command_prints_each_check_and_fails_only_when_something_is_broken(tmp_path: Path) -> None:
    def doctor(*options: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("RIGHTPASSAGE_", "OTEL_"))}
        return subprocess.run(
            [sys.executable, "-m", "collector", "doctor", *options], capture_output=True, text=True, env=environment, check=False
        )

    with running_collector(tmp_path / "t.db") as running:
        healthy = doctor("--endpoint", running.http, "--grpc", running.grpc)
        swapped = doctor("--endpoint", running.http, "--grpc", running.http.removeprefix("http://"))
    assert (healthy.returncode, healthy.stdout.count("✓")) == (0, 5)
    assert swapped.returncode == 1
    assert "✗" in swapped.stdout


@contextmanager
def another_program() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_another_program_on_the_port() -> None:
    with another_program() as url:
        (check,) = diagnose(url, None)
    assert check.outcome is Outcome.FAILED
    assert "HTTP 501" in check.seen


def environment(**variables: str) -> list[Check]:
    return list(check_environment(variables, BASE, GRPC))


@pytest.mark.parametrize(
    ("variables", "outcome", "word"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, Outcome.OK, "points"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317"}, Outcome.FAILED, "gRPC port"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, Outcome.OK, "points"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, Outcome.FAILED, "HTTP port"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "127.0.0.1:4318"}, Outcome.FAILED, "scheme"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, Outcome.FAILED, "once more"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318"}, Outcome.WARNING, "as it is"),
        ({"LANGFUSE_HOST": "https://cloud.langfuse.com"}, Outcome.WARNING, "elsewhere"),
        ({"TRACELOOP_TRACE_CONTENT": "False"}, Outcome.WARNING, "no prompts"),
        ({"OTEL_SDK_DISABLED": "true"}, Outcome.WARNING, "switched off"),
        ({"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "1024"}, Outcome.WARNING, "1024"),
    ],
)
def test_variables_that_point_an_sdk_somewhere_else(variables: dict[str, str], outcome: Outcome, word: str) -> None:
    (check,) = environment(**variables)
    assert check.outcome is outcome
    assert word in check.seen
