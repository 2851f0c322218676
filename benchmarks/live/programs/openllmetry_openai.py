"""OpenAI's client, traced by OpenLLMetry's instrumentation without its SDK."""

import openai_app
import world
from opentelemetry.instrumentation.openai import OpenAIInstrumentor

provider = world.provider()
OpenAIInstrumentor().instrument(tracer_provider=provider)
openai_app.run()
provider.shutdown()
