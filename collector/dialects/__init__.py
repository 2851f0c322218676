"""What spans of any SDK mean: `normalise(span)` turns the attribute names of a dialect into our fields; pure and re-runnable."""

from __future__ import annotations

from dataclasses import replace

import orjson

from collector.model import Normalised, Span, SpanKind
from tracer import conventions


def normalise(span: Span) -> Span:
    attributes = span.attributes
    kind = str(attributes.get(conventions.SPAN_KIND, "UNKNOWN")).upper()
    text = {name: str(attributes[key]) for name, key in _TEXTS.items() if key in attributes}
    service = span.resource.attributes.get(conventions.SERVICE_NAME)
    return replace(
        span,
        normalised=Normalised(
            kind=SpanKind(kind) if kind in SpanKind.__members__ else SpanKind.UNKNOWN,
            status=span.status,
            service=str(service) if service else None,
            input=_opened(text.get("input")),
            output=_opened(text.get("output")),
            model=text.get("model"),
            session_id=text.get("session_id"),
            user_id=text.get("user_id"),
        ),
    )


_TEXTS = {
    "input": conventions.INPUT_VALUE,
    "output": conventions.OUTPUT_VALUE,
    "model": conventions.REQUEST_MODEL,
    "session_id": conventions.SESSION_ID,
    "user_id": conventions.USER_ID,
}


def _opened(text: str | None):
    try:
        return orjson.loads(text) if text and text[0] in "[{" else text
    except orjson.JSONDecodeError:
        return text
