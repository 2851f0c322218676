"""A LangChain application: retrieval chain, agent with a tool, streaming, a failing call. Tracing is the caller's business."""

from __future__ import annotations

import sys
from typing import Any

import world
from langchain.agents import create_agent
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnablePassthrough
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI


class Passages(BaseRetriever):
    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
        return [
            Document(id=d["id"], page_content=d["content"], metadata=d["metadata"] | {"score": d["score"]}) for d in world.search(query)
        ]


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return world.get_weather(city)


@tool
def broken_tool(city: str) -> str:
    """Always fails."""
    return world.broken_tool(city)


def model(name: str = world.CHAT, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(model=name, base_url=f"{world.MODEL_URL}/v1", api_key="sk-local", max_retries=0, temperature=0.2, **options)


def chain(llm: Any) -> Any:
    prompt = ChatPromptTemplate.from_messages([("system", world.SYSTEM), ("human", "Context:\n{context}\n\nQuestion: {question}")])
    documents = Passages() | (lambda found: "\n".join(document.page_content for document in found))
    return {"context": documents, "question": RunnablePassthrough()} | prompt | llm | StrOutputParser()


def rag(config: Any = None) -> str:
    return chain(model()).invoke(world.QUESTION, config=config)


def agent(config: Any = None) -> str:
    made = create_agent(model(), [get_weather], system_prompt="Be brief.", name="weather_agent")
    return made.invoke({"messages": [("user", "What is the weather in Paris and in Oslo?")]}, config=config)["messages"][-1].content


def stream(config: Any = None) -> str:
    return "".join(chain(model(stream_usage=True)).stream(world.QUESTION, config=config))


def error(config: Any = None) -> None:
    world.fails(chain(model(world.BROKEN)).invoke, world.QUESTION, config=config)
    world.fails(broken_tool.invoke, {"city": "Rome"}, config=config)


def run(config: Any = None) -> None:
    """The scenario named on the command line."""
    print({"rag": rag, "agent": agent, "stream": stream, "error": error}[sys.argv[1]](config))
