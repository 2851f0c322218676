"""OTLP requests in and out: ExportTraceServiceRequest and its siblings ⇄ Span and LogRecord; knows no LLM names.

Protobuf is read in two steps. The three outer levels (resource, scope, record) are walked on the wire, so that a bomb of a million
empty spans is refused before it is built; each span is then parsed by the C parser with descriptors of our own in which an attribute's
value stays bytes. That saves one wrapper object per attribute and the C parser's nesting limit, which a map 34 levels deep meets.
JSON is OTLP/JSON as specified: hex ids (base64 tolerated), 64-bit integers as strings or numbers, enums as numbers or names.
A request that is not what its content type says is malformed as a whole; a span with impossible ids or times is rejected alone.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from collector.errors import MalformedRequest, RequestTooLarge, UnsupportedMediaType
from collector.model import Attributes, AttributeValue, Event, Link, LogRecord, Resource, Scope, Span, StatusCode

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)


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
class DecodeLimits:
    """What one request may hold. A span of a RAG program has about 12 objects, so 100,000 of them pass."""

    spans: int = 100_000
    objects: int = 2_000_000  # attributes, events, links and values inside values; about 250 bytes each in memory
    depth: int = 60  # of values inside values


LIMITS = DecodeLimits()


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


class _Rejected(Exception):
    """One record that cannot be kept although its neighbours can."""


class _Rejections:
    """Counts rejected records and keeps the first reasons for the answer."""

    def __init__(self) -> None:
        self.count = 0
        self._reasons: dict[str, None] = {}

    def add(self, reason: str) -> None:
        self.count += 1
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
        return sum(1 for _ in _wire_records(body, limits))
    request = _loads(body)
    groups = [scope for resource in _list(request, "resourceMetrics") for scope in _list(resource, "scopeMetrics")]
    return sum(len(_list(group, "metrics")) for group in groups)


# ---- The common shape of all signals: resource → scope → record ----

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _Signal:
    """Where a signal keeps its records in JSON, and how one record is read in either encoding."""

    resources: str
    scopes: str
    records: str
    from_wire: Callable[[bytes, Resource, Scope, _Values], Any]
    from_json: Callable[[Mapping[str, Any], Resource, Scope, _Values], Any]


def _decode(body: bytes, encoding: Encoding, signal: _Signal, limits: DecodeLimits) -> Decoded:
    rejections = _Rejections()
    spans = list(_records(body, encoding, signal, limits, rejections))
    return Decoded(spans, rejections.count, rejections.message)


def _records(body: bytes, encoding: Encoding, signal: _Signal, limits: DecodeLimits, rejections: _Rejections) -> Iterator[Any]:
    values = _Values(limits)
    if encoding is Encoding.PROTOBUF:
        yield from _from_protobuf(body, signal, values, limits, rejections)
    else:
        yield from _from_json(body, signal, values, limits, rejections)


def _from_protobuf(body: bytes, signal: _Signal, values: _Values, limits: DecodeLimits, rejections: _Rejections) -> Iterator[Any]:
    read = signal.from_wire
    seen: tuple[bytes, bytes, bytes, bytes] | None = None
    resource, scope = Resource(), Scope()
    try:
        for group, record in _wire_records(body, limits):
            if group is not seen:
                resource, scope, seen = _wire_resource(group, values), _wire_scope(group, values), group
            try:
                yield read(record, resource, scope, values)
            except _Rejected as reason:
                rejections.add(str(reason))
    except (DecodeError, UnicodeDecodeError, IndexError, struct.error) as failure:
        raise MalformedRequest(f"not a protobuf request: {failure}") from None


def _from_json(body: bytes, signal: _Signal, values: _Values, limits: DecodeLimits, rejections: _Rejections) -> Iterator[Any]:
    request, count = _loads(body), 0
    for group in _list(request, signal.resources):
        resource = _json_resource(_object(group, "resource"), _text(group, "schemaUrl"), values)
        for scoped in _list(group, signal.scopes):
            scope = _json_scope(_object(scoped, "scope"), _text(scoped, "schemaUrl"), values)
            records = _list(scoped, signal.records)
            count += len(records)
            if count > limits.spans:
                raise RequestTooLarge(f"more than {limits.spans} {signal.records} in one request")
            for record in records:
                try:
                    yield signal.from_json(record, resource, scope, values)
                except _Rejected as reason:
                    rejections.add(str(reason))


# ---- Protobuf: the outer levels on the wire ----

_Group = tuple[bytes, bytes, bytes, bytes]  # resource, resource schema URL, scope, scope schema URL


def _wire_records(body: bytes, limits: DecodeLimits) -> Iterator[tuple[_Group, bytes]]:
    """Each record's bytes with its group's, one group tuple per scope."""
    count = groups = 0
    try:
        for number, resource_spans in _fields(body):
            if number != 1:
                continue
            resource = resource_url = b""
            scoped: list[bytes] = []
            for number, value in _fields(resource_spans):
                if number == 1:
                    resource += value  # the same message twice is merged: protobuf concatenates
                elif number == 2:
                    scoped.append(value)
                    if len(scoped) > limits.spans:
                        raise RequestTooLarge(f"more than {limits.spans} scopes in one request")
                elif number == 3:
                    resource_url = value
            groups += 1 + len(scoped)
            if groups > limits.spans:
                raise RequestTooLarge(f"more than {limits.spans} resources and scopes in one request")
            for scope_spans in scoped:
                scope = scope_url = b""
                records: list[bytes] = []
                for number, value in _fields(scope_spans):
                    if number == 2:
                        records.append(value)
                        if count + len(records) > limits.spans:
                            raise RequestTooLarge(f"more than {limits.spans} records in one request")
                    elif number == 1:
                        scope += value
                    elif number == 3:
                        scope_url = value
                count += len(records)
                group = (resource, resource_url, scope, scope_url)
                for record in records:
                    yield group, record
    except IndexError:
        raise MalformedRequest("not a protobuf request: it ends inside a field") from None


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a message, in order; other wire types are skipped. IndexError or MalformedRequest when it is none."""
    at, end = 0, len(data)
    while at < end:
        key = data[at]
        at += 1
        if key >= 0x80:
            key, at = _varint(data, at - 1)
        if key & 7 == 2:
            size = data[at]
            at += 1
            if size >= 0x80:
                size, at = _varint(data, at - 1)
            if at + size > end:
                raise MalformedRequest("not a protobuf request: a field is longer than its message")
            yield key >> 3, data[at : at + size]
            at += size
        else:
            at = _skip(data, at, key, 0)
        if not 0 < key >> 3 < 1 << 29:
            raise MalformedRequest(f"not a protobuf request: field number {key >> 3}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
        if shift > 63:
            raise MalformedRequest("not a protobuf request: a varint of more than ten bytes")


def _skip(data: bytes, at: int, key: int, depth: int) -> int:
    """The position after a field that is not length-delimited."""
    wire_type = key & 7
    if wire_type == 0:
        return _varint(data, at)[1]
    if wire_type in (1, 5):
        after = at + (8 if wire_type == 1 else 4)
        if after > len(data):
            raise MalformedRequest("not a protobuf request: it ends inside a number")
        return after
    if wire_type == 3 and depth < 100:  # a group: skip to its end mark
        while True:
            inner, at = _varint(data, at)
            if inner & 7 == 4:
                return at
            if inner & 7 == 2:
                size, at = _varint(data, at)
                at += size
            else:
                at = _skip(data, at, inner, depth + 1)
    raise MalformedRequest(f"not a protobuf request: wire type {wire_type}")


# ---- Protobuf: records, by descriptors of our own in which an attribute's value stays bytes ----

_TYPES = descriptor_pb2.FieldDescriptorProto
_MESSAGES: Mapping[str, Sequence[tuple[int, str, str]]] = {
    "KeyValue": ((1, "key", "string"), (2, "value", "bytes")),
    "Resource": ((1, "attributes", "*KeyValue"), (2, "dropped", "uint32")),
    "Scope": ((1, "name", "string"), (2, "version", "string"), (3, "attributes", "*KeyValue"), (4, "dropped", "uint32")),
    "Event": ((1, "time", "fixed64"), (2, "name", "string"), (3, "attributes", "*KeyValue"), (4, "dropped", "uint32")),
    "Link": (
        (1, "trace_id", "bytes"),
        (2, "span_id", "bytes"),
        (3, "trace_state", "string"),
        (4, "attributes", "*KeyValue"),
        (5, "dropped", "uint32"),
        (6, "flags", "fixed32"),
    ),
    "Status": ((2, "message", "string"), (3, "code", "int32")),
    "Span": (
        (1, "trace_id", "bytes"),
        (2, "span_id", "bytes"),
        (3, "trace_state", "string"),
        (4, "parent_span_id", "bytes"),
        (5, "name", "string"),
        (6, "kind", "int32"),
        (7, "start", "fixed64"),
        (8, "end", "fixed64"),
        (9, "attributes", "*KeyValue"),
        (10, "dropped_attributes", "uint32"),
        (11, "events", "*Event"),
        (12, "dropped_events", "uint32"),
        (13, "links", "*Link"),
        (14, "dropped_links", "uint32"),
        (15, "status", "Status"),
        (16, "flags", "fixed32"),
    ),
    "LogRecord": (
        (1, "time", "fixed64"),
        (5, "body", "bytes"),
        (6, "attributes", "*KeyValue"),
        (7, "dropped", "uint32"),
        (9, "trace_id", "bytes"),
        (10, "span_id", "bytes"),
        (11, "observed", "fixed64"),
        (12, "event_name", "string"),
    ),
}
_SCALARS = {
    "string": _TYPES.TYPE_STRING,
    "bytes": _TYPES.TYPE_BYTES,
    "uint32": _TYPES.TYPE_UINT32,
    "int32": _TYPES.TYPE_INT32,
    "fixed32": _TYPES.TYPE_FIXED32,
    "fixed64": _TYPES.TYPE_FIXED64,
}


def _message_classes() -> Mapping[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="rightpassage/otlp.proto", package="rightpassage.otlp", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            added = message.field.add(name=field, number=number, label=_TYPES.LABEL_REPEATED if kind[0] == "*" else _TYPES.LABEL_OPTIONAL)
            kind = kind.lstrip("*")
            if kind in _SCALARS:
                added.type = _SCALARS[kind]
            else:
                added.type, added.type_name = _TYPES.TYPE_MESSAGE, f".rightpassage.otlp.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)  # pyright: ignore[reportAttributeAccessIssue]  (the C pool has it; the stubs do not)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"rightpassage.otlp.{name}")) for name in _MESSAGES}


_CLASSES = _message_classes()
_PARSE_SPAN = _CLASSES["Span"].FromString
_PARSE_LOG = _CLASSES["LogRecord"].FromString
_PARSE_RESOURCE = _CLASSES["Resource"].FromString
_PARSE_SCOPE = _CLASSES["Scope"].FromString

_STATUS = {1: StatusCode.OK, 2: StatusCode.ERROR}
_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)


_DOUBLE = struct.Struct("<d")


class _Values:
    """Reads attribute values and keeps count of them, so that a small body cannot become a large heap."""

    __slots__ = ("depth", "left", "objects")

    def __init__(self, limits: DecodeLimits) -> None:
        self.left = self.objects = limits.objects
        self.depth = limits.depth

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise RequestTooLarge(f"more than {self.objects} attributes, events, links and values in one request")

    def attributes(self, key_values: Sequence[Any]) -> dict[str, AttributeValue]:
        self.take(len(key_values))
        found: dict[str, AttributeValue] = {}
        for key_value in key_values:
            raw: bytes = key_value.value
            # The common case without a call: a string shorter than 128 bytes.
            if len(raw) > 1 and raw[0] == 0x0A and raw[1] == len(raw) - 2 < 0x80:
                found[key_value.key] = raw[2:].decode()
            else:
                found[key_value.key] = self.any_value(raw, 0)
        return found

    def any_value(self, raw: bytes, depth: int) -> AttributeValue:
        """The value of an AnyValue message; the last of its fields counts, as in any oneof."""
        size = len(raw)
        tag = raw[0] if size > 1 else 0
        # Messages of one field, which all but hostile ones are, without the loop: text up to 16 kB, doubles, integers.
        if tag == 0x0A and size > 130 and raw[1] >= 0x80 > raw[2] and raw[1] & 0x7F | raw[2] << 7 == size - 3:
            return raw[3:].decode()
        if tag == 0x21 and size == 9:
            return _DOUBLE.unpack_from(raw, 1)[0]
        if tag == 0x18 and size == 2 and raw[1] < 0x80:
            return raw[1]
        value: AttributeValue = None
        at, end = 0, len(raw)
        while at < end:
            key, at = _varint(raw, at)
            number, wire_type = key >> 3, key & 7
            if wire_type == 2:
                size, at = _varint(raw, at)
                after = at + size
                if after > end:
                    raise MalformedRequest("not a protobuf request: a value is longer than its message")
                if number == 1:
                    value = raw[at:after].decode()
                elif number == 5:
                    value = self._array(raw[at:after], depth + 1)
                elif number == 6:
                    value = self._key_values(raw[at:after], depth + 1)
                elif number == 7:
                    value = raw[at:after]
                at = after
            elif wire_type == 0 and number in (2, 3):
                varint, at = _varint(raw, at)
                if number == 2:
                    value = varint != 0
                else:
                    value = varint - (1 << 64) if varint > INT64_MAX else varint
            elif wire_type == 1 and number == 4:
                (value,) = _DOUBLE.unpack_from(raw, at)
                at += 8
            else:
                at = _skip(raw, at, key, 0)
        return value

    def _array(self, raw: bytes, depth: int) -> list[AttributeValue]:
        self._enter(depth)
        items: list[AttributeValue] = []
        for number, value in _fields(raw):
            if number == 1:
                self.take(1)
                items.append(self.any_value(value, depth))
        return items

    def _key_values(self, raw: bytes, depth: int) -> dict[str, AttributeValue]:
        self._enter(depth)
        found: dict[str, AttributeValue] = {}
        for number, key_value in _fields(raw):
            if number == 1:
                self.take(1)
                parts = dict(_fields(key_value))
                found[parts.get(1, b"").decode()] = self.any_value(parts.get(2, b""), depth)
        return found

    def _enter(self, depth: int) -> None:
        if depth > self.depth:
            raise MalformedRequest(f"a value is nested more than {self.depth} levels deep")

    # ---- the same for OTLP/JSON ----

    def json_attributes(self, holder: Mapping[str, Any], depth: int = 0) -> dict[str, AttributeValue]:
        key_values = _list(holder, "attributes")
        self.take(len(key_values))
        return {_text(item, "key"): self.json_value(item.get("value"), depth) for item in key_values}

    def json_value(self, value: Any, depth: int) -> AttributeValue:
        if not value:
            return None
        if not isinstance(value, dict):
            raise MalformedRequest(f'an attribute\'s value is {_shown(value)}, not an object such as {{"stringValue": …}}')
        for name, inner in value.items():
            read = _JSON_VALUES.get(name)
            if read is not None and inner is not None:
                return read(self, inner, depth)
        return None

    def json_array(self, value: Any, depth: int) -> list[AttributeValue]:
        self._enter(depth + 1)
        items = _list(value, "values")
        self.take(len(items))
        return [self.json_value(item, depth + 1) for item in items]

    def json_key_values(self, value: Any, depth: int) -> dict[str, AttributeValue]:
        self._enter(depth + 1)
        items = _list(value, "values")
        self.take(len(items))
        return {_text(item, "key"): self.json_value(item.get("value"), depth + 1) for item in items}


def _wire_resource(group: _Group, values: _Values) -> Resource:
    pb = _PARSE_RESOURCE(group[0])
    return Resource(values.attributes(pb.attributes), pb.dropped, group[1].decode())


def _wire_scope(group: _Group, values: _Values) -> Scope:
    pb = _PARSE_SCOPE(group[2])
    return Scope(pb.name, pb.version, values.attributes(pb.attributes), pb.dropped, group[3].decode())


def _wire_span(record: bytes, resource: Resource, scope: Scope, values: _Values) -> Span:
    pb = _PARSE_SPAN(record)
    trace_id, span_id, parent, start, end = pb.trace_id, pb.span_id, pb.parent_span_id, pb.start, pb.end
    if len(trace_id) != 16 or trace_id == _NO_TRACE:
        raise _Rejected("a trace id must be 16 bytes, not all zero")
    if len(span_id) != 8 or span_id == _NO_SPAN:
        raise _Rejected("a span id must be 8 bytes, not all zero")
    if parent and (len(parent) != 8 or parent == _NO_SPAN):
        if parent.strip(b"\0"):
            raise _Rejected("a parent span id must be 8 bytes or absent")
        parent = b""
    if start > INT64_MAX or end > INT64_MAX:
        raise _Rejected("a time lies beyond the year 2262")
    events, links, status = pb.events, pb.links, pb.status
    if events or links:
        values.take(len(events) + len(links))
    return Span(
        trace_id=trace_id.hex(),
        span_id=span_id.hex(),
        parent_span_id=parent.hex(),
        name=pb.name,
        start_unix_nano=start,
        end_unix_nano=end,
        attributes=values.attributes(pb.attributes),
        events=[_wire_event(event, values) for event in events] if events else (),
        links=[_wire_link(link, values) for link in links] if links else (),
        status=_STATUS.get(status.code, StatusCode.UNSET),
        status_message=status.message,
        otel_kind=pb.kind,
        trace_state=pb.trace_state,
        flags=pb.flags,
        dropped_attributes_count=pb.dropped_attributes,
        dropped_events_count=pb.dropped_events,
        dropped_links_count=pb.dropped_links,
        resource=resource,
        scope=scope,
    )


def _wire_event(pb: Any, values: _Values) -> Event:
    return Event(pb.name, min(pb.time, INT64_MAX), values.attributes(pb.attributes), pb.dropped)


def _wire_link(pb: Any, values: _Values) -> Link:
    return Link(pb.trace_id.hex(), pb.span_id.hex(), pb.trace_state, values.attributes(pb.attributes), pb.dropped, pb.flags)


def _wire_log(record: bytes, resource: Resource, scope: Scope, values: _Values) -> LogRecord | None:
    pb = _PARSE_LOG(record)
    if len(pb.trace_id) != 16 or len(pb.span_id) != 8:
        return None
    attributes = values.attributes(pb.attributes)
    body = values.any_value(pb.body, 0)
    return _log(pb.trace_id.hex(), pb.span_id.hex(), pb.event_name, pb.time or pb.observed, attributes, body, pb.dropped)


LOG_BODY = "body"
"""The attribute under which a log record's body travels in the event made of it."""
_EVENT_NAMES = ("gen_ai.",)


def _log(
    trace_id: str, span_id: str, name: str, time: int, attributes: dict[str, AttributeValue], body: AttributeValue, dropped: int
) -> LogRecord | None:
    """The log record as an event of its span, or None when it is not about a model call."""
    name = name or str(attributes.get("event.name") or "")
    if not name.startswith(_EVENT_NAMES):
        return None
    if body is not None:
        attributes[LOG_BODY] = body
    return LogRecord(trace_id, span_id, Event(name, min(time, INT64_MAX), attributes, dropped))


# ---- JSON ----

_BRACES_MAX = 4_000_000
_COMMAS_MAX = 8_000_000


def _loads(body: bytes) -> Mapping[str, Any]:
    # Counted before parsing, at memory speed: a JSON body can grow thirtyfold in memory, these bound it to about 600 MB at worst.
    if body.count(b"{") + body.count(b"[") > _BRACES_MAX or body.count(b",") > _COMMAS_MAX:
        raise RequestTooLarge("too many values in one request")
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as failure:
        raise MalformedRequest(f"not JSON: {failure}") from None
    if not isinstance(request, dict):
        raise MalformedRequest(f"the request is {_shown(request)}, not an object")
    return request


def _shown(value: Any) -> str:
    return f"{type(value).__name__} {str(value)[:60]!r}"


def _list(holder: Any, name: str) -> Sequence[Any]:
    if not isinstance(holder, dict):
        raise MalformedRequest(f"{_shown(holder)} where an object with {name!r} belongs")
    value = holder.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise MalformedRequest(f"{name!r} is {_shown(value)}, not a list of objects")
    return value


def _object(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = holder.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedRequest(f"{name!r} is {_shown(value)}, not an object")
    return value


def _text(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedRequest(f"{name!r} is {_shown(value)}, not a string")
    return value


def _integer(value: Any, name: str, low: int = 0, high: int = 2**64 - 1) -> int:
    """A 64-bit integer given as a number or a decimal string; exact, never by way of a double."""
    if value is None:
        return 0
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            raise MalformedRequest(f"{name!r} is {_shown(value)}, not an integer") from None
    elif isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise MalformedRequest(f"{name!r} is {_shown(value)}, not an integer of this field's size")
    return value


def _enumerated(value: Any, name: str, names: Mapping[str, int]) -> int:
    if isinstance(value, str) and not value.lstrip("-").isdigit():
        if value not in names:
            raise MalformedRequest(f"{name!r} is {value[:60]!r}: one of {', '.join(names)}")
        return names[value]
    return _integer(value, name, -(2**31), 2**31 - 1)


_KIND_NAMES = {f"SPAN_KIND_{kind}": i for i, kind in enumerate(("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"))}
_STATUS_NAMES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_NOT_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _double(value: Any) -> float:
    if isinstance(value, str):
        try:
            return _NOT_NUMBERS[value] if value in _NOT_NUMBERS else float(value)
        except ValueError:
            pass
    elif isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise MalformedRequest(f"doubleValue is {_shown(value)}, not a number")


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise MalformedRequest(f"stringValue is {_shown(value)}, not a string")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise MalformedRequest(f"boolValue is {_shown(value)}, not true or false")
    return value


def _binary(value: Any) -> bytes:
    try:
        text = _string(value).replace("-", "+").replace("_", "/")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise MalformedRequest(f"bytesValue is {_shown(value)}, not base64") from None


_JSON_VALUES: Mapping[str, Callable[[_Values, Any, int], AttributeValue]] = {
    "stringValue": lambda values, value, depth: _string(value),
    "intValue": lambda values, value, depth: _integer(value, "intValue", INT64_MIN, INT64_MAX),
    "doubleValue": lambda values, value, depth: _double(value),
    "boolValue": lambda values, value, depth: _boolean(value),
    "arrayValue": _Values.json_array,
    "kvlistValue": _Values.json_key_values,
    "bytesValue": lambda values, value, depth: _binary(value),
}


def _json_id(value: Any, size: int, what: str) -> str:
    """An id in lowercase hex; "" when absent or all zero. Hex in any case by the specification, base64 as generic encoders write it."""
    if not value:
        return ""
    if isinstance(value, str):
        try:
            if len(value) == 2 * size:
                found = bytes.fromhex(value).hex() if value.isalnum() else ""
            else:
                raw = base64.b64decode(value, validate=True)
                found = raw.hex() if len(raw) == size else ""
            if found:
                return found if found.strip("0") else ""
        except ValueError:  # binascii.Error is one
            pass
    raise _Rejected(f"a {what} must be {2 * size} hex digits, not {str(value)[:40]!r}")


def _json_resource(resource: Mapping[str, Any], schema_url: str, values: _Values) -> Resource:
    return Resource(values.json_attributes(resource), _count(resource, "droppedAttributesCount"), schema_url)


def _json_scope(scope: Mapping[str, Any], schema_url: str, values: _Values) -> Scope:
    dropped = _count(scope, "droppedAttributesCount")
    return Scope(_text(scope, "name"), _text(scope, "version"), values.json_attributes(scope), dropped, schema_url)


def _count(holder: Mapping[str, Any], name: str) -> int:
    return _integer(holder.get(name), name, 0, 2**32 - 1)


def _json_span(span: Mapping[str, Any], resource: Resource, scope: Scope, values: _Values) -> Span:
    trace_id = _json_id(span.get("traceId"), 16, "trace id")
    span_id = _json_id(span.get("spanId"), 8, "span id")
    if not trace_id or not span_id:
        raise _Rejected("a span needs a trace id and a span id that are not all zero")
    start = _integer(span.get("startTimeUnixNano"), "startTimeUnixNano")
    end = _integer(span.get("endTimeUnixNano"), "endTimeUnixNano")
    if start > INT64_MAX or end > INT64_MAX:
        raise _Rejected("a time lies beyond the year 2262")
    events, links, status = _list(span, "events"), _list(span, "links"), _object(span, "status")
    values.take(len(events) + len(links))
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=_json_id(span.get("parentSpanId"), 8, "parent span id"),
        name=_text(span, "name"),
        start_unix_nano=start,
        end_unix_nano=end,
        attributes=values.json_attributes(span),
        events=[_json_event(event, values) for event in events] if events else (),
        links=[_json_link(link, values) for link in links] if links else (),
        status=_STATUS.get(_enumerated(status.get("code"), "code", _STATUS_NAMES), StatusCode.UNSET),
        status_message=_text(status, "message"),
        otel_kind=_enumerated(span.get("kind"), "kind", _KIND_NAMES),
        trace_state=_text(span, "traceState"),
        flags=_count(span, "flags"),
        dropped_attributes_count=_count(span, "droppedAttributesCount"),
        dropped_events_count=_count(span, "droppedEventsCount"),
        dropped_links_count=_count(span, "droppedLinksCount"),
        resource=resource,
        scope=scope,
    )


def _json_event(event: Mapping[str, Any], values: _Values) -> Event:
    time = min(_integer(event.get("timeUnixNano"), "timeUnixNano"), INT64_MAX)
    return Event(_text(event, "name"), time, values.json_attributes(event), _count(event, "droppedAttributesCount"))


def _json_link(link: Mapping[str, Any], values: _Values) -> Link:
    return Link(
        trace_id=_json_id(link.get("traceId"), 16, "link's trace id"),
        span_id=_json_id(link.get("spanId"), 8, "link's span id"),
        trace_state=_text(link, "traceState"),
        attributes=values.json_attributes(link),
        dropped_attributes_count=_count(link, "droppedAttributesCount"),
        flags=_count(link, "flags"),
    )


def _json_log(record: Mapping[str, Any], resource: Resource, scope: Scope, values: _Values) -> LogRecord | None:
    trace_id = _json_id(record.get("traceId"), 16, "trace id")
    span_id = _json_id(record.get("spanId"), 8, "span id")
    if not trace_id or not span_id:
        return None
    time = _integer(record.get("timeUnixNano"), "timeUnixNano") or _integer(record.get("observedTimeUnixNano"), "observedTimeUnixNano")
    attributes, body = values.json_attributes(record), values.json_value(record.get("body"), 0)
    return _log(trace_id, span_id, _text(record, "eventName"), time, attributes, body, _count(record, "droppedAttributesCount"))


_TRACES = _Signal("resourceSpans", "scopeSpans", "spans", _wire_span, _json_span)
_LOGS = _Signal("resourceLogs", "scopeLogs", "logRecords", _wire_log, _json_log)


# ---- Out again ----


def encode_traces(spans: Iterable[Span], content_type: str = Encoding.PROTOBUF) -> bytes:
    """An ExportTraceServiceRequest of these spans, grouped by resource and scope; what was received, not what was derived."""
    groups = _grouped(spans)
    if encoding_of(content_type) is Encoding.PROTOBUF:
        return _protobuf_request(groups)
    request = _json_request(groups)
    try:
        return orjson.dumps(request)
    except TypeError:  # deeper than orjson writes (254 levels: a map takes four)
        return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()


_Groups = list[tuple[Resource, list[tuple[Scope, list[Span]]]]]


def _grouped(spans: Iterable[Span]) -> _Groups:
    """Neighbouring spans of equal resource and scope share a group; compared by value, since a store hands out copies."""
    groups: _Groups = []
    for span in spans:
        if not groups or groups[-1][0] != span.resource:
            groups.append((span.resource, []))
        scopes = groups[-1][1]
        if not scopes or scopes[-1][0] != span.scope:
            scopes.append((span.scope, []))
        scopes[-1][1].append(span)
    return groups


_STATUS_NUMBERS = {StatusCode.UNSET: 0, StatusCode.OK: 1, StatusCode.ERROR: 2}


def _protobuf_request(groups: _Groups) -> bytes:
    return b"".join(_field(1, _pb_resource_spans(resource, scopes)) for resource, scopes in groups)


def _field(number: int, body: bytes) -> bytes:
    """A length-delimited field."""
    return _varint_bytes(number << 3 | 2) + _varint_bytes(len(body)) + body


def _varint_bytes(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _pb_resource_spans(resource: Resource, scopes: Sequence[tuple[Scope, Sequence[Span]]]) -> bytes:
    pb = _CLASSES["Resource"](attributes=_pb_attributes(resource.attributes), dropped=resource.dropped_attributes_count)
    parts = [_field(1, pb.SerializeToString()), *(_field(2, _pb_scope_spans(scope, spans)) for scope, spans in scopes)]
    if resource.schema_url:
        parts.append(_field(3, resource.schema_url.encode()))
    return b"".join(parts)


def _pb_scope_spans(scope: Scope, spans: Sequence[Span]) -> bytes:
    pb = _CLASSES["Scope"](
        name=scope.name,
        version=scope.version,
        attributes=_pb_attributes(scope.attributes),
        dropped=scope.dropped_attributes_count,
    )
    parts = [_field(1, pb.SerializeToString()), *(_field(2, _pb_span(span).SerializeToString()) for span in spans)]
    if scope.schema_url:
        parts.append(_field(3, scope.schema_url.encode()))
    return b"".join(parts)


def _pb_span(span: Span) -> Any:
    event, link, status = _CLASSES["Event"], _CLASSES["Link"], _CLASSES["Status"]
    return _CLASSES["Span"](
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=bytes.fromhex(span.parent_span_id),
        trace_state=span.trace_state,
        flags=span.flags,
        name=span.name,
        kind=span.otel_kind,
        start=span.start_unix_nano,
        end=span.end_unix_nano,
        attributes=_pb_attributes(span.attributes),
        dropped_attributes=span.dropped_attributes_count,
        events=[
            event(name=one.name, time=one.time_unix_nano, attributes=_pb_attributes(one.attributes), dropped=one.dropped_attributes_count)
            for one in span.events
        ],
        dropped_events=span.dropped_events_count,
        links=[
            link(
                trace_id=bytes.fromhex(one.trace_id),
                span_id=bytes.fromhex(one.span_id),
                trace_state=one.trace_state,
                attributes=_pb_attributes(one.attributes),
                dropped=one.dropped_attributes_count,
                flags=one.flags,
            )
            for one in span.links
        ],
        dropped_links=span.dropped_links_count,
        status=status(code=_STATUS_NUMBERS[span.status], message=span.status_message),
    )


def _pb_attributes(attributes: Attributes) -> list[Any]:
    key_value = _CLASSES["KeyValue"]
    return [key_value(key=key, value=_pb_value(value)) for key, value in attributes.items()]


def _pb_value(value: AttributeValue) -> bytes:
    """An AnyValue message, written by hand as it is read: the C library refuses what is nested more than 33 levels deep."""
    if value is None:
        return b""
    if isinstance(value, str):
        return _field(1, value.encode())
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        return b"\x18" + _varint_bytes(value & 0xFFFF_FFFF_FFFF_FFFF)
    if isinstance(value, float):
        return b"\x21" + struct.pack("<d", value)
    if isinstance(value, bytes):
        return _field(7, value)
    if isinstance(value, Mapping):
        pairs = [_field(1, key.encode()) + _field(2, _pb_value(item)) for key, item in value.items()]
        return _field(6, b"".join(_field(1, pair) for pair in pairs))
    return _field(5, b"".join(_field(1, _pb_value(item)) for item in value))


_Object = dict[str, Any]


def _json_request(groups: _Groups) -> _Object:
    return {
        "resourceSpans": [
            _present(
                resource=_present(attributes=_json_out(resource.attributes), droppedAttributesCount=resource.dropped_attributes_count),
                scopeSpans=[
                    _present(
                        scope=_present(
                            name=scope.name,
                            version=scope.version,
                            attributes=_json_out(scope.attributes),
                            droppedAttributesCount=scope.dropped_attributes_count,
                        ),
                        spans=[_span_out(span) for span in spans],
                        schemaUrl=scope.schema_url,
                    )
                    for scope, spans in scopes
                ],
                schemaUrl=resource.schema_url,
            )
            for resource, scopes in groups
        ]
    }


def _present(**fields: Any) -> _Object:
    """The fields that differ from protobuf's defaults."""
    return {name: value for name, value in fields.items() if value}


def _span_out(span: Span) -> _Object:
    return _present(
        traceId=span.trace_id,
        spanId=span.span_id,
        parentSpanId=span.parent_span_id,
        traceState=span.trace_state,
        flags=span.flags,
        name=span.name,
        kind=span.otel_kind,
        startTimeUnixNano=str(span.start_unix_nano),
        endTimeUnixNano=str(span.end_unix_nano),
        attributes=_json_out(span.attributes),
        droppedAttributesCount=span.dropped_attributes_count,
        events=[
            _present(
                name=event.name,
                timeUnixNano=str(event.time_unix_nano),
                attributes=_json_out(event.attributes),
                droppedAttributesCount=event.dropped_attributes_count,
            )
            for event in span.events
        ],
        droppedEventsCount=span.dropped_events_count,
        links=[
            _present(
                traceId=link.trace_id,
                spanId=link.span_id,
                traceState=link.trace_state,
                attributes=_json_out(link.attributes),
                droppedAttributesCount=link.dropped_attributes_count,
                flags=link.flags,
            )
            for link in span.links
        ],
        droppedLinksCount=span.dropped_links_count,
        status=_present(code=_STATUS_NUMBERS[span.status], message=span.status_message),
    )


def _json_out(attributes: Attributes) -> list[_Object]:
    return [{"key": key, "value": _value_out(value)} for key, value in attributes.items()]


def _value_out(value: AttributeValue) -> _Object:
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if math.isfinite(value) else "NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity"}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bytes):
        return {"bytesValue": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": _json_out(value)}}
    return {"arrayValue": {"values": [_value_out(item) for item in value]}}


def encode_answer(rejected: int, message: str, encoding: Encoding, rejected_field: str = "rejectedSpans") -> bytes:
    """An Export…ServiceResponse. `partial_success` stays unset on full success, as the specification demands."""
    if encoding is Encoding.JSON:
        if not rejected and not message:
            return b"{}"
        return orjson.dumps({"partialSuccess": _present(**{rejected_field: str(rejected) if rejected else "", "errorMessage": message})})
    response = trace_service_pb2.ExportTraceServiceResponse()  # the three signals' responses are alike on the wire
    if rejected or message:
        response.partial_success.rejected_spans = rejected
        response.partial_success.error_message = message
    return response.SerializeToString()
