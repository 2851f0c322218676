"""OTLP over HTTP as the specification has it: the table in docs/ingest.md names these tests, requirement by requirement."""

from __future__ import annotations

import asyncio
import gzip
import time
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
import zstandard
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Span as PbSpan

from collector.errors import Overloaded, StoreUnavailable
from collector.ingest import Ingest
from collector.otlp import DecodeLimits, Encoding, encode_traces
from collector.reception import Limits
from collector.routes.otlp import PREFIXES, OtlpEndpoint, signal_of
from collector.store import open_store
from tests.collector.otlp_bodies import SPAN, TRACE, Remembering, span
from tests.collector.test_otlp import logs_request

PROTOBUF, JSON = str(Encoding.PROTOBUF), str(Encoding.JSON)


def post(endpoint: OtlpEndpoint, body: Any, path: str = "/v1/traces", method: str = "POST", **headers: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(endpoint), base_url="http://collector") as client:  # type: ignore[arg-type]
            fields = {name.replace("_", "-"): value for name, value in {"content_type": PROTOBUF, **headers}.items()}
            return await client.request(method, path, content=body, headers=fields)

    return asyncio.run(ask())


def endpoint(ingest: Remembering | None = None, **limits: Any) -> OtlpEndpoint:
    return OtlpEndpoint(ingest or Remembering(), Limits(**limits))


def status_of(answer: httpx.Response) -> Status:
    if answer.headers["content-type"] == JSON:
        return json_format.Parse(answer.content, Status())
    assert answer.headers["content-type"] == PROTOBUF
    return Status.FromString(answer.content)


BODIES = {PROTOBUF: encode_traces([span()]), JSON: encode_traces([span()], Encoding.JSON)}


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON, "application/json; charset=utf-8"])
def test_success_is_200_in_the_encoding_of_the_request_with_partial_success_unset(content_type: str) -> None:
    ingest = Remembering()
    media_type = content_type.partition(";")[0]
    answer = post(endpoint(ingest), BODIES[media_type], content_type=content_type)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.content == (b"{}" if media_type == JSON else b"")
    assert ingest.spans == [span()]


def test_the_answer_says_that_it_is_ours() -> None:
    assert post(endpoint(), b"").headers["x-rightpassage"]


def test_200_means_stored(tmp_path: Any) -> None:
    store = open_store(tmp_path / "t.db")
    ingest = Ingest(store)
    assert post(OtlpEndpoint(ingest), BODIES[PROTOBUF]).status_code == 200
    assert store.span(TRACE, SPAN).name == "chat"
    ingest.close()
    store.close()


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_partial_success_counts_exactly_and_keeps_the_neighbours(content_type: str) -> None:
    ingest = Remembering()
    request = ExportTraceServiceRequest.FromString(BODIES[PROTOBUF])
    spans = request.resource_spans[0].scope_spans[0].spans
    spans.extend([PbSpan(trace_id=b"short", span_id=bytes.fromhex(SPAN)), PbSpan(trace_id=bytes.fromhex(TRACE))])
    if content_type == PROTOBUF:
        answer = ExportTraceServiceResponse.FromString(post(endpoint(ingest), request.SerializeToString()).content)
    else:
        body = orjson.loads(BODIES[JSON])
        body["resourceSpans"][0]["scopeSpans"][0]["spans"] += [{"traceId": "xyz", "spanId": SPAN}, {"traceId": TRACE}]
        answer = json_format.Parse(post(endpoint(ingest), orjson.dumps(body), content_type=JSON).content, ExportTraceServiceResponse())
    assert answer.partial_success.rejected_spans == 2
    assert "id" in answer.partial_success.error_message
    assert ingest.spans == [span()]


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_what_cannot_be_decoded_is_400_with_a_status(content_type: str) -> None:
    answer = post(endpoint(), b"\xff\xff{", content_type=content_type)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == content_type
    assert status_of(answer).code == 3
    assert status_of(answer).message


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", ""])
def test_another_content_type_is_415_and_says_what_is_read(content_type: str) -> None:
    answer = post(endpoint(), b"", content_type=content_type)
    assert answer.status_code == 415
    assert "x-protobuf" in status_of(answer).message
    assert "application/json" in answer.headers["accept"]


def test_another_content_encoding_is_415_and_says_what_is_read() -> None:
    answer = post(endpoint(), b"", content_encoding="br")
    assert answer.status_code == 415
    assert "gzip" in answer.headers["accept-encoding"]


def raw_deflate(body: bytes) -> bytes:
    compress = zlib.compressobj(wbits=-15)
    return compress.compress(body) + compress.flush()


COMPRESSED = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
    "GZIP": gzip.compress,
}


@pytest.mark.parametrize("encoding", COMPRESSED)
@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_compressed_bodies_are_read(encoding: str, content_type: str) -> None:
    ingest = Remembering()
    body = COMPRESSED[encoding](BODIES[content_type])
    assert post(endpoint(ingest), body, content_type=content_type, content_encoding=encoding).status_code == 200
    assert ingest.spans == [span()]


