"""Model content in events: GenAI's first two generations on the span itself, the third as log records that carry the span's ids.

Log records are joined to their span as events before it is read (`join_logs`), so both ways end here. An SDK in "both" mode sends the same
content twice; attributes are asked first, so nothing doubles. Chunk events of streams have no content worth listing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from collector.dialects.values import number, opened, sequence, text
from collector.model import AnnotatorKind, Event, Score, SpanKind

if TYPE_CHECKING:
    from collector.dialects.reading import Reading

DETAILS = "gen_ai.client.inference.operation.details"
EVALUATION = "gen_ai.evaluation.result"
FIRST_TOKEN = ("First Token Stream Event", "gen_ai.first_token", "ai.stream.firstChunk", "first_token")
INPUT_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.developer.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
DETAIL_SLOTS = {
    "gen_ai.input.messages": "input_messages",
    "gen_ai.output.messages": "output_messages",
    "gen_ai.system_instructions": "system",
    "gen_ai.tool.definitions": "tools",
}
WHOLE = {
    "gen_ai.content.prompt": ("gen_ai.prompt", "input_messages"),
    "gen_ai.content.completion": ("gen_ai.completion", "output_messages"),
}


def read_events(reading: Reading) -> None:
    """Claim the slots that the span's events fill."""
    asked: list[Any] = []
    answered: list[Any] = []
    for event in reading.span.events:
        name = event.name
        if name in INPUT_EVENTS:
            asked.append(_message(event, INPUT_EVENTS[name]))
        elif name == "gen_ai.choice":
            answered.append(_choice(event))
        elif name == DETAILS:
            for key, slot in DETAIL_SLOTS.items():
                if (value := event.attributes.get(key)) is not None:
                    reading.claim(slot, f"event {DETAILS}: {key}", opened(value))
        elif name in WHOLE:
            key, slot = WHOLE[name]
            if (value := event.attributes.get(key)) is not None:
                reading.claim(slot, f"event {name}", opened(value))
        elif name in FIRST_TOKEN and event.time_unix_nano >= reading.span.start_unix_nano:
            reading.claim("first_token", f"event {name}", event.time_unix_nano - reading.span.start_unix_nano)
    if scores := read_scores(reading.span.events):
        reading.claim("scores", f"event {EVALUATION}", scores)
    if reading.kind is SpanKind.TOOL:  # Strands: what the tool was given and what it returned
        if asked:
            reading.claim("arguments", "event gen_ai.tool.message", asked[0]["content"])
        if answered:
            reading.claim("result", "event gen_ai.choice", _text_of(answered[0]["content"]))
        return
    if asked:
        reading.claim("input_messages", "events gen_ai.*.message", asked)
    if answered:
        reading.claim("output_messages", "events gen_ai.choice", answered)


def claim_event_list(reading: Reading, key: str) -> None:
    """Events of the second generation in an attribute, as a JSON list (Logfire 3, Pydantic AI 1): what comes last is the answer."""
    events = [event for event in sequence(reading.attributes.get(key)) or () if isinstance(event, dict) and "event.name" in event]
    said = len(events)
    while said and events[said - 1]["event.name"] in ("gen_ai.choice", "gen_ai.assistant.message"):
        said -= 1
    asked = [_message_of(event, INPUT_EVENTS.get(event["event.name"], "user")) for event in events[:said]]
    answered = [_answer_of(event) for event in events[said:]]
    if asked:
        reading.claim("input_messages", key, asked)
    if answered:
        reading.claim("output_messages", key, answered)


def _body(event: Event) -> Mapping[str, Any]:
    """An event's body: JSON in one attribute (Azure), a log record's body, or the attributes themselves."""
    for key in ("gen_ai.event.content", "body", "event_body"):
        body = opened(event.attributes.get(key))
        if isinstance(body, dict):
            return body
        if isinstance(body, str):
            return {"content": body}
    return event.attributes


def _text_of(content: Any) -> Any:
    """The text of parts that are nothing but text."""
    parts = content if isinstance(content, list) else []
    texts = [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return "\n".join(texts) if texts and len(texts) == len(parts) else content


def _message(event: Event, role: str) -> dict[str, Any]:
    return _message_of(_body(event), role)


def _message_of(body: Mapping[str, Any], role: str) -> dict[str, Any]:
    content = opened(body.get("content"))
    message = {"role": role, **{key: opened(value) for key, value in body.items() if key != "content"}, "content": content}
    if role == "tool" and "tool_call_id" not in message and isinstance(identity := body.get("id"), str):
        message["tool_call_id"] = identity
    message.pop("id", None)
    return message


def _choice(event: Event) -> dict[str, Any]:
    return _answer_of(_body(event))


def _answer_of(body: Mapping[str, Any]) -> dict[str, Any]:
    message = opened(body.get("message"))
    if isinstance(message, dict):
        return {"role": "assistant", **message}
    if message is None:
        message = opened(body.get("content"))
    calls = opened(body.get("tool_calls"))
    return {"role": "assistant", "content": message, **({"tool_calls": calls} if calls else {})}


def read_scores(events: Any) -> list[Score]:
    """Evaluations that arrived as events."""
    found: list[Score] = []
    for event in events:
        if event.name == EVALUATION:
            attributes: Mapping[str, Any] = {**_mapping(event.attributes.get("body")), **event.attributes}
            name = text(attributes.get("gen_ai.evaluation.name"))
            if name:
                found.append(
                    Score(
                        name,
                        number(attributes.get("gen_ai.evaluation.score.value")),
                        text(attributes.get("gen_ai.evaluation.score.label")),
                        text(attributes.get("gen_ai.evaluation.explanation")),
                        AnnotatorKind.CODE,
                        text(attributes.get("gen_ai.evaluation.evaluator.name")),
                        time_unix_nano=event.time_unix_nano,
                    )
                )
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    found = opened(value)
    return found if isinstance(found, dict) else {}
