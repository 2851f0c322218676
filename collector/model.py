"""The vocabulary: every value the collector passes around, defined once.

Frozen dataclasses and nothing else: no I/O, no third-party import, no attribute names (those are `tracer.conventions`), no JSON (that is
`collector.jsonform`). A span keeps what it was sent (`attributes`, `events`, …) beside what we understood of it (`normalised`): the first
never changes, the second is derived by `collector.dialects.normalise` and can be derived again when a dialect improves.
Times are integer nanoseconds since the Unix epoch, durations integer nanoseconds, ids lowercase hex, costs US dollars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeAlias, TypeVar, Union

Json: TypeAlias = Union[None, bool, int, float, str, Sequence["Json"], Mapping[str, "Json"]]  # noqa: UP007  (recursive alias on 3.11)
"""A JSON value; ints are exact at any size."""

AttributeValue: TypeAlias = Union[  # noqa: UP007
    None, bool, int, float, str, bytes, Sequence["AttributeValue"], Mapping[str, "AttributeValue"]
]
"""An OpenTelemetry AnyValue with its type kept: bytes stay bytes, ints stay ints, a kvlist is a mapping."""

Attributes: TypeAlias = Mapping[str, AttributeValue]

T = TypeVar("T")


class SpanKind(StrEnum):
    """What a span does in an LLM application (OpenInference's kinds); OpenTelemetry's own kind is `Span.otel_kind`."""

    AGENT = "AGENT"
    CHAIN = "CHAIN"
    EMBEDDING = "EMBEDDING"
    EVALUATOR = "EVALUATOR"
    GUARDRAIL = "GUARDRAIL"
    LLM = "LLM"
    PROMPT = "PROMPT"
    RERANKER = "RERANKER"
    RETRIEVER = "RETRIEVER"
    TOOL = "TOOL"
    UNKNOWN = "UNKNOWN"


class Stage(StrEnum):
    """A step that passages pass on their way into an answer, in the order they pass it."""

    REWRITE = "rewrite"
    RECALL = "recall"
    FUSE = "fuse"
    FILTER = "filter"
    RERANK = "rerank"
    ASSEMBLE = "assemble"
    GENERATE = "generate"
    CITE = "cite"


class StatusCode(StrEnum):
    UNSET = "unset"
    OK = "ok"
    ERROR = "error"


class AnnotatorKind(StrEnum):
    HUMAN = "HUMAN"
    LLM = "LLM"
    CODE = "CODE"


# ---- What OpenTelemetry sends ----


@dataclass(frozen=True, slots=True)
class Resource:
    """Who emitted a span."""

    attributes: Attributes = field(default_factory=dict)
    dropped_attributes_count: int = 0
    schema_url: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """The instrumentation that made a span."""

    name: str = ""
    version: str = ""
    attributes: Attributes = field(default_factory=dict)
    dropped_attributes_count: int = 0
    schema_url: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    time_unix_nano: int
    attributes: Attributes = field(default_factory=dict)
    dropped_attributes_count: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    trace_id: str
    span_id: str
    trace_state: str = ""
    attributes: Attributes = field(default_factory=dict)
    dropped_attributes_count: int = 0
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """One timed operation as it was received, and (after `dialects.normalise`) what we understood of it."""

    trace_id: str
    span_id: str
    parent_span_id: str  # "" at a root
    name: str
    start_unix_nano: int
    end_unix_nano: int  # 0 while running
    attributes: Attributes = field(default_factory=dict)
    events: Sequence[Event] = ()
    links: Sequence[Link] = ()
    status: StatusCode = StatusCode.UNSET
    status_message: str = ""
    otel_kind: int = 0
    trace_state: str = ""
    flags: int = 0
    dropped_attributes_count: int = 0
    dropped_events_count: int = 0
    dropped_links_count: int = 0
    resource: Resource = Resource()
    scope: Scope = Scope()
    normalised: Normalised | None = None
    scores: Sequence[Score] = ()  # joined on read

    @property
    def duration_ns(self) -> int:
        """Nanoseconds from start to end; 0 for a running span or one whose clock ran backwards."""
        return max(0, self.end_unix_nano - self.start_unix_nano) if self.end_unix_nano else 0


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A log record that carries a span's ids and GenAI content: it enriches that span, before or after it arrives."""

    trace_id: str
    span_id: str
    event: Event


# ---- What we understood of a span ----


@dataclass(frozen=True, slots=True)
class ToolCall:
    name: str
    arguments: Json = None  # an object wherever it parses as one
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation with a model."""

    role: str  # system, user, assistant, tool
    content: str | None = None
    tool_calls: Sequence[ToolCall] = ()
    tool_call_id: str | None = None
    reasoning: str | None = None
    media: Sequence[Mapping[str, Json]] = ()
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """What a retriever or reranker returned, in rank order; an unknown score is None, never 0."""

    content: str | None = None
    id: str | None = None
    score: float | None = None
    score_kind: str | None = None  # cosine, inner_product, bm25, rrf, rerank, distance, …
    rank: int | None = None  # 1 is best
    metadata: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document a stage considered, also below the cut; `dropped` says why it went no further (None: kept)."""

    id: str | None = None
    content: str | None = None
    stage: str | None = None
    rank: int | None = None
    score: float | None = None
    score_kind: str | None = None
    dropped: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; None where the emitter said nothing. Cached is part of input, reasoning part of output."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cached_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    template: str | None = None
    variables: Mapping[str, Json] = field(default_factory=dict)
    name: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """The fingerprint of the searchable collection a retrieval asked."""

    name: str | None = None
    version: str | None = None
    corpus_digest: str | None = None
    passage_count: int | None = None
    embedding_model: str | None = None
    dimension: int | None = None
    chunking: str | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a passage went in the prompt: characters [start, end) of message `message`; `cut` if not whole."""

    id: str | None
    position: int
    message: int | None = None
    start: int | None = None
    end: int | None = None
    tokens: int | None = None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Citation:
    """A mark in the answer and the document it points at."""

    marker: str
    document_id: str | None = None
    valid: bool | None = None


@dataclass(frozen=True, slots=True)
class SpanError:
    type: str | None = None
    message: str | None = None
    stacktrace: str | None = None


@dataclass(frozen=True, slots=True)
class Normalised:
    """Our fields of one span (contracts: Span). None or empty means unknown; what was inferred is named in `derived`."""

    kind: SpanKind = SpanKind.UNKNOWN
    dialect: str | None = None
    status: StatusCode = StatusCode.UNSET  # as shown: an escaped exception counts as an error
    error: SpanError | None = None
    operation: str | None = None
    model: str | None = None
    provider: str | None = None
    input: Json = None
    output: Json = None
    input_messages: Sequence[Message] = ()
    output_messages: Sequence[Message] = ()
    usage: Usage | None = None
    repeats_usage: bool = False  # a wrapper that by its dialect only repeats its children's tokens
    response_id: str | None = None
    cost_usd: float | None = None
    cost_source: str | None = None  # "reported" by the emitter, "estimated" from the price table, "unpriced", None: nothing to price
    time_to_first_token_ns: int | None = None
    finish_reasons: Sequence[str] = ()
    query: str | None = None
    documents: Sequence[Document] = ()
    input_documents: Sequence[Document] = ()
    candidates: Sequence[Candidate] = ()
    texts: Sequence[str] = ()
    vector_dimensions: int | None = None
    tool_name: str | None = None
    arguments: Json = None
    tools_offered: Sequence[Mapping[str, Json]] = ()  # each with at least "name"
    prompt: Prompt | None = None
    parameters: Mapping[str, Json] = field(default_factory=dict)
    stage: str | None = None
    index: Index | None = None
    citations: Sequence[Citation] = ()
    placement: Sequence[Placement] = ()
    scores: Sequence[Score] = ()  # evaluations that travelled with the span
    session_id: str | None = None
    user_id: str | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, Json] = field(default_factory=dict)
    service: str | None = None
    environment: str | None = None
    derived: Sequence[str] = ()
    unmapped: Sequence[str] = ()  # keys that look like content and matched nothing
    sources: Mapping[str, str] = field(default_factory=dict)  # our field → the key that filled it


# ---- Scores ----


@dataclass(frozen=True, slots=True)
class Target:
    """What a score is about: a span, a whole trace, or a session."""

    trace_id: str | None = None
    span_id: str | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """A judgement; the last per (target, name, annotator) counts, and one without value and label is retracted."""

    name: str
    value: float | None = None
    label: str | None = None
    explanation: str | None = None
    annotator_kind: AnnotatorKind = AnnotatorKind.HUMAN
    annotator_id: str | None = None
    target: Target = Target()
    id: str | None = None
    time_unix_nano: int = 0


# ---- Traces and sessions ----


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """One row of a trace list. `usage` sums the real LLM calls once; `cost_usd` covers them and the embeddings."""

    trace_id: str
    root_name: str | None
    root_missing: bool
    services: Sequence[str]
    session_id: str | None
    user_id: str | None
    tags: Sequence[str]
    start_unix_nano: int
    duration_ns: int
    span_count: int
    error_count: int
    status: StatusCode
    usage: Usage
    embedding_tokens: int | None
    cost_usd: float | None
    input_preview: str | None
    output_preview: str | None
    verdict: str | None = None
    environment: str | None = None
    models: Sequence[str] = ()
    root_kind: SpanKind = SpanKind.UNKNOWN
    root_span_id: str | None = None
    unpriced: bool = False  # a call with usage whose model has no price: cost_usd is a lower bound
    state: str = "ended"  # "running" while an announced span has not ended
    scores: Sequence[Score] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark of the trace health: a code ("orphan", "late", "cycle", …), the spans concerned, a sentence."""

    code: str
    message: str
    span_ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Health:
    """What is odd about how a trace arrived; counts for the footer, findings for the card."""

    findings: Sequence[Finding] = ()
    orphan_count: int = 0
    unmapped_count: int = 0
    dropped_count: int = 0
    running_count: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """A whole trace: its summary and every span (running ones last), ordered by start time."""

    summary: TraceSummary
    spans: Sequence[Span]
    health: Health = Health()


@dataclass(frozen=True, slots=True)
class SpanRow:
    """A span without its payload: what a tree or a list of spans needs."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: SpanKind
    start_unix_nano: int
    duration_ns: int
    status: StatusCode
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    service: str | None = None
    state: str = "ended"
    stage: str | None = None


@dataclass(frozen=True, slots=True)
class LinkFrom:
    """A link as the trace sees it that it leads to: which span of which other trace links, and to which of its own."""

    trace_id: str
    span_id: str
    target_span_id: str
    name: str
    kind: SpanKind
    start_unix_nano: int
    status: StatusCode
    service: str | None = None
    root_name: str | None = None  # of the trace that links, as are
    input_preview: str | None = None
    attributes: Attributes = field(default_factory=dict)  # of the link


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A trace without payloads; its health is what the shape of the tree says."""

    summary: TraceSummary
    rows: Sequence[SpanRow]
    health: Health = Health()


@dataclass(frozen=True, slots=True)
class SessionSummary:
    session_id: str
    user_id: str | None
    services: Sequence[str]
    start_unix_nano: int
    end_unix_nano: int
    trace_count: int
    error_count: int
    usage: Usage
    cost_usd: float | None
    first_input_preview: str | None
    last_output_preview: str | None


@dataclass(frozen=True, slots=True)
class PassageSummary:
    """A passage that some stage returned, stored once by the hash of its text."""

    passage_hash: str
    preview: str
    source: str | None
    document_id: str | None
    retrieved_count: int  # spans that returned it
    trace_count: int
    last_seen_unix_nano: int


# ---- Asking ----


@dataclass(frozen=True, slots=True)
class PageRequest:
    limit: int = 50  # 1 to 1000
    cursor: str | None = None
    order: str = "-start_time"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Items and the cursor of the next page. `complete` is False where a time budget ended the scan; then
    `searched_back_to_unix_nano` says how far it got and `next_cursor` goes on from there."""

    items: Sequence[T]
    next_cursor: str | None = None
    complete: bool = True
    searched_back_to_unix_nano: int | None = None


@dataclass(frozen=True, slots=True)
class ValueCount:
    value: str
    count: int
    at_least: bool = False  # the time did not do for all traces: there may be more


@dataclass(frozen=True, slots=True)
class Stats:
    traces: int
    spans: int
    sessions: int
    scores: int
    bytes: int
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one write stores together, durably: ended spans, announced running ones, log records, scores."""

    spans: Sequence[Span] = ()
    running: Sequence[Span] = ()
    logs: Sequence[LogRecord] = ()
    scores: Sequence[Score] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """How many of a batch were new, how many were there already, and, of an import, how many spans could not be kept (no valid id)."""

    spans: int = 0
    duplicates: int = 0
    scores: int = 0
    rejected: int = 0

    def __add__(self, more: Written) -> Written:
        return Written(self.spans + more.spans, self.duplicates + more.duplicates, self.scores + more.scores, self.rejected + more.rejected)


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """What may be pruned; None means no limit. `keep_scored` spares traces that carry a score."""

    max_age_ns: int | None = None
    max_bytes: int | None = None
    max_traces: int | None = None
    keep_scored: bool = False
    service: str | None = None


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune or delete took away (or would, when `dry_run`)."""

    traces: int = 0
    spans: int = 0
    bytes_freed: int = 0
    dry_run: bool = False


# ---- The catalogue: few, mutable ----


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable, content-addressed version of a named thing (prompt, index, dataset, saved view, pipeline)."""

    kind: str
    name: str
    digest: str
    content: Json
    created_unix_nano: int
    labels: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """One execution of one example in an experiment, with the trace that shows it."""

    experiment: str
    example_id: str
    trace_id: str | None
    output: Json = None
    scores: Sequence[Score] = ()
    error: str | None = None
