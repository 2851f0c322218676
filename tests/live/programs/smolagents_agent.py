"""A smolagents tool-calling agent under OpenInference's instrumentation."""
# requires: smolagents[openai] openinference-instrumentation-smolagents opentelemetry-sdk opentelemetry-exporter-otlp

import os

from openinference.instrumentation.smolagents import SmolagentsInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from smolagents import OpenAIServerModel, ToolCallingAgent, tool

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
SmolagentsInstrumentor().instrument(tracer_provider=provider)


@tool
def get_weather(city: str) -> str:
    """Weather for a city.

    Args:
        city: the city
    """
    return f"18C sunny in {city}"


model = OpenAIServerModel("gpt-4o-mini", api_base=os.environ["OPENAI_BASE_URL"], api_key="local")
ToolCallingAgent(tools=[get_weather], model=model, max_steps=3).run("What is the weather in Paris?")
provider.shutdown()
