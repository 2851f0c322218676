"""A Chroma query under OpenLLMetry's vector database instrumentation."""
# requires: chromadb opentelemetry-instrumentation-chromadb opentelemetry-sdk opentelemetry-exporter-otlp

import chromadb
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.chromadb import ChromaInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
ChromaInstrumentor().instrument()
collection = chromadb.EphemeralClient().create_collection("kb")
collection.add(ids=["doc-1"], documents=["Paris is the capital of France."], embeddings=[[0.1, 0.2]], metadatas=[{"source": "geo.md"}])
with trace.get_tracer("app").start_as_current_span("handle_request"):
    collection.query(query_embeddings=[[0.1, 0.2]], n_results=1)
provider.shutdown()
