"""Chat messages in OpenTelemetry's form: `[{role, parts: [{type: text | reasoning | tool_call | tool_call_response | uri | blob, …}]}]`.

Programs hold them in OpenAI's form (`content`, `tool_calls`, `tool_call_id`), as plain strings, already with `parts`, or as objects of
LangChain (`type` says who speaks), LlamaIndex (`blocks`) or Haystack (a list of contents), which capture has turned into their fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import orjson

from tracer import conventions as names

Message = dict[str, Any]
Part = dict[str, Any]

_ROLES = {
    "developer": "system",
    "human": "user",
    "ai": "assistant",
    "model": "assistant",
    "function": "tool",
    "AIMessageChunk": "assistant",
}
_SPEAKERS = frozenset({"human", "ai", "system", "tool", "function", "AIMessageChunk"})  # LangChain's `type` of a message
_SAID = frozenset({"content", "parts", "tool_calls", "blocks"})


def messages(value: object, *, role: str = "user") -> list[Message]:
    """Messages of a JSON value: a text (said by `role`), one message, or a list of either. Empty when it does not look like any."""
    if isinstance(value, str):
        return [{"role": role, "parts": [_text(value)]}]
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, (list, tuple)):
        return []
    found: list[Message] = []
    for item in cast("list[object]", value):
        if isinstance(item, str):
            found.append({"role": role, "parts": [_text(item)]})
        elif isinstance(item, Mapping) and looks_like_message(cast("Mapping[str, Any]", item)):
            found.append(_message(cast("Mapping[str, Any]", item), role))
        else:
            return []
    return found


def looks_like_message(item: Mapping[str, Any]) -> bool:
    if "role" in item:
        return not _SAID.isdisjoint(item)
    return item.get("type") in _SPEAKERS and "content" in item


def _text(text: str) -> Part:
    return {"type": "text", "content": text}


def _message(item: Mapping[str, Any], default_role: str) -> Message:
    role = str(item.get("role") or (item["type"] if item.get("type") in _SPEAKERS else default_role))
    message: Message = {"role": _ROLES.get(role, role)}
    if isinstance(item.get("parts"), list):
        message["parts"] = item["parts"]
    else:
        message["parts"] = _parts(item, message["role"])
    message.update({name: item[name] for name in ("name", "finish_reason") if item.get(name) is not None})
    return message


def _parts(item: Mapping[str, Any], role: str) -> list[Part]:
    content = item.get("content", item.get("blocks"))
    if role == "tool":
        return [{"type": "tool_call_response", "id": item.get("tool_call_id"), "response": content}]
    parts: list[Part] = []
    reasoning = item.get("reasoning") or item.get("reasoning_content")
    if isinstance(reasoning, str):
        parts.append({"type": "reasoning", "content": reasoning})
    if isinstance(content, str):
        parts.append(_text(content))
    elif isinstance(content, list):
        parts.extend(_part(cast(object, piece)) for piece in content)
    if isinstance(item.get("refusal"), str):
        parts.append(_text(item["refusal"]))
    parts.extend(tool_call(call) for call in item.get("tool_calls") or ())
    return parts


def _part(piece: object) -> Part:
    if not isinstance(piece, Mapping):
        return _text(str(piece))
    fields = cast("Mapping[str, Any]", piece)
    kind = fields.get("type") or fields.get("block_type") or ("text" if "text" in fields else None)
    read = _PARTS.get(str(kind))
    return read(fields) if read is not None else dict(fields)


def _image(fields: Mapping[str, Any]) -> Part:
    given: object = fields.get("image_url") or fields.get("file_url")
    uri = cast("Mapping[str, Any]", given).get("url") if isinstance(given, Mapping) else given
    if isinstance(uri, str) and uri.startswith("data:"):
        return {"type": "blob", "modality": "image", "mime_type": uri[5:].partition(";")[0], "content": f"<{len(uri)} characters>"}
    return {"type": "uri", "modality": "image", "uri": uri}


_PARTS: dict[str, Callable[[Mapping[str, Any]], Part]] = {
    "text": lambda fields: _text(str(fields.get("text", fields.get("content", "")))),
    "input_text": lambda fields: _text(str(fields.get("text", ""))),
    "output_text": lambda fields: _text(str(fields.get("text", ""))),
    "refusal": lambda fields: _text(str(fields.get("refusal", ""))),
    "image_url": _image,
    "input_image": _image,
}
"""OpenAI's content pieces; images inside the message are named, not carried."""


def tool_call(call: Mapping[str, Any]) -> Part:
    """A tool call in OpenAI's form, its arguments parsed where they are JSON."""
    function: Mapping[str, Any] = call.get("function") or call
    given = function.get("arguments", function.get("args"))
    return {"type": "tool_call", "id": call.get("id"), "name": function.get("name"), "arguments": arguments(given)}


def arguments(given: object) -> object:
    if not isinstance(given, str):
        return given
    try:
        return orjson.loads(given)
    except orjson.JSONDecodeError:
        return given


# ---- From what a decorated function was given and returned ----


def from_input(given: str | bytes) -> bytes | None:
    """The messages among a model call's captured arguments, or None."""
    value: object = given if isinstance(given, str) else orjson.loads(given)
    if isinstance(value, Mapping) and not looks_like_message(cast("Mapping[str, Any]", value)):
        fields = cast("Mapping[str, object]", value)
        texts = [item for item in fields.values() if isinstance(item, str)]
        value = fields.get("messages") or fields.get("prompt") or (texts[0] if len(texts) == 1 else None)
    found = messages(value)
    return orjson.dumps(found) if found else None


def from_output(returned: str | bytes) -> bytes | None:
    """The message a model call returned: a text, a message, or OpenAI's completion; or None."""
    value: object = returned if isinstance(returned, str) else orjson.loads(returned)
    if isinstance(value, Mapping) and isinstance(value.get("choices"), list):
        choices = cast("list[Mapping[str, Any]]", value["choices"])
        value = [{**choice["message"], "finish_reason": choice.get("finish_reason")} for choice in choices if "message" in choice]
    if isinstance(value, Mapping):
        answer = cast("Mapping[str, object]", value)
        value = next((answer[name] for name in _ANSWERS if isinstance(answer.get(name), (list, dict))), answer)
    found = messages(value, role="assistant")
    return orjson.dumps(found) if found else None


_ANSWERS = ("replies", "message")  # Haystack's and LlamaIndex's name of what the model said


def told_by_completion(returned: bytes) -> dict[str, Any]:
    """Model, tokens and finish reasons, where a model call returned the provider's whole answer; as attributes."""
    value: object = orjson.loads(returned)
    if not isinstance(value, dict):
        return {}
    answer = cast("dict[str, Any]", value)
    usage = _mapping(answer, "usage") or _mapping(answer, "usage_metadata")
    said = _mapping(answer, "response_metadata")
    choices = [choice for choice in answer.get("choices") or () if isinstance(choice, dict)]
    told = {
        names.RESPONSE_MODEL: answer.get("model", said.get("model_name", said.get("model"))) if usage else None,
        names.RESPONSE_ID: answer.get("id") if usage else None,
        names.INPUT_TOKENS: usage.get("prompt_tokens", usage.get("input_tokens")),
        names.OUTPUT_TOKENS: usage.get("completion_tokens", usage.get("output_tokens")),
        names.FINISH_REASONS: tuple(str(choice["finish_reason"]) for choice in choices if choice.get("finish_reason")) or None,
    }
    return {key: item for key, item in told.items() if isinstance(item, (str, int, tuple))}


def _mapping(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: object = answer.get(name)
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}
