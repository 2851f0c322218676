"""OpenAI's client, traced by OpenLIT."""

import openai_app
import openlit
from opentelemetry import trace

openlit.init(application_name="rag-demo", environment="test", disable_metrics=True)
openai_app.run()
trace.get_tracer_provider().force_flush()
