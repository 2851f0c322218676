"""Pydantic AI: GenAI names around an agent run whose messages, result and totals have names of their own, changing with the format
version.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from collector.dialects.events import claim_event_list
from collector.dialects.table import Dialect
from collector.dialects.values import as_list, known_cost, mapping, sequence, unquoted_payload
from collector.model import SpanKind

if TYPE_CHECKING:
    from collector.dialects.reading import Reading

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def _kind(reading: Reading) -> SpanKind | None:
    name, attributes = reading.span.name, reading.attributes
    if "gen_ai.operation.name" in attributes:
        return None
    if "gen_ai.tool.name" in attributes or name.startswith("running tool:"):
        return SpanKind.TOOL
    if "agent_name" in attributes:
        return SpanKind.AGENT
    return SpanKind.CHAIN if name.startswith(("running ", "preparing ", "handle ", "graph ")) else None


def _refine(reading: Reading) -> None:
    attributes = reading.attributes
    conversation = attributes.get("gen_ai.conversation.id")
    if isinstance(conversation, str) and UUID.fullmatch(conversation):
        reading.drop("session", "gen_ai.conversation.id")  # a fresh one per run unless the user set it
    for key in ("pydantic_ai.all_messages", "all_messages_events"):
        messages = sequence(attributes.get(key))
        if messages and reading.kind is SpanKind.AGENT:
            _split_conversation(reading, key, list(messages))
            break
    if "events" in attributes:
        claim_event_list(reading, "events")
    parameters = mapping(attributes.get("model_request_parameters")) or {}
    instructions = [part for part in as_list(parameters.get("instruction_parts")) if isinstance(part, dict) and part.get("content")]
    if instructions:
        reading.claim("system", "model_request_parameters", [{"type": "text", "content": part["content"]} for part in instructions])
    tools = [*(parameters.get("function_tools") or []), *(parameters.get("output_tools") or [])]
    if tools:
        reading.claim("tools", "model_request_parameters", tools)


def _split_conversation(reading: Reading, key: str, messages: list[object]) -> None:
    """An agent run's input is its conversation up to the first answer, its output the last answer."""

    def answers(message: object) -> bool:
        return isinstance(message, dict) and (message.get("role") in ("assistant", "model") or message.get("event.name") == "gen_ai.choice")

    first = next((i for i, message in enumerate(messages) if answers(message)), len(messages))
    reading.claim("input_messages", key, messages[:first])
    if messages and answers(messages[-1]):
        reading.claim("output_messages", key, messages[-1:])


DIALECT = Dialect(
    name="pydantic_ai",
    title="Pydantic AI",
    evidence=("pydantic_ai.", "model_request_parameters", "all_messages_events"),
    scopes=("pydantic-ai", "pydantic_ai"),
    keys={"operation.cost": ("cost", known_cost)},
    own={
        "final_result": ("output", unquoted_payload),
        "tool_arguments": "arguments",
        "tool_response": ("result", unquoted_payload),
        "model_name": "request_model",
    },
    kind=_kind,
    refine=_refine,
)
