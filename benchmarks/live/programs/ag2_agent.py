"""An AG2 agent, traced by OpenInference."""

import world

provider = world.provider()

from autogen import ConversableAgent, LLMConfig  # noqa: E402
from openinference.instrumentation.ag2 import AG2Instrumentor  # noqa: E402

AG2Instrumentor().instrument(tracer_provider=provider)
config = LLMConfig({"model": world.CHAT, "base_url": f"{world.MODEL_URL}/v1", "api_key": "sk-local"})
agent = ConversableAgent("weather_agent", llm_config=config, human_input_mode="NEVER")
print(agent.generate_reply(messages=[{"role": "user", "content": world.QUESTION}]))
world.expect("weather_agent*", kind="agent", input_contains=world.QUESTION, output_contains="Paris is the capital of France.")
provider.shutdown()
