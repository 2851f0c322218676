"""A Python value becomes text or JSON, at once, whatever it is.

The snapshot is taken on the caller's thread because the value may change a moment later; orjson makes that as cheap as any safe copy
(1.2 µs for 3 kB of documents). Exact strings are immutable and kept by reference. What orjson cannot take (cycles, depth, lone
surrogates, objects that raise) goes to a slower walk that always ends: strings, items, depth and the sum of all are bounded, and what
is left out says so. Nothing is consumed, mutated or kept alive.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import functools
import re
import types
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeAlias, cast

import orjson

from tracer.safety import attempt

Captured: TypeAlias = "str | bytes"
"""`str`: text as it was given; `bytes`: JSON in UTF-8."""

VALUE_LIMIT = 5 * 1024 * 1024  # characters kept of one value: long prompts are whole, a 100 MB string costs 5 MB
_DEPTH = 60  # levels kept by the slow walk; orjson itself gives up at 254
_ITEMS = 10_000  # items kept of one container by the slow walk
_ARRAY = 64  # numbers of an array that are written out; longer ones are described
_SHORT = 1_000  # bytes of JSON searched for an empty object: 3 µs for 3 kB are too much for every call
_ROWS = 20  # of a data frame: a retriever may return one
_REPR = 2_000  # characters of an object's own repr
_OBJECTS = 5_000  # unknown objects described in one value: an object graph ends here
_SCALARS = (str, int, float, bool, type(None))


def capture(value: object, limit: int = VALUE_LIMIT) -> Captured:
    """Text for a string, JSON for everything else; at most about `limit` characters. Never raises an Exception."""
    if type(value) is str:
        return value if len(value) <= limit else cut(value, limit)
    return to_json(value, limit)


def to_json(value: object, limit: int = VALUE_LIMIT) -> bytes:
    """JSON in UTF-8 of any value; at most about `limit` bytes. Never raises an Exception."""
    if _room(value, limit, 8) >= 0:
        describer = _Describer()
        try:
            written = orjson.dumps(value, describer)
            if len(written) < _SHORT and b"{}" in written:  # perhaps a dataclass with private fields only, which orjson does not show
                written = orjson.dumps(value, describer, orjson.OPT_PASSTHROUGH_DATACLASS)
        except (TypeError, ValueError, RecursionError):  # JSONEncodeError is a TypeError
            written = None
        if written is not None and len(written) <= 2 * limit:
            return written
    plain = attempt(_Walk(limit).plain, value, 0, default=f"<unserialisable {type(value).__name__}>")
    return attempt(orjson.dumps, plain, default=b'"<unserialisable>"')


def cut(text: str, limit: int) -> str:
    """The first `limit` characters and a note that says how many there were."""
    return f"{text[:limit]}… [cut: {limit} of {len(text)} characters]"


def _room(value: object, room: int, depth: int) -> int:
    """`room` minus the characters of the strings in plain containers; negative as soon as there is too much of it."""
    kind = type(value)
    if kind is dict:
        items: Iterable[object] = cast("dict[object, object]", value).values()
    elif kind in _CONTAINERS:
        items = cast("Iterable[object]", value)
    elif kind is str or kind is bytes:
        return room - len(cast(str, value))
    else:
        return room
    room -= 2 * len(cast("list[object]", value))
    for item in items:
        kind = type(item)
        if kind is str or kind is bytes:
            room -= len(cast(str, item))
        elif kind in _CONTAINERS and depth:
            room = _room(item, room, depth - 1)
        if room < 0:
            return room
    return room


_CONTAINERS = frozenset({dict, list, tuple})


class _Describer:
    """orjson's `default`: a JSON-able stand-in for an object it does not know, for at most `_OBJECTS` objects."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _OBJECTS

    def __call__(self, value: object) -> object:
        self.left -= 1
        if self.left < 0:
            return f"<{type(value).__name__}>"
        return attempt(describe, value, default=f"<unserialisable {type(value).__name__}>")


def describe(value: object) -> object:
    """One step from an object towards JSON: what it holds, or a name for what cannot be written (it may raise)."""
    return _reader(type(value))(value)


