"""JSON answers: encoded and compressed off the event loop, with an entity tag where a client may already hold the same.

Every answer is `no-store` (traces are private); a client that keeps one itself sends its tag in `If-None-Match` and gets 304.
"""

from __future__ import annotations

import logging
import re
import zlib
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import chain
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from collector.errors import RightPassageError
from collector.jsonform import encode

log = logging.getLogger(__name__)
COMPRESS_FROM = 1024  # bytes; below, gzip's header and time outweigh what it saves
_REFUSED = re.compile(r"\s*q\s*=\s*0(\.0*)?\s*")  # a coding that is listed in order not to get it
LEVEL = 1  # of gzip: a 32,000-span skeleton takes 35 ms instead of 110 ms at level 6 and is a fifth larger


def accepts_gzip(request: Request) -> bool:
    return any(
        coding.strip() in ("gzip", "*")
        for entry in request.headers.get("accept-encoding", "").lower().split(",")
        for coding, _, quality in [entry.partition(";")]
        if not _REFUSED.fullmatch(quality)
    )


def _gzip() -> Any:  # zlib's compressor has no public name
    return zlib.compressobj(LEVEL, zlib.DEFLATED, 31)


def json_answer(request: Request, value: object, *, tagged: bool = False, status: int = 200) -> Response:
    """An answer with a JSON body."""
    body = encode(value)
    headers = {"vary": "accept-encoding"}
    if tagged:
        headers["etag"] = tag = f'W/"{blake2b(body, digest_size=12).hexdigest()}"'
        if _held(request, tag):
            return Response(status_code=304, headers=headers)
    if len(body) >= COMPRESS_FROM and accepts_gzip(request):
        deflate = _gzip()
        body = deflate.compress(body) + deflate.flush()
        headers["content-encoding"] = "gzip"
    return Response(body, status, headers, media_type="application/json")


def _held(request: Request, tag: str) -> bool:
    """Whether `If-None-Match` names the tag, compared weakly, or any tag (`*`)."""
    named = {held.strip().removeprefix("W/") for held in request.headers.get("if-none-match", "").split(",")}
    return tag.removeprefix("W/") in named or "*" in named


class _Stream(StreamingResponse):
    """An answer that fails half-way is left without its end, so that the client sees it was cut; the log says why in a line."""

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except RightPassageError as error:
            log.error("an answer was cut off where it is being sent: %s", error)


def streamed_answer(request: Request, chunks: Iterable[bytes], media_type: str, filename: str | None = None) -> Response:
    """An answer made while it is sent: for what may be larger than memory should hold. What fails at its beginning is a plain error."""
    made = iter(chunks)
    chunks = chain([next(made, b"")], made)
    headers = {"vary": "accept-encoding"}
    if filename:
        headers["content-disposition"] = f'attachment; filename="{filename}"'
    if accepts_gzip(request):
        headers["content-encoding"] = "gzip"
        chunks = _compressed(chunks)
    return _Stream(chunks, 200, headers, media_type=media_type)


def _compressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    deflate = _gzip()
    for chunk in chunks:
        if piece := deflate.compress(chunk):
            yield piece
    yield deflate.flush()
