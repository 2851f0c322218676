"""What live recordings taught the dialects, in the small: reprs, buckets, placeholders, wrappers of embeddings."""

from __future__ import annotations

import json
from typing import Any

from collector.dialects import normalise
from collector.dialects.reprs import rebuilt
from collector.dialects.usage import as_usage
from collector.model import Scope, Span, SpanKind, StatusCode, ToolCall
from collector.rollup import summarise

START = 1_795_000_000_000_000_000


def span(name: str = "call", span_id: str = "0000000000000001", parent: str = "", scope: str = "", **attributes: Any) -> Span:
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    return Span("ab" * 16, span_id, parent, name, START, START + 1_000_000, named, scope=Scope(scope))


def understood(**attributes: Any) -> Any:
    return normalise(span(**attributes)).normalised


def test_a_dataclass_repr_is_read_as_what_it_was() -> None:
    message = "ChatMessage(role=<MessageRole.USER: 'user'>, blocks=[TextBlock(block_type='text', text='It\\'s \"here\"')], n=-1)"
    assert rebuilt(message) == {"role": "user", "blocks": [{"block_type": "text", "text": 'It\'s "here"'}], "n": -1}
    assert rebuilt("Tool(name='search', function=<function search at 0x7f>, strict=None)") == {
        "name": "search",
        "function": None,
        "strict": None,
    }


def test_what_is_no_repr_stays_text() -> None:
    for text in ("Paris (France)", "Call(me=", "__import__('os').system('true')", "A(b=1" + ",c=1" * 10_000 + ")", "F(x=" * 3_000):
        assert rebuilt(text) == text


def test_messages_of_which_only_the_role_was_flattened_come_from_the_input() -> None:
    call = "ChatMessage(_role=<ChatRole.ASSISTANT: 'assistant'>, _content=[ToolCall(tool_name='f', arguments={'a': 1}, id='c1')], _meta={})"
    n = understood(
        openinference__span__kind="LLM",
        input__value=json.dumps({"messages": ["ChatMessage(_role=<ChatRole.USER: 'user'>, _content=[TextContent(text='hi')])", call]}),
        llm__input_messages__0__message__role="user",
        llm__input_messages__0__message__content="hi",
        llm__input_messages__1__message__role="assistant",
    )
    assert n.input_messages[1].tool_calls == [ToolCall("f", {"a": 1}, "c1")]


def test_buckets_that_were_counted_apart_are_added_back_where_they_fit_the_total() -> None:
    langfuse = as_usage({"input_tokens": 26, "output_tokens": 8, "total_tokens": 53, "cached_input_tokens": 16, "reasoning_tokens": 3})
    gemini = as_usage({"input_tokens": 64, "output_tokens": 10, "total_tokens": 77, "cached_input_tokens": 16, "reasoning_tokens": 3})
    assert langfuse is not None
    assert gemini is not None
    assert (langfuse.input_tokens, langfuse.output_tokens) == (42, 11)
    assert (gemini.input_tokens, gemini.output_tokens) == (64, 13)


def test_a_wrapper_of_an_embedding_is_no_model_call() -> None:
    outer = span("ai.embed", scope="ai", ai__operationId="ai.embed", ai__usage__tokens=4)
    inner = span("ai.embed.doEmbed", "0000000000000002", outer.span_id, "ai", ai__operationId="ai.embed.doEmbed", ai__usage__tokens=4)
    summary = summarise([normalise(outer), normalise(inner)])
    assert summary.usage.input_tokens is None
    assert summary.embedding_tokens == 4


def test_an_answer_ends_a_list_of_events() -> None:
    events = [
        {"event.name": "gen_ai.system.message", "content": "Be brief.", "role": "system"},
        {"event.name": "gen_ai.user.message", "content": "Capital?", "role": "user"},
        {"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", "content": "Paris."}},
    ]
    n = understood(scope="pydantic-ai", gen_ai__operation__name="chat", events=json.dumps(events), model_request_parameters="{}")
    assert [message.content for message in n.input_messages] == ["Be brief.", "Capital?"]
    assert [message.content for message in n.output_messages] == ["Paris."]


def test_arguments_that_were_not_given_are_not_shown() -> None:
    left_out = "<openai.Omit object at 0x7f8b68bd5940>"
    inputs = {"input": "Capital?", "instructions": left_out, "prompt": left_out}
    n = understood(mlflow__spanType='"CHAT_MODEL"', mlflow__spanInputs=json.dumps(inputs), temperature=json.dumps(left_out))
    assert [message.role for message in n.input_messages] == ["user"]
    assert n.parameters == {}


def test_a_provider_in_front_of_a_model_is_taken_off_where_it_is_known() -> None:
    named = {"openinference__span__kind": "LLM", "llm__model_name": "openai/gpt-4o-mini"}
    assert understood(**named, llm__provider="openai").model == "gpt-4o-mini"
    assert understood(**named, llm__provider="openrouter").model == "openai/gpt-4o-mini"


def test_llamaindex_nodes_as_reprs_keep_id_and_score() -> None:
    nodes = ["<NodeWithScore(node=TextNode(id_=doc-2), score=0.91)>", "<NodeWithScore(node=TextNode(id_=doc-1), score=-0.2)>"]
    n = understood(openinference__span__kind="RETRIEVER", input__value="q", output__value=json.dumps(nodes))
    assert [(document.id, document.score, document.content) for document in n.documents] == [("doc-2", 0.91, None), ("doc-1", -0.2, None)]


def test_output_is_not_borrowed_by_what_failed() -> None:
    root = span("chain", openinference__span__kind="CHAIN", input__value="q")
    failed = Span(**{field: getattr(root, field) for field in Span.__dataclass_fields__} | {"status": StatusCode.ERROR})
    prompt = span("prompt", "0000000000000002", root.span_id, openinference__span__kind="CHAIN", output__value="Context: …")
    assert summarise([normalise(failed), normalise(prompt)]).output_preview is None
    assert summarise([normalise(root), normalise(prompt)]).output_preview == "Context: …"


def test_an_embedding_that_langfuse_calls_a_generation() -> None:
    n = understood(langfuse__observation__type="generation", langfuse__observation__model__name="text-embedding-3-small")
    assert n.kind is SpanKind.EMBEDDING


def test_a_printed_model_is_read_as_what_it_was() -> None:
    said = (
        "id='e84f' source='user' models_usage=None metadata={} created_at=datetime.datetime(2026, 11, 25, tzinfo=utc) content='It\\'s a=b?'"
    )
    found = rebuilt(said)
    assert (found["source"], found["content"], found["metadata"]) == ("user", "It's a=b?", {})
    n = understood(openinference__span__kind="AGENT", input__value=json.dumps({"messages": [said]}))
    assert summarise([normalise(span(openinference__span__kind="AGENT", input__value=json.dumps(n.input)))]).input_preview == "It's a=b?"
    for text in ("a=b is an equation", "x='unfinished", "rate=5 percent, they said"):
        assert rebuilt(text) == text
