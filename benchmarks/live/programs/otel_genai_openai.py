"""OpenAI's client, traced by OpenTelemetry's own instrumentation."""

import openai_app
import world
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

provider = world.provider()
logs = world.log_provider()
OpenAIInstrumentor().instrument(tracer_provider=provider)
openai_app.run()
provider.shutdown()
logs.shutdown()
