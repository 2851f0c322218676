"""An AutoGen agent; AutoGen traces itself when a tracer provider is set, and argument 2 can be "openinference" besides."""

import asyncio
import sys

import world

provider = world.provider()
if "openinference" in sys.argv:
    from openinference.instrumentation.autogen_agentchat import AutogenAgentChatInstrumentor

    AutogenAgentChatInstrumentor().instrument(tracer_provider=provider)

from autogen_agentchat.agents import AssistantAgent  # noqa: E402
from autogen_agentchat.conditions import MaxMessageTermination  # noqa: E402
from autogen_agentchat.teams import RoundRobinGroupChat  # noqa: E402
from autogen_ext.models.openai import OpenAIChatCompletionClient  # noqa: E402


async def main():
    client = OpenAIChatCompletionClient(model=world.CHAT, base_url=f"{world.MODEL_URL}/v1", api_key="sk-local", max_retries=0)
    agent = AssistantAgent("weather_agent", client, tools=[world.get_weather], reflect_on_tool_use=True)
    if sys.argv[1] == "agent":
        print((await agent.run(task="What is the weather in Paris?")).messages[-1])
    else:
        team = RoundRobinGroupChat([agent], termination_condition=MaxMessageTermination(3))
        await team.run(task=world.QUESTION)


asyncio.run(main())
provider.shutdown()
