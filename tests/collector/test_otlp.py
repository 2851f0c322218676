"""The OTLP codec: what comes in is what was sent, to the last bit, and what is no request says so."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as PbSpan

from collector.errors import MalformedRequest, RequestTooLarge, UnsupportedMediaType
from collector.otlp import DecodeLimits, Encoding, count_records, decode_logs, decode_traces, encode_traces
from collector.rollup import is_running
from tests.collector.otlp_bodies import SPAN, START, TRACE, span

ENCODINGS = [Encoding.PROTOBUF, Encoding.JSON]


def as_json(*spans: dict[str, Any]) -> bytes:
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]})


def json_span(**changes: Any) -> dict[str, Any]:
    return {"traceId": TRACE, "spanId": SPAN, "name": "n", "startTimeUnixNano": str(START), "endTimeUnixNano": str(START + 1), **changes}


def attribute(value: dict[str, Any]) -> Any:
    (decoded,) = decode_traces(as_json(json_span(attributes=[{"key": "k", "value": value}])), "application/json").spans
    return decoded.attributes["k"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_span_survives_the_way_out_and_in_with_every_field(encoding: Encoding) -> None:
    other = span(span_id="c" * 16, parent_span_id="", attributes={}, events=(), links=())
    assert decode_traces(encode_traces([span(), other], encoding), encoding).spans == [span(), other]


def test_our_protobuf_is_what_the_official_classes_read() -> None:
    request = ExportTraceServiceRequest.FromString(encode_traces([span()]))
    (sent,) = request.resource_spans[0].scope_spans[0].spans
    assert (sent.trace_id.hex(), sent.start_time_unix_nano, sent.status.message) == (TRACE, START, "it broke")
    assert request.resource_spans[0].resource.attributes[0].value.string_value == "shop"


def test_spans_of_several_resources_and_scopes_keep_theirs() -> None:
    spans = [
        span(span_id=f"{i:016x}", resource=span().resource if i % 2 else span().resource.__class__({"service.name": f"s{i}"}))
        for i in range(1, 6)
    ]
    assert decode_traces(encode_traces(spans)).spans == spans


# ---- Protobuf ----


def test_unknown_protobuf_fields_are_ignored_at_every_level() -> None:
    unknown = b"\xf8\x3f\x01" + b"\xfa\x3f\x03abc" + b"\xfb\x3f\x08\x01\xfc\x3f"  # a varint, bytes and a group, field 1023
    record = (
        ExportTraceServiceRequest.FromString(encode_traces([span()])).resource_spans[0].scope_spans[0].spans[0].SerializeToString()
        + unknown
    )

    def field(number: int, body: bytes) -> bytes:
        size = len(body)
        return bytes([number << 3 | 2]) + bytes([size & 0x7F | 0x80, size >> 7]) + body

    body = field(1, field(2, field(2, record) + unknown) + unknown) + unknown
    assert [found.attributes for found in decode_traces(body).spans] == [span().attributes]


def test_a_map_nested_sixty_deep_is_kept_and_a_thousand_deep_is_malformed() -> None:
    def nested(depth: int) -> Any:
        value: Any = "bottom"
        for _ in range(depth):
            value = {"k": value}
        return value

    deep = span(attributes={"deep": nested(60)})
    for encoding in ENCODINGS:
        assert decode_traces(encode_traces([deep], encoding), encoding).spans[0].attributes["deep"] == nested(60)
    too_deep = b"[" * 50_000 + b"]" * 50_000
    with pytest.raises(MalformedRequest):
        decode_traces(too_deep, "application/json")
    with pytest.raises(MalformedRequest, match="nested"):
        decode_traces(encode_traces([span(attributes={"deep": nested(61)})], Encoding.JSON), Encoding.JSON)
    with pytest.raises(MalformedRequest, match="nested"):
        decode_traces(encode_traces([span(attributes={"deep": nested(200)})]))


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\x05ab", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"{}", b"hello"])
def test_what_is_no_protobuf_request_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        decode_traces(body)


def test_text_that_is_not_utf8_is_malformed() -> None:
    body = encode_traces([span(attributes={"k": "marker"})]).replace(b"marker", b"mar\xff\xfe!")
    with pytest.raises(MalformedRequest):
        decode_traces(body)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_empty_request_has_no_spans(encoding: Encoding) -> None:
    assert decode_traces(b"{}" if encoding is Encoding.JSON else b"", encoding).spans == []


def test_a_bomb_of_empty_spans_is_refused_before_it_is_built() -> None:
    spans = b"\x12\x00" * 1_000_000
    size = len(spans)
    scope = b"\x12" + bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14 & 0x7F]) + spans
    outer = len(scope)
    body = b"\x0a" + bytes([outer & 0x7F | 0x80, outer >> 7 & 0x7F | 0x80, outer >> 14 & 0x7F]) + scope
    with pytest.raises(RequestTooLarge):
        decode_traces(body)


def test_the_number_of_values_in_a_request_is_bounded() -> None:
    wide = span(attributes={f"k{i}": [i] * 10 for i in range(100)})
    for encoding in ENCODINGS:
        with pytest.raises(RequestTooLarge):
            decode_traces(encode_traces([wide], encoding), encoding, DecodeLimits(objects=500))
        assert decode_traces(encode_traces([wide], encoding), encoding, DecodeLimits(objects=1200)).rejected == 0


# ---- Rejected alone ----


@pytest.mark.parametrize(
    ("trace_id", "span_id", "parent"),
    [
        (b"", b"12345678", b""),
        (bytes(16), b"12345678", b""),
        (b"1" * 16, bytes(8), b""),
        (b"1" * 15, b"12345678", b""),
        (b"1" * 16, b"12345678", b"123"),
    ],
)
def test_a_span_with_impossible_ids_is_rejected_and_its_neighbours_kept(trace_id: bytes, span_id: bytes, parent: bytes) -> None:
    request = ExportTraceServiceRequest()
    scoped = request.resource_spans.add().scope_spans.add()
    scoped.spans.append(PbSpan(trace_id=trace_id, span_id=span_id, parent_span_id=parent))
    scoped.spans.append(PbSpan(trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN)))
    decoded = decode_traces(request.SerializeToString())
    assert [found.span_id for found in decoded.spans] == [SPAN]
    assert decoded.rejected == 1
    assert "id must be" in decoded.message


def test_times_beyond_64_signed_bits_are_rejected_not_wrapped() -> None:
    decoded = decode_traces(as_json(json_span(), json_span(spanId="1" * 16, endTimeUnixNano=str(2**63))), "application/json")
    assert (len(decoded.spans), decoded.rejected) == (1, 1)
    assert "2262" in decoded.message


# ---- JSON ----


def test_hex_ids_in_any_case_and_base64_ids_are_read_alike() -> None:
    variants = [(TRACE, SPAN), (TRACE.upper(), SPAN.upper()), ("CvdlGRbNQ92ESOshHIAxnA==", "t61rcWkgMzE=")]
    for trace_id, span_id in variants:
        (found,) = decode_traces(as_json(json_span(traceId=trace_id, spanId=span_id)), "application/json").spans
        assert (found.trace_id, found.span_id) == (TRACE, SPAN)


@pytest.mark.parametrize("parent", [None, "", "0" * 16])
def test_a_root_may_say_so_in_three_ways(parent: str | None) -> None:
    (found,) = decode_traces(as_json(json_span(parentSpanId=parent)), "application/json").spans
    assert found.parent_span_id == ""


@pytest.mark.parametrize("given", [2**53 + 1, str(2**53 + 1), -(2**63), str(2**63 - 1)])
def test_64_bit_integers_are_exact_as_numbers_and_as_strings(given: int | str) -> None:
    assert attribute({"intValue": given}) == int(given)


def test_enums_come_as_numbers_or_names() -> None:
    for kind, code in ((3, 2), ("SPAN_KIND_CLIENT", "STATUS_CODE_ERROR")):
        (found,) = decode_traces(as_json(json_span(kind=kind, status={"code": code})), "application/json").spans
        assert (found.otel_kind, found.status) == (3, "error")


def test_unknown_json_fields_and_nulls_are_ignored() -> None:
    strange = json_span(
        events=None, links=None, status=None, kind=None, future={"a": [1]}, attributes=[{"key": "k", "value": {"stringValue": "v", "x": 1}}]
    )
    body = {"resourceSpans": [{"resource": None, "scopeSpans": [{"scope": None, "spans": [strange], "y": 2}], "z": 3}], "w": 4}
    (found,) = decode_traces(json.dumps(body).encode(), "application/json").spans
    assert found.attributes == {"k": "v"}


def test_doubles_that_are_no_numbers_and_bytes_in_base64() -> None:
    assert attribute({"doubleValue": "Infinity"}) == float("inf")
    assert str(attribute({"doubleValue": "NaN"})) == "nan"
    assert attribute({"doubleValue": 1}) == 1.0
    assert isinstance(attribute({"doubleValue": 1}), float)
    assert attribute({"bytesValue": "AP8="}) == b"\x00\xff"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"x"',
        b"{",
        b'{"resourceSpans": 1}',
        b'{"resourceSpans": [1]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": ["x"]}]}]}',
        as_json(json_span(name=5)),
        as_json(json_span(startTimeUnixNano="yesterday")),
        as_json(json_span(kind="SPAN_KIND_STRANGE")),
        as_json(json_span(attributes=[{"key": "k", "value": {"intValue": "9" * 30}}])),
        as_json(json_span(attributes=[{"key": "k", "value": {"stringValue": 1}}])),
        as_json(json_span(attributes=[{"key": "k", "value": 7}])),
        as_json(json_span(attributes={"k": "v"})),
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "\\ud800"}]}]}]}',
    ],
)
def test_what_is_no_json_request_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        decode_traces(body, "application/json")


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/x-protobuf", "application/protobuf; x=y"]
)
def test_content_types_may_carry_parameters(content_type: str) -> None:
    body = b"{}" if "json" in content_type.lower() else b""
    assert decode_traces(body, content_type).spans == []


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/xml", "json"])
def test_other_content_types_are_not_read(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="x-protobuf"):
        decode_traces(b"", content_type)


# ---- Logs and metrics ----


def logs_request() -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    content = records.add(
        event_name="gen_ai.user.message", time_unix_nano=START, trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN)
    )
    content.body.kvlist_value.values.add(key="content").value.string_value = "Hello"
    records.add(event_name="gen_ai.user.message")  # of no span
    records.add(trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN)).body.string_value = "just a line"
    return request


def test_logs_with_model_content_become_events_of_their_span_and_others_are_counted() -> None:
    decoded = decode_logs(logs_request().SerializeToString())
    (record,) = decoded.logs
    assert (record.trace_id, record.span_id, record.event.name) == (TRACE, SPAN, "gen_ai.user.message")
    assert record.event.attributes["body"] == {"content": "Hello"}
    assert decoded.ignored == 2


def test_logs_in_json_are_read_alike() -> None:
    record = {
        "traceId": TRACE,
        "spanId": SPAN,
        "timeUnixNano": str(START),
        "eventName": "gen_ai.user.message",
        "body": {"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": "Hello"}}]}},
    }
    body = orjson.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})
    assert decode_logs(body, "application/json").logs == decode_logs(logs_request().SerializeToString()).logs


def test_metrics_are_counted() -> None:
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    assert count_records(request.SerializeToString(), "application/x-protobuf") == 1
    assert count_records(b'{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{}, {}]}]}]}', "application/json") == 2


def test_a_span_that_logfire_announces_is_the_running_span_it_stands_for() -> None:
    told = {"logfire.span_type": "pending_span", "logfire.pending_parent_id": "00f067aa0ba902b7", "question": "why"}
    twin = span(span_id="a" * 16, parent_span_id="b" * 16, attributes=told)
    (read,) = decode_traces(encode_traces([twin])).spans
    assert (read.span_id, read.parent_span_id, is_running(read)) == ("b" * 16, "00f067aa0ba902b7", True)
    assert read.attributes["question"] == "why"
    (root,) = decode_traces(encode_traces([replace(twin, attributes={**told, "logfire.pending_parent_id": "0" * 16})])).spans
    assert root.parent_span_id == ""
