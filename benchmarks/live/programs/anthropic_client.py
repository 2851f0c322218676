"""Anthropic's client; argument 2 names the instrumentation."""

import importlib
import sys

import world

provider = world.provider()
logs = world.log_provider()
module = {
    "openinference": "openinference.instrumentation.anthropic",
    "openllmetry": "opentelemetry.instrumentation.anthropic",
    "genai": "opentelemetry.instrumentation.genai.anthropic",
}[sys.argv[2]]
importlib.import_module(module).AnthropicInstrumentor().instrument(tracer_provider=provider)

import anthropic  # noqa: E402

client = anthropic.Anthropic(base_url=world.MODEL_URL, api_key="sk-local", max_retries=0)
MODEL = "claude-sonnet-4-5"
TOOL = {"name": "get_weather", "description": "The weather in a city.", "input_schema": world.TOOL["function"]["parameters"]}


def tools():
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    first = client.messages.create(model=MODEL, max_tokens=99, messages=messages, tools=[TOOL], system="Be brief.")
    messages.append(
        {"role": "assistant", "content": [block.model_dump(include={"type", "id", "name", "input"}) for block in first.content]}
    )
    results = [{"type": "tool_result", "tool_use_id": b.id, "content": world.WEATHER["Paris"]} for b in first.content]
    messages.append({"role": "user", "content": results})
    client.messages.create(model=MODEL, max_tokens=99, messages=messages, tools=[TOOL], system="Be brief.")


def stream():
    with client.messages.stream(model=MODEL, max_tokens=99, messages=[{"role": "user", "content": world.QUESTION}]) as events:
        for _ in events:
            pass


def error():
    world.fails(client.messages.create, model=world.BROKEN, max_tokens=9, messages=[{"role": "user", "content": world.QUESTION}])


{"tools": tools, "stream": stream, "error": error}[sys.argv[1]]()
provider.shutdown()
logs.shutdown()
