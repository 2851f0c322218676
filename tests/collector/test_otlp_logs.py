"""Model content in log events fills its span, before or after it came, and in "both" mode only once; against a real collector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes import running_collector

CASES = Path(__file__).parents[1] / "cases" / "otlp"
PROTOBUF = {"content-type": "application/x-protobuf"}
LOGS = ["otel_genai_openai-events.logs1.pb", "otel_genai_openai-events.logs2.pb"]


def chats(url: str, bodies: list[str]) -> list[dict[str, Any]]:
    """The LLM spans after these bodies were posted in this order."""
    for name in bodies:
        path = "/v1/logs" if ".logs" in name else "/v1/traces"
        assert httpx.post(f"{url}{path}", content=(CASES / name).read_bytes(), headers=PROTOBUF).status_code == 200
    (summary,) = httpx.get(f"{url}/api/v1/traces").json()["traces"]
    spans = httpx.get(f"{url}/api/v1/traces/{summary['trace_id']}").json()["spans"]
    return [span for span in spans if span["kind"] == "LLM"]


@pytest.mark.parametrize(
    "bodies",
    [
        ["otel_genai_openai-events.pb", *LOGS],
        [*LOGS, "otel_genai_openai-events.pb"],
        [LOGS[1], "otel_genai_openai-events.pb", LOGS[0], *LOGS],
    ],
)
def test_logs_fill_their_span_in_any_order(tmp_path: Path, bodies: list[str]) -> None:
    with running_collector(tmp_path / "t.db") as running:
        found = chats(running.http, bodies)
    assert [[message["role"] for message in span["input_messages"]] for span in found] == [["system", "user"], ["user"]]
    assert [span["output_messages"][0]["content"] for span in found] == [
        "Paris is the capital of France.",
        "Refunds are accepted within 30 days.",
    ]
    assert "What is the capital of France?" in found[0]["input_messages"][1]["content"]


def test_content_in_attributes_and_logs_is_shown_once(tmp_path: Path) -> None:
    with running_collector(tmp_path / "t.db") as running:
        found = chats(running.http, ["otel_genai_openai-both.pb", "otel_genai_openai-both.logs1.pb"])
    assert [len(span["input_messages"]) for span in found] == [2, 1]
    assert [len(span["output_messages"]) for span in found] == [1, 1]
