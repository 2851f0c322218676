"""Weave (Weights & Biases): GenAI names plus the thread and the project; older releases write `input.value` and `weave.*`."""

from collector.dialects.table import Dialect
from collector.dialects.values import unquoted_payload
from collector.model import SpanKind

KINDS = {
    "llm": SpanKind.LLM,
    "tool": SpanKind.TOOL,
    "agent": SpanKind.AGENT,
    "embedding": SpanKind.EMBEDDING,
    "retriever": SpanKind.RETRIEVER,
    "chain": SpanKind.CHAIN,
    "op": SpanKind.CHAIN,
}

DIALECT = Dialect(
    name="weave",
    title="Weave",
    evidence=("weave.", "wandb."),
    scopes=("weave",),
    kind_key="weave.span.kind",
    kinds=KINDS,
    keys={
        "weave.inputs": ("input", unquoted_payload),
        "weave.input": ("input", unquoted_payload),
        "weave.output": ("output", unquoted_payload),
        "weave.usage": "usage",
        "wandb.thread_id": "session",
        "weave.thread_id": "session",
    },
    maps={"weave.attributes": "metadata"},
)
