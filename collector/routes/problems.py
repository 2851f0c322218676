"""Errors → RFC 9457 problem JSON: one table, so that every error of `/api` has the same form and names what would be valid.

A problem is `{type, title, status, detail, …}`: `type` is a stable name (`urn:rightpassage:filter-error`), `detail` one sentence with the
value in it; extras (`position`, `suggestions`, `trace_id`, `errors`) are for programs. Errors of `/v1/*` have OTLP's form instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from collector.errors import (
    FilterError,
    InvalidValue,
    MalformedRequest,
    NotFound,
    Overloaded,
    RequestTooLarge,
    RightPassageError,
    SpanNotFound,
    StoreLocked,
    StoreUnavailable,
    StoreUnreadable,
    TraceNotFound,
    UnsupportedMediaType,
)
from collector.jsonform import encode

PROBLEMS: dict[type[RightPassageError], tuple[int, str, str]] = {  # the first class an error is an instance of counts
    TraceNotFound: (404, "trace-not-found", "No such trace"),
    SpanNotFound: (404, "span-not-found", "No such span"),
    NotFound: (404, "not-found", "Not found"),
    FilterError: (400, "filter-error", "The filter does not parse"),
    MalformedRequest: (400, "malformed-request", "The body is not what its content type says"),
    InvalidValue: (400, "invalid-value", "A value cannot be used"),
    RequestTooLarge: (413, "request-too-large", "The request is too large"),
    UnsupportedMediaType: (415, "unsupported-media-type", "The content type or encoding is not read here"),
    StoreUnavailable: (503, "store-unavailable", "The store cannot answer now"),
    Overloaded: (429, "overloaded", "Too much at once"),
    StoreLocked: (409, "store-locked", "Another collector holds this database"),
    StoreUnreadable: (503, "store-unreadable", "The database cannot be read"),
}


def problem(status: int, name: str, title: str, detail: str, headers: Mapping[str, str] | None = None, **extras: Any) -> Response:
    """A problem answer."""
    body = {"type": f"urn:rightpassage:{name}", "title": title, "status": status, "detail": detail, **extras}
    return Response(encode(body), status, dict(headers or {}), media_type="application/problem+json")


def problem_of(error: RightPassageError) -> Response:
    """The problem answer of one of our errors."""
    status, name, title = next((form for cls, form in PROBLEMS.items() if isinstance(error, cls)), (500, "error", "Something went wrong"))
    headers = {"retry-after": str(error.retry_after_s)} if isinstance(error, Overloaded) else {}
    return problem(status, name, title, str(error), headers, **_extras(error))


def _extras(error: RightPassageError) -> dict[str, Any]:
    match error:
        case FilterError():
            return {"value": error.text, "position": error.position, "suggestions": list(error.suggestions)}
        case SpanNotFound():
            return {"trace_id": error.trace_id, "span_id": error.span_id}
        case TraceNotFound():
            return {"trace_id": error.trace_id}
        case _:
            return {}


METHODS = ("GET", "POST", "PUT", "DELETE")


def allowed_methods(routes: Sequence[BaseRoute], scope: Scope) -> Sequence[str]:
    """The methods that are taken at this path; none: there is nothing."""
    taken = [method for method in METHODS if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)]
    return ["HEAD", *taken] if "GET" in taken else taken


def _sentence(item: Mapping[str, Any]) -> str:
    """`limit: '5000' cannot be used: input should be less than or equal to 1000`."""
    where = ".".join(str(part) for part in item["loc"][1:]) or str(item["loc"][0])
    if item["type"] == "missing":
        return f"{where} is missing"
    if item["type"] == "json_invalid":
        return f"the body is not JSON: {item['ctx']['error']} (at character {int(item['loc'][-1]) + 1})"
    given = item.get("input")
    value = repr(given) if isinstance(given, str) else encode(given).decode()
    return f"{where}: {value if len(value) <= 80 else value[:77] + '…'} cannot be used: {str(item['msg'])[:1].lower()}{item['msg'][1:]}"


async def _of_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RightPassageError)
    return problem_of(error)


async def _of_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    items: Sequence[Mapping[str, Any]] = error.errors()
    sentences = [_sentence(item) for item in items]
    errors = [{"field": ".".join(map(str, item["loc"])), "message": sentence} for item, sentence in zip(items, sentences, strict=True)]
    return problem(400, "invalid-value", "A value cannot be used", "; ".join(sentences), errors=errors)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if error.status_code == 405:
        headers["allow"] = ", ".join(allowed_methods(request.app.routes, request.scope))
    what = {
        400: ("malformed-request", "The body is not what its content type says", "the body cannot be read as JSON"),
        404: ("not-found", "Not found", f"there is nothing at {request.url.path}; /openapi.json lists what there is"),
        405: (
            "method-not-allowed",
            "Method not allowed",
            f"{request.url.path} does not take {request.method}, only {headers.get('allow')}",
        ),
    }
    name, title, detail = what.get(error.status_code, ("invalid-request", "The request cannot be used", str(error.detail)))
    return problem(error.status_code, name, title, detail, headers)


async def _of_anything(request: Request, _: Exception) -> Response:
    detail = f"{request.method} {request.url.path} failed in a way nobody foresaw; the collector's log has the traceback"
    return problem(500, "internal-error", "A mistake of ours", detail)


def install(app: FastAPI) -> None:
    """Give every error of the app the problem form."""
    app.add_exception_handler(RightPassageError, _of_error)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _of_anything)
