"""Chat messages in every shape SDKs record them: OpenTelemetry parts, OpenAI, Responses, Anthropic, Gemini, Bedrock, LangChain, Vercel,
Haystack.

The shapes differ in a handful of words, so one reader knows all of them instead of one reader per SDK: a role, some content (text, or
parts of which each is text, reasoning, a call, a call's result, or media), and calls beside the content. A message that carries tool
results becomes one tool message per result. Roles are system, user, assistant, tool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from collector.dialects.reprs import rebuilt
from collector.dialects.values import as_list, as_text, first, opened, text
from collector.making import maker
from collector.model import Json, Message, ToolCall

if TYPE_CHECKING:
    from collector.dialects.reading import Reading
    from collector.dialects.table import FlatList

ROLES = {
    "developer": "system",
    "human": "user",
    "humanmessage": "user",
    "ai": "assistant",
    "aimessage": "assistant",
    "aimessagechunk": "assistant",
    "model": "assistant",
    "chatbot": "assistant",
    "systemmessage": "system",
    "toolmessage": "tool",
    "tool-response": "tool",
    "tool_response": "tool",
    "tool-call": "assistant",
    "function": "tool",
    "functionmessage": "tool",
    "ipython": "tool",
}
KNOWN_ROLES = frozenset({"system", "user", "assistant", "tool"})
TEXT_TYPES = frozenset({"text", "input_text", "output_text", "refusal", "summary_text"})
REASONING_TYPES = frozenset({"reasoning", "thinking", "redacted_thinking"})
CALL_TYPES = frozenset(
    {
        "tool_call",
        "tool-call",
        "tool_use",
        "function_call",
        "toolcall",
        "server_tool_call",
        "server_tool_use",
        "mcp_call",
        "custom_tool_call",
    }
)
RESULT_TYPES = frozenset(
    {
        "tool_call_response",
        "tool-result",
        "tool_result",
        "function_call_output",
        "toolresult",
        "server_tool_call_response",
        "tool_return",
        "custom_tool_call_output",
    }
)
MEDIA_TYPES = frozenset(
    {
        "image_url",
        "input_image",
        "image",
        "image-url",
        "blob",
        "uri",
        "file",
        "input_file",
        "input_audio",
        "audio",
        "video",
        "document",
        "media",
    }
)
ITEM_TYPES = CALL_TYPES | RESULT_TYPES | {"message", "reasoning"}  # of the Responses API
# Keys that hold a list of messages, in the order they are looked for.
CONTAINERS = ("messages", "input_messages", "chat_history", "contents", "new_messages")
ARGUMENT_KEYS = ("arguments", "args", "input", "arguments_json", "parameters")
RESULT_KEYS = ("response", "result", "output", "content", "value", "text")
CALL_ID_KEYS = ("id", "toolCallId", "tool_call_id", "call_id", "tool_use_id", "toolUseId")
MEDIA_URI_MAX = 2048  # a longer one is data, not a reference


@dataclass(slots=True)
class _Draft:
    """A message being read."""

    role: str
    texts: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    media: list[Mapping[str, Json]] = field(default_factory=list)
    results: list[tuple[str | None, str | None, str | None]] = field(default_factory=list)  # call id, name, text


def role_of(value: Any, otherwise: str) -> str:
    """One of our four roles; an unknown one stays as it is."""
    if not isinstance(value, str) or not value:
        return otherwise
    if value in KNOWN_ROLES:
        return value
    lower = value.lower().rpartition(".")[2]  # "MessageRole.USER"
    return lower if lower in KNOWN_ROLES else ROLES.get(lower, lower)


def read_messages(value: Any, role: str = "user") -> list[Message]:
    """The messages of a value that is known to hold messages; text alone is one message of the given role."""
    value = opened(value)
    if isinstance(value, str):
        return [Message(role, value)] if value else []
    if isinstance(value, dict):
        if all(isinstance(key, int) for key in value):
            return read_messages(as_list(value), role) if value else []
        held = first(value, CONTAINERS)
        return read_messages(held, role) if isinstance(held, list) and "role" not in value else read_message(value, role)
    if isinstance(value, list):
        if value and all(isinstance(item, list) for item in value):
            value = value[0]  # a batch of one conversation each: LangChain's [[…]]
        if len(value) == 2 and isinstance(value[0], str) and role_of(value[0], "") in KNOWN_ROLES and isinstance(value[1], str):
            return [Message(role_of(value[0], role), value[1])]  # ("human", "…")
        return [message for item in value for message in (_plain(item, role) or read_message(item, role))]
    return []


_MAKE = maker(Message)
PLAIN = ("role", "content")


def flat_messages(reading: Reading, flat: FlatList, role: str = "user") -> list[Message]:
    """The messages of a flattened list; of those that are nothing but a role and a text, straight from the attributes."""
    rows = flat.rows(PLAIN)
    if rows is not None:
        get: Callable[[str | None], Any] = reading.attributes.get  # pyright: ignore[reportAssignmentType]  (of no attribute: None)
        told = [(get(named), get(said)) for named, said in rows]
        if all(type(said) is str and said[:2] != "[{" for _, said in told):
            return [_MAKE(role_of(named, role), said) for named, said in told]
    return read_messages(reading.items(flat), role)


def _plain(value: Any, role: str) -> Sequence[Message]:
    """The message that is nothing but a role and a text, at a tenth of the time; nothing for any other."""
    if type(value) is not dict or len(value) != 2 or "role" not in value:
        return ()
    content = value.get("content")
    return (_MAKE(role_of(value["role"], role), content or None),) if isinstance(content, str) and content[:2] != "[{" else ()


def read_message(value: Any, role: str = "user") -> list[Message]:
    """One message, or as many as it has tool results beside its own content."""
    value = opened(value)
    if isinstance(value, str):
        if isinstance(message := rebuilt(value), dict):
            return read_message(message, role)
        return [Message(role, value)] if value else []
    if isinstance(value, list):
        return read_messages(value, role)
    if not isinstance(value, dict):
        return []
    if plain := _plain(value, role):
        return [*plain]
    body = _body(value)
    kind = str(body.get("type") or "").lower()
    draft = _Draft(role_of(first(body, ("role", "_role", "message_type")), _role_by_type(value, kind, role)))
    if kind in CALL_TYPES or kind in RESULT_TYPES or kind == "reasoning":  # an item of the Responses API is a message of its own
        _read_part(body, draft)
    else:
        _read_content(first(body, ("parts", "contents", "content", "_content", "blocks", "text")), draft)
        _read_calls(body, draft)
        for result in as_list(body.get("function")):  # AutoGen under OpenInference: results, each as JSON
            if isinstance(result := opened(result), dict):
                _read_part({**result, "type": "tool_result"}, draft)
        if isinstance(reasoning := first(body, ("reasoning_content", "reasoning", "thinking")), str) and reasoning:
            draft.reasoning.append(reasoning)
        if not draft.texts and isinstance(refusal := body.get("refusal"), str):
            draft.texts.append(refusal)
    return _finished(draft, body)


def _body(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message inside its wrappers: LangChain's constructor and {"type", "data"}, a choice's {"message"}."""
    if "kwargs" in value and isinstance(value.get("id"), list):
        return {"type": str(value["id"][-1] if value["id"] else ""), **value["kwargs"]} if isinstance(value["kwargs"], dict) else value
    if isinstance(data := value.get("data"), dict) and "type" in value:
        return {"type": value["type"], **data}
    for wrapper in ("message", "delta"):
        if isinstance(inner := value.get(wrapper), dict) and "role" not in value:
            return _body(inner)
    if isinstance(inner := value.get("content"), dict) and "parts" in inner:
        return inner  # a candidate of Gemini
    return value


