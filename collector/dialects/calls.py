"""What a model call was: model, provider, parameters, how it ended, its tokens and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collector.dialects.reading import Fields, Reading
from collector.dialects.usage import as_usage, read_counts, usage_object
from collector.dialects.values import as_json, first, left_out, plain_text, text
from collector.model import (
    Json,
    SpanKind,
    Usage,
)

MODEL_KINDS = frozenset({SpanKind.LLM, SpanKind.EMBEDDING, SpanKind.RERANKER})


PROVIDERS = {
    "az.ai.inference": "azure",
    "azure.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure.ai.openai": "azure",
    "azure_openai": "azure",
    "mistral_ai": "mistralai",  # Mistral's client, of itself
    "langchain": None,  # a framework, not who served the model
    "langgraph": None,
    "crewai": None,
    "none": None,
}


PARAMETER_NAMES = (
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "top_p",
    "top_k",
    "n",
    "seed",
    "stop",
    "stream",
    "frequency_penalty",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "dimensions",
    "encoding_format",
)


NOT_PARAMETERS = frozenset(
    {
        *("model", "model_name", "tools", "functions", "messages", "_type", "user", "tags", "tool_definitions"),
        # An instrumentation of the Responses API records the whole response as parameters.
        *("id", "created_at", "object", "status", "output", "input", "instructions", "usage", "text", "metadata", "error"),
    }
)


FINISH = {
    "tool_call": "tool_calls",
    "tool-calls": "tool_calls",
    "tool_use": "tool_calls",
    "TOOL_CALL": "tool_calls",  # Cohere
    "end_turn": "stop",
    "COMPLETE": "stop",
}


def read_parameters(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    reading.parameters = [*reading.every("parameters")]


def fill_provider(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["provider"] = _provider(reading, kind)


def fill_model(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    model = _model(reading, kind, reading.given, reading.returned)
    if model and (provider := fields.get("provider")):
        model = model.removeprefix(f"{provider}/")  # LiteLLM's way to name a model
    fields["model"] = model


def fill_response_id(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    returned = reading.returned
    if isinstance(returned, dict) and fields.get("response_id") is None and ("choices" in returned or "output" in returned):
        fields["response_id"] = text(returned.get("id"))


def fill_finish_reasons(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    if reasons := reading.take("finish_reasons"):
        fields["finish_reasons"] = [FINISH.get(reason, reason) for reason in reasons]


def fill_parameters(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    if reading.parameters or reading.shape.maps or isinstance(reading.given, dict):
        fields["parameters"] = _parameters(reading, kind, reading.given)


def fill_tokens(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["usage"] = _usage(reading, kind, reading.returned)


def fill_cost(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    cost = reading.take("cost", "cost_usd")
    if cost is not None and cost >= 0:
        fields["cost_usd"], fields["cost_source"] = float(cost), "reported"


def _model(reading: Reading, kind: SpanKind, given: Any, returned: Any) -> str | None:
    for slot in ("response_model", "request_model", "fallback_model"):
        found = reading.take(slot, "model")
        if found:
            return found
    if kind in MODEL_KINDS:
        for _, parameters in reading.parameters:
            if found := text(first(parameters, ("model", "model_name"))):
                return found
        for value in (returned, given):
            if isinstance(value, dict):
                found = text(first(value, ("model", "model_name", "modelId", "model_id")))
                if found:
                    return found
                meta = value.get("meta")
                replies = value.get("replies")
                if isinstance(replies, list) and replies and isinstance(replies[0], dict):
                    meta = replies[0].get("meta") or replies[0].get("_meta")
                if isinstance(meta, list) and meta:
                    meta = meta[0]
                if isinstance(meta, dict) and (found := text(meta.get("model"))):
                    return found
    return None


def _provider(reading: Reading, kind: SpanKind) -> str | None:
    for key, value in reading.every("provider"):
        lower = value.lower()
        found = PROVIDERS.get(lower, lower)
        if found:
            reading.sources.setdefault("provider", key)
            return found
    if kind is SpanKind.LLM:  # LangChain's callback handlers keep its name for the provider among the metadata
        for metadata in (reading.mapped("metadata"), *(value for _, value in reading.every("metadata"))):
            if found := plain_text(metadata.get("ls_provider")):
                reading.sources.setdefault("provider", "metadata: ls_provider")
                return found.lower()
    return None


def _parameters(reading: Reading, kind: SpanKind, given: Any) -> Mapping[str, Json]:
    merged: dict[str, Json] = {}
    if kind in MODEL_KINDS and isinstance(given, dict):
        for holder in (given, given.get("invocation_params"), given.get("generation_kwargs"), given.get("config")):
            if isinstance(holder, dict):
                merged.update({name: holder[name] for name in PARAMETER_NAMES if holder.get(name) is not None})
        if merged:
            reading.sources.setdefault("parameters", reading.sources.get("input", "input"))
    for key, parameters in reversed(reading.parameters):
        merged.update({name: value for name, value in parameters.items() if name not in NOT_PARAMETERS and value is not None})
        reading.sources["parameters"] = key
    for name, value in reading.mapped("parameters").items():
        if name not in NOT_PARAMETERS:
            merged[name] = as_json(value)
    return (
        {name: value for name, value in merged.items() if type(value) is not str or (value and not left_out(value))} if merged else merged
    )


COUNTS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cached_input_tokens",
    "cache_write",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
)


def _usage(reading: Reading, kind: SpanKind, returned: Any) -> Usage | None:
    counts: dict[str, int] = {}
    for slot in reading.claimed(COUNTS):
        found = reading.take(slot, "usage")
        if found is not None and found >= 0:
            counts[slot] = found
    for key, usage in reading.every("usage"):
        read_counts(usage, counts)
        reading.sources.setdefault("usage", key)
    if isinstance(returned, dict | list) and kind in MODEL_KINDS and ("input_tokens" not in counts or "reasoning_tokens" not in counts):
        inside = usage_object(returned)
        if inside is not None:
            read_counts(inside, counts)
            reading.sources.setdefault("usage", reading.sources.get("output", "output"))
    return as_usage(counts)
