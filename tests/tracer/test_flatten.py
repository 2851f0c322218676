"""Other collectors get OpenInference's flattened attributes, a Right Passage one does not."""

from __future__ import annotations

from typing import Any

import tracer
from tests.tracer.conftest import Sink


@tracer.retriever
def retrieve(question: str) -> list[dict[str, Any]]:
    return [{"id": "a", "content": "x", "score": 0.5, "source": "f.md"}]


@tracer.llm
def ask(prompt: str) -> str:
    tracer.current_span().set_usage(3, 2).set_model("m", provider="openai")
    return "yes"


def test_another_collector_gets_numbered_attributes(quiet_sink: Sink) -> None:
    tracer.configure(endpoint=quiet_sink.url, spool=False)
    retrieve("why")
    ask("how")
    spans = quiet_sink.spans()
    assert spans["retrieve"]["retrieval.documents.0.document.content"] == "x"
    assert spans["retrieve"]["retrieval.documents.0.document.score"] == 0.5
    assert spans["retrieve"].json("retrieval.documents.0.document.metadata") == {"source": "f.md"}
    assert spans["ask"]["llm.input_messages.0.message.content"] == "how"
    assert spans["ask"]["llm.output_messages.0.message.role"] == "assistant"
    assert (spans["ask"]["llm.token_count.prompt"], spans["ask"]["llm.provider"]) == (3, "openai")
    assert spans["retrieve"].json("gen_ai.retrieval.documents")[0]["id"] == "a"


def test_tools_and_embeddings_are_flattened_too(quiet_sink: Sink) -> None:
    tracer.configure(endpoint=quiet_sink.url, spool=False)
    call = {"id": "c1", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
    with tracer.llm("ask") as span:
        span.set_messages(
            input=[{"role": "tool", "tool_call_id": "c1", "content": "sunny"}],
            output=[{"role": "assistant", "content": None, "tool_calls": [call]}],
        )
    with tracer.embedding("embed") as span:
        span.set_texts(["a", "b"])
    spans = quiet_sink.spans()
    at = "llm.output_messages.0.message.tool_calls.0.tool_call"
    assert (spans["ask"][f"{at}.function.name"], spans["ask"][f"{at}.function.arguments"]) == ("weather", '{"city":"Paris"}')
    assert spans["ask"]["llm.input_messages.0.message.tool_call_id"] == "c1"
    assert spans["embed"]["embedding.embeddings.1.embedding.text"] == "b"


def test_ours_gets_them_only_until_it_has_answered(quiet_sink: Sink) -> None:
    quiet_sink.version = "0.1"
    tracer.configure(endpoint=quiet_sink.url, spool=False)
    retrieve("first")
    assert "retrieval.documents.0.document.content" in quiet_sink.span("retrieve").attributes
    retrieve("second")
    assert "retrieval.documents.0.document.content" not in quiet_sink.span("retrieve").attributes
