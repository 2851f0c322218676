"""How tracers behave where programs are unkind: streams, contexts, hostile arguments, secrets, bursts, absent collectors

Every cell is the outcome of a small program run by the tracer it names, against a sink of this file; nothing is quoted. The peers run
where they are installed: `--peer openinference=/path/to/venv/bin/python`. `--write docs/tracer-behaviour.md` writes the table.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__)
LIMIT = 60  # seconds for one cell

# ---- How each tracer is set up: `step(name)` decorates, `flush()` sends ----

SETUPS = {
    "rightpassage": """
import tracer
tracer.configure("behaviour", endpoint=URL, spool=False, flatten=False)
step = lambda name: tracer.chain(name)
flush = lambda: tracer.flush(10)
""",
    "OTel by hand": """
import functools, inspect, json
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=URL + "/v1/traces")))
trace.set_tracer_provider(provider)
otel = trace.get_tracer("behaviour")
def step(name):
    def wrap(function):
        if inspect.iscoroutinefunction(function):
            @functools.wraps(function)
            async def call(*args, **kwargs):
                with otel.start_as_current_span(name) as span:
                    span.set_attribute("input.value", json.dumps(args, default=str))
                    result = await function(*args, **kwargs)
                    span.set_attribute("output.value", json.dumps(result, default=str))
                    return result
            return call
        @functools.wraps(function)
        def call(*args, **kwargs):
            with otel.start_as_current_span(name) as span:
                span.set_attribute("input.value", json.dumps(args, default=str))
                result = function(*args, **kwargs)
                span.set_attribute("output.value", json.dumps(result, default=str))
                return result
        return call
    return wrap
flush = provider.force_flush
""",
    "openinference": """
from phoenix.otel import register
provider = register(endpoint=URL + "/v1/traces", protocol="http/protobuf", batch=True, verbose=False)
otel = provider.get_tracer("behaviour")
import inspect
def step(name):
    def wrap(function):
        streams = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
        return (otel.llm if streams else otel.chain)(name=name)(function)
    return wrap
flush = provider.force_flush
""",
    "langfuse": """
import os
os.environ.update(LANGFUSE_HOST=URL, LANGFUSE_PUBLIC_KEY="pk", LANGFUSE_SECRET_KEY="sk")
from langfuse import get_client, observe
client = get_client()
step = lambda name: observe(name=name)
flush = client.flush
""",
    "traceloop": """
import os
os.environ.update(TRACELOOP_TELEMETRY="false")
from opentelemetry import trace
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import task
Traceloop.init(app_name="behaviour", api_endpoint=URL, instruments=set())
step = lambda name: task(name=name)
flush = trace.get_tracer_provider().force_flush
""",
    "logfire": """
import os
os.environ.update(OTEL_EXPORTER_OTLP_ENDPOINT=URL)
import logfire
logfire.configure(send_to_logfire=False, console=False)
step = lambda name: logfire.instrument(name, extract_args=True, record_return=True)
flush = logfire.force_flush
""",
}

# ---- The behaviours: a program, and what it should have led to ----

Seen = list[dict[str, Any]]
Judge = Callable[[Seen, "Outcome"], bool]


class Outcome:
    """How the program itself ended."""

    def __init__(self, code: int | None, said: str, took: float) -> None:
        self.code, self.said, self.took = code, said, took

    @property
    def fine(self) -> bool:
        return self.code == 0


def named(seen: Seen, name: str) -> dict[str, Any]:
    return next((span for span in seen if span["name"].removesuffix(".task") == name), {})


def text(span: dict[str, Any]) -> str:
    return json.dumps(span.get("attributes", {}))


def under(seen: Seen, child: str, parent: str) -> bool:
    inner, outer = named(seen, child), named(seen, parent)
    return bool(inner) and bool(outer) and inner["parent"] == outer["id"]


def ran(seen: Seen, outcome: Outcome) -> bool:
    """The program's own asserts held, its span and the next one arrived."""
    return outcome.fine and bool(named(seen, "work")) and bool(named(seen, "canary"))


HOSTILE = """
{make}
@step("work")
def work(value): return 1
@step("canary")
def canary(): return 1
assert work(value) == 1
canary()
"""

STREAM = """
@step("inner")
def inner(): return 1
@step("stream")
def stream():
    inner()
    yield "first "
    yield "second"
"""

ASYNC_STREAM = """
import asyncio
@step("stream")
async def stream():
    yield "first "
    yield "second"
"""

