"""LangChain, traced by OpenInference."""

import world

provider = world.provider()

import langchain_app  # noqa: E402
from openinference.instrumentation import using_attributes  # noqa: E402
from openinference.instrumentation.langchain import LangChainInstrumentor  # noqa: E402

LangChainInstrumentor().instrument(tracer_provider=provider)
with using_attributes(session_id="sess-42", user_id="user-7", tags=["rag", "prod"], metadata={"tenant": "acme"}):
    langchain_app.run()
world.expect_trace(session_id="sess-42", user_id="user-7", tags=["rag", "prod"])
provider.shutdown()
