"""OpenAI's Agents SDK under OpenInference's instrumentation."""
# requires: openai-agents openinference-instrumentation-openai-agents opentelemetry-sdk opentelemetry-exporter-otlp

import asyncio

from agents import Agent, Runner, function_tool, set_tracing_disabled
from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)
set_tracing_disabled(False)


@function_tool
def get_weather(city: str) -> str:
    """Weather for a city."""
    return f"18C sunny in {city}"


agent = Agent(name="weather_agent", instructions="You are a weather assistant.", tools=[get_weather], model="gpt-4o-mini")
asyncio.run(Runner.run(agent, "What is the weather in Paris?"))
provider.shutdown()
