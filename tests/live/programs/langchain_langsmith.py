"""LangChain with LangSmith's tracer over OTLP."""
# requires: langchain langchain-openai langgraph langsmith[otel]

import os

os.environ.setdefault("LANGSMITH_TRACING", "true")
os.environ.setdefault("LANGSMITH_OTEL_ENABLED", "true")
os.environ.setdefault("LANGSMITH_OTEL_ONLY", "true")
os.environ.setdefault("LANGSMITH_API_KEY", "local")

from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)


class Fixed(BaseRetriever):
    def _get_relevant_documents(self, query, *, run_manager):
        return [Document(id="doc-1", page_content="Paris is the capital of France.", metadata={"source": "geo.md", "score": 0.9})]


@tool
def get_weather(city: str) -> str:
    """Weather for a city."""
    return f"18C sunny in {city}"


model = ChatOpenAI(model="gpt-4o-mini", temperature=0.2)
prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "{context}\n{question}")])
chain = {"context": Fixed() | (lambda docs: docs[0].page_content), "question": lambda question: question} | prompt | model
chain.invoke("What is the capital of France?")
create_agent(model, [get_weather], system_prompt="You are a weather assistant.").invoke(
    {"messages": [("user", "What is the weather in Paris?")]}
)
from langchain_core.tracers.langchain import wait_for_all_tracers

wait_for_all_tracers()
provider.shutdown()
