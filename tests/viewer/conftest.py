"""A real collector and a real viewer on free ports for the whole session, and pages that watch themselves.

`collector` is empty until a test fills it (`send`); tests look for their own traces by service or session, so they may share it.
`page` fails its test on a console error, an uncaught exception, or a request that leaves the viewer's origin.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from collector.client import CollectorClient
from tests.processes import RunningCollector, running_collector


@dataclass
class Watched:
    """What a browser page did that it must not do."""

    problems: list[str] = field(default_factory=list)
    websocket_frames: int = 0


@contextmanager
def running_viewer(collector: str, *options: str) -> Iterator[str]:
    """`python -m viewer` on a free port; yields its URL."""
    command = [sys.executable, "-m", "viewer", "--collector", collector, "--port", "0", *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RIGHTPASSAGE_")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout
        ready = next((line for line in process.stdout if line.startswith("ready ")), None)
        assert ready, f"the viewer ended with {process.wait(10)} before it was ready"
        yield ready.split()[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    with running_collector(tmp_path_factory.mktemp("viewer") / "traces.db") as running:
        yield running


@pytest.fixture(scope="session")
def client(collector: RunningCollector) -> Iterator[CollectorClient]:
    with CollectorClient(collector.http) as client:
        yield client


@pytest.fixture(scope="session")
def viewer(collector: RunningCollector) -> Iterator[str]:
    with running_viewer(collector.http) as url:
        yield url


@pytest.fixture(scope="session")
def contexts(browser: Any) -> Iterator[dict[str, Any]]:
    """One browser context per colour scheme for the session, so that the front end is loaded once."""
    made = {
        scheme: browser.new_context(color_scheme=scheme, viewport={"width": 1600, "height": 1000}, accept_downloads=True)
        for scheme in ("light", "dark")
    }
    yield made
    for context in made.values():
        context.close()


def watch(page: Any, origin: str) -> Watched:
    """Record a page's errors, the requests that leave its origin, and its websocket frames."""
    watched = Watched()

    def request(sent: Any) -> None:
        if not sent.url.startswith((origin, "data:", "blob:", "about:")):
            watched.problems.append(f"request to {sent.url}")

    def socket(opened: Any) -> None:
        for direction in ("framesent", "framereceived"):
            opened.on(direction, lambda _: setattr(watched, "websocket_frames", watched.websocket_frames + 1))

    page.on("console", lambda line: watched.problems.append(f"console: {line.text}") if line.type == "error" else None)
    page.on("pageerror", lambda error: watched.problems.append(f"uncaught: {error}"))
    page.on("dialog", lambda dialog: (watched.problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", request)
    page.on("websocket", socket)
    return watched


def still(page: Any) -> int:
    """Waits until Streamlit has taken the page over and has nothing more to say; its websocket frames so far."""
    page.wait_for_selector("#first-view", state="detached")
    seen = -1
    while seen != page.watched.websocket_frames:
        seen = page.watched.websocket_frames
        page.wait_for_timeout(500)
    return seen


@pytest.fixture
def page(contexts: dict[str, Any], viewer: str) -> Iterator[Any]:
    """A fresh light page; `page.watched` is what it did. Go to `viewer + "/traces"`."""
    opened = contexts["light"].new_page()
    opened.watched = watch(opened, viewer)
    yield opened
    opened.close()
    assert opened.watched.problems == []


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where a test may leave pictures to look at: $RIGHTPASSAGE_SCREENSHOTS, else a temporary folder."""
    import tempfile

    folder = Path(os.environ.get("RIGHTPASSAGE_SCREENSHOTS") or tempfile.mkdtemp(prefix="rightpassage-"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
