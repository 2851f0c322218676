"""Haystack's own tracing: every span is called `haystack.component.run`; the component's class says what it does. Content only where
content tracing is switched on (`HAYSTACK_CONTENT_TRACING_ENABLED`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collector.dialects.table import Dialect
from collector.model import SpanKind

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
)
