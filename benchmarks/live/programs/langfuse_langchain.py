"""LangChain, traced by Langfuse's callback handler."""

import langchain_app
import world
from langfuse import get_client, propagate_attributes
from langfuse.langchain import CallbackHandler

client = get_client()
with propagate_attributes(session_id="sess-42", user_id="user-7", tags=["rag", "prod"]):
    langchain_app.run({"callbacks": [CallbackHandler()]})
world.expect_trace(session_id="sess-42", user_id="user-7", tags=["rag", "prod"])
client.flush()
client.shutdown()
