"""A request that a collector finds too large becomes two smaller ones; a single span that is too large is cut.

Works on the bytes of the request, because parcels from disk have nothing else: protobuf's wire format is read just deep enough to find
the spans and the texts in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tracer.encoding import length

_TEXT_LIMIT = 64 * 1024  # bytes kept of each text of a span that is too large by itself

Content = int | bytes


def fields(message: bytes) -> Iterator[tuple[int, int, Content]]:
    """Number, wire type and content of every field; raises ValueError or IndexError on bytes that are no protobuf."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            number, at = _varint(message, at)
            yield tag >> 3, kind, number
            continue
        if kind == 2:
            size, at = _varint(message, at)
        else:
            size = {1: 8, 5: 4}.get(kind, -1)
        if size < 0 or at + size > len(message):
            raise ValueError("no protobuf message")
        yield tag >> 3, kind, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
        if shift > 63:
            raise ValueError("no varint")


def _written(number: int, kind: int, content: Content) -> bytes:
    tag = length(number << 3 | kind)
    if isinstance(content, int):
        return tag + length(content)
    return tag + length(len(content)) + content if kind == 2 else tag + content


def _inside(number: int, content: bytes) -> bytes:
    return _written(number, 2, content)


Located = tuple[bytes, bytes, bytes]  # what surrounds a span in its ResourceSpans, in its ScopeSpans, and the span


def _spans(request: bytes) -> list[Located]:
    found: list[Located] = []
    for _, _, resource_spans in fields(request):
        resourced = list(fields(_bytes(resource_spans)))
        around = b"".join(_written(*field) for field in resourced if field[0] != 2)
        for number, _, scope_spans in resourced:
            if number == 2:
                scoped = list(fields(_bytes(scope_spans)))
                nearer = b"".join(_written(*field) for field in scoped if field[0] != 2)
                found.extend((around, nearer, _bytes(span)) for part, _, span in scoped if part == 2)
    return found


def _request(spans: Sequence[Located]) -> bytes:
    return b"".join(_inside(1, around + _inside(2, nearer + _inside(2, span))) for around, nearer, span in spans)


def halves(request: bytes) -> list[tuple[bytes, int]]:
    """Two requests with the spans of one, each with its number of spans; one with a cut span; or none, when it is as short as can be."""
    spans = _spans(request)
    if len(spans) > 1:
        middle = len(spans) // 2
        return [(_request(part), len(part)) for part in (spans[:middle], spans[middle:])]
    cut = [(around, nearer, shortened) for around, nearer, span in spans if (shortened := _shortened(span)) != span]
    return [(_request(cut), 1)] if cut else []


def _shortened(span: bytes) -> bytes:
    return b"".join(
        _inside(number, _pair(_bytes(content))) if number == 9 else _written(number, kind, content)
        for number, kind, content in fields(span)
    )


def _pair(pair: bytes) -> bytes:
    """A KeyValue, its text cut."""
    return b"".join(
        _inside(2, _value(_bytes(content))) if number == 2 else _written(number, kind, content) for number, kind, content in fields(pair)
    )


def _value(value: bytes) -> bytes:
    parts = list(fields(value))
    if len(parts) == 1 and parts[0][0] == 1 and len(_bytes(parts[0][2])) > _TEXT_LIMIT:
        text = _bytes(parts[0][2])
        kept = text[:_TEXT_LIMIT].decode("utf-8", "ignore")
        return _inside(1, f"{kept}… [cut: {_TEXT_LIMIT} of {len(text)} bytes]".encode())
    return value


def _bytes(content: Content) -> bytes:
    if isinstance(content, int):
        raise ValueError("no message")
    return content


def partial_success(response: bytes) -> tuple[int, str]:
    """`rejected_spans` and `error_message` of an ExportTraceServiceResponse; (0, "") when it says nothing or is none."""
    try:
        for number, _, content in fields(response):
            if number == 1:
                told = {part: value for part, _, value in fields(_bytes(content))}
                rejected, message = told.get(1, 0), told.get(2, b"")
                return rejected if isinstance(rejected, int) else 0, message.decode("utf-8", "replace") if isinstance(
                    message, bytes
                ) else ""
    except (ValueError, IndexError):
        pass
    return 0, ""
