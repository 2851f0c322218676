from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

import tracer
from tests.tracer.conftest import Sink
from tracer.messages import messages

CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}

CASES: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "text": ("hi", [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]),
    "one message": ({"role": "user", "content": "hi"}, [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]),
    "developer is system": ([{"role": "developer", "content": "x"}], [{"role": "system", "parts": [{"type": "text", "content": "x"}]}]),
    "tool call": (
        [{"role": "assistant", "content": None, "tool_calls": [CALL]}],
        [{"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}}]}],
    ),
    "tool result": (
        [{"role": "tool", "tool_call_id": "c1", "content": "sunny"}],
        [{"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "sunny"}]}],
    ),
    "pieces": (
        [{"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "https://x/a.png"}}]}],
        [{"role": "user", "parts": [{"type": "text", "content": "see"}, {"type": "uri", "modality": "image", "uri": "https://x/a.png"}]}],
    ),
    "image inside": (
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}],
        [{"role": "user", "parts": [{"type": "blob", "modality": "image", "mime_type": "image/png", "content": "<26 characters>"}]}],
    ),
    "parts stay": ([{"role": "user", "parts": [{"type": "x"}]}], [{"role": "user", "parts": [{"type": "x"}]}]),
    "no messages": ([{"id": 1}], []),
}


@pytest.mark.parametrize("name", CASES)
def test_messages_in_every_form_become_opentelemetrys(name: str) -> None:
    given, expected = CASES[name]
    assert messages(given) == expected


def test_a_decorated_call_tells_messages_model_and_tokens_by_itself(sink: Sink) -> None:
    @tracer.llm
    def ask(messages: list[dict[str, str]], temperature: float = 0.0) -> dict[str, Any]:
        return {
            "id": "x1",
            "model": "gpt-4o-mini",
            "choices": [{"message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1},
        }

    ask([{"role": "user", "content": "well?"}], temperature=0.5)
    span = sink.span("ask")
    assert span.json("gen_ai.input.messages") == [{"role": "user", "parts": [{"type": "text", "content": "well?"}]}]
    assert span.json("gen_ai.output.messages")[0]["parts"] == [{"type": "text", "content": "yes"}]
    assert (span["gen_ai.response.model"], span["gen_ai.usage.input_tokens"], span["gen_ai.usage.output_tokens"]) == ("gpt-4o-mini", 3, 1)
    assert span["gen_ai.response.finish_reasons"] == ["stop"]


@dataclass
class LangChainMessage:
    """langchain_core's messages as capture sees them: `type` says who speaks."""

    content: str
    type: str
    tool_calls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    usage_metadata: dict[str, int] | None = None
    response_metadata: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class HaystackMessage:
    """haystack's ChatMessage: a dataclass with private fields only."""

    _role: str
    _content: list[dict[str, str]]


def test_messages_of_langchain_llamaindex_and_haystack_are_read(sink: Sink) -> None:
    call = {"name": "search", "args": {"q": "volume"}, "id": "c1"}

    @tracer.llm("langchain")
    def langchain(messages: object) -> object:
        return LangChainMessage("hi", "ai", [call], {"input_tokens": 3, "output_tokens": 2}, {"model_name": "m"})

    @tracer.llm("haystack")
    def haystack(messages: object) -> object:
        return {"replies": [HaystackMessage("assistant", [{"text": "hi"}])]}

    @tracer.llm("llamaindex")
    def llamaindex(messages: object) -> object:
        return {"message": {"role": "assistant", "blocks": [{"block_type": "text", "text": "hi"}]}, "raw": None}

    langchain([LangChainMessage("hello", "human")])
    haystack([HaystackMessage("user", [{"text": "hello"}])])
    llamaindex([{"role": "user", "blocks": [{"block_type": "text", "text": "hello"}]}])
    for span in sink.spans().values():
        assert span.json("gen_ai.input.messages") == [{"role": "user", "parts": [{"type": "text", "content": "hello"}]}]
        [answer] = span.json("gen_ai.output.messages")
        assert (answer["role"], answer["parts"][0]) == ("assistant", {"type": "text", "content": "hi"})
    told = sink.span("langchain")
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.response.model"]) == (3, "m")
    [_, called] = told.json("gen_ai.output.messages")[0]["parts"]
    assert called == {"type": "tool_call", "id": "c1", "name": "search", "arguments": {"q": "volume"}}
