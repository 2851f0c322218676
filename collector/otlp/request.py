"""A request as a whole, in either encoding: resource → scope → record, records rejected one by one, the answer."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from collector.errors import MalformedRequest, RequestTooLarge, UnsupportedMediaType
from collector.model import LogRecord, Resource, Scope, Span
from collector.otlp import jsonwire, protobuf
from collector.otlp.announced import as_announced
from collector.otlp.limits import LIMITS, DecodeLimits, Rejected
from collector.otlp.shape import grouped
from collector.otlp.wire import wire_records


class Encoding(StrEnum):
    """The two encodings of OTLP, by their media type."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


MEDIA_TYPES = {
    "application/x-protobuf": Encoding.PROTOBUF,
    "application/protobuf": Encoding.PROTOBUF,
    "application/json": Encoding.JSON,
}


def encoding_of(content_type: str) -> Encoding:
    """The encoding a Content-Type names, parameters ignored; `UnsupportedMediaType` says which there are."""
    media_type = content_type.partition(";")[0].strip().lower()
    try:
        return MEDIA_TYPES[media_type]
    except KeyError:
        raise UnsupportedMediaType(f"content type {media_type[:80]!r}: send {' or '.join(Encoding)}") from None


@dataclass(frozen=True, slots=True)
class Decoded:
    """The spans of a request; how many were rejected, and why (the first few reasons)."""

    spans: Sequence[Span]
    rejected: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class DecodedLogs:
    """The log records that belong to a span and carry model content; the rest is only counted."""

    logs: Sequence[LogRecord]
    ignored: int = 0


class _Rejections:
    """Counts rejected records and keeps the first reasons for the answer."""

    def __init__(self) -> None:
        self.count = 0
        self._reasons: dict[str, None] = {}

    def add(self, reason: str) -> None:
        self.count += 1
        self.warn(reason)

    def warn(self, reason: str) -> None:
        """Something the sender should know although nothing was rejected."""
        if len(self._reasons) < 3:
            self._reasons[reason] = None

    @property
    def message(self) -> str:
        return "; ".join(self._reasons)


def decode_traces(body: bytes, content_type: str = Encoding.PROTOBUF, limits: DecodeLimits = LIMITS) -> Decoded:
    """Spans of an ExportTraceServiceRequest. Raises MalformedRequest, RequestTooLarge, UnsupportedMediaType."""
    return _decode(body, encoding_of(content_type), _TRACES, limits)


def decode_logs(body: bytes, content_type: str = Encoding.PROTOBUF, limits: DecodeLimits = LIMITS) -> DecodedLogs:
    """Log records of an ExportLogsServiceRequest that enrich a span: they carry its ids and an event name of the GenAI conventions."""
    records, counted = [], 0
    for record in _records(body, encoding_of(content_type), _LOGS, limits, _Rejections()):
        counted += 1
        if record is not None:
            records.append(record)
    return DecodedLogs(records, counted - len(records))


def count_records(body: bytes, content_type: str, limits: DecodeLimits = LIMITS) -> int:
    """How many records (metrics) a request of the common shape holds; it must be well-formed down to them."""
    if encoding_of(content_type) is Encoding.PROTOBUF:
        return sum(1 for _ in wire_records(body, limits))
    request = jsonwire.load(body)
    groups = [scope for resource in jsonwire.objects(request, "resourceMetrics") for scope in jsonwire.objects(resource, "scopeMetrics")]
    return sum(len(jsonwire.objects(group, "metrics")) for group in groups)


# ---- The common shape of all signals: resource → scope → record ----


@dataclass(frozen=True, slots=True)
class _Signal:
    """Where a signal keeps its records in JSON, and how one record is read in either encoding."""

    resources: str
    scopes: str
    records: str
    from_wire: Callable[[bytes, Resource, Scope, protobuf.Values], Any]
    from_json: Callable[[Mapping[str, Any], Resource, Scope, jsonwire.Values], Any]


