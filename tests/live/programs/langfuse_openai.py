"""Langfuse's SDK: its OpenAI wrapper and @observe."""
# requires: langfuse openai

import os

os.environ.setdefault("LANGFUSE_HOST", os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"])
os.environ.setdefault("LANGFUSE_BASE_URL", os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"])
os.environ.setdefault("LANGFUSE_PUBLIC_KEY", "pk-lf-local")
os.environ.setdefault("LANGFUSE_SECRET_KEY", "sk-lf-local")

from langfuse import get_client, observe
from langfuse.openai import OpenAI

client = OpenAI()


@observe(as_type="retriever")
def retrieve(question: str) -> list[dict]:
    return [{"id": "doc-1", "text": "Paris is the capital of France.", "score": 0.9, "meta": {"source": "geo.md"}}]


@observe()
def rag(question: str) -> str:
    retrieve(question)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
    return client.chat.completions.create(model="gpt-4o-mini", messages=messages, temperature=0.2).choices[0].message.content


rag("What is the capital of France?")
get_client().flush()
