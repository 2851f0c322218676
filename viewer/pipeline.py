"""A trace as the steps its passages went through: stage → spans, and the ranking each step gave. Pure.

Spans that say their stage are believed; for the rest, kind and name decide (the rules of the trace page's `stages.js`: both pass the same
cases, tests/viewer/stage_cases.json). Passages of two spans are one if they share an id, else if they share their text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from collector.model import Candidate, Document, Json, Message, Normalised, Span, SpanKind, Stage, Trace

BY_NAME: Sequence[tuple[re.Pattern[str], Stage]] = (
    (re.compile(r"rewrit|condens|reformulat|expand.?quer|query.?expan|hyde|multi.?quer|standalone", re.I), Stage.REWRITE),
    (re.compile(r"\bfus(e|ion)\b|rrf|[._-]fuse|merge.?results", re.I), Stage.FUSE),
    (re.compile(r"(^|[._\-\s])(filter|dedup|dedupe|deduplicate|acl)", re.I), Stage.FILTER),
    (re.compile(r"re-?rank", re.I), Stage.RERANK),
    (re.compile(r"cit(e|es|ation|ations)\b|attribut(e|ion).?(answer|source)", re.I), Stage.CITE),
    (
        re.compile(r"assembl|(build|format|render|make|fill).?(prompt|context)|(prompt|context).?(build|format|render|assembl)", re.I),
        Stage.ASSEMBLE,
    ),
)
BY_KIND: Mapping[SpanKind, Stage] = {
    SpanKind.RETRIEVER: Stage.RECALL,
    SpanKind.RERANKER: Stage.RERANK,
    SpanKind.PROMPT: Stage.ASSEMBLE,
    SpanKind.LLM: Stage.GENERATE,
}
NO_STAGE = frozenset({SpanKind.AGENT, SpanKind.TOOL})
JUDGES = frozenset({SpanKind.EVALUATOR, SpanKind.GUARDRAIL})
CITES = re.compile(r"cit(e|es|ation|ations)\b", re.I)
KNOWN = {stage.value: stage for stage in Stage}
UNKNOWN = Normalised()


def stage_of(span: Span) -> Stage | None:
    """The step a span is, None if it is none."""
    seen = span.normalised or UNKNOWN
    if seen.stage in KNOWN:
        return KNOWN[seen.stage]
    if seen.kind in JUDGES:
        return Stage.CITE if CITES.search(span.name) else None
    if seen.kind in NO_STAGE:
        return None
    for pattern, stage in BY_NAME:
        if pattern.search(span.name) and (stage is Stage.REWRITE or seen.kind is not SpanKind.LLM):
            return stage
    return BY_KIND.get(seen.kind)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage where a step put it; `rank` 1 is best."""

    key: str
    rank: int
    score: float | None = None
    score_kind: str | None = None
    title: str = ""
    source: str = ""
    content: str | None = None
    dropped: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """All spans of one stage together; `searches` are those that found something for the last of them: the arms of a hybrid retriever,
    which hands on less than they found, else that span itself."""

    stage: Stage
    spans: Sequence[Span]
    searches: Sequence[Span]

    @property
    def duration_ns(self) -> int:
        """From the first start to the last end: steps of one stage may run side by side."""
        return max(0, max(span.end_unix_nano for span in self.spans) - min(span.start_unix_nano for span in self.spans))

    @property
    def ranking(self) -> Sequence[Ranked]:
        """What the stage's last span with passages returned, in rank order; of several searches what they found together, each passage
        once, where it stood best."""
        if len(self.searches) > 1 and (found := merged([ranking(span) for span in self.searches])):
            return found
        return next((found for span in reversed(self.spans) if (found := ranking(span))), ())

    @property
    def kept(self) -> Sequence[Ranked]:
        """The passages that went on."""
        return [passage for passage in self.ranking if passage.dropped is None]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A trace as its steps, in the order passages pass them."""

    trace: Trace
    steps: Mapping[Stage, Step]

    @property
    def root(self) -> Span | None:
        roots = [span for span in self.trace.spans if not span.parent_span_id]
        return roots[0] if roots else (self.trace.spans[0] if self.trace.spans else None)

    @property
    def question(self) -> str:
        return text_of(self.root.normalised.input if self.root and self.root.normalised else None) or self.trace.summary.input_preview or ""

    @property
    def answer(self) -> str:
        return (
            text_of(self.root.normalised.output if self.root and self.root.normalised else None) or self.trace.summary.output_preview or ""
        )

    @property
    def query(self) -> str:
        """What was searched: the first query a retriever was asked."""
        for stage in (Stage.RECALL, Stage.FUSE, Stage.RERANK):
            for span in self.steps[stage].spans if stage in self.steps else ():
                if span.normalised and span.normalised.query:
                    return span.normalised.query
        return ""

    @property
    def passages(self) -> Sequence[Ranked]:
        """The ranking nearest to the prompt."""
        for stage in (Stage.ASSEMBLE, Stage.RERANK, Stage.FILTER, Stage.FUSE, Stage.RECALL):
            if stage in self.steps and (found := self.steps[stage].kept):
                return found
        return ()

    @property
    def cited(self) -> frozenset[str]:
        """Keys of the passages the answer points at."""
        found = (citation for span in self.trace.spans if span.normalised for citation in span.normalised.citations)
        return frozenset(f"id:{citation.document_id}" for citation in found if citation.document_id)

    @property
    def generation(self) -> Span | None:
        """The model call that wrote the answer: the one that ended last."""
        step = self.steps.get(Stage.GENERATE)
        return max(step.spans, key=lambda span: span.end_unix_nano) if step else None

    @property
    def prompt(self) -> str:
        """The messages of that call as one text."""
        span = self.generation
        return "\n\n".join(said(message) for message in span.normalised.input_messages) if span and span.normalised else ""

    @property
    def configuration(self) -> Mapping[str, str]:
        """What was chosen rather than computed: models, parameters, index, prompt, commit; name → value."""
        found: dict[str, str] = {}
        for step in self.steps.values():
            for span in step.spans:
                found |= settings_of(span, step.stage)
        if self.root:
            found |= {key: str(value) for key, value in self.root.resource.attributes.items() if key in CODE_KEYS or key.startswith("vcs.")}
            found["service"] = ", ".join(self.trace.summary.services)
        if self.trace.summary.environment:
            found["environment"] = self.trace.summary.environment
        return found


CODE_KEYS = frozenset({"service.version", "rightpassage.code.commit", "rightpassage.code.dirty", "rightpassage.config.digest"})


def pipeline(trace: Trace) -> Pipeline:
    """The steps of a trace; a span inside one of its own stage is a detail of it, and so is all that an evaluator or guardrail does."""
    by_id = {span.span_id: span for span in trace.spans}
    stages = {span.span_id: stage_of(span) for span in trace.spans}
    steps: dict[Stage, list[Span]] = {}
    arms: dict[str, list[Span]] = {}  # retrievers inside a retriever
    for span in sorted(trace.spans, key=lambda span: span.start_unix_nano):
        stage = stages[span.span_id]
        above = list(ancestors(span, by_id))
        judged = any((parent.normalised or UNKNOWN).kind in JUDGES for parent in above)
        if stage is None or judged:
            continue
        holders = [parent for parent in above if stages[parent.span_id] is stage]
        if not holders:
            steps.setdefault(stage, []).append(span)
        elif stage is Stage.RECALL and (span.normalised or UNKNOWN).kind is SpanKind.RETRIEVER:
            for holder in holders:
                arms.setdefault(holder.span_id, []).append(span)

    def searches(top: Span) -> Sequence[Span]:
        return [arm for arm in arms.get(top.span_id, ()) if arm.span_id not in arms] or [top]

    return Pipeline(trace, {stage: Step(stage, steps[stage], searches(steps[stage][-1])) for stage in Stage if stage in steps})


def ancestors(span: Span, by_id: Mapping[str, Span]) -> Iterable[Span]:
    """Parent, grandparent, …; a cycle ends it."""
    seen = {span.span_id}
    parent = by_id.get(span.parent_span_id)
    while parent is not None and parent.span_id not in seen:
        seen.add(parent.span_id)
        yield parent
        parent = by_id.get(parent.parent_span_id)


# ---- Passages ----


def key_of(id: str | None, content: str | None) -> str:
    """One passage, one key: its id, else its text."""
    return f"id:{id}" if id else f"text:{' '.join((content or '').split())}"


def ranking(span: Span) -> Sequence[Ranked]:
    """What a span returned, else the candidates it considered, in rank order."""
    seen = span.normalised
    if seen is None:
        return ()
    items: Sequence[Document | Candidate] = seen.documents or seen.candidates
    return tuple(ranked(item, place) for place, item in enumerate(items, 1))


def ranked(item: Document | Candidate, place: int) -> Ranked:
    metadata = item.metadata
    source = first_text(metadata, "link", "source", "url", "path", "file")
    title = first_text(metadata, "heading", "title") or source or item.id or ""
    dropped = item.dropped if isinstance(item, Candidate) else None
    return Ranked(key_of(item.id, item.content), item.rank or place, item.score, item.score_kind, title, source, item.content, dropped)


def merged(rankings: Sequence[Sequence[Ranked]]) -> Sequence[Ranked]:
    """Several rankings as one: by rank, of equal ones the first search's first; a passage that any search kept is kept."""
    best: dict[str, Ranked] = {}
    for passage in sorted((one for found in rankings for one in found), key=lambda one: (one.dropped is not None, one.rank)):
        best.setdefault(passage.key, passage)
    return tuple(best.values())


