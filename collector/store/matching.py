"""Conditions that no column answers, asked of the span itself: attributes, metadata, texts, single passages.

A table from field to "the values a span has for it"; a condition holds when one of them satisfies it. Pure, so any backend can use it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import Any

import orjson

from collector.filters import FIELDS, Condition, Op, Type
from collector.model import AttributeValue, Document, Json, Normalised, Span
from collector.rollup import understood

SOURCE_KEYS = ("source", "file", "path", "url", "file_path", "filename", "document")
"""Where the metadata of a document says what it was cut from, the first that is there."""
REMEMBERED_CHARACTERS = 2_000  # of a passage; with 2,048 of them at most 4 MB


# ---- Passages ----


def passage_hash(content: str) -> str:
    """A passage's identity: 16 hex digits of the digest of its text, spaces folded."""
    return _remembered_hash(content) if len(content) <= REMEMBERED_CHARACTERS else _hash(content)


def _hash(content: str) -> str:
    return hashlib.blake2b(" ".join(content.split()).encode("utf-8", "replace"), digest_size=8).hexdigest()


_remembered_hash = lru_cache(maxsize=2_048)(_hash)  # what one stage returned the next one takes, and other traces find again


def source_of(metadata: Mapping[str, Json]) -> str | None:
    """The page a passage was cut from, by its metadata."""
    for key in SOURCE_KEYS:
        value = metadata.get(key)
        if isinstance(value, str) and value:
            return value
    return None


def _documents(n: Normalised) -> Iterable[Document]:
    return n.documents


def _text(value: Json) -> Iterable[str]:
    if value is None:
        return ()
    return (value if isinstance(value, str) else orjson.dumps(value, default=str).decode(),)


def _known(value: Any) -> Iterable[Any]:
    return () if value is None else (value,)


def _messages(n: Normalised, side: str) -> Iterable[str]:
    return [message.content for message in getattr(n, side) if message.content]


_READERS: Mapping[str, Callable[[Span, Normalised], Iterable[Any]]] = {
    "error.message": lambda span, n: _known(n.error.message if n.error else None),
    "tool": lambda span, n: _known(n.tool_name),
    "prompt": lambda span, n: _known(n.prompt.name if n.prompt else None),
    "prompt.version": lambda span, n: _known(n.prompt.version if n.prompt else None),
    "finish_reason": lambda span, n: n.finish_reasons,
    "dialect": lambda span, n: _known(n.dialect),
    "unmapped": lambda span, n: n.unmapped,
    "input": lambda span, n: [*_text(n.input), *_messages(n, "input_messages")],
    "output": lambda span, n: [*_text(n.output), *_messages(n, "output_messages")],
    "query": lambda span, n: _known(n.query),
    "dropped": lambda span, n: [candidate.dropped for candidate in n.candidates if candidate.dropped],
    "passage": lambda span, n: [passage_hash(document.content) for document in _documents(n) if document.content],
    "passage.id": lambda span, n: [document.id for document in _documents(n) if document.id],
    "passage.source": lambda span, n: [source for document in _documents(n) if (source := source_of(document.metadata))],
    "passage.rank": lambda span, n: [document.rank for document in _documents(n) if document.rank is not None],
    "passage.score": lambda span, n: [document.score for document in _documents(n) if document.score is not None],
    "citations": lambda span, n: (len(n.citations),) if n.citations else (),
}
_KEYED: Mapping[str, Callable[[Span, Normalised], Mapping[str, Any]]] = {
    "attr": lambda span, n: span.attributes,
    "resource": lambda span, n: span.resource.attributes,
    "metadata": lambda span, n: n.metadata,
    "parameter": lambda span, n: n.parameters,
}
READ_FROM_SPAN = frozenset({*_READERS, *_KEYED})
_AS_RECEIVED = frozenset({"attr", "resource"})


def needs_understanding(condition: Condition) -> bool:
    """Whether the span must be normalised to answer, which is most of the cost."""
    return condition.field not in _AS_RECEIVED


def values(condition: Condition, span: Span) -> Iterable[Any]:
    """What a span has for the field (and key) of a condition."""
    n = understood(span)
    if condition.field in _KEYED:
        value = _at(_KEYED[condition.field](span, n), condition.key)
        return value if isinstance(value, list | tuple) else _known(value)
    return _READERS[condition.field](span, n)


