"""A LlamaIndex query engine under OpenInference's instrumentation."""
# requires: llama-index-core llama-index-llms-openai llama-index-embeddings-openai openinference-instrumentation-llama-index opentelemetry-sdk opentelemetry-exporter-otlp

import os

from llama_index.core import Document, Settings, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.llms.openai import OpenAI
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
LlamaIndexInstrumentor().instrument(tracer_provider=provider)
Settings.llm = OpenAI(model="gpt-4o-mini", api_base=os.environ["OPENAI_BASE_URL"], api_key="local")
Settings.embed_model = MockEmbedding(embed_dim=8)
index = VectorStoreIndex.from_documents([Document(doc_id="doc-1", text="Paris is the capital of France.", metadata={"source": "geo.md"})])
index.as_query_engine(similarity_top_k=1).query("What is the capital of France?")
provider.shutdown()
