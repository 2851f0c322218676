"""OpenAI's client under Traceloop's SDK: workflow, task, agent and tool decorators."""

import sys

import openai_app
import world
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import agent, task, tool, workflow

Traceloop.init(app_name="rag-demo", disable_batch=True, telemetry_enabled=False)


@task(name="retrieve_docs")
def retrieve(query):
    return world.search(query, kind=["chain", "retriever"])


@tool(name="get_weather")
def get_weather(city):
    return world.get_weather(city)


@workflow(name="rag_query")
def rag():
    documents = retrieve(world.QUESTION)
    client = world.openai_client()
    client.embeddings.create(model=world.EMBEDDING, input=world.QUESTION)
    said = client.chat.completions.create(model=world.CHAT, messages=world.rag_messages(documents), temperature=0.2)
    return said.choices[0].message.content


@agent(name="weather_agent")
def weather():
    world.RUN_TOOL = get_weather
    return world.ask_weather(world.openai_client(), stream=True)


if sys.argv[1] == "rag":
    world.expect("rag_query.workflow", kind="chain", output_contains="Paris is the capital of France.")
    rag()
elif sys.argv[1] == "agent":
    world.expect("weather_agent.agent", kind="agent", output_contains="It is 18 degrees and sunny in Paris.")
    weather()
else:
    openai_app.run()
