"""Load for the collector's benchmarks: RAG-shaped traces with the weight of real ones, and a sender that keeps N connections busy.

A trace has eight spans (chain, embedding, retriever with 5 documents of 600 characters, reranker, prompt, tool, model call with a 4 kB
prompt, guardrail), 2 % of the model calls fail. Every request body is made and gzipped before the clock starts. Trace number i asks about
"ticket-<i, seven digits>". As a program it sends over HTTP and prints one JSON line:

    python -m benchmarks.load --endpoint http://127.0.0.1:4318/v1/traces --spans 20000 --batch 64 --connections 8
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import random
import re
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

SPANS_PER_TRACE = 8
TRACES_PER_SESSION = 20
RETRYABLE = {0, 429, 502, 503, 504}  # 0: no connection
SYLLABLES = re.findall(r"\w+", "an ber con de er fu ge hal in jo ka lo men nor op pra qui re sta ter un ver wil xe yon za")
WORDS = [a + b + c for a in SYLLABLES[:16] for b in SYLLABLES for c in ("", "s", "ing", "ed", "al", "ment")]


def words(numbers: random.Random, characters: int) -> str:
    return " ".join(numbers.choices(WORDS, k=characters // 4 + 1))[:characters]


def any_value(value: Any) -> AnyValue:
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(inner) for inner in value]))
    field = {bool: "bool_value", int: "int_value", float: "double_value"}.get(type(value), "string_value")
    return AnyValue(**{field: value})  # type: ignore[arg-type]  # one field of the oneof, by name


def key_values(attributes: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def documents(numbers: random.Random, prefix: str, texts: Sequence[str]) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for place, text in enumerate(texts):
        fields = {
            "id": f"doc-{numbers.randrange(10_000):05d}",
            "content": text,
            "score": round(0.95 - 0.07 * place, 4),
            "metadata": json.dumps({"source": f"handbook/{place}.md", "page": place + 1}),
        }
        attributes.update({f"{prefix}.{place}.document.{key}": value for key, value in fields.items()})
    return attributes


Stage = tuple[str, str, float, Mapping[str, Any]]  # name, kind, milliseconds, attributes


def pipeline(numbers: random.Random, number: int, length: float) -> tuple[str, str, Sequence[Stage]]:
    """One pass: its question, its answer and its stages, the long texts times `length`."""
    question, answer = f"ticket-{number:07d}: {words(numbers, 90)}?", words(numbers, round(500 * length))
    passages = [words(numbers, round(600 * length)) for _ in range(5)]
    prompt = "\n\n".join(["Answer from the context only.", words(numbers, round(900 * length)), *passages, f"Q: {question}"])
    tokens_in, tokens_out = numbers.randrange(900, 1400), numbers.randrange(60, 180)
    model = {"gen_ai.request.model": "gpt-4o-mini", "gen_ai.provider.name": "openai", "gen_ai.operation.name": "chat"}
    stages: Sequence[Stage] = [
        ("embed_query", "EMBEDDING", 20, {
            "input.value": question, "embedding.model_name": "text-embedding-3-small", "gen_ai.operation.name": "embeddings",
            "embedding.embeddings.0.embedding.text": question, "gen_ai.request.model": "text-embedding-3-small",
            "gen_ai.usage.input_tokens": 24}),
        ("retrieve", "RETRIEVER", 60, {
            "input.value": question, "gen_ai.operation.name": "retrieval", "retrieval.top_k": 5,
            **documents(numbers, "retrieval.documents", passages)}),
        ("rerank", "RERANKER", 80, {
            "reranker.query": question, "reranker.model_name": "rerank-mini", "reranker.top_k": 3,
            **documents(numbers, "reranker.input_documents", passages),
            **documents(numbers, "reranker.output_documents", passages[:3])}),
        ("build_prompt", "CHAIN", 2, {"input.value": question, "output.value": prompt}),
        ("lookup_order", "TOOL", 40, {
            "tool.name": "lookup_order", "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup_order",
            "input.value": '{"order_id": 7}', "output.value": words(numbers, 200)}),
        ("chat", "LLM", 900, {
            "input.value": prompt, "output.value": answer, "llm.model_name": "gpt-4o-mini", "llm.provider": "openai",
            "llm.invocation_parameters": '{"temperature": 0.2, "max_tokens": 512}',
            "llm.input_messages.0.message.role": "system",
            "llm.input_messages.0.message.content": "You are a careful support assistant.",
            "llm.input_messages.1.message.role": "user", "llm.input_messages.1.message.content": prompt,
            "llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": answer,
            "llm.token_count.prompt": tokens_in, "llm.token_count.completion": tokens_out,
            "llm.token_count.total": tokens_in + tokens_out, **model, "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.request.temperature": 0.2, "gen_ai.usage.input_tokens": tokens_in, "gen_ai.usage.output_tokens": tokens_out}),
        ("check_answer", "GUARDRAIL", 15, {
            "input.value": answer, "output.value": '{"grounded": true}', "guardrail.score": numbers.random()}),
    ]  # fmt: skip
    return question, answer, stages


def make_trace(numbers: random.Random, number: int, size: int, start_ns: int, length: float = 1.0) -> list[Span]:
    """A root and seven stages; a larger trace goes on with sub-questions under the root."""
    trace_id, spans = numbers.randbytes(16), list[Span]()

    def add(name: str, kind: str, parent: bytes, begin: int, milliseconds: float, attributes: Mapping[str, Any]) -> Span:
        attributes = {"openinference.span.kind": kind, "session.id": f"session-{number // TRACES_PER_SESSION}", **attributes}
        times = {"start_time_unix_nano": begin, "end_time_unix_nano": begin + int(milliseconds * 1e6)}
        ids = {"trace_id": trace_id, "span_id": numbers.randbytes(8), "parent_span_id": parent}
        spans.append(Span(name=name, attributes=key_values(attributes), status=Status(code=Status.STATUS_CODE_OK), **ids, **times))
        return spans[-1]

    at = start_ns
    while len(spans) < size:
        question, answer, stages = pipeline(numbers, number, length)
        chain = {"input.value": question, "output.value": answer, "gen_ai.operation.name": "invoke_workflow"}
        name, above = ("answer_subquestion", spans[0].span_id) if spans else ("answer_question", b"")
        parent = add(name, "CHAIN", above, at, 1, chain)
        for stage, kind, milliseconds, attributes in stages[: size - len(spans)]:
            span = add(stage, kind, parent.span_id, at + 100_000, milliseconds * numbers.uniform(0.7, 1.3), attributes)
            at = span.end_time_unix_nano
            if kind == "LLM" and numbers.random() < 0.02:
                span.status.code, span.status.message = Status.STATUS_CODE_ERROR, "rate limited by the provider"
                failure = {"exception.type": "RateLimitError", "exception.message": "429 from the provider"}
                span.events.add(time_unix_nano=at, name="exception", attributes=key_values(failure))
        parent.end_time_unix_nano = spans[0].end_time_unix_nano = at = at + 100_000
    return spans


def bodies(
    spans: int, batch: int, *, spans_per_trace: int = SPANS_PER_TRACE, first_trace: int = 0, window_s: float = 3600, seed: int = 1,
    ahead: bool = False, compress: bool = True, length: float = 1.0,
) -> Iterator[tuple[bytes, Sequence[str]]]:  # fmt: skip
    """Requests as (body, span ids), in trace order, the traces within a window before now (or after: `ahead`)."""
    numbers = random.Random(seed)
    resource = key_values({"service.name": "rag-service"})
    traces = -(-spans // spans_per_trace)
    step = int(window_s * 1e9) // traces
    begin, left, pending = time.time_ns() - (0 if ahead else step * traces), spans, list[Span]()
    for number in range(traces):
        pending += make_trace(numbers, first_trace + number, min(spans_per_trace, left), begin + number * step, length)
        left -= spans_per_trace
        while len(pending) >= batch or (pending and number == traces - 1):
            some, pending = pending[:batch], pending[batch:]
            request = ExportTraceServiceRequest()
            group = request.resource_spans.add()
            group.resource.attributes.extend(resource)
            group.scope_spans.add(spans=some).scope.name = "load"
            body = request.SerializeToString()
            yield gzip.compress(body, 6) if compress else body, [span.span_id.hex() for span in some]


class Sender:
    """Sends requests over N connections, again while the server says so; tallies what it was told."""

    def __init__(self, endpoint: str, connections: int, *, stop_on_disconnect: bool = False, rate: float | None = None) -> None:
        parts = urlsplit(endpoint)
        self._host, self._port, self._path = parts.hostname or "127.0.0.1", parts.port or 80, parts.path
        self._connections, self._stop_on_disconnect, self._rate = connections, stop_on_disconnect, rate
        self._lock, self.stop = threading.Lock(), threading.Event()
        self.acked: list[str] = []
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.seconds = 0.0

    def send(self, requests: Iterable[tuple[bytes, Sequence[str]]]) -> None:
        """Everything, or until `stop` is set."""
        pending = iter(requests)
        ready = threading.Barrier(self._connections + 1)
        threads = [threading.Thread(target=self._work, args=(pending, ready), daemon=True) for _ in range(self._connections)]
        for thread in threads:
            thread.start()
        ready.wait()
        began = time.perf_counter()
        for thread in threads:
            thread.join()
        self.seconds = time.perf_counter() - began

    def _work(self, pending: Iterator[tuple[bytes, Sequence[str]]], ready: threading.Barrier) -> None:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=60)
        ready.wait()
        began = time.perf_counter()
        sent = 0
        while not self.stop.is_set():
            with self._lock:
                item = next(pending, None)
            if item is None:
                break
            self._deliver(connection, *item)
            sent += len(item[1])
            if self._rate:  # spans per second of this connection
                self.stop.wait(max(0.0, began + sent / self._rate - time.perf_counter()))
        connection.close()

    def _deliver(self, connection: http.client.HTTPConnection, body: bytes, ids: Sequence[str]) -> None:
        while not self.stop.is_set():
            began = time.perf_counter()
            status, wait = self._post(connection, body)
            with self._lock:
                self.statuses[status] += 1
                if status == 200:
                    self.latencies.append(time.perf_counter() - began)
                    self.acked.extend(ids)
            if status == 0 and self._stop_on_disconnect:
                self.stop.set()
            if status not in RETRYABLE:
                return
            self.stop.wait(wait)

    def _post(self, connection: http.client.HTTPConnection, body: bytes) -> tuple[int, float]:
        headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
        try:
            connection.request("POST", self._path, body, headers)
            reply = connection.getresponse()
            reply.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return 0, 0.5
        return reply.status, float(reply.getheader("retry-after") or 0.5)

    def report(self) -> dict[str, Any]:
        cuts = statistics.quantiles([1000 * one for one in self.latencies], n=100) if len(self.latencies) > 1 else [0.0] * 99
        return {
            "acked": len(self.acked),
            "seconds": round(self.seconds, 3),
            "spans_per_s": round(len(self.acked) / self.seconds, 1) if self.seconds else 0,
            "p50_ms": round(cuts[49], 1),
            "p95_ms": round(cuts[94], 1),
            "statuses": {str(status): count for status, count in self.statuses.items()},
        }


def program() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--spans", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--first-trace", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--window-s", type=float, default=3600)
    parser.add_argument("--length", type=float, default=1.0, help="of the long texts: 1 makes spans of 3.6 kB, 0.4 of 2 kB")
    parser.add_argument("--rate", type=float, help="spans a second, all connections together; made while sending, the traces of now")
    options = parser.parse_args()
    rate: float | None = options.rate
    window = options.spans / rate if rate else options.window_s
    requests = bodies(
        options.spans,
        options.batch,
        first_trace=options.first_trace,
        seed=options.seed,
        window_s=window,
        ahead=rate is not None,
        length=options.length,
    )
    sender = Sender(options.endpoint, options.connections, rate=rate / options.connections if rate else None)
    sender.send(requests if rate else list(requests))
    print(json.dumps(sender.report()))


if __name__ == "__main__":
    program()
