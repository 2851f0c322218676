"""Vector databases: OpenTelemetry's and OpenLLMetry's `db.*` names; a query is a retrieval, its hits are often one event each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collector.dialects.table import Dialect
from collector.dialects.values import as_list, evaluated, opened
from collector.model import SpanKind

if TYPE_CHECKING:
    from collector.dialects.reading import Reading

SYSTEMS = frozenset(
    {
        "pinecone",
        "chroma",
        "chromadb",
        "qdrant",
        "weaviate",
        "milvus",
        "lancedb",
        "marqo",
        "vespa",
        "turbopuffer",
        "pgvector",
        "vectara",
        "astra",
        "faiss",
        "azure_ai_search",
        "simple",
    }
)
QUERIES = ("query", "search", "retrieve", "similarity", "get", "near", "hybrid", "recommend", "fetch", "scroll")
RESULT_EVENTS = ("db.query.result", "db.search.result")


def _kind(reading: Reading) -> SpanKind | None:
    attributes = reading.attributes
    if any(event.name in RESULT_EVENTS for event in reading.span.events):
        return SpanKind.RETRIEVER
    system = str(attributes.get("db.system") or attributes.get("db.system.name") or "").lower()
    vector = system in SYSTEMS or any(key.startswith(("db.vector.", "pinecone.", "db.pinecone.")) for key in attributes)
    if not vector:
        return None
    operation = str(attributes.get("db.operation.name") or attributes.get("db.operation") or reading.span.name).lower()
    return SpanKind.RETRIEVER if any(word in operation for word in QUERIES) else SpanKind.CHAIN


def _refine(reading: Reading) -> None:
    hits = [_hit(event.attributes) for event in reading.span.events if event.name in RESULT_EVENTS]
    if hits:
        reading.claim("documents", f"event {RESULT_EVENTS[0]}", hits)


def _hit(attributes: Any) -> dict[str, Any]:
    """The fields of one result event: the last word of each name."""
    found: dict[str, Any] = {}
    for key, value in attributes.items():
        name = key.rpartition(".")[2]
        if name == "entity" and isinstance(entity := evaluated(value), dict):
            found = {**entity, **found}  # Milvus's fields, as a Python repr
        elif name != "vector":
            found[name] = value
    return found


def _texts(value: Any) -> str | None:
    found = opened(value)
    return next((item for item in as_list(found) if isinstance(item, str)), None) if isinstance(found, list) else str(found)


DIALECT = Dialect(
    name="vectordb",
    title="Vector databases (db.*)",
    evidence=("db.system", "db.system.name", "db.vector.", "pinecone.", "db.pinecone.", "db.operation", "db.operation.name"),
    keys={
        "db.vector.query.content": "query",
        "db.vector.query.response.documents": "documents",
        "db.chroma.query.query_texts": ("query", _texts),
        "db.marqo.search.query": "query",
        "db.weaviate.query.get.query_text": "query",
        "db.vector.query.top_k": ("parameters", lambda value: {"top_k": value}),
        "db.pinecone.query.top_k": ("parameters", lambda value: {"top_k": value}),
        "db.qdrant.query.limit": ("parameters", lambda value: {"top_k": value}),
        "db.milvus.search.limit": ("parameters", lambda value: {"top_k": value}),
        "db.chroma.query.n_results": ("parameters", lambda value: {"top_k": value}),
        "db.collection.name": "index_name",
        "db.namespace": "index_name",
        "db.vector.dimension_count": "index_dimension",
    },
    kind=_kind,
    refine=_refine,
)
