"""For viewers that read only OpenInference's flattened attributes: documents and messages spread over numbered keys.

Our spans carry lists as one JSON attribute each. Phoenix shows documents only from `retrieval.documents.N.document.*` and messages only
from `llm.input_messages.N.message.*`, so these are added when a batch is encoded, off the caller's thread, unless a Right Passage
collector is known to be at the other end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import orjson

from tracer import conventions as names
from tracer.finish import Attributes, Finished
from tracer.safety import attempt

_ITEMS = 100  # of one list


def flatten(finished: Finished) -> Finished:
    """The span with the flattened attributes beside its own; the encoder knows no limit of 128."""
    kind = finished.attributes.get(names.SPAN_KIND)
    if kind is None:
        return finished
    added: Attributes = {}
    for key, spread in _SPREAD.items():
        written = finished.attributes.get(key)
        if written is not None:
            for name, value in attempt(spread, written, kind, default=cast("dict[str, Any]", {})).items():
                if name not in finished.attributes:
                    added[name] = value
    if added:
        finished.attributes = {**finished.attributes, **added}
    return finished


def _documents(prefix: str, written: str | bytes) -> Attributes:
    flat: Attributes = {}
    for n, document in enumerate(orjson.loads(written)[:_ITEMS]):
        for field in ("id", "content", "score"):
            if document.get(field) is not None:
                flat[f"{prefix}.{n}.document.{field}"] = document[field]
        if document.get("metadata"):
            flat[f"{prefix}.{n}.document.metadata"] = orjson.dumps(document["metadata"])
    return flat


def _returned(written: str | bytes, kind: object) -> Attributes:
    return _documents("reranker.output_documents" if kind == "RERANKER" else "retrieval.documents", written)


def _given(written: str | bytes, kind: object) -> Attributes:
    return _documents("reranker.input_documents", written)


def _messages(prefix: str) -> Callable[[str | bytes, object], Attributes]:
    def spread(written: str | bytes, kind: object) -> Attributes:
        flat: Attributes = {}
        for n, message in enumerate(orjson.loads(written)[:_ITEMS]):
            _message(flat, f"{prefix}.{n}.message", message)
        return flat

    return spread


def _message(flat: Attributes, at: str, message: Mapping[str, Any]) -> None:
    flat[f"{at}.role"] = message.get("role", "")
    texts: list[str] = []
    calls = 0
    for part in message.get("parts", ()):
        if part.get("type") == "text":
            texts.append(str(part.get("content", "")))
        elif part.get("type") == "tool_call":
            call = f"{at}.tool_calls.{calls}.tool_call"
            calls += 1
            flat[f"{call}.function.name"] = str(part.get("name"))
            flat[f"{call}.function.arguments"] = orjson.dumps(part.get("arguments"))
            if part.get("id"):
                flat[f"{call}.id"] = str(part["id"])
        elif part.get("type") == "tool_call_response":
            response = part.get("response")
            texts.append(response if isinstance(response, str) else orjson.dumps(response).decode())
            if part.get("id"):
                flat[f"{at}.tool_call_id"] = str(part["id"])
    if texts:
        flat[f"{at}.content"] = "\n".join(texts)


def _texts(written: str | bytes, kind: object) -> Attributes:
    return {f"embedding.embeddings.{n}.embedding.text": text for n, text in enumerate(orjson.loads(written)[:_ITEMS])}


def _renamed(name: str) -> Callable[[Any, object], Attributes]:
    return lambda value, kind: {name: value}


_SPREAD: dict[str, Callable[[Any, object], Attributes]] = {
    names.DOCUMENTS: _returned,
    names.INPUT_DOCUMENTS: _given,
    names.INPUT_MESSAGES: _messages("llm.input_messages"),
    names.OUTPUT_MESSAGES: _messages("llm.output_messages"),
    names.EMBEDDING_TEXTS: _texts,
    names.INPUT_TOKENS: _renamed("llm.token_count.prompt"),
    names.OUTPUT_TOKENS: _renamed("llm.token_count.completion"),
    names.CACHED_INPUT_TOKENS: _renamed("llm.token_count.prompt_details.cache_read"),
    names.REASONING_TOKENS: _renamed("llm.token_count.completion_details.reasoning"),
    names.PROVIDER: _renamed("llm.provider"),
    names.TOOL_NAME: _renamed("tool.name"),
}
"""Our attribute → what OpenInference calls it."""
