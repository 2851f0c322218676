"""Whom and what a span belongs to: session, user, tags, metadata."""

from __future__ import annotations

from collections.abc import Mapping

from collector.dialects.reading import Fields, Reading
from collector.dialects.values import as_json, text
from collector.model import Json, SpanKind


def fill_metadata(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    """The metadata, and from it the session and user that no attribute of their own told."""
    fields["metadata"] = metadata = _metadata(reading)
    for field in ("session_id", "user_id"):
        if not fields.get(field):
            fields[field] = text(metadata.get(field))


def fill_tags(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["tags"] = list(dict.fromkeys(tag for _, tags in reading.every("tags") for tag in tags))


def _metadata(reading: Reading) -> Mapping[str, Json]:
    merged = {name: as_json(value) for name, value in reading.mapped("metadata").items()}
    if not reading.has("metadata"):
        return merged
    for key, value in reversed(list(reading.every("metadata"))):
        merged.update(value)
        reading.sources["metadata"] = key
    return merged
