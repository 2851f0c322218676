"""An AutoGen assistant with a tool; AutoGen traces itself."""
# requires: autogen-agentchat autogen-ext[openai] opentelemetry-sdk opentelemetry-exporter-otlp

import asyncio
import os

from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)


async def get_weather(city: str) -> str:
    """Weather for a city."""
    return f"18C sunny in {city}"


async def main() -> None:
    client = OpenAIChatCompletionClient(model="gpt-4o-mini", base_url=os.environ["OPENAI_BASE_URL"], api_key="local")
    await AssistantAgent("weather_agent", model_client=client, tools=[get_weather]).run(task="What is the weather in Paris?")


asyncio.run(main())
provider.shutdown()
