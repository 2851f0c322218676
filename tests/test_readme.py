"""The first examples people run, of the README and of Getting started, do what the pages say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from collector.client import CollectorClient
from collector.model import SpanKind
from tests.processes import running_collector

ROOT = Path(__file__).parent.parent


def example(page: str = "README.md") -> str:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)[0]


def test_the_example_is_twelve_lines_and_makes_a_trace_with_its_passage(tmp_path: Path) -> None:
    assert len(example().strip().splitlines()) == 12
    script = tmp_path / "app.py"
    script.write_text(example(), encoding="utf-8")
    with running_collector(tmp_path / "traces.db") as collector:
        environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http}
        said = subprocess.run(
            [sys.executable, script], env=environment, capture_output=True, text=True, check=True, timeout=30, cwd=tmp_path
        )
        assert said.stdout.strip() == "Refunds take five days. [1]"
        client = CollectorClient(collector.http)
        (summary,) = client.traces().items
        spans = {span.name: span for span in client.trace(summary.trace_id).spans}
    assert spans["search"].parent_span_id == spans["answer"].span_id
    retrieved = spans["search"].normalised
    assert retrieved
    assert retrieved.query == "How long do refunds take?"
    (document,) = retrieved.documents
    assert (document.rank, document.score, document.content) == (1, 0.82, "Refunds take five days.")
    assert document.metadata["source"] == "faq.md"


def test_the_example_runs_untouched_without_a_collector(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(example(), encoding="utf-8")
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    said = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=True, timeout=30, cwd=tmp_path)
    assert said.stdout.strip() == "Refunds take five days. [1]"


@pytest.mark.checkout
def test_the_first_pipeline_of_getting_started_is_a_whole_trace(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(example("docs/getting-started.md"), encoding="utf-8")
    with running_collector(tmp_path / "traces.db") as collector:
        environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http}
        said = subprocess.run(
            [sys.executable, script], env=environment, capture_output=True, text=True, timeout=30, cwd=tmp_path, check=False
        )
        assert (said.returncode, said.stdout, said.stderr) == (0, "Refunds take five days. [1]\n", "")
        (summary,) = (client := CollectorClient(collector.http)).traces().items
        spans = {span.name: span.normalised for span in client.trace(summary.trace_id).spans}
    assert {name: known.kind for name, known in spans.items() if known} == {
        "answer": SpanKind.CHAIN,
        "generate": SpanKind.LLM,
        "search": SpanKind.RETRIEVER,
    }
    assert spans["generate"] is not None
    assert spans["generate"].model == "my-model"
