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
    client = world.anthropic_client()
    world.ask_weather_of_claude(client)
    world.fail_with_claude(client)


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
