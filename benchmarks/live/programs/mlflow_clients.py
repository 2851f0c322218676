"""Anthropic's and Gemini's clients, traced by MLflow's autologging; argument 1 names the client."""

import sys

import mlflow
import world

QUESTION = "What is the weather in Paris?"


def anthropic():
    mlflow.anthropic.autolog()
    from anthropic import Anthropic

    client = Anthropic(base_url=world.MODEL_URL, api_key="sk-local", max_retries=0)
    tool = {"name": "get_weather", "description": "The weather in a city.", "input_schema": world.TOOL["function"]["parameters"]}
    shared = {"model": "claude-sonnet-4-5", "max_tokens": 99, "tools": [tool], "system": "Be brief."}
    messages = [{"role": "user", "content": QUESTION}]
    said = client.messages.create(messages=messages, **shared)
    messages.append({"role": "assistant", "content": [block.model_dump(include={"type", "id", "name", "input"}) for block in said.content]})
    results = [{"type": "tool_result", "tool_use_id": b.id, "content": world.WEATHER["Paris"]} for b in said.content]
    client.messages.create(messages=[*messages, {"role": "user", "content": results}], **shared)
    world.fails(client.messages.create, model=world.BROKEN, max_tokens=9, messages=[{"role": "user", "content": world.QUESTION}])


def gemini():
    mlflow.gemini.autolog()
    from google import genai

    client = genai.Client(api_key="local", http_options={"base_url": world.MODEL_URL})
    client.models.generate_content(model="gemini-2.5-flash", contents=world.QUESTION, config={"system_instruction": "Be brief."})
    world.fails(client.models.generate_content, model=world.BROKEN, contents=world.QUESTION)


{"anthropic": anthropic, "gemini": gemini}[sys.argv[1]]()
mlflow.flush_trace_async_logging()
