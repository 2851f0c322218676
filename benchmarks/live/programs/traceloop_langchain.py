"""LangChain, traced by OpenLLMetry."""

import world
from traceloop.sdk import Traceloop

Traceloop.init(app_name="rag-demo", disable_batch=True, telemetry_enabled=False)
Traceloop.set_association_properties({"session_id": "sess-42", "user_id": "user-7"})

import langchain_app  # noqa: E402

langchain_app.run()
world.expect_trace(session_id="sess-42", user_id="user-7")
