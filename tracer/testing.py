"""Tests of a traced pipeline: what a block of code did, as spans to assert on. No collector and no network.

from tracer.testing import assert_retrieved, capture_spans

with capture_spans() as spans:
    answer("How do I mount a volume?")
assert_retrieved(spans, "volumes.md")
assert spans.named("generate").model == "gpt-4o-mini"
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast, overload

import orjson
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.sdk.trace import TracerProvider

from tracer import conventions as names
from tracer.counters import Delivery
from tracer.finish import Finished, Item
from tracer.lightspan import readable_value
from tracer.recorder import ForeignSpans, Processors, Recorder, active, current


@dataclass(frozen=True)
class CapturedSpan:
    """An ended span with what it says at hand."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str  # "" at a root
    attributes: dict[str, Any]
    error: str | None  # the message of a failed span
    start_ns: int
    end_ns: int

    @property
    def kind(self) -> str:
        return str(self.attributes.get(names.SPAN_KIND, "UNKNOWN"))

    @property
    def input(self) -> Any:
        return self._typed(names.INPUT_VALUE, names.INPUT_MIME_TYPE)

    @property
    def output(self) -> Any:
        return self._typed(names.OUTPUT_VALUE, names.OUTPUT_MIME_TYPE)

    @property
    def model(self) -> str | None:
        return self.attributes.get(names.RESPONSE_MODEL) or self.attributes.get(names.REQUEST_MODEL)

    @property
    def query(self) -> str | None:
        return self.attributes.get(names.QUERY) or self.attributes.get(names.RERANKER_QUERY)

    @property
    def documents(self) -> list[dict[str, Any]]:
        return self.json(names.DOCUMENTS) or []

    @property
    def candidates(self) -> list[dict[str, Any]]:
        return self.json(names.CANDIDATES) or []

    def json(self, key: str) -> Any:
        """The parsed value of an attribute that holds JSON; None where there is none."""
        written = self.attributes.get(key)
        return orjson.loads(written) if isinstance(written, str) else None

    def _typed(self, key: str, mime: str) -> Any:
        return self.json(key) if self.attributes.get(mime) == names.MIME_JSON else self.attributes.get(key)


@dataclass
class CapturedSpans(Sequence[CapturedSpan]):
    """The spans that ended, in the order of their start."""

    spans: list[CapturedSpan] = field(default_factory=list)

    @overload
    def __getitem__(self, index: int) -> CapturedSpan: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[CapturedSpan]: ...
    def __getitem__(self, index: int | slice) -> CapturedSpan | Sequence[CapturedSpan]:
        return self._sorted()[index]

    def __len__(self) -> int:
        return len(self.spans)

    def __iter__(self) -> Iterator[CapturedSpan]:
        return iter(self._sorted())

    def _sorted(self) -> list[CapturedSpan]:
        return sorted(self.spans, key=lambda span: span.start_ns)

    def named(self, name: str) -> CapturedSpan:
        """The first span of this name; LookupError names those there are."""
        for span in self:
            if span.name == name:
                return span
        raise LookupError(f"no span {name!r}; there are {', '.join(sorted({span.name for span in self})) or 'none'}")

    def of_kind(self, kind: str) -> list[CapturedSpan]:
        """The spans of one kind: "RETRIEVER", "LLM", …"""
        return [span for span in self if span.kind == kind.upper()]

    def children(self, parent: CapturedSpan) -> list[CapturedSpan]:
        return [span for span in self if span.parent_id == parent.span_id]

    def tree(self) -> str:
        """The spans as an indented tree, one line each."""
        ids = {span.span_id for span in self.spans}
        lines: list[str] = []

        def draw(span: CapturedSpan, depth: int) -> None:
            lines.append("  " * depth + _line(span))
            for child in self.children(span):
                draw(child, depth + 1)

        for span in self:
            if span.parent_id not in ids:
                draw(span, 0)
        return "\n".join(lines)


def _line(span: CapturedSpan) -> str:
    took = (span.end_ns - span.start_ns) / 1e6
    told = f"{span.kind:<9} {span.name}  {took:.1f} ms"
    if span.documents:
        told += "  → " + ", ".join(_shown(document) for document in span.documents[:5])
    if span.error:
        told += f"  ✗ {span.error[:200]}"
    return told


def _shown(document: dict[str, Any]) -> str:
    source = cast("dict[str, Any]", document.get("metadata") or {}).get("source")
    return str(document.get("id") or source or str(document.get("content", ""))[:30])


