"""The user's dialect rules: attribute key → field, kept in the catalogue and used from the moment they are saved."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from starlette.responses import Response

from collector.dialects import Rules, parse_rules, use_rules
from collector.errors import NotFound
from collector.routes.answer import json_answer
from collector.routes.parts import Here
from collector.store.base import Catalog

router = APIRouter(prefix="/api/v1/rules", tags=["rules"])

KIND, NAME = "rules", "house"


def saved_rules(catalog: Catalog) -> Rules:
    """The rules as they were saved last; none at first."""
    try:
        content = catalog.version(KIND, NAME).content
    except NotFound:
        return Rules()
    return parse_rules(content if isinstance(content, dict) else {})


@router.get("")
def read_rules(request: Request, here: Here) -> Response:
    """The rules in use: `{rules: {fields: {key: field}, kinds: {key: {value: kind}}}}`."""
    return json_answer(request, {"rules": saved_rules(here.catalog).as_json()})


@router.put("")
def save_rules(
    request: Request,
    here: Here,
    body: Annotated[
        dict[str, Any], Body(examples=[{"fields": {"acme.question": "input"}, "kinds": {"acme.type": {"search": "RETRIEVER"}}}])
    ],
) -> Response:
    """Replace the rules. New spans are understood by them at once, stored ones after `POST /api/v1/renormalise`."""
    rules = parse_rules(body)
    here.catalog.add_version(KIND, NAME, rules.as_json())
    use_rules(rules)
    return json_answer(request, {"rules": rules.as_json()})
