"""The list page at 100,000 traces, and twenty people at once: what the server needs for each request and each run of a page

A real collector and a real viewer on this machine, filled over OTLP with traces of two spans. "request" is one HTTP request of the page
through the viewer's pass-through, from this process; medians and 95th percentiles of the rounds, first one left out. "rows" is the browser:
from the navigation (or Enter in the filter) to the rows in the DOM, warm cache. "run" is a script run of Streamlit over its own websocket
protocol, from the request to "finished", with twenty sessions that each ask again a second after their last answer.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from websockets.asyncio.client import connect

from tests.chromium import find_browser, launch_arguments
from tests.processes import running_collector
from tests.viewer.conftest import running_viewer

BATCH = 1_000
SERVICES = ("docs-bot", "shop-bot", "support-agent", "search")
QUESTIONS = (
    "How long do refunds take?",
    "Where is my parcel?",
    "How do I roll back a release?",
    "Which regions are there?",
    "Why was I billed twice?",
)
DAYS = 14
NS = 10**9

REQUESTS: Sequence[tuple[str, str, dict[str, str]]] = (
    ("newest 100", "traces", {"limit": "100"}),
    ("newest 100 of 24 h", "traces", {"limit": "100", "filter": "since:24h"}),
    ("status:error", "traces", {"limit": "100", "filter": "status:error"}),
    ("service and tag", "traces", {"limit": "100", "filter": "service:shop-bot tag:vip"}),
    ("kind:retriever duration:>1s", "traces", {"limit": "100", "filter": "kind:retriever duration:>1s"}),
    ('"parcel" in any text', "traces", {"limit": "100", "filter": '"parcel"'}),
    ("slowest first", "traces", {"limit": "100", "order": "-duration"}),
    ("dearest first", "traces", {"limit": "100", "order": "-cost"}),
    ("facet: service", "values", {"field": "service", "limit": "9"}),
    ("facet: model, filtered", "values", {"field": "model", "limit": "9", "filter": "status:error"}),
    ("facet: passage source", "values", {"field": "passage.source", "limit": "9"}),
    ("facet: status", "aggregate", {"measures": "traces", "by": "status"}),
    ("totals", "aggregate", {"measures": "traces,tokens,cost"}),
    ("histogram", "aggregate", {"measures": "traces", "by": "hour"}),
    ("histogram, filtered", "aggregate", {"measures": "traces", "by": "hour", "filter": "service:shop-bot status:error"}),
    ("sessions", "sessions", {"limit": "50"}),
    ("passages", "passages", {"limit": "50"}),
)


def value(given: Any) -> AnyValue:
    return AnyValue(int_value=given) if isinstance(given, int) else AnyValue(string_value=given)


def batches(count: int) -> Iterator[bytes]:
    """OTLP requests of two-span traces over the last days, more of them lately."""
    rng = random.Random(11)
    now = time.time_ns()
    for first in range(0, count, BATCH):
        request = ExportTraceServiceRequest()
        for number in range(first, min(count, first + BATCH)):
            service = rng.choice(SERVICES)
            group = request.resource_spans.add()
            names = {"service.name": service, "deployment.environment.name": rng.choice(("prod", "prod", "dev"))}
            group.resource.attributes.extend(KeyValue(key=key, value=value(text)) for key, text in names.items())
            add_trace(group.scope_spans.add(), rng, number, now)
        yield request.SerializeToString()


def add_trace(scope: Any, rng: random.Random, number: int, now: int) -> None:
    trace_id = (number + 1).to_bytes(16, "big")
    start = now - int(rng.random() ** 2 * DAYS * 86_400 * NS) - 20 * NS
    length = int(rng.lognormvariate(0, 0.8) * NS)
    question = f"{rng.choice(QUESTIONS)} ({number})"
    root = {
        "openinference.span.kind": "LLM",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": rng.choice(("gpt-4o-mini", "gpt-4o", "claude-sonnet-4-5")),
        "input.value": question,
        "output.value": f"Answer {number}: five working days [1].",
        "gen_ai.usage.input_tokens": rng.randint(200, 4_000),
        "gen_ai.usage.output_tokens": rng.randint(20, 400),
        "session.id": f"session-{rng.randint(0, 20_000)}",
        "user.id": f"user-{rng.randint(0, 500)}",
        "tag.tags": f'["{rng.choice(("vip", "web", "slack"))}"]',
    }
    source = f"docs/{rng.randint(0, 200)}.md"
    document = {"id": f"{source}#1", "content": f"Passage of {source}.", "score": 0.8, "metadata": {"source": source}}
    retriever = {
        "openinference.span.kind": "RETRIEVER",
        "gen_ai.retrieval.query.text": question,
        "gen_ai.retrieval.documents": json.dumps([document]),
    }
    for position, (name, attributes) in enumerate((("answer", root), ("retrieve", retriever)), 1):
        span = scope.spans.add(trace_id=trace_id, span_id=position.to_bytes(8, "big"), name=name, kind=1)
        span.start_time_unix_nano = start + (position - 1) * 10**6
        span.end_time_unix_nano = start + (length if position == 1 else length // 3)
        if position == 2:
            span.parent_span_id = (1).to_bytes(8, "big")
        elif rng.random() < 0.04:
            span.status.code = Status.STATUS_CODE_ERROR
        span.attributes.extend(KeyValue(key=key, value=value(text)) for key, text in attributes.items())


def fill(url: str, count: int) -> float:
    """Seconds the collector took."""
    begin = time.perf_counter()
    with httpx.Client(base_url=url, timeout=120) as client:
        for body in batches(count):
            while (answer := client.post("/v1/traces", content=body, headers={"content-type": "application/x-protobuf"})).status_code in {
                429,
                503,
            }:
                time.sleep(float(answer.headers.get("retry-after", "1")))
            answer.raise_for_status()
    return time.perf_counter() - begin


def p95(times: Sequence[float]) -> float:
    return sorted(times)[max(0, round(0.95 * len(times)) - 1)]


def timed(step: Callable[[], object], rounds: int) -> list[float]:
    """Milliseconds of each round, the first left out."""
    times: list[float] = []
    for _ in range(rounds + 1):
        begin = time.perf_counter()
        step()
        times.append((time.perf_counter() - begin) * 1e3)
    return times[1:]


def measure_requests(viewer: str, rounds: int) -> None:
    print(f"\n{'request through the viewer':34}{'p50 ms':>9}{'p95 ms':>9}")
    with httpx.Client(base_url=viewer, timeout=60) as client:
        for name, path, query in REQUESTS:
            times = timed(lambda path=path, query=query: client.get(f"/api/v1/{path}", params=query).raise_for_status(), rounds)
            print(f"{name:34}{statistics.median(times):9.1f}{p95(times):9.1f}")


def measure_browser(viewer: str, rounds: int) -> None:
    from playwright.sync_api import sync_playwright

    path = find_browser()
    if path is None:
        print("\nno browser here: rows not measured")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=launch_arguments())
        page = browser.new_context(viewport={"width": 1600, "height": 1000}).new_page()

        def load() -> None:
            page.goto(f"{viewer}/traces")
            page.wait_for_selector("tr[data-trace]")

        texts = itertools.cycle(("status:error", "service:shop-bot", "service:docs-bot status:error", "tag:vip"))

        def narrow() -> None:
            page.locator(".filter-input").fill(next(texts))
            with page.expect_response(lambda answer: "/api/v1/traces?" in answer.url):
                page.keyboard.press("Enter")
            page.wait_for_selector(".table-area:not(.loading) tr[data-trace]")

        print(f"\n{'rows':34}{'p50 ms':>9}{'p95 ms':>9}")
        for name, step in (("page load to rows", load), ("Enter in the filter to rows", narrow)):
            times = timed(step, rounds)
            print(f"{name:34}{statistics.median(times):9.1f}{p95(times):9.1f}")
        browser.close()


async def session(viewer: str, until: float, times: list[float], offset: float) -> None:
    """One person: runs pages one after the other, a second apart, over Streamlit's websocket."""
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    await asyncio.sleep(offset)
    address = viewer.replace("http", "ws") + "/_stcore/stream"
    async with connect(address, subprotocols=["streamlit"], max_size=None, origin=viewer) as socket:  # type: ignore[arg-type]
        for page in itertools.cycle(("traces", "sessions", "trace", "passages")):
            if time.perf_counter() > until:
                return
            message = BackMsg()
            message.rerun_script.page_name = page
            message.rerun_script.query_string = "trace_id=" + "0" * 31 + "1" if page == "trace" else ""
            begin = time.perf_counter()
            await socket.send(message.SerializeToString())
            while True:
                answer = ForwardMsg()
                answer.ParseFromString(await socket.recv())  # type: ignore[arg-type]
                if answer.WhichOneof("type") == "script_finished":
                    break
            times.append((time.perf_counter() - begin) * 1e3)
            await asyncio.sleep(1)


async def together(viewer: str, people: int, seconds: float) -> list[float]:
    times: list[float] = []
    until = time.perf_counter() + seconds
    await asyncio.gather(*(session(viewer, until, times, number * 0.05) for number in range(people)))
    return times


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--traces", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30)
    chosen = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, running_collector(Path(folder) / "traces.db") as collector:
        seconds = fill(collector.http, chosen.traces)
        print(f"{chosen.traces:,} traces of two spans sent in {seconds:.0f} s")
        with running_viewer(collector.http) as viewer:
            measure_requests(viewer, chosen.rounds)
            measure_browser(viewer, chosen.rounds)
            times = asyncio.run(together(viewer, chosen.people, chosen.seconds))
            print(f"\n{'run, with ' + str(chosen.people) + ' sessions':34}{'p50 ms':>9}{'p95 ms':>9}{'runs':>9}")
            print(f"{'traces, sessions, trace, passages':34}{statistics.median(times):9.1f}{p95(times):9.1f}{len(times):9d}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
