"""The messages of a span: from the attributes that name them, else out of a model call's request and response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from collector.dialects.messages import KNOWN_ROLES, answer_messages, flat_messages, request_messages, said_anything, with_system
from collector.dialects.reading import Fields, Reading
from collector.dialects.values import mended
from collector.model import (
    Message,
    SpanKind,
)

TALKING_KINDS = frozenset({SpanKind.LLM, SpanKind.AGENT})


def fill_messages(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["input_messages"] = _input_messages(reading, kind, mended(reading.given))
    fields["output_messages"] = _output_messages(reading, kind, mended(reading.returned))


def _input_messages(reading: Reading, kind: SpanKind, given: Any) -> Sequence[Message]:
    found: list[Message] = []
    for key, value in reading.every("input_messages"):
        found = request_messages(value)
        if found and found[-1].role not in KNOWN_ROLES and not said_anything(found[-1]):
            found.pop()  # cut in its role
        if any(map(said_anything, found)):
            reading.sources.setdefault("input_messages", key)
            break
    if not found:
        for flat in reading.flat_lists("input_messages"):
            found = [message for message in flat_messages(reading, flat) if message.role or said_anything(message)]
            if any(map(said_anything, found)):
                reading.sources.setdefault("input_messages", f"{flat.entry.key}.*")
                found = _completed(found, request_messages, given)
                break
            found = []
    if not found and kind is SpanKind.LLM and given is not None:
        found = request_messages(given)
        if found:
            reading.sources.setdefault("input_messages", reading.sources.get("input", "input"))
    if found or kind in TALKING_KINDS:
        system = reading.take("system", "input_messages")
        if system is not None and (found or kind in TALKING_KINDS):
            found = with_system(found, system)
    return _told_once(found) if len(found) > 2 else found


def _told_once(messages: list[Message]) -> list[Message]:
    """The messages without results that are told twice (botocore's events: as a tool's message, and inside the user's)."""
    told: set[tuple[str, str | None]] = set()
    kept: list[Message] = []
    for message in messages:
        if message.role == "tool" and message.tool_call_id is not None:
            result = (message.tool_call_id, message.content)
            if result in told:
                continue
            told.add(result)
        kept.append(message)
    return kept


def _completed(messages: list[Message], others: Callable[[Any], list[Message]], held: Any) -> list[Message]:
    """The messages with what their flattened copy lost and the span's input or output still has: whole messages of which only the role was
    recorded (Haystack's tool calls under OpenInference), and the ids of calls (Mistral's)."""
    if not isinstance(held, list | dict) or not any(map(_lacks_something, messages)):
        return messages
    known = others(held)
    if [message.role for message in known] != [message.role for message in messages]:
        return messages
    return [_filled(message, other) if _lacks_something(message) else message for message, other in zip(messages, known, strict=True)]


def _lacks_something(message: Message) -> bool:
    if message.role == "tool" and message.tool_call_id is None:
        return True
    return not said_anything(message) or any(call.id is None for call in message.tool_calls)


def _filled(message: Message, other: Message) -> Message:
    if not said_anything(message):
        return other
    calls = message.tool_calls
    if [call.name for call in calls] == [call.name for call in other.tool_calls]:
        calls = [call if call.id is not None else replace(call, id=known.id) for call, known in zip(calls, other.tool_calls, strict=True)]
    return replace(message, tool_calls=calls, tool_call_id=message.tool_call_id or other.tool_call_id)


def _output_messages(reading: Reading, kind: SpanKind, returned: Any) -> Sequence[Message]:
    found: list[Message] = []
    for key, value in reading.every("output_messages"):
        found = [message for message in answer_messages(value) if said_anything(message)]
        if found:
            reading.sources.setdefault("output_messages", key)
            break
    for flat in reading.flat_lists("output_messages"):
        told = [message for message in flat_messages(reading, flat, "assistant") if said_anything(message)]
        if told and not found:
            found = _completed(told, answer_messages, returned)
            reading.sources.setdefault("output_messages", f"{flat.entry.key}.*")
        elif told and not any(message.tool_calls for message in found):
            calls = [call for message in told for call in message.tool_calls]
            if calls:  # LiteLLM: the messages lost their calls, the flattened copy has them
                found = [_with_calls(found[0], calls), *found[1:]]
    if not found and kind is SpanKind.LLM and returned is not None:
        found = [message for message in answer_messages(returned) if said_anything(message)]
        if found:
            reading.sources.setdefault("output_messages", reading.sources.get("output", "output"))
    return found


def _with_calls(message: Message, calls: Sequence[Any]) -> Message:
    return Message(message.role, message.content, calls, message.tool_call_id, message.reasoning, message.media, message.name)
