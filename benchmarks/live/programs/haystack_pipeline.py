"""Haystack pipelines, traced by Haystack itself (argument 2 = native), by OpenInference or by OpenLLMetry."""

import sys

import world

provider = world.provider()

from haystack import Document, Pipeline, tracing  # noqa: E402
from haystack.components.builders import ChatPromptBuilder  # noqa: E402
from haystack.components.embedders import OpenAITextEmbedder  # noqa: E402
from haystack.components.generators.chat import OpenAIChatGenerator  # noqa: E402
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever  # noqa: E402
from haystack.dataclasses import ChatMessage  # noqa: E402
from haystack.document_stores.in_memory import InMemoryDocumentStore  # noqa: E402
from haystack.utils import Secret  # noqa: E402

if sys.argv[2] == "native":
    try:
        from haystack.tracing import OpenTelemetryTracer
    except ImportError:  # Haystack 3
        from haystack_integrations.tracing.opentelemetry import OpenTelemetryTracer
    from opentelemetry import trace

    tracing.enable_tracing(OpenTelemetryTracer(trace.get_tracer("haystack")))
elif sys.argv[2] == "openllmetry":
    from opentelemetry.instrumentation.haystack import HaystackInstrumentor

    HaystackInstrumentor().instrument(tracer_provider=provider)
else:
    from openinference.instrumentation.haystack import HaystackInstrumentor

    HaystackInstrumentor().instrument(tracer_provider=provider)

KEY = {"api_key": Secret.from_token("sk-local"), "api_base_url": f"{world.MODEL_URL}/v1", "max_retries": 0}


def generator(model=world.CHAT, **options):
    return OpenAIChatGenerator(model=model, generation_kwargs={"temperature": 0.2}, **KEY, **options)


def rag(model=world.CHAT):
    store = InMemoryDocumentStore()
    store.write_documents([Document(id=d["id"], content=d["content"], meta=d["metadata"]) for d in world.DOCUMENTS])
    template = [
        ChatMessage.from_system(world.SYSTEM),
        ChatMessage.from_user("Context:\n{% for d in documents %}{{ d.content }}\n{% endfor %}\nQuestion: {{ question }}"),
    ]
    line = Pipeline()
    line.add_component("embedder", OpenAITextEmbedder(model=world.EMBEDDING, **KEY))
    line.add_component("retriever", InMemoryBM25Retriever(store, top_k=2))
    line.add_component("prompt", ChatPromptBuilder(template=template, required_variables="*"))
    line.add_component("llm", generator(model))
    line.connect("retriever.documents", "prompt.documents")
    line.connect("prompt.prompt", "llm.messages")
    asked = {"retriever": {"query": world.QUESTION}, "prompt": {"question": world.QUESTION}, "embedder": {"text": world.QUESTION}}
    found = line.run(asked, include_outputs_from={"retriever"})["retriever"]["documents"]
    shown = [{"id": d.id, "content": d.content, "score": round(d.score, 4), "metadata": d.meta} for d in found]
    facts = {"kind": "retriever", "query": world.QUESTION, "documents": shown}
    world.expect("haystack.component.run", where={"haystack.component.name": "retriever"}, **facts)
    world.expect("InMemoryBM25Retriever*", **facts)


def agent():
    from haystack.components.agents import Agent
    from haystack.tools import create_tool_from_function

    made = Agent(chat_generator=generator(), tools=[create_tool_from_function(world.get_weather)], system_prompt="Be brief.")
    made.warm_up()
    print(made.run(messages=[ChatMessage.from_user("What is the weather in Paris?")])["messages"][-1].text)


{"rag": rag, "agent": agent, "error": lambda: world.fails(rag, world.BROKEN)}[sys.argv[1]]()
provider.shutdown()
