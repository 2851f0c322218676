"""LiteLLM with its own OpenTelemetry callback."""

import sys

import litellm
import world

litellm.callbacks = ["otel"]
litellm.telemetry = False
BASE = {"api_base": f"{world.MODEL_URL}/v1", "api_key": "sk-local", "num_retries": 0, "max_retries": 0}


def run():
    if sys.argv[1] == "plain":
        litellm.completion(model=f"openai/{world.CHAT}", messages=world.rag_messages(world.DOCUMENTS[:2]), temperature=0.2, **BASE)
        for _ in litellm.completion(
            model=f"openai/{world.CHAT}",
            messages=[{"role": "user", "content": world.QUESTION}],
            stream=True,
            stream_options={"include_usage": True},
            **BASE,
        ):
            pass
        litellm.embedding(model=f"openai/{world.EMBEDDING}", input=["first text", "second text"], **BASE)
    elif sys.argv[1] == "tools":
        litellm.completion(
            model=f"openai/{world.CHAT}",
            messages=[{"role": "user", "content": "What is the weather in Paris?"}],
            tools=[world.TOOL],
            **BASE,
        )
    elif sys.argv[1] == "anthropic":
        litellm.completion(
            model="anthropic/claude-sonnet-4-5",
            messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": world.QUESTION}],
            api_base=world.MODEL_URL,
            api_key="sk-local",
        )
    else:
        world.fails(litellm.completion, model=f"openai/{world.BROKEN}", messages=[{"role": "user", "content": world.QUESTION}], **BASE)


run()
import time  # noqa: E402

time.sleep(2)
from opentelemetry import trace  # noqa: E402

flush = getattr(trace.get_tracer_provider(), "force_flush", None)
for callback in litellm.callbacks + litellm.success_callback:
    for name in ("tracer_provider", "_tracer_provider", "span_processor"):
        found = getattr(callback, name, None)
        if found is not None and hasattr(found, "force_flush"):
            found.force_flush()
if flush:
    flush()
