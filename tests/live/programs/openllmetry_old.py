"""OpenLLMetry's OpenAI instrumentation in an older release: flattened messages, G1 token names."""
# requires: opentelemetry-instrumentation-openai==0.40.14 openai<2 opentelemetry-sdk opentelemetry-exporter-otlp

from openai import OpenAI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
OpenAIInstrumentor().instrument()
client = OpenAI()
with trace.get_tracer("app").start_as_current_span("handle_request"):
    client.embeddings.create(model="text-embedding-3-small", input="What is the capital of France?")
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is the capital of France?"}]
    client.chat.completions.create(model="gpt-4o-mini", messages=messages, temperature=0.2)
    tools = [
        {
            "type": "function",
            "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
        }
    ]
    client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Weather?"}], tools=tools)
    for _ in client.chat.completions.create(model="gpt-4o-mini", messages=messages, stream=True, stream_options={"include_usage": True}):
        pass
provider.shutdown()
