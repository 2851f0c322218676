"""From the spans of a trace to its row in a list: counts, usage once, cost, who and what for; and what a root borrows from below.

Usage is summed over real calls: a span's tokens count only when no span below it has tokens, a wrapper that its dialect knows to repeat
tokens counts only when nothing else does, and two spans with one response id are one call. Embedding tokens stand apart. All walks are
iterative: a trace may be 10,000 spans deep, and its parent ids may form cycles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import orjson

from collector.dialects.messages import answer_messages, request_messages
from collector.model import Json, Message, Normalised, Span, SpanKind, StatusCode, TraceSummary, Usage
from tracer.conventions import SPAN_STATE

PREVIEW_CHARACTERS = 500
NOTHING = Normalised()
NO_ANSWERS = frozenset({SpanKind.TOOL, SpanKind.PROMPT})
"""What these return is no answer where a model was called after it."""
NEVER_ANSWERS = frozenset({SpanKind.RETRIEVER, SpanKind.RERANKER, SpanKind.EMBEDDING})
"""What these return, and what their parts say, was looked up: no root borrows its output there."""
CALLING_KINDS = frozenset({SpanKind.LLM, SpanKind.AGENT})


def understood(span: Span) -> Normalised:
    """What was understood of a span; nothing for one that was not normalised."""
    return span.normalised or NOTHING


def is_running(span: Span) -> bool:
    """Announced and not ended; an ended span may have end time 0 by mistake, but says no state."""
    return span.end_unix_nano == 0 and span.attributes.get(SPAN_STATE) == "running"


class Tree:
    """The spans of one trace by parent. Top spans have no parent here; a cycle is cut at its earliest span, which becomes a top span."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self.spans = sorted(spans, key=lambda span: (span.start_unix_nano, span.span_id))
        self.by_id: Mapping[str, Span] = {span.span_id: span for span in reversed(self.spans)}
        self.children: dict[str, list[Span]] = {}
        self.tops: list[Span] = []
        self.cut: list[Span] = []  # tops that a cycle made
        self.parent: dict[str, str] = {}
        for span in self.spans:
            parent = span.parent_span_id
            if parent and parent in self.by_id and parent != span.span_id:
                self.parent[span.span_id] = parent
                self.children.setdefault(parent, []).append(span)
            else:
                self.tops.append(span)
                if parent == span.span_id:
                    self.cut.append(span)
        self._cut_cycles()

    def _cut_cycles(self) -> None:
        """What no top span reaches hangs on a cycle."""
        reached = {span.span_id for span in self.walk()}
        if len(reached) == len(self.by_id):
            return
        for span in self.spans:
            if span.span_id in reached:
                continue
            self.children[self.parent.pop(span.span_id)].remove(span)
            self.tops.append(span)
            self.cut.append(span)
            reached.update(below.span_id for below in self.walk([span]))
        self.tops.sort(key=lambda span: (span.start_unix_nano, span.span_id))

    def walk(self, tops: Sequence[Span] | None = None) -> Iterable[Span]:
        """Every span once, parents before children, siblings by start time."""
        stack = list(reversed(self.tops if tops is None else tops))
        while stack:
            span = stack.pop()
            yield span
            stack.extend(reversed(self.children.get(span.span_id, ())))

    def ancestors(self, span: Span) -> Iterable[str]:
        above = self.parent.get(span.span_id)
        while above is not None:
            yield above
            above = self.parent.get(above)

    @property
    def root(self) -> Span | None:
        """The earliest span that was sent as a root; where there is none, the earliest top span."""
        return next((span for span in self.tops if not span.parent_span_id), self.tops[0] if self.tops else None)

    @property
    def root_missing(self) -> bool:
        return not any(not span.parent_span_id for span in self.tops)

    def lowest(self, has: Callable[[Span], bool]) -> list[Span]:
        """The spans with a property that no span below them has."""
        having = [span for span in self.spans if has(span)]
        if len(having) < 2:
            return having
        covered: set[str] = set()
        for span in having:
            for above in self.ancestors(span):
                if above in covered:
                    break  # whoever covered it went on to the top
                covered.add(above)
        return [span for span in having if span.span_id not in covered]


# ---- Usage and cost ----


