"""Protobuf records in and out, by descriptors of our own in which an attribute (KeyValue) stays bytes.

That saves the wrapper objects of the C parser (half of the time) and its limit of 33 nested values: keys and values are read and written
here. The bytes up to a value are the same for every attribute of a name, so that names are remembered by them; the common values are read
without a loop.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from collector.errors import MalformedRequest
from collector.making import maker
from collector.model import Attributes, AttributeValue, Event, Link, LogRecord, Resource, Scope, Span, StatusCode
from collector.otlp.limits import INT64_MAX, Budget, Rejected
from collector.otlp.shape import STATUS, STATUS_NUMBERS, Groups, log_record
from collector.otlp.wire import Group, field, fields, skip, varint, varint_bytes

_TYPES = descriptor_pb2.FieldDescriptorProto
_MESSAGES: Mapping[str, Sequence[tuple[int, str, str]]] = {
    "Resource": ((1, "attributes", "*bytes"), (2, "dropped", "uint32")),
    "Scope": ((1, "name", "string"), (2, "version", "string"), (3, "attributes", "*bytes"), (4, "dropped", "uint32")),
    "Event": ((1, "time", "fixed64"), (2, "name", "string"), (3, "attributes", "*bytes"), (4, "dropped", "uint32")),
    "Link": (
        (1, "trace_id", "bytes"),
        (2, "span_id", "bytes"),
        (3, "trace_state", "string"),
        (4, "attributes", "*bytes"),
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
        (9, "attributes", "*bytes"),
        (10, "dropped_attributes", "uint32"),
        (11, "events", "*Event"),
        (12, "dropped_events", "uint32"),
        (13, "links", "*Link"),
        (14, "dropped_links", "uint32"),
        (15, "status", "bytes"),
        (16, "flags", "fixed32"),
    ),
    "LogRecord": (
        (1, "time", "fixed64"),
        (5, "body", "bytes"),
        (6, "attributes", "*bytes"),
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
    for name, members in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, member, kind in members:
            added = message.field.add(name=member, number=number, label=_TYPES.LABEL_REPEATED if kind[0] == "*" else _TYPES.LABEL_OPTIONAL)
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
_PARSE_STATUS = _CLASSES["Status"].FromString
_PARSE_LOG = _CLASSES["LogRecord"].FromString
_PARSE_RESOURCE = _CLASSES["Resource"].FromString
_PARSE_SCOPE = _CLASSES["Scope"].FromString

_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)
_TEXT, _INTEGER, _DOUBLE = 0x0A, 0x18, 0x21  # the tags of AnyValue's fields
_UNPACK_DOUBLE = struct.Struct("<d").unpack_from


# What programs send again and again, remembered; it comes from the network, so the memory must not grow with it (5 MB, 1 MB).
_NAMES: dict[bytes, str] = {}
"""The bytes of a KeyValue up to its value's length → its key."""
_NAMES_MAX = 20_000
_SHORT = 160  # bytes
_SEEN: dict[bytes, tuple[str, AttributeValue]] = {}
"""Short KeyValues with a scalar → key and value: half of a span's attributes are like those of the span before."""
_SEEN_MAX = 2_000
_MUTABLE = frozenset({list, dict})


