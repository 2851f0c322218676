"""What tracing costs: CPU per span beside OpenTelemetry's SDK with capture by hand, interleaved in one run

Each contender is a process of its own that runs the same pipeline of five nested steps (about 5 kB captured a span) and sends to the
same sink. Rounds go through all contenders in turn, so that a slow moment of the machine hits everybody; the table shows medians of the
rounds and the ratio of each contender to the SDK in the same round. CPU is what the kernel says a thread and a process used; the bare
pipeline's own is taken off. Further contenders run where they are installed: `--peer langfuse=/path/to/venv/bin/python`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

CALLS = 40  # of the pipeline in a round: 200 spans, which no contender's queue loses
STEPS = 5

Pipeline = Callable[[str], str]
Decorate = Callable[[str, str], Callable[[Any], Any]]  # kind and name → decorator


def pipeline(decorate: Decorate) -> Pipeline:
    """The workload: rag → retrieve (5 × 600 characters) → rerank → build_prompt (4 kB) → generate (1.2 kB)."""
    words = [f"word{n}" for n in range(2000)]
    chance = random.Random(1)

    def text(size: int) -> str:
        made = ""
        while len(made) < size:
            made += chance.choice(words) + " "
        return made[:size]

    shelves = [
        [{"id": f"{n}-{i}", "content": text(600), "score": 1 / (i + 2), "metadata": {"source": f"page{i}.md"}} for i in range(5)]
        for n in range(50)
    ]
    prompts = [text(1000) for _ in range(50)]
    answers = [text(1200) for _ in range(50)]

    @decorate("retriever", "retrieve")
    def retrieve(question: str) -> list[dict[str, Any]]:
        return shelves[len(question) % 50]

    @decorate("reranker", "rerank")
    def rerank(question: str, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return documents[::-1]

    @decorate("prompt", "build_prompt")
    def build_prompt(question: str, documents: list[dict[str, Any]]) -> str:
        return prompts[len(question) % 50] + "".join(document["content"] for document in documents)

    @decorate("llm", "generate")
    def generate(prompt: str) -> str:
        return answers[len(prompt) % 50]

    @decorate("chain", "rag")
    def rag(question: str) -> str:
        return generate(build_prompt(question, rerank(question, retrieve(question))))

    return rag


# ---- Contenders: each gives the traced pipeline and a function that flushes ----


def bare(url: str) -> tuple[Pipeline, Callable[[], Any]]:
    return pipeline(lambda kind, name: lambda function: function), lambda: None


def opentelemetry(url: str) -> tuple[Pipeline, Callable[[], Any]]:
    """The SDK as its documentation shows it: a decorator by hand with json.dumps, batch processor, OTLP over HTTP."""
    import functools

    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{url}/v1/traces")))
    trace.set_tracer_provider(provider)
    otel = trace.get_tracer("benchmark")

    def decorate(kind: str, name: str) -> Callable[[Any], Any]:
        def wrap(function: Any) -> Any:
            @functools.wraps(function)
            def call(*args: Any, **kwargs: Any) -> Any:
                with otel.start_as_current_span(name) as span:
                    span.set_attribute("openinference.span.kind", kind.upper())
                    span.set_attribute("input.value", json.dumps({"args": args, "kwargs": kwargs}))
                    span.set_attribute("input.mime_type", "application/json")
                    result = function(*args, **kwargs)
                    span.set_attribute("output.value", json.dumps(result))
                    span.set_attribute("output.mime_type", "application/json")
                    return result

            return call

        return wrap

    return pipeline(decorate), provider.force_flush


def _ours(url: str, **options: Any) -> tuple[Pipeline, Callable[[], Any]]:
    import tracer

    tracer.configure("benchmark", endpoint=url, spool=False, **options)
    return pipeline(lambda kind, name: getattr(tracer, kind)(name)), lambda: tracer.flush(30)


def rightpassage(url: str) -> tuple[Pipeline, Callable[[], Any]]:
    return _ours(url, redact=False, flatten=False)


def rightpassage_redacting(url: str) -> tuple[Pipeline, Callable[[], Any]]:
    return _ours(url, flatten=False)


def rightpassage_to_others(url: str) -> tuple[Pipeline, Callable[[], Any]]:
    return _ours(url, redact=False, flatten=True)


def rightpassage_off(url: str) -> tuple[Pipeline, Callable[[], Any]]:
    import tracer

    tracer.disable()
    return pipeline(lambda kind, name: getattr(tracer, kind)(name)), lambda: None


def openinference(url: str) -> tuple[Pipeline, Callable[[], Any]]:
    from phoenix.otel import register  # type: ignore[import-not-found]

    provider = register(endpoint=f"{url}/v1/traces", batch=True, protocol="http/protobuf", verbose=False)
    otel = provider.get_tracer("benchmark")
    known = {"llm": otel.llm, "retriever": getattr(otel, "retriever", otel.chain)}
    return pipeline(lambda kind, name: known.get(kind, otel.chain)(name=name)), provider.force_flush


def langfuse(url: str) -> tuple[Pipeline, Callable[[], Any]]:
    os.environ.update(LANGFUSE_HOST=url, LANGFUSE_PUBLIC_KEY="pk", LANGFUSE_SECRET_KEY="sk")
    from langfuse import get_client, observe  # type: ignore[import-not-found]

    kinds = {"llm": "generation", "chain": "chain", "retriever": "retriever"}
    return pipeline(lambda kind, name: observe(name=name, as_type=kinds.get(kind, "span"))), get_client().flush


def traceloop(url: str) -> tuple[Pipeline, Callable[[], Any]]:
    os.environ.update(TRACELOOP_TELEMETRY="false")
    from opentelemetry import trace
    from traceloop.sdk import Traceloop  # type: ignore[import-not-found]
    from traceloop.sdk.decorators import task, workflow  # type: ignore[import-not-found]

    Traceloop.init(app_name="benchmark", api_endpoint=url, disable_batch=False, instruments=set())
    flush = trace.get_tracer_provider().force_flush  # type: ignore[attr-defined]
    return pipeline(lambda kind, name: (workflow if kind == "chain" else task)(name=name)), flush


def logfire(url: str) -> tuple[Pipeline, Callable[[], Any]]:
    os.environ.update(OTEL_EXPORTER_OTLP_ENDPOINT=url)
    import logfire as fire  # type: ignore[import-not-found]

    fire.configure(send_to_logfire=False, console=False)
    return pipeline(lambda kind, name: fire.instrument(name, extract_args=True, record_return=True)), fire.force_flush


CONTENDERS: dict[str, Callable[[str], tuple[Pipeline, Callable[[], Any]]]] = {
    "bare": bare,
    "opentelemetry": opentelemetry,
    "rightpassage": rightpassage,
    "rightpassage-redacting": rightpassage_redacting,
    "rightpassage-to-others": rightpassage_to_others,
    "rightpassage-off": rightpassage_off,
    "openinference": openinference,
    "langfuse": langfuse,
    "logfire": logfire,
    "traceloop": traceloop,
}
OURS = ("bare", "opentelemetry", "rightpassage", "rightpassage-redacting", "rightpassage-to-others", "rightpassage-off")


# ---- The processes ----


class _Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        return None


def serve() -> None:
    """The sink: reads everything and says yes."""
    from http.server import ThreadingHTTPServer

    server: HTTPServer = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def contend(name: str, url: str) -> None:
    """One contender: a round for each line on stdin, its measurements as a line of JSON."""
    rag, flush = CONTENDERS[name](url)
    for _ in range(20):
        rag("How do I mount a volume?")
    flush()
    questions = [f"How do I mount a volume {'?' * n}" for n in range(CALLS)]
    print("ready", flush=True)
    for _ in sys.stdin:
        process, thread, wall = time.process_time(), time.thread_time(), time.perf_counter()
        for question in questions:
            rag(question)
        thread, wall = time.thread_time() - thread, time.perf_counter() - wall
        flush()
        process = time.process_time() - process
        print(json.dumps([each / CALLS / STEPS * 1e6 for each in (thread, wall, process)]), flush=True)


def _spawn(python: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [python, "-P", str(Path(__file__)), *arguments],  # -P: a module of this folder is called like a peer, phoenix
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent) if python == sys.executable else ""},
    )


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def measure(rounds: int, contenders: dict[str, str]) -> dict[str, list[list[float]]]:
    """Rounds of [application thread, wall, whole process] in µs a span, for each contender."""
    sink = _spawn(sys.executable, "--serve")
    url = f"http://127.0.0.1:{_line(sink)}"
    running = {name: _spawn(python, "--contend", name, url) for name, python in contenders.items()}
    seen: dict[str, list[list[float]]] = {}
    try:
        for name, process in running.items():
            if _line(process) == "ready":
                seen[name] = []
            else:
                print(f"{name}: did not start")
        for turn in range(rounds):
            for name in sorted(seen, key=lambda name: hash((name, turn))):
                stdin = running[name].stdin
                assert stdin is not None
                stdin.write("go\n")
                stdin.flush()
                seen[name].append(json.loads(_line(running[name])))
    finally:
        for process in [*running.values(), sink]:
            process.kill()
            process.wait()
    return seen


def report(seen: dict[str, list[list[float]]]) -> str:
    """The table: medians, ratios to the SDK in the same rounds."""
    base = [statistics.median(row[i] for row in seen["bare"]) for i in range(3)]
    lines = [
        "| contender | application thread, µs/span | × SDK | wall, µs/span | whole process, µs/span | × SDK |",
        "|---|---|---|---|---|---|",
    ]
    sdk = [[row[i] - base[i] for i in range(3)] for row in seen["opentelemetry"]]
    for name, rows in seen.items():
        if name == "bare":
            continue
        own = [[row[i] - base[i] for i in range(3)] for row in rows]
        thread, wall, process = (statistics.median(row[i] for row in own) for i in range(3))
        ratios = [statistics.median(mine[i] / max(theirs[i], 0.1) for mine, theirs in zip(own, sdk, strict=True)) for i in (0, 2)]
        lines.append(f"| {name} | {thread:.1f} | {ratios[0]:.2f} | {wall:.1f} | {process:.1f} | {ratios[1]:.2f} |")
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="a peer and the Python it is installed in")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--contend", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args(argv)
    if chosen.serve:
        serve()
    elif chosen.contend:
        contend(*chosen.contend)
    else:
        contenders: dict[str, str] = dict.fromkeys(OURS, sys.executable)
        if importlib.util.find_spec("phoenix") is not None:
            contenders["openinference"] = sys.executable
        contenders.update(dict(peer.split("=", 1) for peer in chosen.peer))
        seen = measure(chosen.rounds, contenders)
        print(report(seen))
        print(f"\n{chosen.rounds} rounds of {CALLS * STEPS} spans, interleaved; the bare pipeline is taken off.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