@functools.lru_cache(maxsize=1024)
def _reader(kind: type) -> Callable[[Any], object]:
    for base in kind.__mro__:
        found = _BY_TYPE.get(base)
        if found is not None:
            return found
    return next((reader for fits, reader in _BY_SHAPE if fits(kind)), _object)


def _named(value: object) -> str:
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", "")
    return f"<{type(value).__name__} {name}>" if name else f"<{type(value).__name__}>"


def _bytes(value: object) -> str:
    return f"<{len(cast(bytes, value))} bytes>"


def _error(value: object) -> object:
    return {"type": type(value).__name__, "message": attempt(str, value, default="")}


def _array(value: Any) -> object:
    """numpy, torch, jax: numbers where they are few, else shape and type."""
    shape = tuple(int(n) for n in value.shape)
    if shape == ():
        return value.item()
    size = 1
    for n in shape:
        size *= n
    if size <= _ARRAY:
        return value.tolist()
    return {"array": type(value).__name__, "shape": shape, "dtype": str(value.dtype)}


def _table(value: Any) -> object:
    """pandas, polars: shape, columns and the first rows."""
    rows = value.head(_ROWS)
    records = rows.to_dicts() if hasattr(rows, "to_dicts") else rows.to_dict("records")
    return {"table": type(value).__name__, "shape": value.shape, "columns": [str(c) for c in value.columns], "head": records}


def _series(value: Any) -> object:
    """pandas, polars: a row of a frame by its labels, else length and the first five."""
    if len(value) <= _ARRAY and getattr(getattr(value, "index", None), "inferred_type", "") == "string":
        return value.to_dict()
    return {"series": type(value).__name__, "length": len(value), "head": value.head(5).to_list()}


def _mapping(value: object) -> object:
    return {str(k): v for k, v in cast("Mapping[object, object]", value).items()}


def _listing(value: object) -> object:
    return list(cast("Iterable[object]", value))


def _scored_node(value: Any) -> object:
    """LlamaIndex NodeWithScore."""
    node = value.node
    return {"id": node.node_id, "content": node.get_content(), "score": value.score, "metadata": node.metadata}


def _node(value: Any) -> object:
    return {"id": value.node_id, "content": value.get_content(), "metadata": value.metadata}


def _model(value: Any) -> object:
    """pydantic 2."""
    return value.model_dump()


def _public(value: object) -> dict[str, object]:
    fields = dict(vars(value)) if hasattr(value, "__dict__") else {}
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in [slots] if isinstance(slots, str) else slots:
            if hasattr(value, name):
                fields[name] = getattr(value, name)
    return {name: item for name, item in fields.items() if not name.startswith("_")}


def _dataclass(value: object) -> object:
    """Its fields; where all of them are private (Haystack's ChatMessage), those, without their underscore."""
    fields = _public(value)
    return fields or {field.name.lstrip("_"): getattr(value, field.name) for field in dataclasses.fields(cast("Any", value))}


_CONTENT = ("page_content", "content", "text")


def _object(value: object) -> object:
    """A class of the user: its fields when it looks like a document or has no repr of its own, else its repr."""
    kind = type(value)
    fields = _public(value)
    has_repr = kind.__repr__ is not object.__repr__
    if fields and (not has_repr or any(name in fields for name in _CONTENT)):
        return fields
    if has_repr:
        text = repr(value)
        return text if len(text) <= _REPR else cut(text, _REPR)
    return f"<{kind.__name__}>"


def _text(value: object) -> str:
    return str(value)


def _unread(value: object) -> str:
    return f"<{type(value).__name__}>"


_BY_TYPE: dict[type, Callable[[Any], object]] = {
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: lambda value: f"<{value.nbytes} bytes>",
    Exception: _error,
    BaseException: _error,
    set: _listing,
    frozenset: _listing,
    deque: _listing,
    range: _listing,
    tuple: _listing,
    dict: _mapping,
    types.MappingProxyType: _mapping,
    types.GeneratorType: _named,
    types.AsyncGeneratorType: _named,
    types.CoroutineType: _named,
    types.FunctionType: _named,
    types.BuiltinFunctionType: _named,
    types.MethodType: _named,
    types.ModuleType: _named,
    type: _named,
    complex: _text,
    datetime.datetime: lambda value: value.isoformat(),  # pandas.Timestamp is one
    datetime.date: lambda value: value.isoformat(),
    enum.Enum: lambda value: value.value if isinstance(value.value, _SCALARS) else value.name,
}
"""How a type, or a subclass of it, is described."""


