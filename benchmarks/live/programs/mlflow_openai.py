"""OpenAI's client, traced by MLflow's autologging and decorators."""

import sys

import mlflow
import openai_app
import world
from mlflow.entities import SpanType

mlflow.openai.autolog()


@mlflow.trace(span_type=SpanType.RETRIEVER)
def retrieve(query):
    from mlflow.entities import Document

    return [Document(page_content=d["content"], metadata=d["metadata"] | {"score": d["score"]}, id=d["id"]) for d in world.search(query)]


@mlflow.trace(span_type=SpanType.TOOL)
def get_weather(city):
    return world.get_weather(city)


@mlflow.trace(span_type=SpanType.AGENT)
def weather_agent(question):
    world.RUN_TOOL = get_weather
    return world.ask_weather(world.openai_client(), question=question)


@mlflow.trace(span_type=SpanType.CHAIN)
def rag_query(question):
    documents = [{"content": d.page_content} for d in retrieve(question)]
    said = world.openai_client().chat.completions.create(model=world.CHAT, messages=world.rag_messages(documents), temperature=0.2)
    return said.choices[0].message.content


if sys.argv[1] == "rag":
    world.expect("rag_query", kind="chain", input_contains=world.QUESTION, output_contains="Paris is the capital of France.")
    rag_query(world.QUESTION)
elif sys.argv[1] == "agent":
    world.expect("weather_agent", kind="agent", output_contains="It is 18 degrees and sunny in Paris.")
    weather_agent("What is the weather in Paris?")
else:
    openai_app.run()
mlflow.flush_trace_async_logging()
