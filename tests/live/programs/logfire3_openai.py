"""Logfire 3 with its OpenAI instrumentation, exporting to us only."""
# requires: logfire==3.25.0 openai<2

import logfire
from openai import OpenAI

logfire.configure(send_to_logfire=False, console=False, service_name="live")
logfire.instrument_openai()
client = OpenAI()
with logfire.span("rag query {question}", question="What is the capital of France?", _tags=["rag"]) as span:
    with logfire.span("retrieve", query="What is the capital of France?") as retrieve:
        retrieve.set_attribute("documents", [{"id": "doc-1", "text": "Paris is the capital of France.", "score": 0.9}])
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is the capital of France?"}]
    answer = client.chat.completions.create(model="gpt-4o-mini", messages=messages, temperature=0.2)
    span.set_attribute("answer", answer.choices[0].message.content)
logfire.shutdown()
