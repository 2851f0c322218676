"""The passage funnel: which passages each stage considered, where they went in the prompt, and which the answer cites.

Pure, and only what was recorded: a passage is joined over the stages by its document id, else by its text. What no span tells is absent,
never guessed: `placed` needs a recorded placement or a model input to look the text up in, `cited` needs recorded citations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from collector.model import Candidate, Document, Json, Placement, Prompt, Span, SpanKind, Stage, Trace
from collector.rollup import understood

STAGE_OF_KIND = {SpanKind.RETRIEVER: Stage.RECALL, SpanKind.RERANKER: Stage.RERANK}  # where the span does not name its stage
ORDER = {stage.value: position for position, stage in enumerate(Stage)}


@dataclass(frozen=True, slots=True)
class Seen:
    """A passage at one stage; `dropped` says why it went no further, "input" marks what a reranker was given and did not return."""

    stage: str
    span_id: str
    rank: int | None = None
    score: float | None = None
    score_kind: str | None = None
    dropped: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One passage on its way; `placed` and `cited` are None where the trace cannot tell."""

    id: str | None = None
    content: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)
    stages: Sequence[Seen] = ()
    placed: bool | None = None
    placement: Sequence[Placement] = ()
    cited: bool | None = None
    markers: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class UsedPrompt:
    """The template that the last prompt was made of, and where its passages went."""

    span_id: str
    template: str | None = None
    variables: Mapping[str, Json] = field(default_factory=dict)
    name: str | None = None
    version: str | None = None
    placement: Sequence[Placement] = ()


# ---- Passages over stages ----


@dataclass(slots=True)
class _Journey:
    """A row while it is being put together."""

    id: str | None
    content: str | None
    metadata: Mapping[str, Json]
    stages: list[Seen] = field(default_factory=list)


class _Journeys:
    """Passages by id, else by text; one without id is the one with an id and the same text."""

    def __init__(self) -> None:
        self.all: list[_Journey] = []
        self._by_id: dict[str, _Journey] = {}
        self._by_text: dict[str, _Journey] = {}

    def of(self, passage: Document | Candidate) -> _Journey:
        text = _plain(passage.content)
        found = self._by_id.get(passage.id) if passage.id else None
        if found is None and text and (same := self._by_text.get(text)) is not None and (same.id is None or passage.id is None):
            found = same
        if found is None:
            found = _Journey(passage.id, passage.content, passage.metadata)
            self.all.append(found)
        found.id, found.content = found.id or passage.id, found.content or passage.content
        found.metadata = found.metadata or passage.metadata
        if found.id:
            self._by_id[found.id] = found
        if text:
            self._by_text.setdefault(text, found)
        return found


def _plain(text: str | None) -> str:
    return " ".join((text or "").split())


def funnel(trace: Trace) -> Sequence[Row]:
    """The rows, in the order of the last stage that ranked them."""
    journeys = _Journeys()
    for passage, seen in _sightings(trace.spans):
        stages = journeys.of(passage).stages
        if not any((other.stage, other.span_id) == (seen.stage, seen.span_id) for other in stages):
            stages.append(seen)
    placement = [place for span in trace.spans for place in understood(span).placement]
    citations = [citation for span in trace.spans for citation in understood(span).citations]
    prompted = _prompted(trace.spans)
    rows: list[Row] = []
    for journey in journeys.all:
        at = [place for place in placement if place.id is not None and place.id == journey.id]
        markers = [citation.marker for citation in citations if citation.document_id and citation.document_id == journey.id]
        placed = bool(at) if placement else (_plain(journey.content) in prompted if prompted and journey.content else None)
        cited = bool(markers) if citations else None
        rows.append(Row(journey.id, journey.content, journey.metadata, journey.stages, placed, at, cited, markers))
    return sorted(rows, key=_furthest_first)


def _sightings(spans: Sequence[Span]) -> Iterator[tuple[Document | Candidate, Seen]]:
    """Every passage at every stage, stage by stage; what a stage returned before what it merely considered."""
    staged = [(stage, span) for span in spans if (stage := _stage(span)) is not None]
    for stage, span in sorted(staged, key=lambda pair: (ORDER.get(pair[0], len(ORDER)), pair[1].start_unix_nano)):
        n = understood(span)
        for document in n.documents:
            yield document, Seen(stage, span.span_id, document.rank, document.score, document.score_kind)
        for candidate in n.candidates:
            dropped = Seen(candidate.stage or stage, span.span_id, candidate.rank, candidate.score, candidate.score_kind, candidate.dropped)
            yield candidate, dropped
        for document in n.input_documents:
            yield document, Seen(stage, span.span_id, dropped="input")


def _stage(span: Span) -> str | None:
    n = understood(span)
    return n.stage or STAGE_OF_KIND.get(n.kind) if n.documents or n.candidates or n.input_documents else None


def _prompted(spans: Sequence[Span]) -> str:
    """The words that the last model call was given; empty where none were recorded."""
    calls = [n for span in spans if (n := understood(span)).kind is SpanKind.LLM]
    if not calls:
        return ""
    said = " ".join(message.content or "" for message in calls[-1].input_messages)
    return _plain(said or (calls[-1].input if isinstance(calls[-1].input, str) else ""))


def _furthest_first(row: Row) -> tuple[int, bool, int]:
    if not row.stages:
        return (0, True, 0)
    last = max(row.stages, key=lambda seen: ORDER.get(seen.stage, -1))
    return (-ORDER.get(last.stage, -1), last.dropped is not None, last.rank if last.rank is not None else 1_000_000)


# ---- The prompt ----


def prompt(trace: Trace) -> UsedPrompt | None:
    """The last recorded prompt template with the passages' places; None where no span records either."""
    made = [(span.span_id, n.prompt) for span in trace.spans if (n := understood(span)).prompt is not None]
    placed = [(span.span_id, n.placement) for span in trace.spans if (n := understood(span)).placement]
    if not made and not placed:
        return None
    span_id, used = made[-1] if made else (placed[-1][0], None)
    used = used or Prompt()
    return UsedPrompt(span_id, used.template, used.variables, used.name, used.version, placed[-1][1] if placed else ())
