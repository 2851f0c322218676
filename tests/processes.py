"""The real commands as child processes, for tests that need a product that runs: started on free ports, ended by pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunningCollector:
    http: str  # "http://127.0.0.1:PORT"
    grpc: str  # "127.0.0.1:PORT"
    database: Path
    process: subprocess.Popen[str]


@contextmanager
def running_collector(database: Path, *options: str) -> Iterator[RunningCollector]:
    """`rightpassage serve` on free ports, until the block ends; stopped by SIGTERM unless it has ended already."""
    command = [
        sys.executable,
        "-m",
        "collector",
        "serve",
        "--db",
        str(database),
        "--http",
        "127.0.0.1:0",
        "--grpc",
        "127.0.0.1:0",
        *options,
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RIGHTPASSAGE_", "OTEL_"))}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout
        ready = next((line for line in process.stdout if line.startswith("ready ")), None)
        assert ready, f"the collector ended with {process.wait(10)} before it was ready"
        _, http, grpc = ready.split()[:3]
        yield RunningCollector(http.rstrip("/"), grpc.removeprefix("grpc://"), database, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(15)
