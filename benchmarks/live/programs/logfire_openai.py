"""OpenAI's client, traced by Logfire."""

import logfire
import openai_app
import world

logfire.configure(send_to_logfire=False, service_name="rag-demo", console=False)
logfire.instrument_openai()
with logfire.span("rag query", question=world.QUESTION):
    openai_app.run()
logfire.shutdown()
