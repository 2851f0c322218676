"""A Pydantic AI agent with a tool, instrumented by Logfire."""
# requires: logfire pydantic-ai-slim[openai]

import os

import logfire
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

logfire.configure(send_to_logfire=False, console=False, service_name="live")
logfire.instrument_pydantic_ai()
model = OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(base_url=os.environ["OPENAI_BASE_URL"], api_key="local"))
agent = Agent(model, name="weather_agent", instructions="You are a weather assistant.")


@agent.tool_plain
def get_weather(city: str) -> str:
    """Weather for a city."""
    return f"18C sunny in {city}"


agent.run_sync("What is the weather in Paris?")
logfire.shutdown()
