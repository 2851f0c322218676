"""Vercel's AI SDK up to version 5 (`ai.*`, with some GenAI names beside); version 7 speaks GenAI.

An outer span (`ai.generateText`) wraps one inner span per model call (`ai.generateText.doGenerate`) and repeats the last one's tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collector.dialects.table import Dialect
from collector.dialects.values import as_list, decoded, milliseconds, opened, payload
from collector.model import SpanKind

if TYPE_CHECKING:
    from collector.dialects.reading import Reading


def _kind(reading: Reading) -> SpanKind | None:
    operation = str(reading.attributes.get("ai.operationId") or "").partition(" ")[0]
    if not operation:
        return None
    last = operation.rpartition(".")[2]
    if last == "toolCall":
        return SpanKind.TOOL
    if last == "doEmbed":
        return SpanKind.EMBEDDING
    if last in ("doGenerate", "doStream"):
        return SpanKind.LLM
    if "rerank" in operation.lower():
        return SpanKind.RERANKER
    return SpanKind.CHAIN


def _refine(reading: Reading) -> None:
    calls = as_list(opened(_first(reading, "ai.response.toolCalls", "ai.result.toolCalls")))
    said = _first(reading, "ai.response.text", "ai.result.text")
    structured = _first(reading, "ai.response.object", "ai.result.object")
    if said or calls or structured:
        answer: dict[str, Any] = {"role": "assistant", "content": said or structured, "tool_calls": calls}
        if reasoning := reading.attributes.get("ai.response.reasoning"):
            answer["reasoning"] = reasoning
        reading.claim("output_messages", "ai.response.text" if said else "ai.response.toolCalls", [answer])
    prompt = opened(reading.attributes.get("ai.prompt"))
    if isinstance(prompt, dict) and "ai.prompt.messages" not in reading.attributes and reading.kind is SpanKind.LLM:
        reading.claim("input_messages", "ai.prompt", prompt)


def _first(reading: Reading, *keys: str) -> Any:
    return next((value for key in keys if (value := reading.attributes.get(key))), None)


def _providers_counts(value: Any) -> Any:
    """`{"openai": {"cachedPromptTokens": 16, …}}`: what is inside."""
    found = payload(value)
    return next((inner for inner in found.values() if isinstance(inner, dict)), None) if isinstance(found, dict) else None


def _unpacked(value: Any) -> Any:
    """An array of JSON strings as an array of values."""
    found = payload(value)
    return [decoded(item) for item in found] if isinstance(found, list) else found


DIALECT = Dialect(
    name="vercel",
    title="Vercel AI SDK 3-5",
    evidence=("ai.operationId", "ai.prompt", "ai.response."),
    scopes=("ai",),
    keys={
        "ai.prompt": "input",
        "ai.prompt.messages": "input_messages",
        "ai.response.text": "output",
        "ai.response.object": "output",
        "ai.response.toolCalls": "output",
        "ai.result.text": "output",
        "ai.result.object": "output",
        "ai.prompt.tools": ("tools", _unpacked),
        "ai.response.model": "response_model",
        "ai.model.id": "request_model",
        "ai.model.provider": ("provider", lambda value: str(value).partition(".")[0] or None),
        "ai.response.id": "response_id",
        "ai.response.finishReason": "finish_reasons",
        "ai.finishReason": "finish_reasons",
        "ai.response.msToFirstChunk": ("first_token", milliseconds),
        "ai.stream.msToFirstChunk": ("first_token", milliseconds),
        "ai.value": ("texts", decoded),
        "ai.values": ("texts", _unpacked),
        "ai.embedding": ("embeddings", lambda value: [{"vector": decoded(value)}]),
        "ai.embeddings": ("embeddings", lambda value: [{"vector": vector} for vector in as_list(_unpacked(value))]),
        "ai.toolCall.name": "tool_name",
        "ai.toolCall.args": "arguments",
        "ai.toolCall.input": "arguments",
        "ai.toolCall.result": ("result", decoded),
        "ai.toolCall.output": ("result", decoded),
        "ai.usage.inputTokens": "input_tokens",
        "ai.usage.promptTokens": "input_tokens",
        "ai.usage.outputTokens": "output_tokens",
        "ai.usage.completionTokens": "output_tokens",
        "ai.usage.totalTokens": "total_tokens",
        "ai.usage.tokens": "input_tokens",
        "ai.usage.cachedInputTokens": "cached_input_tokens",
        "ai.usage.reasoningTokens": "reasoning_tokens",
        "ai.response.providerMetadata": ("usage", _providers_counts),  # the only place of cached and reasoning tokens before version 5
        "ai.documents": "input_documents",
        "ai.ranking": "documents",
        "ai.query": "query",
        "ai.telemetry.metadata.sessionId": "session",
        "ai.telemetry.metadata.session_id": "session",
        "ai.telemetry.metadata.threadId": "session",
        "ai.telemetry.metadata.userId": "user",
        "ai.telemetry.metadata.user_id": "user",
        "ai.telemetry.metadata.tags": "tags",
    },
    maps={"ai.settings": "parameters", "ai.telemetry.metadata": "metadata"},
    kind=_kind,
    refine=_refine,
)
