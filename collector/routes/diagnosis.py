"""What went wrong in a trace, as far as its recorded data says: the passage funnel, the prompt and the trace health."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from collector.diagnosis.funnel import Row, UsedPrompt, funnel, prompt
from collector.jsonform import health_json, to_json
from collector.routes.answer import json_answer
from collector.routes.parts import Here
from collector.routes.traces import hex_trace_id

router = APIRouter(prefix="/api/v1/traces", tags=["traces"])


@router.get("/{trace_id}/diagnosis")
def read_diagnosis(request: Request, here: Here, trace_id: str) -> Response:
    """`{verdict, funnel, provenance, prompt, health}`. `funnel` has a row per passage: rank and score at each stage, and, where the trace
    tells, whether it was placed in the prompt and cited. `verdict` and `provenance` are null: not determined."""
    trace = here.store.trace(hex_trace_id(trace_id))
    used = prompt(trace)
    answer = {
        "verdict": trace.summary.verdict,
        "funnel": [_known(row) for row in funnel(trace)],
        "provenance": None,
        "prompt": _known(used) if used else None,
        "health": health_json(trace.health),
    }
    return json_answer(request, answer, tagged=True)


def _known(value: Row | UsedPrompt) -> dict[str, Any]:
    """The fields that the trace tells; False is told, None and empty are not."""
    told = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: to_json(item) for name, item in told.items() if item is not None and item not in ((), [], {})}