class _Memory:
    """Stands where the pipeline stands: finishes spans at once and keeps them; the real pipeline gets them too."""

    announcing = False

    def __init__(self, recorder: Recorder, spans: CapturedSpans, beyond: Any) -> None:
        self._recorder, self._spans, self._beyond = recorder, spans, beyond

    def put(self, item: Item, size: int) -> None:
        finished = self._recorder.prepare(item, True)
        if finished is not None:
            self._spans.spans.append(_captured(finished))
            if self._beyond is not None:
                self._beyond.put(finished, size)

    def opened(self, span: Any) -> None:
        return None

    closed = opened

    def retire(self) -> None:
        return None

    def post(self, path: str, body: bytes) -> None:
        return None

    def flush(self, timeout: float) -> Delivery:
        return self._beyond.flush(timeout) if self._beyond is not None else Delivery()

    def delivery(self) -> Delivery:
        return self._beyond.delivery() if self._beyond is not None else Delivery()


def _captured(finished: Finished) -> CapturedSpan:
    return CapturedSpan(
        name=finished.name,
        trace_id=f"{finished.trace_id:032x}",
        span_id=f"{finished.span_id:016x}",
        parent_id=f"{finished.parent_id:016x}" if finished.parent_id else "",
        attributes={key: readable_value(value) for key, value in finished.attributes.items()},
        error=(finished.status_message or "failed") if finished.status_code == 2 else None,
        start_ns=finished.start_time,
        end_ns=finished.end_time,
    )


@contextmanager
def capture_spans(*, deliver: bool = False) -> Generator[CapturedSpans]:
    """A block whose spans are kept in memory, in place of any collector; with `deliver` they go to the configured one as well."""
    spans = CapturedSpans()
    before, off = current.recorder, current.off
    configured = active() if deliver else before
    recorder = _in_memory(configured)
    recorder.pipeline = cast(Any, _Memory(recorder, spans, configured.pipeline if deliver and configured is not None else None))
    current.recorder, current.off = recorder, False
    if recorder.foreign is not None:
        recorder.foreign.recorder = recorder
    try:
        yield spans
    finally:
        current.recorder, current.off = before, off
        if recorder.foreign is not None:
            recorder.foreign.recorder = before


def _in_memory(configured: Recorder | None) -> Recorder:
    if configured is not None:
        return replace(configured)
    processors = Processors()
    provider = TracerProvider(active_span_processor=processors, shutdown_on_exit=False)
    ours = ForeignSpans()
    provider.add_span_processor(ours)
    sdk_tracer = cast(SdkTracer, provider.get_tracer("rightpassage"))
    from opentelemetry.sdk.trace import SpanLimits

    return Recorder(provider, sdk_tracer, SpanLimits(), None, None, lambda: processors.others, foreign=ours)


# ---- Assertions ----


def assert_retrieved(spans: Sequence[CapturedSpan], expected: str, *, k: int | None = None, stage: str | None = None) -> None:
    """Fails unless a retriever or reranker returned the expected document, among its first `k` where given.

    `expected` is a document's id or source, or a piece of its text. The message names what was retrieved instead.
    """
    searched = [
        span for span in spans if span.kind in ("RETRIEVER", "RERANKER") and (stage is None or span.attributes.get(names.STAGE) == stage)
    ]
    for span in searched:
        if any(_is(document, expected) for document in span.documents[:k]):
            return
    told = "\n".join(f"  {span.name}: {', '.join(_shown(document) for document in span.documents[:k]) or 'nothing'}" for span in searched)
    where = f" among the first {k}" if k is not None else ""
    raise AssertionError(f"{expected!r} was not retrieved{where}\n{told or '  no retriever ran'}")


def assert_not_retrieved(spans: Sequence[CapturedSpan], unexpected: str, *, k: int | None = None) -> None:
    """Fails when any retriever or reranker returned this document."""
    for span in spans:
        if span.kind in ("RETRIEVER", "RERANKER") and any(_is(document, unexpected) for document in span.documents[:k]):
            raise AssertionError(f"{unexpected!r} was retrieved by {span.name}")


def _is(document: dict[str, Any], expected: str) -> bool:
    metadata = cast("dict[str, Any]", document.get("metadata") or {})
    named = {str(document.get("id")), *(str(metadata.get(key)) for key in ("source", "url", "path", "title", "heading"))}
    return expected in named or (len(expected) >= 4 and expected in str(document.get("content", "")))
