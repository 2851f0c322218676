"""Reading while 1,000 spans a second come in: lists, filters, text, charts, traces; in the store and over HTTP, p50 and p95

Fills a database of --spans (200,000 by default) like `benchmarks.growth`, or takes the one in --db FOLDER that it left (which this changes:
two large traces and the spans of the background load are added). "in the store" is the call on the store in a process that also writes;
"over HTTP" the whole request against a running collector, JSON included, from a client that keeps its connection. The load is requests of
64 spans, traces of now, made before or elsewhere, so that what is measured beside it is its storing; it has arrived before the first
query is timed, and the search index has caught up. Milliseconds.
"""

from __future__ import annotations

import argparse
import http.client
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

from benchmarks.collectors import Running, collector, machine, table
from benchmarks.growth import behind, fill, renewed, template
from benchmarks.load import SPANS_PER_TRACE, bodies
from collector.filters import EVERYTHING, parse
from collector.model import Batch, PageRequest, Span
from collector.otlp import decode_traces
from collector.store import open_store
from collector.store.sqlite import SqliteStore

RATE = 1_000  # spans a second in the background
REQUEST = 64  # spans
LARGE = (10_000, 32_000)
FILTERS = (
    "name:retrieve",
    "kind:llm status:error",
    "error:RateLimitError since:24h",
    "session:session-77",
    "model:gpt-4o-mini tokens:>1400",
    "latency:>60s",
    "kind:retriever latency:>70ms since:24h",
    "any(kind:tool) -kind:llm",
    "cost:>0.00028",
)
TEXTS = ("ticket-0000777", "prament", '"Answer from the context only"', "anconed kind:llm since:24h")
SCANS = ('attr["llm.provider"]:nobody', "input:*nothing-like-this*")


def large_trace(spans: int) -> Batch:
    (request,) = bodies(spans, spans, spans_per_trace=spans, seed=spans, window_s=60, compress=False)
    return Batch(spans=decode_traces(request[0], "application/x-protobuf").spans)


def asked(store: SqliteStore, traces: Mapping[int, str]) -> Mapping[str, Callable[[], object]]:
    """The queries, as calls on the store."""
    page = PageRequest(limit=50)
    calls: dict[str, Callable[[], object]] = {"newest 50 traces": lambda: store.find_traces(EVERYTHING, page)}
    deep = [""]

    def next_page() -> object:
        found = store.find_traces(EVERYTHING, PageRequest(limit=50, cursor=deep[0] or None))
        deep[0] = found.next_cursor or ""
        return found

    calls["the next page, again and again"] = next_page
    calls["the 50 slowest"] = lambda: store.find_traces(EVERYTHING, PageRequest(limit=50, order="-duration"))
    for text in (*FILTERS, *TEXTS, *SCANS):
        calls[text] = lambda text=text: store.find_traces(parse(text), page)
    calls["spans: kind:llm status:error"] = lambda: store.find_spans(parse("kind:llm status:error"), page)
    calls["sessions, newest 50"] = lambda: store.sessions(EVERYTHING, page)
    calls["passages, newest 50"] = lambda: store.passages(None, None, page)
    calls["values of model"] = lambda: store.values("model")
    calls["p95 per minute, 24 h"] = lambda: store.aggregate(parse("since:24h"), ["count", "p95"], ["minute"])
    calls["p95 per minute of model calls, 24 h"] = lambda: store.aggregate(parse("since:24h kind:llm"), ["count", "p95"], ["minute"])
    calls["cost and tokens per model, 7 days"] = lambda: store.aggregate(parse("since:7d"), ["count", "cost", "tokens"], ["model"])
    calls["stats"] = store.stats
    for spans, trace_id in traces.items():
        calls[f"{spans:,}-span trace, skeleton"] = lambda trace_id=trace_id: store.skeleton(trace_id)
    calls["8-span trace, whole"] = lambda: store.trace(traces[8])
    return calls


