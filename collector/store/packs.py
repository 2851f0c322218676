"""Payloads: everything a span was sent with, in packs of neighbouring spans.

A body is one span's attributes, events, links and the rest of what the narrow row has no column for, as JSON. A pack is a few dozen bodies,
compressed together with zstd: 6 µs and about 330 bytes a span, against 17 µs and 950 bytes one by one, since the spans of a trace repeat
each other's texts. JSON has no bytes, no NaN and no infinity: such values travel as `{"\\u0000": …}` (see `_tag`).
"""

from __future__ import annotations

import base64
import json
import math
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import zstandard

from collector.errors import StoreUnreadable
from collector.model import Attributes, AttributeValue, Event, Link, Resource, Scope, Span, StatusCode

MAX_SPANS, MAX_BYTES = 48, 256 * 1024  # of a pack: enough to share texts, small enough to unpack one span in 0.2 ms
LEVEL = 2  # as small as 3, a tenth quicker
MARK = "\x00"
_ESCAPED_MARK = b"\\u0000"
_LENGTHS = struct.Struct("<I")
MAX_SIGNED = 2**63 - 1
_STATUS = {StatusCode.UNSET: 0, StatusCode.OK: 1, StatusCode.ERROR: 2}
_STATUS_BACK = {number: status for status, number in _STATUS.items()}
_codecs = threading.local()  # a zstd (de)compressor must not be shared by threads


# ---- JSON that keeps bytes and non-finite numbers ----


