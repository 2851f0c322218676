"""The clients of other hosts of models (Groq, Mistral, Cohere, Ollama); argument 1 names the client, argument 2 the instrumentation."""

import importlib
import sys

import world

provider = world.provider()
INSTRUMENTORS = {
    ("groq", "openinference"): "openinference.instrumentation.groq:GroqInstrumentor",
    ("mistral", "openinference"): "openinference.instrumentation.mistralai:MistralAIInstrumentor",
    ("groq", "openllmetry"): "opentelemetry.instrumentation.groq:GroqInstrumentor",
    ("mistral", "openllmetry"): "opentelemetry.instrumentation.mistralai:MistralAiInstrumentor",
    ("cohere", "openllmetry"): "opentelemetry.instrumentation.cohere:CohereInstrumentor",
    ("ollama", "openllmetry"): "opentelemetry.instrumentation.ollama:OllamaInstrumentor",
}
client_name, way = sys.argv[1:3]
module, _, name = INSTRUMENTORS[client_name, way].partition(":")
getattr(importlib.import_module(module), name)().instrument(tracer_provider=provider)

TOOLS = [world.TOOL]
BRIEF = {"role": "system", "content": "Be brief."}
QUESTION = {"role": "user", "content": "What is the weather in Paris?"}


def answered(call_id):
    return {"role": "tool", "tool_call_id": call_id, "content": world.WEATHER["Paris"]}


def groq():
    from groq import Groq

    client = Groq(base_url=world.MODEL_URL, api_key="sk-local", max_retries=0)
    create = client.chat.completions.create
    first = create(model="llama-3.3-70b-versatile", messages=[BRIEF, QUESTION], tools=TOOLS, temperature=0.2)
    said = first.choices[0].message
    turns = [BRIEF, QUESTION, {"role": "assistant", "tool_calls": [call.model_dump() for call in said.tool_calls]}]
    create(model="llama-3.3-70b-versatile", messages=[*turns, answered(said.tool_calls[0].id)], tools=TOOLS)
    for _ in create(model="llama-3.3-70b-versatile", messages=[{"role": "user", "content": world.QUESTION}], stream=True):
        pass
    world.fails(create, model=world.BROKEN, messages=[{"role": "user", "content": world.QUESTION}])


def mistral():
    try:
        from mistralai import Mistral
    except ImportError:
        from mistralai.client import Mistral

    client = Mistral(server_url=world.MODEL_URL, api_key="sk-local")
    create = client.chat.complete
    first = create(model="mistral-small-latest", messages=[BRIEF, QUESTION], tools=TOOLS, temperature=0.2)
    said = first.choices[0].message
    turns = [BRIEF, QUESTION, {"role": "assistant", "content": "", "tool_calls": [call.model_dump() for call in said.tool_calls]}]
    create(model="mistral-small-latest", messages=[*turns, answered(said.tool_calls[0].id)], tools=TOOLS)
    for _ in client.chat.stream(model="mistral-small-latest", messages=[{"role": "user", "content": world.QUESTION}]):
        pass
    client.embeddings.create(model="mistral-embed", inputs=["first text", "second text"])
    world.fails(create, model=world.BROKEN, messages=[{"role": "user", "content": world.QUESTION}])


def cohere():
    from cohere import ClientV2

    client = ClientV2(api_key="sk-local", base_url=world.MODEL_URL)
    first = client.chat(model="command-r-plus", messages=[BRIEF, QUESTION], tools=TOOLS, temperature=0.2)
    call = first.message.tool_calls[0]
    turns = [BRIEF, QUESTION, {"role": "assistant", "tool_calls": [call.model_dump()]}]
    client.chat(model="command-r-plus", messages=[*turns, answered(call.id)], tools=TOOLS)
    client.rerank(model="rerank-v3.5", query=world.QUESTION, documents=[d["content"] for d in world.DOCUMENTS], top_n=2)


def ollama():
    from ollama import Client

    client = Client(host=world.MODEL_URL)
    first = client.chat(model="llama3.2", messages=[BRIEF, QUESTION], tools=TOOLS, options={"temperature": 0.2})
    said = first.message.model_dump(exclude_none=True)
    client.chat(model="llama3.2", messages=[BRIEF, QUESTION, said, {"role": "tool", "content": world.WEATHER["Paris"]}], tools=TOOLS)


{"groq": groq, "mistral": mistral, "cohere": cohere, "ollama": ollama}[client_name]()
provider.shutdown()