def test_deflate_without_its_header_and_gzip_of_two_members_are_read() -> None:
    ingest = Remembering()
    half = len(BODIES[PROTOBUF]) // 2
    members = gzip.compress(BODIES[PROTOBUF][:half]) + gzip.compress(BODIES[PROTOBUF][half:])
    assert post(endpoint(ingest), raw_deflate(BODIES[PROTOBUF]), content_encoding="deflate").status_code == 200
    assert post(endpoint(ingest), members, content_encoding="gzip").status_code == 200
    assert ingest.spans == [span(), span()]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_body_that_does_not_inflate_is_400(encoding: str) -> None:
    for body in (b"nonsense", COMPRESSED[encoding](BODIES[PROTOBUF])[:-6]):
        assert post(endpoint(), body, content_encoding=encoding).status_code == 400


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_of_very_many_members_is_400_and_quick(encoding: str) -> None:
    started = time.monotonic()
    assert post(endpoint(), COMPRESSED[encoding](b"") * 200_000, content_encoding=encoding).status_code == 400
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_bomb_is_413_as_soon_as_the_limit_is_passed(encoding: str) -> None:
    bomb = COMPRESSED[encoding](bytes(256 * 2**20))
    started = time.monotonic()
    answer = post(endpoint(body_bytes=2**20), bomb, content_encoding=encoding)
    assert answer.status_code == 413
    assert status_of(answer).message
    assert time.monotonic() - started < 2


def test_a_body_over_the_limit_is_413_from_its_length_alone() -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("the body must not be read")
        yield b""

    answer = post(endpoint(body_bytes=100), never(), content_length="101")
    assert answer.status_code == 413


def test_a_chunked_body_is_counted_while_it_comes() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield bytes(50)

    assert post(endpoint(body_bytes=100), chunks()).status_code == 413


def test_too_many_spans_or_values_are_413() -> None:
    body = encode_traces([span(span_id=f"{i:016x}") for i in range(1, 12)])
    assert post(endpoint(decode=DecodeLimits(spans=10)), body).status_code == 413
    assert post(endpoint(decode=DecodeLimits(objects=30)), body).status_code == 413


def test_a_body_that_does_not_come_in_time_is_408() -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"\x0a"
        await asyncio.sleep(5)
        yield b""

    answer = post(endpoint(body_seconds=0.05), slow())
    assert answer.status_code == 408
    assert status_of(answer).code == 4


@pytest.mark.parametrize(("error", "status", "code"), [(Overloaded("full", 3), 429, 8), (StoreUnavailable("disk full", 3), 503, 14)])
@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_overload_says_when_to_come_again(error: Overloaded, status: int, code: int, content_type: str) -> None:
    answer = post(endpoint(Remembering(error)), BODIES[content_type], content_type=content_type)
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "3")
    assert status_of(answer).code == code


def test_bodies_of_all_requests_together_have_one_budget() -> None:
    busy = endpoint(held_bytes=1_000)
    with busy.reception.holding() as holding:
        holding.add(600)
        assert post(busy, gzip.compress(bytes(50_000)), content_encoding="gzip").status_code == 429  # fits until it is inflated
        assert post(busy, b"").status_code == 200  # the refused bytes were given back
    assert post(busy, bytes(2_000)).status_code == 400  # alone, it is let in to be read, whatever its size


def test_a_body_that_does_not_fit_beside_the_others_is_refused_unread() -> None:
    busy = endpoint(held_bytes=100)
    with busy.reception.holding() as holding:
        holding.add(60)
        assert post(busy, bytes(50)).status_code == 429
        assert busy.reception.counts["requests_refused"] == 1
    assert post(busy, b"").status_code == 200


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_an_empty_request_is_a_success(content_type: str) -> None:
    ingest = Remembering()
    assert post(endpoint(ingest), b"{}" if content_type == JSON else b"", content_type=content_type).status_code == 200
    assert ingest.batches == []


def test_a_json_request_under_other_names_is_a_success_with_a_warning() -> None:
    answer = post(endpoint(), b'{"resource_spans": []}', content_type=JSON)
    warned = json_format.Parse(answer.content, ExportTraceServiceResponse()).partial_success
    assert (answer.status_code, warned.rejected_spans) == (200, 0)
    assert "resourceSpans" in warned.error_message


def test_other_methods_are_405() -> None:
    answer = post(endpoint(), None, method="GET")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_paths_that_other_backends_use_work(prefix: str) -> None:
    ingest = Remembering()
    assert post(endpoint(ingest), BODIES[PROTOBUF], path=f"{prefix}/v1/traces").status_code == 200
    assert post(endpoint(ingest), BODIES[PROTOBUF], path=f"{prefix}/v1/traces/").status_code == 200
    assert len(ingest.spans) == 2


def test_an_exporter_that_uses_its_endpoint_as_it_is_reaches_us() -> None:
    assert signal_of("POST", "/") == "traces"
    assert signal_of("GET", "/") is None
    assert signal_of("POST", "/api/v1/traces") is None


def test_logs_of_a_span_are_stored_and_others_counted() -> None:
    ingest = Remembering()
    receiving = endpoint(ingest)
    assert post(receiving, logs_request().SerializeToString(), path="/v1/logs").status_code == 200
    assert [record.span_id for batch in ingest.batches for record in batch.logs] == [SPAN]
    assert receiving.reception.counts["logs_ignored"] == 2


def test_metrics_are_accepted_counted_and_not_stored() -> None:
    ingest = Remembering()
    receiving = endpoint(ingest)
    body = b'{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{}]}]}]}'
    assert post(receiving, body, path="/v1/metrics", content_type=JSON).content == b"{}"
    assert receiving.reception.counts["metrics_ignored"] == 1
    assert ingest.batches == []
