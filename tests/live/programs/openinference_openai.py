"""OpenInference's OpenAI instrumentation with hand-made spans around it: a small RAG."""
# requires: openinference-instrumentation-openai openai opentelemetry-sdk opentelemetry-exporter-otlp

from openai import OpenAI
from openinference.instrumentation import OITracer, TraceConfig, using_session
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
OpenAIInstrumentor().instrument(tracer_provider=provider)
tracer = OITracer(provider.get_tracer("live"), config=TraceConfig())
client = OpenAI()


@tracer.chain
def rag(question: str) -> str:
    with tracer.start_as_current_span("retrieve", openinference_span_kind="retriever") as span:
        span.set_input(question)
        client.embeddings.create(model="text-embedding-3-small", input=question)
        span.set_attribute("retrieval.documents.0.document.id", "doc-1")
        span.set_attribute("retrieval.documents.0.document.content", "Paris is the capital of France.")
        span.set_attribute("retrieval.documents.0.document.score", 0.9)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages, temperature=0.2).choices[0].message.content


with using_session("sess-42"):
    rag("What is the capital of France?")
provider.shutdown()
