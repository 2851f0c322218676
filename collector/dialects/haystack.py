"""Haystack's own tracing: every span is called `haystack.component.run`; the component's class says what it does. Content only where
content tracing is switched on (`HAYSTACK_CONTENT_TRACING_ENABLED`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collector.dialects.messages import read_call, read_messages
from collector.dialects.table import Dialect
from collector.dialects.values import as_list, opened
from collector.model import SpanKind, ToolCall

if TYPE_CHECKING:
    from collector.dialects.reading import Reading

KINDS_BY_ENDING = {
    "Generator": SpanKind.LLM,
    "Embedder": SpanKind.EMBEDDING,
    "Retriever": SpanKind.RETRIEVER,
    "Ranker": SpanKind.RERANKER,
    "ToolInvoker": SpanKind.TOOL,
    "Agent": SpanKind.AGENT,
    "PromptBuilder": SpanKind.PROMPT,
    "WebSearch": SpanKind.RETRIEVER,
    "Evaluator": SpanKind.EVALUATOR,
}
TYPE = "haystack.component.type"


def _kind(reading: Reading) -> SpanKind | None:
    component = reading.attributes.get(TYPE)
    if isinstance(component, str) and component:
        return next((kind for ending, kind in KINDS_BY_ENDING.items() if component.endswith(ending)), SpanKind.CHAIN)
    if "haystack.tool.name" in reading.attributes:
        return SpanKind.TOOL
    if reading.span.name.startswith("haystack.agent.run"):
        return SpanKind.AGENT
    if reading.span.name.startswith("haystack.agent.step.llm"):
        return SpanKind.LLM
    return SpanKind.CHAIN if reading.span.name.startswith("haystack.") else None


def _refine(reading: Reading) -> None:
    """A tool invoker's input is the whole conversation, its output the tool's messages: the first result names the call."""
    returned = opened(reading.attributes.get("haystack.component.output")) if reading.kind is SpanKind.TOOL else None
    if not isinstance(returned, dict):
        return
    results = [result for message in read_messages(returned.get("tool_messages")) if (result := message.content) is not None]
    calls = [call for message in as_list(returned.get("tool_messages")) if (call := _origin(message)) is not None]
    if calls:
        reading.claim("tool_name", "haystack.component.output", calls[0].name, ahead=True)
        reading.claim("arguments", "haystack.component.output", calls[0].arguments, ahead=True)
        reading.claim("result", "haystack.component.output", results[0] if len(results) == 1 else results, ahead=True)


def _origin(message: Any) -> ToolCall | None:
    """The call that a tool message answers."""
    for part in as_list(message.get("content")) if isinstance(message, dict) else ():
        result = part.get("tool_call_result") if isinstance(part, dict) else None
        if isinstance(result, dict) and isinstance(result.get("origin"), dict):
            return read_call(result["origin"])
    return None


DIALECT = Dialect(
    name="haystack",
    title="Haystack",
    evidence=("haystack.", TYPE),
    scopes=("haystack",),
    keys={
        "haystack.component.input": "input",
        "haystack.component.output": "output",
        "haystack.agent.input": "input",
        "haystack.agent.output": "output",
        "haystack.agent.step.llm.input": "input",
        "haystack.agent.step.llm.output": "output",
        "haystack.agent.step.tool.input": "arguments",
        "haystack.agent.step.tool.output": "result",
        "haystack.pipeline.input_data": "input",
        "haystack.pipeline.output_data": "output",
        "haystack.tool.name": "tool_name",
        "haystack.agent.tools": "tools",
    },
    kind=_kind,
    refine=_refine,
)
