"""What understanding a span costs before it is stored: decode, normalise, price, summarise

CPU microseconds per span, the median of --repeats and the best of them, on the spans of `benchmarks.load` (3.6 kB, 14 attributes, eight
kinds). Every repeat goes over all spans once, so that it finds the caches as a server does. "strangers" are the same spans with one
attribute more whose name never comes twice: what a program costs whose sets of attribute keys cannot be remembered.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.collectors import machine, table
from benchmarks.load import SPANS_PER_TRACE, bodies
from collector.dialects import normalise
from collector.model import Span
from collector.otlp import decode_traces
from collector.pricing import estimate
from collector.rollup import summarise

BATCH = 64


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args(argv)
    requests = [body for body, _ in bodies(options.spans, BATCH, compress=False)]
    spans = [span for body in requests for span in decode_traces(body).spans]
    known = [normalise(span) for span in spans]
    traces = [known[at : at + SPANS_PER_TRACE] for at in range(0, len(known), SPANS_PER_TRACE)]
    by_name: dict[str, list[Span]] = {}
    for span in spans:
        by_name.setdefault(span.name, []).append(span)
    numbers = itertools.count()

    def strangers() -> list[Span]:
        return [replace(span, attributes={**span.attributes, f"acme.{next(numbers)}": 1}) for span in spans]

    def row(name: str, work: Callable[[Any], Any], items: Sequence[Any] | Callable[[], Sequence[Any]], count: int) -> list[str]:
        times = [_cpu_us(work, items() if callable(items) else items) / count for _ in range(options.repeats)]
        return [name, f"{statistics.median(times):.1f}", f"{min(times):.1f}"]

    print(machine())
    table(
        ["stage", "median µs/span", "best"],
        [
            row("decode", decode_traces, requests, len(spans)),
            row("normalise", normalise, spans, len(spans)),
            *(row(f"  {name}", normalise, mine, len(mine)) for name, mine in by_name.items()),
            row("  strangers", normalise, strangers, len(spans)),
            row("normalise and price", lambda span: normalise(span, estimate), spans, len(spans)),
            row("summarise", summarise, traces, len(spans)),
        ],
    )
    return 0


def _cpu_us(work: Callable[[Any], Any], items: Sequence[Any]) -> float:
    start = time.process_time()
    for item in items:
        work(item)
    return 1e6 * (time.process_time() - start)


if __name__ == "__main__":
    raise SystemExit(main())