def over_http(url: str, traces: Mapping[int, str]) -> Mapping[str, Callable[[], object]]:
    """The same over HTTP, where a bar is set."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def get(path: str) -> bytes:
        connection.request("GET", f"/api/v1/{path}", headers={"accept-encoding": "gzip"})
        reply = connection.getresponse()
        body = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"{path}: {reply.status} {body[:200]!r}")
        return body

    paths = {"newest 50 traces": "traces?limit=50", "8-span trace, whole": f"traces/{traces[8]}"}
    paths |= {text: f"traces?limit=50&filter={quote(text)}" for text in (*FILTERS, *TEXTS)}
    paths |= {f"{spans:,}-span trace, skeleton": f"traces/{trace_id}?view=columns" for spans, trace_id in traces.items()}
    paths["p95 per minute, 24 h"] = "aggregate?filter=since:24h&measures=count,p95&by=minute"
    paths["cost and tokens per model, 7 days"] = "aggregate?filter=since:7d&measures=count,cost,tokens&by=model"
    return {name: lambda path=path: get(path) for name, path in paths.items()}


def timed(calls: Mapping[str, Callable[[], object]], seconds: float) -> Mapping[str, tuple[float, float]]:
    """p50 and p95 of each, in milliseconds; at least 20 calls each."""
    told: dict[str, tuple[float, float]] = {}
    for name, call in calls.items():
        call()
        took: list[float] = []
        until = time.perf_counter() + seconds
        while len(took) < 20 or (time.perf_counter() < until and len(took) < 500):
            began = time.perf_counter()
            call()
            took.append(1000 * (time.perf_counter() - began))
            if len(took) >= 5 and took[-1] > 1000:
                break
        cuts = statistics.quantiles(took, n=20, method="inclusive")
        told[name] = cuts[9], cuts[18]
    return told


@contextmanager
def writing(store: SqliteStore) -> Generator[None]:
    """Background load of the store's own process."""
    spans, stop = template()[:4_000], threading.Event()

    def write() -> None:
        numbers, began, sent = random.Random(), time.monotonic(), 0
        while not stop.wait(max(0.0, began + sent / RATE - time.monotonic())):
            batch: list[Span] = []
            while len(batch) < REQUEST:
                at = (sent + len(batch)) % len(spans)
                batch += renewed(spans[at : at + SPANS_PER_TRACE], sent + len(batch), time.time_ns(), numbers)
            store.write(Batch(spans=batch))
            sent += len(batch)

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(2)
    yield
    stop.set()
    writer.join()


@contextmanager
def sending(running: Running) -> Generator[None]:
    """Background load of a collector, by a process of its own."""
    before = running.get("/api/v1/stats")["spans"]
    load = [sys.executable, "-m", "benchmarks.load", "--endpoint", f"{running.url}/v1/traces", "--rate", str(RATE)]
    sender = subprocess.Popen(
        [*load, "--spans", "10000000", "--connections", "2", "--seed", str(time.time_ns())], stdout=subprocess.DEVNULL
    )
    try:
        while running.get("/api/v1/stats")["spans"] < before + 2 * RATE:
            time.sleep(0.2)
        yield
    finally:
        sender.kill()
        sender.wait()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=200_000)
    parser.add_argument("--db", type=Path, metavar="FOLDER", help="a folder that benchmarks.growth left")
    parser.add_argument("--seconds", type=float, default=2.0, help="per query")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        database = (options.db or Path(folder)) / "traces.db"
        store = open_store(database)
        if options.db is None:
            fill(store, options.spans, ())
        traces = {spans: large_trace(spans) for spans in LARGE}
        for batch in traces.values():
            store.write(batch)
        ids = {spans: batch.spans[0].trace_id for spans, batch in traces.items()}
        ids[8] = store.find_traces(parse("name:answer_question span_count:8"), PageRequest(limit=40)).items[-1].trace_id
        behind(store)
        with writing(store):
            inside = timed(asked(store, ids), options.seconds)
        size = store.stats()
        store.close()
        print(f"{machine()}; {size.spans:,} spans in {size.traces:,} traces, {size.bytes / 2**20:,.0f} MB; {RATE:,} spans/s coming in")
        table(["in the store", "p50 ms", "p95 ms"], [[name, f"{middle:.2f}", f"{high:.2f}"] for name, (middle, high) in inside.items()])
        with collector(database) as running:
            running.settle()
            with sending(running):
                outside = timed(over_http(running.url, ids), options.seconds)
    table(["over HTTP", "p50 ms", "p95 ms"], [[name, f"{middle:.1f}", f"{high:.1f}"] for name, (middle, high) in outside.items()])
    return 0


if __name__ == "__main__":
    sys.exit(main())
