"""What the tracer promises in figures: measured beside the bar, one row each

Every row runs in processes of its own: the traced program, and a collector that misbehaves in the way the row says. Times of calls are
taken while the program makes 1,000 spans a second, an untraced call beside each traced one; memory is what the kernel says the process
holds after the seconds given (`--seconds`, 60), against its start. Starting up is CPU time of the best of ten fresh processes, with
compiled modules; wall time beside it says what a busy machine adds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.servers import QuietServer

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Row:
    """One promise: what was measured, against what it must not exceed."""

    promise: str
    measured: float
    bar: float
    unit: str
    note: str = ""

    @property
    def holds(self) -> bool:
        return self.measured <= self.bar

    def __str__(self) -> str:
        measured = f"{self.measured:.3g} {self.unit}" + (f" ({self.note})" if self.note else "")
        return f"| {self.promise} | {measured} | ≤ {self.bar:g} {self.unit} | {'yes' if self.holds else '**no**'} |"


# ---- Collectors that misbehave, each in a process of its own ----

FAULTS = ("fine", "refused", "silent", "reset", "500", "503, Retry-After 3600", "redirect loop", "one byte a second", "a gigabyte")


class _Faulty(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fault = "fine"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        act = getattr(self, "_" + self.fault.split(",", maxsplit=1)[0].replace(" ", "_"))
        act()

    def _say(self, status: int, length: int = 0, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _fine(self) -> None:
        self._say(200)

    def _silent(self) -> None:
        time.sleep(3600)

    def _reset(self) -> None:
        self.connection.close()

    def _500(self) -> None:
        self._say(500)

    def _503(self) -> None:
        print(time.monotonic(), flush=True)
        self._say(503, Retry_After="3600")

    def _redirect_loop(self) -> None:
        self._say(307, Location="/v1/traces")

    def _one_byte_a_second(self) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n" * 100:
            self.wfile.write(bytes([byte]))
            time.sleep(1)

    def _a_gigabyte(self) -> None:
        self._say(200, 2**30)
        for _ in range(1024):
            self.wfile.write(b"x" * 2**20)

    def log_message(self, format: str, *args: Any) -> None:
        return None


def serve(fault: str) -> None:
    """A collector with this fault; prints its port."""
    server = QuietServer(("127.0.0.1", 0), type("Handler", (_Faulty,), {"fault": fault}))
    print(server.server_address[1], flush=True)
    if fault != "refused":
        server.serve_forever()


@contextmanager
def collector(fault: str) -> Generator[tuple[str, subprocess.Popen[str]]]:
    """The URL of a collector with this fault, and its process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.tracer_promises", "--serve", fault], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
    if fault == "refused":
        process.wait()
    try:
        yield url, process
    finally:
        process.kill()
        process.wait()


# ---- Programs that are traced ----

_HEAD = """
import gc, json, os, sys, time
import tracer
def resident(): return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
def bare(n): return n
work = tracer.chain(bare)
"""

_STEADY = (
    _HEAD
    + """
url, spool, seconds = sys.argv[1], sys.argv[2] or False, float(sys.argv[3])
tracer.configure(endpoint=url, spool=spool)
import random
words = [f"word{n}" for n in range(3000)]
for n in range(1000): work(n)
traced, untraced, made, start, begun, peak = [], [], 0, time.perf_counter(), resident(), 0
while time.perf_counter() - start < seconds:
    text = " ".join(random.choices(words, k=300))
    for _ in range(10):
        t0 = time.perf_counter(); bare(text)
        t1 = time.perf_counter(); work(text)
        t2 = time.perf_counter()
        if made < 100_000: untraced.append(t1 - t0); traced.append(t2 - t1)
        made += 1
    peak = max(peak, resident())
    time.sleep(max(0, start + made / 1000 - time.perf_counter()))
p99 = lambda times: sorted(times)[int(len(times) * 0.99)]
told = tracer.delivery()
print(json.dumps({"p99": (p99(traced) - p99(untraced)) * 1e3, "grown": peak - begun, "dropped": told.dropped, "spooled": told.spooled}))
sys.stdout.flush(); os._exit(0)
"""
)

