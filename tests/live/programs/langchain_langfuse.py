"""LangChain with Langfuse's callback handler."""
# requires: langchain langchain-openai langgraph langfuse

import os

os.environ.setdefault("LANGFUSE_HOST", os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"])
os.environ.setdefault("LANGFUSE_BASE_URL", os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"])
os.environ.setdefault("LANGFUSE_PUBLIC_KEY", "pk-lf-local")
os.environ.setdefault("LANGFUSE_SECRET_KEY", "sk-lf-local")

from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langfuse import get_client
from langfuse.langchain import CallbackHandler

handler = CallbackHandler()


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
chain.invoke("What is the capital of France?", config={"callbacks": [handler]})
create_agent(model, [get_weather], system_prompt="You are a weather assistant.").invoke(
    {"messages": [("user", "What is the weather in Paris?")]}, config={"callbacks": [handler]}
)
get_client().flush()
