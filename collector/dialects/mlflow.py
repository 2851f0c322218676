"""MLflow tracing: every `mlflow.*` value is JSON, strings included (`"\\"CHAIN\\""`). Model parameters sit beside them under bare names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collector.dialects.table import Dialect, Target
from collector.dialects.usage import usage_object
from collector.dialects.values import decoded, mapping, number, opened, sequence
from collector.model import SpanKind

if TYPE_CHECKING:
    from collector.dialects.reading import Reading

KINDS = {
    "chat_model": SpanKind.LLM,
    "llm": SpanKind.LLM,
    "embedding": SpanKind.EMBEDDING,
    "retriever": SpanKind.RETRIEVER,
    "reranker": SpanKind.RERANKER,
    "tool": SpanKind.TOOL,
    "agent": SpanKind.AGENT,
    "chain": SpanKind.CHAIN,
    "unknown": SpanKind.CHAIN,
    "parser": SpanKind.CHAIN,
    "workflow": SpanKind.CHAIN,
    "task": SpanKind.CHAIN,
    "memory": SpanKind.CHAIN,
    "guardrail": SpanKind.GUARDRAIL,
    "evaluator": SpanKind.EVALUATOR,
}
PARAMETERS = (
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
    "response_format",
    "reasoning_effort",
    "tool_choice",
)


LAST_CHUNKS = 3  # of a LangChain stream; the usage is in one of them


def _text(value: Any) -> str | None:
    found = decoded(value)
    return str(found) if isinstance(found, str | int | float) and found != "" else None


def _cost(value: Any) -> float | None:
    costs = mapping(value) or {}
    return next((found for key in ("total_cost", "total") if (found := number(costs.get(key))) is not None), None)


def _parameter(name: str) -> Target:
    return "parameters", lambda value: {name: decoded(value)}


def _first_prompt(key: str) -> Any:
    def read(value: Any) -> str | None:
        prompts = sequence(decoded(value))
        return _text(prompts[0].get(key)) if prompts and isinstance(prompts[0], dict) else None

    return read


def _refine(reading: Reading) -> None:
    if reading.kind is SpanKind.TOOL and (name := _text(reading.attributes.get("mlflow.spanFunctionName"))):
        reading.claim("tool_name", "mlflow.spanFunctionName", name)
    if reading.kind is SpanKind.LLM:
        for event in reading.span.events[-LAST_CHUNKS:]:
            chunk = event.attributes.get("chunk") if event.name == "new_token" else None
            if isinstance(chunk, str) and "usage_metadata" in chunk and (usage := usage_object(opened(chunk))):
                reading.claim("usage", "event new_token: chunk", usage)  # with the reasoning tokens that tokenUsage leaves out


DIALECT = Dialect(
    name="mlflow",
    title="MLflow tracing",
    evidence=("mlflow.",),
    scopes=("mlflow.",),
    kind_key="mlflow.spanType",
    kinds=KINDS,
    keys={
        "mlflow.spanInputs": ("input", decoded),
        "mlflow.spanOutputs": ("output", decoded),
        "mlflow.llm.model": ("response_model", _text),
        "mlflow.llm.provider": ("provider", _text),
        "mlflow.chat.tokenUsage": "usage",
        "mlflow.llm.cost": ("cost", _cost),
        "mlflow.chat.tools": "tools",
        "mlflow.chat.messages": "input_messages",
        "mlflow.trace.session": ("session", _text),
        "mlflow.trace.user": ("user", _text),
        "mlflow.linkedPrompts": ("prompt_name", _first_prompt("name")),
    },
    own={
        "model": ("request_model", _text),
        "tools": "tools",
        "invocation_params": "parameters",  # LangChain
        **{name: _parameter(name) for name in PARAMETERS},
    },
    maps={"mlflow.traceTag": ("metadata", decoded)},
    refine=_refine,
)