_STREAMS = (
    _HEAD
    + """
tracer.configure(endpoint=sys.argv[1], spool=False)
@tracer.llm
def stream():
    yield "a"
    yield "b"
def leave(times):
    for n in range(times):
        for _ in stream(): break
    tracer.flush(60); gc.collect()
leave(10_000)
before, objects = resident(), len(gc.get_objects())
leave(100_000)
told = tracer.delivery()
print(json.dumps({"grown": resident() - before, "objects": len(gc.get_objects()) - objects, "lost": told.sent - told.acked + told.dropped}))
"""
)

_BURST = (
    _HEAD
    + """
tracer.configure(endpoint=sys.argv[1], spool=False)
for n in range(20_000): work({"n": n, "text": "word " * 100})
told = tracer.flush(60)
print(json.dumps({"lost": 20_000 - told.acked}))
"""
)

_HUGE = (
    _HEAD
    + """
tracer.configure(endpoint=sys.argv[1], spool=False)
work(1)
huge = "x" * 100_000_000
start = time.thread_time(); work({"text": huge}); print(json.dumps({"seconds": time.thread_time() - start}))
"""
)

_OFF = (
    _HEAD
    + """
tracer.disable()
def cost(function):
    start = time.thread_time()
    for n in range(100_000): function(n)
    return time.thread_time() - start
print(json.dumps({"cost": (min(cost(work) for _ in range(5)) - min(cost(bare) for _ in range(5))) * 10}))
"""
)

_EXIT = (
    _HEAD
    + """
tracer.configure(endpoint=sys.argv[1], spool=sys.argv[2] or False)
for n in range(1000): work(n)
print(json.dumps({"ended": time.monotonic()}))
"""
)

_SCRUB = """
import json, time
from tracer.redaction import scrub
text = (b"Mount a volume, then set `max_tokens=4096` and read https://example.org/docs/how-to?tab=1 about keys and passwords. " * 40)[:4096]
def cost():
    start = time.thread_time()
    for _ in range(500): scrub(text)
    return (time.thread_time() - start) / 500 / 4 * 1e6
print(json.dumps({"cost": min(cost() for _ in range(5))}))
"""

_START = """
import json, time
{before}
wall, cpu = time.perf_counter(), time.process_time()
{work}
print(json.dumps({{"wall": (time.perf_counter() - wall) * 1e3, "cpu": (time.process_time() - cpu) * 1e3}}))
"""


