"""DSPy under OpenInference's instrumentations of DSPy and LiteLLM: one call, two LLM spans."""
# requires: dspy openinference-instrumentation-dspy openinference-instrumentation-litellm opentelemetry-sdk opentelemetry-exporter-otlp

import os

import dspy
from openinference.instrumentation.dspy import DSPyInstrumentor
from openinference.instrumentation.litellm import LiteLLMInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
DSPyInstrumentor().instrument(tracer_provider=provider)
LiteLLMInstrumentor().instrument(tracer_provider=provider)
dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", api_base=os.environ["OPENAI_BASE_URL"], api_key="local", cache=False))
dspy.ChainOfThought("question -> answer")(question="What is the capital of France?")
provider.shutdown()