def calls(tree: Tree) -> list[Span]:
    """The real model calls of a trace (embeddings apart), each once."""
    around_embeddings = {above for span in tree.spans if _embedded(span) for above in tree.ancestors(span)}

    def told(span: Span) -> bool:
        n = understood(span)
        usage = n.usage
        if usage is None or n.kind is SpanKind.EMBEDDING or (usage.input_tokens is None and usage.output_tokens is None):
            return False
        return n.kind in CALLING_KINDS or span.span_id not in around_embeddings  # Vercel's ai.embed repeats its child's tokens

    found = tree.lowest(lambda span: told(span) and not understood(span).repeats_usage)
    return _once(found or tree.lowest(told))  # only wrappers told: better their sum than nothing


def embedding_calls(tree: Tree) -> list[Span]:
    return _once(tree.lowest(_embedded))


def _embedded(span: Span) -> bool:
    n = understood(span)
    return n.kind is SpanKind.EMBEDDING and n.usage is not None


def priced_calls(tree: Tree) -> list[Span]:
    """The spans whose cost counts, each call once."""
    return _once(tree.lowest(_costly))


def _costly(span: Span) -> bool:
    n = understood(span)
    return n.cost_usd is not None and not n.repeats_usage


def _once(spans: Sequence[Span]) -> list[Span]:
    """One span per response id."""
    if len(spans) < 2:
        return [*spans]
    seen: set[str] = set()
    kept: list[Span] = []
    for span in spans:
        response_id = understood(span).response_id
        if response_id is None or response_id not in seen:
            kept.append(span)
        if response_id is not None:
            seen.add(response_id)
    return kept


def add_usage(usages: Iterable[Usage]) -> Usage:
    """The sum, field by field; a field nobody knew stays None."""
    total: dict[str, int] = {}
    for usage in usages:
        for field in _USAGE_FIELDS:
            value = getattr(usage, field)
            if value is not None:
                total[field] = total.get(field, 0) + value
    return Usage(**total)


_USAGE_FIELDS = tuple(field.name for field in fields(Usage))


def _cost(tree: Tree, counted: Sequence[Span], priced: Sequence[Span]) -> tuple[float | None, bool]:
    """US dollars, and whether a counted call has no price: then the sum is a lower bound."""
    costs = [cost for span in priced if (cost := understood(span).cost_usd) is not None]
    covered = {span.span_id for span in tree.spans if understood(span).cost_usd is not None}
    unpriced = any(
        span.span_id not in covered and not any(above in covered for above in tree.ancestors(span))
        for span in counted
        if understood(span).cost_source == "unpriced"
    )
    return (sum(costs) if costs else None), unpriced


# ---- The row ----


@dataclass(frozen=True, slots=True)
class Counted:
    """The spans of a trace whose tokens and whose cost count."""

    calls: Sequence[Span]
    embeddings: Sequence[Span]
    priced: Sequence[Span]


def summarise(spans: Sequence[Span]) -> TraceSummary:
    """The summary of one trace from its normalised spans (at least one); any order, no duplicates."""
    return summarise_and_count(spans)[0]


def summarise_and_count(spans: Sequence[Span]) -> tuple[TraceSummary, Counted]:
    """The summary, and which spans it counted: a store keeps both, and the tree is only built once."""
    tree = Tree(spans)
    ended = [span for span in tree.spans if not is_running(span)]
    root = tree.root
    assert root is not None, "a trace has at least one span"
    counted, embedded, priced = calls(tree), embedding_calls(tree), priced_calls(tree)
    cost, unpriced = _cost(tree, [*counted, *embedded], priced)
    told = [understood(span) for span in tree.spans]
    from_root = [understood(root), *(understood(span) for span in tree.spans if span is not root)]
    start = tree.spans[0].start_unix_nano
    embedding_tokens = [usage.input_tokens or usage.total_tokens or 0 for span in embedded if (usage := understood(span).usage)]
    summary = TraceSummary(
        trace_id=root.trace_id,
        root_name=root.name,
        root_missing=tree.root_missing,
        services=_distinct(n.service for n in told),
        session_id=_first(n.session_id for n in from_root),
        user_id=_first(n.user_id for n in from_root),
        tags=_distinct(tag for n in from_root for tag in n.tags),
        start_unix_nano=start,
        duration_ns=max(0, max(span.end_unix_nano for span in tree.spans) - start),
        span_count=len(ended),
        error_count=sum(understood(span).status is StatusCode.ERROR for span in ended),
        status=understood(root).status,
        usage=add_usage(usage for span in counted if (usage := understood(span).usage)),
        embedding_tokens=sum(embedding_tokens) if embedding_tokens else None,
        cost_usd=cost,
        input_preview=_borrowed_preview(tree, root, _input_text, first=True),
        output_preview=_borrowed_preview(tree, root, _output_text, first=False),
        environment=_first(n.environment for n in from_root),
        models=_distinct(n.model for n in told if n.kind is SpanKind.LLM),
        root_kind=understood(root).kind,
        root_span_id=root.span_id,
        unpriced=unpriced,
        state="running" if len(ended) < len(tree.spans) else "ended",
    )
    return summary, Counted(counted, embedded, priced)


