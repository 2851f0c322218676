"""Semantic Kernel; it traces itself when its two switches are on."""

import asyncio
import sys

import world

provider = world.provider()
logs = world.log_provider()
import logging  # noqa: E402

from opentelemetry.sdk._logs import LoggingHandler  # noqa: E402

logging.getLogger().addHandler(LoggingHandler(logger_provider=logs))
logging.getLogger().setLevel(logging.INFO)

from openai import AsyncOpenAI  # noqa: E402
from semantic_kernel import Kernel  # noqa: E402
from semantic_kernel.agents import ChatCompletionAgent  # noqa: E402
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion  # noqa: E402
from semantic_kernel.functions import kernel_function  # noqa: E402


class Weather:
    @kernel_function(name="get_weather", description="The weather in a city.")
    def get_weather(self, city: str) -> str:
        return world.weather_in(city, "Weather-get_weather")


def service(name=world.CHAT):
    client = AsyncOpenAI(base_url=f"{world.MODEL_URL}/v1", api_key="sk-local", max_retries=0)
    return OpenAIChatCompletion(ai_model_id=name, async_client=client)


async def main():
    if sys.argv[1] == "agent":
        agent = ChatCompletionAgent(service=service(), name="weather_agent", instructions="Be brief.", plugins=[Weather()])
        print(await agent.get_response("What is the weather in Paris?"))
        return
    kernel = Kernel()
    kernel.add_service(service(world.CHAT if sys.argv[1] == "plain" else world.BROKEN))
    try:
        print(await kernel.invoke_prompt(world.QUESTION))
        async for _ in kernel.invoke_prompt_stream(world.QUESTION):
            pass
    except Exception as error:  # noqa: BLE001
        print("failed as meant:", type(error).__name__)


asyncio.run(main())
provider.shutdown()
logs.shutdown()
