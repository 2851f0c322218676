"""Durable spans a second over OTLP/HTTP, CPU and bytes per span; Phoenix beside it where it is installed

Gzipped protobuf, requests of 64 and 512 spans of 2 and 3.6 kB (before compression; the same 14 attributes), answered after the commit (WAL,
synchronous=FULL). "CPU to the 200" is the collector's own user and system time until the last answer, less what the search index used
meanwhile; "index" is that thread's CPU per span until it has caught up. Bytes are database, log and search index on disk after that. The
sender is another process on the same machine and takes its share of the cores. Phoenix: name an environment that has it with --phoenix
VENV. It gets the same requests, 64 spans of 3.6 kB × 8 connections, with its SQLite default; since it answers before it stores, its durable
spans are counted in its database by this process, from the first request to the last span seen.
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
from benchmarks.phoenix import VARIABLE, Installed, find, running_phoenix

WARM = 200  # spans for Phoenix before the clock starts
LIGHT, FULL = 0.4, 1.0  # of the load's texts
KILOBYTES = {LIGHT: 2.0, FULL: 3.6}
SHAPES = ((64, 8, LIGHT), (64, 1, FULL), (64, 8, FULL), (512, 1, FULL), (512, 4, FULL))


def send(url: str, spans: int, batch: int, connections: int, seed: int, length: float = FULL) -> Any:
    """The load as a process of its own."""
    size = {"spans": spans, "batch": batch, "connections": connections, "length": length}
    options = {"endpoint": f"{url}/v1/traces", "seed": seed, **size}
    command = [sys.executable, "-m", "benchmarks.load", *(text for key, value in options.items() for text in (f"--{key}", str(value)))]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(spans: int, batch: int, connections: int, seed: int, length: float = FULL) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "traces.db"
        with collector(database) as running:
            send(running.url, 2_000, batch, connections, seed + 1000, length)  # warm
            running.settle()
            cpu, index = running.cpu_s, running.get("/api/v1/stats")["search_cpu_s"]
            sent = send(running.url, spans, batch, connections, seed, length)
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


def phoenix(installed: Installed, spans: int) -> tuple[float, float]:
    """Durable spans a second of Phoenix with its SQLite default, and its CPU per span in microseconds."""
    with running_phoenix(installed) as peer:
        send(peer.server.url, WARM, 64, 8, 1001)
        before, _ = peer.wait_for(WARM)
        cpu = peer.server.cpu_s
        sent = send(peer.server.url, spans, 64, 8, 1)
        began = time.perf_counter() - sent["seconds"]
        stored, moved = peer.wait_for(before + spans)
        return (stored - before) / (moved - began), 1e6 * (peer.server.cpu_s - cpu) / max(1, stored - before)


def total(middle: dict[str, float]) -> float:
    """CPU per span to the answer and after it."""
    return middle["cpu_us"] + middle["index_us"]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--phoenix", metavar="VENV", default=os.environ.get(VARIABLE), help="an environment that has arize-phoenix")
    parser.add_argument("--phoenix-spans", type=int, default=2_000)
    options = parser.parse_args(argv)
    rows: list[list[Any]] = []
    middles: list[dict[str, float]] = []
    for batch, connections, length in SHAPES:
        rounds = [measure(options.spans, batch, connections, seed, length) for seed in range(1, options.rounds + 1)]
        middle = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        middles.append(middle)
        latency = f"{middle['p50_ms']:.0f} / {middle['p95_ms']:.0f}"
        rows.append(
            [
                f"{batch} × {connections}",
                f"{KILOBYTES[length]:.1f}",
                f"{middle['spans_per_s']:,.0f}",
                f"{middle['cpu_us']:.0f}",
                f"{middle['index_us']:.0f}",
                f"{total(middle):.0f}",
                latency,
                f"{middle['bytes']:.0f}",
            ]
        )
    print(f"{machine()}; medians of {options.rounds} rounds of {options.spans:,} spans")
    table(
        [
            "spans × connections",
            "kB/span",
            "durable spans/s",
            "CPU to the 200, µs/span",
            "index",
            "total",
            "ack p50 / p95 ms",
            "bytes/span",
        ],
        rows,
    )
    if installed := find(options.phoenix):
        rate, cpu = phoenix(installed, options.phoenix_spans)
        ours = next(row for row, shape in zip(middles, SHAPES, strict=True) if shape == (64, 8, FULL))
        print(f"\nside by side, 64 × 8, Phoenix with {options.phoenix_spans:,} spans")
        table(
            ["", "rightpassage", f"Phoenix {installed.version}", "ratio"],
            [
                ["durable spans/s", f"{ours['spans_per_s']:,.0f}", f"{rate:,.0f}", f"{ours['spans_per_s'] / rate:.0f}" if rate else "–"],
                ["CPU per span, µs, all work", f"{total(ours):,.0f}", f"{cpu:,.0f}", f"{cpu / total(ours):.0f}"],
            ],
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
