"""Vector databases in memory, traced by OpenLLMetry; argument 1 names the client."""

import sys

import world

provider = world.provider()
VECTORS = [[0.9, 0.1, 0.0], [0.7, 0.3, 0.0], [0.0, 0.2, 0.9]]
ASKED = [1.0, 0.0, 0.0]


def chroma():
    from opentelemetry.instrumentation.chromadb import ChromaInstrumentor

    ChromaInstrumentor().instrument(tracer_provider=provider)
    import chromadb
    from chromadb.config import Settings

    collection = chromadb.EphemeralClient(Settings(anonymized_telemetry=False)).create_collection("passages")
    collection.add(
        ids=[d["id"] for d in world.DOCUMENTS],
        documents=[d["content"] for d in world.DOCUMENTS],
        metadatas=[d["metadata"] for d in world.DOCUMENTS],
        embeddings=VECTORS,
    )
    found = collection.query(query_embeddings=[ASKED], n_results=2)
    shown = [
        {"id": i, "content": c, "metadata": m}
        for i, c, m in zip(found["ids"][0], found["documents"][0], found["metadatas"][0], strict=True)
    ]
    world.expect("chroma.query", kind="retriever", documents=shown)


def qdrant():
    from opentelemetry.instrumentation.qdrant import QdrantInstrumentor

    QdrantInstrumentor().instrument(tracer_provider=provider)
    from qdrant_client import QdrantClient, models

    client = QdrantClient(":memory:")
    client.create_collection("passages", vectors_config=models.VectorParams(size=3, distance=models.Distance.COSINE))
    points = [
        models.PointStruct(id=i, vector=v, payload={"content": d["content"]} | d["metadata"])
        for i, (v, d) in enumerate(zip(VECTORS, world.DOCUMENTS, strict=True))
    ]
    client.upsert("passages", points)
    client.query_points("passages", query=ASKED, limit=2)
    world.expect("qdrant.query_points", kind="retriever")


def rows():
    return [
        {"id": i, "vector": v, "content": d["content"], **d["metadata"]}
        for i, (v, d) in enumerate(zip(VECTORS, world.DOCUMENTS, strict=True))
    ]


def milvus():
    from opentelemetry.instrumentation.milvus import MilvusInstrumentor

    MilvusInstrumentor().instrument(tracer_provider=provider)
    from pymilvus import MilvusClient

    client = MilvusClient("passages.db")
    client.create_collection("passages", dimension=3, metric_type="COSINE")
    client.insert("passages", rows())
    client.search("passages", data=[ASKED], limit=2, output_fields=["content", "source"])
    world.expect("milvus.search", kind="retriever")


def lancedb():
    from opentelemetry.instrumentation.lancedb import LanceInstrumentor

    LanceInstrumentor().instrument(tracer_provider=provider)
    import lancedb

    table = lancedb.connect("lance").create_table("passages", rows())
    table.search(ASKED).limit(2).to_list()
    world.expect("lancedb.search", kind="retriever")


{"chroma": chroma, "qdrant": qdrant, "milvus": milvus, "lancedb": lancedb}[sys.argv[1]]()
provider.shutdown()
