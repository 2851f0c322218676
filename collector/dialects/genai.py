"""OpenTelemetry's GenAI conventions, all four generations that are alive on the wire (≤ 1.27, 1.28-1.36, 1.37-1.41, genai 0.1).

Message content of the first two generations, and of the third where an SDK is told so, travels in events: see `events`. Semantic Kernel,
AutoGen, Vercel AI 7, Strands, Google ADK, Spring AI, OpenLIT and the Azure SDKs speak this dialect with a few words of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collector.dialects.table import Dialect
from collector.dialects.values import milliseconds, plain_text, seconds, unquoted_payload, words
from collector.model import SpanKind

if TYPE_CHECKING:
    from collector.dialects.reading import Reading

KINDS = {
    "chat": SpanKind.LLM,
    "text_completion": SpanKind.LLM,
    "generate_content": SpanKind.LLM,
    "completion": SpanKind.LLM,
    "responses": SpanKind.LLM,
    "chat.completions": SpanKind.LLM,  # Semantic Kernel
    "text.completions": SpanKind.LLM,
    "llm": SpanKind.LLM,
    "chat_model": SpanKind.LLM,
    "call_llm": SpanKind.LLM,
    "inference": SpanKind.LLM,
    "embeddings": SpanKind.EMBEDDING,
    "embedding": SpanKind.EMBEDDING,
    "retrieval": SpanKind.RETRIEVER,
    "retriever": SpanKind.RETRIEVER,
    "retrieve": SpanKind.RETRIEVER,
    "search_memory": SpanKind.RETRIEVER,
    "vector_db_retrieve": SpanKind.RETRIEVER,
    "vectordb": SpanKind.RETRIEVER,
    "rerank": SpanKind.RERANKER,
    "reranker": SpanKind.RERANKER,
    "execute_tool": SpanKind.TOOL,
    "tool": SpanKind.TOOL,
    "invoke_agent": SpanKind.AGENT,
    "create_agent": SpanKind.AGENT,
    "plan": SpanKind.AGENT,
    "agent": SpanKind.AGENT,
    "invoke_workflow": SpanKind.CHAIN,
    "agent_step": SpanKind.CHAIN,
    "execute_task": SpanKind.CHAIN,
    "execute_event_loop_cycle": SpanKind.CHAIN,
    "workflow": SpanKind.CHAIN,
    "task": SpanKind.CHAIN,
    "chain": SpanKind.CHAIN,
    "parser": SpanKind.CHAIN,
    "framework": SpanKind.CHAIN,
    "create_memory": SpanKind.CHAIN,
    "update_memory": SpanKind.CHAIN,
    "delete_memory": SpanKind.CHAIN,
    "prompt": SpanKind.PROMPT,
    "guardrail": SpanKind.GUARDRAIL,
    "guard": SpanKind.GUARDRAIL,
    "evaluator": SpanKind.EVALUATOR,
    "evaluate": SpanKind.EVALUATOR,
}
LEAVES = frozenset(
    {"chat", "text_completion", "completion", "generate_content", "embeddings", "execute_tool", "vector_db_retrieve", "rerank"}
)
"""Operations that say more than Traceloop's kind beside them; of a workflow, an agent or a task Traceloop says it better."""


def _kind(reading: Reading) -> SpanKind | None:
    attributes = reading.attributes
    operation = attributes.get("gen_ai.operation.name")
    if isinstance(operation, str) and operation:
        leaf = operation.lower() in LEAVES
        return KINDS.get(operation.lower()) if leaf or "traceloop.span.kind" not in attributes else None
    if "traceloop.span.kind" in attributes or "llm.request.type" in attributes or "logfire.msg" in attributes:
        return None
    if "gen_ai.tool.name" in attributes:
        return SpanKind.TOOL
    if "gen_ai.retrieval.query.text" in attributes or "gen_ai.retrieval.documents" in attributes:
        return SpanKind.RETRIEVER
    if "gen_ai.embeddings.dimension.count" in attributes:
        return SpanKind.EMBEDDING
    if "gen_ai.request.model" in attributes or "gen_ai.response.model" in attributes:  # before 1.27 the operation was optional
        name = reading.span.name.lower()
        return SpanKind.EMBEDDING if "embed" in name else SpanKind.RERANKER if "rerank" in name else SpanKind.LLM
    return None


def _parameter(name: str) -> Any:
    def read(value: Any) -> Any:
        return {name: value}

    return read


