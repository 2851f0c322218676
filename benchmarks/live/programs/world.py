"""The little world that every program here asks about: three documents, a retriever, a tool; each use is written to the truth log.

Only the standard library, so that it imports in every SDK's environment. `LIVE_*` variables come from `benchmarks.live_instrumentations`.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

MODEL_URL = os.environ["LIVE_MODEL_URL"]  # base of the model server; OpenAI's API is below /v1
COLLECTOR = os.environ["LIVE_COLLECTOR"]  # base of the collector's OTLP/HTTP
TRACES = f"{COLLECTOR}/v1/traces"
QUESTION = "What is the capital of France?"
SYSTEM = "Answer from the context."
CHAT, CLAUDE, EMBEDDING, BROKEN = "gpt-4o-mini", "claude-sonnet-4-5", "text-embedding-3-small", "gpt-broken"
DOCUMENTS: list[dict[str, Any]] = [
    {"id": "doc-1", "content": "Paris is the capital of France.", "score": 0.9425, "metadata": {"source": "geo.md", "page": 1}},
    {"id": "doc-2", "content": "Berlin is the capital of Germany.", "score": 0.9138, "metadata": {"source": "geo.md", "page": 2}},
    {"id": "doc-3", "content": "Refunds are paid within 14 days.", "score": 0.2371, "metadata": {"source": "policy.md", "page": 7}},
]
WEATHER = {"Paris": "18C sunny in Paris", "Oslo": "3C snow in Oslo"}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def note(what: str, **facts: Any) -> None:
    """One line of truth, stamped now: the span around this moment is the one it is about."""
    with open(os.environ["LIVE_TRUTH"], "a", encoding="utf-8") as file:
        file.write(json.dumps({"at": time.time_ns(), "what": what, **facts}, ensure_ascii=False, default=str) + "\n")


def expect(name: str, where: dict[str, Any] | None = None, **facts: Any) -> None:
    """What the spans of this name (a glob) and these attributes must show besides what the logs say."""
    note("span", name=name, where=where or {}, facts=facts)


def expect_trace(**facts: Any) -> None:
    """What the trace of the span around this moment must show; outside any span, every trace."""
    note("trace", facts=facts)


def get_weather(city: str) -> str:
    """The weather in a city."""
    return weather_in(city, "get_weather")


def weather_in(city: str, name: str) -> str:
    """The weather, as a tool of that name tells it."""
    note("tool", name=name, arguments={"city": city}, result=WEATHER[city])
    time.sleep(0.003)
    return WEATHER[city]


def broken_tool(city: str) -> str:
    """A tool that always fails."""
    note("tool", name="broken_tool", arguments={"city": city}, error="ValueError", message=f"no station in {city}")
    raise ValueError(f"no station in {city}")


def search(query: str, *, kind: str | list[str] = "retriever", **left_out: Any) -> list[dict[str, Any]]:
    """The two best documents."""
    found = DOCUMENTS[:2]
    shown = [{key: value for key, value in doc.items() if key not in left_out} for doc in found]
    note("retrieval", query=query, documents=shown, kind=kind)
    time.sleep(0.003)
    return [dict(doc) for doc in found]


def context_of(documents: list[dict[str, Any]]) -> str:
    return "\n".join(doc["content"] for doc in documents)


def rag_messages(documents: list[dict[str, Any]], question: str = QUESTION) -> list[dict[str, Any]]:
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"Context:\n{context_of(documents)}\n\nQuestion: {question}"},
    ]


def openai_client() -> Any:
    from openai import OpenAI

    return OpenAI(base_url=f"{MODEL_URL}/v1", api_key="sk-local", max_retries=0)


def ask_weather(client: Any, *, stream: bool = False, question: str = "What is the weather in Paris?") -> str:
    """A two-step tool loop with OpenAI's client."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": question}]
    first = client.chat.completions.create(model=CHAT, messages=messages, tools=[TOOL], temperature=0.2)
    said = first.choices[0].message
    messages.append({"role": "assistant", "tool_calls": [call.model_dump() for call in said.tool_calls]})
    for call in said.tool_calls:
        result = RUN_TOOL(**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    if not stream:
        return client.chat.completions.create(model=CHAT, messages=messages, tools=[TOOL]).choices[0].message.content
    chunks = client.chat.completions.create(
        model=CHAT, messages=messages, tools=[TOOL], stream=True, stream_options={"include_usage": True}
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def anthropic_client() -> Any:
    from anthropic import Anthropic

    return Anthropic(base_url=MODEL_URL, api_key="sk-local", max_retries=0)


def ask_weather_of_claude(client: Any) -> None:
    """A two-step tool loop with Anthropic's client."""
    tool = {"name": "get_weather", "description": "The weather in a city.", "input_schema": TOOL["function"]["parameters"]}
    shared: dict[str, Any] = {"model": CLAUDE, "max_tokens": 99, "tools": [tool], "system": "Be brief."}
    messages: list[dict[str, Any]] = [{"role": "user", "content": "What is the weather in Paris?"}]
    said = client.messages.create(messages=messages, **shared)
    messages.append({"role": "assistant", "content": [block.model_dump(include={"type", "id", "name", "input"}) for block in said.content]})
    results = [{"type": "tool_result", "tool_use_id": block.id, "content": WEATHER["Paris"]} for block in said.content]
    client.messages.create(messages=[*messages, {"role": "user", "content": results}], **shared)


def fail_with_claude(client: Any) -> None:
    fails(client.messages.create, model=BROKEN, max_tokens=9, messages=[{"role": "user", "content": QUESTION}])


RUN_TOOL = get_weather  # programs put their traced tool here


def plain_calls(client: Any) -> None:
    """The call shapes besides RAG and tools: a stream without usage, an embedding batch, a failing call."""
    chunks = client.chat.completions.create(model=CHAT, messages=[{"role": "user", "content": "When is a refund paid?"}], stream=True)
    for _ in chunks:
        pass
    client.embeddings.create(model=EMBEDDING, input=["first text", "second text"])
    fails(client.chat.completions.create, model=BROKEN, messages=[{"role": "user", "content": QUESTION}])


def fails(call: Any, *args: Any, **kwargs: Any) -> None:
    try:
        call(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  (whatever the SDK raises is the point)
        print("failed as meant:", type(error).__name__)


def provider() -> Any:
    """A plain OpenTelemetry setup for instrumentations that bring none: what `OTEL_EXPORTER_OTLP_ENDPOINT` alone would do."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    made = TracerProvider(resource=Resource.create({"service.name": "rag-demo"}))
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(made)
    return made


def log_provider() -> Any:
    """The same for log records, in which OpenTelemetry's instrumentations can put the content."""
    from opentelemetry._logs import set_logger_provider
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    made = LoggerProvider()
    made.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    set_logger_provider(made)
    return made
