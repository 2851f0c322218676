"""LlamaIndex, traced by OpenInference, OpenTelemetry or OpenLLMetry (argument 2): query engine, agent, stream, failing call."""

import world

provider = world.provider()

import asyncio  # noqa: E402
import sys  # noqa: E402

if sys.argv[2] == "genai":
    from opentelemetry.instrumentation.genai.llama_index import LlamaIndexInstrumentor
elif sys.argv[2] == "openllmetry":
    from opentelemetry.instrumentation.llamaindex import LlamaIndexInstrumentor
else:
    from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

LlamaIndexInstrumentor().instrument(tracer_provider=provider)

from llama_index.core import Settings, VectorStoreIndex  # noqa: E402
from llama_index.core.llms import ChatMessage  # noqa: E402
from llama_index.core.schema import TextNode  # noqa: E402
from llama_index.embeddings.openai import OpenAIEmbedding  # noqa: E402
from llama_index.llms.openai import OpenAI  # noqa: E402

MODEL = {"api_base": f"{world.MODEL_URL}/v1", "api_key": "sk-local", "max_retries": 0, "temperature": 0.2}
Settings.llm = OpenAI(model=world.CHAT, **MODEL)
Settings.embed_model = OpenAIEmbedding(model=world.EMBEDDING, api_base=f"{world.MODEL_URL}/v1", api_key="sk-local", max_retries=0)


def index():
    nodes = [TextNode(id_=d["id"], text=d["content"], metadata=d["metadata"]) for d in world.DOCUMENTS]
    return VectorStoreIndex(nodes)


def rag(streaming=False):
    engine = index().as_query_engine(similarity_top_k=2, streaming=streaming)
    answer = engine.query(world.QUESTION)
    if streaming:
        answer.print_response_stream()
    found = [
        {"id": n.node.node_id, "content": n.node.text, "score": round(n.score, 4), "metadata": n.node.metadata} for n in answer.source_nodes
    ]
    world.expect("VectorIndexRetriever.*retrieve", kind="retriever", documents=found)
    world.expect("VectorIndexRetriever.task", kind=["chain", "retriever"], query=world.QUESTION, documents=found)
    world.expect("RetrieverQueryEngine.query", kind="chain", output_contains="Paris is the capital of France.")


async def agent():
    from llama_index.core.agent.workflow import FunctionAgent
    from llama_index.core.tools import FunctionTool

    made = FunctionAgent(name="weather_agent", tools=[FunctionTool.from_defaults(world.get_weather)], llm=Settings.llm)
    print(await made.run("What is the weather in Paris?"))


def error():
    broken = OpenAI(model=f"ft:{world.CHAT}:{world.BROKEN}", **MODEL)  # a name whose context window LlamaIndex knows
    world.fails(broken.chat, [ChatMessage(role="user", content=world.QUESTION)])


if sys.argv[1] == "rag":
    rag()
elif sys.argv[1] == "stream":
    rag(streaming=True)
elif sys.argv[1] == "agent":
    asyncio.run(agent())
else:
    error()
provider.shutdown()
