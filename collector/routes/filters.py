"""The filter language, for whoever offers a place to type it: its fields, and whether a text parses."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from collector.errors import FilterError
from collector.filters import FIELDS, OPERATORS, parse
from collector.routes.answer import json_answer

router = APIRouter(prefix="/api/v1/filter", tags=["filter"])


def fields_json() -> list[dict[str, Any]]:
    """The table of fields as completion and documentation need it."""
    return [
        {
            "name": field.name,
            "type": field.type.value,
            "scope": field.scope.value,
            "description": field.description,
            "operators": [operator.value for operator in OPERATORS[field.type]],
            "aliases": list(field.aliases),
            "choices": list(field.choices),
            "keyed": field.keyed,
        }
        for field in FIELDS.values()
    ]


@router.get("/fields")
def read_fields(request: Request) -> Response:
    """The fields a filter may name: `{fields: [{name, type, scope, description, operators, aliases, choices, keyed}]}`."""
    return json_answer(request, {"fields": fields_json()}, tagged=True)


@router.get("/check")
def check_filter(request: Request, filter: Annotated[str, Query(description="The text to check.")] = "") -> Response:
    """Whether a filter parses: `{ok}`, or `{ok: false, position, message, suggestions}` with the position in characters from 0."""
    try:
        parse(filter)
    except FilterError as error:
        found = {"ok": False, "position": error.position, "message": str(error), "suggestions": list(error.suggestions)}
        return json_answer(request, found)
    return json_answer(request, {"ok": True})
