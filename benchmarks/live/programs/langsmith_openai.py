"""OpenAI's client, traced by LangSmith's wrapper and decorator in OpenTelemetry mode."""

import sys

import openai_app
import world
from langsmith import Client, traceable
from langsmith.wrappers import wrap_openai

client = wrap_openai(world.openai_client())
world.openai_client = lambda: client


@traceable(run_type="retriever")
def retrieve(query):
    return [
        {"page_content": d["content"], "type": "Document", "metadata": d["metadata"] | {"score": d["score"]}}
        for d in world.search(query, id=0)
    ]


@traceable(run_type="tool")
def get_weather(city):
    return world.get_weather(city)


@traceable(run_type="chain")
def weather_agent(question):
    world.RUN_TOOL = get_weather
    return world.ask_weather(client, question=question)


@traceable(run_type="chain", metadata={"session_id": "sess-42", "user_id": "user-7"}, tags=["rag", "prod"])
def rag_query(question):
    documents = [{"content": d["page_content"]} for d in retrieve(question)]
    said = client.chat.completions.create(model=world.CHAT, messages=world.rag_messages(documents), temperature=0.2)
    return said.choices[0].message.content


if sys.argv[1] == "rag":
    world.expect("rag_query", kind="chain", input_contains=world.QUESTION, output_contains="Paris is the capital of France.")
    world.expect_trace(session_id="sess-42", user_id="user-7", tags=["rag", "prod"])
    rag_query(world.QUESTION)
elif sys.argv[1] == "agent":
    world.expect("weather_agent", kind="chain", output_contains="It is 18 degrees and sunny in Paris.")
    weather_agent("What is the weather in Paris?")
else:
    openai_app.run()
Client().flush()
import opentelemetry.trace as trace  # noqa: E402

trace.get_tracer_provider().force_flush()