def run(program: str, *arguments: str, **environment: str) -> dict[str, float]:
    """What the program printed, as its last line."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "RIGHTPASSAGE_"))}
    known.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env={
            **known,
            "PYTHONPATH": str(ROOT),
            "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "rightpassage-bytecode"),
            **environment,
        },
        check=False,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


# ---- The rows ----


def starting(times: int) -> Iterator[Row]:
    """Import and the first configure(), in fresh processes that take turns."""
    bad, read_only = "tracer.configure(endpoint='nonsense')", "tracer.configure(endpoint='http://collector.invalid:4318')"
    programs = {
        "sdk": _START.format(before="", work="import opentelemetry.sdk.trace"),
        "tracer": _START.format(before="", work="import opentelemetry.sdk.trace, tracer; tracer.chain"),
        "bad url": _START.format(before="import opentelemetry.sdk.trace, tracer", work=bad),
        "away": _START.format(before="import opentelemetry.sdk.trace, tracer", work=read_only),
        "first": _START.format(before="import tracer", work=read_only),
    }
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
    for _ in range(times):
        for name, program in programs.items():
            seen[name].append(run(program, HOME="/proc", XDG_STATE_HOME="/proc"))
    cpu = {name: min(each["cpu"] for each in taken) for name, taken in seen.items()}
    wall = {name: f"wall {min(each['wall'] for each in taken):.0f} ms" for name, taken in seen.items()}
    yield Row("`import tracer` with its decorators, beyond OpenTelemetry's SDK", cpu["tracer"] - cpu["sdk"], 15, "ms")
    yield Row("first `configure()`, bad URL", cpu["bad url"], 50, "ms", wall["bad url"])
    yield Row("first `configure()`, no network, read-only home", cpu["away"], 50, "ms", wall["away"])
    yield Row("the same, loading OpenTelemetry's SDK too", cpu["first"], 50, "ms", f"{wall['first']}; the SDK alone {cpu['sdk']:.0f} ms")


def calls(seconds: float) -> Iterator[Row]:
    """Latency a call, one misbehaving collector after the other."""
    for fault in FAULTS:
        with collector(fault) as (url, _), tempfile.TemporaryDirectory() as spool:
            yield Row(f"p99 added to a call, collector: {fault}", run(_STEADY, url, spool, str(seconds))["p99"], 1, "ms")


def memory(seconds: float) -> Iterator[Row]:
    """Growth at 1,000 spans a second; the collectors misbehave at the same time, each for its own program."""

    def grown(fault: str, disk: bool) -> Row:
        with collector(fault) as (url, _), tempfile.TemporaryDirectory() as spool:
            told = run(_STEADY, url, spool if disk else "", str(seconds))
        where = "with" if disk else "without"
        return Row(
            f"memory after {seconds:.0f} s at 1,000 spans/s, {where} disk, collector: {fault}",
            told["grown"],
            50,
            "MB",
            f"{told['spooled']} spooled, {told['dropped']} dropped",
        )

    def patience() -> Row:
        with collector("503, Retry-After 3600") as (url, process), tempfile.TemporaryDirectory() as spool:
            run(_STEADY, url, spool, str(max(35.0, seconds)))
            process.kill()
            asked = [float(line) for line in process.stdout or ()]
        return Row("wait after `Retry-After: 3600`", asked[1] - asked[0] if len(asked) > 1 else float("inf"), 31, "s")

    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(grown, fault, disk) for fault in ("refused", "silent") for disk in (True, False)]
        for job in [*jobs, pool.submit(patience)]:
            yield job.result()


def rest() -> Iterator[Row]:
    with collector("fine") as (url, _):
        yield Row("20,000 spans in a tight loop, lost", run(_BURST, url)["lost"], 0, "spans")
        left = run(_STREAMS, url)
        yield Row("100,000 streams left half-way, memory", left["grown"], 20, "MB", f"{left['lost']} spans lost")
        yield Row("100,000 streams left half-way, objects more", left["objects"], 1000, "objects")
        yield Row("an argument of 100 MB, CPU of the caller", run(_HUGE, url)["seconds"], 0.5, "s")
    for fault in ("refused", "silent"):
        with collector(fault) as (url, _), tempfile.TemporaryDirectory() as spool:
            ended = run(_EXIT, url, spool)["ended"]
            yield Row(f"exit with 1,000 spans waiting, collector: {fault}", time.monotonic() - ended, 5, "s")
    yield Row("a call of a step, tracing disabled", run(_OFF)["cost"], 2, "µs")
    yield Row("redaction of plain text", run(_SCRUB)["cost"], 50, "µs/kB")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long the memory rows run")
    parser.add_argument("--times", type=int, default=10, help="fresh processes for each starting row")
    parser.add_argument("--serve", choices=FAULTS, help=argparse.SUPPRESS)
    chosen = parser.parse_args(argv)
    if chosen.serve:
        serve(chosen.serve)
        return 0
    print("| promise | measured | bar | holds |\n|---|---|---|---|")
    measures: tuple[Callable[[], Iterator[Row]], ...] = (
        lambda: starting(chosen.times),
        rest,
        lambda: calls(3),
        lambda: memory(chosen.seconds),
    )
    rows: list[Row] = []
    for measure in measures:
        for row in measure():
            rows.append(row)
            print(row, flush=True)
    print(f"\nload average at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
