"""An application on OpenAI's client alone: chat and responses, tools, streams, embeddings, a failing call."""

from __future__ import annotations

import sys
from typing import Any

import world

TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
}


def rag(client: Any) -> str:
    client.embeddings.create(model=world.EMBEDDING, input=world.QUESTION)
    return client.chat.completions.create(
        model=world.CHAT, messages=world.rag_messages(world.DOCUMENTS[:2]), temperature=0.2, max_tokens=99
    )


def tools(client: Any) -> str:
    return world.ask_weather(client, stream=True, question="What is the weather in Paris and in Oslo?")


def plain(client: Any) -> None:
    world.plain_calls(client)


def responses(client: Any) -> None:
    tool = {"type": "function", "strict": False} | world.TOOL["function"]  # type: ignore[operator]
    client.responses.create(model=world.CHAT, instructions="Be brief.", input="What is the weather in Paris?", tools=[tool])
    with client.responses.stream(model=world.CHAT, input=world.QUESTION, temperature=0.3) as events:
        for _ in events:
            pass


def image(client: Any) -> None:
    parts = [
        {"type": "text", "text": world.QUESTION},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    ]
    client.chat.completions.create(
        model=world.CHAT, messages=[{"role": "developer", "content": "Be brief."}, {"role": "user", "content": parts}]
    )


SCENARIOS = {"rag": rag, "tools": tools, "plain": plain, "responses": responses, "image": image}


def run() -> None:
    SCENARIOS[sys.argv[1]](world.openai_client())