BEHAVIOURS: dict[str, tuple[str, Judge]] = {
    "output of a generator is captured": (
        STREAM + "list(stream())",
        lambda seen, outcome: outcome.fine and "second" in text(named(seen, "stream")),
    ),
    "output of an async generator is captured": (
        ASYNC_STREAM + "async def main(): return [x async for x in stream()]\nasyncio.run(main())",
        lambda seen, outcome: outcome.fine and "second" in text(named(seen, "stream")),
    ),
    "a step inside a generator nests under it": (STREAM + "list(stream())", lambda seen, outcome: under(seen, "inner", "stream")),
    "a half-read stream is sent with what it gave": (
        STREAM + "s = stream(); next(s); s.close(); del s",
        lambda seen, outcome: "first" in text(named(seen, "stream")),
    ),
    "a sibling after a half-read stream has the right parent": (
        STREAM + "@step('root')\ndef root():\n    s = stream(); next(s)\n    sibling()\n@step('sibling')\ndef sibling(): return 1\nroot()",
        lambda seen, outcome: under(seen, "sibling", "root"),
    ),
    "a stream read from other contexts logs no error": (
        STREAM + "import contextvars\ns = stream()\nfor _ in range(2): contextvars.copy_context().run(next, s)",
        lambda seen, outcome: outcome.fine and "Failed to detach" not in outcome.said and "different Context" not in outcome.said,
    ),
    "`async for … break` sends the span with the part": (
        ASYNC_STREAM + "import gc\nasync def main():\n    async for x in stream(): break\n    gc.collect()\nasyncio.run(main())",
        lambda seen, outcome: "first" in text(named(seen, "stream")),
    ),
    "a cancelled task is sent and marked": (
        (
            "import asyncio\n@step('work')\nasync def work(): await asyncio.sleep(30)\n"
            "async def main():\n    t = asyncio.create_task(work()); await asyncio.sleep(.05); t.cancel()\n"
            "    try: await t\n    except asyncio.CancelledError: pass\nasyncio.run(main())"
        ),
        lambda seen, outcome: named(seen, "work").get("status") == 2 or "cancel" in text(named(seen, "work")).lower(),
    ),
    "asyncio.gather keeps the trace": (
        (
            "import asyncio\n@step('child')\nasync def child(): return 1\n@step('root')\n"
            "async def root(): await asyncio.gather(child(), child())\n"
            "asyncio.run(root())"
        ),
        lambda seen, outcome: under(seen, "child", "root"),
    ),
    "a thread pool keeps the trace (ours: `threads=True`)": (
        (
            "from concurrent.futures import ThreadPoolExecutor\n"
            "try: tracer.configure('behaviour', endpoint=URL, spool=False, flatten=False, threads=True)\nexcept NameError: pass\n"
            "@step('child')\ndef child(): return 1\n@step('root')\n"
            "def root():\n    with ThreadPoolExecutor() as p: p.submit(child).result()\nroot()"
        ),
        lambda seen, outcome: under(seen, "child", "root"),
    ),
    "an argument changed later is shown as it was": (
        "@step('work')\ndef work(value): value.append('after')\nwork(['before'])",
        lambda seen, outcome: "before" in text(named(seen, "work")) and "after" not in text(named(seen, "work")),
    ),
    "an api_key argument is masked": (
        "@step('work')\ndef work(question, api_key): return 1\nwork('why', 'sk-proj-abcdefghijklmnopqrstuvwxyz012345')",
        lambda seen, outcome: bool(named(seen, "work")) and "sk-proj-" not in text(named(seen, "work")),
    ),
    "argument whose repr raises": (
        HOSTILE.format(make="class Bad:\n    def __repr__(self): raise RuntimeError\n    __str__ = __repr__\nvalue = Bad()"),
        ran,
    ),
    "circular argument": (HOSTILE.format(make="value = {}; value['self'] = value"), ran),
    "argument nested 5,000 deep": (HOSTILE.format(make="value = []\nfor _ in range(5000): value = [value]"), ran),
    "lone surrogate in an argument": (HOSTILE.format(make="value = 'a\\ud800'"), ran),
    "lone surrogate in an exception": (
        (
            "@step('work')\ndef work(): raise ValueError('a\\ud800')\n@step('canary')\ndef canary(): return 1\n"
            "try: work()\nexcept ValueError: pass\ncanary()"
        ),
        ran,
    ),
    "100 MB argument: call under 0.5 s, both spans arrive": (
        HOSTILE.format(make="import time\nvalue = 'x' * 100_000_000\nt = time.perf_counter()") + "assert time.perf_counter() - t < .5",
        ran,
    ),
    "20,000 spans in a loop: none lost": (
        "@step('work')\ndef work(value): return value\nd = {'text': 'word ' * 200}\nfor n in range(20_000): work(d)",
        lambda seen, outcome: outcome.fine and len(seen) == 20_000,
    ),
    "collector silent: the program ends within 8 s": (
        "@step('work')\ndef work(value): return value\nfor n in range(1000): work(n)",
        lambda seen, outcome: outcome.fine and outcome.took < 8,
    ),
}
SILENT = "collector silent: the program ends within 8 s"


