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

client = world.anthropic_client()


def tools():
    world.ask_weather_of_claude(client)


def stream():
    with client.messages.stream(model=world.CLAUDE, max_tokens=99, messages=[{"role": "user", "content": world.QUESTION}]) as events:
        for _ in events:
            pass


def error():
    world.fail_with_claude(client)


{"tools": tools, "stream": stream, "error": error}[sys.argv[1]]()
provider.shutdown()
logs.shutdown()
