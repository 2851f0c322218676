"""LangSmith's SDK over OTLP: a run's inputs and outputs as one JSON string each, under GenAI names that mean something else elsewhere.

Its `gen_ai.operation.name` is wrong for retrievers ("embeddings"), its `gen_ai.system` is "langchain" for everything that is no model call,
and `langsmith.trace.session_name` is the project, not a session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collector.dialects.table import Dialect, Target
from collector.dialects.values import evaluated, mapping
from collector.model import SpanKind

if TYPE_CHECKING:
    from collector.dialects.reading import Reading

KINDS = {
    "llm": SpanKind.LLM,
    "chain": SpanKind.CHAIN,
    "tool": SpanKind.TOOL,
    "retriever": SpanKind.RETRIEVER,
    "embedding": SpanKind.EMBEDDING,
    "prompt": SpanKind.PROMPT,
    "parser": SpanKind.CHAIN,
}


def _detail(*names: str) -> Any:
    """One number out of a Python repr such as `{'audio': 0, 'cache_read': 16}`."""

    def read(value: Any) -> int | None:
        found = evaluated(value)
        inner = next((found.get(name) for name in names if name in found), None) if isinstance(found, dict) else None
        return inner if isinstance(inner, int) else None

    return read


def _parameter(name: str) -> Target:
    return "parameters", lambda value: {name: value}


def _refine(reading: Reading) -> None:
    """Elsewhere these two names hold messages; here a run's inputs and outputs, of which a model call's are read as a request."""
    reading.drop("input_messages", "gen_ai.prompt")
    reading.drop("output_messages", "gen_ai.completion")
    reading.forget("metadata", "LANGSMITH_")  # copies of the environment, keys and endpoints among them


DIALECT = Dialect(
    name="langsmith",
    title="LangSmith SDK",
    evidence=("langsmith.",),
    scopes=("langsmith",),
    kind_key="langsmith.span.kind",
    kinds=KINDS,
    keys={
        "langsmith.metadata.usage_metadata": "usage",
        "gen_ai.usage.input_token_details": ("cached_input_tokens", _detail("cache_read", "cached_tokens")),
        "gen_ai.usage.output_token_details": ("reasoning_tokens", _detail("reasoning", "reasoning_tokens")),
        "langsmith.metadata.ls_model_name": "fallback_model",
        "langsmith.metadata.ls_provider": "provider",
        "langsmith.metadata.ls_temperature": _parameter("temperature"),
        "langsmith.metadata.ls_max_tokens": _parameter("max_tokens"),
        "langsmith.metadata.ls_stop": _parameter("stop"),
        "langsmith.metadata.ls_invocation_params": ("parameters", mapping),
        "langsmith.metadata.session_id": "session",
        "langsmith.metadata.thread_id": "session",
        "langsmith.metadata.conversation_id": "session",
        "langsmith.metadata.user_id": "user",
        "langsmith.span.tags": "tags",
    },
    own={"gen_ai.prompt": "input", "gen_ai.completion": "output"},
    refine=_refine,
    maps={"langsmith.metadata": "metadata"},
)
