"""OpenAI's Agents SDK, traced by OpenInference, OpenLLMetry or OpenTelemetry (argument 2)."""

import sys

import world

provider = world.provider()
if sys.argv[2] == "genai":
    from opentelemetry.instrumentation.genai.openai_agents import OpenAIAgentsInstrumentor
elif sys.argv[2] == "openinference":
    from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor
else:
    from opentelemetry.instrumentation.openai_agents import OpenAIAgentsInstrumentor
OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)

from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool  # noqa: E402
from openai import AsyncOpenAI  # noqa: E402

client = AsyncOpenAI(base_url=f"{world.MODEL_URL}/v1", api_key="sk-local", max_retries=0)


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return world.get_weather(city)


def agent(name=world.CHAT, kind=OpenAIChatCompletionsModel):
    return Agent(name="weather_agent", instructions="Be brief.", model=kind(model=name, openai_client=client), tools=[get_weather])


if sys.argv[1] == "agent":
    print(Runner.run_sync(agent(), "What is the weather in Paris?").final_output)
    world.expect("weather_agent*", kind="agent")
elif sys.argv[1] == "responses":
    print(Runner.run_sync(agent(kind=OpenAIResponsesModel), "What is the weather in Paris?").final_output)
else:
    world.fails(Runner.run_sync, agent(world.BROKEN), world.QUESTION)
provider.shutdown()
