"""The real commands as processes: what they print, what they refuse, and that nothing acknowledged is ever lost."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.collector.served import new_id, otlp_span, rag_trace, request_of
from tests.processes import RunningCollector, running_collector

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("RIGHTPASSAGE_", "OTEL_"))}

COMMANDS = (
    "up",
    "serve",
    "view",
    "demo",
    "find",
    "show",
    "tail",
    "stats",
    "export",
    "import",
    "prune",
    "doctor",
    "renormalise",
    "backup",
    "rules",
)


def command(*arguments: str, environment: dict[str, str] | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """`rightpassage ARGUMENTS`, finished."""
    given = {**CLEAN, "COLUMNS": "100", "NO_COLOR": "1", **(environment or {})}
    line = [sys.executable, "-m", "collector", *arguments]
    return subprocess.run(line, env=given, capture_output=True, text=True, timeout=timeout, check=False)


def send(collector: RunningCollector, *spans: dict[str, object]) -> None:
    answer = httpx.post(f"{collector.http}/v1/traces", json=request_of(*spans), trust_env=False)
    assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    with running_collector(tmp_path_factory.mktemp("cli") / "traces.db") as collector:
        yield collector


@pytest.fixture(scope="module")
def trace_id(running: RunningCollector) -> str:
    trace, spans = rag_trace(start=time.time_ns())
    send(running, *spans)
    return trace


# ---- serve ----


def test_ready_says_both_addresses_and_sigterm_exits_0(tmp_path: Path) -> None:
    with running_collector(tmp_path / "t.db") as collector:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", collector.http)
        assert httpx.get(f"{collector.http}/healthz", trust_env=False).json()["status"] == "ok"
        with socket.create_connection(collector.grpc.split(":"), timeout=30):  # type: ignore[arg-type]
            pass
        collector.process.send_signal(signal.SIGTERM)
        assert collector.process.wait(30) == 0


def test_a_listener_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with running_collector(tmp_path / "t.db") as collector, httpx.stream("GET", f"{collector.http}/api/v1/live", trust_env=False) as stream:
        lines = stream.iter_lines()
        next(lines)
        collector.process.send_signal(signal.SIGTERM)
        list(lines)  # the stream ends; were it cut when patience runs out, this would raise
        assert collector.process.wait(30) == 0


def begin_upload(collector: RunningCollector) -> socket.socket:
    """A request whose body the collector has begun to read (it said "100 Continue") and that never ends."""
    host, _, port = collector.http.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    headers = ("Host: localhost", "Content-Type: application/json", "Content-Length: 1000", "Expect: 100-continue")
    connection.sendall("\r\n".join(("POST /v1/traces HTTP/1.1", *headers, "", "{")).encode())
    assert connection.recv(4096).startswith(b"HTTP/1.1 100")
    return connection


def test_uploads_that_never_end_are_told_503_and_do_not_hold_up_the_end(tmp_path: Path) -> None:
    with running_collector(tmp_path / "t.db") as collector:
        stuck = [begin_upload(collector) for _ in range(100)]
        collector.process.send_signal(signal.SIGTERM)
        answers = [connection.recv(4096) for connection in stuck]
        assert collector.process.wait(30) == 0
    assert all(answer.startswith(b"HTTP/1.1 503") and b"retry-after" in answer for answer in answers), answers[0]


def listens(collector: RunningCollector) -> bool:
    host, _, port = collector.http.removeprefix("http://").partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_a_second_sigterm_ends_at_once(tmp_path: Path) -> None:
    with running_collector(tmp_path / "t.db") as collector, begin_upload(collector):
        collector.process.send_signal(signal.SIGTERM)
        while listens(collector):
            time.sleep(0.01)
        assert collector.process.poll() is None  # it waits for the upload
        collector.process.send_signal(signal.SIGTERM)
        assert collector.process.wait(30) == 1


WATCHED = """
import sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        print("OUTBOUND", event, arguments, file=sys.stderr, flush=True)
sys.addaudithook(watch)
from collector.__main__ import main
sys.exit(main())
"""


def test_what_a_span_names_is_never_fetched(tmp_path: Path) -> None:
    line = [sys.executable, "-c", WATCHED, "serve", "--db", str(tmp_path / "t.db"), "--http", "127.0.0.1:0", "--grpc", "off"]
    with subprocess.Popen(line, env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        url = process.stdout.readline().split()[1]
        trace, target = new_id(16), "http://127.0.0.1:9/collect?secret"
        named = {"input.value": f"![x]({target})", "http.url": target, "llm.input_messages.0.message.content": f"<img src={target}>"}
        with httpx.Client(base_url=url, trust_env=False) as http:
            http.post("/v1/traces", json=request_of(otlp_span(trace, new_id(), target, attributes=named))).raise_for_status()
            for path in (f"/api/v1/traces/{trace}", f"/api/v1/traces/{trace}/diagnosis", "/api/v1/traces?filter=collect", "/api/v1/export"):
                http.get(path).raise_for_status()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""


def test_kill_9_straight_after_the_answer_loses_nothing(tmp_path: Path) -> None:
    database, sent = tmp_path / "t.db", 0
    for _ in range(3):
        with running_collector(database) as collector:
            assert httpx.get(f"{collector.http}/api/v1/stats", trust_env=False).json()["spans"] == sent
            stop = threading.Event()
            counts = [0, 0]

            def push(place: int, url: str = collector.http, stop: threading.Event = stop, counts: list[int] = counts) -> None:
                with httpx.Client(base_url=url, trust_env=False) as client:
                    while not stop.is_set():
                        try:
                            answer = client.post("/v1/traces", json=request_of(*(otlp_span(new_id(16), new_id(), "x") for _ in range(5))))
                        except httpx.TransportError:
                            return
                        counts[place] += 5 * (answer.status_code == 200)

            pushers = [threading.Thread(target=push, args=(place,)) for place in range(2)]
            for pusher in pushers:
                pusher.start()
            while sum(counts) < 50 or not all(counts):
                time.sleep(0.01)
            collector.process.kill()
            stop.set()
            for pusher in pushers:
                pusher.join()
            collector.process.wait(5)
        with running_collector(database) as collector:
            stored = httpx.get(f"{collector.http}/api/v1/stats", trust_env=False).json()["spans"]
        assert sent + sum(counts) <= stored <= sent + sum(counts) + 10, "at most the requests in flight are there beyond what was answered"
        sent = stored


def test_a_second_collector_on_the_file_is_refused_with_one_line(running: RunningCollector) -> None:
    refused = command("serve", "--db", str(running.database), "--http", "127.0.0.1:0", "--grpc", "off", timeout=50)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert str(running.database) in refused.stderr
    assert "another collector" in refused.stderr


@pytest.mark.parametrize("option", ["--http", "--grpc"])
def test_a_taken_port_is_one_line_naming_it_and_the_option(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        addresses = {"--http": "127.0.0.1:0", "--grpc": "127.0.0.1:0", option: f"127.0.0.1:{port}"}
        refused = command("serve", "--db", str(tmp_path / "t.db"), *(word for pair in addresses.items() for word in pair))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert str(port) in refused.stderr
    assert option in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--http", "nowhere"], ["--http", "nowhere", "HOST:PORT"]),
        (["--http", "127.0.0.1:99999"], ["--http", "65535"]),
        (["--http", "0.0.0.0:0"], ["--token"]),
        (["--db", "mysql://x"], ["mysql", "sqlite"]),
        (["--db", "/proc/nothing/t.db"], ["/proc/nothing"]),
        (["--retain-age", "a month"], ["a month", "30d"]),
        (["--retain-age", "3"], ["--retain-age", "'3'"]),
        (["--retain-traces", "0"], ["--retain-traces", "'0'", "from 1"]),
        (["--max-body", "huge"], ["huge"]),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    given = {"--db": str(tmp_path / "t.db"), "--http": "127.0.0.1:0", "--grpc": "off", arguments[0]: arguments[1]}
    refused = command("serve", *(word for pair in given.items() for word in pair))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert all(word in refused.stderr for word in words), refused.stderr


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    database = tmp_path / "t.db"
    database.write_bytes(b"a diary, not a database" * 500)
    refused = command("serve", "--db", str(database), "--http", "127.0.0.1:0", "--grpc", "off")
    assert refused.returncode == 1
    assert str(database) in refused.stderr
    assert database.read_bytes().startswith(b"a diary")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["find", "--limit", "5000"], ["--limit", "'5000'", "1000"]),
        (["find", "-n", "many"], ["--limit", "'many'"]),
        (["up", "--port", "70000"], ["--port", "'70000'", "65535"]),
        (["stats", "--collector", "ftp://there"], ["ftp://there", "http://HOST:PORT"]),
        (["stats", "--collector", "http://[::1"], ["http://[::1", "http://HOST:PORT"]),
        (["prune", "--older-than", "3"], ["--older-than", "'3'", "30d"]),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_option(arguments: list[str], words: list[str]) -> None:
    refused = command(*arguments)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert all(word in refused.stderr for word in words), refused.stderr


def test_a_value_from_the_environment_is_refused_the_same_way() -> None:
    assert "--limit 'zz'" in command("find", environment={"RIGHTPASSAGE_LIMIT": "zz"}).stderr


@pytest.mark.parametrize("name", ["find", "stats", "export", "renormalise"])
def test_a_mistyped_database_is_not_made(tmp_path: Path, name: str) -> None:
    missing = tmp_path / "typo.db"
    refused = command(name, "--db", str(missing))
    assert (refused.returncode, refused.stderr) == (1, f"rightpassage: there is no database at {missing}\n")
    assert not list(tmp_path.iterdir())


def test_options_come_from_the_environment_too(tmp_path: Path) -> None:
    environment = {"RIGHTPASSAGE_DB": str(tmp_path / "env.db"), "RIGHTPASSAGE_HTTP": "127.0.0.1:0", "RIGHTPASSAGE_GRPC": "off"}
    process = subprocess.Popen(
        [sys.executable, "-m", "collector", "serve"], env={**CLEAN, **environment}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        assert re.fullmatch(r"ready http://127\.0\.0\.1:\d+\n", process.stdout.readline())
        assert (tmp_path / "env.db").exists()
    finally:
        process.terminate()
        assert process.wait(10) == 0


# ---- Looking ----


def test_find_lists_and_show_draws(running: RunningCollector, trace_id: str) -> None:
    found = command("find", "kind:retriever", "--collector", running.http)
    assert found.returncode == 0, found.stderr
    assert "How long do refunds take?" in found.stdout
    assert trace_id[:12] in found.stdout
    for name in (trace_id, trace_id[:8], "latest"):
        shown = command("show", name, "--collector", running.http)
        assert shown.returncode == 0, shown.stderr
        for words in ("answer", "├ ◎ search", "faq.md", "Refunds take five days.", "└ ● chat  gpt-4o-mini", "120→9"):
            assert words in shown.stdout
    assert max(len(line) for line in shown.stdout.splitlines()) <= 100


def test_json_is_the_form_of_the_api(running: RunningCollector, trace_id: str) -> None:
    found = json.loads(command("find", "--json", "--collector", running.http).stdout)
    assert trace_id in [summary["trace_id"] for summary in found["traces"]]
    shown = json.loads(command("show", trace_id, "--json", "--collector", running.http).stdout)
    assert shown == httpx.get(f"{running.http}/api/v1/traces/{trace_id}", trust_env=False).json()
    stats = json.loads(command("stats", "--json", "--collector", running.http).stdout)
    assert stats["traces"] >= 1
    assert {"spans", "sessions", "bytes"} <= stats.keys()


def test_a_terminal_of_few_letters_gets_question_marks(running: RunningCollector, trace_id: str) -> None:
    for arguments in (["find"], ["show", trace_id], ["doctor"], ["--help"]):
        asked = command(*arguments, environment={"RIGHTPASSAGE_COLLECTOR": running.http, "PYTHONIOENCODING": "ascii"})
        assert (asked.returncode, asked.stderr) == (0, ""), arguments


def test_a_full_disk_is_one_line(running: RunningCollector, trace_id: str) -> None:
    line = [sys.executable, "-m", "collector", "find", "--json", "--collector", running.http]
    with open("/dev/full", "w") as full:
        failed = subprocess.run(line, env=CLEAN, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert failed.returncode == 1
    assert failed.stderr == "rightpassage: the output: No space left on device\n"


@pytest.mark.parametrize("arguments", [["--help"], ["show", "latest"], ["show", "latest", "--json"], ["find"], ["stats"], ["export"]])
def test_a_reader_that_goes_away_ends_a_command_quietly(running: RunningCollector, trace_id: str, arguments: list[str]) -> None:
    asked = arguments if arguments == ["--help"] else [*arguments, "--collector", running.http]
    line = [sys.executable, "-m", "collector", *asked]
    with subprocess.Popen(line, env=CLEAN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        complaint = process.stderr.read()
    assert (process.returncode, complaint) == (0, "")


def test_a_filter_may_begin_with_a_minus(running: RunningCollector, trace_id: str) -> None:
    asked = command("find", "-status:error", '-"no such words"', "--json", "--collector", running.http)
    assert (asked.returncode, asked.stderr) == (0, "")
    assert trace_id in asked.stdout
    assert command("find", "--jsn").returncode == 2


def test_another_program_at_the_address_is_one_line() -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("find", "export", "stats"):
            refused = command(name, "--collector", f"http://127.0.0.1:{server.server_port}")
            assert (refused.returncode, refused.stdout) == (1, "")
            assert "is no collector (it sent text/html)" in refused.stderr
            assert refused.stderr.count("\n") == 1
        server.shutdown()


def test_a_bad_filter_is_pointed_at(running: RunningCollector) -> None:
    refused = command("find", "status:ok", "kindd:llm", "--collector", running.http)
    assert refused.returncode == 1
    lines = refused.stderr.splitlines()
    assert lines[1] == "  status:ok kindd:llm"
    assert lines[2].index("^") == 2 + 10
    assert "did you mean kind" in lines[2]


def test_what_is_not_there_is_one_line(running: RunningCollector) -> None:
    for name, words in (("0" * 32, "no trace"), ("zzz", "not a trace id"), ("ffff", "no trace")):
        refused = command("show", name, "--collector", running.http)
        assert refused.returncode == 1
        assert words in refused.stderr
        assert refused.stderr.count("\n") == 1
    away = command("find", "--collector", "http://127.0.0.1:1")
    assert away.returncode == 1
    assert "rightpassage serve" in away.stderr


def test_tail_shows_what_arrives(running: RunningCollector) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "collector", "tail", "session:tailed", "--last", "0", "--collector", running.http],
        env={**CLEAN, "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        heard: list[str] = []
        assert process.stdout
        listener = threading.Thread(target=lambda: heard.append(process.stdout.readline()))  # type: ignore[union-attr]
        listener.start()
        for _ in range(100):
            send(running, *rag_trace(session="tailed", start=time.time_ns())[1])
            listener.join(0.2)
            if heard:
                break
        assert "How long do refunds take?" in heard[0]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) in (0, 130)
    finally:
        process.kill()
        process.wait()


# ---- Keeping ----


def test_export_and_import_give_equal_traces(running: RunningCollector, trace_id: str, tmp_path: Path) -> None:
    out, database = tmp_path / "traces.jsonl", tmp_path / "other.db"
    exported = command("export", f"trace_id:{trace_id}", "-o", str(out), "--collector", running.http)
    assert exported.returncode == 0, exported.stderr
    assert not list(tmp_path.glob("*.part"))
    first = command("import", str(out), "--db", str(database))
    assert first.returncode == 0, first.stderr
    assert first.stdout == "3 spans stored, 0 were there already\n"
    assert command("import", str(out), "--db", str(database)).stdout == "0 spans stored, 3 were there already\n"
    ours = json.loads(command("show", trace_id, "--json", "--collector", running.http).stdout)
    theirs = json.loads(command("show", trace_id, "--json", "--db", str(database)).stdout)
    assert theirs == ours


def test_a_file_that_a_collector_holds_is_refused(running: RunningCollector, tmp_path: Path) -> None:
    for arguments in (["stats"], ["export"], ["renormalise"], ["prune", "--max-traces", "5"], ["backup", str(tmp_path / "b.db")]):
        refused = command(*arguments, "--db", str(running.database))
        assert refused.returncode == 1, arguments
        assert "another collector" in refused.stderr
    (tmp_path / "link.db").symlink_to(running.database)
    assert "another collector" in command("stats", "--db", str(tmp_path / "link.db")).stderr
    both = command("stats", "--db", "x.db", "--collector", running.http)
    assert both.returncode == 1
    assert "not both" in both.stderr


def test_prune_says_what_would_go_and_does_it(running: RunningCollector) -> None:
    old = rag_trace(session="old", start=time.time_ns() - 100 * 86_400 * 10**9)
    send(running, *old[1])
    tried = command("prune", "--older-than", "90d", "--dry-run", "--collector", running.http)
    assert tried.stdout.startswith("1 traces, 3 spans would go"), tried.stderr
    done = command("prune", "--older-than", "90d", "--collector", running.http)
    assert done.stdout.startswith("1 traces, 3 spans removed")
    assert command("prune", "--collector", running.http).returncode == 1


def test_backup_and_renormalise(running: RunningCollector, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert command("backup", str(copy), "--collector", running.http).returncode == 0
    assert copy.stat().st_mode & 0o077 == 0, "for its owner alone, like the database"
    assert copy.stat().st_size > 0
    assert command("backup", str(copy), "--collector", running.http).returncode == 1, "nothing is overwritten"
    assert "spans changed" in command("renormalise", "--collector", running.http).stdout


# ---- Doctor and rules ----


def test_doctor_finds_a_healthy_collector_and_its_grpc_port(running: RunningCollector, trace_id: str) -> None:
    seen = command("doctor", "--endpoint", running.http)
    assert seen.returncode == 0, seen.stdout
    assert running.grpc in seen.stdout
    assert "✗" not in seen.stdout
    checks = json.loads(command("doctor", "--collector", running.http, "--json").stdout)["checks"]
    assert {check["outcome"] for check in checks} <= {"ok", "warning"}


def test_doctor_fails_where_nobody_answers() -> None:
    seen = command("doctor", "--endpoint", "http://127.0.0.1:1", "--grpc", "off")
    assert seen.returncode == 1
    assert "nobody answers" in seen.stdout


def test_a_rule_changes_how_stored_spans_are_understood(running: RunningCollector) -> None:
    trace, span = new_id(16), new_id()
    send(running, otlp_span(trace, span, "house", attributes={"acme.question": "Whose house?"}))
    added = command("rules", "acme.question", "input", "--collector", running.http)
    assert added.stdout == "acme.question → input\n", added.stderr
    assert "did you mean" in command("rules", "acme.answer", "outputt", "--collector", running.http).stderr
    command("renormalise", "--collector", running.http)
    shown = httpx.get(f"{running.http}/api/v1/traces/{trace}/spans/{span}", trust_env=False).json()
    assert shown["input"] == "Whose house?"
    assert command("rules", "acme.question", "--remove", "--collector", running.http).returncode == 0
    assert command("rules", "--collector", running.http).stdout == ""


# ---- Help ----


def test_help_names_every_command_of_the_contract() -> None:
    text = command("--help").stdout
    assert [name for name in COMMANDS if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    helped = command(name, "--help")
    assert helped.returncode == 0
    assert "Usage:" in helped.stdout


def test_version() -> None:
    assert re.fullmatch(r"rightpassage \d+\.\d+\.\d+\S*\n", command("--version").stdout)
