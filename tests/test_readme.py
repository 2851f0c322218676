"""The README's example does what the README says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from collector.client import CollectorClient
from tests.processes import running_collector

README = Path(__file__).parent.parent / "README.md"


def example() -> str:
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[0]


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
