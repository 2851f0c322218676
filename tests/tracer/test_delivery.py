"""The faults of promises.md §2: nothing raises, nothing waits, nothing is lost without a count."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTracePartialSuccess, ExportTraceServiceResponse

import tracer
from tests.tracer.conftest import Away, Sink, on_this_thread, serve


@tracer.chain
def work(n: object) -> object:
    return n


@pytest.fixture
def black_hole() -> Iterator[str]:
    """Accepts connections and never answers."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(100)
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    server.close()


def trace_2000_calls() -> None:
    """No call waits for anything: the thread neither opens a socket nor a file. How long it takes is for `benchmarks.tracer_promises`."""
    with on_this_thread() as asked:
        for n in range(2000):
            work(n)
    assert asked == []


def dribble(handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
    for _ in range(100):
        handler.wfile.write(b"H")
        time.sleep(0.1)
    return 200, {}, b""


def gigabyte(handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
    handler.send_response(200)
    handler.send_header("Content-Length", str(2**30))
    handler.end_headers()
    for _ in range(1024):
        handler.wfile.write(b"x" * 2**20)
    return 200, {}, b""


def reset(handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
    handler.connection.shutdown(socket.SHUT_RDWR)
    return 200, {}, b""


def status(code: int, **headers: str) -> Any:
    return lambda handler, body: (code, {name.replace("_", "-"): value for name, value in headers.items()}, b"no")


MISBEHAVING = {
    "500": status(500),
    "503": status(503, Retry_After="3600"),
    "429": status(429),
    "redirect loop": status(307, Location="/v1/traces"),
    "one byte at a time": dribble,
    "a gigabyte": gigabyte,
    "reset": reset,
}


@pytest.mark.parametrize("fault", MISBEHAVING)
def test_a_misbehaving_collector_neither_delays_nor_grows_nor_loses_without_a_count(sink: Sink, fault: str) -> None:
    sink.answer = MISBEHAVING[fault]
    trace_2000_calls()
    start = time.perf_counter()
    told = tracer.flush(1.0)
    assert time.perf_counter() - start < 8  # the slowest of them keeps a request for ten
    assert told.acked + told.spooled + told.dropped + told.queued == 2000


def test_a_collector_that_is_away_or_silent_delays_nothing(tmp_path: Path, away: Away, black_hole: str) -> None:
    for endpoint in (away.url, black_hole):
        tracer.configure(endpoint=endpoint, spool=tmp_path)
        trace_2000_calls()
        told = tracer.flush(0.5)
        assert told.spooled + told.queued == 2000
    tracer.disable()


def test_spans_wait_on_disk_and_are_sent_when_the_collector_is_back(tmp_path: Path, away: Away) -> None:
    tracer.configure(endpoint=away.url, spool=tmp_path)
    for n in range(700):
        work(n)
    assert tracer.flush().spooled == 700
    files = list(tmp_path.rglob("*.parcel"))
    assert files
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    sink = Sink()
    server = serve(sink, away)
    told = tracer.flush()
    server.shutdown()
    server.server_close()
    tracer.disable()
    assert (told.sent, told.acked, told.spooled, told.dropped) == (700, 700, 0, 0)
    assert len({span.span_id for span in sink.all()}) == 700
    assert not list(tmp_path.rglob("*.parcel"))


def test_a_later_process_sends_what_an_earlier_one_left(tmp_path: Path, quiet_sink: Sink, away: Away) -> None:
    program = f"""
import tracer
tracer.configure(endpoint="{away.url}", spool={str(tmp_path)!r})
@tracer.chain
def work(n): return n
for n in range(10): work(n)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
    sink = Sink()
    server = serve(sink, away)
    tracer.configure(endpoint=away.url, spool=tmp_path)
    work("now")
    tracer.flush()
    sink.wait(lambda: len(sink.all()) == 11)
    assert tracer.delivery().replayed == 10
    server.shutdown()
    server.server_close()


def test_refusals_are_final_and_counted(sink: Sink) -> None:
    sink.answer = status(400)
    work(1)
    told = tracer.flush()
    assert (told.dropped, told.acked, told.spooled) == (1, 0, 0)


def test_a_batch_that_is_too_large_is_halved_and_a_span_that_is_too_large_is_cut(sink: Sink) -> None:
    def at_most_300_kb(handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        return (413, {}, b"") if len(body) > 300_000 else (200, {}, b"")

    sink.answer = at_most_300_kb
    for _ in range(8):
        work("y" * 50_000)
    work("z" * 500_000)
    told = tracer.flush()
    assert (told.acked, told.dropped) == (9, 0)
    cut = [span for span in sink.all() if "[cut: " in span["input.value"]]
    assert len(cut) == 1
    assert len(cut[0]["input.value"]) < 70_000


def test_partial_success_is_counted_as_the_collector_says(sink: Sink) -> None:
    told = ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess(rejected_spans=1, error_message="no id"))
    sink.answer = lambda handler, body: (200, {"Content-Type": "application/x-protobuf"}, told.SerializeToString())
    work(1)
    work(2)
    counted = tracer.flush()
    assert (counted.acked, counted.rejected) == (1, 1)


def test_a_burst_of_20000_spans_loses_nothing(sink: Sink) -> None:
    document = {"id": "a", "content": "word " * 100}
    for n in range(20_000):
        work({**document, "n": n})
    told = tracer.flush(60)
    assert (told.acked, told.dropped) == (20_000, 0)
    assert len({span.span_id for span in sink.all()}) == 20_000
    assert max(map(len, sink.bodies())) < 5_000_000


def test_a_full_queue_drops_counts_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture, away: Away) -> None:
    tracer.configure(endpoint=away.url, spool=False, limits=tracer.Limits(queue=10_000))
    with caplog.at_level(logging.WARNING):
        for _ in range(1000):
            work("x" * 3000)
    told = tracer.delivery()
    assert told.dropped > 0
    assert sum("queue is full" in record.message for record in caplog.records) <= 1
    tracer.disable()


def test_without_disk_and_collector_memory_stays_bounded(tmp_path: Path, away: Away) -> None:
    locked = tmp_path / "file"
    locked.write_text("a file where a folder should be")
    tracer.configure(endpoint=away.url, spool=locked, limits=tracer.Limits(memory=20_000))
    for n in range(20_000):
        work(f"{n} {os.urandom(50).hex()}")
    told = tracer.flush(2)
    tracer.disable()
    assert told.spooled == 0
    assert told.dropped > 0
    assert told.dropped + told.queued == 20_000


def run(program: str, *, expect: int = 0) -> None:
    """Ends long before the sleep of a minute that some of the programs contain."""
    done = subprocess.run([sys.executable, "-c", program], timeout=50, capture_output=True, text=True)
    assert done.returncode == expect, done.stderr


HEAD = """
import os, sys, signal, threading, tracer
tracer.configure(endpoint={url!r}, spool={spool!r})
@tracer.chain
def work(n): return n
for n in range(100): work(n)
"""

EXITS = {
    "normal": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "unhandled exception": ("raise ValueError()", 1),
    "daemon thread": ("threading.Thread(target=__import__('time').sleep, args=(60,), daemon=True).start()", 0),
}


@pytest.mark.parametrize("way", EXITS)
def test_exit_sends_everything_and_keeps_the_exit_code(quiet_sink: Sink, tmp_path: Path, way: str) -> None:
    tail, code = EXITS[way]
    run(HEAD.format(url=quiet_sink.url, spool=str(tmp_path)) + tail, expect=code)
    assert len(quiet_sink.all()) == 100


def test_exit_in_the_face_of_a_black_hole_takes_at_most_five_seconds_more(black_hole: str, tmp_path: Path) -> None:
    program = HEAD.format(url=black_hole, spool=str(tmp_path)) + "print('done', flush=True)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "done\n"
        start = time.perf_counter()
        assert process.wait(60) == 0
        assert time.perf_counter() - start < 6
    assert sum(int(file.stem.rpartition("-")[2]) for file in tmp_path.rglob("*.parcel")) == 100


def test_os_exit_and_sigterm_lose_what_was_not_sent_but_nothing_else(quiet_sink: Sink, tmp_path: Path) -> None:
    program = (
        HEAD.format(url=quiet_sink.url, spool=str(tmp_path)) + "tracer.flush()\nassert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
    )
    run(program + "os._exit(4)", expect=4)
    run(program + "os.kill(os.getpid(), signal.SIGTERM)", expect=-signal.SIGTERM)
    assert len(quiet_sink.all()) == 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_traces_and_the_parents_spans_are_sent_once(quiet_sink: Sink, tmp_path: Path) -> None:
    program = (
        HEAD.format(url=quiet_sink.url, spool=str(tmp_path))
        + """
children = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        work("child")
        told = tracer.flush()
        os._exit(0 if told.acked == 1 else 9)
    children.append(pid)
codes = [os.waitpid(pid, 0)[1] for pid in children]
assert codes == [0, 0, 0], codes
"""
    )
    run(program)
    spans = quiet_sink.all()
    assert len(spans) == len({span.span_id for span in spans}) == 103


@pytest.mark.parametrize("url", ["not a url", "ftp://x", "http://", "http://host:port", "http://127.0.0.1:1"])
def test_configure_with_anything_returns_at_once_and_calls_nobody(url: str, tmp_path: Path) -> None:
    tracer.configure(endpoint=url, spool=tmp_path)  # imports are paid here
    before = threading.active_count()
    with on_this_thread() as asked:
        tracer.configure(endpoint=url, spool=tmp_path / "readonly")
    assert [event for event in asked if not event.startswith("open")] == []  # files: git's, for the commit
    assert threading.active_count() == before
    assert work(1) == 1
    tracer.disable()


def test_the_first_configure_loads_nothing_of_the_network_and_starts_nothing(tmp_path: Path) -> None:
    program = f"""
import sys, threading, tracer
tracer.configure(endpoint="http://collector.invalid:4318", spool={str(tmp_path / "no")!r})
tracer.chain
late = {{"http", "ssl", "email", "hashlib", "gzip", "requests", "grpc", "google", "urllib.request"}} & set(sys.modules)
assert not late, late
assert threading.active_count() == 1
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert not (tmp_path / "no").exists()


def test_both_threads_start_with_the_first_span_for_at_the_end_of_a_program_none_can(sink: Sink) -> None:
    def ours() -> set[str]:
        return {thread.name for thread in threading.enumerate() if thread.name.startswith("tracer-")}

    tracer.configure(endpoint=sink.url, spool=False)
    sink.wait(lambda: not ours())
    work(1)
    assert ours() == {"tracer-encoder", "tracer-sender"}
    program = f"import tracer\ntracer.configure(endpoint={sink.url!r}, spool=False)\nwith tracer.chain('the only one'): pass\n"
    run(program)
    assert "the only one" in {span.name for span in sink.all()}


def test_disabled_costs_next_to_nothing_and_passes_through(quiet_sink: Sink) -> None:
    tracer.configure(endpoint=quiet_sink.url, spool=False)
    tracer.disable()

    def bare(n: int) -> int:
        return n

    traced = tracer.chain(bare)
    rounds = 20_000
    costs: list[float] = []
    for function in (bare, traced) * 3:
        start = time.thread_time()
        for n in range(rounds):
            function(n)
        costs.append(time.thread_time() - start)
    assert (min(costs[1::2]) - min(costs[::2])) / rounds < 2e-6
    with tracer.chain("nothing") as span:
        span.set_output("x").set_usage(1, 2)
        assert tracer.current_trace_id() is None
    assert tracer.flush().sent == 0


@pytest.mark.parametrize("variable", ["OTEL_SDK_DISABLED=true", "RIGHTPASSAGE_TRACING=off"])
def test_a_variable_turns_it_off(quiet_sink: Sink, variable: str) -> None:
    name, _, value = variable.partition("=")
    program = """
import tracer
@tracer.chain
def work(): return tracer.current_trace_id()
assert work() is None
"""
    environment = {**os.environ, name: value, "OTEL_EXPORTER_OTLP_ENDPOINT": quiet_sink.url}
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30, env=environment)
    assert quiet_sink.all() == []


def test_without_configure_the_environment_decides(quiet_sink: Sink, tmp_path: Path) -> None:
    program = """
import tracer
@tracer.chain
def work(n): return n
work(1)
"""
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": quiet_sink.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-team=search",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_SERVICE_NAME": "bot",
        "RIGHTPASSAGE_TOKEN": "secret",
        "RIGHTPASSAGE_SPOOL": str(tmp_path),
    }
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30, env=environment)
    assert [span.resource["service.name"] for span in quiet_sink.all()] == ["bot"]
    _, headers, _ = quiet_sink.requests[0]
    assert (headers["x-team"], headers["Authorization"], headers["Content-Encoding"]) == ("search", "Bearer secret", "gzip")


