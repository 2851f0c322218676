"""Spans that lost a part on the way: JSON that an attribute limit cut, values that are no values, things told twice."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.dialects import normalise
from collector.dialects.values import mended
from collector.model import Normalised, Span
from collector.rollup import summarise

CONVERSATION = [
    {"role": "user", "parts": [{"type": "text", "content": 'Where is {Paris}, "exactly"? 日本'}]},
    {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "look_up", "arguments": {"city": "Paris"}}]},
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


def normalised_span(attributes: dict[str, str]) -> Span:
    return normalise(Span("ab" * 16, "cd" * 8, "", "call", 1, 2, attributes))


def normalised(attributes: dict[str, str]) -> Normalised:
    found = normalised_span(attributes).normalised
    assert found is not None
    return found


def test_messages_that_an_attribute_limit_cut_are_read_as_far_as_they_go() -> None:
    whole = json.dumps(CONVERSATION)
    cut = normalised({"gen_ai.operation.name": "chat", "gen_ai.input.messages": whole[: whole.index("exactly") + 3]})
    assert [(message.role, message.content) for message in cut.input_messages] == [("user", 'Where is {Paris}, "exa')]
    cut = normalised({"gen_ai.operation.name": "chat", "gen_ai.input.messages": whole[: whole.index('"city"')]})
    assert [call.name for call in cut.input_messages[1].tool_calls] == ["look_up"]


def test_documents_and_offered_tools_are_mended_and_the_input_stays_as_it_came() -> None:
    documents = json.dumps([{"id": "d1", "content": "Paris is the capital."}, {"id": "d2", "content": "Berlin is"}])[:-6]
    found = normalised({"openinference.span.kind": "RETRIEVER", "retrieval.documents": documents, "input.value": '{"query": "capi'})
    assert [(document.id, document.content) for document in found.documents] == [("d1", "Paris is the capital."), ("d2", "Berlin")]
    assert found.input == '{"query": "capi'


@given(st.lists(JSON, min_size=1), st.integers(min_value=1))
def test_whatever_is_cut_reads_as_a_beginning_or_stays_text(value: object, at: int) -> None:
    whole = json.dumps(value)
    read = mended(whole[: at % len(whole) + 1])
    assert isinstance(read, str | list)


@pytest.mark.parametrize("text", ["[INST] What [is", "{name} says", '[1] Source "x', "[", "{'a': 1", "[" * 100_000, '{"a"]'])
def test_text_that_only_begins_like_json_stays_text(text: str) -> None:
    assert mended(text) == text


def test_the_address_of_an_object_is_no_answer() -> None:
    stream = {"openinference.span.kind": "LLM", "output.value": "<groq.Stream object at 0x7f9cf29b2f90>"}
    assert normalised(stream).output is None
    assert normalised({**stream, "output.value": "<b>bold</b>"}).output == "<b>bold</b>"


def test_a_tool_result_told_twice_is_one_message() -> None:
    result = {"role": "tool", "tool_call_id": "c1", "content": "18C"}
    messages = [
        {"role": "user", "content": "Weather?"},
        result,
        {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "content": [{"text": "18C"}]}}]},
    ]
    found = normalised({"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps(messages)})
    assert [message.role for message in found.input_messages] == ["user", "tool"]


def test_an_answer_of_calls_alone_is_previewed_as_the_calls() -> None:
    span = normalised_span({"gen_ai.operation.name": "chat", "gen_ai.output.messages": json.dumps(CONVERSATION[1:])})
    assert summarise([span]).output_preview == 'look_up(city="Paris")'


def test_a_request_and_a_result_that_were_cut_are_read_too() -> None:
    request = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Where is Paris, and why there?"}, {"role": "assistant"}]})
    found = normalised({"openinference.span.kind": "LLM", "input.value": request[: request.index("why")]})
    assert [(message.role, message.content) for message in found.input_messages] == [("user", "Where is Paris, and ")]
    returned = json.dumps([{"id": "d1", "content": "Paris is the capital.", "score": 0.9}, {"id": "d2", "content": "Berlin"}])[:-30]
    found = normalised({"traceloop.span.kind": "task", "traceloop.entity.name": "retrieve_docs", "traceloop.entity.output": returned})
    assert [document.id for document in found.documents] == ["d1"]
