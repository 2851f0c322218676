"""Embeddings are described, not kept: how many vectors of which length; a thousand floats tell a reader nothing."""

from __future__ import annotations

import re
from typing import Any

from tracer import conventions as names
from tracer.capture import to_json
from tracer.lightspan import Span

_LONG = 4_000  # bytes of JSON; an embedding takes more, and shorter values need not be searched (1 µs a kilobyte)
_FEW = 64  # numbers that are kept: they say something else
_NAMES = (b'embedding":', b'embeddings":[', b'vector":[')
_VECTORS = re.compile(
    rb'((?:embeddings?|vector)":)(\[[-+0-9.eE,\[\]nul]+\]|\{"indices":\[[0-9,]*\],"values":\[[-+0-9.eE,]*\]\})',
)


def without_vectors(written: bytes) -> bytes:
    """Captured JSON whose documents keep no embeddings: `"embedding": "<1024 numbers>"`. Text that looks like it has its quotes escaped."""
    if len(written) < _LONG or not any(name in written for name in _NAMES):
        return written
    return _VECTORS.sub(_described, written)


def _described(found: re.Match[bytes]) -> bytes:
    numbers = found[2].count(b",") + 1
    return found[0] if numbers <= _FEW else b'%s"<%d numbers>"' % (found[1], numbers)


def describe_vectors(span: Span, result: Any) -> None:
    """Records the shape of what an embedding step returned; anything else is recorded as it is."""
    count, dimension = shape(result)
    if dimension is None:
        span.set_output(result)
        return
    span.attributes_.setdefault(names.EMBEDDING_DIMENSION, dimension)
    span.attributes_[names.OUTPUT_VALUE] = to_json({"vectors": count, "dimension": dimension})


def shape(result: Any) -> tuple[int, int | None]:
    """Number and length of vectors in an array, a list of numbers or a list of those; (0, None) when it holds none."""
    known = getattr(result, "shape", None)
    if isinstance(known, tuple) and known:
        sizes: tuple[Any, ...] = known
        return (1, int(sizes[0])) if len(sizes) == 1 else (int(sizes[0]), int(sizes[-1]))
    if not isinstance(result, (list, tuple)) or not result:
        return 0, None
    items: Any = result
    if isinstance(items[0], (int, float)):
        return 1, len(items)
    _, dimension = shape(items[0])
    return (len(items), dimension) if dimension is not None else (0, None)