def first_text(metadata: Mapping[str, Json], *names: str) -> str:
    return next((value for name in names if isinstance(value := metadata.get(name), str) and value), "")


# ---- Texts and settings ----

TEXT_FIELDS = ("question", "query", "input", "answer", "output", "text", "content", "message", "result", "response", "prompt")


def text_of(value: Json) -> str:
    """The text a JSON value is about, "" where that is not plain."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return next((text for name in TEXT_FIELDS if isinstance(text := value.get(name), str)), "")
    if isinstance(value, Sequence):
        return text_of(value[-1]) if value else ""
    return "" if value is None else str(value)


def said(message: Message) -> str:
    return f"[{message.role}]\n{message.content or ''}"


def settings_of(span: Span, stage: Stage) -> dict[str, str]:
    """Model, parameters, index and prompt of one span, by names that say the stage."""
    seen = span.normalised or UNKNOWN
    found: dict[str, str] = {}
    if seen.model:
        found[f"{stage} model"] = seen.model
    for name, value in seen.parameters.items():
        found[f"{stage} {name}"] = str(value)
    if seen.index:
        entries = ("name", "version", "corpus_digest", "passage_count", "embedding_model", "dimension", "chunking")
        found |= {f"index {name.replace('_', ' ')}": str(value) for name in entries if (value := getattr(seen.index, name)) is not None}
    if seen.prompt:
        label = f"{stage} prompt"
        found |= {f"{label} {name}": str(value) for name in ("name", "version") if (value := getattr(seen.prompt, name))}
    if seen.documents and stage in {Stage.RECALL, Stage.RERANK}:  # k; what fusing and filtering leave over is an outcome
        found[f"{stage} passages returned"] = str(len(seen.documents))
    return found
