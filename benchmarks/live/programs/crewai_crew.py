"""A CrewAI crew, traced by OpenInference, or by OpenLLMetry where argument 2 says so."""

import sys

import world

provider = world.provider()

from crewai import LLM, Agent, Crew, Task  # noqa: E402
from crewai.tools import tool  # noqa: E402
from openinference.instrumentation.openai import OpenAIInstrumentor  # noqa: E402

if "openllmetry" in sys.argv:
    from opentelemetry.instrumentation.crewai import CrewAIInstrumentor
else:
    from openinference.instrumentation.crewai import CrewAIInstrumentor

CrewAIInstrumentor().instrument(tracer_provider=provider)
OpenAIInstrumentor().instrument(tracer_provider=provider)


@tool("get_weather")
def get_weather(city: str) -> str:
    """The weather in a city."""
    return world.get_weather(city)


llm = LLM(model=f"openai/{world.CHAT if sys.argv[1] == 'agent' else world.BROKEN}", base_url=f"{world.MODEL_URL}/v1", api_key="sk-local")
agent = Agent(
    role="Forecaster", goal="Tell the weather", backstory="A meteorologist", llm=llm, tools=[get_weather], max_iter=3, verbose=False
)
task = Task(description="What is the weather in Paris?", expected_output="One sentence", agent=agent)
crew = Crew(agents=[agent], tasks=[task], verbose=False)
if sys.argv[1] == "agent":
    print(crew.kickoff())
else:
    world.fails(crew.kickoff)
provider.shutdown()
