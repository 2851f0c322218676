"""What retrievers return becomes documents: `{id, content, score, score_kind, rank, metadata}` in rank order.

Every library names these fields differently, so this is a table of names, read from the JSON of what was returned (capture has already
turned LangChain, LlamaIndex and Haystack objects into their fields). A missing score stays missing; order is the rank.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

CONTENT = ("content", "text", "page_content", "document", "passage", "chunk", "body")
ID = ("id", "id_", "node_id", "doc_id", "document_id", "passage_id", "chunk_id")
SCORE = ("score", "similarity", "relevance_score", "distance", "_score", "_distance")
METADATA = ("metadata", "meta", "extra_info")
_INNER = ("node", "document", "doc", "passage")
KEPT = ("score_kind", "rank", "stage", "dropped")
_OMITTED = frozenset({"embedding", "vector", "embeddings", "sparse_embedding", "type", "class_name", "excluded_embed_metadata_keys"})
_LISTS = ("documents", "docs", "passages", "results", "hits", "nodes", "matches", "source_documents", "chunks", "candidates")
_SCORE_KINDS = {"similarity": "cosine", "distance": "distance", "_distance": "distance", "relevance_score": "rerank"}

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
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        if "table" in fields:
            return _rows(fields)
        for name in _LISTS:
            if isinstance(fields.get(name), list):
                return cast("list[object]", fields[name])
        return [fields] if any(fields.get(name) is not None for name in CONTENT) else []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, (list, tuple)):
        return []
    items = cast("list[object]", value)
    if len(items) == 2 and isinstance(items[0], list) and isinstance(items[1], list) and len(items[0]) == len(items[1]):
        found, scores = cast("list[list[object]]", items)
        return list(zip(found, scores, strict=True)) if all(isinstance(score, (int, float)) for score in scores) else items
    return items


def _rows(table: dict[str, object]) -> Sequence[object]:
    """The rows of a captured data frame, where all of them were kept."""
    rows, shape = table.get("head"), table.get("shape")
    whole = isinstance(rows, list) and isinstance(shape, list) and shape[:1] == [len(cast("list[object]", rows))]
    return cast("list[object]", rows) if whole else []


def _document(item: object, rank: int, score_kind: str | None) -> Document | None:
    score: object = None
    if isinstance(item, (list, tuple)) and len(cast("list[object]", item)) == 2:
        first, second = cast("list[object]", item)
        item, score = (first, second) if not isinstance(first, (int, float)) else (second, first)
    if isinstance(item, dict):
        document = _fields(cast("dict[str, Any]", item))
    elif isinstance(item, str):
        document = cast(Document, {"content": item})
    else:
        return None
    if not document:
        return None
    if isinstance(score, (int, float)):
        document["score"] = score
    if "rank" not in document:
        document["rank"] = rank
    if score_kind is not None and "score" in document:
        document.setdefault("score_kind", score_kind)
    return document


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which key of an object holds what; the documents of a list have the same keys, so it is worked out once."""

    inner: str | None
    identity: str | None
    content: str | None
    score: str | None
    kept: tuple[str, ...]
    metadata: tuple[str, ...]
    beside: tuple[str, ...]  # further fields of the document: source, heading, page, …


@functools.lru_cache(maxsize=1024)
def _plan(keys: tuple[str, ...]) -> _Plan:
    def first(known: Sequence[str]) -> str | None:
        return next((name for name in known if name in keys), None)

    content, identity, score = first(CONTENT), first(ID), first(SCORE)
    kept = tuple(name for name in KEPT if name in keys)
    metadata = tuple(name for name in METADATA if name in keys)
    read = {content, identity, score, *kept, *metadata, *_INNER, *_OMITTED}
    return _Plan(first(_INNER), identity, content, score, kept, metadata, tuple(name for name in keys if name not in read))


def _fields(item: dict[str, Any]) -> Document:
    keys = tuple(item) if None not in item.values() else tuple(name for name, value in item.items() if value is not None)
    plan = _plan(keys)
    document: Document = _fields(item[plan.inner]) if plan.inner is not None and isinstance(item[plan.inner], dict) else {}
    if plan.identity is not None:
        document["id"] = str(item[plan.identity])
    if plan.content is not None and not isinstance(item[plan.content], dict):
        document["content"] = item[plan.content]
    if not document:
        return document
    if plan.score is not None and isinstance(item[plan.score], (int, float)):
        document["score"] = item[plan.score]
        if plan.score in _SCORE_KINDS:
            document["score_kind"] = _SCORE_KINDS[plan.score]
    for name in plan.kept:
        document[name] = item[name]
    metadata: dict[str, Any] = document.get("metadata", {})
    for name in plan.metadata:
        if isinstance(item[name], dict):
            metadata = {**metadata, **item[name]} if metadata else item[name]
    if plan.beside:
        metadata = {**metadata, **{name: item[name] for name in plan.beside}}
    if metadata:
        document["metadata"] = metadata
    return document


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
