"""What the tables say, dialect by dialect: shapes that no recorded case holds, precedence, honesty about what was not understood."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from collector.dialects import DIALECTS, Normaliser, join_logs, normalise, parse_rules
from collector.errors import InvalidValue
from collector.model import Event, LogRecord, Message, Normalised, Scope, SpanKind, StatusCode, Usage
from tests.collector.otlp_bodies import START, span


def understood(
    attributes: dict[str, Any], events: list[Event] | None = None, scope: str = "", name: str = "n", status: StatusCode = StatusCode.UNSET
) -> Normalised:
    given = span(attributes=attributes, events=events or (), scope=Scope(scope), name=name, status=status, status_message="")
    found = normalise(given).normalised
    assert found is not None
    return found


def said(messages: Any) -> list[tuple[str, str | None]]:
    return [(message.role, message.content) for message in messages]


@pytest.mark.parametrize(
    ("text", "mime_type", "value"),
    [
        ("3", "application/json", 3),
        ("true", "application/json", True),
        ('"Paris"', "application/json", "Paris"),
        ("null", "application/json", None),
        ("cut short", "application/json", "cut short"),
        ("3", "text/plain", "3"),
        ("3", None, "3"),
    ],
)
def test_a_scalar_that_is_said_to_be_json_is_its_value(text: str, mime_type: str | None, value: object) -> None:
    for side in ("input", "output"):
        given = {f"{side}.value": text, "openinference.span.kind": "CHAIN", **({f"{side}.mime_type": mime_type} if mime_type else {})}
        assert getattr(understood(given), side) == value


# ---- Kinds ----


@pytest.mark.parametrize(
    ("attributes", "scope", "name", "kind", "dialect"),
    [
        ({"openinference.span.kind": "llm"}, "", "", SpanKind.LLM, "openinference"),
        ({"openinference.span.kind": "DECISION"}, "", "", SpanKind.UNKNOWN, "openinference"),
        ({"openinference.span.kind": "RERANKER", "gen_ai.operation.name": "chat"}, "", "", SpanKind.RERANKER, "openinference"),
        ({"langfuse.observation.type": "embedding", "gen_ai.operation.name": "chat"}, "", "", SpanKind.EMBEDDING, "langfuse"),
        ({"mlflow.spanType": '"GUARDRAIL"'}, "", "", SpanKind.GUARDRAIL, "mlflow"),
        ({"langsmith.span.kind": "retriever", "gen_ai.operation.name": "embeddings"}, "", "", SpanKind.RETRIEVER, "langsmith"),
        ({"ai.operationId": "ai.generateText"}, "ai", "", SpanKind.CHAIN, "vercel"),
        ({"ai.operationId": "ai.generateText.doGenerate", "gen_ai.request.model": "m"}, "ai", "", SpanKind.LLM, "vercel"),
        ({"ai.operationId": "ai.embedMany.doEmbed"}, "ai", "", SpanKind.EMBEDDING, "vercel"),
        ({"ai.operationId": "ai.toolCall"}, "ai", "", SpanKind.TOOL, "vercel"),
        ({"gen_ai.operation.name": "RETRIEVER"}, "mlflow.tracing", "", SpanKind.RETRIEVER, "genai"),
        ({"gen_ai.operation.name": "invoke_workflow", "traceloop.span.kind": "agent"}, "", "", SpanKind.AGENT, "openllmetry"),
        ({"gen_ai.operation.name": "chat", "traceloop.span.kind": "task"}, "", "", SpanKind.LLM, "genai"),
        ({"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4"}, "", "", SpanKind.LLM, "genai"),
        ({"llm.request.type": "rerank", "gen_ai.system": "cohere"}, "", "", SpanKind.RERANKER, "openllmetry-client"),
        ({"haystack.component.type": "OpenAITextEmbedder"}, "haystack", "haystack.component.run", SpanKind.EMBEDDING, "haystack"),
        ({"haystack.component.type": "SentenceTransformersSimilarityRanker"}, "", "haystack.component.run", SpanKind.RERANKER, "haystack"),
        ({"db.system": "qdrant", "db.operation.name": "query_points"}, "", "", SpanKind.RETRIEVER, "vectordb"),
        ({"db.system": "pinecone", "db.operation": "upsert"}, "", "", SpanKind.CHAIN, "vectordb"),
        ({"db.system": "postgresql", "db.statement": "SELECT 1"}, "", "", SpanKind.UNKNOWN, "vectordb"),
        ({"http.request.method": "GET"}, "", "GET /", SpanKind.UNKNOWN, None),
    ],
)
def test_one_dialect_decides_the_kind(attributes: dict[str, Any], scope: str, name: str, kind: SpanKind, dialect: str | None) -> None:
    found = understood(attributes, scope=scope, name=name)
    assert (found.kind, found.dialect) == (kind, dialect)


def test_every_dialects_table_is_well_formed() -> None:
    names = [dialect.name for dialect in DIALECTS]
    assert len(set(names)) == len(names)
    Normaliser()  # raises on a slot that does not exist


# ---- Messages in every shape ----

QUESTION, ANSWER = "What is the capital of France?", "Paris."


def call(arguments: Any = None) -> list[tuple[str, Any, str | None]]:
    return [("get_weather", {"city": "Paris"} if arguments is None else arguments, "call_1")]


def calls_of(messages: Any) -> list[tuple[str, Any, str | None]]:
    return [(one.name, one.arguments, one.id) for message in messages for one in message.tool_calls]


@pytest.mark.parametrize(
    "request_",
    [
        [{"role": "user", "content": QUESTION}],
        {"messages": [{"role": "user", "content": QUESTION}]},
        {"messages": [{"role": "user", "parts": [{"type": "text", "content": QUESTION}]}]},
        {"messages": [["human", QUESTION]]},
        {"messages": [[{"lc": 1, "type": "constructor", "id": ["x", "HumanMessage"], "kwargs": {"content": QUESTION, "type": "human"}}]]},
        {"messages": [{"type": "human", "data": {"content": QUESTION}}]},
        {"input": QUESTION},
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": QUESTION}]}]},
        {"contents": [{"role": "user", "parts": [{"text": QUESTION}]}]},
        {"messages": [{"role": "user", "content": [{"text": QUESTION}]}]},
        {"prompt": QUESTION},
        QUESTION,
    ],
)
def test_a_request_of_any_provider_is_read_as_messages(request_: Any) -> None:
    given = request_ if isinstance(request_, str) else json.dumps(request_)
    found = understood({"openinference.span.kind": "LLM", "input.value": given, "output.value": "x"})
    assert said(found.input_messages) == [("user", QUESTION)]


@pytest.mark.parametrize(
    "response",
    [
        ANSWER,
        {"choices": [{"message": {"role": "assistant", "content": ANSWER}}]},
        {"choices": [{"text": ANSWER}]},
        {"output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": ANSWER}]}]},
        {"id": "m", "role": "assistant", "content": [{"type": "text", "text": ANSWER}], "usage": {"input_tokens": 1, "output_tokens": 2}},
        {"candidates": [{"content": {"role": "model", "parts": [{"text": ANSWER}]}}]},
        {"output": {"message": {"role": "assistant", "content": [{"text": ANSWER}]}}},
        {"generations": [[{"text": ANSWER, "message": {"kwargs": {"content": ANSWER, "type": "ai"}, "id": ["x", "AIMessage"]}}]]},
        {"replies": [{"_role": "assistant", "_content": [{"text": ANSWER}]}]},
        {"message": {"role": "assistant", "content": ANSWER}},
        {"role": "assistant", "blocks": [{"block_type": "text", "text": ANSWER}]},
        {"text": ANSWER},
    ],
)
def test_a_response_of_any_provider_is_read_as_messages(response: Any) -> None:
    given = response if isinstance(response, str) else json.dumps(response)
    found = understood({"openinference.span.kind": "LLM", "input.value": "x", "output.value": given})
    assert said(found.output_messages) == [("assistant", ANSWER)]


@pytest.mark.parametrize(
    "message",
    [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}],
        },
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "call_1", "name": "get_weather", "arguments": {"city": "Paris"}}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Paris"}}]},
        {
            "role": "assistant",
            "content": [{"type": "tool-call", "toolCallId": "call_1", "toolName": "get_weather", "input": {"city": "Paris"}}],
        },
        {"type": "ai", "data": {"content": "", "tool_calls": [{"name": "get_weather", "args": {"city": "Paris"}, "id": "call_1"}]}},
        {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city": "Paris"}'},
        {"role": "model", "parts": [{"functionCall": {"id": "call_1", "name": "get_weather", "args": {"city": "Paris"}}}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "call_1", "name": "get_weather", "input": {"city": "Paris"}}}]},
        {"role": "assistant", "content": [{"tool_call": {"id": "call_1", "tool_name": "get_weather", "arguments": {"city": "Paris"}}}]},
    ],
)
def test_a_tool_call_in_any_shape(message: dict[str, Any]) -> None:
    found = understood({"gen_ai.operation.name": "chat", "gen_ai.output.messages": json.dumps([message])})
    assert calls_of(found.output_messages) == call()
    assert found.output_messages[0].role == "assistant"


@pytest.mark.parametrize(
    "message",
    [
        {"role": "tool", "tool_call_id": "call_1", "content": "18C"},
        {"role": "user", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "18C"}]},
        {"role": "user", "parts": [{"type": "tool_call_response", "id": "call_1", "result": "18C"}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "18C"}]}]},
        {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "call_1", "output": {"type": "text", "value": "18C"}}]},
        {"type": "function_call_output", "call_id": "call_1", "output": "18C"},
        {"type": "tool", "data": {"content": "18C", "tool_call_id": "call_1"}},
    ],
)
def test_a_tool_result_in_any_shape(message: dict[str, Any]) -> None:
    found = understood({"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps([message])})
    (only,) = found.input_messages
    assert (only.role, only.content, only.tool_call_id) == ("tool", "18C", "call_1")


def test_reasoning_and_media_are_kept_apart_from_text_and_media_as_references() -> None:
    parts = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "Look:"},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 5000}},
        {"type": "blob", "mime_type": "audio/wav", "modality": "audio", "content": "QUJD"},
    ]
    (message,) = understood(
        {"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps([{"role": "user", "content": parts}])}
    ).input_messages
    assert (message.content, message.reasoning) == ("Look:", "hm")
    assert [one.get("uri") for one in message.media] == ["https://example.org/a.png", None, None]
    assert message.media[1]["mime_type"] == "image/png"
    assert "A" * 100 not in json.dumps(list(message.media))


def test_openinference_lists_come_in_any_order_with_gaps_and_past_nine() -> None:
    attributes: dict[str, Any] = {"openinference.span.kind": "LLM"}
    for i in (11, 2, 10, 1):
        attributes[f"llm.input_messages.{i}.message.role"] = "user"
        attributes[f"llm.input_messages.{i}.message.content"] = f"m{i}"
    assert [message.content for message in understood(attributes).input_messages] == ["m1", "m2", "m10", "m11"]


def test_structured_attributes_are_read_like_json_in_strings() -> None:
    messages = [{"role": "user", "parts": [{"type": "text", "content": QUESTION}]}]
    documents = [{"id": "d", "content": "c", "score": 0.5}]
    as_values = understood({"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.documents": documents})
    as_text = understood({"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.documents": json.dumps(documents)})
    assert as_values.documents == as_text.documents
    assert said(understood({"gen_ai.operation.name": "chat", "gen_ai.input.messages": messages}).input_messages) == [("user", QUESTION)]


def test_json_cut_in_the_middle_is_still_shown_as_text() -> None:
    found = understood({"openinference.span.kind": "CHAIN", "input.value": '{"question": "Wh', "input.mime_type": "application/json"})
    assert found.input == '{"question": "Wh'


@pytest.mark.parametrize("opening", ["[", '{"output":', '{"message":', '{"role":"user","content":[', '[{"node":', '{"id":["x"],"kwargs":'])
@pytest.mark.parametrize("kind", ["LLM", "RETRIEVER", "TOOL", "CHAIN", "EMBEDDING"])
def test_json_nested_a_thousand_levels_deep_stays_text(opening: str, kind: str) -> None:
    closing = "".join({"[": "]", "{": "}"}[bracket] for bracket in reversed(opening) if bracket in "[{")
    deep = opening * 400 + "1" + closing * 400
    found = understood(
        {"openinference.span.kind": kind, "input.value": deep, "output.value": deep, "gen_ai.input.messages": deep, "metadata": deep}
    )
    assert found.input == deep


def test_keys_of_ten_thousand_dots_cost_nothing_and_are_not_remembered() -> None:
    started = time.monotonic()
    for i in range(50):
        understood({f"llm.input_messages.{i}" + ".x" * 10_000: "v", f"k{i}" * 100_000: "v"})
    assert time.monotonic() - started < 2


# ---- Events and logs ----


def event(name: str, **attributes: Any) -> Event:
    return Event(name, START, {key.replace("__", "."): value for key, value in attributes.items()})


def test_messages_in_span_events_of_the_second_generation() -> None:
    events = [
        event("gen_ai.system.message", content="Be brief."),
        event("gen_ai.user.message", **{"gen_ai.event.content": json.dumps({"content": QUESTION})}),
        event("gen_ai.choice", index=0, finish_reason="stop", message=json.dumps({"role": "assistant", "content": ANSWER})),
    ]
    found = understood({"gen_ai.operation.name": "chat"}, events)
    assert said(found.input_messages) == [("system", "Be brief."), ("user", QUESTION)]
    assert said(found.output_messages) == [("assistant", ANSWER)]


def test_the_same_content_in_attributes_and_events_is_shown_once() -> None:
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps([{"role": "user", "content": QUESTION}])}
    found = understood(attributes, [event("gen_ai.user.message", content=QUESTION), event("gen_ai.content.completion.chunk")])
    assert said(found.input_messages) == [("user", QUESTION)]


def test_log_records_enrich_their_span_once() -> None:
    blank = normalise(span(attributes={"gen_ai.operation.name": "chat"}, events=()))
    details = event(
        "gen_ai.client.inference.operation.details",
        **{
            "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": QUESTION}]}],
            "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": ANSWER}]}],
        },
    )
    record = LogRecord(blank.trace_id, blank.span_id, details)
    joined = join_logs(blank, [record])
    assert joined.normalised is not None
    assert said(joined.normalised.input_messages) == [("user", QUESTION)]
    assert said(joined.normalised.output_messages) == [("assistant", ANSWER)]
    assert join_logs(joined, [record]) is joined


def test_pydantic_ais_first_format_keeps_events_in_an_attribute() -> None:
    calls = [{"id": "call_1", "function": {"name": "f", "arguments": "{}"}}]
    events = [
        {"event.name": "gen_ai.user.message", "role": "user", "content": QUESTION},
        {"event.name": "gen_ai.assistant.message", "role": "assistant", "tool_calls": calls},
        {"event.name": "gen_ai.tool.message", "role": "tool", "id": "call_1", "name": "f", "content": "18C"},
        {"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", "content": ANSWER}},
    ]
    found = understood(
        {"gen_ai.operation.name": "chat", "model_request_parameters": "{}", "events": json.dumps(events)}, scope="pydantic-ai"
    )
    assert said(found.input_messages) == [("user", QUESTION), ("assistant", None), ("tool", "18C")]
    assert found.input_messages[2].tool_call_id == "call_1"
    assert said(found.output_messages) == [("assistant", ANSWER)]


def test_evaluations_arrive_as_events_attributes_and_evaluator_spans() -> None:
    by_event = understood(
        {}, [event("gen_ai.evaluation.result", **{"gen_ai.evaluation.name": "Relevance", "gen_ai.evaluation.score.value": 0.8})]
    )
    by_list = understood({"evaluations.0.evaluation.name": "Relevance", "evaluations.0.evaluation.score": 0.8})
    by_span = understood({"openinference.span.kind": "EVALUATOR", "output.value": '{"score": 0.8}'}, name="Relevance")
    for found in (by_event, by_list, by_span):
        assert [(score.name, score.value) for score in found.scores] == [("Relevance", 0.8)]


# ---- Documents ----

DOCUMENT = ("d1", "Paris is the capital.", 0.9)


@pytest.mark.parametrize(
    "output",
    [
        [{"id": "d1", "text": "Paris is the capital.", "score": 0.9, "meta": {"source": "geo.md"}}],
        {"documents": [{"id": "d1", "page_content": "Paris is the capital.", "metadata": {"source": "geo.md", "score": 0.9}}]},
        [
            {
                "lc": 1,
                "id": ["x", "Document"],
                "kwargs": {"id": "d1", "page_content": "Paris is the capital.", "metadata": {"source": "geo.md", "score": 0.9}},
            }
        ],
        [{"node": {"id_": "d1", "text": "Paris is the capital.", "metadata": {"source": "geo.md"}}, "score": 0.9}],
        [[{"id": "d1", "page_content": "Paris is the capital.", "metadata": {"source": "geo.md"}}, 0.9]],
        {"matches": [{"id": "d1", "score": 0.9, "metadata": {"text": "Paris is the capital.", "source": "geo.md"}}]},
        {"points": [{"id": "d1", "score": 0.9, "payload": {"content": "Paris is the capital.", "source": "geo.md"}}]},
        {"documents": [{"id": "d1", "content": "Paris is the capital.", "score": 0.9, "source": "geo.md", "embedding": None}]},
        {"ids": [["d1"]], "documents": [["Paris is the capital."]], "metadatas": [[{"source": "geo.md"}]], "scores": [[0.9]]},
    ],
)
def test_documents_in_any_shape(output: Any) -> None:
    (document,) = understood(
        {"openinference.span.kind": "RETRIEVER", "input.value": QUESTION, "output.value": json.dumps(output)}
    ).documents
    assert (document.id, document.content, document.score, document.rank) == (*DOCUMENT, 1)
    assert document.metadata["source"] == "geo.md"


def test_a_missing_score_is_none_and_a_distance_says_so() -> None:
    found = understood(
        {"openinference.span.kind": "RETRIEVER", "output.value": json.dumps([{"content": "a"}, {"content": "b", "distance": 0.2}])}
    )
    assert [(document.score, document.score_kind) for document in found.documents] == [(None, None), (0.2, "distance")]


def test_hits_of_a_vector_database_are_one_event_each() -> None:
    hit = {
        "db.query.result.id": "d1",
        "db.query.result.score": 0.9,
        "db.query.result.document": "c",
        "db.query.result.metadata": '{"source": "s"}',
    }
    found = understood(
        {"db.system": "pinecone", "db.operation": "query", "db.vector.query.top_k": 3}, [Event("db.query.result", START, hit)]
    )
    (document,) = found.documents
    assert (document.id, document.content, document.score, document.metadata) == ("d1", "c", 0.9, {"source": "s"})
    assert found.parameters == {"top_k": 3}


def test_documents_that_a_program_set_by_hand_are_found_and_marked() -> None:
    found = understood(
        {"query": QUESTION, "documents": json.dumps([{"id": "d1", "text": "Paris is the capital.", "score": 0.9}])}, name="search"
    )
    assert [document.id for document in found.documents] == ["d1"]
    assert (found.kind, found.query) == (SpanKind.RETRIEVER, QUESTION)
    assert {"documents", "kind", "input"} <= set(found.derived)


# ---- Tokens ----


@pytest.mark.parametrize(
    ("attributes", "usage"),
    [
        ({"gen_ai.usage.prompt_tokens": 42, "gen_ai.usage.completion_tokens": 11}, Usage(42, 11, 53)),
        (
            {"llm.token_count.prompt": 42, "llm.token_count.completion": 11, "llm.token_count.prompt_details.cache_read": 16},
            Usage(42, 11, 53, 16),
        ),
        ({"ai.usage.promptTokens": 42, "ai.usage.completionTokens": 11}, Usage(42, 11, 53)),
        ({"gen_ai.usage.input_tokens": "42", "gen_ai.usage.output_tokens": 11.0}, Usage(42, 11, 53)),
    ],
)
def test_tokens_under_their_many_names(attributes: dict[str, Any], usage: Usage) -> None:
    assert understood({"gen_ai.operation.name": "chat", **attributes}).usage == usage


def test_buckets_that_leave_the_cached_tokens_out_are_added_up() -> None:
    details = {"input": 26, "output": 11, "total": 53, "input_cache_read": 16}
    found = understood({"langfuse.observation.type": "generation", "langfuse.observation.usage_details": json.dumps(details)})
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.cached_input_tokens, found.usage.total_tokens) == (42, 16, 53)


def test_no_usage_is_none() -> None:
    assert understood({"gen_ai.operation.name": "chat"}).usage is None


# ---- Vercel AI 5, whose inner spans speak two dialects ----


def test_vercel_five() -> None:
    found = understood(
        {
            "ai.operationId": "ai.streamText.doStream",
            "ai.model.id": "gpt-4o-mini",
            "ai.model.provider": "openai.chat",
            "ai.prompt.messages": json.dumps([{"role": "user", "content": [{"type": "text", "text": QUESTION}]}]),
            "ai.prompt.tools": ['{"type":"function","name":"get_weather","inputSchema":{}}'],
            "ai.response.text": "",
            "ai.response.toolCalls": json.dumps([{"toolCallId": "call_1", "toolName": "get_weather", "input": '{"city":"Paris"}'}]),
            "ai.response.msToFirstChunk": 12.5,
            "ai.response.finishReason": "tool-calls",
            "ai.usage.inputTokens": 42,
            "ai.usage.outputTokens": 7,
            "ai.settings.temperature": 0.2,
            "ai.telemetry.metadata.sessionId": "s",
            "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        },
        scope="ai",
    )
    assert (found.kind, found.model, found.provider, found.session_id) == (SpanKind.LLM, "gpt-4o-mini-2024-07-18", "openai", "s")
    assert said(found.input_messages) == [("user", QUESTION)]
    assert calls_of(found.output_messages) == call()
    assert [tool["name"] for tool in found.tools_offered] == ["get_weather"]
    assert (found.time_to_first_token_ns, list(found.finish_reasons), found.parameters["temperature"]) == (12_500_000, ["tool_calls"], 0.2)


def test_vercel_embeddings() -> None:
    found = understood(
        {
            "ai.operationId": "ai.embed.doEmbed",
            "ai.values": ['"a"', '"b"'],
            "ai.embeddings": ["[0.1,0.2]", "[0.3,0.4]"],
            "ai.usage.tokens": 3,
        }
    )
    assert (list(found.texts), found.vector_dimensions, found.usage) == (["a", "b"], 2, Usage(3))


# ---- Sessions, errors, honesty ----


@pytest.mark.parametrize(
    ("attributes", "scope", "session"),
    [
        ({"session.id": "a", "gen_ai.conversation.id": "b"}, "", "a"),
        ({"gen_ai.conversation.id": "b"}, "", "b"),
        ({"gen_ai.conversation.id": "01a208f3-3fe7-74a8-8f64-a27a51f774ae"}, "pydantic-ai", None),
        ({"langsmith.metadata.thread_id": "t", "langsmith.trace.session_name": "project"}, "", "t"),
        ({"metadata": '{"session_id": "m"}'}, "", "m"),
        ({"session_id": "[Scrubbed due to 'session']", "logfire.span_type": "span"}, "logfire", None),
        ({"traceloop.association.properties.session_id": "t"}, "", "t"),
    ],
)
def test_sessions_and_what_is_none(attributes: dict[str, Any], scope: str, session: str | None) -> None:
    assert understood(attributes, scope=scope).session_id == session


def test_an_error_is_told_by_its_exception_event_first() -> None:
    exception = event("exception", exception__type="ValueError", exception__message="bad", exception__stacktrace="Traceback")
    found = understood({"error.type": "other"}, [exception], status=StatusCode.ERROR)
    assert found.error is not None
    assert (found.error.type, found.error.message, found.error.stacktrace) == ("ValueError", "bad", "Traceback")


def test_an_escaped_exception_counts_as_an_error_and_a_handled_one_does_not() -> None:
    escaped = event("exception", exception__message="x", exception__escaped="True")
    assert understood({}, [escaped]).status is StatusCode.ERROR
    assert understood({}, [escaped], status=StatusCode.OK).status is StatusCode.OK
    assert (
        understood({"langfuse.observation.level": "ERROR", "langfuse.observation.status_message": "RateLimitError: slow down"}).error
        is not None
    )


def test_sources_name_the_key_that_filled_each_field() -> None:
    found = understood({"openinference.span.kind": "LLM", "input.value": "hi", "llm.model_name": "m", "gen_ai.usage.input_tokens": 3})
    assert found.sources["input"] == "input.value"
    assert found.sources["model"] == "llm.model_name"
    assert found.sources["usage"] == "gen_ai.usage.input_tokens"
    assert found.sources["input_messages"] == "input.value"


def test_keys_that_sound_like_content_and_mean_nothing_are_named() -> None:
    found = understood({"acme.prompt": "hello", "acme.retries": 3, "http.response.body": "x", "acme.empty_answer": ""})
    assert list(found.unmapped) == ["acme.prompt"]


def test_secret_copies_of_the_environment_are_no_metadata() -> None:
    found = understood({"langsmith.span.kind": "chain", "langsmith.metadata.LANGSMITH_API_KEY": "k", "langsmith.metadata.tenant": "acme"})
    assert found.metadata == {"tenant": "acme"}


# ---- Rules of the house ----

RULES = """
[fields]
"acme.question" = "input"
"acme.hits" = "documents"
"acme.in" = "usage.input_tokens"