class Values(Budget):
    """Reads attributes, which stay bytes until here, within a budget."""

    __slots__ = ()

    def attributes(self, key_values: Sequence[bytes]) -> dict[str, AttributeValue]:
        self.take(len(key_values))
        found: dict[str, AttributeValue] = {}
        seen = _SEEN.get
        for raw in key_values:
            pair = seen(raw) if len(raw) < _SHORT else None
            if pair is None:
                pair = self._key_value(raw)
            found[pair[0]] = pair[1]
        return found

    def _key_value(self, raw: bytes) -> tuple[str, AttributeValue]:
        if len(raw) < 4 or (name := _NAMES.get(raw[: (at := raw[1] + 3)])) is None:
            return self._any_key_value(raw, 0)
        length, left = raw[at], len(raw) - at - 1
        if length == left < 0x80:  # one byte says how long the value is, and the rest is the value
            if length > 2 and raw[at + 2] == length - 2 and raw[at + 1] == _TEXT:
                pair = name, raw[at + 3 :].decode()
            else:
                pair = name, self.any_value(raw, at + 1, 0)
                if pair[1].__class__ in _MUTABLE:
                    return pair
            if len(_SEEN) >= _SEEN_MAX:
                _SEEN.clear()
            _SEEN[raw] = pair
            return pair
        if length >= 0x80 > raw[at + 1] and length & 0x7F | raw[at + 1] << 7 == left - 1:  # two bytes do
            return name, self.any_value(raw, at + 2, 0)
        return self._any_key_value(raw, 0)

    def _any_key_value(self, raw: bytes, depth: int) -> tuple[str, AttributeValue]:
        key = value = b""
        for number, part in fields(raw):
            if number == 1:
                key = part
            elif number == 2:
                value = part
        name = key.decode()
        head = b"\x0a" + varint_bytes(len(key)) + key + b"\x12"
        if len(key) < 0x80 and raw.startswith(head):
            if len(_NAMES) >= _NAMES_MAX:
                _NAMES.clear()
            _NAMES[head] = name
        return name, self.any_value(value, 0, depth)

    def any_value(self, raw: bytes, at: int, depth: int) -> AttributeValue:
        """The value of an AnyValue message that goes from a position to the end; the last of its fields counts, as in any oneof."""
        end = len(raw)
        size = end - at
        tag = raw[at] if size > 1 else 0
        # Messages of one field, which all but hostile ones are, without the loop: text up to 16 kB, doubles, integers.
        if tag == _TEXT and size > 130 and raw[at + 1] >= 0x80 > raw[at + 2] and raw[at + 1] & 0x7F | raw[at + 2] << 7 == size - 3:
            return raw[at + 3 :].decode()
        if tag == _DOUBLE and size == 9:
            return _UNPACK_DOUBLE(raw, at + 1)[0]
        if tag == _INTEGER:
            if size == 2 and raw[at + 1] < 0x80:
                return raw[at + 1]
            if size == 3 and raw[at + 1] >= 0x80 > raw[at + 2]:
                return raw[at + 1] & 0x7F | raw[at + 2] << 7
        value: AttributeValue = None
        while at < end:
            key, at = varint(raw, at)
            number, wire_type = key >> 3, key & 7
            if wire_type == 2:
                size, at = varint(raw, at)
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
                integer, at = varint(raw, at)
                if number == 2:
                    value = integer != 0
                else:
                    value = integer - (1 << 64) if integer > INT64_MAX else integer
            elif wire_type == 1 and number == 4:
                (value,) = _UNPACK_DOUBLE(raw, at)
                at += 8
            else:
                at = skip(raw, at, key, 0)
        return value

    def _array(self, raw: bytes, depth: int) -> list[AttributeValue]:
        self.enter(depth)
        items: list[AttributeValue] = []
        for number, value in fields(raw):
            if number == 1:
                self.take(1)
                items.append(self.any_value(value, 0, depth))
        return items

    def _key_values(self, raw: bytes, depth: int) -> dict[str, AttributeValue]:
        self.enter(depth)
        found: dict[str, AttributeValue] = {}
        for number, key_value in fields(raw):
            if number == 1:
                self.take(1)
                name, value = self._any_key_value(key_value, depth)
                found[name] = value
        return found


# ---- Reading records ----


def read_resource(group: Group, values: Values) -> Resource:
    pb = _PARSE_RESOURCE(group[0])
    return Resource(values.attributes(pb.attributes), pb.dropped, group[1].decode())


def read_scope(group: Group, values: Values) -> Scope:
    pb = _PARSE_SCOPE(group[2])
    return Scope(pb.name, pb.version, values.attributes(pb.attributes), pb.dropped, group[3].decode())


_MAKE = maker(Span)


def read_span(record: bytes, resource: Resource, scope: Scope, values: Values) -> Span:
    pb = _PARSE_SPAN(record)
    trace_id, span_id, parent, start, end = pb.trace_id, pb.span_id, pb.parent_span_id, pb.start, pb.end
    if len(trace_id) != 16 or trace_id == _NO_TRACE:
        raise Rejected("a trace id must be 16 bytes, not all zero")
    if len(span_id) != 8 or span_id == _NO_SPAN:
        raise Rejected("a span id must be 8 bytes, not all zero")
    if parent and (len(parent) != 8 or parent == _NO_SPAN):
        if parent.strip(b"\0"):
            raise Rejected("a parent span id must be 8 bytes or absent")
        parent = b""
    if start > INT64_MAX or end > INT64_MAX:
        raise Rejected("a time lies beyond the year 2262")
    events, links, status = pb.events, pb.links, _STATUSES.get(pb.status) or _status(pb.status)
    if events or links:
        values.take(len(events) + len(links))
    return _MAKE(
        trace_id.hex(),
        span_id.hex(),
        parent.hex(),
        pb.name,
        start,
        end,
        values.attributes(pb.attributes),
        [_read_event(event, values) for event in events] if events else (),
        [_read_link(link, values) for link in links] if links else (),
        status[0],
        status[1],
        pb.kind,
        pb.trace_state,
        pb.flags,
        pb.dropped_attributes,
        pb.dropped_events,
        pb.dropped_links,
        resource,
        scope,
    )


