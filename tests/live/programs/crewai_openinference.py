"""A CrewAI crew of one under OpenInference's instrumentation."""
# requires: crewai openinference-instrumentation-crewai opentelemetry-sdk opentelemetry-exporter-otlp

import os

os.environ.setdefault("CREWAI_DISABLE_TELEMETRY", "true")
os.environ.setdefault("CREWAI_TRACING_ENABLED", "false")

from crewai import LLM, Agent, Crew, Task
from openinference.instrumentation.crewai import CrewAIInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
CrewAIInstrumentor().instrument(tracer_provider=provider)
llm = LLM(model="openai/gpt-4o-mini", base_url=os.environ["OPENAI_BASE_URL"], api_key="local")
agent = Agent(role="geographer", goal="answer questions", backstory="knows capitals", llm=llm)
task = Task(description="What is the capital of France?", expected_output="one sentence", agent=agent)
Crew(agents=[agent], tasks=[task]).kickoff()
provider.shutdown()
