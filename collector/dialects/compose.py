"""From the slots of one span to our fields: the one place where all dialects meet.

What a dialect names is taken first. What it does not name is read out of the span's input and output, by the kind of the span: a model
call's request and response, a retriever's question and its documents, a tool's arguments. Wrappings that an instrumentation put around
a value (`{"args": [x], "kwargs": {}}`) are taken off; what the program itself passed stays as it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from collector.dialects import plain
from collector.dialects.belonging import environment_of, fill_metadata, fill_tags
from collector.dialects.calls import COUNTS, MODEL_KINDS, fill_call, fill_tokens
from collector.dialects.conversation import TALKING_KINDS, fill_messages
from collector.dialects.embeddings import fill_embedding
from collector.dialects.events import read_events
from collector.dialects.judgements import fill_citations, fill_placement, fill_prompt, fill_scores
from collector.dialects.outcome import status_of
from collector.dialects.reading import Fields, Reading
from collector.dialects.retrieval import INDEX_SLOTS, fill_candidates, fill_found, fill_index, fill_retrieval
from collector.dialects.tools import fill_offered, fill_tool
from collector.dialects.values import decoded, text, unwrapped
from collector.making import maker
from collector.model import (
    Normalised,
    SpanKind,
)


def compose(reading: Reading) -> Normalised:
    """All fields of the span. What nobody claimed is not visited: most spans fill few fields."""
    reading.refine()
    if reading.span.events:
        read_events(reading)
    if reading.dialect < 0 or reading.dialect_name in OWN_ATTRIBUTES:
        plain.refine(reading)
    kind = reading.kind
    reading.given = unwrapped(_typed(reading, "input", reading.take("input")))
    reading.returned = unwrapped(_typed(reading, "output", reading.take("output")))
    status, error = status_of(reading)
    resource = reading.span.resource.attributes
    fields: dict[str, Any] = {
        "kind": kind,
        "dialect": reading.dialect_name or ("plain" if reading.derived else None),
        "status": status,
        "error": error,
        "input": reading.given,
        "output": reading.returned,
        "repeats_usage": reading.repeats_usage,
        "service": text(resource.get("service.name")),
        "environment": environment_of(reading, resource),
    }
    plan = _plan(reading)
    for slot, field in plan.alone:
        fields[field] = reading.take(slot, field)
    for fill in plan.fills:
        fill(reading, kind, fields)
    if reading.derived:
        fields["derived"] = tuple(dict.fromkeys(_FIELD_OF.get(slot, slot) for slot in reading.derived))
    fields["unmapped"] = tuple(reading.unmapped)
    fields["sources"] = reading.sources
    return _MAKE(**fields)


def _typed(reading: Reading, side: str, value: Any) -> Any:
    """`3`, `true` or `"Paris"` that are said to be JSON, as what they are; objects and lists were read as such in any case."""
    if (
        type(value) is str
        and reading.attributes.get(f"{side}.mime_type") == "application/json"
        and reading.sources.get(side) == f"{side}.value"
    ):
        return decoded(value)
    return value


_MAKE = maker(Normalised)


OWN_ATTRIBUTES = frozenset({"logfire"})
"""Dialects whose spans carry the program's own attributes beside theirs."""


_FIELD_OF = {"session": "session_id", "user": "user_id"}


# ---- What is visited for which span ----

ALONE: Mapping[str, str] = {
    "operation": "operation",
    "response_id": "response_id",
    "first_token": "time_to_first_token_ns",
    "stage": "stage",
    "session": "session_id",
    "user": "user_id",
}
"""Slots that are a field as they are."""

_ANY = frozenset[SpanKind]()
_FUNCTIONS = frozenset({SpanKind.CHAIN, SpanKind.TOOL, SpanKind.UNKNOWN})
Fill = Callable[[Reading, SpanKind, Fields], None]
GROUPS: Sequence[tuple[frozenset[str], frozenset[SpanKind], Fill]] = (
    (frozenset({"input_messages", "output_messages", "system"}), TALKING_KINDS, fill_messages),
    (
        frozenset({"response_model", "request_model", "fallback_model", "provider", "finish_reasons", "parameters"}),
        MODEL_KINDS,
        fill_call,
    ),
    (frozenset({*COUNTS, "usage", "cost"}), MODEL_KINDS, fill_tokens),
    (
        frozenset({"query", "documents", "input_documents", "candidates", "index_version"}),
        frozenset({SpanKind.RETRIEVER, SpanKind.RERANKER}),
        fill_retrieval,
    ),
    (frozenset({"candidates"}), _ANY, fill_candidates),
    (INDEX_SLOTS, _ANY, fill_index),
    (frozenset(), _FUNCTIONS, fill_found),
    (frozenset({"texts", "embeddings", "dimensions"}), frozenset({SpanKind.EMBEDDING}), fill_embedding),
    (frozenset({"tool_name", "arguments", "result"}), frozenset({SpanKind.TOOL}), fill_tool),
    (frozenset({"tools"}), frozenset({SpanKind.LLM}), fill_offered),
    (frozenset({"template", "variables", "prompt_name", "prompt_version"}), _ANY, fill_prompt),
    (frozenset({"citations"}), _ANY, fill_citations),
    (frozenset({"placement"}), _ANY, fill_placement),
    (frozenset({"evaluations", "scores"}), frozenset({SpanKind.EVALUATOR}), fill_scores),
    (frozenset({"metadata"}), _ANY, fill_metadata),
    (frozenset({"tags"}), _ANY, fill_tags),
)
"""Slots and kinds that call for a group of fields, and what fills it."""


class Plan(NamedTuple):
    """What is visited for the spans of a shape and kind."""

    alone: Sequence[tuple[str, str]]
    fills: Sequence[Fill]


def _plan(reading: Reading) -> Plan:
    """Remembered with the span's shape unless a dialect claimed more than the shape says."""
    kind = reading.kind
    found: Plan | None = reading.shape.plans.get(kind) if reading.is_plain else None
    if found is None:
        slots = reading.slots()
        found = Plan(
            [(slot, field) for slot, field in ALONE.items() if slot in slots],
            [fill for needed, kinds, fill in GROUPS if kind in kinds or not needed.isdisjoint(slots)],
        )
        if reading.is_plain:
            reading.shape.plans[kind] = found
    return found
