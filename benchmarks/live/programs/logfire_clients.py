"""Anthropic's client, LiteLLM, and OpenAI's client with announced spans, traced by Logfire; argument 1 names what runs."""

import sys

import logfire
import world

if sys.argv[1] == "pending":  # as if we were Logfire's own backend, which is told of spans when they begin
    sending = {"send_to_logfire": True, "token": "local", "advanced": logfire.AdvancedOptions(base_url=world.COLLECTOR)}
else:
    sending = {"send_to_logfire": False}
logfire.configure(service_name="rag-demo", console=False, **sending)


def anthropic():
    logfire.instrument_anthropic()
    from anthropic import Anthropic

    client = Anthropic(base_url=world.MODEL_URL, api_key="sk-local", max_retries=0)
    tool = {"name": "get_weather", "description": "The weather in a city.", "input_schema": world.TOOL["function"]["parameters"]}
    shared = {"model": "claude-sonnet-4-5", "max_tokens": 99, "tools": [tool], "system": "Be brief."}
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    said = client.messages.create(messages=messages, **shared)
    messages.append({"role": "assistant", "content": [block.model_dump(include={"type", "id", "name", "input"}) for block in said.content]})
    results = [{"type": "tool_result", "tool_use_id": b.id, "content": world.WEATHER["Paris"]} for b in said.content]
    client.messages.create(messages=[*messages, {"role": "user", "content": results}], **shared)
    world.fails(client.messages.create, model=world.BROKEN, max_tokens=9, messages=[{"role": "user", "content": world.QUESTION}])


def litellm():
    logfire.instrument_litellm()
    import litellm as library

    shared = {"model": f"openai/{world.CHAT}", "api_base": f"{world.MODEL_URL}/v1", "api_key": "sk-local"}
    library.completion(messages=[{"role": "user", "content": "What is the weather in Paris?"}], tools=[world.TOOL], **shared)
    library.completion(messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": world.QUESTION}], **shared)


def openai():
    logfire.instrument_openai()
    with logfire.span("rag query", question=world.QUESTION):
        world.openai_client().chat.completions.create(model=world.CHAT, messages=[{"role": "user", "content": world.QUESTION}])


{"anthropic": anthropic, "litellm": litellm, "pending": openai}[sys.argv[1]]()
logfire.shutdown()
