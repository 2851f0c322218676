"""Anthropic's and Gemini's clients, traced by MLflow's autologging; argument 1 names the client."""

import sys

import mlflow
import world


def anthropic():
    mlflow.anthropic.autolog()
    client = world.anthropic_client()
    world.ask_weather_of_claude(client)
    world.fail_with_claude(client)


def gemini():
    mlflow.gemini.autolog()
    from google import genai

    client = genai.Client(api_key="local", http_options={"base_url": world.MODEL_URL})
    client.models.generate_content(model="gemini-2.5-flash", contents=world.QUESTION, config={"system_instruction": "Be brief."})
    world.fails(client.models.generate_content, model=world.BROKEN, contents=world.QUESTION)


{"anthropic": anthropic, "gemini": gemini}[sys.argv[1]]()
mlflow.flush_trace_async_logging()