# ---- The sink ----


class Sink(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []
        self.silent = False
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        return None

    def spans(self) -> Seen:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        seen: dict[bytes, dict[str, Any]] = {}
        for body in self.bodies:
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in group.scope_spans:
                    for span in scope.spans:
                        if span.end_time_unix_nano and not any(pair.key == "logfire.pending_parent_id" for pair in span.attributes):
                            seen[span.span_id] = {
                                "name": span.name,
                                "id": span.span_id,
                                "parent": span.parent_span_id,
                                "status": span.status.code,
                                "attributes": {pair.key: str(pair.value)[:4000] for pair in span.attributes},
                            }
        return list(seen.values())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        sink = self.server
        assert isinstance(sink, Sink)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if sink.silent:
            time.sleep(LIMIT)
            return
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if "traces" in self.path:
            sink.bodies.append(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        return None


def cell(setup: str, python: str, behaviour: str) -> str:
    """What one tracer makes of one behaviour: ✓, ✗ or how it ended."""
    program, judge = BEHAVIOURS[behaviour]
    sink = Sink()
    sink.silent = behaviour == SILENT
    script = f"URL = {sink.url!r}\n{SETUPS[setup]}\n{program}\n" + ("" if sink.silent else "flush()\n")
    start = time.perf_counter()
    try:
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent.parent) if python == sys.executable else ""}
        done = subprocess.run([python, "-c", script], capture_output=True, text=True, timeout=LIMIT, env=environment, errors="replace")
        outcome = Outcome(done.returncode, done.stdout + done.stderr, time.perf_counter() - start)
    except subprocess.TimeoutExpired:
        outcome = Outcome(None, "", LIMIT)
    seen = sink.spans()
    sink.shutdown()
    sink.server_close()
    if "ModuleNotFoundError: No module named" in outcome.said and not seen:
        return "–"
    if judge(seen, outcome):
        return "✓"
    if behaviour.startswith("20,000"):
        return f"✗ {20_000 - len(seen):,} lost"
    if behaviour == SILENT:
        return f"✗ {outcome.took:.0f} s"
    if behaviour.startswith("100 MB"):
        return "✗ slow, or lost"
    return "✗" if outcome.fine else "✗ the program fails"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="a peer and the Python it is installed in")
    parser.add_argument("--write", metavar="FILE", help="write the table to this page")
    chosen = parser.parse_args(argv)
    pythons = {"rightpassage": sys.executable, "OTel by hand": sys.executable, **dict(peer.split("=", 1) for peer in chosen.peer)}
    lines = ["| behaviour | " + " | ".join(pythons) + " |", "|---" * (len(pythons) + 1) + "|"]
    for behaviour in BEHAVIOURS:
        row = [cell(name, python, behaviour) for name, python in pythons.items()]
        lines.append(f"| {behaviour} | " + " | ".join(row) + " |")
        print(lines[-1], flush=True)
    if chosen.write:
        page = Path(chosen.write)
        page.write_text(HEAD + "\n".join(lines) + "\n" + versions(pythons), encoding="utf-8")
    return 0


HEAD = """# How tracers behave where programs are unkind

Written by `python -m benchmarks.tracer_behaviour --write docs/tracer-behaviour.md`: every cell is the outcome of a small program that
the named tracer traced, run against a sink of the benchmark's own. ✓: as it should be. –: not installed. "OTel by hand" is
OpenTelemetry's SDK with a decorator of ten lines, as its documentation suggests it. Peers run in environments of
their own, with their defaults but for a batch processor where theirs blocks (openinference) and its decorator for models on streams.

"""

PACKAGES = {
    "rightpassage": "rightpassage",
    "OTel by hand": "opentelemetry-sdk",
    "openinference": "arize-phoenix-otel",
    "langfuse": "langfuse",
    "traceloop": "traceloop-sdk",
    "logfire": "logfire",
}


def versions(pythons: dict[str, str]) -> str:
    """Which versions the table is about."""
    told: list[str] = []
    for name, python in pythons.items():
        code = f"from importlib.metadata import version; print(version({PACKAGES[name]!r}))"
        found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout.strip()
        told.append(f"{name}: {PACKAGES[name]} {found or 'not installed'}")
    return "\n" + "; ".join(told) + ".\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