def _at(mapping: Mapping[str, Any], key: str) -> Any:
    """The entry under a key, which may also be a path through nested maps."""
    if key in mapping:
        return mapping[key]
    head, dot, tail = key.partition(".")
    inner = mapping.get(head)
    return _at(inner, tail) if dot and isinstance(inner, Mapping) else None


def may_have(condition: Condition, raw: bytes) -> bool:
    """Whether a span with these bytes of JSON can satisfy a condition on an attribute: 1 µs, where reading them takes 30 to 100."""
    if not all(part in raw for part in _written(condition.key)):
        return False
    wanted = condition.value
    return condition.op is not Op.EQ or not isinstance(wanted, str) or not _AS_WRITTEN.fullmatch(wanted) or wanted.encode() in raw


_AS_WRITTEN = re.compile(r"[A-Za-z][\w .:/-]*", re.ASCII)  # a text that JSON writes as it is, and no number


@lru_cache(maxsize=256)
def _written(key: str) -> Iterable[bytes]:
    """The parts of a key, which may be a path, where JSON writes them as they are."""
    return [part.encode() for part in key.split(".") if re.fullmatch(r"[\w-]+", part, re.ASCII)]


def holds(condition: Condition, span: Span) -> bool:
    """Whether one of the span's values satisfies the condition; an absent value satisfies none."""
    compare = _COMPARISONS[condition.op]
    numeric = FIELDS[condition.field].type is not Type.TEXT and isinstance(condition.value, int | float)
    return any(compare(_comparable(value, numeric), condition.value) for value in values(condition, span))


def _comparable(value: AttributeValue, numeric: bool) -> Any:
    """The value as the kind of thing it is compared with; None where it is not one."""
    if numeric:
        if isinstance(value, bool):
            return int(value)
        if isinstance(value, str):
            try:
                return float(value)
            except ValueError:
                return None
        return value if isinstance(value, int | float) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None if value is None else str(value)


@lru_cache(maxsize=256)
def _pattern(wildcards: str) -> re.Pattern[str]:
    literal = wildcards.replace("[", "[[]")  # only * and ? mean something
    return re.compile(translate(literal), re.IGNORECASE | re.DOTALL)


_COMPARISONS: Mapping[Op, Callable[[Any, Any], bool]] = {
    Op.EQ: lambda have, want: have is not None and have == want,
    Op.NE: lambda have, want: have is not None and have != want,
    Op.GT: lambda have, want: have is not None and _same_kind(have, want) and have > want,
    Op.GE: lambda have, want: have is not None and _same_kind(have, want) and have >= want,
    Op.LT: lambda have, want: have is not None and _same_kind(have, want) and have < want,
    Op.LE: lambda have, want: have is not None and _same_kind(have, want) and have <= want,
    Op.MATCH: lambda have, want: have is not None and _pattern(want).match(str(have)) is not None,
    Op.HAS: lambda have, want: have is not None,
}


def _same_kind(have: Any, want: Any) -> bool:
    return isinstance(have, str) == isinstance(want, str)


# ---- Text ----


def searchable(content: Mapping[str, Any], name: str) -> list[str]:
    """The texts that search looks in: every string a span was sent with, its events' too, and what its status says."""
    return _texts(name, content["attributes"], [event[2] for event in content.get("events", ())], content.get("status_message"))


def searchable_of(span: Span) -> list[str]:
    """The same of a span that was not stored yet."""
    return _texts(span.name, span.attributes, [event.attributes for event in span.events], span.status_message)


def _texts(name: str, attributes: Mapping[str, Any], events: Sequence[Any], status_message: str | None) -> list[str]:
    found, nested = [name], list[Any]()
    for value in attributes.values():
        if type(value) is str:
            found.append(value)
        elif isinstance(value, list | tuple | Mapping):
            nested.append(value)
    nested.extend(events)
    if status_message:
        found.append(status_message)
    while nested:
        value = nested.pop()
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, Mapping):
            nested.extend(value.values())
        elif isinstance(value, list | tuple):
            nested.extend(value)
    return found
