"""OpenAI's client under Langfuse: its drop-in client and its @observe decorator."""

import json
import sys

import openai_app
import world
from langfuse import get_client, observe
from langfuse.openai import OpenAI

client = OpenAI(base_url=f"{world.MODEL_URL}/v1", api_key="sk-local", max_retries=0)
world.openai_client = lambda: client


@observe(as_type="retriever")
def retrieve(query):
    return world.search(query)


@observe(as_type="tool")
def get_weather(city):
    return world.get_weather(city)


@observe(as_type="agent")
def weather_agent(question):
    world.RUN_TOOL = get_weather
    return world.ask_weather(client, question=question)


@observe(as_type="chain")
def rag_query(question):
    documents = retrieve(question)
    said = client.chat.completions.create(model=world.CHAT, messages=world.rag_messages(documents), temperature=0.2)
    return {"answer": said.choices[0].message.content}


if sys.argv[1] == "rag":
    world.expect("rag_query", kind="chain", input_contains=world.QUESTION, output_contains="Paris is the capital of France.")
    rag_query(world.QUESTION)
elif sys.argv[1] == "agent":
    world.expect("weather_agent", kind="agent", output_contains="It is 18 degrees and sunny in Paris.")
    print(json.dumps(weather_agent("What is the weather in Paris?")))
else:
    openai_app.run()
get_client().shutdown()
