"""CPU and bytes per span as the store grows, to five million spans with --spans 5000000

A week-long stream straight into the store, 512 spans per commit (WAL, synchronous=FULL), from received span to commit: normalise, price,
packs, rows, roll-ups. The 40,000 spans of the load are sent again and again as new traces with new ids and times, so texts and passages
repeat like those of a real corpus. Each row is the cost since the row before. The search index runs behind; its CPU is a column of its own,
and the writer waits for it at each row. --keep leaves the database for `benchmarks.queries --db`.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.collectors import machine, table
from benchmarks.load import bodies
from collector.model import Batch, Span
from collector.otlp import decode_traces
from collector.store import open_store
from collector.store.sqlite import SqliteStore

SOAK = True
TEMPLATE_SPANS, SPANS_PER_TRACE, COMMIT = 40_000, 8, 512
WEEK_NS = 7 * 86_400 * 10**9
CHECKPOINTS = (100_000, 200_000, 500_000, 1_000_000, 2_000_000, 3_500_000, 5_000_000)


def template() -> list[Span]:
    """The spans of the load, decoded."""
    requests = bodies(TEMPLATE_SPANS, COMMIT, window_s=600, compress=False)
    return [span for body, _ in requests for span in decode_traces(body, "application/x-protobuf").spans]


def stream(spans: Sequence[Span], total: int, seed: int = 1) -> Iterator[list[Span]]:
    """Commits of new traces in the shape of the template, evenly over the week before now."""
    numbers = random.Random(seed)
    begin, step = time.time_ns() - WEEK_NS, WEEK_NS // (total // SPANS_PER_TRACE)
    batch: list[Span] = []
    for trace in range(total // SPANS_PER_TRACE):
        at = trace * SPANS_PER_TRACE % len(spans)
        batch += renewed(spans[at : at + SPANS_PER_TRACE], trace, begin + trace * step, numbers)
        if len(batch) >= COMMIT:
            yield batch
            batch = []
    if batch:
        yield batch


def renewed(trace: Sequence[Span], number: int, start: int, numbers: random.Random) -> list[Span]:
    """The same trace as another one: its own ids, times, session and ticket."""
    trace_id, prefix = f"{numbers.getrandbits(128):032x}", numbers.getrandbits(56)
    moved = start - trace[0].start_unix_nano
    ids = {span.span_id: f"{(prefix << 8) + place:016x}" for place, span in enumerate(trace)}
    made: list[Span] = []
    for span in trace:
        attributes: dict[str, Any] = {**span.attributes, "session.id": f"session-{number // 20}"}
        if not span.parent_span_id:
            attributes["input.value"] = f"ticket-{number:07d} {attributes['input.value']}"
        made.append(
            replace(
                span,
                trace_id=trace_id,
                span_id=ids[span.span_id],
                parent_span_id=ids.get(span.parent_span_id, ""),
                start_unix_nano=span.start_unix_nano + moved,
                end_unix_nano=span.end_unix_nano + moved,
                attributes=attributes,
            )
        )
    return made


def fill(store: SqliteStore, total: int, told: Sequence[int]) -> list[list[Any]]:
    """Write the stream; a row at each checkpoint."""
    rows: list[list[Any]] = []
    written = since = 0
    cpu = index = 0.0
    marks = [mark for mark in told if mark <= total] or [total]
    for batch in stream(template(), total):
        began = time.thread_time()
        store.write(Batch(spans=batch))
        cpu += time.thread_time() - began
        written += len(batch)
        if marks and written >= marks[0]:
            behind(store)
            indexed = float(str(store.stats().extra["search_cpu_s"]))
            spans, size = written - since, sum(file.stat().st_size for file in store.path.parent.iterdir())
            rows.append([f"{written:,}", f"{1e6 * cpu / spans:.0f}", f"{1e6 * (indexed - index) / spans:.0f}", f"{size / written:.0f}"])
            print(f"  {rows[-1]}", file=sys.stderr, flush=True)
            marks.pop(0)
            since, cpu, index = written, 0.0, indexed
    behind(store)
    return rows


def behind(store: SqliteStore) -> None:
    while store.stats().extra["search_behind"]:
        time.sleep(0.2)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=5_000_000)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="put the database here and leave it")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        where = options.keep or Path(folder)
        where.mkdir(parents=True, exist_ok=True)
        store = open_store(where / "traces.db")
        rows = fill(store, options.spans, CHECKPOINTS)
        store.close()
    print(machine())
    table(["spans", "write CPU, µs/span", "index CPU, µs/span", "bytes/span"], rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