def test_a_program_that_names_no_collector_leaves_no_files(tmp_path: Path, away: Away) -> None:
    program = "import tracer\nwith tracer.chain('x'): pass\n"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "RIGHTPASSAGE_"))}
    for more, files in (({}, 0), ({"OTEL_EXPORTER_OTLP_ENDPOINT": away.url}, 1)):
        environment |= {"XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path), **more}
        subprocess.run([sys.executable, "-c", program], check=True, timeout=30, env=environment)
        assert len(list(tmp_path.rglob("*.parcel"))) == files


def test_running_spans_are_announced_to_our_collector_only(sink: Sink) -> None:
    with tracer.chain("unannounced"):
        time.sleep(0.6)
    tracer.flush()
    assert all(span.get("rightpassage.span.state") is None for span in sink.all())
    sink.version = "0.1"
    work(1)
    tracer.flush()
    with tracer.session("s1"), tracer.chain("long") as span:
        span.set_input("why?")
        sink.wait(lambda: any(s.name == "long" for s in sink.all()))
        announced = next(s for s in sink.all() if s.name == "long")
    assert (announced["rightpassage.span.state"], announced.end, announced["session.id"]) == ("running", 0, "s1")
    told = tracer.flush()
    ended = sink.spans()["long"]
    assert ended.span_id == announced.span_id
    assert ended.get("rightpassage.span.state") is None
    assert (told.acked, told.sent) == (3, 3)


def test_a_score_goes_with_the_open_span_or_after_a_past_one(sink: Sink) -> None:
    with tracer.chain("answer"):
        tracer.score("helpful", 1, explanation="says where")
    tracer.score("thumbs", -1, trace_id="0" * 31 + "1", annotator="ada", annotator_kind="HUMAN")
    tracer.flush()
    assert sink.span("answer").json("rightpassage.scores") == [
        {"name": "helpful", "value": 1.0, "explanation": "says where", "annotator": {"kind": "CODE"}}
    ]
    sink.wait(lambda: bool(sink.bodies("/api/v1/scores")))
    assert b'"annotator":{"kind":"HUMAN","id":"ada"}' in sink.bodies("/api/v1/scores")[0]


def test_a_score_asks_nothing_of_the_callers_thread_and_waits_on_disk(tmp_path: Path, away: Away) -> None:
    tracer.configure(endpoint=away.url, spool=tmp_path)
    work(1)
    tracer.flush(2)  # the collector is known to be away
    with on_this_thread() as asked:
        for n in range(20):
            tracer.score("thumbs", n, session_id="s")
    assert asked == []
    tracer.flush(2)
    tracer.disable()
    bodies = [zlib.decompress(file.read_bytes().partition(b"\n")[2], 31) for file in tmp_path.rglob("*.parcel*")]
    assert sum(b'"thumbs"' in body for body in bodies) == 20


def test_a_proxy_of_the_environment_is_used(quiet_sink: Sink) -> None:
    program = "import tracer\nwith tracer.chain('x'): pass\nassert tracer.flush().acked == 1\n"
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example:4318", "RIGHTPASSAGE_SPOOL": "off"}
    environment |= {"http_proxy": quiet_sink.url.replace("//", "//me:pass@"), "no_proxy": ""}
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30, env=environment)
    [(path, headers, _)] = quiet_sink.requests
    assert path == "http://collector.example:4318/v1/traces"
    assert (headers["Host"], headers["Proxy-Authorization"]) == ("collector.example:4318", "Basic bWU6cGFzcw==")
    assert headers["Content-Encoding"] == "gzip"


