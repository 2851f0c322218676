"""OpenInference: Phoenix's conventions, written by its instrumentations of about forty frameworks; lists are flattened keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from collector.dialects.table import Dialect
from collector.model import SpanKind

if TYPE_CHECKING:
    from collector.dialects.reading import Reading

KINDS = {kind.value.lower(): kind for kind in SpanKind}

SELF_NAMED = re.compile(r"""['"]?\b([A-Za-z_]\w*)['"]?\s*[:=]\s*\1\b""")


def _refine(reading: Reading) -> None:
    """LangChain's tool spans hold the bare value of a tool's only argument. Its name is in the model's call, if that is in the trace (see
    `rollup.borrow`). Of a tool that failed on its own, the traceback quotes a line of the tool's body; where that passes exactly one
    variable on under its own name (`city=city`), the name is taken from there and marked as derived."""
    value, tool = reading.attributes.get("input.value"), reading.attributes.get("tool.name")
    if reading.kind is not SpanKind.TOOL or not isinstance(value, str) or value[:1] in ("{", "[", "") or not reading.span.events:
        return
    for event in reading.span.events:
        frames = str(event.attributes.get("exception.stacktrace") or "").split(f" in {tool}\n")
        names = set(SELF_NAMED.findall(frames[-1].partition("\n")[0][:1000])) if len(frames) > 1 else set[str]()
        if len(names) == 1:
            reading.claim("arguments", "event exception: exception.stacktrace", {names.pop(): value})
            reading.derived.append("arguments")


DIALECT = Dialect(
    name="openinference",
    title="OpenInference (Phoenix)",
    scopes=("openinference.instrumentation", "@arizeai/openinference"),
    kind_key="openinference.span.kind",
    kinds=KINDS,
    keys={
        "input.value": "input",
        "output.value": "output",
        "llm.model_name": "response_model",
        "llm.response.model_name": "response_model",
        "embedding.model_name": "fallback_model",
        "reranker.model_name": "fallback_model",
        "llm.provider": "provider",
        "llm.system": "provider",
        "llm.invocation_parameters": "parameters",
        "embedding.invocation_parameters": "parameters",
        "llm.finish_reason": "finish_reasons",
        "llm.input_messages": "input_messages",
        "llm.output_messages": "output_messages",
        "llm.prompts": "input_messages",
        "llm.choices": "output_messages",
        "llm.tools": "tools",
        "llm.token_count.prompt": "input_tokens",
        "llm.token_count.completion": "output_tokens",
        "llm.token_count.total": "total_tokens",
        "llm.token_count.prompt_details.cache_read": "cached_input_tokens",
        "llm.token_count.prompt_details.cache_write": "cache_write",
        "llm.token_count.prompt_details.audio": "audio_input_tokens",
        "llm.token_count.completion_details.reasoning": "reasoning_tokens",
        "llm.token_count.completion_details.audio": "audio_output_tokens",
        "llm.cost.total": "cost",
        "llm.prompt_template.template": "template",
        "llm.prompt_template.variables": "variables",
        "llm.prompt_template.version": "prompt_version",
        "prompt.id": "prompt_name",
        "retrieval.query": "query",
        "retrieval.documents": "documents",
        "reranker.query": "query",
        "reranker.input_documents": "input_documents",
        "reranker.output_documents": "documents",
        "tool.name": "tool_name",
        "embedding.text": "texts",
        "session.id": "session",
        "user.id": "user",
        "tag.tags": "tags",
        "metadata": "metadata",
    },
    lists={
        "llm.input_messages": "input_messages",
        "llm.output_messages": "output_messages",
        "llm.prompts": "input_messages",
        "llm.choices": "output_messages",
        "llm.tools": "tools",
        "retrieval.documents": "documents",
        "reranker.input_documents": "input_documents",
        "reranker.output_documents": "documents",
        "embedding.embeddings": "embeddings",
        "evaluations": "evaluations",
        "annotations": "evaluations",
        "trace.evaluations": "evaluations",
    },
    refine=_refine,
    maps={"metadata": "metadata", "llm.prompt_template.variables": "variables"},
)
