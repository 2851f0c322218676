"""Where spans nest: threads, tasks, processes, HTTP headers, and beside other OpenTelemetry instrumentation."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from opentelemetry import propagate, trace
from opentelemetry.context import attach, detach

import tracer
from tests.tracer.conftest import Sink


@tracer.retriever
def retrieve(question: str) -> list[str]:
    return [question]


@tracer.retriever
async def retrieve_async(question: str) -> list[str]:
    await asyncio.sleep(0)
    return [question]


def test_gather_to_thread_and_task_groups_keep_the_trace(sink: Sink) -> None:
    async def request() -> None:
        with tracer.chain("request"):
            await asyncio.gather(retrieve_async("a"), retrieve_async("b"))
            await asyncio.to_thread(retrieve, "c")
            async with asyncio.TaskGroup() as group:
                group.create_task(retrieve_async("d"))

    asyncio.run(request())
    tracer.flush()
    spans = sink.all()
    root = next(span for span in spans if span.name == "request")
    assert {span["input.value"] for span in spans if span.parent_id == root.span_id} == {"a", "b", "c", "d"}


def test_carried_keeps_the_trace_in_a_thread_pool(sink: Sink) -> None:
    with ThreadPoolExecutor() as pool, tracer.chain("request"):
        pool.submit(tracer.carried(retrieve), "a").result()
    spans = sink.spans()
    assert spans["retrieve"].parent_id == spans["request"].span_id


def test_threads_keep_the_trace_by_opt_in(tmp_path: Path, quiet_sink: Sink) -> None:
    program = f"""
import threading, tracer
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
tracer.configure(endpoint={quiet_sink.url!r}, spool=False, threads=True)

@tracer.retriever
def retrieve(question): return [question]

with tracer.session("s1"), tracer.chain("request"):
    with ThreadPoolExecutor() as pool:
        list(pool.map(retrieve, ["a", "b"]))
    thread = threading.Thread(target=retrieve, args=("c",)); thread.start(); thread.join()
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
    spans = quiet_sink.all()
    root = next(span for span in spans if span.name == "request")
    children = [span for span in spans if span.parent_id == root.span_id]
    assert {span["input.value"] for span in children} == {"a", "b", "c"}
    assert {span["session.id"] for span in children} == {"s1"}


def test_session_user_tags_and_metadata_reach_every_span_inside(sink: Sink) -> None:
    provider = trace.get_tracer_provider()
    bound = (tracer.session("thread-42"), tracer.user("ada"), tracer.tags("prod"), tracer.tags("eu"), tracer.metadata(release="1"))
    with ExitStack() as blocks:
        for block in bound:
            blocks.enter_context(block)
        with tracer.metadata(build=7), tracer.chain("request"):
            retrieve("a")
            with provider.get_tracer("other").start_as_current_span("sdk"):
                pass
    with tracer.chain("outside"):
        pass
    spans = sink.spans()
    for name in ("request", "retrieve", "sdk"):
        assert spans[name]["session.id"] == "thread-42"
        assert spans[name]["user.id"] == "ada"
        assert spans[name]["tag.tags"] == ["prod", "eu"]
        assert spans[name].json("metadata") == {"release": "1", "build": 7}
    assert spans["outside"].get("session.id") is None


def test_other_instrumentation_nests_under_ours_and_ours_under_it(sink: Sink) -> None:
    other = trace.get_tracer_provider().get_tracer("other")
    with other.start_as_current_span("http server"), tracer.chain("answer"):
        assert trace.get_current_span().get_span_context().is_valid
        with other.start_as_current_span("http client"):
            retrieve("a")
    spans = sink.spans()
    assert spans["answer"].parent_id == spans["http server"].span_id
    assert spans["http client"].parent_id == spans["answer"].span_id
    assert spans["retrieve"].parent_id == spans["http client"].span_id
    assert len({span.trace_id for span in spans.values()}) == 1
    assert spans["http client"].scope == "other"


def test_w3c_headers_carry_the_trace(sink: Sink) -> None:
    headers: dict[str, str] = {}
    with tracer.chain("client"):
        propagate.inject(headers)
        assert tracer.current_trace_id() == headers["traceparent"].split("-")[1]
    token = attach(propagate.extract(headers))
    with tracer.chain("server"):
        pass
    detach(token)
    spans = sink.spans()
    assert spans["server"].parent_id == spans["client"].span_id
    assert spans["server"].trace_id == spans["client"].trace_id


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_continue_the_trace_by_headers(method: str, tmp_path: Path, quiet_sink: Sink) -> None:
    script = tmp_path / "parent.py"
    script.write_text(f"""
import multiprocessing, tracer
from opentelemetry import propagate
from opentelemetry.context import attach

def child(headers):
    tracer.configure(endpoint={quiet_sink.url!r}, spool=False)
    attach(propagate.extract(headers))
    with tracer.chain("child"): pass
    tracer.flush()

if __name__ == "__main__":
    tracer.configure(endpoint={quiet_sink.url!r}, spool=False)
    with tracer.chain("parent"):
        headers = {{}}
        propagate.inject(headers)
        process = multiprocessing.get_context({method!r}).Process(target=child, args=(headers,))
        process.start(); process.join(20)
""")
    subprocess.run([sys.executable, str(script)], check=True, timeout=60)
    spans = {span.name: span for span in quiet_sink.all()}
    assert spans["child"].parent_id == spans["parent"].span_id


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio_keeps_the_trace(sink: Sink, backend: str) -> None:
    anyio = pytest.importorskip("anyio")
    if backend == "trio":
        pytest.importorskip("trio")

    @tracer.retriever
    async def retrieve_anyhow(question: str) -> list[str]:
        await anyio.sleep(0)
        return [question]

    async def request() -> None:
        with tracer.chain("request"):
            async with anyio.create_task_group() as group:
                group.start_soon(retrieve_anyhow, "a")
            await anyio.to_thread.run_sync(retrieve, "b")

    anyio.run(request, backend=backend)
    tracer.flush()
    spans = sink.all()
    root = next(span for span in spans if span.name == "request")
    assert {span["input.value"] for span in spans if span.parent_id == root.span_id} == {"a", "b"}


def test_where_am_i(sink: Sink) -> None:
    assert tracer.current_trace_id() is None
    assert tracer.current_trace_url() is None
    tracer.current_span().set_output("nobody listens")
    with tracer.chain("request") as span:
        assert tracer.current_span() is span
        assert tracer.current_trace_url() == f"http://localhost:8501/trace?trace_id={tracer.current_trace_id()}"
