"""Durable spans a second over OTLP/HTTP, CPU and bytes per span; Phoenix beside it where it is installed

Gzipped protobuf, requests of 64 and 512 spans, answered after the commit (WAL, synchronous=FULL). "CPU to the 200" is the collector's own
user and system time until the last answer, less what the search index used meanwhile; "index" is that thread's CPU per span until it has
caught up. Bytes are database, log and search index on disk after that. The sender is another process on the same machine and takes its
share of the cores. Phoenix: set RIGHTPASSAGE_PHOENIX_PYTHON to the interpreter of an environment that has it; its durable spans are
counted in its database.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.collectors import collector, machine, table

SHAPES = ((64, 1), (64, 8), (512, 1), (512, 4))


def send(url: str, spans: int, batch: int, connections: int, seed: int) -> Any:
    """The load as a process of its own."""
    options = {"endpoint": f"{url}/v1/traces", "spans": spans, "batch": batch, "connections": connections, "seed": seed}
    command = [sys.executable, "-m", "benchmarks.load", *(text for key, value in options.items() for text in (f"--{key}", str(value)))]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(spans: int, batch: int, connections: int, seed: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "traces.db"
        with collector(database) as running:
            send(running.url, 2_000, batch, connections, seed + 1000)  # warm
            running.settle()
            cpu, index = running.cpu_s, running.get("/api/v1/stats")["search_cpu_s"]
            sent = send(running.url, spans, batch, connections, seed)
            to_answer, indexed = running.cpu_s - cpu, running.get("/api/v1/stats")["search_cpu_s"] - index
            running.settle()
            stats = running.get("/api/v1/stats")
        assert stats["spans"] == spans + 2_000, stats
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    return {
        "spans_per_s": sent["spans_per_s"],
        "p50_ms": sent["p50_ms"],
        "p95_ms": sent["p95_ms"],
        "cpu_us": 1e6 * (to_answer - indexed) / spans,
        "index_us": 1e6 * (stats["search_cpu_s"] - index) / spans,
        "bytes": size / stats["spans"],
    }


def phoenix(python: str, spans: int) -> float | None:
    """Durable spans a second of Phoenix with its SQLite default."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "PHOENIX_WORKING_DIR": folder,
            "PHOENIX_PORT": "6106",
            "PHOENIX_GRPC_PORT": "6107",
            "PHOENIX_TELEMETRY_ENABLED": "false",
        }
        server = subprocess.Popen(
            [python, "-m", "phoenix.server.main", "serve"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        asked = f"sqlite3.connect('file:{folder}/phoenix.db?mode=ro', uri=True).execute('select count(*) from spans').fetchone()[0]"
        count = [sys.executable, "-c", f"import sqlite3; print({asked})"]
        try:
            _wait_for("http://127.0.0.1:6106/healthz", 120)
            began = time.perf_counter()
            send("http://127.0.0.1:6106", spans, 64, 8, 1)
            stored, moved = 0, began
            while stored < spans and time.perf_counter() - moved < 60:
                now = int(subprocess.run(count, capture_output=True, text=True, check=True).stdout)
                if now > stored:
                    stored, moved = now, time.perf_counter()
                time.sleep(0.5)
            return stored / (moved - began)
        finally:
            server.terminate()
            server.wait(30)


def _wait_for(url: str, seconds: float) -> None:
    import urllib.error
    import urllib.request

    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise TimeoutError(url)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(argv)
    rows: list[list[Any]] = []
    best = 0.0
    for batch, connections in SHAPES:
        rounds = [measure(options.spans, batch, connections, seed) for seed in range(1, options.rounds + 1)]
        middle = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        best = max(best, middle["spans_per_s"]) if (batch, connections) == (64, 8) else best
        latency = f"{middle['p50_ms']:.0f} / {middle['p95_ms']:.0f}"
        rows.append(
            [
                f"{batch} × {connections}",
                f"{middle['spans_per_s']:,.0f}",
                f"{middle['cpu_us']:.0f}",
                f"{middle['index_us']:.0f}",
                f"{middle['cpu_us'] + middle['index_us']:.0f}",
                latency,
                f"{middle['bytes']:.0f}",
            ]
        )
    print(f"{machine()}; medians of {options.rounds} rounds of {options.spans:,} spans")
    table(["spans × connections", "durable spans/s", "CPU to the 200, µs/span", "index", "total", "ack p50 / p95 ms", "bytes/span"], rows)
    if python := os.environ.get("RIGHTPASSAGE_PHOENIX_PYTHON"):
        peer = phoenix(python, 2_000)
        print(f"Phoenix in the same run, 64 × 8: {peer:.0f} durable spans/s; ratio {best / peer:.0f}" if peer else "Phoenix stored nothing")
    return 0


if __name__ == "__main__":
    sys.exit(main())
