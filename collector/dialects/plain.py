"""Spans of no dialect: attributes that a program set by hand under the words everybody uses. What is read here is named in `derived`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collector.dialects.documents import looks_like_documents, read_documents
from collector.dialects.table import Dialect
from collector.dialects.values import opened
from collector.model import SpanKind

if TYPE_CHECKING:
    from collector.dialects.reading import Reading

INPUT_WORDS = ("input", "inputs", "question", "query", "prompt", "q", "user_input", "user_message", "request")
OUTPUT_WORDS = ("output", "outputs", "answer", "result", "response", "completion", "return", "return_value")
DOCUMENT_WORDS = ("documents", "retrieved_documents", "retrieved", "docs", "passages", "chunks", "contexts", "retrieval")
NOT_ARGUMENTS = ("code.", "logfire.", "gen_ai.", "otel.", "thread.", "process.", "http.", "exception.", "server.", "service.")


def refine(reading: Reading) -> None:
    """Fill input, output, query and documents from words, where no dialect knew any."""
    attributes = reading.attributes
    if not reading.has("documents") and not reading.has_list("documents"):
        _documents(reading)
    for slot, words in (("input", INPUT_WORDS), ("output", OUTPUT_WORDS)):
        if not reading.has(slot) and not reading.has(f"{slot}_messages") and not reading.has_list(f"{slot}_messages"):
            key = next((word for word in words if attributes.get(word) not in (None, "")), None)
            if key is not None:
                _derive(reading, slot, key, opened(attributes[key]))
    if reading.kind is SpanKind.TOOL and reading.kind_derived and not reading.has("arguments"):
        arguments = {key: value for key, value in attributes.items() if key not in OUTPUT_WORDS and not key.startswith(NOT_ARGUMENTS)}
        _derive(reading, "arguments", ", ".join(arguments), arguments)
    for slot, words in (("session", ("session_id", "conversation_id", "thread_id")), ("user", ("user_id",))):
        key = next((word for word in words if isinstance(attributes.get(word), str)), None)
        if key is not None and not reading.has(slot):
            value = str(attributes[key])
            if not value.startswith("[Scrubbed"):
                _derive(reading, slot, key, value)


def _documents(reading: Reading) -> None:
    for word in DOCUMENT_WORDS:
        value = reading.attributes.get(word)
        if value is not None and (looks_like_documents(value) or _pairs(value)):
            _derive(reading, "documents", word, read_documents(value))
            if reading.kind in (SpanKind.UNKNOWN, SpanKind.CHAIN):
                reading.kind = SpanKind.RETRIEVER
                reading.derived.append("kind")
            return


def _pairs(value: Any) -> bool:
    found = opened(value)
    return isinstance(found, list) and bool(found) and all(isinstance(item, list) and len(item) >= 2 for item in found)


def _derive(reading: Reading, slot: str, key: str, value: Any) -> None:
    reading.claim(slot, key, value)
    reading.derived.append(slot)
    if key in reading.unmapped:
        reading.unmapped.remove(key)


DIALECT = Dialect(name="plain", title="Attributes set by hand")
