"""LiteLLM: GenAI names, a child `raw_gen_ai_request` that repeats the call as Python reprs, and about thirty empty metadata attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collector.dialects.table import Dialect
from collector.dialects.values import evaluated, strings
from collector.model import SpanKind

if TYPE_CHECKING:
    from collector.dialects.reading import Reading

RAW = "raw_gen_ai_request"
RAW_SLOTS = {"messages": "input", "input": "input", "choices": "output", "model": "request_model"}


def _kind(reading: Reading) -> SpanKind | None:
    return SpanKind.CHAIN if reading.span.name == RAW else None


def _refine(reading: Reading) -> None:
    if reading.span.name != RAW:
        return
    reading.repeats_usage = True
    for key, value in reading.attributes.items():
        if key.startswith("llm."):
            slot = RAW_SLOTS.get(key.rpartition(".")[2])
            if slot:
                reading.claim(slot, key, evaluated(value))
    reading.unmapped.clear()


def _metadata(value: Any) -> Any:
    return None if value in ("", "[]", "{}", "None") else value


DIALECT = Dialect(
    name="litellm",
    title="LiteLLM",
    evidence=("litellm.",),
    scopes=("litellm",),
    keys={
        "llm.user": "user",
        "metadata.usage_object": "usage",
        "metadata.tags": ("tags", strings),
        "metadata.session_id": "session",
        "metadata.user_id": "user",
        "metadata.user_api_key_end_user_id": "user",
        "error.stack_trace": "error_stack",
    },
    maps={"metadata": ("metadata", _metadata)},
    kind=_kind,
    refine=_refine,
)
