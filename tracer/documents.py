"""What retrievers return becomes documents: `{id, content, score, score_kind, rank, metadata}` in rank order.

Every library names these fields differently, so this is a table of names, read from the JSON of what was returned (capture has already
turned LangChain, LlamaIndex and Haystack objects into their fields). A missing score stays missing; order is the rank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

CONTENT = ("content", "text", "page_content", "document", "passage", "chunk", "body")
ID = ("id", "id_", "node_id", "doc_id", "document_id", "passage_id", "chunk_id")
SCORE = ("score", "similarity", "relevance_score", "distance", "_score")
METADATA = ("metadata", "meta", "extra_info")
KEPT = ("score_kind", "rank", "stage", "dropped")
_OMITTED = frozenset({"embedding", "vector", "embeddings", "sparse_embedding", "type", "class_name", "excluded_embed_metadata_keys"})
_LISTS = ("documents", "docs", "passages", "results", "hits", "nodes", "matches", "source_documents", "chunks", "candidates")
_SCORE_KINDS = {"similarity": "cosine", "distance": "distance", "relevance_score": "rerank"}

Document = dict[str, Any]


def documents(value: object, *, score_kind: str | None = None) -> list[Document]:
    """Documents of a JSON value; empty when it does not look like any.

    Understands a list of texts, objects or `(document, score)` pairs, the same under a usual key ("documents", "hits", …), two parallel
    lists `(documents, scores)`, and one single document.
    """
    items = _listed(value)
    found = [document for rank, item in enumerate(items, 1) if (document := _document(item, rank, score_kind)) is not None]
    return found if len(found) == len(items) else []


def _listed(value: object) -> Sequence[object]:
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, object]", value)
        for name in _LISTS:
            if isinstance(fields.get(name), list):
                return cast("list[object]", fields[name])
        return [fields] if _first(fields, CONTENT) is not None else []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, (list, tuple)):
        return []
    items = cast("list[object]", value)
    if len(items) == 2 and isinstance(items[0], list) and isinstance(items[1], list) and len(items[0]) == len(items[1]):
        found, scores = cast("list[list[object]]", items)
        return list(zip(found, scores, strict=True)) if all(isinstance(score, (int, float)) for score in scores) else items
    return items


def _document(item: object, rank: int, score_kind: str | None) -> Document | None:
    score: object = None
    if isinstance(item, (list, tuple)) and len(cast("list[object]", item)) == 2:
        first, second = cast("list[object]", item)
        item, score = (first, second) if not isinstance(first, (int, float)) else (second, first)
    if isinstance(item, str):
        document: Document = {"content": item}
    elif isinstance(item, Mapping):
        document = _fields(cast("Mapping[str, Any]", item))
    else:
        return None
    if not document:
        return None
    if isinstance(score, (int, float)):
        document["score"] = score
    document.setdefault("rank", rank)
    if score_kind is not None and "score" in document:
        document.setdefault("score_kind", score_kind)
    return document


def _fields(item: Mapping[str, Any]) -> Document:
    inner = next((item[name] for name in ("node", "document", "doc", "passage") if isinstance(item.get(name), Mapping)), None)
    document = _fields(cast("Mapping[str, Any]", inner)) if inner is not None else {}
    content, identity = _first(item, CONTENT), _first(item, ID)
    if identity is not None:
        document["id"] = str(item[identity])
    if content is not None and not isinstance(item[content], Mapping):
        document["content"] = item[content]
    if not document:
        return {}
    score = _first(item, SCORE)
    if score is not None and isinstance(item[score], (int, float)):
        document["score"] = item[score]
        if score in _SCORE_KINDS and "score_kind" not in item:
            document["score_kind"] = _SCORE_KINDS[score]
    document.update({name: item[name] for name in KEPT if item.get(name) is not None})
    metadata = {**document.get("metadata", {}), **_metadata(item, {content, identity, score})}
    if metadata:
        document["metadata"] = metadata
    return document


def _metadata(item: Mapping[str, Any], read: set[str | None]) -> dict[str, Any]:
    """The metadata object, and every further field of the document beside it (source, heading, page, …)."""
    known: dict[str, Any] = {}
    for name, value in item.items():
        if name in METADATA and isinstance(value, Mapping):
            known.update(cast("Mapping[str, Any]", value))
        elif (
            name not in read and name not in KEPT and name not in _OMITTED and value is not None and name not in ("node", "doc", "document")
        ):
            known[name] = value
    return known


def _first(item: Mapping[str, Any], names: Sequence[str]) -> str | None:
    return next((name for name in names if item.get(name) is not None), None)


# ---- From what a decorated function was given and returned ----


def from_output(written: bytes) -> bytes | None:
    """The documents in a retriever's or reranker's captured result, or None."""
    found = documents(orjson.loads(written))
    return orjson.dumps(found) if found else None


QUERY = ("query", "question", "q", "text", "search", "input")


def query_and_documents(given: str | bytes) -> tuple[str | None, bytes | None]:
    """What a retriever or reranker was asked, and the documents it was given, from its captured arguments."""
    if isinstance(given, str):
        return given, None
    value = orjson.loads(given)
    if not isinstance(value, dict):
        found = documents(value) if isinstance(value, list) else []
        return None, orjson.dumps(found) if found else None
    arguments = cast("dict[str, object]", value)
    texts = [text for text in arguments.values() if isinstance(text, str)]
    query = next((cast(str, arguments[name]) for name in QUERY if isinstance(arguments.get(name), str)), texts[0] if texts else None)
    for argument in arguments.values():
        found = documents(cast(object, argument)) if isinstance(argument, (list, dict)) else []
        if found and any("content" in document for document in found):
            return query, orjson.dumps(found)
    return query, None


def texts(given: str | bytes) -> bytes | None:
    """The texts an embedding step was given, from its captured arguments, as a JSON list; or None."""
    value: object = [given] if isinstance(given, str) else orjson.loads(given)
    if isinstance(value, Mapping):
        value = next((item for item in cast("Mapping[str, object]", value).values() if isinstance(item, (str, list))), None)
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list) and value and all(isinstance(text, str) for text in cast("list[object]", value)):
        return orjson.dumps(value)
    return None
