"""A pydantic-ai agent: tool, stream, plain, failure, typed output; argument 2 is the version of its format, or "openinference"."""

import sys

import world
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = world.provider()
version = {"version": int(sys.argv[2])} if sys.argv[2:3] and sys.argv[2].isdigit() else {}
if "openinference" in sys.argv:
    from openinference.instrumentation.pydantic_ai import OpenInferenceSpanProcessor

    first, *others = provider._active_span_processor._span_processors  # the exporter must come after it
    provider._active_span_processor._span_processors = (OpenInferenceSpanProcessor(), first, *others)
try:
    from pydantic_ai.models.instrumented import InstrumentationSettings

    Agent.instrument_all(InstrumentationSettings(tracer_provider=provider, **version))
except (AttributeError, TypeError, ImportError):
    from pydantic_ai.capabilities import Instrumentation  # type: ignore[import-not-found]

    print("instrument_all is gone", Instrumentation)
    raise


class Answer(BaseModel):
    answer: str


def agent(name: str = world.CHAT, **options):
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=f"{world.MODEL_URL}/v1", api_key="sk-local", max_retries=0)
    return Agent(OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client)), name="weather_agent", **options)


async def stream() -> None:
    async with agent(instructions="Be brief.").run_stream(world.QUESTION) as result:
        await result.get_output()


if sys.argv[1] == "tools":
    made = agent(system_prompt="Be brief.")
    made.tool_plain(world.get_weather)
    world.expect("*agent*", kind="agent", output_contains="It is 18 degrees and sunny in Paris.")
    print(made.run_sync("What is the weather in Paris and in Oslo?").output)
elif sys.argv[1] == "typed":
    print(agent(output_type=Answer, instructions="Be brief.").run_sync(world.QUESTION).output)
elif sys.argv[1] == "stream":
    import asyncio

    asyncio.run(stream())
elif sys.argv[1] == "error":
    world.fails(agent(world.BROKEN).run_sync, world.QUESTION)
provider.shutdown()
