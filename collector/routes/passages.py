"""Passages: every distinct text that a stage returned, and the traces that retrieved it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from collector.jsonform import page_json, to_json
from collector.model import PageRequest
from collector.routes.answer import json_answer
from collector.routes.parts import Cursor, Here, Limit

router = APIRouter(prefix="/api/v1/passages", tags=["passages"])


@router.get("")
def find_passages(
    request: Request,
    here: Here,
    q: Annotated[str | None, Query(max_length=1000, description="Words of the passage.")] = None,
    source: Annotated[str | None, Query(max_length=1000, description="The source it was cut from.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """One page of passages, the most recently seen first: `{passages: […], next_cursor}`."""
    return json_answer(request, page_json("passages", here.store.passages(q or None, source or None, PageRequest(limit, cursor))))


@router.get("/{passage_hash}")
def read_passage(request: Request, here: Here, passage_hash: str) -> Response:
    """One passage: `{passage, text, traces}` with the newest traces that retrieved it, at most 100."""
    passage, text, traces = here.store.passage(passage_hash)
    return json_answer(request, {"passage": to_json(passage), "text": text, "traces": to_json(traces)})
