"""A trace of many thousand spans that arrives in small batches: what each batch costs as it grows

One trace of the load (a root, sub-questions under it) is written straight into the store in batches of 64, its root first or, as SDKs send
it, last. CPU per span from received span to commit, over the first and over the last tenth of the trace; then the first read, which rolls
up what was left for later. The search index runs behind and is not counted.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.collectors import machine, table
from benchmarks.load import make_trace
from collector.filters import EVERYTHING
from collector.model import Batch, PageRequest, Span
from collector.otlp import decode_traces
from collector.store import open_store

BATCH = 64


def trace(size: int, *, root_first: bool) -> list[Span]:
    made = make_trace(random.Random(1), 1, size, time.time_ns() - 3600 * 10**9)
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add(spans=made if root_first else [*made[1:], made[0]])
    return list(decode_traces(request.SerializeToString()).spans)


def measure(size: int, *, root_first: bool) -> list[Any]:
    spans = trace(size, root_first=root_first)
    batches = [spans[at : at + BATCH] for at in range(0, len(spans), BATCH)]
    costs: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "traces.db")
        began = time.perf_counter()
        for batch in batches:
            cpu = time.thread_time()
            store.write(Batch(spans=batch))
            costs.append(time.thread_time() - cpu)
        seconds = time.perf_counter() - began
        read = time.perf_counter()
        (row,) = store.find_traces(EVERYTHING, PageRequest(limit=1)).items
        read = time.perf_counter() - read
        store.close()
    assert (row.span_count, row.root_missing) == (size, False), row
    tenth = max(1, len(costs) // 10)
    first, last = (1e6 * sum(part) / len(part) / BATCH for part in (costs[:tenth], costs[-tenth:]))
    all_spans = 1e6 * sum(costs) / size
    return [
        f"{size:,}",
        "first" if root_first else "last",
        f"{first:.0f}",
        f"{last:.0f}",
        f"{all_spans:.0f}",
        f"{seconds:.1f}",
        f"{1e3 * read:.0f}",
    ]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 32_000])
    options = parser.parse_args(argv)
    rows = [measure(size, root_first=root_first) for size in options.sizes for root_first in (True, False)]
    print(machine())
    table(["spans", "root", "CPU µs/span: first tenth", "last tenth", "all", "seconds", "first read, ms"], rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
