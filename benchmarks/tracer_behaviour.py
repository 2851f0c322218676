"""How tracers behave where programs are unkind: streams, contexts, hostile arguments, secrets, bursts, absent collectors

Every cell is the outcome of a small program run by the tracer it names, against the sink of tracer_sink.py; nothing is quoted. Alone it
runs our tracer and OpenTelemetry by hand; `--environments DIR` adds the eight peers, each in a virtual environment of its own in DIR
(installed there when missing, from the package index pip knows; without DIR in a temporary folder). `--peer NAME=PYTHON` runs a peer
where it is installed already. `--write docs/tracer-behaviour.md` writes the page. Nothing leaves the machine but what pip fetches:
phoning home is switched off, and the programs' proxy for all but loopback is a closed port.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.tracer_sink import Seen, Sink

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
    "mlflow": """
import os
os.environ.update(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=URL + "/v1/traces", OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="http/protobuf")
import mlflow
step = lambda name: mlflow.trace(name=name)
flush = lambda: None  # its OTLP exporter has no flush of its own: the provider flushes as the program ends
""",
    "langsmith": """
import os
os.environ.update(LANGSMITH_TRACING="true", LANGSMITH_ENDPOINT=URL, LANGSMITH_API_KEY="lsv2_pt_none")
from langsmith import traceable
from langsmith.run_trees import get_cached_client
step = lambda name: traceable(name=name)
flush = lambda: get_cached_client().flush()
""",
    "opik": """
import os
os.environ.update(OPIK_URL_OVERRIDE=URL, OPIK_WORKSPACE="default", OPIK_PROJECT_NAME="behaviour")
import opik
step = lambda name: opik.track(name=name)
flush = opik.flush_tracker
""",
    "weave": """
