"""MLflow tracing with OpenAI autologging, exported over OTLP."""
# requires: mlflow-skinny<3.18 openai opentelemetry-exporter-otlp

import os

os.environ.setdefault("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/traces")
os.environ.setdefault("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")
os.environ.setdefault("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")

import mlflow
from mlflow.entities import Document, SpanType
from openai import OpenAI

mlflow.openai.autolog()
client = OpenAI()


@mlflow.trace(span_type=SpanType.RETRIEVER)
def retrieve(question: str) -> list[Document]:
    return [Document(id="doc-1", page_content="Paris is the capital of France.", metadata={"doc_uri": "doc-1", "score": 0.9})]


@mlflow.trace(span_type=SpanType.CHAIN)
def rag(question: str) -> str:
    retrieve(question)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages, temperature=0.2).choices[0].message.content


rag("What is the capital of France?")
