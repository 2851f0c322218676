"""Langfuse SDKs 3 to 5: `langfuse.observation.*` on each span, `langfuse.trace.*` on any. Values are JSON, plain strings without quotes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from collector.dialects.table import Dialect
from collector.dialects.values import mapping, number, strings, unquoted
from collector.model import SpanKind

if TYPE_CHECKING:
    from collector.dialects.reading import Reading

KINDS = {
    "generation": SpanKind.LLM,
    "embedding": SpanKind.EMBEDDING,
    "retriever": SpanKind.RETRIEVER,
    "tool": SpanKind.TOOL,
    "agent": SpanKind.AGENT,
    "chain": SpanKind.CHAIN,
    "span": SpanKind.CHAIN,
    "event": SpanKind.UNKNOWN,
    "guardrail": SpanKind.GUARDRAIL,
    "evaluator": SpanKind.EVALUATOR,
}
COMPLETION_START = "langfuse.observation.completion_start_time"


def total_cost(value: Any) -> float | None:
    """`{"total": 0.003}`, or its parts; all zeros are what the SDK writes when it knows nothing."""
    details = mapping(value) or {}
    total = number(details.get("total"))
    if total is None:
        parts = [part for part in map(number, details.values()) if part is not None]
        total = sum(parts) if parts else None
    return total or None


def _kind(reading: Reading) -> SpanKind | None:
    """What is declared; but the JavaScript client calls an embedding a generation."""
    kind = DIALECT.declared_kind(reading)
    model = reading.attributes.get("langfuse.observation.model.name")
    return SpanKind.EMBEDDING if kind is SpanKind.LLM and isinstance(model, str) and "embedding" in model.lower() else kind


def _refine(reading: Reading) -> None:
    _move_tools(reading)
    started = reading.attributes.get(COMPLETION_START)
    if started is not None and (at := _nanoseconds(unquoted(started))) is not None and at >= reading.span.start_unix_nano:
        reading.claim("first_token", COMPLETION_START, at - reading.span.start_unix_nano)


def _move_tools(reading: Reading) -> None:
    """The LangChain handler lists each offered tool as a message of role tool, with the schema for content: these are no messages."""
    if reading.kind is not SpanKind.LLM:
        return
    for key, value in reading.every("input"):
        if isinstance(value, list):
            posing = [item for item in value if _poses(item)]
            if posing:
                reading.claim("input_messages", key, [item for item in value if not _poses(item)])
                reading.claim("tools", key, [item["content"] for item in posing])
            return


def _poses(item: Any) -> bool:
    content = item.get("content") if isinstance(item, dict) and item.get("role") == "tool" and not item.get("tool_call_id") else None
    return isinstance(content, dict) and isinstance(content.get("function"), dict)


def _nanoseconds(value: Any) -> int | None:
    if isinstance(value, int):
        return value
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1e6) * 1000


DIALECT = Dialect(
    name="langfuse",
    title="Langfuse SDK",
    evidence=("langfuse.",),
    scopes=("langfuse-sdk",),
    kind_key="langfuse.observation.type",
    kinds=KINDS,
    kind=_kind,
    keys={
        "langfuse.observation.input": ("input", unquoted),
        "langfuse.observation.output": ("output", unquoted),
        "langfuse.trace.input": ("input", unquoted),
        "langfuse.trace.output": ("output", unquoted),
        "langfuse.observation.model.name": "response_model",
        "langfuse.observation.model": "response_model",
        "langfuse.observation.model.parameters": "parameters",
        "langfuse.observation.usage_details": "usage",
        "langfuse.observation.usage": "usage",
        "langfuse.observation.cost_details": ("cost", total_cost),
        "langfuse.observation.prompt.name": "prompt_name",
        "langfuse.observation.prompt.version": "prompt_version",
        "langfuse.observation.status_message": "error_message",
        "langfuse.observation.metadata.finish_reason": ("finish_reasons", lambda value: [str(unquoted(value))]),
        "langfuse.session.id": "session",
        "langfuse.user.id": "user",
        "langfuse.trace.tags": ("tags", strings),
        "langfuse.tags": ("tags", strings),
        "langfuse.trace.metadata": "metadata",
        "langfuse.observation.metadata": "metadata",
        "langfuse.environment": "environment",
    },
    maps={"langfuse.observation.metadata": ("metadata", unquoted), "langfuse.trace.metadata": ("metadata", unquoted)},
    refine=_refine,
)
