from __future__ import annotations

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
