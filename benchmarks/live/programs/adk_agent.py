"""A Google ADK agent; it traces itself when a tracer provider is set."""

import asyncio

import world

provider = world.provider()

from google.adk.agents import LlmAgent  # noqa: E402
from google.adk.models.lite_llm import LiteLlm  # noqa: E402
from google.adk.runners import InMemoryRunner  # noqa: E402
from google.genai import types  # noqa: E402


async def main():
    model = LiteLlm(model=f"openai/{world.CHAT}", api_base=f"{world.MODEL_URL}/v1", api_key="sk-local")
    agent = LlmAgent(name="weather_agent", model=model, instruction="Be brief.", tools=[world.get_weather])
    runner = InMemoryRunner(agent=agent, app_name="weather")
    session = await runner.session_service.create_session(app_name="weather", user_id="user-7")
    asked = types.Content(role="user", parts=[types.Part(text="What is the weather in Paris?")])
    async for event in runner.run_async(user_id="user-7", session_id=session.id, new_message=asked):
        print(event.content)


asyncio.run(main())
provider.shutdown()
