"""kill -9 under load, round after round: what was acknowledged must be there

A collector on one database is killed at a random moment of a load over HTTP (start-up included), then started again. After the last round
every acknowledged span is looked for, the counts are compared, and SQLite checks the file.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.collectors import collector, machine, table
from benchmarks.load import Sender, bodies

SOAK = True
CONNECTIONS = 4


def one_round(database: Path, number: int, numbers: random.Random) -> tuple[Sender, float]:
    requests = list(bodies(20_000, 64, first_trace=number * 2_500, seed=number))
    with collector(database) as running:
        sender = Sender(f"{running.url}/v1/traces", CONNECTIONS, stop_on_disconnect=True)
        timer = threading.Timer(numbers.uniform(0.0, 5.0), os.kill, (running.process.pid, signal.SIGKILL))
        timer.start()
        sender.send(requests)
        timer.join()
        return sender, running.ready_s


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args(argv)
    numbers, acked = random.Random(int(time.time())), set[str]()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "traces.db"
        ready: list[float] = []
        for number in range(options.rounds):
            sender, seconds = one_round(database, number, numbers)
            acked.update(sender.acked)
            ready.append(seconds)
        with collector(database) as running:
            running.settle()
            stats = running.get("/api/v1/stats")
            counted = sum(row["count"] for row in running.get("/api/v1/aggregate?measures=count&by=kind")["rows"])
        file = sqlite3.connect(database)
        stored = {row[0] for row in file.execute("SELECT printf('%016x', span_id) FROM spans")}
        rows_stored = file.execute("SELECT count(*) FROM spans").fetchone()[0]
        (integrity,) = file.execute("PRAGMA integrity_check").fetchone()
        file.close()
    lost = len(acked - stored)
    row: list[Any] = [
        options.rounds,
        f"{len(acked):,}",
        lost,
        rows_stored - len(stored),
        stats["spans"] == counted == rows_stored,
        integrity,
        f"{max(ready):.1f}",
    ]
    print(machine())
    table(["rounds", "acknowledged spans", "lost", "twice", "counts agree", "integrity_check", "slowest start, s"], [row])
    return int(bool(lost) or integrity != "ok" or stats["spans"] != rows_stored)


if __name__ == "__main__":
    sys.exit(main())
