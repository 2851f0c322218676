"""A collector for a benchmark: a process of its own on free ports and a fresh database, with its CPU and memory read from the kernel."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Running:
    """A collector that answers."""

    process: subprocess.Popen[str]
    url: str
    ready_s: float

    @property
    def cpu_s(self) -> float:
        """User and system seconds of the process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mb(self, line: str = "VmRSS") -> float:
        """Resident memory; `VmHWM` for its peak."""
        for told in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if told.startswith(line):
                return int(told.split()[1]) / 1024
        return 0.0

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=60) as reply:
            return json.load(reply)

    def settle(self, seconds: float = 600) -> None:
        """Wait until the search index has caught up."""
        until = time.monotonic() + seconds
        while self.get("/api/v1/stats")["search_behind"] and time.monotonic() < until:
            time.sleep(0.2)


@contextmanager
def collector(database: Path, *options: str) -> Generator[Running]:
    """`python -m collector serve`, stopped with SIGTERM at the end."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "collector", "serve", "--db", str(database), "--http", "127.0.0.1:0", "--grpc", "off", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        yield Running(process, line.split()[1], time.perf_counter() - began)
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    """SIGTERM, and SIGKILL to one that has not ended after half a minute."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def machine() -> str:
    """The machine in one line."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} × {model or platform.processor()}, Python {platform.python_version()}, load average {load:.1f}"


def table(columns: list[str], rows: list[list[Any]]) -> None:
    """A table for people and for Markdown."""
    texts = [[str(cell) for cell in row] for row in [columns, *rows]]
    widths = [max(len(row[at]) for row in texts) for at in range(len(columns))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in texts]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    print("\n".join(lines), flush=True)