def _role_by_type(value: Mapping[str, Any], kind: str, otherwise: str) -> str:
    if kind in CALL_TYPES or kind == "reasoning":
        return "assistant"
    if kind in RESULT_TYPES:
        return "tool"
    if isinstance(source := value.get("source"), str):  # AutoGen: who said it
        return "user" if source == "user" else "assistant"
    constructor = value.get("id")
    if isinstance(constructor, list) and constructor:
        return role_of(str(constructor[-1]), otherwise)
    return role_of(kind, otherwise) if kind in ROLES or kind in KNOWN_ROLES else otherwise


def _read_content(content: Any, draft: _Draft) -> None:
    if isinstance(content, str):
        # Some SDKs put the part list into the content string; nothing else that starts so has a type in its first object.
        parts = opened(content) if content[:2] == "[{" else None
        if isinstance(parts, list) and all(isinstance(part, dict) and "type" in part for part in parts):
            _read_content(parts, draft)
        elif content and content != "[]":  # Cohere's empty list of parts
            draft.texts.append(content)
    elif isinstance(content, dict) and not all(isinstance(key, int) for key in content):
        _read_part(content, draft)
    else:
        for part in as_list(content):
            if isinstance(part, str):
                draft.texts.append(part)
            elif isinstance(part, dict):
                _read_part(part, draft)


