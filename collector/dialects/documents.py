"""Retrieved documents in every shape: OpenInference, LangChain, LlamaIndex, Haystack, vector stores' answers, pairs and plain strings.

Order is rank. A missing score is None, never 0, and the name a score travelled under says its kind where it can (a distance is better when
lower). Unknown keys beside the content are metadata, because several SDKs flatten it there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from collector.dialects.values import as_list, as_text, first, integer, number, opened, text
from collector.making import maker
from collector.model import Attributes, Document

if TYPE_CHECKING:
    from collector.dialects.reading import Reading

CONTENT_KEYS = ("content", "page_content", "pageContent", "text", "document", "chunk", "passage", "body", "chunk_text", "snippet", "value")
ID_KEYS = ("id", "id_", "node_id", "doc_id", "document_id", "chunk_id", "_id", "uuid", "key", "uri")
METADATA_ID_KEYS = ("doc_uri", "document_id", "doc_id", "id", "chunk_id")
# In the order they are looked for; the second is the kind that the name tells.
SCORE_KEYS = (
    ("score", None),
    ("similarity", "similarity"),
    ("similarity_score", "similarity"),
    ("relevance_score", "relevance"),
    ("relevanceScore", "relevance"),
    ("relevance", "relevance"),
    ("rerank_score", "rerank"),
    ("_score", None),
    ("distance", "distance"),
    ("@search.score", None),
)
METADATA_KEYS = ("metadata", "meta", "payload", "properties", "extra_info", "cmetadata")
WRAPPERS = ("document", "node", "doc", "record", "entity", "hit", "chunk")
CONTAINERS = (
    "documents",
    "docs",
    "retrieved_documents",
    "source_documents",
    "source_nodes",
    "nodes",
    "passages",
    "chunks",
    "matches",
    "hits",
    "points",
    "results",
    "result",
    "output",
    "context",
    "contexts",
    "retrieved_contexts",
    "items",
    "data",
)
NOT_METADATA = frozenset(
    {
        *CONTENT_KEYS,
        *ID_KEYS,
        *METADATA_KEYS,
        *WRAPPERS,
        *(key for key, _ in SCORE_KEYS),
        "type",
        "lc",
        "kwargs",
        "embedding",
        "vector",
        "values",
        "rank",
        "score_kind",
        "class_name",
        "relationships",
    }
)


def read_documents(value: Any) -> list[Document]:
    """The documents of a value that is known to hold some; an empty list where nothing looks like one."""
    value = opened(value)
    if isinstance(value, dict):
        if all(isinstance(key, int) for key in value):
            return read_documents(as_list(value))
        if isinstance(value.get("documents"), list) and isinstance(value.get("ids"), list):
            return _parallel(value)
        for key in CONTAINERS:
            held = opened(value.get(key))
            if isinstance(held, list | dict) and (found := read_documents(held)):
                return found
        alone = _document(value, 0)
        return [alone] if alone else []
    items = as_list(value)
    if len(items) == 1 and isinstance(items[0], list) and items[0] and all(isinstance(item, list | dict) for item in items[0]):
        items = items[0]  # one query of a batch
    return [
        document
        for i, item in enumerate(items)
        if (document := _plain(i, *map(item.get, PLAIN)) if _is_plain(item) else _document(item if type(item) is dict else opened(item), i))
    ]


def looks_like_documents(value: Any) -> bool:
    """Whether a value nobody declared is surely documents: a list of which each has text and an id, a score or metadata."""
    value = opened(value)
    if isinstance(value, dict):
        value = next((held for key in CONTAINERS if isinstance(held := opened(value.get(key)), list)), None)
    items = [opened(item) for item in as_list(value)[:20]]  # OpenLLMetry writes LlamaIndex's nodes as JSON in strings
    return bool(items) and all(
        isinstance(item, dict)
        and "role" not in item
        and (document := _document(item, 0)) is not None
        and document.content is not None
        and (document.id is not None or document.score is not None or bool(document.metadata))
        for item in items
    )


_MAKE = maker(Document)
PLAIN = ("content", "id", "score", "score_kind", "rank", "metadata")
"""The members of OpenInference's and our own form, which needs no guessing: nine of ten documents."""
_PLAIN_KEYS = frozenset(PLAIN)


def flat_documents(reading: Reading, slot: str) -> tuple[Sequence[Document], str]:
    """The documents of the best flattened list of a slot that has some, and its name."""
    for flat in reading.flat_lists(slot):
        found = _of_rows(flat.rows(PLAIN), reading.attributes) or read_documents(reading.items(flat))
        if found:
            return found, f"{flat.entry.key}.*"
    return (), ""


def _of_rows(rows: Sequence[Sequence[str | None]] | None, attributes: Attributes) -> list[Document] | None:
    """The documents of plain items straight from the attributes; None where one's content is no text."""
    if rows is None:
        return None
    get: Callable[[str | None], Any] = attributes.get  # pyright: ignore[reportAssignmentType]  (of no key: None)
    found: list[Document] = []
    for content, identity, score, kind, rank, metadata in rows:
        text_of = get(content)
        if type(text_of) is not str:
            return None
        found.append(_plain(len(found), text_of, get(identity), get(score), get(kind), get(rank), get(metadata)))
    return found


def _is_plain(item: Any) -> bool:
    return type(item) is dict and type(item.get("content")) is str and _PLAIN_KEYS.issuperset(item)


def _object(value: Any) -> Mapping[str, Any]:
    """Metadata as an object; what is none goes by that name."""
    found = opened(value)
    return found if isinstance(found, dict) else {"metadata": found} if found else {}


