"""Traceloop's OpenLLMetry: decorators (`traceloop.*`) around instrumented clients, whose messages are flattened (`gen_ai.prompt.N.*`) in
the releases up to 0.5x and OpenTelemetry's in the later ones. A decorated function's input is `{"args": […], "kwargs": {…}}`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from collector.dialects.table import Dialect
from collector.dialects.values import evaluated, unquoted, unquoted_payload
from collector.model import SpanKind

if TYPE_CHECKING:
    from collector.dialects.reading import Reading

KINDS = {
    "workflow": SpanKind.CHAIN,
    "task": SpanKind.CHAIN,
    "agent": SpanKind.AGENT,
    "tool": SpanKind.TOOL,
    "llm": SpanKind.LLM,
    "session": SpanKind.CHAIN,
    "unknown": SpanKind.CHAIN,
}
REQUEST_TYPES = {
    "chat": SpanKind.LLM,
    "completion": SpanKind.LLM,
    "embedding": SpanKind.EMBEDDING,
    "rerank": SpanKind.RERANKER,
}


TWICE = (  # what the LangChain handler writes of a tool under two names, its wrapping included
    ("arguments", "gen_ai.tool.call.arguments", "traceloop.entity.input"),
    ("result", "gen_ai.tool.call.result", "traceloop.entity.output"),
)


def _entity(value: Any) -> Any:
    """An entity's input or output; what its LangChain handler wraps around the value (tags, metadata, kwargs) is taken off."""
    found = unquoted_payload(value)
    if not isinstance(found, dict) or "kwargs" not in found:
        return found
    for key in ("inputs", "outputs", "output", "input_str"):
        if found.get(key) == {"input": ""}:
            return None  # a streamed chain's, which reads its input bit by bit
        if key in found:
            return evaluated(found[key]) if key == "input_str" else found[key]
    return {"query": found["query"]} if "query" in found and "tags" in found else found


def _refine(reading: Reading) -> None:
    if reading.kind is SpanKind.TOOL:
        name = reading.attributes.get("traceloop.entity.name")
        if isinstance(name, str):
            reading.claim("tool_name", "traceloop.entity.name", name)
        for slot, key, entity in TWICE:
            value = reading.attributes.get(key)
            if value is not None and value == reading.attributes.get(entity):
                reading.claim(slot, key, _entity(value), ahead=True)


_RANKED = re.compile(r"Doc (\d{1,6}), Score: ([\d.eE+-]+)")


def _refine_client(reading: Reading) -> None:
    """A reranker's call is written as a conversation: documents said by the system, the query by the user, places and scores answered."""
    if reading.kind is not SpanKind.RERANKER:
        return
    said = [item for _, items in reading.listed("input_messages") for item in items if isinstance(item, dict)]
    texts = [item.get("content") for item in said if item.get("role") == "system"]
    if texts:
        reading.claim("input_documents", "gen_ai.prompt.*", [{"content": text} for text in texts])
    for item in said:
        if item.get("role") == "user":
            reading.claim("query", "gen_ai.prompt.*", item.get("content"))
    answers = [item.get("content") for _, items in reading.listed("output_messages") for item in items if isinstance(item, dict)]
    places = [found for answer in answers if isinstance(answer, str) and (found := _RANKED.match(answer))]
    ranked = [{"content": texts[int(found[1])], "score": float(found[2])} for found in places if int(found[1]) < len(texts)]
    if ranked:
        reading.claim("documents", "gen_ai.completion.*", ranked)


DIALECT = Dialect(
    name="openllmetry",
    title="Traceloop / OpenLLMetry decorators",
    evidence=("traceloop.",),
    scopes=("traceloop.tracer",),
    kind_key="traceloop.span.kind",
    kinds=KINDS,
    keys={
        "traceloop.entity.input": ("input", _entity),
        "gen_ai.task.input": ("input", _entity),
        "traceloop.entity.output": ("output", _entity),
        "gen_ai.task.output": ("output", _entity),
        "traceloop.prompt.key": "prompt_name",
        "traceloop.prompt.version": "prompt_version",
        "traceloop.prompt.template": "template",
        "traceloop.prompt.template_variables": "variables",
        "traceloop.association.properties.session_id": "session",
        "traceloop.association.properties.thread_id": "session",
        "traceloop.association.properties.user_id": "user",
        "traceloop.association.properties": "metadata",
        "llm.usage.total_tokens": "total_tokens",
        # CrewAI: what a task is to do, what a crew brought about.
        "crewai.task.description": "input",
        "crewai.crew.result": "output",
        "crewai.crew.usage_metrics": "usage",
        "crewai.agent.tools": "tools",
        "llm.user": "user",
        "llm.top_k": ("parameters", lambda value: {"top_k": value}),
        "llm.frequency_penalty": ("parameters", lambda value: {"frequency_penalty": value}),
        "llm.presence_penalty": ("parameters", lambda value: {"presence_penalty": value}),
        "llm.chat.stop_sequences": ("parameters", lambda value: {"stop_sequences": value}),
        "llm.response.finish_reason": "finish_reasons",
        "llm.response.stop_reason": "finish_reasons",
    },
    lists={
        "gen_ai.prompt": "input_messages",
        "gen_ai.completion": "output_messages",
        "llm.prompts": "input_messages",
        "llm.completions": "output_messages",
        "llm.request.functions": "tools",
        "gen_ai.request.functions": "tools",
    },
    maps={"traceloop.association.properties": ("metadata", unquoted), "traceloop.prompt.template_variables": "variables"},
    refine=_refine,
)

OLD_DIALECT = Dialect(
    name="openllmetry-client",
    title="OpenLLMetry clients, older releases (llm.request.type)",
    evidence=("llm.request.type",),
    scopes=("opentelemetry.instrumentation.openai", "opentelemetry.instrumentation.anthropic", "opentelemetry.instrumentation.langchain"),
    kind_key="llm.request.type",
    kinds=REQUEST_TYPES,
    refine=_refine_client,
)