def _read_part(part: Mapping[str, Any], draft: _Draft) -> None:
    kind = str(first(part, ("type", "block_type", "kind")) or "").lower()
    if kind in TEXT_TYPES:
        _append(draft.texts, first(part, ("content", "text", "refusal")))
    elif kind in REASONING_TYPES:
        _append(draft.reasoning, _reasoning(part))
    elif kind in CALL_TYPES:
        draft.calls.append(read_call(part))
    elif kind in RESULT_TYPES:
        identity = text(first(part, ("tool_call_id", "toolCallId", "call_id", "tool_use_id", "toolUseId", "id")))
        draft.results.append((identity, text(first(part, ("name", "toolName"))), _result(part)))
    elif kind in MEDIA_TYPES:
        draft.media.append(_media(kind, part))
    else:
        _read_untyped(part, draft)


# Gemini, Bedrock and Haystack name a part by its only key.
_CALL_KEYS = ("functionCall", "function_call", "toolUse", "tool_call")
_RESULT_KEYS = ("functionResponse", "function_response", "toolResult", "tool_call_result")
_MEDIA_KEYS = ("inlineData", "inline_data", "fileData", "file_data", "image", "image_url", "audio", "video")


def _read_untyped(part: Mapping[str, Any], draft: _Draft) -> None:
    if isinstance(call := first(part, _CALL_KEYS), dict):
        draft.calls.append(read_call(call))
    elif isinstance(result := first(part, _RESULT_KEYS), dict):
        origin = result.get("origin") if isinstance(result.get("origin"), dict) else result
        draft.results.append((text(first(origin or {}, CALL_ID_KEYS)), text(first(origin or {}, ("name", "tool_name"))), _result(result)))
    elif (media := first(part, _MEDIA_KEYS)) is not None:
        kind = next(key for key in _MEDIA_KEYS if part.get(key) is not None)
        draft.media.append(_media(kind, media if isinstance(media, dict) else {"uri": media}))
    elif isinstance(found := first(part, ("text", "content", "value")), str):
        draft.texts.append(found)
    elif isinstance(found, list):
        _read_content(found, draft)


def _append(texts: list[str], value: Any) -> None:
    if isinstance(value, str) and value:
        texts.append(value)
    elif value is not None and value != "" and value != []:
        texts.append(as_text(value) or "")


def _reasoning(part: Mapping[str, Any]) -> Any:
    found = first(part, ("content", "text", "thinking", "reasoning"))
    if found is None and isinstance(summary := part.get("summary"), list):
        found = "\n".join(str(item.get("text") or "") if isinstance(item, dict) else str(item) for item in summary)
    return found


