"""A finished span as OTLP protobuf bytes, written directly: 8 to 15 µs where building the official messages takes 60 to 100.

The bytes parse equal to what opentelemetry's own encoder makes of the same span (a test compares them message by message).
Protobuf on the wire is tag, length, content; numbers in the tags below are `field << 3 | wire type` of opentelemetry-proto 1.x.
One span is encoded at a time, so that a batch can be cut at any byte size and a span that cannot be encoded costs only itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from struct import pack
from typing import Any, cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from tracer.capture import clean
from tracer.finish import Attributes, Finished
from tracer.lightspan import Binary

_INT64 = 2**63
_HAS_IS_REMOTE, _IS_REMOTE = 0x100, 0x200  # span flags
_DEPTH = 60
_SHORT = 32  # characters of a text that is remembered encoded


def length(n: int) -> bytes:
    """`n` as a protobuf varint."""
    if n < 128:
        return _ONE[n]
    if n < 16384:
        return bytes((n & 127 | 128, n >> 7))
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


_ONE = [bytes((n,)) for n in range(128)]


def utf8(text: str) -> bytes:
    """UTF-8 of any string; lone surrogates become U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return clean(text).encode()


# ---- Attributes ----


def _text(value: str) -> bytes:
    written = utf8(value)
    return b"\x0a" + length(len(written)) + written


def _utf8(value: bytes) -> bytes:
    return b"\x0a" + length(len(value)) + value


def _bool(value: bool) -> bytes:
    return b"\x10\x01" if value else b"\x10\x00"


def _int(value: int) -> bytes:
    if -_INT64 <= value < _INT64:
        return b"\x18" + length(value if value >= 0 else value + 2**64)
    return _text(str(value))


def _float(value: float) -> bytes:
    return b"\x21" + pack("<d", value)


def _bytes(value: bytes) -> bytes:
    return b"\x3a" + length(len(value)) + value


def _none(value: None) -> bytes:
    return b""


_VALUES: dict[type, Callable[[Any], bytes]] = {
    str: _text,
    bytes: _utf8,
    int: _int,
    bool: _bool,
    float: _float,
    Binary: _bytes,
    type(None): _none,
}
"""AnyValue by the type of the value."""


def value(given: Any, depth: int = 0) -> bytes:
    """An AnyValue."""
    write = _VALUES.get(type(given))
    if write is not None:
        return write(given)
    if depth > _DEPTH:
        return _text(f"<{type(given).__name__}: deeper>")
    if isinstance(given, Mapping):
        items = b"".join(
            b"\x0a" + length(len(pair)) + pair
            for key, item in cast("Mapping[object, object]", given).items()
            for pair in (_pair(_key(str(key)), value(item, depth + 1)),)
        )
        return b"\x32" + length(len(items)) + items
    if isinstance(given, (tuple, list)):
        items = b"".join(
            b"\x0a" + length(len(written)) + written for item in cast("Iterable[object]", given) for written in (value(item, depth + 1),)
        )
        return b"\x2a" + length(len(items)) + items
    for base in (bool, int, float, str):
        if isinstance(given, base):
            return _VALUES[base](base(given))
    return _text(str(given))


@functools.lru_cache(maxsize=4096)
def _key(key: str) -> bytes:
    written = utf8(key)
    return b"\x0a" + length(len(written)) + written


@functools.lru_cache(maxsize=4096)
def _short(key: str, text: str) -> bytes:
    """A KeyValue with a short text: kinds, types and names come again with every span."""
    return _pair(_key(key), _text(text))


def _pair(key: bytes, written: bytes) -> bytes:
    return key + b"\x12" + length(len(written)) + written


def attributes(tag: bytes, given: Mapping[str, Any]) -> list[bytes]:
    """Repeated KeyValue fields, each with `tag`."""
    parts: list[bytes] = []
    for name, item in given.items():
        if type(item) is str and len(item) < _SHORT:
            short = _short(name, item)
            parts += (tag, length(len(short)), short)
            continue
        key, write = _key(name), _VALUES.get(type(item), value)
        written = write(item)
        size = length(len(written))
        parts += (tag, length(len(key) + 1 + len(size) + len(written)), key, b"\x12", size, written)
    return parts


