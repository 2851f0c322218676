"""A Strands agent; it traces itself when a tracer provider is set."""

import world

provider = world.provider()

from strands import Agent, tool  # noqa: E402
from strands.models.openai import OpenAIModel  # noqa: E402


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return world.get_weather(city)


model = OpenAIModel(client_args={"base_url": f"{world.MODEL_URL}/v1", "api_key": "sk-local", "max_retries": 0}, model_id=world.CHAT)
agent = Agent(model=model, tools=[get_weather], name="weather_agent", system_prompt="Be brief.", callback_handler=None)
print(agent("What is the weather in Paris?"))
provider.shutdown()