def _decode(body: bytes, encoding: Encoding, signal: _Signal, limits: DecodeLimits) -> Decoded:
    rejections = _Rejections()
    spans = [as_announced(span) for span in _records(body, encoding, signal, limits, rejections)]
    return Decoded(spans, rejections.count, rejections.message)


def _records(body: bytes, encoding: Encoding, signal: _Signal, limits: DecodeLimits, rejections: _Rejections) -> Iterator[Any]:
    read = _from_protobuf if encoding is Encoding.PROTOBUF else _from_json
    yield from read(body, signal, limits, rejections)


def _from_protobuf(body: bytes, signal: _Signal, limits: DecodeLimits, rejections: _Rejections) -> Iterator[Any]:
    read, values = signal.from_wire, protobuf.Values(limits)
    seen: tuple[bytes, bytes, bytes, bytes] | None = None
    resource, scope = Resource(), Scope()
    try:
        for group, record in wire_records(body, limits):
            if group is not seen:
                resource, scope, seen = protobuf.read_resource(group, values), protobuf.read_scope(group, values), group
            try:
                yield read(record, resource, scope, values)
            except Rejected as reason:
                rejections.add(str(reason))
    except (DecodeError, UnicodeDecodeError, IndexError, struct.error) as failure:
        raise MalformedRequest(f"not a protobuf request: {failure}") from None


def _from_json(body: bytes, signal: _Signal, limits: DecodeLimits, rejections: _Rejections) -> Iterator[Any]:
    request, values, count = jsonwire.load(body), jsonwire.Values(limits), 0
    if request and signal.resources not in request:
        rejections.warn(f"nothing was read: the request has no {signal.resources!r}, but {', '.join(map(repr, list(request)[:3]))[:200]}")
    for group in jsonwire.objects(request, signal.resources):
        resource = jsonwire.read_resource(jsonwire.an_object(group, "resource"), jsonwire.a_text(group, "schemaUrl"), values)
        for scoped in jsonwire.objects(group, signal.scopes):
            scope = jsonwire.read_scope(jsonwire.an_object(scoped, "scope"), jsonwire.a_text(scoped, "schemaUrl"), values)
            records = jsonwire.objects(scoped, signal.records)
            count += len(records)
            if count > limits.spans:
                raise RequestTooLarge(f"more than {limits.spans} {signal.records} in one request")
            for record in records:
                try:
                    yield signal.from_json(record, resource, scope, values)
                except Rejected as reason:
                    rejections.add(str(reason))


_TRACES = _Signal("resourceSpans", "scopeSpans", "spans", protobuf.read_span, jsonwire.read_span)
_LOGS = _Signal("resourceLogs", "scopeLogs", "logRecords", protobuf.read_log, jsonwire.read_log)


# ---- Out again ----


def encode_traces(spans: Iterable[Span], content_type: str = Encoding.PROTOBUF) -> bytes:
    """An ExportTraceServiceRequest of these spans, grouped by resource and scope; what was received, not what was derived."""
    write = protobuf.write_request if encoding_of(content_type) is Encoding.PROTOBUF else jsonwire.write_request
    return write(grouped(spans))


def encode_answer(rejected: int, message: str, encoding: Encoding, rejected_field: str = "rejectedSpans") -> bytes:
    """An Export…ServiceResponse. `partial_success` stays unset on full success, as the specification demands."""
    if encoding is Encoding.JSON:
        if not rejected and not message:
            return b"{}"
        return orjson.dumps(
            {"partialSuccess": jsonwire.present(**{rejected_field: str(rejected) if rejected else "", "errorMessage": message})}
        )
    response = trace_service_pb2.ExportTraceServiceResponse()  # the three signals' responses are alike on the wire
    if rejected or message:
        response.partial_success.rejected_spans = rejected
        response.partial_success.error_message = message
    return response.SerializeToString()