# ---- Spans ----


def span(finished: Finished) -> bytes:
    """One Span message."""
    name = utf8(finished.name)
    parts = [b"\x0a\x10", finished.trace_id.to_bytes(16, "big"), b"\x12\x08", finished.span_id.to_bytes(8, "big")]
    if finished.trace_state:
        parts += _field(b"\x1a", utf8(finished.trace_state))
    if finished.parent_id:
        parts += (b"\x22\x08", finished.parent_id.to_bytes(8, "big"))
    if name:
        parts += (b"\x2a", length(len(name)), name)
    parts += (b"\x30", _ONE[finished.otel_kind], pack("<cQcQ", b"\x39", finished.start_time, b"\x41", finished.end_time))
    parts += attributes(b"\x4a", finished.attributes)
    parts += _count(b"\x50", finished.dropped_attributes)
    for event_name, time, kept, dropped in finished.events:
        parts += _field(b"\x5a", _event(event_name, time, kept, dropped))
    parts += _count(b"\x60", finished.dropped_events)
    for context, kept, dropped in finished.links:
        link = [b"\x0a\x10", context.trace_id.to_bytes(16, "big"), b"\x12\x08", context.span_id.to_bytes(8, "big")]
        link += attributes(b"\x22", kept)
        link += _count(b"\x28", dropped)
        link.append(b"\x35" + pack("<I", _HAS_IS_REMOTE | (_IS_REMOTE if context.is_remote else 0)))
        parts += _field(b"\x6a", b"".join(link))
    parts += _count(b"\x70", finished.dropped_links)
    parts += _field(b"\x7a", _status(finished.status_code, finished.status_message))
    parts.append(b"\x85\x01" + pack("<I", _HAS_IS_REMOTE | (_IS_REMOTE if finished.parent_remote else 0)))
    return b"".join(parts)


def _field(tag: bytes, content: bytes) -> tuple[bytes, bytes, bytes]:
    return tag, length(len(content)), content


def _count(tag: bytes, n: int) -> tuple[bytes, ...]:
    return (tag, length(n)) if n else ()


def _event(name: str, time: int, kept: Attributes, dropped: int) -> bytes:
    parts = [b"\x09" + pack("<Q", time), *_field(b"\x12", utf8(name))]
    parts += attributes(b"\x1a", kept)
    parts += _count(b"\x20", dropped)
    return b"".join(parts)


def _status(code: int, message: str | None) -> bytes:
    written = b"".join(_field(b"\x12", utf8(message))) if message else b""
    return written + (b"\x18" + _ONE[code] if code else b"")


# ---- What spans are sent in ----


def resource(given: Resource) -> bytes:
    """A Resource field of ResourceSpans."""
    content = b"".join(attributes(b"\x0a", given.attributes))
    return b"".join(_field(b"\x0a", content))


def scope(given: InstrumentationScope | None) -> bytes:
    """A Scope field of ScopeSpans."""
    parts: list[bytes] = []
    if given is not None:
        parts += _field(b"\x0a", utf8(given.name))
        if given.version:
            parts += _field(b"\x12", utf8(given.version))
        parts += attributes(b"\x1a", given.attributes or {})
    return b"".join(_field(b"\x0a", b"".join(parts)))


@dataclass(slots=True)
class Group:
    """Encoded spans of one resource and scope."""

    resource: Resource
    scope: InstrumentationScope | None
    spans: list[bytes]


def request(groups: Iterable[Group]) -> bytes:
    """An ExportTraceServiceRequest; sizes are added up first, so that the spans are copied once."""
    parts: list[bytes] = []
    for group in groups:
        scoped = [scope(group.scope)]
        for written in group.spans:
            scoped += _field(b"\x12", written)
        if group.scope is not None and group.scope.schema_url:
            scoped += _field(b"\x1a", utf8(group.scope.schema_url))
        resourced = [resource(group.resource), b"\x12", length(sum(map(len, scoped))), *scoped]
        if group.resource.schema_url:
            resourced += _field(b"\x1a", utf8(group.resource.schema_url))
        parts += (b"\x0a", length(sum(map(len, resourced))), *resourced)
    return b"".join(parts)
