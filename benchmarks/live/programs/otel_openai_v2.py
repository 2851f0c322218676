"""OpenAI's client, traced by OpenTelemetry's own instrumentation (the older package)."""

import openai_app
import world
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

provider = world.provider()
logs = world.log_provider()
OpenAIInstrumentor().instrument(tracer_provider=provider)
openai_app.run()
provider.shutdown()
logs.shutdown()
