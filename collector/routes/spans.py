"""Spans: matching spans over all traces, without payloads."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from collector.jsonform import page_json
from collector.model import PageRequest
from collector.routes.answer import json_answer
from collector.routes.parts import Asked, Cursor, Here, Limit
from collector.routes.traces import Order, known_order

router = APIRouter(prefix="/api/v1/spans", tags=["spans"])


@router.get("")
def find_spans(
    request: Request, here: Here, filter: Asked, limit: Limit = 50, cursor: Cursor = None, order: Order = "-start_time"
) -> Response:
    """One page of matching spans, the newest first: `{spans: […], next_cursor, complete}`; paging as in the trace list."""
    page = here.store.find_spans(filter, PageRequest(limit, cursor, known_order(order)))
    return json_answer(request, page_json("spans", page))
