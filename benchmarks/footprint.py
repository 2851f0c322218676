"""What a collector costs when nothing happens, how soon it is ready, and what overload does to its memory

"idle" is two seconds after the last answer and after ten seconds of nothing; "ready" the time from the start of the process to its `ready`
line, on an empty database and on one of --spans. Overload: 64 connections send 512-span requests as fast as they can for --seconds; the
peak is the kernel's high-water mark (VmHWM).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.collectors import collector, machine, table
from benchmarks.growth import fill
from benchmarks.load import Sender, bodies
from collector.store import open_store

IDLE_S = 10.0
CONNECTIONS = 64


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=100_000)
    parser.add_argument("--db", type=Path, metavar="FOLDER", help="a folder that benchmarks.growth left")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args(argv)
    rows: list[list[Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        with collector(Path(folder) / "empty.db") as running:
            time.sleep(2)
            cpu, memory = running.cpu_s, running.memory_mb()
            time.sleep(IDLE_S)
            busy = 100 * (running.cpu_s - cpu) / IDLE_S
            rows.append(["empty", f"{running.ready_s:.2f}", f"{memory:.0f}", f"{busy:.1f}", "", "", ""])
        database = (options.db or Path(folder)) / "traces.db"
        if options.db is None:
            store = open_store(database)
            fill(store, options.spans, ())
            store.close()
        with collector(database) as running:
            time.sleep(2)
            idle, spans = running.memory_mb(), running.get("/api/v1/stats")["spans"]
            sender = overload(running.url, options.seconds)
            peak = running.memory_mb("VmHWM")
            told = ", ".join(f"{status}: {count}" for status, count in sorted(sender.statuses.items()))
            accepted = f"{len(sender.acked) / sender.seconds:,.0f}"
            rows.append([f"{spans:,}", f"{running.ready_s:.2f}", f"{idle:.0f}", "", f"{peak:.0f} (+{peak - idle:.0f})", accepted, told])
    print(machine())
    table(["spans", "ready s", "idle RSS MB", "idle CPU %", "peak RSS MB", "accepted spans/s", "answers"], rows)
    return 0


def overload(url: str, seconds: float) -> Sender:
    """More than it can take."""
    requests = list(bodies(16_384, 512))
    sender = Sender(f"{url}/v1/traces", CONNECTIONS)
    threading.Timer(seconds, sender.stop.set).start()
    sender.send(requests * 200)
    return sender


if __name__ == "__main__":
    sys.exit(main())
