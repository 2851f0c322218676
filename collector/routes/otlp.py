"""OTLP over HTTP, answered before the web framework: read the body within limits, inflate, decode, store, answer.

A bare ASGI callable, because this path carries nearly all requests. A success is answered after the commit. Every error is a
google.rpc.Status in the request's encoding, and what is worth retrying (429, 503) says when. Besides the standard paths it answers those
that SDKs of other backends append to their base URL, so that pointing them here needs the host name only.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import orjson
import zstandard
from google.rpc import code_pb2, status_pb2

from collector import otlp
from collector.errors import (
    MalformedRequest,
    Overloaded,
    RequestTooLarge,
    RightPassageError,
    StoreUnavailable,
    UnsupportedMediaType,
)
from collector.otlp import Encoding
from collector.reception import REJECTED_FIELDS, Accepts, Holding, Limits, Reception, Signal, holds_anything
from tracer.conventions import COLLECTOR_HEADER

AsgiScope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

PREFIXES = {
    "": "the OTLP default",
    "/api/public/otel": "Langfuse",
    "/otel": "LangSmith, Weave, Braintrust",
    "/agents/otel": "Weave agents",
    "/api/v1/private/otel": "Opik",
    "/api/default": "OpenObserve",
    "/opentelemetry": "generic",
}
PATHS: Mapping[str, Signal] = {f"{prefix}/v1/{signal}": signal for prefix in PREFIXES for signal in Signal} | {
    "/": Signal.TRACES,  # an exporter that uses its endpoint as it is
    "/api/public/otel": Signal.TRACES,
}
IN_THREAD_FROM = 128 * 1024  # bytes: beyond, inflating and decoding take more than about 3 ms and would hold up the event loop


def signal_of(method: str, path: str) -> Signal | None:
    """The OTLP signal a request is about, or None when it is for someone else. "/" is only ours when something is posted to it."""
    path = path.rstrip("/") or "/"
    return PATHS.get(path) if method == "POST" or path.endswith(tuple(f"/v1/{signal}" for signal in Signal)) else None


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    encoding: Encoding
    headers: tuple[tuple[bytes, bytes], ...] = ()


class _Gone(Exception):
    """The client went away before its body was complete: nobody is left to answer."""


class OtlpEndpoint:
    """POST /v1/traces, /v1/logs, /v1/metrics and their aliases."""

    def __init__(self, ingest: Accepts, limits: Limits | None = None, reception: Reception | None = None) -> None:
        self.reception = reception or Reception(limits)
        self._ingest = ingest
        self._header = (COLLECTOR_HEADER.encode(), version("rightpassage").encode())

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, receive)
        except _Gone:
            return
        await self._send(answer, send)

    async def _answer(self, scope: AsgiScope, receive: Receive) -> _Answer:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        signal = signal_of(scope["method"], scope["path"])
        if signal is None or scope["method"] != "POST":
            return _status(405, code_pb2.UNIMPLEMENTED, "send OTLP by POST", Encoding.JSON, ((b"allow", b"POST"),))
        encoding = Encoding.JSON
        try:
            encoding = otlp.encoding_of(headers.get(b"content-type", ""))
            with self.reception.holding() as holding:
                return await self._store(signal, encoding, headers, receive, holding)
        except RightPassageError as error:
            return _refusal(error, encoding)
        except TimeoutError:
            return _status(408, code_pb2.DEADLINE_EXCEEDED, f"the body took over {self.reception.limits.body_seconds:g} s", encoding)

    async def _store(self, signal: Signal, encoding: Encoding, headers: Mapping[bytes, str], receive: Receive, holding: Holding) -> _Answer:
        inflate = _inflater(headers.get(b"content-encoding", ""))
        async with asyncio.timeout(self.reception.limits.body_seconds):
            body = await self._body(headers, receive, holding)

        def decode():
            inflated = inflate(body, self.reception.limits.body_bytes)
            holding.add(len(inflated) - len(body) if inflated is not body else 0)
            return self.reception.read(signal, inflated, encoding)

        received = await asyncio.to_thread(decode) if len(body) >= IN_THREAD_FROM else decode()
        body = b""  # what was decoded need not be held twice while it waits for its commit
        if holds_anything(received.batch):
            await self._ingest.accept(received.batch, received.body_bytes)
        return _Answer(200, otlp.encode_answer(received.rejected, received.message, encoding, REJECTED_FIELDS[signal]), encoding)

    async def _body(self, headers: Mapping[bytes, str], receive: Receive, holding: Holding) -> bytes:
        limit, parts, size = self.reception.limits.body_bytes, list[bytes](), 0
        declared = headers.get(b"content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise _too_large(limit)
        self.reception.expect(int(declared) if declared.isdigit() else 0)
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            holding.add(len(part))
            parts.append(part)
            if not message.get("more_body"):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _send(self, answer: _Answer, send: Send) -> None:
        headers = [
            (b"content-type", answer.encoding.encode()),
            (b"content-length", str(len(answer.body)).encode()),
            (b"x-content-type-options", b"nosniff"),
            self._header,
            *answer.headers,
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"the body is larger than {limit} bytes, compressed or not")


# ---- Content-Encoding: each inflates at most `limit` bytes, whatever the body promises ----

Inflate = Callable[[bytes, int], bytes]


def _as_is(body: bytes, limit: int) -> bytes:
    return body


def _gunzip(body: bytes, limit: int) -> bytes:
    return _zlib_inflate(body, limit, 31)


def _deflate(body: bytes, limit: int) -> bytes:
    """RFC 9110's deflate is zlib's format; some clients send it without the two-byte header."""
    has_header = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return _zlib_inflate(body, limit, 15 if has_header else -15)


MEMBERS_MAX = 1000  # of one body: each costs a copy of what follows, and clients send one


def _zlib_inflate(body: bytes, limit: int, window_bits: int) -> bytes:
    parts, size = list[bytes](), 0
    rest = body
    while rest:
        member = zlib.decompressobj(window_bits)
        try:
            part = member.decompress(rest, limit - size + 1)
        except zlib.error as failure:
            raise MalformedRequest(f"the body does not inflate: {failure}") from None
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        if not member.eof or len(parts) == MEMBERS_MAX:
            raise MalformedRequest("the compressed body is cut short, or in too many members")
        parts.append(part)
        rest = member.unused_data if window_bits == 31 else b""
    return parts[0] if len(parts) == 1 else b"".join(parts)


_ZSTD_WINDOW_MAX = 2**27  # 128 MB, the format's recommended ceiling for decoders: a frame may ask for gigabytes
_ZSTD_STEP = 512  # bytes fed at a time: a block of 128 kB takes four, so one step inflates to 16 MB at most


def _zstd(body: bytes, limit: int) -> bytes:
    parts, size, at, frames = list[bytes](), 0, 0, 0
    while at < len(body):
        frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_MAX).decompressobj()
        while at < len(body) and not frame.eof:
            try:
                part = frame.decompress(body[at : at + _ZSTD_STEP])
            except zstandard.ZstdError as failure:
                raise MalformedRequest(f"the body does not inflate: {failure}") from None
            at += _ZSTD_STEP
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            parts.append(part)
        frames += 1
        if not frame.eof or frames > MEMBERS_MAX:
            raise MalformedRequest("the compressed body is cut short, or in too many frames")
        at = min(at, len(body)) - len(frame.unused_data)
    return b"".join(parts)


INFLATERS: Mapping[str, Inflate] = {"": _as_is, "identity": _as_is, "gzip": _gunzip, "x-gzip": _gunzip, "deflate": _deflate, "zstd": _zstd}


def _inflater(content_encoding: str) -> Inflate:
    name = content_encoding.strip().lower()
    try:
        return INFLATERS[name]
    except KeyError:
        raise UnsupportedMediaType(f"content encoding {name[:40]!r}: one of {', '.join(filter(None, INFLATERS))}") from None


# ---- Errors ----

_STATUS_OF: Mapping[type[RightPassageError], tuple[int, int]] = {
    MalformedRequest: (400, code_pb2.INVALID_ARGUMENT),
    RequestTooLarge: (413, code_pb2.INVALID_ARGUMENT),
    UnsupportedMediaType: (415, code_pb2.INVALID_ARGUMENT),
    StoreUnavailable: (503, code_pb2.UNAVAILABLE),
    Overloaded: (429, code_pb2.RESOURCE_EXHAUSTED),
}


def _refusal(error: RightPassageError, encoding: Encoding) -> _Answer:
    status, code = _STATUS_OF.get(type(error), (503, code_pb2.UNAVAILABLE))
    headers = ()
    if status in (429, 503):
        after = error.retry_after_s if isinstance(error, Overloaded) else 1
        headers = ((b"retry-after", str(min(max(int(after), 1), 30)).encode()),)
    if status == 415:
        headers = ((b"accept", ", ".join(Encoding).encode()), (b"accept-encoding", b"gzip, deflate, zstd"))
    return _status(status, code, str(error), encoding, headers)


def _status(http: int, code: int, message: str, encoding: Encoding, headers: tuple[tuple[bytes, bytes], ...] = ()) -> _Answer:
    if encoding is Encoding.JSON:
        body = orjson.dumps({"code": code, "message": message.encode("utf-8", "replace").decode()})
    else:
        body = status_pb2.Status(code=code, message=message.encode("utf-8", "replace").decode()).SerializeToString()
    return _Answer(http, body, encoding, headers)
