"""A Haystack pipeline, traced by Haystack itself with content tracing on."""
# requires: haystack-ai opentelemetry-sdk opentelemetry-exporter-otlp

import os

os.environ.setdefault("HAYSTACK_CONTENT_TRACING_ENABLED", "true")

import haystack.tracing
from haystack import Document, Pipeline
from haystack.components.builders import ChatPromptBuilder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
from haystack.dataclasses import ChatMessage
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.tracing.opentelemetry import OpenTelemetryTracer
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
haystack.tracing.enable_tracing(OpenTelemetryTracer(provider.get_tracer("haystack")))
store = InMemoryDocumentStore()
store.write_documents([Document(id="doc-1", content="Paris is the capital of France.", meta={"source": "geo.md"})])
template = [ChatMessage.from_system("Be brief."), ChatMessage.from_user("{% for d in documents %}{{d.content}}{% endfor %} {{question}}")]
pipeline = Pipeline()
pipeline.add_component("retriever", InMemoryBM25Retriever(store, top_k=1))
pipeline.add_component("prompt", ChatPromptBuilder(template=template, required_variables="*"))
pipeline.add_component("llm", OpenAIChatGenerator(model="gpt-4o-mini", generation_kwargs={"temperature": 0.2}))
pipeline.connect("retriever.documents", "prompt.documents")
pipeline.connect("prompt.prompt", "llm.messages")
question = "What is the capital of France?"
pipeline.run({"retriever": {"query": question}, "prompt": {"question": question}})
provider.shutdown()
