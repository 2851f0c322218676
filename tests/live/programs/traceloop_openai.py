"""Traceloop's SDK: decorators around an instrumented client."""
# requires: traceloop-sdk openai httpx

import os

os.environ.setdefault("TRACELOOP_BASE_URL", os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"])
os.environ.setdefault("TRACELOOP_API_KEY", "local")
os.environ.setdefault("TRACELOOP_TELEMETRY", "false")

from openai import OpenAI
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import task, workflow

Traceloop.init(app_name="live", disable_batch=True)
client = OpenAI()


@task(name="retrieve_docs")
def retrieve(question: str) -> list[dict]:
    return [{"id": "doc-1", "text": "Paris is the capital of France.", "score": 0.9, "meta": {"source": "geo.md"}}]


@workflow(name="rag")
def rag(question: str) -> str:
    retrieve(question)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages, temperature=0.2).choices[0].message.content


Traceloop.set_association_properties({"session_id": "sess-42"})
rag("What is the capital of France?")
