"""LangChain under Traceloop's instrumentation."""
# requires: langchain langchain-openai langgraph traceloop-sdk httpx

import os

os.environ.setdefault("TRACELOOP_BASE_URL", os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"])
os.environ.setdefault("TRACELOOP_API_KEY", "local")
os.environ.setdefault("TRACELOOP_TELEMETRY", "false")

from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from traceloop.sdk import Traceloop

Traceloop.init(app_name="live", disable_batch=True)


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
