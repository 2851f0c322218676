"""Typed answers by Instructor over OpenAI's client, traced by OpenInference's instrumentations of both."""

import sys

import instructor
import world
from openinference.instrumentation.instructor import InstructorInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor
from pydantic import BaseModel

provider = world.provider()
InstructorInstrumentor().instrument(tracer_provider=provider)
OpenAIInstrumentor().instrument(tracer_provider=provider)


class final_result(BaseModel):  # noqa: N801  (the name of the tool, which the model server knows)
    answer: str


client = instructor.from_openai(world.openai_client())
if sys.argv[1] == "typed":
    made = client.chat.completions.create(
        model=world.CHAT, messages=[{"role": "user", "content": world.QUESTION}], response_model=final_result
    )
    print(made)
else:
    world.fails(
        client.chat.completions.create,
        model=world.BROKEN,
        messages=[{"role": "user", "content": world.QUESTION}],
        response_model=final_result,
        max_retries=1,
    )
provider.shutdown()
