"""Scores: judgements of people, models and code about a span, a trace or a session; accepted before what they judge arrives."""

from __future__ import annotations

import time
import uuid
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from collector.errors import InvalidValue
from collector.jsonform import to_json
from collector.model import AnnotatorKind, Batch, Score, Target
from collector.routes.answer import json_answer
from collector.routes.parts import Here

router = APIRouter(prefix="/api/v1/scores", tags=["scores"])

HexId = Annotated[str, StringConstraints(to_lower=True)]


class TargetBody(BaseModel):
    """What is judged: a trace, a span of it, or a session."""

    model_config = ConfigDict(extra="forbid")
    trace_id: Annotated[HexId | None, Field(pattern=r"^[0-9a-fA-F]{32}$")] = None
    span_id: Annotated[HexId | None, Field(pattern=r"^[0-9a-fA-F]{16}$")] = None
    session_id: Annotated[str | None, Field(min_length=1, max_length=1000)] = None


class AnnotatorBody(BaseModel):
    """Who judges."""

    model_config = ConfigDict(extra="forbid")
    kind: AnnotatorKind = AnnotatorKind.HUMAN
    id: Annotated[str | None, Field(max_length=200)] = None


class ScoreBody(BaseModel):
    """A judgement; without value and label it retracts the one before."""

    model_config = ConfigDict(extra="forbid")
    target: TargetBody
    name: Annotated[str, Field(min_length=1, max_length=200, examples=["thumbs"])]
    value: Annotated[float | None, Field(allow_inf_nan=False, strict=True, description="A number; a yes, a no or a word is a label.")] = (
        None
    )
    label: Annotated[str | None, Field(max_length=1000)] = None
    explanation: Annotated[str | None, Field(max_length=100_000)] = None
    annotator: AnnotatorBody = AnnotatorBody()

    def score(self) -> Score:
        target = self.target
        if (target.trace_id is None) == (target.session_id is None):
            raise InvalidValue("target names a trace_id (with a span_id, to judge one span) or a session_id, and not both")
        if target.span_id and not target.trace_id:
            raise InvalidValue("target.span_id needs its trace_id")
        if target.trace_id == "0" * 32 or target.span_id == "0" * 16:
            raise InvalidValue("target: an id of zeros alone names nothing")
        return Score(
            name=self.name,
            value=self.value,
            label=self.label,
            explanation=self.explanation,
            annotator_kind=self.annotator.kind,
            annotator_id=self.annotator.id,
            target=Target(target.trace_id, target.span_id, target.session_id),
            id=uuid.uuid4().hex,
            time_unix_nano=time.time_ns(),
        )


@router.post("", status_code=202)
async def add_score(request: Request, here: Here, body: ScoreBody) -> Response:
    """Score a span, a trace or a session: 202 with `{id, …}`, durable, also before its target arrives.

    The last score per target, name and annotator counts; one with neither value nor label retracts it."""
    score = body.score()
    await here.ingest.accept(Batch(scores=(score,)))
    return json_answer(request, to_json(score), status=202)
