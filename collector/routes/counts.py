"""Counting: exact totals, measures over groups of spans, the values of a field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from collector.errors import InvalidValue
from collector.jsonform import completeness_json, to_json
from collector.routes.answer import json_answer
from collector.routes.parts import Asked, Here, Limit

router = APIRouter(prefix="/api/v1", tags=["counts"])

MEASURES = ("count", "errors", "error_rate", "p50", "p90", "p95", "p99", "tokens", "input_tokens", "output_tokens", "cost", "traces")
GROUPS = (
    "minute", "hour", "day", "service", "tag", "status", "environment", "session", "user", "verdict", "root",
    "kind", "model", "name", "provider", "operation", "stage", "index", "error",
)  # fmt: skip


def _listed(text: str, known: Sequence[str], what: str) -> Sequence[str]:
    """`a,b` → ("a", "b"), each of them known."""
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    for word in words:
        if word not in known:
            raise InvalidValue(f"{what} {word!r} is not one of {', '.join(known)}")
    return words


@router.get("/stats")
def read_stats(request: Request, here: Here) -> Response:
    """Exact counts and the bytes on disk: `{traces, spans, sessions, scores, bytes, …}`."""
    return json_answer(request, to_json(here.store.stats()))


@router.get("/aggregate")
def read_aggregate(
    request: Request,
    here: Here,
    filter: Asked,
    measures: Annotated[str, Query(description=f"Comma-separated: {', '.join(MEASURES)}.")] = "count",
    by: Annotated[str, Query(description=f"Comma-separated: {', '.join(GROUPS)}; empty: one row over all.")] = "",
) -> Response:
    """One row per group of matching spans: `{rows: [{hour, service, count, p95, …}], complete}`. Durations are nanoseconds; estimated
    measures are named in a row's `estimated`. Where the time was up, `complete` is false and the rows cover the time since
    `searched_back_to`."""
    asked = _listed(measures, MEASURES, "measure")
    if not asked:
        raise InvalidValue(f"measures is empty; ask for some of {', '.join(MEASURES)}")
    page = here.store.aggregate(filter, asked, _listed(by, GROUPS, "group"))
    return json_answer(request, {"rows": list(page.items), **completeness_json(page)})


@router.get("/values")
def read_values(
    request: Request,
    here: Here,
    filter: Asked,
    field: Annotated[str, Query(min_length=1, max_length=200, description="A field of the filter language.")],
    prefix: Annotated[str, Query(max_length=200, description="Only values that begin so.")] = "",
    limit: Limit = 50,
) -> Response:
    """The values of a field with their trace counts, most frequent first: `{values: [{value, count}]}`."""
    return json_answer(request, {"values": to_json(here.store.values(field, prefix, filter, limit))})