def _plain(position: int, content: str, identity: Any, score: Any, kind: Any, rank: Any, metadata: Any) -> Document:
    metadata = {} if metadata is None else _object(metadata)
    if type(identity) is not str or not identity:
        identity = text(first(metadata, METADATA_ID_KEYS) if identity is None else identity)
    if type(score) is not float or score - score != 0:
        score = number(score)
        if score is None and metadata:
            score = _score(metadata)[0]
    return _MAKE(
        content,
        identity,
        score,
        None if kind is None else text(kind),
        rank if isinstance(rank, int) else position + 1,
        metadata,
    )


# LlamaIndex's inner retriever spans hold reprs: `<NodeWithScore(node=TextNode(id_=doc-2), score=0.91)>`.
NODE_REPR = re.compile(r"<NodeWithScore\(node=\w+\(id_=(.{1,200}?)\), score=([-+\d.e]+|None)\)>")


def _document(item: Any, position: int) -> Document | None:
    if isinstance(item, str):
        if item.startswith("<NodeWithScore(") and (node := NODE_REPR.fullmatch(item)):
            return Document(None, node[1], number(node[2]), rank=position + 1)
        return Document(item, rank=position + 1) if item else None
    if isinstance(item, list):
        return _pair(item, position)
    if not isinstance(item, dict):
        return None
    if _is_plain(item):
        return _plain(position, item["content"], *map(item.get, PLAIN[1:]))
    outer: Mapping[str, Any] = item
    inner: Mapping[str, Any] = next((item[key] for key in WRAPPERS if isinstance(item.get(key), dict)), item)
    if isinstance(kwargs := inner.get("kwargs"), dict):
        inner = kwargs  # LangChain's constructor
    metadata = opened(first(inner, METADATA_KEYS))
    if metadata is None and inner is not outer:
        metadata = opened(first(outer, METADATA_KEYS))
    if not isinstance(metadata, dict):
        metadata = {key: value for key, value in inner.items() if key not in NOT_METADATA and isinstance(key, str) and value is not None}
    content = first(inner, CONTENT_KEYS)
    if content is None:
        content = first(metadata, ("text", "content", "page_content", "_node_content", "chunk"))
    if isinstance(content, list | dict):
        content = as_text(content)
    identity = _identity(outer, inner, metadata)
    if content is None and identity is None:
        return None
    score, kind = _score(outer, inner, metadata)
    rank = integer(first(outer, ("rank",)))
    return Document(
        content=None if content is None else str(content),
        id=identity,
        score=score,
        score_kind=text(outer.get("score_kind")) or kind,
        rank=rank if rank is not None else position + 1,
        metadata=metadata,
    )


def _identity(outer: Mapping[str, Any], inner: Mapping[str, Any], metadata: Mapping[str, Any]) -> str | None:
    value = first(inner, ID_KEYS)
    if value is None or isinstance(value, list):
        value = first(outer, ID_KEYS)
    if value is None or isinstance(value, list):
        value = first(metadata, METADATA_ID_KEYS)
    return None if isinstance(value, list | dict) else text(value)


def _score(*holders: Mapping[str, Any]) -> tuple[float | None, str | None]:
    for holder in holders:
        for key, kind in SCORE_KEYS:
            if key in holder and (found := number(holder[key])) is not None:
                return found, kind
    return None, None


def _pair(item: Sequence[Any], position: int) -> Document | None:
    """(document, score), (score, document), (id, text) or (text, score)."""
    if len(item) < 2 or len(item) > 4:
        return None
    scores = [part for part in item if isinstance(part, int | float) and not isinstance(part, bool)]
    documents = [part for part in item if isinstance(part, dict)]
    texts = [part for part in item if isinstance(part, str)]
    score = float(scores[0]) if scores else None
    if documents and (found := _document(documents[0], position)):
        return found if found.score is not None else Document(found.content, found.id, score, None, found.rank, found.metadata)
    if len(texts) >= 2:
        return Document(texts[1], texts[0], score, rank=position + 1)
    return Document(texts[0], score=score, rank=position + 1) if texts else None


def _parallel(value: Mapping[str, Any]) -> list[Document]:
    """Chroma's answer: lists side by side, one row per query; the first query's row."""

    def row(key: str) -> list[Any]:
        held = value.get(key)
        rows = held if isinstance(held, list) else []
        return rows[0] if rows and isinstance(rows[0], list) else rows

    ids, contents, metadatas, distances, scores = (row(key) for key in ("ids", "documents", "metadatas", "distances", "scores"))

    def at(items: list[Any], i: int) -> Any:
        return items[i] if i < len(items) else None

    return [
        Document(
            content=text(at(contents, i)),
            id=text(at(ids, i)),
            score=number(at(scores, i)) if scores else number(at(distances, i)),
            score_kind=None if scores else "distance" if distances else None,
            rank=i + 1,
            metadata=at(metadatas, i) if isinstance(at(metadatas, i), dict) else {},
        )
        for i in range(max(len(ids), len(contents)))
    ]


def completed(documents: Sequence[Document], others: Sequence[Document]) -> list[Document]:
    """The same documents with ids, scores and metadata that another record of the same list knows (LangChain's flat one has none)."""
    if len(documents) != len(others):
        return list(documents)
    return [
        Document(
            document.content if document.content is not None else other.content,
            document.id if document.id is not None else other.id,
            document.score if document.score is not None else other.score,
            document.score_kind or other.score_kind,
            document.rank,
            document.metadata or other.metadata,
        )
        for document, other in zip(documents, others, strict=True)
    ]