def _has(*names: str) -> Callable[[type], bool]:
    return lambda kind: all(hasattr(kind, name) for name in names)


def _holds(*fields: str) -> Callable[[type], bool]:
    return lambda kind: all(field in getattr(kind, "model_fields", ()) for field in fields)


_BY_SHAPE: tuple[tuple[Callable[[type], bool], Callable[[Any], object]], ...] = (
    (_has("__fspath__"), _text),
    (_has("dtypes", "columns", "shape"), _table),
    (_has("to_frame", "head"), _series),
    (_has("__array__", "shape"), _array),  # before the next line: numpy's scalars are numbers too
    (_has("as_integer_ratio"), _text),  # Decimal, Fraction
    (_has("total_seconds"), _text),
    (_has("__dataclass_fields__"), _dataclass),
    (_holds("node", "score"), _scored_node),
    (_has("get_content", "node_id"), _node),
    (_has("model_dump"), _model),
    (_has("__next__"), _unread),  # iterators are not consumed
    (_has("__anext__"), _unread),
)
"""How an object is described by what its class has, first hit wins: for libraries we must not import."""


class _Walk:
    """Plain JSON values from anything, with a bound on everything; cycles are named where they close."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.objects = _OBJECTS
        self.open: set[int] = set()

    def plain(self, value: object, depth: int) -> object:
        if isinstance(value, str):
            return self._string(value)
        if value is None or isinstance(value, (bool, float)):
            return value
        if isinstance(value, int):
            return int(value) if -(2**63) <= value < 2**64 else str(value) if value.bit_length() < 4096 else "<int>"
        if depth >= _DEPTH:
            return f"<{type(value).__name__}: deeper>"
        if id(value) in self.open:
            return f"<{type(value).__name__}: cycle>"
        self.open.add(id(value))
        try:
            return self._container(value, depth)
        finally:
            self.open.discard(id(value))

    def _string(self, value: str) -> str:
        kept = value if len(value) <= self.room else cut(value, max(self.room, 0))
        self.room -= len(kept)
        return clean(kept)

    def _container(self, value: object, depth: int) -> object:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            value = _dataclass(value)
        if isinstance(value, Mapping):
            return self._mapping(cast("Mapping[object, object]", value), depth)
        if isinstance(value, (Sequence, AbstractSet)) and not isinstance(value, (bytes, bytearray, memoryview)):
            return self._listing(cast("Iterable[object]", value), depth, len(cast("Sequence[object]", value)))
        self.objects -= 1
        if self.objects < 0:
            return f"<{type(value).__name__}>"
        return self.plain(attempt(describe, value, default=f"<unserialisable {type(value).__name__}>"), depth + 1)

    def _mapping(self, value: Mapping[object, object], depth: int) -> dict[str, object]:
        kept: dict[str, object] = {}
        for count, (key, item) in enumerate(list(value.items())):
            if count >= _ITEMS or self.room < 0:
                kept["…"] = f"{len(value) - count} more"
                break
            name = key if isinstance(key, str) else attempt(str, key, default=f"<{type(key).__name__}>")
            self.room -= len(name) + 4
            kept[clean(name[:1000])] = self.plain(item, depth + 1)
        return kept

    def _listing(self, value: Iterable[object], depth: int, length: int) -> list[object]:
        kept: list[object] = []
        for count, item in enumerate(value):
            if count >= _ITEMS or self.room < 0:
                kept.append(f"… {length - count} more")
                break
            self.room -= 2
            kept.append(self.plain(item, depth + 1))
        return kept


_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """The text with lone surrogates replaced by U+FFFD: those cannot travel as UTF-8."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