import os
os.environ.update(WF_TRACE_SERVER_URL=URL, WANDB_BASE_URL=URL, WANDB_API_KEY="0" * 40)
import weave
client = weave.init("behaviour/behaviour")
step = lambda name: weave.op(name=name)
flush = client.flush
""",
}

# ---- The behaviours: a program, and what it should have led to ----

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
            "import asyncio\n@step('work')\nasync def work(): begun.set(); await asyncio.sleep(30)\n"
            "async def main():\n    global begun; begun = asyncio.Event()\n"
            "    t = asyncio.create_task(work()); await begun.wait(); t.cancel()\n"
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
    "100 MB argument: under 0.5 s of the caller's CPU, both spans arrive": (
        HOSTILE.format(make="import time\nvalue = 'x' * 100_000_000\nt = time.thread_time()")
        + "took = time.thread_time() - t; flush(); assert took < .5, f'slow: {took:.2f}'",
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
HUGE = "100 MB argument: under 0.5 s of the caller's CPU, both spans arrive"
BURST = "20,000 spans in a loop: none lost"
SILENT = "collector silent: the program ends within 8 s"
LIMITS = {HUGE: 150, BURST: 150}  # seconds, where LIMIT would cut off a tracer that is slow but may lose nothing


# ---- Running ----


QUIET = {  # phone-home off, and a closed port for whatever asks for another machine all the same
    "DO_NOT_TRACK": "1",
    "TRACELOOP_TELEMETRY": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "OPIK_SENTRY_ENABLE": "false",
    "OPIK_ANALYTICS_ENABLE": "false",
    "WANDB_ERROR_REPORTING": "false",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1,localhost",
}
PROBE = "@step('work')\ndef work(): return 1\nwork()"
SILENCE = "import urllib.request; urllib.request.urlopen(URL + '/silence').read()\n"


def run(setup: str, python: str, program: str, *, silent: bool = False, limit: float = LIMIT) -> tuple[Seen, Outcome]:
    """One program under one tracer: what the sink saw and how the program ended (timed from where the sink falls silent, if it does)."""
    sink = Sink()
    timed = "import time, sys; print('began', time.time(), file=sys.stderr, flush=True)\n"
    script = f"URL = {sink.url!r}\n{SETUPS[setup]}\n" + (SILENCE if silent else "") + timed + program + ("" if silent else "\nflush()\n")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+", errors="replace") as told:
        environment = {name: os.environ[name] for name in ("PATH", "LANG", "SSL_CERT_FILE") if name in os.environ}
        environment |= {**QUIET, "HOME": folder, "TMPDIR": folder}
        environment |= {"PYTHONPATH": str(HERE.parent.parent)} if python == sys.executable else {}
        process = subprocess.Popen([python, "-c", script], stdout=told, stderr=told, cwd=folder, env=environment)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = None
        ended = time.time()
        told.seek(0)
        said = told.read()
    sink.close()
    began = re.search(r"^began ([0-9.]+)$", said, re.MULTILINE)
    return sink.spans(), Outcome(code, said, ended - float(began[1]) if began else limit)


def cell(setup: str, python: str, behaviour: str) -> str:
    """What one tracer makes of one behaviour: ✓, ✗ or how it ended."""
    program, judge = BEHAVIOURS[behaviour]
    limit = LIMITS.get(behaviour, LIMIT)
    seen, outcome = run(setup, python, program, silent=behaviour == SILENT, limit=limit)
    if judge(seen, outcome):
        return "✓"
    if outcome.code is None:
        return f"✗ runs past {limit} s"
    if behaviour == BURST:
        return f"✗ {20_000 - len(seen):,} lost"
    if behaviour == SILENT:
        return f"✗ {outcome.took:.0f} s"
    if outcome.fine or "began" not in outcome.said:
        return "✗"
    slow = re.search(r"AssertionError: slow: ([0-9.]+)", outcome.said)
    return f"✗ {slow[1]} s" if slow else "✗ the program fails"


def column(setup: str, python: str) -> dict[str, str]:
    """The cells of one tracer, one after the other."""
    made: dict[str, str] = {}
    for behaviour in BEHAVIOURS:
        made[behaviour] = cell(setup, python, behaviour)
        if made[behaviour].startswith("✗") and "runs past" not in made[behaviour]:  # a busy machine's fault is not the tracer's
            made[behaviour] = cell(setup, python, behaviour)
        print(f"{setup}: {behaviour}: {made[behaviour]}", flush=True)
    return made


# ---- Environments of the peers ----


def install(name: str, folder: Path) -> tuple[str, str]:
    """The Python of a peer's environment, made when it is missing, and why it could not be made, if so."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        venv.create(folder / name, with_pip=True)
        done = subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES[name]], capture_output=True, text=True, check=False)
        if done.returncode:
            return "", "not run: " + (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    return str(python), ""


def probe(name: str, python: str) -> str:
    """Why a peer cannot be judged: its plainest program does not bring its span. Empty when it does."""
    seen, outcome = run(name, python, PROBE)
    if named(seen, "work"):
        return ""
    return "not run: " + (outcome.said.strip().splitlines() or [f"nothing came within {LIMIT} s"])[-1][:200]


def version(name: str, python: str) -> str:
    code = (
        "import platform\nfrom importlib.metadata import version\n"
        f"print({PACKAGES[name][0]!r}, version({PACKAGES[name][0]!r}), 'on Python', platform.python_version())"
    )
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout.strip()


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="a peer and the Python it is installed in")
    parser.add_argument("--environments", nargs="?", const="", metavar="DIR", help="all eight peers, installed into DIR where missing")
    parser.add_argument("--jobs", type=int, default=2, help="tracers run at a time (default: 2)")
    parser.add_argument("--write", metavar="FILE", help="write the page to this file")
    chosen = parser.parse_args(argv)
    pythons: dict[str, str] = dict.fromkeys(OURS, sys.executable)
    pythons.update(peer.split("=", 1) for peer in chosen.peer)
    reasons: dict[str, str] = {}
    if chosen.environments is not None:
        folder = Path(chosen.environments or tempfile.mkdtemp(prefix="tracer-behaviour-")).absolute()
        for name in [name for name in SETUPS if name not in pythons]:
            pythons[name], reasons[name] = install(name, folder)
    with ThreadPoolExecutor(chosen.jobs) as pool:
        probed = {name: pool.submit(probe, name, python) for name, python in pythons.items() if python}
        reasons |= {name: future.result() for name, future in probed.items()}
        able = {name: python for name, python in pythons.items() if not reasons[name]}
        running = {
            name: pool.submit(column, name, python)
            for name, python in reversed(able.items())  # the slow ones are the last: they begin first
        }
        cells = {name: running[name].result() if name in able else dict.fromkeys(BEHAVIOURS, "not run") for name in pythons}
    page = table(cells) + "\n" + notes(pythons, reasons)
    print(page)
    if chosen.write:
        Path(chosen.write).write_text(HEAD + page, encoding="utf-8")
    return 0


