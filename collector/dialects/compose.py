"""From the slots of one span to our fields: the one place where all dialects meet.

What a dialect names is taken first. What it does not name is read out of the span's input and output, by the kind of the span: a model
call's request and response, a retriever's question and its documents, a tool's arguments. Wrappings that an instrumentation put around
a value (`{"args": [x], "kwargs": {}}`) are taken off; what the program itself passed stays as it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from collector.dialects import plain
from collector.dialects.belonging import fill_metadata, fill_tags
from collector.dialects.calls import (
    COUNTS,
    MODEL_KINDS,
    fill_cost,
    fill_finish_reasons,
    fill_model,
    fill_parameters,
    fill_provider,
    fill_response_id,
    fill_tokens,
    read_parameters,
)
from collector.dialects.conversation import TALKING_KINDS, fill_messages
from collector.dialects.embeddings import fill_embedding
from collector.dialects.events import read_events
from collector.dialects.judgements import fill_citations, fill_placement, fill_prompt, fill_scores
from collector.dialects.outcome import status_of
from collector.dialects.reading import Fields, Reading
from collector.dialects.retrieval import INDEX_SLOTS, fill_candidates, fill_found, fill_index, fill_retrieval
from collector.dialects.tools import fill_offered, fill_tool
from collector.dialects.values import decoded, unwrapped
from collector.making import maker
from collector.model import Normalised, SpanKind, Usage

Price = Callable[[SpanKind, str | None, str | None, Usage, int], tuple[float | None, str | None]]
"""What estimates the cost of a call: from kind, model, provider, usage and start to US dollars and the `cost_source`."""


def compose(reading: Reading, price: Price | None = None) -> Normalised:
    """All fields of the span. What nobody claimed is not visited: most spans fill few fields."""
    span, dialect = reading.span, reading.dialect_name
    for refine in reading.shape.refiners:
        refine(reading)
    if span.events:
        read_events(reading)
    if dialect is None or dialect in OWN_ATTRIBUTES:
        plain.refine(reading)
    kind = reading.kind
    reading.given = given = _payload(reading, "input", "input.value", "input.mime_type")
    reading.returned = returned = _payload(reading, "output", "output.value", "output.mime_type")
    status, error = status_of(reading)
    service, environment = reading.origin()
    fields: dict[str, Any] = {
        "kind": kind,
        "dialect": dialect or ("plain" if reading.derived else None),
        "status": status,
        "error": error,
        "input": given,
        "output": returned,
        "repeats_usage": reading.repeats_usage,
        "service": service,
        "environment": environment,
    }
    plan = _plan(reading)
    for slot, field in plan.alone:
        if (found := reading.take(slot, field)) is not None:
            fields[field] = found
    for fill in plan.fills:
        fill(reading, kind, fields)
    if price is not None and (usage := fields.get("usage")) is not None and fields.get("cost_usd") is None and not reading.repeats_usage:
        fields["cost_usd"], fields["cost_source"] = price(kind, fields.get("model"), fields.get("provider"), usage, span.start_unix_nano)
    if reading.derived:
        fields["derived"] = tuple(dict.fromkeys(_FIELD_OF.get(slot, slot) for slot in reading.derived))
    fields["unmapped"] = tuple(reading.unmapped)
    fields["sources"] = reading.sources
    return _MAKE(**fields)


def _payload(reading: Reading, side: str, key: str, type_key: str) -> Any:
    """A span's input or output. `3`, `true` or `"Paris"` that are said to be JSON become what they are; objects and lists always do."""
    value = reading.take(side)
    if type(value) is str:
        is_json = reading.attributes.get(type_key) == "application/json" and reading.sources.get(side) == key
        return unwrapped(decoded(value)) if is_json else value
    return unwrapped(value)


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
    "environment": "environment",
}
"""Slots that are a field as they are."""

_NOTHING = frozenset[str]()
_ANY = frozenset[SpanKind]()
_FUNCTIONS = frozenset({SpanKind.CHAIN, SpanKind.TOOL, SpanKind.UNKNOWN})
Fill = Callable[[Reading, SpanKind, Fields], None]
GROUPS: Sequence[tuple[frozenset[str], frozenset[SpanKind], Fill]] = (
    (frozenset({"input_messages", "output_messages", "system"}), TALKING_KINDS, fill_messages),
    (frozenset({"parameters"}), _ANY, read_parameters),
    (frozenset({"provider", "metadata"}), _ANY, fill_provider),
    (frozenset({"response_model", "request_model", "fallback_model"}), MODEL_KINDS, fill_model),
    (_NOTHING, frozenset({SpanKind.LLM}), fill_response_id),
    (frozenset({"finish_reasons"}), _ANY, fill_finish_reasons),
    (frozenset({"parameters"}), MODEL_KINDS, fill_parameters),
    (frozenset({*COUNTS, "usage"}), MODEL_KINDS, fill_tokens),
    (frozenset({"cost"}), _ANY, fill_cost),
    (
        frozenset({"query", "documents", "input_documents", "candidates", "index_version"}),
        frozenset({SpanKind.RETRIEVER, SpanKind.RERANKER}),
        fill_retrieval,
    ),
    (frozenset({"candidates"}), _ANY, fill_candidates),
    (INDEX_SLOTS, _ANY, fill_index),
    (_NOTHING, _FUNCTIONS, fill_found),
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
