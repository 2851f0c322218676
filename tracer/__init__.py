"""Trace a RAG pipeline: decorate its functions, see whether the right passages were retrieved.

    import tracer

    @tracer.retriever
    def retrieve(question: str) -> list[str]: ...

    @tracer.llm
    def generate(prompt: str) -> str: ...

    @tracer.chain
    def answer(question: str) -> str:
        return generate(build_prompt(question, retrieve(question)))

Names load when they are first used, so `tracer.conventions` costs nothing and `import tracer` little.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracer.configuration import configure, disable
    from tracer.context import metadata, session, tags, user
    from tracer.counters import Delivery
    from tracer.decorators import (
        Step,
        agent,
        chain,
        embedding,
        evaluator,
        guardrail,
        llm,
        prompt,
        reranker,
        retriever,
        span,
        tool,
    )
    from tracer.instrumentation import instrument
    from tracer.lightspan import Span
    from tracer.pipeline import Limits
    from tracer.recorder import delivery, flush
    from tracer.scoring import score
    from tracer.threads import carried
    from tracer.where import current_span, current_trace_id, current_trace_url

__version__ = "0.1.0"

_HOMES = {
    "Delivery": "tracer.counters",
    "Limits": "tracer.pipeline",
    "Span": "tracer.lightspan",
    "Step": "tracer.decorators",
    "agent": "tracer.decorators",
    "carried": "tracer.threads",
    "chain": "tracer.decorators",
    "configure": "tracer.configuration",
    "current_span": "tracer.where",
    "current_trace_id": "tracer.where",
    "current_trace_url": "tracer.where",
    "delivery": "tracer.recorder",
    "disable": "tracer.configuration",
    "embedding": "tracer.decorators",
    "evaluator": "tracer.decorators",
    "flush": "tracer.recorder",
    "guardrail": "tracer.decorators",
    "instrument": "tracer.instrumentation",
    "llm": "tracer.decorators",
    "metadata": "tracer.context",
    "prompt": "tracer.decorators",
    "reranker": "tracer.decorators",
    "retriever": "tracer.decorators",
    "score": "tracer.scoring",
    "session": "tracer.context",
    "span": "tracer.decorators",
    "tags": "tracer.context",
    "tool": "tracer.decorators",
    "user": "tracer.context",
}
"""Public name → the module it lives in."""

__all__ = [
    "Delivery",
    "Limits",
    "Span",
    "Step",
    "agent",
    "carried",
    "chain",
    "configure",
    "current_span",
    "current_trace_id",
    "current_trace_url",
    "delivery",
    "disable",
    "embedding",
    "evaluator",
    "flush",
    "guardrail",
    "instrument",
    "llm",
    "metadata",
    "prompt",
    "reranker",
    "retriever",
    "score",
    "session",
    "span",
    "tags",
    "tool",
    "user",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'tracer' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