[kinds."acme.type"]
search = "RETRIEVER"
"""


def test_a_users_rules_come_before_every_dialect() -> None:
    attributes = {"acme.type": "Search", "acme.question": QUESTION, "acme.hits": '[{"id": "d1", "text": "c"}]', "acme.in": 7}
    strange = span(attributes={**attributes, "input.value": "other", "openinference.span.kind": "CHAIN"}, events=())
    found = Normaliser(parse_rules(RULES)).normalise(strange).normalised
    assert found is not None
    assert (found.kind, found.dialect, found.input, found.query) == (SpanKind.RETRIEVER, "house", QUESTION, QUESTION)
    assert [document.id for document in found.documents] == ["d1"]
    assert found.usage == Usage(7)
    assert not found.unmapped


def test_rules_read_from_toml_and_json_alike() -> None:
    rules = parse_rules(RULES)
    assert parse_rules(json.dumps(rules.as_json())) == rules


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('[fields]\n"a" = "inptu"', "did you mean input"),
        ('[fields]\n"a" = "zzz"', "one of"),
        ('[kinds."a"]\nx = "SEARCH"', "RETRIEVER"),
        ("fields = 3", "tables"),
        ("[other]\n", "'other'"),
        ("{", "neither TOML nor JSON"),
    ],
)
def test_a_rule_that_cannot_be_says_what_could(text: str, word: str) -> None:
    with pytest.raises(InvalidValue, match=word):
        parse_rules(text)


def test_normalising_reads_nothing_but_what_was_received() -> None:
    once = normalise(span())
    stale = replace(once, normalised=Normalised(kind=SpanKind.TOOL, input_messages=[Message("user", "stale")]))
    assert normalise(stale) == once


def test_a_candidate_is_of_its_spans_stage_unless_it_names_another() -> None:
    given = [{"id": "a", "rank": 6, "dropped": "below cut"}, {"id": "b", "stage": "fuse"}]
    found = understood({"rightpassage.stage": "recall", "rightpassage.candidates": json.dumps(given)})
    assert [(candidate.id, candidate.stage) for candidate in found.candidates] == [("a", "recall"), ("b", "fuse")]
    assert found.sources["stage"] == "rightpassage.stage"