def condense(span: Span) -> Span:
    """The span with only what `summarise` asks for, in a few hundred bytes: for traces that are waiting for their root."""
    n = understood(span)
    told = Normalised(
        kind=n.kind,
        status=n.status,
        model=n.model,
        input=_input_text(n),
        output=_output_text(n),
        usage=n.usage,
        repeats_usage=n.repeats_usage,
        response_id=n.response_id,
        cost_usd=n.cost_usd,
        cost_source=n.cost_source,
        session_id=n.session_id,
        user_id=n.user_id,
        tags=n.tags,
        service=n.service,
        environment=n.environment,
    )
    running = {SPAN_STATE: "running"} if is_running(span) else {}
    return replace(span, attributes=running, events=(), links=(), normalised=told, scores=())


def _distinct(values: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value))


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value), None)


# ---- Previews ----


def _borrowed_preview(tree: Tree, root: Span, text: Callable[[Normalised], str | None], *, first: bool) -> str | None:
    own = text(understood(root))
    if own is None and (first or _may_borrow_output(understood(root))):
        lender = _lender(tree, root, lambda n: text(n) is not None, first=first)
        own = text(understood(lender)) if lender else None
    return own


def _input_text(n: Normalised) -> str | None:
    if n.input_messages:
        asked = [message for message in n.input_messages if message.role == "user" and message.content]
        return _preview(asked[-1].content if asked else n.input_messages[-1].content)
    return _preview(n.query if n.query is not None else n.input if n.input is not None else next(iter(n.texts), None))


def _output_text(n: Normalised) -> str | None:
    return _preview(_said(n.output_messages) or _asked_for(n.output_messages) or n.output, asked=False)


def _said(messages: Sequence[Message]) -> str | None:
    """The first answer: the model's own words before a tool's (an agent's output may hold both)."""
    spoken = [message for message in messages if message.content]
    return next((message.content for message in spoken if message.role == "assistant"), spoken[0].content if spoken else None)


def _asked_for(messages: Sequence[Message]) -> str | None:
    """The calls of an answer that is nothing else, as one would write them: `get_weather(city="Paris")`."""
    calls = [call for message in messages if message.role == "assistant" for call in message.tool_calls]
    return ", ".join(f"{call.name}({_written(call.arguments)})" for call in calls) or None


def _written(arguments: Json) -> str:
    if not isinstance(arguments, Mapping):
        return "" if arguments is None else str(arguments)
    return ", ".join(f"{name}={orjson.dumps(value, default=str).decode()}" for name, value in arguments.items())


_TELLING_KEYS = ("question", "query", "input", "prompt", "task", "text", "content", "answer", "output", "result", "response", "raw")


def _preview(value: Json, *, asked: bool = True) -> str | None:
    """The start of a value as one would say it: the question out of {"question": …}, a message's text, JSON otherwise."""
    if isinstance(value, Mapping | list) and (spoken := _spoken(value, asked=asked)):
        value = spoken
    if value is None or value == "" or value == {} or value == []:
        return None
    if isinstance(value, Mapping):
        holders = [value, *(inner for inner in value.values() if isinstance(inner, Mapping))]  # {"retriever": {"query": …}}
        telling = [inner for holder in holders for key in _TELLING_KEYS if isinstance(inner := holder.get(key), str) and inner]
        value = telling[0] if telling else value
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return text if len(text) <= PREVIEW_CHARACTERS else text[: PREVIEW_CHARACTERS - 1] + "…"


def _spoken(value: Json, *, asked: bool) -> str | None:
    """The last thing said in a value that holds messages: by the user in an input, by the model in an output."""
    if isinstance(value, Mapping) and not {"messages", "kwargs", "choices", "generations", "replies", "content", "update"} & value.keys():
        inner = [held for held in value.values() if isinstance(held, Mapping) and "replies" in held]  # a Haystack pipeline: by component
        return _spoken(inner[-1], asked=asked) if inner else None
    if isinstance(value, Sequence) and not (value and isinstance(value[0], Mapping) and {"role", "content", "update"} & value[0].keys()):
        return None
    messages = request_messages(value) if asked else answer_messages(value)
    wanted = [message for message in messages if message.content and (not asked or message.role == "user")]
    return wanted[-1].content if wanted else None