def test_tls_trusts_the_certificate_it_is_given(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        *subject,
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run(command, check=True, capture_output=True)
    sink = Sink()
    server = serve(sink)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    program = "import tracer\nwith tracer.chain('x'): pass\nprint(tracer.flush(3).acked)\n"
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url.replace("http:", "https:"), "RIGHTPASSAGE_SPOOL": "off"}
    acked: list[str] = []
    for trusted in ({"OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificate)}, {}):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, env=environment | trusted)
        acked.append(done.stdout.strip())
    server.shutdown()
    server.server_close()
    assert acked == ["1", "0"]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_of_multiprocessing_deliver_what_they_traced_before_they_end(quiet_sink: Sink, tmp_path: Path, method: str) -> None:
    script = tmp_path / "program.py"
    script.write_text(f"""
import multiprocessing, tracer
from concurrent.futures import ProcessPoolExecutor
tracer.configure(endpoint={quiet_sink.url!r}, spool=False)
@tracer.chain
def work(n): return n
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    work("queued in the parent")
    children = [context.Process(target=work, args=(n,)) for n in range(3)]
    for child in children: child.start()
    for child in children: child.join()
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert sorted(pool.map(work, range(10))) == list(range(10))
""")
    subprocess.run([sys.executable, str(script)], check=True, timeout=60)
    assert len(quiet_sink.all()) == len({span.span_id for span in quiet_sink.all()}) == 14


def test_a_fork_while_our_threads_load_their_modules_leaves_a_child_that_can_import(quiet_sink: Sink) -> None:
    program = f"""
import os, sys, time, tracer
tracer.configure(endpoint={quiet_sink.url!r}, spool=False)
for n in range(200):
    with tracer.chain("x"): pass
tracer.score("helpful", 1, session_id="s")  # starts the sender, which loads http.client
child = os.fork()
if child == 0:
    import http.client, ssl
    with tracer.chain("in the child"): pass
    os._exit(0 if tracer.flush(10).acked == 1 else 1)
for _ in range(2000):
    done, code = os.waitpid(child, os.WNOHANG)
    if done: sys.exit(os.waitstatus_to_exitcode(code))
    time.sleep(0.01)
os.kill(child, 9)
sys.exit(9)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_slow_collector_and_no_disk_hold_the_encoder_not_the_caller_and_lose_nothing(quiet_sink: Sink) -> None:
    def slow(handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        time.sleep(0.05)
        return 200, {}, b""

    quiet_sink.answer = slow
    tracer.configure(endpoint=quiet_sink.url, spool=False, limits=tracer.Limits(memory=200_000))
    for n in range(5000):
        work(f"{n} {'word ' * 50}")
    told = tracer.flush(30)
    assert (told.acked, told.dropped) == (5000, 0)
