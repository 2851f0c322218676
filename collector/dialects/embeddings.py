"""What was embedded: the texts, and how long their vectors are; the vectors themselves stay in the attributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from collector.dialects.reading import Fields, Reading
from collector.dialects.values import as_list, as_text, first, integer, opened
from collector.model import (
    Message,
    SpanKind,
)


def fill_embedding(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["texts"] = _texts(reading, kind, reading.given, fields.get("input_messages", ()))
    if kind is SpanKind.EMBEDDING:
        fields["input_messages"] = ()  # Traceloop and LiteLLM write the embedded texts as messages; nobody talked
    fields["vector_dimensions"] = _dimensions(reading, kind, reading.returned)


def _texts(reading: Reading, kind: SpanKind, given: Any, asked: Sequence[Message]) -> Sequence[str]:
    value = reading.take("texts")
    if value is not None:
        return [found for item in (value if isinstance(value, list) else [value]) if (found := as_text(item))]
    for key, items in reading.listed("embeddings"):
        found = [item["text"] for item in as_list(items) if isinstance(item, dict) and isinstance(item.get("text"), str)]
        if found:
            reading.sources.setdefault("texts", f"{key}.*.text")
            return found
    if kind is not SpanKind.EMBEDDING:
        return ()
    if asked:
        return [message.content for message in asked if message.content]
    if isinstance(given, dict):
        given = first(given, ("input", "inputs", "texts", "text", "documents", "query", "content"))
    if isinstance(given, dict):
        given = first(given, ("content", "text"))
    return [found for item in (given if isinstance(given, list) else [given]) if (found := _embedded_text(item))]


def _embedded_text(item: Any) -> str | None:
    if isinstance(item, dict):
        item = first(item, ("text", "content", "page_content"))
    return item if isinstance(item, str) and item else None


def _dimensions(reading: Reading, kind: SpanKind, returned: Any) -> int | None:
    found = reading.take("dimensions", "vector_dimensions")
    if found is not None:
        return found
    for _, items in reading.listed("embeddings"):
        if size := _vector_size(as_list(items)):
            return size
    claimed = reading.take("embeddings", "vector_dimensions")
    if claimed and (size := _vector_size(as_list(claimed))):
        return size
    if kind is SpanKind.EMBEDDING and isinstance(returned, dict):
        if (found := integer(first(returned, ("dimensions", "dimension", "vector_dimensions")))) is not None:
            return found
        held = first(returned, ("data", "embeddings", "embedding", "documents", "vectors"))
        return _vector_size(held) if isinstance(held, list) else None
    if kind is SpanKind.EMBEDDING and isinstance(returned, list):
        return _vector_size(returned)
    return None


def _vector_size(items: Sequence[Any]) -> int | None:
    if not items:
        return None
    item = items[0]
    if isinstance(item, dict):
        item = opened(first(item, ("vector", "embedding", "values")))
    if isinstance(item, list):
        return len(item) or None
    return len(items) if isinstance(item, int | float) else None
