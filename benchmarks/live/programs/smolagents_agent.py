"""A smolagents agent, traced by OpenInference."""

import sys

import world

provider = world.provider()

from openinference.instrumentation.smolagents import SmolagentsInstrumentor  # noqa: E402
from smolagents import OpenAIServerModel, ToolCallingAgent, tool  # noqa: E402

SmolagentsInstrumentor().instrument(tracer_provider=provider)


@tool
def get_weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: the city
    """
    return world.get_weather(city)


name = world.CHAT if sys.argv[1] == "agent" else world.BROKEN
model = OpenAIServerModel(model_id=name, api_base=f"{world.MODEL_URL}/v1", api_key="sk-local", client_kwargs={"max_retries": 0})
agent = ToolCallingAgent(tools=[get_weather], model=model, max_steps=3)
if sys.argv[1] == "agent":
    print(agent.run("What is the weather in Paris?"))
    world.expect("ToolCallingAgent.run", kind="agent", output_contains="It is 18 degrees and sunny in Paris.")
else:
    world.fails(agent.run, world.QUESTION)
provider.shutdown()
