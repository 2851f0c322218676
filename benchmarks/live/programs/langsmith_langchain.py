"""LangChain, traced by LangSmith in its OpenTelemetry mode."""

import langchain_app
import world
from langsmith import Client

langchain_app.run({"metadata": {"session_id": "sess-42", "user_id": "user-7"}, "tags": ["rag", "prod"]})
world.expect_trace(session_id="sess-42", user_id="user-7", tags=["rag", "prod"])
Client().flush()
import opentelemetry.trace as trace  # noqa: E402

trace.get_tracer_provider().force_flush()
