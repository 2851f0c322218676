from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tracer.conftest import Sink

ROOT = Path(__file__).parents[2]


def test_user_code_keeps_its_types_under_strict_pyright(tmp_path: Path) -> None:
    pyright = shutil.which("pyright", path=str(Path(sys.executable).parent)) or shutil.which("pyright")
    if pyright is None:
        pytest.skip("pyright is not installed")
    settings = {
        "include": ["user_code.py"],
        "extraPaths": [str(ROOT)],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    shutil.copy(ROOT / "tests" / "tracer" / "user_code.py", tmp_path)
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [pyright, "--project", str(tmp_path), "--pythonpath", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout
    assert "No source files" not in done.stdout


@pytest.mark.checkout
def test_the_tutorial_takes_a_plain_script_to_a_traced_one_in_eight_lines(quiet_sink: Sink, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text()
    plain, traced = (re.search(rf"```python {name}\n(.*?)```", text, re.DOTALL) for name in ("plain", "traced"))
    assert plain
    assert traced
    before, after = ([line for line in script[1].splitlines() if line.strip()] for script in (plain, traced))
    assert len([line for line in after if line not in before]) == 8
    assert len([line for line in before if line not in after]) == 1  # the last line, now under a session

    import os

    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": quiet_sink.url, "RIGHTPASSAGE_SPOOL": "off"}
    said = [
        subprocess.run([sys.executable, "-c", script[1]], capture_output=True, text=True, timeout=60, env=environment, check=True).stdout
        for script in (plain, traced)
    ]
    assert said[0] == said[1] == "Mount a volume with the option -v host:container.\n"
    spans = {span.name: span for span in quiet_sink.all()}
    assert {name: span["openinference.span.kind"] for name, span in spans.items()} == {
        "retrieve": "RETRIEVER",
        "select": "RERANKER",
        "build_prompt": "PROMPT",
        "generate": "LLM",
        "answer": "CHAIN",
    }
    assert spans["select"].json("gen_ai.retrieval.documents")[0]["metadata"]["source"] == "volumes.md"
    assert {span["session.id"] for span in spans.values()} == {"tutorial"}