_STATUSES: Mapping[bytes, tuple[StatusCode, str]] = {
    b"": (StatusCode.UNSET, ""),
    b"\x18\x01": (StatusCode.OK, ""),
    b"\x18\x02": (StatusCode.ERROR, ""),
}
"""The statuses without a message, as they are on the wire."""


def _status(raw: bytes) -> tuple[StatusCode, str]:
    pb = _PARSE_STATUS(raw)
    return STATUS.get(pb.code, StatusCode.UNSET), pb.message


def _read_event(pb: Any, values: Values) -> Event:
    return Event(pb.name, min(pb.time, INT64_MAX), values.attributes(pb.attributes), pb.dropped)


def _read_link(pb: Any, values: Values) -> Link:
    return Link(pb.trace_id.hex(), pb.span_id.hex(), pb.trace_state, values.attributes(pb.attributes), pb.dropped, pb.flags)


def read_log(record: bytes, resource: Resource, scope: Scope, values: Values) -> LogRecord | None:
    pb = _PARSE_LOG(record)
    if len(pb.trace_id) != 16 or len(pb.span_id) != 8:
        return None
    attributes = values.attributes(pb.attributes)
    body = values.any_value(pb.body, 0, 0)
    return log_record(pb.trace_id.hex(), pb.span_id.hex(), pb.event_name, pb.time or pb.observed, attributes, body, pb.dropped)


# ---- Writing a request ----


def write_request(groups: Groups) -> bytes:
    return b"".join(field(1, _pb_resource_spans(resource, scopes)) for resource, scopes in groups)


def _pb_resource_spans(resource: Resource, scopes: Sequence[tuple[Scope, Sequence[Span]]]) -> bytes:
    pb = _CLASSES["Resource"](attributes=_pb_attributes(resource.attributes), dropped=resource.dropped_attributes_count)
    parts = [field(1, pb.SerializeToString()), *(field(2, _pb_scope_spans(scope, spans)) for scope, spans in scopes)]
    if resource.schema_url:
        parts.append(field(3, resource.schema_url.encode()))
    return b"".join(parts)


def _pb_scope_spans(scope: Scope, spans: Sequence[Span]) -> bytes:
    pb = _CLASSES["Scope"](
        name=scope.name,
        version=scope.version,
        attributes=_pb_attributes(scope.attributes),
        dropped=scope.dropped_attributes_count,
    )
    parts = [field(1, pb.SerializeToString()), *(field(2, _pb_span(span).SerializeToString()) for span in spans)]
    if scope.schema_url:
        parts.append(field(3, scope.schema_url.encode()))
    return b"".join(parts)


def _pb_span(span: Span) -> Any:
    event, link, status = (
        _CLASSES["Event"],
        _CLASSES["Link"],
        _CLASSES["Status"](code=STATUS_NUMBERS[span.status], message=span.status_message),
    )
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
        status=status.SerializeToString(),
    )


def _pb_attributes(attributes: Attributes) -> list[bytes]:
    return [_pb_key_value(key, value) for key, value in attributes.items()]


def _pb_key_value(key: str, value: AttributeValue) -> bytes:
    return field(1, key.encode()) + field(2, _pb_value(value))


def _pb_value(value: AttributeValue) -> bytes:
    """An AnyValue message, written by hand as it is read: the C library refuses what is nested more than 33 levels deep."""
    if value is None:
        return b""
    if isinstance(value, str):
        return field(1, value.encode())
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        return b"\x18" + varint_bytes(value & 0xFFFF_FFFF_FFFF_FFFF)
    if isinstance(value, float):
        return b"\x21" + struct.pack("<d", value)
    if isinstance(value, bytes):
        return field(7, value)
    if isinstance(value, Mapping):
        return field(6, b"".join(field(1, _pb_key_value(key, item)) for key, item in value.items()))
    return field(5, b"".join(field(1, _pb_value(item)) for item in value))
