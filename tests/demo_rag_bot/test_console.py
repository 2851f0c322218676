"""The commands as a user runs them: child processes, real output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OPENAI_", "RIGHTPASSAGE_", "OTEL_"))}
    scratch = {"XDG_CACHE_HOME": str(cwd / "cache"), "XDG_DATA_HOME": str(cwd / "data"), "OTEL_SDK_DISABLED": "true"}
    command = [sys.executable, "-m", "demo_rag_bot", *arguments]
    return subprocess.run(command, cwd=cwd, env={**kept, **scratch, **environment}, capture_output=True, text=True, timeout=100)


def test_one_question_as_json(docs: Path, tmp_path: Path) -> None:
    done = run("ask", "How do I mount a volume?", "--docs", str(docs), "--json", cwd=tmp_path)
    answer: dict[str, Any] = json.loads(done.stdout)
    assert set(answer) >= {"answer", "citations", "documents", "trace_id", "abstained"}
    assert answer["documents"][0].items() >= {"source": "volumes.md", "heading": "Mount a volume", "rank": 1}.items()
    assert isinstance(answer["documents"][0]["score"], float)
    assert answer["abstained"] is False
    assert done.stderr == ""


def test_a_batch_comes_out_in_order(docs: Path, tmp_path: Path) -> None:
    lines = [
        {"id": "b", "question": "And how do I remove it?", "history": ["How do I mount a volume?"]},
        {"id": "a", "question": "How do I uninstall it?"},
        {"id": 3, "question": "How do I configure Kafka consumer groups with OAuth?"},
    ]
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = run("ask", "--questions", "questions.jsonl", "--docs", str(docs), "--k", "5", "--json", cwd=tmp_path)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == ["b", "a", 3]
    assert [answer["abstained"] for answer in answers] == [False, False, True]
    assert "volume" in answers[0]["query"]
    assert all(len(answer["documents"]) <= 5 for answer in answers)


def test_in_the_terminal_it_says_that_it_is_offline_and_shows_sources(docs: Path, tmp_path: Path) -> None:
    done = run("ask", "How do I mount a volume?", "--docs", str(docs), cwd=tmp_path)
    assert "volumes.md#mount-a-volume" in done.stdout
    assert "offline extractive model" in done.stdout


def test_what_is_wrong_is_one_line(docs: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"id": 1}\n')
    for arguments, told in [
        (["ask", "hello", "--docs", "nowhere"], "no such docs folder"),
        (["ask"], "either a question or --questions"),
        (["ask", "--questions", "bad.jsonl"], "bad.jsonl:1"),
        (["ask", "hello", "--docs", str(docs), "--fault", "nonsense"], "unknown fault"),
        (["ask", "hello", "--k", "zz"], "--k 'zz' is not a whole number from 1 to 50"),
        (["serve", "--port", "99999"], "--port '99999' is not a whole number from 0 to 65535"),
        (["seed"], "--collector URL"),
    ]:
        done = run(*arguments, cwd=tmp_path)
        assert (done.returncode, told in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr


def test_an_ascii_terminal_gets_an_answer_and_json_loses_nothing(docs: Path, tmp_path: Path) -> None:
    ascii_only = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    question = "ボリュームを削除するには?"
    told = run("ask", question, "--docs", str(docs), cwd=tmp_path, **ascii_only)
    assert (told.returncode, "harbour volume rm" in told.stdout) == (0, True), told.stderr
    done = run("ask", question, "--docs", str(docs), "--json", cwd=tmp_path, **ascii_only)
    assert json.loads(done.stdout)["question"] == question
    assert "ボリュームを削除" in json.loads(done.stdout)["answer"]


def test_skipped_files_are_named(docs: Path, tmp_path: Path) -> None:
    (docs / "binary.md").write_bytes(b"\0")
    assert "skipped binary.md: binary data" in run("index", "--docs", str(docs), cwd=tmp_path).stderr


def test_chat_reads_lines_until_an_empty_one(docs: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "demo_rag_bot",
        "chat",
        "--docs",
        str(docs),
        "--index",
        str(tmp_path / "ix"),
        "--threads",
        str(tmp_path / "b.db"),
    ]
    environment = {**os.environ, "OTEL_SDK_DISABLED": "true"}
    done = subprocess.run(
        command, input="How do I mount a volume?\n/explain\n\n", capture_output=True, text=True, env=environment, timeout=100
    )
    assert "-v host:container" in done.stdout
    assert "1. volumes.md#mount-a-volume" in done.stdout


def test_serve_says_when_it_is_ready_and_stops_on_sigterm(docs: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "demo_rag_bot", "serve", "--docs", str(docs), "--port", "0", "--index", str(tmp_path / "ix")]
    environment = {**os.environ, "OTEL_SDK_DISABLED": "true", "RIGHTPASSAGE_THREADS": str(tmp_path / "b.db")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("ready ").strip()
        try:
            assert httpx.get(f"{url}/healthz", trust_env=False, timeout=60).json()["offline"] is True
        finally:
            process.terminate()
        assert process.wait(timeout=30) == 0