def table(cells: Mapping[str, Mapping[str, str]]) -> str:
    lines = ["| behaviour | " + " | ".join(cells) + " |", "|---" * (len(cells) + 1) + "|"]
    lines += [f"| {row} | " + " | ".join(told[row] for told in cells.values()) + " |" for row in BEHAVIOURS]
    return "\n".join(lines) + "\n"


def notes(pythons: Mapping[str, str], reasons: Mapping[str, str]) -> str:
    """What ran, in which version, when; and what did not, and why."""
    ran_ones = [f"- {name}: {version(name, python)}" for name, python in pythons.items() if not reasons[name]]
    others = [f"- {name}: {reason}" for name, reason in reasons.items() if reason]
    return f"Measured on {datetime.date.today():%Y-%m-%d}:\n\n" + "\n".join(ran_ones + others) + "\n" + NOTES


HEAD = """# How tracers behave where programs are unkind

Written by `python -m benchmarks.tracer_behaviour --environments DIR --write docs/tracer-behaviour.md`: every cell is the outcome of a
small program that the named tracer traced, run against a sink on the same machine that reads what that tracer sends. ✓: as it should
be. ✗: not so; "the program fails": the traced program raised or crashed though the untraced one would not.

"""

NOTES = """
What to know when reading it:

- "OTel by hand" is OpenTelemetry's SDK with a decorator of ten lines, as its documentation suggests it.
- Ours runs without its spool on disk and without the flattened copies of attributes that other backends want.
- Nobody phones home: what a tracer lets switch off is off, and the way to other machines is closed.
- A 100 MB argument arrives when its span does, cut or whole.
- Peers run with their defaults, except: openinference (arize-phoenix-otel) with its batch processor, as its default sends each span in
  the caller's thread, and its decorator for models on streams; logfire with arguments and results recorded and its console off; mlflow
  with its own OTLP export instead of its store, so its rows say nothing of that store; traceloop without its instrumentations.
  weave takes streams apart only with an `accumulator` given by hand, which it was not given.
- The sink answers at once; each program has 60 seconds, the burst and the 100 MB 150. "Runs past" says that it was stopped then, and
  no more: weave's flush, for one, waits minutes for calls that never end, such as a cancelled task's or a half-read stream's.
- What is not ✓ at first, and was not stopped, ran a second time, and that counts.
- How much a burst loses depends on how busy the machine is: a queue of fixed length overflows when its exporter gets no CPU.
- A silent collector answers while the tracer is set up, then takes requests and answers none. The time is from then to the exit of the
  program, with its 1,000 spans.
- Several programs ran at a time on a machine of two cores that had other work too: seconds say which side of a bar, not how far.
  CPU is what the kernel says the calling thread used.
"""

OURS = ("rightpassage", "OTel by hand")
PACKAGES = {  # the first is the one whose version counts
    "rightpassage": ["rightpassage"],
    "OTel by hand": ["opentelemetry-sdk"],
    "openinference": ["arize-phoenix-otel"],
    "logfire": ["logfire"],
    "langfuse": ["langfuse"],
    "traceloop": ["traceloop-sdk", "httpx", "setuptools<81"],  # it imports httpx without asking for it
    "mlflow": ["mlflow"],
    "langsmith": ["langsmith"],
    "opik": ["opik"],
    "weave": ["weave"],
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
