"""Protobuf on the wire: enough of it to walk the outer levels of a request without building them, and to write a message by hand."""

from __future__ import annotations

from collections.abc import Iterator

from collector.errors import MalformedRequest, RequestTooLarge
from collector.otlp.limits import DecodeLimits

Group = tuple[bytes, bytes, bytes, bytes]  # resource, resource schema URL, scope, scope schema URL


def wire_records(body: bytes, limits: DecodeLimits) -> Iterator[tuple[Group, bytes]]:
    """Each record's bytes with its group's, one group tuple per scope."""
    count = groups = 0
    try:
        for number, resource_spans in fields(body):
            if number != 1:
                continue
            resource = resource_url = b""
            scoped: list[bytes] = []
            for number, value in fields(resource_spans):
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
                for number, value in fields(scope_spans):
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


def fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a message, in order; other wire types are skipped. IndexError or MalformedRequest when it is none."""
    at, end = 0, len(data)
    while at < end:
        key = data[at]
        at += 1
        if key >= 0x80:
            key, at = varint(data, at - 1)
        if key & 7 == 2:
            size = data[at]
            at += 1
            if size >= 0x80:
                size, at = varint(data, at - 1)
            if at + size > end:
                raise MalformedRequest("not a protobuf request: a field is longer than its message")
            yield key >> 3, data[at : at + size]
            at += size
        else:
            at = skip(data, at, key, 0)
        if not 0 < key >> 3 < 1 << 29:
            raise MalformedRequest(f"not a protobuf request: field number {key >> 3}")


def varint(data: bytes, at: int) -> tuple[int, int]:
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


def skip(data: bytes, at: int, key: int, depth: int) -> int:
    """The position after a field that is not length-delimited."""
    wire_type = key & 7
    if wire_type == 0:
        return varint(data, at)[1]
    if wire_type in (1, 5):
        after = at + (8 if wire_type == 1 else 4)
        if after > len(data):
            raise MalformedRequest("not a protobuf request: it ends inside a number")
        return after
    if wire_type == 3 and depth < 100:  # a group: skip to its end mark
        while True:
            inner, at = varint(data, at)
            if inner & 7 == 4:
                return at
            if inner & 7 == 2:
                size, at = varint(data, at)
                at += size
            else:
                at = skip(data, at, inner, depth + 1)
    raise MalformedRequest(f"not a protobuf request: wire type {wire_type}")


# ---- Writing ----


def field(number: int, body: bytes) -> bytes:
    """A length-delimited field."""
    return varint_bytes(number << 3 | 2) + varint_bytes(len(body)) + body


def varint_bytes(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
