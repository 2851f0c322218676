"""What a search was: the query, the documents it returned and those it was given, candidates below the cut, the index it asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from collector.dialects.documents import completed, flat_documents, looks_like_documents, read_documents
from collector.dialects.reading import Fields, Reading
from collector.dialects.values import as_list, first, integer, mended, number, opened, text
from collector.model import (
    Candidate,
    Document,
    Index,
    SpanKind,
)

QUERY_KEYS = (
    "query",
    "q",
    "question",
    "query_text",
    "search_query",
    "input",
    "text",
    "prompt",
    "search",
    "query_str",
    "str_or_query_bundle",
    "keywords",
)


def fill_retrieval(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    given, returned = mended(reading.given), mended(reading.returned)
    fields["documents"] = _documents(reading, kind, given, returned)
    fields["query"] = _query(reading, kind, given)
    fields["input_documents"] = _input_documents(reading, kind, given)
    if kind is SpanKind.RERANKER:
        fields["input_messages"] = fields["output_messages"] = ()  # OpenLLMetry writes passages as messages; nobody talked


def fill_candidates(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["candidates"] = _candidates(reading)


def fill_index(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    fields["index"] = _index(reading)


def fill_found(reading: Reading, kind: SpanKind, fields: Fields) -> None:
    if "documents" not in fields and isinstance(returned := mended(reading.returned), list | dict):
        fields["documents"] = _documents(reading, kind, reading.given, returned)
        fields["query"] = _query(reading, kind, reading.given)


def _query(reading: Reading, kind: SpanKind, given: Any) -> str | None:
    found = reading.take("query")
    if found is None and kind in (SpanKind.RETRIEVER, SpanKind.RERANKER) and given is not None:
        found = question_in(given)
        if found:
            reading.sources.setdefault("query", reading.sources.get("input", "input"))
    if found is None and reading.has("documents") and "documents" in reading.derived and given is not None:
        found = question_in(given)
    return found


def question_in(value: Any) -> str | None:
    """The question in a retriever's input: the text itself, or the likeliest of its fields."""
    value = opened(value)
    for _ in range(4):
        if isinstance(value, str):
            return value or None
        if isinstance(value, list):
            value = value[0] if value else None
        elif isinstance(value, dict):
            inner = first(value, QUERY_KEYS)
            if inner is None and isinstance(keywords := value.get("kwargs"), dict):
                inner = first(keywords, QUERY_KEYS)
                inner = inner if inner is not None else next(iter(as_list(value.get("args"))), None)
            if inner is None and isinstance(bundle := value.get("query_bundle"), dict):
                inner = bundle.get("query_str")
            if inner is None:
                texts = [item for item in value.values() if isinstance(item, str) and item]
                inner = texts[0] if len(texts) == 1 else None
            value = inner
        else:
            return None
    return value if isinstance(value, str) and value else None


def _documents(reading: Reading, kind: SpanKind, given: Any, returned: Any) -> Sequence[Document]:
    found: Sequence[Document] = ()
    for key, value in reading.every("documents"):
        found = value if value and isinstance(value, list) and isinstance(value[0], Document) else read_documents(value)
        if found:
            reading.sources.setdefault("documents", key)
            break
    if not found:
        found, key = flat_documents(reading, "documents")
        if found:
            reading.sources.setdefault("documents", key)
    if returned is None or isinstance(returned, str):
        return found
    if found and any(document.id is None for document in found):
        return completed(found, read_documents(returned))
    if not found:
        if kind in (SpanKind.RETRIEVER, SpanKind.RERANKER):
            found = read_documents(returned)
        elif kind in (SpanKind.CHAIN, SpanKind.TOOL, SpanKind.UNKNOWN) and _declares_a_search(reading) and looks_like_documents(returned):
            found = read_documents(returned)
            reading.derived.append("documents")
            if kind is not SpanKind.TOOL:
                query = question_in(given)
                if query and not reading.has("query"):
                    reading.claim("query", reading.sources.get("input", "input"), query)
                    reading.derived.append("query")
        if found:
            reading.sources.setdefault("documents", reading.sources.get("output", "output"))
    return found


def _declares_a_search(reading: Reading) -> bool:
    """A decorated function without a word for retrieval (Traceloop's task, Logfire's span) whose result is a list of documents."""
    return reading.dialect_name in ("openllmetry", "logfire", "genai", "weave", "plain", None) or bool(
        re.search(r"retriev|search|lookup|fetch", reading.span.name, re.IGNORECASE)
    )


def _input_documents(reading: Reading, kind: SpanKind, given: Any) -> Sequence[Document]:
    value = reading.take("input_documents")
    found = read_documents(value) if value is not None else []
    if not found:
        found, key = flat_documents(reading, "input_documents")
        if found:
            reading.sources.setdefault("input_documents", key)
    if not found and kind is SpanKind.RERANKER and isinstance(given, dict | list):
        found = read_documents(given)
    return found


def _candidates(reading: Reading) -> Sequence[Candidate]:
    """What a stage considered; the stage is the span's own where a candidate names none."""
    stage = text(reading.take("stage"))
    return [
        Candidate(
            id=text(item.get("id")),
            content=text(item.get("content")),
            stage=text(item.get("stage")) or stage,
            rank=integer(item.get("rank")),
            score=number(item.get("score")),
            score_kind=text(item.get("score_kind")),
            dropped=text(item.get("dropped")),
            metadata=metadata if isinstance(metadata := item.get("metadata"), dict) else {},
        )
        for item in reading.take("candidates") or ()
        if isinstance(item, dict)
    ]


INDEX_SLOTS = frozenset(f"index_{field.name}" for field in fields(Index))


def _index(reading: Reading) -> Index | None:
    index = Index(
        name=reading.take("index_name", "index"),
        version=reading.take("index_version", "index"),
        corpus_digest=reading.take("index_corpus_digest", "index"),
        passage_count=reading.take("index_passage_count", "index"),
        embedding_model=reading.take("index_embedding_model", "index"),
        dimension=reading.take("index_dimension", "index"),
        chunking=reading.take("index_chunking", "index"),
    )
    return None if index == Index() else index
