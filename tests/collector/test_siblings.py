"""`up`, `view` and `demo` as a user starts them: URLs are printed, one signal stops everything, a taken port is said."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from collector.children import Child, ChildFailed
from tests.processes import running_collector

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("RIGHTPASSAGE_", "OTEL_", "OPENAI_"))}
FREE = ("--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--port", "0", "--no-browser")


class Running:
    """A command that runs, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.lines = process, list[str]()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stdout
        self.lines.extend(iter(self.process.stdout.readline, ""))

    def said(self, pattern: str, patience_s: float = 90) -> str:
        """The first group of the first line that matches, once it is there."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            for line in list(self.lines):
                if found := re.search(pattern, line):
                    return found[1]
            if self.process.poll() is not None and not self._thread.is_alive():
                break
            time.sleep(0.1)
        raise AssertionError(f"nobody said {pattern!r}:\n{''.join(self.lines)}")


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Running]:
    environment = {**CLEAN, "XDG_DATA_HOME": str(folder / "data"), "XDG_CACHE_HOME": str(folder / "cache"), "PYTHONUNBUFFERED": "1"}
    line = [sys.executable, "-m", "collector", *arguments]
    process = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield Running(process)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=10).status_code < 500
    except httpx.TransportError:
        return False


def _reply(bot: str, question: str) -> dict[str, Any]:
    """The bot's answer, out of its event stream."""
    text = httpx.post(f"{bot}/threads/t1/messages", json={"text": question}, trust_env=False, timeout=60).text
    return json.loads(text.partition("event: answer\ndata: ")[2].partition("\n")[0])


def _seeded_replies(bot: str) -> list[dict[str, Any]]:
    """What the bot said in the threads of the seeded history."""
    threads = httpx.get(f"{bot}/threads", trust_env=False).json()["threads"]
    told = [message for one in threads for message in httpx.get(f"{bot}/threads/{one['id']}", trust_env=False).json()["messages"]]
    return [message for message in told if message.get("trace_url")]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_runs_both_and_one_signal_stops_both(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path, "up", "--db", str(tmp_path / "t.db"), *FREE) as up:
        viewer, collector = up.said(r"^viewer +(http://\S+)"), up.said(r"^collector +(http://\S+)")
        assert answers(f"{collector}/healthz")
        assert answers(viewer)
        up.process.send_signal(number)
        assert up.process.wait(30) == 0
        assert not answers(collector)
        assert not answers(viewer)


def test_up_says_which_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ("--db", str(tmp_path / "t.db"), "--http", "127.0.0.1:0", "--grpc", "off", "--port", str(port), "--no-browser")
        with running(tmp_path, "up", *arguments) as up:
            assert up.process.wait(30) == 1
            assert up.said(rf"port {port} .*(--port)") == "--port"
    assert not (tmp_path / "t.db").exists(), "nothing was started"


def test_up_on_a_held_file_is_one_line(tmp_path: Path) -> None:
    with running_collector(tmp_path / "t.db"), running(tmp_path, "up", "--db", str(tmp_path / "t.db"), *FREE) as up:
        assert up.process.wait(60) == 1
        assert up.said(r"(held by another collector)")
        assert len(up.lines) == 1


@pytest.mark.slow
def test_the_demo_fills_itself_though_its_ports_are_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        docs = tmp_path / "docs"
        docs.mkdir()
        (docs / "refunds.md").write_text("# Refunds\n\n## How long do refunds take?\nRefunds take five days.\n", encoding="utf-8")
        arguments = (
            "--docs",
            str(docs),
            "--http",
            f"127.0.0.1:{port}",
            "--grpc",
            "127.0.0.1:0",
            "--port",
            "0",
            "--bot-port",
            "0",
            "--no-browser",
        )
        with running(tmp_path, "demo", *arguments) as demo:
            assert demo.said(r"is taken; using \d+ \(choose with (--http)") == "--http"
            collector, viewer, bot = (demo.said(rf"^{name} +(http://\S+)") for name in ("collector", "viewer", "bot"))
            assert httpx.get(f"{collector}/api/v1/stats", trust_env=False).json()["traces"] >= 1
            assert answers(viewer)
            assert answers(f"{bot}/healthz")
            assert _reply(bot, "How long do refunds take?")["trace_url"].startswith(f"{viewer}/"), "links lead to the viewer that runs"
            seeded = _seeded_replies(bot)
            assert seeded
            assert all(message["trace_url"].startswith(f"{viewer}/") for message in seeded)
            assert "demo.db" in demo.said(r"^database +(\S+)")
            assert not list(tmp_path.rglob("traces.db")), "the user's own database is left alone"
            demo.process.send_signal(signal.SIGINT)
            assert demo.process.wait(40) == 0
            assert not any(answers(url) for url in (collector, viewer, bot))


def test_view_says_what_the_viewer_says(tmp_path: Path) -> None:
    with running(tmp_path, "view", "--collector", "http://127.0.0.1:1", "--port", "0") as view:
        assert answers(view.said(r"^ready (http://\S+)"))
        view.process.terminate()
        assert view.process.wait(20) in (0, -signal.SIGTERM)


def test_a_child_that_ends_too_early_is_said_with_its_last_words() -> None:
    child = Child("bot", ["this_module_is_not_there"], {})
    with pytest.raises(ChildFailed, match=r"bot ended before it was ready.*this_module_is_not_there"):
        child.ready()
    child.stop()
