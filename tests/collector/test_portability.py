"""The other way round: spans of our own tracer, sent to Phoenix, show there as what they are, with their documents and messages.

Phoenix is large (about 800 MB) and no dependency of ours: name a Python that has `arize-phoenix` in RIGHTPASSAGE_PHOENIX_PYTHON to run
this.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

PYTHON = os.environ.get("RIGHTPASSAGE_PHOENIX_PYTHON", "")
START_SECONDS = 120.0
PROGRAM = """
import sys, tracer
tracer.configure(service="shop", endpoint=sys.argv[1], spool=False)

@tracer.retriever
def search(question):
    return [{"id": "faq-7", "content": "Refunds take five days.", "score": 0.82, "metadata": {"source": "faq.md"}}]

@tracer.llm
def generate(messages):
    return "Five days. [1]"

@tracer.chain
def answer(question):
    search(question)
    return generate([{"role": "user", "content": question}])

answer("How long do refunds take?")
delivered = tracer.flush()
assert delivered.acked == 3, delivered
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not PYTHON, reason="RIGHTPASSAGE_PHOENIX_PYTHON names no Python that has arize-phoenix"),
]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture
def phoenix(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    settings = {
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(free_port()),
        "PHOENIX_WORKING_DIR": str(tmp_path),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    log = (tmp_path / "phoenix.log").open("w")
    process = subprocess.Popen([PYTHON, "-m", "phoenix.server.main", "serve"], env={**os.environ, **settings}, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if httpx.get(f"{url}/healthz", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            assert process.poll() is None, (tmp_path / "phoenix.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "Phoenix did not start"
            time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def spans_in(url: str, count: int) -> dict[str, dict[str, Any]]:
    deadline = time.monotonic() + 30
    while True:
        answer = httpx.get(f"{url}/v1/projects/default/spans", params={"limit": 100}, trust_env=False)
        found = answer.json().get("data", []) if answer.status_code == 200 else []
        if len(found) >= count or time.monotonic() > deadline:
            return {span["name"]: span for span in found}
        time.sleep(0.3)


def test_our_spans_show_in_phoenix_as_what_they_are(phoenix: str) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM, phoenix], check=True, timeout=60)
    spans = spans_in(phoenix, 3)
    assert {name: span["span_kind"] for name, span in spans.items()} == {"answer": "CHAIN", "search": "RETRIEVER", "generate": "LLM"}
    documents = spans["search"]["attributes"]
    assert documents["retrieval.documents.0.document.content"] == "Refunds take five days."
    assert documents["retrieval.documents.0.document.score"] == 0.82
    messages = spans["generate"]["attributes"]
    assert messages["llm.input_messages.0.message.content"] == "How long do refunds take?"
    assert messages["llm.output_messages.0.message.content"] == "Five days. [1]"
