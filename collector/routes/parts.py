"""What the routes work with: the store and the few things around it, put together by `collector.app` and reached through the request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import Depends, Query, Request

from collector.filters import Filter, parse
from collector.live import Tail
from collector.model import Batch, Json, Written
from collector.store.base import Catalog, SpanStore


class Accepts(Protocol):
    """The one way in: returns after the commit; raises Overloaded or StoreUnavailable before queueing."""

    async def accept(self, batch: Batch) -> Written: ...

    def accept_blocking(self, batch: Batch) -> Written: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """One running collector, as its routes see it."""

    store: SpanStore
    catalog: Catalog
    ingest: Accepts
    tail: Tail
    closing: asyncio.Event  # set when the collector stops: live streams end then
    folder: str | None = None  # where large temporary files go: beside the database; None: the system's place
    max_upload_bytes: int = 64 * 2**20  # of an import, before and after decompression
    about: Mapping[str, Json] = field(default_factory=dict)  # what /healthz tells beside its status
    counters: Callable[[], Mapping[str, float]] = dict  # what /metrics counts


async def _parts(request: Request) -> Parts:
    return request.app.state.parts


Here = Annotated[Parts, Depends(_parts)]

FilterText = Annotated[
    str,
    Query(
        alias="filter",
        description='The filter language: `kind:retriever latency:>2s -status:ok "refund"`; empty means everything.',
        examples=["status:error since:24h"],
    ),
]


async def _asked(filter: FilterText = "") -> Filter:
    return parse(filter)


Asked = Annotated[Filter, Depends(_asked)]

Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most, 1 to 1000.")]
Cursor = Annotated[str | None, Query(max_length=2000, description="`next_cursor` of the page before.")]
