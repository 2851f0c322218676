"""The tail: traces as they arrive or change, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header
from starlette.responses import Response, StreamingResponse

from collector.errors import InvalidValue
from collector.filters import Filter
from collector.jsonform import encode, summary_json
from collector.routes.parts import Asked, Here, Parts

router = APIRouter(prefix="/api/v1/live", tags=["live"])

PING_SECONDS = 15  # a comment line, so that proxies keep the stream and a client notices a dead one


@router.get("")
async def read_live(
    here: Here, filter: Asked, last_event_id: Annotated[str | None, Header(description="Resume after this event.")] = None
) -> Response:
    """Server-sent events, for ever: `event: trace` with a TraceSummary as data, one per trace that arrived or changed; its `id` resumes."""
    if last_event_id is not None and not last_event_id.isdecimal():
        raise InvalidValue(f"Last-Event-ID {last_event_id!r} is not an id that this stream gave out (a number)")
    cursor = int(last_event_id) if last_event_id is not None else -1
    return StreamingResponse(_events(here, filter, cursor), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _events(here: Parts, filter: Filter, cursor: int) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n: listening\n\n"
    changes = here.tail.traces(filter, cursor)
    upcoming = asyncio.ensure_future(anext(changes))
    closing = asyncio.ensure_future(here.closing.wait())
    try:
        while True:
            done, _ = await asyncio.wait({upcoming, closing}, timeout=PING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if closing in done:
                return
            if not done:
                yield b": ping\n\n"
                continue
            summary, position = upcoming.result()
            yield b"id: %d\nevent: trace\ndata: %b\n\n" % (position, encode(summary_json(summary)))
            upcoming = asyncio.ensure_future(anext(changes))
    finally:
        closing.cancel()
        upcoming.cancel()
        with suppress(asyncio.CancelledError, StopAsyncIteration):
            await upcoming
        await changes.aclose()
