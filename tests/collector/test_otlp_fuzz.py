"""Hostile input: mutated requests against the endpoint, and attributes of any value under the names dialects know.

Nothing may raise, hang or answer outside the specification; whatever is accepted must be readable all the way to the JSON of the API.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import resource
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector import jsonform, pricing
from collector.dialects import DIALECTS, normalise
from collector.health import examine
from collector.model import Event, Span, Trace
from collector.otlp import Encoding, decode_traces, encode_traces
from collector.reception import Limits
from collector.rollup import borrow, summarise
from collector.routes.otlp import OtlpEndpoint
from tests.collector.otlp_bodies import Remembering, span

CASES = Path(__file__).parents[1] / "cases" / "otlp"
MUTATIONS = 10_000
REQUEST_SECONDS = 2.0
PROTOBUF, JSON = str(Encoding.PROTOBUF), str(Encoding.JSON)
ALLOWED = {200, 400, 413, 415}


def seeds() -> list[tuple[bytes, str]]:
    found = [(encode_traces([span()]), PROTOBUF), (encode_traces([span()], Encoding.JSON), JSON)]
    for path in sorted(CASES.glob("*.pb")):
        if ".logs" not in path.name and path.stat().st_size < 8_000:
            body = path.read_bytes()
            found.append((body, PROTOBUF))
            found.append((encode_traces(decode_traces(body).spans, Encoding.JSON), JSON))
    return found


SPLICES = [
    b"\xff" * 10,
    b"\x00" * 8,
    b"\x80" * 12,
    b'"',
    b"{",
    b"]" * 40,
    b"null",
    b"-1",
    b"1e999",
    b"\\ud800",
    b"\xed\xa0\x80",
    b"[" * 300,
    b"\x0b",
    b"\x0c",
]


def mutated(body: bytes, chance: random.Random) -> bytes:
    """One to four small damages: bits, cuts, copies, swaps, splices."""
    data = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        if not data:
            break
        at = chance.randrange(len(data))
        match chance.randrange(7):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at] = chance.randrange(256)
            case 2:
                del data[at:]
            case 3:
                del data[at : at + chance.randint(1, 40)]
            case 4:
                piece = data[at : at + chance.randint(1, 200)]
                data[at:at] = piece * chance.randint(1, 20)
            case 5:
                other = chance.randrange(len(data))
                data[at], data[other] = data[other], data[at]
            case _:
                data[at:at] = chance.choice(SPLICES)
    return bytes(data)


COMPRESS = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress}


async def answer_of(endpoint: OtlpEndpoint, body: bytes, headers: dict[str, str], path: str) -> tuple[int, str, bytes]:
    """One request straight at the ASGI callable, in two chunks."""
    chunks = [body[: len(body) // 2], body[len(body) // 2 :]]
    messages: Iterator[dict[str, Any]] = iter(
        [{"type": "http.request", "body": chunk, "more_body": i == 0} for i, chunk in enumerate(chunks)]
    )
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"method": "POST", "path": path, "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
    await endpoint(scope, receive, send)
    start, end = sent
    return start["status"], dict(start["headers"])[b"content-type"].decode(), end["body"]


def read_to_the_end(spans: list[Span]) -> None:
    """Everything the collector does with accepted spans."""
    traces: dict[str, list[Span]] = {}
    for one in spans:
        traces.setdefault(one.trace_id, []).append(normalise(one, pricing.estimate))
    for mine in traces.values():
        whole = borrow(list({one.span_id: one for one in mine}.values()))
        json.loads(jsonform.encode(jsonform.to_json(Trace(summarise(whole), whole, examine(whole)))))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_thousand_mutated_requests_get_an_answer_by_the_specification() -> None:
    chance, bodies = random.Random(20261124), seeds()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    statuses: Counter[int] = Counter()

    async def attack() -> None:
        ingest = Remembering()
        endpoint = OtlpEndpoint(ingest, Limits(body_bytes=2**20))
        for number in range(MUTATIONS):
            body, content_type = chance.choice(bodies)
            body = mutated(body, chance)
            encoding = chance.choice(["", "", "", *COMPRESS])
            body = COMPRESS[encoding](body)
            if chance.random() < 0.1:
                body = mutated(body, chance)
            if chance.random() < 0.1:
                content_type = chance.choice([PROTOBUF, JSON, "text/plain", "application/json; charset=utf-8"])
            path = chance.choice(["/v1/traces"] * 8 + ["/v1/logs", "/v1/metrics"])
            headers = {"content-type": content_type, **({"content-encoding": encoding} if encoding else {})}
            started = time.monotonic()
            status, answered_type, answer = await answer_of(endpoint, body, headers, path)
            assert time.monotonic() - started < REQUEST_SECONDS, (number, len(body))
            assert status in ALLOWED, (number, status, answer)
            if status != 200:
                found = json_format.Parse(answer, Status()) if answered_type == JSON else Status.FromString(answer)
                assert found.code
                assert found.message
            statuses[status] += 1
            if ingest.spans:
                read_to_the_end(ingest.spans)
                ingest.batches.clear()

    asyncio.run(attack())
    assert sum(statuses.values()) == MUTATIONS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 300_000, "kB of growth"
    assert statuses[200] > 100, "mutations that are always refused test little"
    assert statuses[400] > 1000


# ---- Any value under any known name ----

PATHS = (
    "0",
    "1.message.role",
    "0.message.content",
    "3.document.id",
    "0.tool_calls.0.tool_call.function.arguments",
    "0.message.contents.1.message_content.text",
    "99999999999",
    "0.embedding.vector",
)
KNOWN_KEYS = sorted(
    {key for dialect in DIALECTS for table in (dialect.keys, dialect.own) for key in table}
    | {f"{prefix}.{path}" for dialect in DIALECTS for prefix in dialect.lists for path in PATHS}
    | {f"{prefix}.x" for dialect in DIALECTS for prefix in dialect.maps}
    | {key for dialect in DIALECTS for key in (*dialect.evidence, dialect.kind_key) if key and not key.endswith(".")}
)

scalars = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=20), st.binary(max_size=5))
WORDS = [
    "role",
    "content",
    "parts",
    "type",
    "text",
    "tool_calls",
    "function",
    "arguments",
    "name",
    "id",
    "kwargs",
    "data",
    "message",
    "messages",
    "choices",
    "generations",
    "documents",
    "score",
    "metadata",
    "input",
    "output",
    "usage",
    "query",
    "system",
    "args",
    "tools",
    "embedding",
    "assistant",
    "tool",
    "user",
    "tool_call",
    "tool_result",
    "image_url",
    "reasoning",
    "lc",
    "constructor",
    "AIMessage",
    "node",
    "page_content",
]
words = st.sampled_from(WORDS)
values = st.recursive(
    st.one_of(scalars, words),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.one_of(words, st.text(max_size=5)), inner, max_size=4)),
    max_leaves=12,
)


def as_attribute(value: Any, in_json: bool) -> Any:
    if in_json:
        return json.dumps(value, default=str)
    return value


attributes = st.dictionaries(
    st.one_of(st.sampled_from(KNOWN_KEYS), st.text(max_size=12)), st.builds(as_attribute, values, st.booleans()), max_size=10
)
EVENT_NAMES = [
    "exception",
    "gen_ai.choice",
    "gen_ai.user.message",
    "gen_ai.content.prompt",
    "gen_ai.evaluation.result",
    "db.query.result",
    "gen_ai.client.inference.operation.details",
]
event_names = st.sampled_from(EVENT_NAMES)
events = st.lists(st.builds(Event, event_names, st.integers(0, 2**62), attributes), max_size=3)


@pytest.mark.slow
@pytest.mark.timeout(600)
@given(
    attributes,
    events,
    st.sampled_from(["", "langfuse-sdk", "mlflow.x", "logfire", "ai", "litellm", "pydantic-ai", "openinference.instrumentation.x"]),
)
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_no_attributes_can_break_a_span(given_attributes: dict[str, Any], given_events: list[Event], scope: str) -> None:
    strange = span(attributes=given_attributes, events=given_events, scope=replace(span().scope, name=scope))
    once = normalise(strange)
    assert repr(normalise(once)) == repr(once)  # by text: NaN is not equal to itself
    read_to_the_end([strange])