def _result(part: Mapping[str, Any]) -> str | None:
    value = first(part, RESULT_KEYS)
    if isinstance(value, dict) and value.get("type") in ("text", "json", "error-text", "error-json") and "value" in value:
        value = value["value"]  # Vercel says what kind of value it is
    if isinstance(value, list) and value and all(isinstance(item, dict) and isinstance(item.get("text"), str) for item in value):
        return "\n".join(item["text"] for item in value)
    return as_text(value)


def read_call(call: Mapping[str, Any]) -> ToolCall:
    """A tool call with its arguments as an object wherever they parse as one."""
    function = call.get("function")
    inner: Mapping[str, Any] = function if isinstance(function, dict) else call
    name = first(inner, ("name", "toolName", "tool_name")) or call.get("name")
    arguments = first(inner, ARGUMENT_KEYS)
    return ToolCall(str(name or ""), opened(arguments), text(first(call, CALL_ID_KEYS)))


def _read_calls(body: Mapping[str, Any], draft: _Draft) -> None:
    extra = body.get("additional_kwargs")
    among_contents = list(draft.calls)  # where OpenInference's Anthropic writes them too
    for holder in (body, extra if isinstance(extra, dict) else {}):
        for call in as_list(first(holder, ("tool_calls", "toolCalls", "tool_requests"))):
            if isinstance(call := opened(call), dict) and (told := read_call(call)) not in among_contents:
                draft.calls.append(told)
        if draft.calls:
            return  # LangChain repeats them among additional_kwargs
    if isinstance(call := body.get("function_call"), dict) and call.get("name"):
        draft.calls.append(read_call(call))
    elif name := text(body.get("function_call_name")):
        draft.calls.append(ToolCall(name, opened(body.get("function_call_arguments_json"))))


def _media(kind: str, part: Mapping[str, Any]) -> Mapping[str, Json]:
    """A reference, never the data: what it is, where it is, how large it is."""
    source = next(
        (part[key] for key in ("source", "image_url", "input_audio", "image", "file", "url") if isinstance(part.get(key), dict)), part
    )
    if isinstance(nested := source.get("image"), dict):
        source = nested  # OpenInference: image.image.url
    uri = first(source, ("url", "uri", "file_id", "image_url", "fileUri", "file_uri", "file_name", "filename"))
    data = first(source, ("data", "content", "bytes", "file_data"))
    described: dict[str, Json] = {"type": kind}
    if modality := text(first(part, ("modality",))):
        described["modality"] = modality
    if mime_type := text(first(source, ("mime_type", "media_type", "mimeType", "mediaType", "format"))):
        described["mime_type"] = mime_type
    if isinstance(uri, str):
        if uri.startswith("data:") or len(uri) > MEDIA_URI_MAX:
            described["size"] = len(uri)
            described.setdefault("mime_type", uri[5:].partition(";")[0][:100])
        else:
            described["uri"] = uri
    if isinstance(data, str | bytes):
        described["size"] = len(data)
    return described


def _finished(draft: _Draft, body: Mapping[str, Any]) -> list[Message]:
    call_id = text(first(body, ("tool_call_id", "toolCallId")))
    name = text(body.get("name"))
    found = [Message("tool", content, tool_call_id=identity, name=called) for identity, called, content in draft.results]
    if found and draft.role == "tool":
        found = [replace(message, tool_call_id=message.tool_call_id or call_id, name=message.name or name) for message in found]
    if draft.texts or draft.calls or draft.reasoning or draft.media or not found:
        found.append(
            Message(
                draft.role,
                "\n".join(draft.texts) if draft.texts else None,
                draft.calls,
                call_id if draft.role == "tool" else None,
                "\n".join(draft.reasoning) or None,
                draft.media,
                name,
            )
        )
    return found


def said_anything(message: Message) -> bool:
    return bool(message.content or message.tool_calls or message.reasoning or message.media)


# ---- Whole requests and answers of model APIs ----


