"""OpenAI's client, traced by OpenInference."""

import openai_app
import world
from openinference.instrumentation.openai import OpenAIInstrumentor

provider = world.provider()
OpenAIInstrumentor().instrument(tracer_provider=provider)
openai_app.run()
provider.shutdown()