DIALECT = Dialect(
    name="genai",
    title="OpenTelemetry GenAI",
    evidence=("gen_ai.", "gcp.vertex.agent."),
    scopes=(
        "opentelemetry.instrumentation.genai",
        "gen_ai",
        "Experimental.Microsoft.Extensions.AI",
        "Microsoft.SemanticKernel",
        "azure.ai",
    ),
    kind_key="gen_ai.operation.name",
    keys={
        "gen_ai.operation.name": "operation",
        "gen_ai.response.model": "response_model",
        "gen_ai.request.model": "request_model",
        "gen_ai.provider.name": "provider",
        "gen_ai.system": "provider",
        "gen_ai.response.id": "response_id",
        "gen_ai.response.finish_reasons": "finish_reasons",
        "gen_ai.response.finish_reason": ("finish_reasons", lambda value: [str(value).rpartition(".")[2].lower()] if value else None),
        "gen_ai.response.time_to_first_chunk": "first_token",
        "gen_ai.client.operation.time_to_first_chunk": "first_token",
        "gen_ai.server.time_to_first_token": ("first_token", seconds),
        "gen_ai.server.ttft": ("first_token", seconds),
        "gen_ai.response.time_to_first_token_ms": ("first_token", milliseconds),
        "gen_ai.input.messages": "input_messages",
        "gen_ai.output.messages": "output_messages",
        "gen_ai.system_instructions": "system",
        "gen_ai.tool.definitions": "tools",
        "gen_ai.tool.name": "tool_name",
        "gen_ai.tool.call.arguments": "arguments",
        "gen_ai.tool.call.result": ("result", unquoted_payload),
        "gen_ai.tool.arguments": "arguments",
        "gen_ai.tool.args": "arguments",
        "gen_ai.tool.output": ("result", unquoted_payload),
        "gen_ai.retrieval.query.text": "query",
        "gen_ai.retrieval.query": "query",
        "gen_ai.retrieval.documents": "documents",
        "gen_ai.data_source.id": "index_name",
        "gen_ai.embeddings.dimension.count": "dimensions",
        "gen_ai.embeddings.input": "texts",
        "gen_ai.prompt.name": "prompt_name",
        "gen_ai.prompt.version": "prompt_version",
        "gen_ai.prompt.template": "template",
        "gen_ai.usage.input_tokens": "input_tokens",
        "gen_ai.usage.prompt_tokens": "input_tokens",
        "gen_ai.usage.output_tokens": "output_tokens",
        "gen_ai.usage.completion_tokens": "output_tokens",
        "gen_ai.usage.total_tokens": "total_tokens",
        "gen_ai.usage.cache_read.input_tokens": "cached_input_tokens",
        "gen_ai.usage.cache_read_input_tokens": "cached_input_tokens",
        "gen_ai.usage.cached_tokens": "cached_input_tokens",
        "gen_ai.usage.details.cache_read_tokens": "cached_input_tokens",
        "gen_ai.usage.details.cached_tokens": "cached_input_tokens",
        "gen_ai.usage.cache_creation.input_tokens": "cache_write",
        "gen_ai.usage.cache_creation_input_tokens": "cache_write",
        "gen_ai.usage.cache_write.input_tokens": "cache_write",
        "gen_ai.usage.details.cache_write_tokens": "cache_write",
        "gen_ai.usage.reasoning.output_tokens": "reasoning_tokens",
        "gen_ai.usage.reasoning_tokens": "reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens": "reasoning_tokens",
        "gen_ai.usage.thoughts_tokens": "reasoning_tokens",
        "gen_ai.usage.audio.input_tokens": "audio_input_tokens",
        "gen_ai.usage.audio.output_tokens": "audio_output_tokens",
        "gen_ai.usage.details.input_audio_tokens": "audio_input_tokens",
        "gen_ai.usage.details.output_audio_tokens": "audio_output_tokens",
        "gen_ai.usage.raw": "usage",
        "gen_ai.usage.cost": "cost",
        "gen_ai.cost.total_cost": "cost",
        "gen_ai.cost.total": "cost",
        "session.id": "session",
        "gen_ai.conversation.id": "session",
        "user.id": "user",
        "gen_ai.user": "user",
        "enduser.id": "user",
        "error.type": "error_type",
        "error.message": "error_message",
        # Google's Agent Development Kit, beside its gen_ai names.
        "gcp.vertex.agent.llm_request": "input",
        "gcp.vertex.agent.llm_response": "output",
        "gcp.vertex.agent.tool_call_args": "arguments",
        "gcp.vertex.agent.tool_response": "result",
        "gcp.vertex.agent.session_id": "session",
        # Spring AI.
        "spring.ai.chat.client.system.text": "system",
        "gen_ai.request.user": "user",
        "gen_ai.request.tool_definitions": "tools",
        "gen_ai.request.functions": "tools",
        "gen_ai.request.is_stream": ("parameters", _parameter("stream")),
        # OpenLIT and others put the whole text into one attribute.
        "gen_ai.content.prompt": "input_messages",
        "gen_ai.content.completion": "output_messages",
        "gen_ai.agent.input": "input",
        "gen_ai.agent.output": "output",
        "gen_ai.prompt": "input_messages",
        "gen_ai.completion": "output_messages",
        "gen_ai.request.tags": ("tags", words),
        "gen_ai.environment": ("environment", plain_text),
    },
    lists={
        "gen_ai.input.messages": "input_messages",
        "gen_ai.output.messages": "output_messages",
        "gen_ai.retrieval.documents": "documents",
    },
    maps={"gen_ai.request": "parameters", "gen_ai.prompt.variable": "variables"},
    kind=_kind,
)
