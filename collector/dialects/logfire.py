"""Logfire: spans whose attributes are the program's own arguments, typed by `logfire.json_schema`; model calls speak GenAI since version
4.

Version 3 kept a call in `request_data` and `response_data`, one of the Responses API in `events`. A streamed call gives a second,
zero-length span "streaming response from …" with the answer and the tokens; the first one has neither, so counting both counts once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from collector.dialects.events import claim_event_list
from collector.dialects.table import Dialect
from collector.dialects.values import known_cost, mapping
from collector.model import SpanKind

if TYPE_CHECKING:
    from collector.dialects.reading import Reading


def _kind(reading: Reading) -> SpanKind | None:
    request = mapping(reading.attributes.get("request_data")) or {}
    if "messages" in request or "prompt" in request:
        return SpanKind.LLM
    if "input" in request:
        return SpanKind.EMBEDDING if "mbedding" in reading.span.name else SpanKind.LLM
    if "gen_ai.request.model" in reading.attributes and "gen_ai.operation.name" not in reading.attributes:
        return SpanKind.LLM
    if reading.span.name.startswith("tool "):
        reading.kind_derived = True
        return SpanKind.TOOL
    return None


def _refine(reading: Reading) -> None:
    if "events" in reading.attributes:
        claim_event_list(reading, "events")  # the Responses API
    if reading.kind is SpanKind.TOOL and reading.kind_derived:
        reading.claim("tool_name", "name", reading.span.name.removeprefix("tool ").strip())


DIALECT = Dialect(
    name="logfire",
    title="Logfire",
    evidence=("logfire.",),
    scopes=("logfire",),
    keys={
        "logfire.tags": "tags",
        "operation.cost": ("cost", known_cost),
        "request_data": "input",
        "response_data": "output",
    },
    kind=_kind,
    refine=_refine,
)
