"""Semantic Kernel's own diagnostics; content arrives in log events."""
# requires: semantic-kernel opentelemetry-sdk opentelemetry-exporter-otlp

import asyncio
import logging
import os

os.environ.setdefault("SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS", "true")
os.environ.setdefault("SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS_SENSITIVE", "true")

from openai import AsyncOpenAI
from opentelemetry import _logs, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion
from semantic_kernel.functions import KernelArguments

provider, logs = TracerProvider(), LoggerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter()))
trace.set_tracer_provider(provider)
_logs.set_logger_provider(logs)
logging.getLogger().addHandler(LoggingHandler(logger_provider=logs))
logging.getLogger().setLevel(logging.INFO)
kernel = Kernel()
kernel.add_service(OpenAIChatCompletion("gpt-4o-mini", async_client=AsyncOpenAI(base_url=os.environ["OPENAI_BASE_URL"], api_key="local")))
asyncio.run(kernel.invoke_prompt("What is the capital of France?", arguments=KernelArguments()))
logs.shutdown()
provider.shutdown()