def _tag_bytes(value: object) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return {MARK: "b" + base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {str(key): inner for key, inner in value.items()}
    raise TypeError(f"not an attribute value: {type(value).__name__}")


def _tag(value: Any) -> Any:
    """The slow way, for the rare value with NaN, infinity, a lone surrogate, an int beyond 64 bits or a key that looks like our mark."""
    if isinstance(value, float) and not math.isfinite(value):
        return {MARK: f"f{value}"}
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        return {MARK: f"i{value}"}
    if isinstance(value, bytes):
        return _tag_bytes(value)
    if isinstance(value, Mapping):
        return {(MARK + str(key) if str(key).startswith(MARK) else _tag(str(key))): _tag(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_tag(inner) for inner in value]
    return value


def plain(text: str) -> str:
    """The text with lone surrogates, which have no UTF-8, replaced by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _untag(value: Any) -> Any:
    if isinstance(value, list):
        return [_untag(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    marked = value.get(MARK)
    if len(value) == 1 and isinstance(marked, str):
        readers: Mapping[str, Callable[[str], object]] = {"b": base64.b64decode, "f": float, "i": int}
        return readers[marked[0]](marked[1:])
    return {(key[1:] if key.startswith(MARK) else key): _untag(inner) for key, inner in value.items()}


def dumps(value: Any) -> bytes:
    """JSON of attribute values; nothing is lost."""
    try:
        text = orjson.dumps(value, default=_tag_bytes)
    except TypeError:
        return json.dumps(_tag(value), ensure_ascii=False).encode()  # deeper than orjson goes, a surrogate, a huge int
    # orjson writes NaN as null, and a map's own key may begin with our mark: only then is the slow way needed.
    return _dumps_tagged(_tag(value)) if _needs_tags(value) else text


def _needs_tags(value: Any) -> bool:
    """Whether a NaN, an infinity or a key with our mark is somewhere inside (asked of what orjson took: its keys are text).

    Looking at the values costs 1 µs a span; looking for "null" in their JSON would cost 10, for the mark 2."""
    if type(value) is dict:
        if MARK in "".join(value):
            return True
        value = value.values()
    elif isinstance(value, Mapping):
        return True  # rare; orjson was given a copy
    for inner in value:
        kind = type(inner)
        if kind is str or kind is int:
            continue
        if kind is float:
            if inner - inner != 0.0:
                return True
        elif isinstance(inner, dict | list | tuple | Mapping) and _needs_tags(inner):
            return True
    return False


def _dumps_tagged(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=False).encode()


def loads(text: bytes) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(text)  # nested deeper than orjson reads
        except ValueError as error:
            raise StoreUnreadable(f"a pack of the database is damaged: {error}") from error
    return _untag(value) if _ESCAPED_MARK in text else value


# ---- A span's body ----


def body(span: Span) -> bytes:
    """What the narrow row does not hold, as JSON."""
    content: dict[str, object] = {"attributes": span.attributes}
    if span.events:
        content["events"] = [[e.name, e.time_unix_nano, e.attributes, e.dropped_attributes_count] for e in span.events]
    if span.links:
        content["links"] = [[k.trace_id, k.span_id, k.trace_state, k.attributes, k.dropped_attributes_count, k.flags] for k in span.links]
    if span.status is not StatusCode.UNSET:
        content["status"] = _STATUS[span.status]
    if span.status_message:
        content["status_message"] = span.status_message
    if span.otel_kind:
        content["otel_kind"] = span.otel_kind
    if span.trace_state:
        content["trace_state"] = span.trace_state
    if span.flags:
        content["flags"] = span.flags
    if span.dropped_attributes_count or span.dropped_events_count or span.dropped_links_count:
        content["dropped"] = [span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count]
    if span.start_unix_nano > MAX_SIGNED or span.end_unix_nano > MAX_SIGNED:
        content["times"] = [span.start_unix_nano, span.end_unix_nano]  # an unsigned time no SQLite integer holds
    return dumps(content)


def span_of(
    trace_id: str,
    span_id: str,
    parent_span_id: str,
    name: str,
    start_ns: int,
    end_ns: int,
    content: Mapping[str, Any],
    resource: Resource,
    scope: Scope,
    more_events: Sequence[Event] = (),
) -> Span:
    """The span that a row and a body make."""
    dropped = content.get("dropped", (0, 0, 0))
    times = content.get("times", (start_ns, end_ns))
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent_span_id,
        name=name,
        start_unix_nano=times[0],
        end_unix_nano=times[1],
        attributes=content["attributes"],
        events=[*(Event(*event) for event in content.get("events", ())), *more_events],
        links=[Link(*link) for link in content.get("links", ())],
        status=_STATUS_BACK[content.get("status", 0)],
        status_message=content.get("status_message", ""),
        otel_kind=content.get("otel_kind", 0),
        trace_state=content.get("trace_state", ""),
        flags=content.get("flags", 0),
        dropped_attributes_count=dropped[0],
        dropped_events_count=dropped[1],
        dropped_links_count=dropped[2],
        resource=resource,
        scope=scope,
    )


def event_body(event: Event) -> bytes:
    return dumps([event.name, event.time_unix_nano, event.attributes, event.dropped_attributes_count])


def event_of(text: bytes) -> Event:
    return Event(*loads(text))


def resource_body(resource: Resource) -> bytes:
    return dumps([resource.attributes, resource.dropped_attributes_count, resource.schema_url])


def resource_of(text: bytes) -> Resource:
    return Resource(*loads(text))


def scope_body(scope: Scope) -> bytes:
    return dumps([scope.name, scope.version, scope.attributes, scope.dropped_attributes_count, scope.schema_url])


def scope_of(text: bytes) -> Scope:
    return Scope(*loads(text))


def attributes_of(content: Mapping[str, Any]) -> Attributes:
    attributes: Mapping[str, AttributeValue] = content["attributes"]
    return attributes


# ---- A pack ----


def pack(bodies: Sequence[bytes]) -> bytes:
    """count, lengths, bodies: one zstd frame."""
    compressor = getattr(_codecs, "compressor", None)
    if compressor is None:
        compressor = _codecs.compressor = zstandard.ZstdCompressor(level=LEVEL)
    lengths = struct.pack(f"<{len(bodies) + 1}I", len(bodies), *map(len, bodies))
    return compressor.compress(b"".join((lengths, *bodies)))


def unpack(data: bytes) -> Sequence[bytes]:
    """The bodies of a pack, by slot. Raises `StoreUnreadable` for one that is damaged."""
    decompressor = getattr(_codecs, "decompressor", None)
    if decompressor is None:
        decompressor = _codecs.decompressor = zstandard.ZstdDecompressor()
    try:
        raw: bytes = decompressor.decompress(data)
        (count,) = _LENGTHS.unpack_from(raw)
        lengths = struct.unpack_from(f"<{count}I", raw, 4)
    except (zstandard.ZstdError, struct.error) as error:
        raise StoreUnreadable(f"a pack of the database is damaged: {error}") from error
    at, bodies = 4 + 4 * count, list[bytes]()
    for length in lengths:
        bodies.append(raw[at : at + length])
        at += length
    return bodies


def in_packs(bodies: Sequence[bytes]) -> Sequence[int]:
    """How many of the bodies, in order, go into each pack."""
    counts: list[int] = []
    filled, count = 0, 0
    for text in bodies:
        if count and (count == MAX_SPANS or filled + len(text) > MAX_BYTES):
            counts.append(count)
            filled = count = 0
        filled += len(text)
        count += 1
    return [*counts, count] if count else counts
