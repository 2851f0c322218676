"""Sessions: conversations, each made of the traces that share its id."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from collector.jsonform import page_json, to_json
from collector.model import PageRequest
from collector.routes.answer import json_answer
from collector.routes.parts import Asked, Cursor, Here, Limit

router = APIRouter(prefix="/api/v1/sessions", tags=["sessions"])


@router.get("")
def find_sessions(request: Request, here: Here, filter: Asked, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """One page of sessions with a matching trace, the most recently active first: `{sessions: […], next_cursor}`."""
    return json_answer(request, page_json("sessions", here.store.sessions(filter, PageRequest(limit, cursor))))


@router.get("/{session_id:path}")
def read_session(request: Request, here: Here, session_id: str) -> Response:
    """One session and its traces, oldest first: `{session, traces: [TraceSummary…], scores}`; `scores` are the session's own."""
    session, traces = here.store.session(session_id)
    scores = here.store.scores(session_id=session_id)
    return json_answer(request, {"session": to_json(session), "traces": to_json(traces), "scores": to_json(scores)}, tagged=True)
