"""OpenTelemetry's own OpenAI instrumentation; content only in log events, which is what its default gives once content is switched on."""
# requires: opentelemetry-instrumentation-openai-v2 openai opentelemetry-sdk opentelemetry-exporter-otlp

import os

os.environ.setdefault("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")

from openai import OpenAI
from opentelemetry import _logs, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider, logs = TracerProvider(), LoggerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter()))
trace.set_tracer_provider(provider)
_logs.set_logger_provider(logs)
OpenAIInstrumentor().instrument()
client = OpenAI()
with trace.get_tracer("app").start_as_current_span("handle_request", attributes={"session.id": "sess-42"}):
    client.embeddings.create(model="text-embedding-3-small", input="What is the capital of France?")
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is the capital of France?"}]
    client.chat.completions.create(model="gpt-4o-mini", messages=messages, temperature=0.2)
logs.shutdown()
provider.shutdown()
