"""Phoenix beside us: its server from an environment of its own, on free ports and a fresh SQLite file, sending nothing home.

It answers a request before it stores the spans, so what counts is what another process can read from its database.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.collectors import Running, end

VARIABLE = "RIGHTPASSAGE_PHOENIX_PYTHON"
START_S = 180  # measured: 18 s on an idle machine
IDLE_S = 60  # nothing new for so long: it stores no more
ASK = "from importlib.metadata import version; print(version('arize-phoenix'))"


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment that has Phoenix."""

    python: str
    version: str


@dataclass(frozen=True, slots=True)
class Phoenix:
    """A Phoenix that answers."""

    server: Running
    database: Path

    def stored(self) -> int:
        """Spans that another process finds in its database."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
            return database.execute("select count(*) from spans").fetchone()[0]

    def wait_for(self, spans: int, seconds: float = 600) -> tuple[int, float]:
        """How many there are in the end, and when the last of them was seen (`time.perf_counter`)."""
        stored, moved = 0, time.perf_counter()
        until = moved + seconds
        while stored < spans and time.perf_counter() < min(until, moved + IDLE_S):
            if (now := self.stored()) > stored:
                stored, moved = now, time.perf_counter()
            time.sleep(0.25)
        return stored, moved


def find(chosen: str | None) -> Installed | None:
    """Phoenix in the chosen environment (its folder or its interpreter), or None with a word about it."""
    if not chosen:
        print(f"Phoenix: not installed (name an environment that has it with --phoenix VENV or {VARIABLE})")
        return None
    place = Path(chosen)
    python = str(place / ("Scripts" if os.name == "nt" else "bin") / "python") if place.is_dir() else chosen
    try:
        asked = subprocess.run([python, "-c", ASK], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        print(f"Phoenix: not installed in {chosen}")
        return None
    return Installed(python, asked.stdout.strip())


@contextmanager
def running_phoenix(installed: Installed) -> Generator[Phoenix]:
    """`phoenix serve` with its defaults, stopped with SIGTERM at the end."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        http, grpc = free_ports(2)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PHOENIX_")},
            "PHOENIX_WORKING_DIR": folder,
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(http),
            "PHOENIX_GRPC_PORT": str(grpc),
            "PHOENIX_TELEMETRY_ENABLED": "false",
            "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        }
        began = time.perf_counter()
        process = subprocess.Popen(
            [installed.python, "-m", "phoenix.server.main", "serve"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            url = f"http://127.0.0.1:{http}"
            wait_until_healthy(f"{url}/healthz")
            yield Phoenix(Running(process, url, time.perf_counter() - began), Path(folder) / "phoenix.db")
        finally:
            end(process)


def free_ports(count: int) -> Sequence[int]:
    """Ports that nobody listens on now."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def wait_until_healthy(url: str) -> None:
    """Return once it answers."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise TimeoutError(url)
