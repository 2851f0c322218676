"""LangChain, traced by OpenTelemetry's own instrumentation."""

import world

provider = world.provider()

import langchain_app  # noqa: E402
from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor  # noqa: E402

LangChainInstrumentor().instrument(tracer_provider=provider)
langchain_app.run()
provider.shutdown()
