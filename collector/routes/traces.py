"""Traces: the list, one trace in three views, one span, deletion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from collector.errors import InvalidValue, SpanNotFound, TraceNotFound
from collector.filters import of_trace, parse
from collector.jsonform import columns_json, encode, health_json, page_json, skeleton_json, span_json, summary_json, to_json, trace_json
from collector.model import PageRequest, Trace
from collector.routes.answer import json_answer, streamed_answer
from collector.routes.parts import Asked, Cursor, Here, Limit

router = APIRouter(prefix="/api/v1/traces", tags=["traces"])

ORDERS = ("start_time", "duration", "cost", "tokens", "span_count", "error_count")
STREAMED_FROM = 1000  # spans; a larger trace is encoded while it is sent, without a tag
CHUNK = 200  # spans encoded at a time

_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_SPAN_ID = re.compile(r"[0-9a-f]{16}")


class View(StrEnum):
    whole = "whole"
    skeleton = "skeleton"
    columns = "columns"


def known_order(order: str) -> str:
    """`order`, if it is one of the table's."""
    if order.removeprefix("-") not in ORDERS:
        raise InvalidValue(f"order {order!r} is not one of {', '.join(ORDERS)}, each also with - in front for descending")
    return order


def hex_trace_id(trace_id: str) -> str:
    """A trace id as it is stored; what cannot be one is unknown."""
    if not _TRACE_ID.fullmatch(lowered := trace_id.lower()):
        raise TraceNotFound(trace_id[:80])
    return lowered


def hex_span_id(trace_id: str, span_id: str) -> str:
    if not _SPAN_ID.fullmatch(lowered := span_id.lower()):
        raise SpanNotFound(trace_id, span_id[:80])
    return lowered


Order = Annotated[str, Query(description=f"One of {', '.join(ORDERS)}; with `-` in front descending.")]


@router.get("")
def find_traces(
    request: Request, here: Here, filter: Asked, limit: Limit = 50, cursor: Cursor = None, order: Order = "-start_time"
) -> Response:
    """One page of trace summaries: `{traces: [TraceSummary…], next_cursor, complete}`.

    Where a filter that no index answers used up its time, `complete` is false, `searched_back_to` says how far the search got, and
    `next_cursor` goes on from there."""
    page = here.store.find_traces(filter, PageRequest(limit, cursor, known_order(order)))
    return json_answer(request, page_json("traces", page))


@router.delete("")
async def delete_traces(
    here: Here,
    request: Request,
    filter: Annotated[str, Query(description="Which traces; not empty.")] = "",
    trace_id: Annotated[str, Query(description="One trace, instead of a filter.")] = "",
    all: Annotated[bool, Query(description="Every trace, instead of a filter.")] = False,
) -> Response:
    """Delete the matching traces whole: `{traces, spans, bytes_freed}`."""
    if sum((bool(filter), bool(trace_id), all)) != 1:
        raise InvalidValue("say which traces to delete: filter=…, or trace_id=…, or all=true (one of them)")
    which = of_trace(hex_trace_id(trace_id)) if trace_id else parse(filter)
    return json_answer(request, to_json(await run_in_threadpool(here.store.delete, which)))


@router.get("/{trace_id}")
def read_trace(
    request: Request,
    here: Here,
    trace_id: str,
    view: Annotated[
        View, Query(description="`skeleton`: spans without payloads. `columns`: the same as arrays, in tree order.")
    ] = View.whole,
) -> Response:
    """One trace: `{trace: TraceSummary, spans: [Span…], health}`. Sends an `ETag` and honours `If-None-Match`."""
    trace_id = hex_trace_id(trace_id)
    if view is View.skeleton:
        return json_answer(request, skeleton_json(here.store.skeleton(trace_id)), tagged=True)
    if view is View.columns:
        return json_answer(request, columns_json(here.store.skeleton(trace_id)), tagged=True)
    trace = here.store.trace(trace_id)
    if len(trace.spans) >= STREAMED_FROM:
        return streamed_answer(request, _in_chunks(trace), "application/json")
    return json_answer(request, trace_json(trace), tagged=True)


def _in_chunks(trace: Trace) -> Iterator[bytes]:
    yield b'{"trace":' + encode(summary_json(trace.summary)) + b',"health":' + encode(health_json(trace.health)) + b',"spans":['
    for start in range(0, len(trace.spans), CHUNK):
        chunk = encode([span_json(span) for span in trace.spans[start : start + CHUNK]])[1:-1]
        yield b"," + chunk if start else chunk
    yield b"]}"


@router.delete("/{trace_id}")
async def delete_trace(request: Request, here: Here, trace_id: str) -> Response:
    """Delete one trace whole; 404 if there is none."""
    trace_id = hex_trace_id(trace_id)
    pruned = await run_in_threadpool(here.store.delete, of_trace(trace_id))
    if not pruned.traces:
        raise TraceNotFound(trace_id)
    return json_answer(request, to_json(pruned))


@router.get("/{trace_id}/spans/{span_id}")
def read_span(request: Request, here: Here, trace_id: str, span_id: str) -> Response:
    """One whole span: attributes, events, links, resource and scope included."""
    trace_id = hex_trace_id(trace_id)
    return json_answer(request, span_json(here.store.span(trace_id, hex_span_id(trace_id, span_id))), tagged=True)


@router.get("/{trace_id}/links")
def read_links(request: Request, here: Here, trace_id: str, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """One page of the links that lead here from spans of other traces, the newest first: `{from: [{trace_id, span_id, target_span_id,
    name, kind, start_time, …}], next_cursor, complete}`. The links to other traces are in the spans."""
    page = here.store.links(hex_trace_id(trace_id), PageRequest(limit, cursor))
    return json_answer(request, page_json("from", page), tagged=True)


@router.get("/{trace_id}/scores")
def read_scores(request: Request, here: Here, trace_id: str) -> Response:
    """The scores that count on a trace and its spans: `{scores: [Score…]}`."""
    return json_answer(request, {"scores": to_json(here.store.scores(trace_id=hex_trace_id(trace_id)))})
