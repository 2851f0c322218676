"""An Agno agent, traced by OpenInference or OpenTelemetry."""

import sys

import world

provider = world.provider()

from agno.agent import Agent  # noqa: E402
from agno.models.openai import OpenAIChat  # noqa: E402

if "genai" in sys.argv:
    from opentelemetry.instrumentation.genai.agno import AgnoInstrumentor
else:
    from openinference.instrumentation.agno import AgnoInstrumentor

AgnoInstrumentor().instrument(tracer_provider=provider)
name = world.CHAT if sys.argv[1] == "agent" else world.BROKEN
model = OpenAIChat(id=name, base_url=f"{world.MODEL_URL}/v1", api_key="sk-local", max_retries=0)
agent = Agent(name="weather_agent", model=model, tools=[world.get_weather], telemetry=False, session_id="sess-42", user_id="user-7")
if sys.argv[1] == "agent":
    print(agent.run("What is the weather in Paris?").content)
    world.expect_trace(session_id="sess-42", user_id="user-7")
else:
    world.fails(agent.run, world.QUESTION)
provider.shutdown()