# ---- Borrowing ----


def borrow(spans: Sequence[Span]) -> Sequence[Span]:
    """The same spans in the same order, where top spans without input or output take the first input and the last output from below them,
    and tool spans that recorded a bare value take their arguments from the model's call; what was borrowed is named in `derived`."""
    tree = Tree(spans)
    filled = {id(top): _filled(tree, top) for top in tree.tops if top.span_id in tree.children}
    wanting = [span for span in spans if _wants_arguments(understood(span))]
    if wanting:
        known = _single_argument_calls(tree)
        filled |= {id(span): _called(span, known) for span in wanting}
    return [filled.get(id(span), span) for span in spans]


def _wants_arguments(n: Normalised) -> bool:
    return n.kind is SpanKind.TOOL and n.tool_name is not None and isinstance(n.arguments, str)


def _single_argument_calls(tree: Tree) -> Mapping[tuple[str, str], Json]:
    """The arguments of model calls to a tool with one argument, by the tool's name and that argument as text; the last call counts."""
    return {
        (call.name, str(next(iter(call.arguments.values())))): call.arguments
        for span in tree.spans
        for message in understood(span).output_messages
        for call in message.tool_calls
        if isinstance(call.arguments, Mapping) and len(call.arguments) == 1
    }


def _called(tool: Span, known: Mapping[tuple[str, str], Json]) -> Span:
    """LangChain's tool spans hold `Paris` where the model said {"city": "Paris"}: the call of that tool with that value is it."""
    n = understood(tool)
    arguments = known.get((n.tool_name or "", str(n.arguments)))
    return tool if arguments is None else replace(tool, normalised=replace(n, arguments=arguments, derived=[*n.derived, "arguments"]))


def _filled(tree: Tree, top: Span) -> Span:
    n = top.normalised
    if n is None or (_has_input(n) and _has_output(n)):
        return top
    if not _has_input(n) and (lender := _lender(tree, top, _has_input, first=True)):
        given = understood(lender)
        n = replace(n, input=_whole_input(given), derived=[*n.derived, "input"])
    if not _has_output(n) and _may_borrow_output(n) and (lender := _lender(tree, top, _has_output, first=False)):
        given = understood(lender)
        n = replace(n, output=_said(given.output_messages) or given.output, derived=[*n.derived, "output"])
    return replace(top, normalised=n)


def _has_input(n: Normalised) -> bool:
    return _whole_input(n) is not None


def _has_output(n: Normalised) -> bool:
    return n.output is not None or _said(n.output_messages) is not None


def _whole_input(n: Normalised) -> Json:
    if n.input is not None:
        return n.input
    asked = [message.content for message in n.input_messages if message.role == "user" and message.content]
    return asked[-1] if asked else n.query


def _may_borrow_output(n: Normalised) -> bool:
    """What failed gave no answer; what its last part returned is not one."""
    return n.status is not StatusCode.ERROR


def _lender(tree: Tree, top: Span, has: Callable[[Normalised], bool], *, first: bool) -> Span | None:
    """The first span below with a property; for the last, the direct children are asked before those further down."""
    if first:
        return next((span for span in tree.walk(tree.children.get(top.span_id, ())) if has(understood(span))), None)
    below = [span for span in _answering(tree, top) if has(understood(span))]
    if not below:
        return None
    direct = [span for span in below if tree.parent.get(span.span_id) == top.span_id]
    last = max(direct or below, key=lambda span: (span.end_unix_nano, span.start_unix_nano))
    if understood(last).kind in NO_ANSWERS and _model_spoke_after(tree, top, last):
        return None
    return last


def _answering(tree: Tree, top: Span) -> Iterable[Span]:
    """The spans below, but for those that only look something up and their parts: a multi-query retriever asks a model for queries."""
    stack = list(reversed(tree.children.get(top.span_id, ())))
    while stack:
        span = stack.pop()
        if understood(span).kind not in NEVER_ANSWERS:
            yield span
            stack.extend(reversed(tree.children.get(span.span_id, ())))


def _model_spoke_after(tree: Tree, top: Span, span: Span) -> bool:
    """Whether a model was called later, whose answer was not recorded: then a tool's result is not the answer."""
    below = tree.walk(tree.children.get(top.span_id, ()))
    return any(understood(other).kind is SpanKind.LLM and other.end_unix_nano > span.end_unix_nano for other in below)
