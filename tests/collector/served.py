"""A real collector on free loopback ports over a new database, and spans to send to it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from collector.app import serving
from collector.client import CollectorClient
from collector.settings import Address, ServeSettings

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Served:
    url: str
    grpc: str  # HOST:PORT
    http: httpx.Client
    client: CollectorClient
    database: Path

    def send(self, *spans: Json, resource: Json | None = None) -> httpx.Response:
        """OTLP/JSON, as an SDK would; asserts that it was taken."""
        answer = self.http.post("/v1/traces", json=request_of(*spans, resource=resource))
        assert answer.status_code == 200, answer.text
        return answer


@contextmanager
def served(folder: Path, *, token: str | None = None, **settings: Any) -> Iterator[Served]:
    database = folder / "traces.db"
    given = ServeSettings(str(database), Address("127.0.0.1", 0), Address("127.0.0.1", 0), token, **settings)
    headers = {b"authorization": f"Bearer {token}".encode()} if token else {}
    with serving(given) as addresses:
        url, grpc = addresses.split()
        with httpx.Client(base_url=url, headers=headers, trust_env=False) as http, CollectorClient(url, token) as client:
            yield Served(url, grpc.removeprefix("grpc://"), http, client, database)


# ---- Spans ----


def new_id(size: int = 8) -> str:
    return secrets.token_hex(size)


def value_of(value: object) -> Json:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [value_of(item) for item in value]}}
        case _:
            return {"stringValue": str(value)}


def otlp_span(
    trace_id: str, span_id: str, name: str, parent: str = "", *, start: int = 1_795_000_000_000_000_000, took: int = 1_000_000, **more: Any
) -> Json:
    attributes = [{"key": key, "value": value_of(value)} for key, value in more.pop("attributes", {}).items()]
    ids = {"traceId": trace_id, "spanId": span_id, **({"parentSpanId": parent} if parent else {})}
    return ids | {"name": name, "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + took), "attributes": attributes, **more}


def request_of(*spans: Json, resource: Json | None = None) -> Json:
    about = [{"key": key, "value": value_of(value)} for key, value in (resource or {"service.name": "shop"}).items()]
    return {"resourceSpans": [{"resource": {"attributes": about}, "scopeSpans": [{"scope": {"name": "test"}, "spans": list(spans)}]}]}


def rag_trace(
    question: str = "How long do refunds take?", *, session: str = "", start: int = 1_795_000_000_000_000_000
) -> tuple[str, list[Json]]:
    """A chain over a retriever with two passages and a model call."""
    trace, root = new_id(16), new_id()
    of_session = {"session.id": session} if session else {}
    documents = {
        "retrieval.documents.0.document.id": "faq-7",
        "retrieval.documents.0.document.content": "Refunds take five days.",
        "retrieval.documents.0.document.score": 0.82,
        "retrieval.documents.0.document.metadata": '{"source": "faq.md"}',
        "retrieval.documents.1.document.id": "faq-9",
        "retrieval.documents.1.document.content": "Returns are free.",
        "retrieval.documents.1.document.score": 0.41,
    }
    chain = {"openinference.span.kind": "CHAIN", "input.value": question, "output.value": "Five days [1].", **of_session}
    retriever = {"openinference.span.kind": "RETRIEVER", "input.value": question, **documents, **of_session}
    tokens = {"llm.token_count.prompt": 120, "llm.token_count.completion": 9, "llm.token_count.total": 129}
    model = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o-mini", "output.value": "Five days [1].", **tokens, **of_session}
    return trace, [
        otlp_span(trace, root, "answer", start=start, took=900_000_000, attributes=chain),
        otlp_span(trace, new_id(), "search", root, start=start + 1_000_000, took=50_000_000, attributes=retriever),
        otlp_span(trace, new_id(), "chat", root, start=start + 60_000_000, took=800_000_000, attributes=model),
    ]
