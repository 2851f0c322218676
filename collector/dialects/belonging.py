"""Whom and what a span belongs to: session, user, tags, metadata, environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from collector.dialects.reading import Fields, Reading
from collector.dialects.values import as_json, text
from collector.model import (
    Attributes,
    Json,
    SpanKind,
)


def fill_whose(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["metadata"] = metadata = _metadata(reading)
    fields["session_id"] = reading.take("session", "session_id") or text(metadata.get("session_id"))
    fields["user_id"] = reading.take("user", "user_id") or text(metadata.get("user_id"))
    fields["tags"] = _tags(reading)


def _tags(reading: Reading) -> Sequence[str]:
    return list(dict.fromkeys(tag for _, tags in reading.every("tags") for tag in tags)) if reading.has("tags") else ()


def _metadata(reading: Reading) -> Mapping[str, Json]:
    merged = {name: as_json(value) for name, value in reading.mapped("metadata").items()}
    if not reading.has("metadata"):
        return merged
    for key, value in reversed(list(reading.every("metadata"))):
        merged.update(value)
        reading.sources["metadata"] = key
    return merged


ENVIRONMENT_KEYS = ("deployment.environment.name", "deployment.environment", "langfuse.environment")


def environment_of(reading: Reading, resource: Attributes) -> str | None:
    if own := reading.take("environment"):
        return own
    for key in ENVIRONMENT_KEYS:
        if found := resource.get(key):
            return text(found)
    return None