def request_messages(value: Any) -> list[Message]:
    """The messages in what was sent to a model: a list, a request object of any provider, or the prompt alone."""
    value = opened(value)
    if not isinstance(value, dict):
        return read_messages(value)
    if isinstance(data := value.get("request"), dict):
        value = data
    found: list[Message] = []
    held = first(value, CONTAINERS)
    if held is None:
        held = first(value, ("input", "prompt", "prompts", "inputs", "question", "query", "text", "user_prompt"))
        if isinstance(held, list) and held and all(isinstance(item, str) for item in held):
            held = "\n".join(held)
    if held is None and ("role" in value or "content" in value or "kwargs" in value):
        return read_message(value)
    if held is not None:
        found = read_messages(held) if not isinstance(held, dict) else request_messages(held)
    config = value.get("config")  # Gemini's clients keep the instructions there
    holders = (value, config) if isinstance(config, dict) else (value,)
    systems = (first(holder, ("instructions", "system", "system_instruction", "systemInstruction", "system_prompt")) for holder in holders)
    return with_system(found, next((system for system in systems if system is not None), None))


def with_system(messages: list[Message], system: Any) -> list[Message]:
    """System instructions that travelled beside the messages, put in front unless the history begins with them."""
    told = [Message("system", message.content) for message in read_messages(system, "system") if message.content] if system else []
    if not told or (messages and messages[0].role == "system" and messages[0].content == told[0].content):
        return messages
    return [*told, *messages]


def answer_messages(value: Any) -> list[Message]:
    """The messages in what a model answered: text, a message, or a response object of any provider."""
    value = opened(value)
    if isinstance(value, list):
        if value and all(isinstance(item, list) for item in value):
            value = value[0]
        return [message for item in value for message in answer_messages(item)]
    if not isinstance(value, dict):
        return read_messages(value, "assistant")
    for key in ("choices", "candidates", "generations", "replies", "outputs"):
        if isinstance(held := value.get(key), list) and held:
            return answer_messages(held)
    if isinstance(held := value.get("output"), list | dict) and not _is_message(value):
        return _items(held) if isinstance(held, list) else answer_messages(held)
    if isinstance(held := value.get("update"), dict):  # a LangGraph Command
        return answer_messages(held)
    if isinstance(held := value.get("messages"), list):
        return _since_the_question(read_messages(held, "assistant"))
    if _is_message(value):
        return read_message(value, "assistant")
    held = first(value, ("output", "text", "completion", "response", "answer", "result", "content", "generated_text", "object", "message"))
    found = answer_messages(held) if held is not None else []
    calls = [read_call(call) for call in as_list(opened(value.get("toolCalls"))) if isinstance(call, dict)]
    if calls:
        found = [replace(found[0], tool_calls=calls)] if found else [Message("assistant", tool_calls=calls)]
    return found


def _is_message(value: Mapping[str, Any]) -> bool:
    return (
        "role" in value
        or "message" in value
        or "kwargs" in value
        or "tool_calls" in value
        or value.get("type") in CALL_TYPES
        or ("data" in value and "type" in value)
        or "_content" in value
        or isinstance(value.get("content"), list | dict)
        or value.get("type") in ITEM_TYPES
    )


def _items(items: Sequence[Any]) -> list[Message]:
    """The output items of one response are one assistant message: text, reasoning and calls together; an item alone stays itself."""
    found = [message for item in items for message in read_message(item, "assistant")]
    mine = [message for message in found if message.role == "assistant"]
    if len(mine) < 2 or len(mine) < len(found):
        return found
    return [
        Message(
            "assistant",
            "\n".join(message.content for message in mine if message.content) or None,
            [call for message in mine for call in message.tool_calls],
            reasoning="\n".join(message.reasoning for message in mine if message.reasoning) or None,
            media=[one for message in mine for one in message.media],
        )
    ]


def _since_the_question(messages: list[Message]) -> list[Message]:
    """Of a whole conversation, what came after the last user message."""
    asked = max((i for i, message in enumerate(messages) if message.role == "user"), default=-1)
    return messages[asked + 1 :] or messages[-1:]
