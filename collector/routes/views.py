"""Saved views: a filter with its columns and order under a name, kept in the catalogue."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Request
from starlette.responses import Response

from collector.errors import NotFound
from collector.jsonform import to_json
from collector.routes.answer import json_answer
from collector.routes.parts import Here

router = APIRouter(prefix="/api/v1/views", tags=["views"])

KIND = "view"
Name = Annotated[str, Path(min_length=1, max_length=200)]


@router.get("")
def find_views(request: Request, here: Here) -> Response:
    """All saved views, each in its newest version: `{views: [{name, content, …}]}`."""
    return json_answer(request, {"views": [to_json(here.catalog.version(KIND, name)) for name in here.catalog.names(KIND)]})


@router.put("/{name:path}")
def save_view(request: Request, here: Here, name: Name, content: Annotated[dict[str, Any], Body()]) -> Response:
    """Save a view under a name; the body is the view: `{filter, columns, order, …}`."""
    return json_answer(request, to_json(here.catalog.add_version(KIND, name, content)))


@router.delete("/{name:path}")
def delete_view(request: Request, here: Here, name: Name) -> Response:
    """Forget a view."""
    if not (removed := here.catalog.remove(KIND, name)):
        raise NotFound(f"no view {name!r}; there are: {', '.join(here.catalog.names(KIND)) or 'none'}")
    return json_answer(request, {"removed": removed})
