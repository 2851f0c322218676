"""OpenAI's real client against an endpoint of a few lines, and FAISS's real indexes."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy
import pytest

import tracer
from tests.tracer.conftest import Sink

openai = pytest.importorskip("openai")
faiss = pytest.importorskip("faiss")

TOOL_CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-mini-2024",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "With -v.", "tool_calls": [TOOL_CALL]}}],
    "usage": {
        "prompt_tokens": 12,
        "completion_tokens": 3,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 1},
    },
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "gpt-5",
    "output": [
        {
            "type": "message",
            "id": "m1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "With -v.", "annotations": []}],
        },
        {"type": "function_call", "id": "f1", "call_id": "c1", "name": "weather", "arguments": '{"city": "Paris"}'},
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 12,
        "output_tokens": 3,
        "total_tokens": 15,
        "input_tokens_details": {"cached_tokens": 8},
        "output_tokens_details": {"reasoning_tokens": 1},
    },
}
EMBEDDINGS = {
    "object": "list",
    "model": "text-embedding-3-small",
    "data": [{"object": "embedding", "index": n, "embedding": [0.1, 0.2, 0.3]} for n in range(2)],
    "usage": {"prompt_tokens": 4, "total_tokens": 4},
}


def chunk(delta: dict[str, Any], **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": more.pop("finish_reason", None)}
    return {"id": "chatcmpl-2", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-mini-2024", "choices": [choice], **more}


CHUNKS = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "With "}),
    chunk({"content": "-v."}),
    chunk({"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city"'}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": ': "Paris"}'}}]}, finish_reason="stop"),
    {**chunk({}), "choices": [], "usage": COMPLETION["usage"]},
]


def answer(request: httpx.Request) -> httpx.Response:
    asked = json.loads(request.content)
    if asked.get("model") == "broken":
        return httpx.Response(400, json={"error": {"message": "no such model", "type": "invalid_request_error"}})
    if request.url.path.endswith("/embeddings"):
        return httpx.Response(200, json=EMBEDDINGS)
    if request.url.path.endswith("/responses"):
        if asked.get("stream"):
            events = [
                {"type": "response.output_text.delta", "delta": "With -v.", "item_id": "m1", "output_index": 0, "content_index": 0},
                {"type": "response.completed", "response": RESPONSE, "sequence_number": 1},
            ]
            body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
            return httpx.Response(200, text=body, headers={"content-type": "text/event-stream"})
        return httpx.Response(200, json=RESPONSE)
    if asked.get("stream"):
        body = "".join(f"data: {json.dumps(one)}\n\n" for one in CHUNKS) + "data: [DONE]\n\n"
        return httpx.Response(200, text=body, headers={"content-type": "text/event-stream"})
    return httpx.Response(200, json=COMPLETION)


@pytest.fixture
def instrumented() -> Iterator[None]:
    from tracer.integrations import faiss as our_faiss
    from tracer.integrations import openai as our_openai

    assert tracer.instrument("openai", "faiss") == ["openai", "faiss"]
    yield
    our_openai.uninstrument()
    our_faiss.uninstrument()


@pytest.fixture
def client(sink: Sink, instrumented: None) -> Any:
    return openai.OpenAI(api_key="sk-test", max_retries=0, http_client=httpx.Client(transport=httpx.MockTransport(answer)))


MESSAGES: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How?"}]
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
SAID = [
    {
        "role": "assistant",
        "parts": [
            {"type": "text", "content": "With -v."},
            {"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}},
        ],
        "finish_reason": "stop",
    }
]


def check_chat(span: Any) -> None:
    assert span["openinference.span.kind"] == "LLM"
    assert span["gen_ai.provider.name"] == "openai"
    assert span["gen_ai.request.model"] == "gpt-4o-mini"
    assert span["gen_ai.response.model"] == "gpt-4o-mini-2024"
    assert span["gen_ai.response.finish_reasons"] == ["stop"]
    assert span.json("gen_ai.output.messages") == SAID
    assert span.json("gen_ai.input.messages")[0] == {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]}
    assert (span["gen_ai.usage.input_tokens"], span["gen_ai.usage.output_tokens"]) == (12, 3)
    assert (span["gen_ai.usage.cache_read.input_tokens"], span["gen_ai.usage.reasoning.output_tokens"]) == (8, 1)
    assert span["gen_ai.request.temperature"] == 0.2
    assert span.json("gen_ai.tool.definitions") == TOOLS
    assert span["output.value"] == "With -v."


def test_a_chat_completion(sink: Sink, client: Any) -> None:
    with tracer.chain("request"):
        result = client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, temperature=0.2, tools=TOOLS)
    assert result.choices[0].message.content == "With -v."
    spans = sink.spans()
    check_chat(spans["chat gpt-4o-mini"])
    assert spans["chat gpt-4o-mini"].parent_id == spans["request"].span_id


def test_a_streamed_chat_completion_reads_the_same(sink: Sink, client: Any) -> None:
    stream = client.chat.completions.create(
        model="gpt-4o-mini", messages=MESSAGES, temperature=0.2, tools=TOOLS, stream=True, stream_options={"include_usage": True}
    )
    assert stream.response.status_code == 200  # whatever the client's stream offers is still there
    assert "".join(c.choices[0].delta.content or "" for c in stream if c.choices) == "With -v."
    span = sink.span("chat gpt-4o-mini")
    check_chat(span)
    assert span["gen_ai.response.time_to_first_chunk"] > 0


def test_a_stream_left_half_way_keeps_what_was_said(sink: Sink, client: Any) -> None:
    with client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=True) as stream:
        for _ in range(2):
            next(stream)
    span = sink.span("chat gpt-4o-mini")
    assert (span["output.value"], span["rightpassage.cancelled"]) == ("With ", True)


def test_the_async_client(sink: Sink, instrumented: None) -> None:
    async def request() -> str:
        http_client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        client = openai.AsyncOpenAI(api_key="sk-test", http_client=http_client)
        await client.chat.completions.create(model="plain", messages=MESSAGES)
        stream = await client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, temperature=0.2, tools=TOOLS, stream=True)
        return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])

    assert asyncio.run(request()) == "With -v."
    spans = sink.spans()
    check_chat(spans["chat gpt-4o-mini"])
    assert spans["chat plain"]["output.value"] == "With -v."


@pytest.mark.parametrize("streamed", [False, True])
def test_responses(sink: Sink, client: Any, streamed: bool) -> None:
    result = client.responses.create(model="gpt-5", instructions="Be brief.", input="How?", stream=streamed)
    if streamed:
        list(result)
    span = sink.span("response gpt-5")
    assert span.json("gen_ai.input.messages") == [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {"role": "user", "parts": [{"type": "text", "content": "How?"}]},
    ]
    assert span.json("gen_ai.output.messages")[0]["parts"] == SAID[0]["parts"]
    assert (span["gen_ai.usage.input_tokens"], span["gen_ai.usage.reasoning.output_tokens"]) == (12, 1)
    assert span["output.value"] == "With -v."


def test_embeddings_are_described_not_kept(sink: Sink, client: Any) -> None:
    client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    span = sink.span("embed text-embedding-3-small")
    assert span.json("rightpassage.embedding.texts") == ["a", "b"]
    assert (span["gen_ai.embeddings.dimension.count"], span["gen_ai.usage.input_tokens"]) == (3, 4)
    assert "0.1" not in span["output.value"]


def test_raw_responses_and_errors_pass_through(sink: Sink, client: Any) -> None:
    raw = client.chat.completions.with_raw_response.create(model="raw", messages=MESSAGES)
    assert raw.parse().choices[0].message.content == "With -v."
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="broken", messages=MESSAGES)
    spans = sink.spans()
    assert spans["chat raw"]["output.value"] == "With -v."
    assert spans["chat broken"].status == 2
    assert "no such model" in spans["chat broken"].message


def test_faiss_records_the_index_and_the_near_misses_and_changes_nothing(sink: Sink, instrumented: None) -> None:
    vectors = numpy.random.default_rng(0).random((100, 8), dtype=numpy.float32)
    index = faiss.IndexFlatIP(8)
    index.add(vectors)
    with tracer.retriever("retrieve"):
        scores, ids = index.search(vectors[:1], 3)
    assert scores.shape == ids.shape == (1, 3)
    from tracer.integrations import faiss as our_faiss

    our_faiss.uninstrument()
    expected_scores, expected_ids = index.search(vectors[:1], 3)
    assert (ids == expected_ids).all()
    assert (scores == expected_scores).all()
    span = sink.span("faiss.search")
    assert (span["rightpassage.index.name"], span["rightpassage.index.passage_count"], span["rightpassage.index.dimension"]) == (
        "IndexFlatIP",
        100,
        8,
    )
    assert [document["id"] for document in span.json("gen_ai.retrieval.documents")] == [str(n) for n in ids[0]]
    candidates = span.json("rightpassage.candidates")
    assert [candidate.get("dropped") for candidate in candidates] == [None] * 3 + ["below cut"] * 12
    assert {candidate["score_kind"] for candidate in candidates} == {"inner_product"}


def test_a_batch_of_queries_and_an_index_that_is_not_exact(sink: Sink, instrumented: None) -> None:
    vectors = numpy.random.default_rng(0).random((50, 8), dtype=numpy.float32)
    index = faiss.IndexHNSWFlat(8, 8)
    index.add(vectors)
    index.search(vectors[:4], k=2)
    span = sink.span("faiss.search")
    assert span.json("output.value")["queries"] == 4
    assert [len(row) for row in span.json("output.value")["results"]] == [2, 2, 2, 2]


def test_instrument_says_what_to_install(sink: Sink, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert tracer.instrument("langchain", "no-such-library") == []
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "pip install openinference-instrumentation-langchain" in said
    assert "no_such_library is not traced" in said


def test_an_installed_instrumentation_is_found_by_its_entry_point(quiet_sink: Sink, tmp_path: Path) -> None:
    (tmp_path / "fake_instrumentation.py").write_text("""
class Instrumentor:
    def instrument(self, **options):
        with options["tracer_provider"].get_tracer("fake").start_as_current_span("theirs"):
            pass
class Broken:
    def instrument(self, **options):
        raise RuntimeError("another version of the library")
""")
    installed = tmp_path / "fake_instrumentation-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-instrumentation\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(
        "[openinference_instrumentor]\nlang-chain = fake_instrumentation:Instrumentor\nbroken = fake_instrumentation:Broken\n"
    )
    program = f"import tracer; tracer.configure(endpoint={quiet_sink.url!r}, spool=False); print(tracer.instrument('broken', 'lang_chain'))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=environment)
    assert done.stdout.strip() == "['lang_chain']", done.stderr
    assert "RuntimeError" in done.stderr
    assert [span.name for span in quiet_sink.all()] == ["theirs"]
