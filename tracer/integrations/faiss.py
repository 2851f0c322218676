"""FAISS traced: every search says which index it asked and what it found, also below the cut.

A search is a RETRIEVER span of stage recall with the index's fingerprint (type, size, dimension), ids and scores of what was returned,
and, for exact indexes, the next candidates after it: they are searched for in the same call, five times as many as were asked, and the
program gets the part it asked for. FAISS knows ids only; texts are recorded by the step around it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import faiss
from opentelemetry.context import attach, detach

from tracer.decorators import Step
from tracer.lightspan import Span
from tracer.safety import quiet

CANDIDATES = 5  # times the k of the program
_QUERIES = 16  # of one batch whose results are recorded
_EXACT = ("IndexFlat", "IndexFlatIP", "IndexFlatL2", "IndexFlat1D")
_STEP = Step("RETRIEVER", "faiss.search", stage="recall")

_SCORE_KINDS = {faiss.METRIC_INNER_PRODUCT: "inner_product", faiss.METRIC_L2: "distance"}


def instrument() -> None:
    """Wraps `search` of every index class, once."""
    for owner in _classes():
        original = owner.__dict__.get("search")
        if original is not None and not hasattr(original, "_traced_by_rightpassage"):
            wrapped = _wrapped(original)
            wrapped.__dict__["_traced_by_rightpassage"] = original
            owner.search = wrapped


def uninstrument() -> None:
    """Puts the index classes' own search back."""
    for owner in _classes():
        original = getattr(owner.__dict__.get("search"), "_traced_by_rightpassage", None)
        if original is not None:
            owner.search = original


def _classes() -> list[Any]:
    return [found for found in vars(faiss).values() if inspect.isclass(found) and issubclass(found, faiss.Index)]


def _wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def search(self: Any, x: Any, k: int, **kwargs: Any) -> Any:
        span = _STEP.open("faiss.search")
        if not span.span_id:
            return original(self, x, k, **kwargs)
        more = _more(self, k, kwargs)
        token = attach(span.context)
        try:
            distances, labels = original(self, x, more, **kwargs)
        except BaseException as error:
            span.close(error)
            raise
        finally:
            detach(token)
        _record(span, self, k, distances, labels)
        span.end()
        return (distances, labels) if more == k else (distances[:, :k].copy(), labels[:, :k].copy())

    return search


def _more(index: Any, k: int, kwargs: dict[str, Any]) -> int:
    """How many to search for: more only where that cannot change what the program gets."""
    exact = type(index).__name__ in _EXACT and not kwargs
    return max(k, min(k * CANDIDATES, int(index.ntotal))) if exact else k


@quiet
def _record(span: Span, index: Any, k: int, distances: Any, labels: Any) -> None:
    kind = _SCORE_KINDS.get(index.metric_type, "distance")
    span.set_index(type(index).__name__, passage_count=int(index.ntotal), dimension=int(index.d))
    span.set_attribute("gen_ai.retrieval.top_k", int(k))
    rows = [_found(scores, ids) for scores, ids in zip(distances[:_QUERIES], labels[:_QUERIES], strict=True)]
    if len(rows) == 1:
        span.set_documents(rows[0][:k], score_kind=kind)
        below = [{**found, "dropped": "below cut"} for found in rows[0][k:]]
        span.set_candidates([*rows[0][:k], *below], stage="recall", score_kind=kind)
    else:
        span.set_output({"queries": len(distances), "results": [row[:k] for row in rows]})


def _found(scores: Any, ids: Any) -> list[dict[str, Any]]:
    """What one query found; FAISS fills up with -1."""
    pairs = zip(scores.tolist(), ids.tolist(), strict=True)
    return [{"id": str(label), "score": score, "rank": rank} for rank, (score, label) in enumerate(pairs, 1) if label >= 0]
