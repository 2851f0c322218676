"""Embeddings are described, not kept: how many vectors of which length; a thousand floats tell a reader nothing."""

from __future__ import annotations

from typing import Any

from tracer import conventions as names
from tracer.capture import to_json
from tracer.lightspan import Span


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
