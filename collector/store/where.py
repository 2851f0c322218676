"""From a filter's tree to SQL: a table of columns, every value bound.

Over `t`, a row of traces, and `s`, a row of spans. Text columns of spans hold numbers of strings, so a text is looked up first, and an
unknown one is simply false. What no column answers goes to `span_holds(condition, span)`, a function over the span itself (`matching`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any as Anything

from collector.filters import And, Any, Condition, Node, Not, Op, Or, Text, conjuncts
from collector.store.matching import READ_FROM_SPAN
from collector.store.rows import KINDS, STATUSES, id_number

FALSE, TRUE = "0", "1"


@dataclass(slots=True)
class Sql:
    """An expression and its parameters."""

    text: str
    parameters: list[Anything] = field(default_factory=list[Anything])

    def __and__(self, other: Sql) -> Sql:
        return Sql(f"({self.text} AND {other.text})", [*self.parameters, *other.parameters])


def speaks_of_trace(text: str) -> bool:
    """Whether an expression over spans needs the row of their trace, too."""
    return re.search(r"\bt\.", text) is not None


def like(wildcards: str) -> str:
    """A LIKE pattern (escape \\) from `*` and `?`."""
    escaped = wildcards.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


def compare(column: str, condition: Condition, value: Anything = None) -> Sql:
    """`column op value` for columns that hold the value itself."""
    wanted = condition.value if value is None else value
    if condition.op is Op.HAS:
        return Sql(f"{column} IS NOT NULL")
    if condition.op is Op.MATCH:
        return Sql(f"{column} LIKE ? ESCAPE '\\'", [like(str(wanted))])
    return Sql(f"{column} {condition.op.value} ?", [_bound(wanted)])


def _bound(value: Anything) -> Anything:
    """SQLite holds 64-bit integers; beyond them the comparison still holds with a float."""
    return float(value) if isinstance(value, int) and not -(2**63) <= value < 2**63 else value


def _interned(column: str) -> Callable[[Condition], Sql]:
    def build(condition: Condition) -> Sql:
        match condition.op:
            case Op.HAS:
                return Sql(f"{column} IS NOT NULL")
            case Op.EQ:
                return Sql(f"{column} = (SELECT id FROM strings WHERE text = ?)", [condition.value])
            case Op.NE:
                same = "ifnull((SELECT id FROM strings WHERE text = ?), -1)"
                return Sql(f"({column} IS NOT NULL AND {column} <> {same})", [condition.value])
            case _:
                wanted = like(str(condition.value))
                return Sql(f"{column} IN (SELECT id FROM strings WHERE text LIKE ? ESCAPE '\\')", [wanted])

    return build


def _plain(column: str) -> Callable[[Condition], Sql]:
    return lambda condition: compare(column, condition)


def _numbered(column: str, numbers: Mapping[Anything, int]) -> Callable[[Condition], Sql]:
    """A choice kept as a number."""

    def build(condition: Condition) -> Sql:
        if condition.op is Op.HAS:
            return Sql(TRUE)
        wanted = str(condition.value)
        if condition.op is Op.MATCH:
            fits = [number for name, number in numbers.items() if _fits(str(name.value), wanted)]
            return Sql(f"{column} IN ({','.join(map(str, fits))})") if fits else Sql(FALSE)
        return Sql(f"{column} {condition.op.value} ?", [next(number for name, number in numbers.items() if name.value == wanted)])

    return build


def _fits(name: str, wildcards: str) -> bool:
    return fnmatchcase(name.lower(), wildcards.lower().replace("[", "[[]"))


def _listed(column: str) -> Callable[[Condition], Sql]:
    """One entry of a JSON array."""

    def build(condition: Condition) -> Sql:
        if condition.op is Op.HAS:
            return Sql(f"{column} <> '[]'")
        inner = compare("j.value", condition)
        return Sql(f"EXISTS (SELECT 1 FROM json_each({column}) j WHERE {inner.text})", inner.parameters)

    return build


def _flag(expression: str) -> Callable[[Condition], Sql]:
    return lambda condition: Sql(f"({expression}) {condition.op.value} ?", [int(bool(condition.value))])


def _trace_id(condition: Condition) -> Sql:
    if condition.op in {Op.EQ, Op.NE}:
        try:
            return Sql(f"t.trace_id {condition.op.value} ?", [bytes.fromhex(str(condition.value))])
        except ValueError:
            return Sql(FALSE if condition.op is Op.EQ else TRUE)
    return compare("lower(hex(t.trace_id))", condition)


def _span_id(condition: Condition) -> Sql:
    if condition.op in {Op.EQ, Op.NE}:
        try:
            return Sql(f"s.span_id {condition.op.value} ?", [id_number(str(condition.value))])
        except (ValueError, OverflowError):
            return Sql(FALSE if condition.op is Op.EQ else TRUE)
    return compare("printf('%016x', s.span_id)", condition)


def _state(condition: Condition) -> Sql:
    if condition.op is Op.HAS:
        return Sql(TRUE)
    return compare("CASE WHEN t.running_count > 0 THEN 'running' ELSE 'ended' END", condition)


def _score(condition: Condition) -> Sql:
    """A counting score of the trace, of one of its spans, or of its session; by its value, or its label."""
    named = Sql("c.name = ?", [condition.key]) if condition.key else Sql(TRUE)
    if condition.op is Op.HAS:
        holds = Sql(TRUE)
    elif isinstance(condition.value, str):
        holds = compare("c.label" if condition.key else "c.name", condition)
    else:
        holds = compare("c.value", condition)
    inner = named & holds
    by_trace = f"EXISTS (SELECT 1 FROM scores c WHERE c.trace_id = t.trace_id AND c.counts = 1 AND {inner.text})"
    by_session = (
        "EXISTS (SELECT 1 FROM scores c WHERE c.session = (SELECT text FROM strings WHERE id = t.session) AND c.counts = 1 "
        f"AND {inner.text})"
    )
    return Sql(f"({by_trace} OR {by_session})", [*inner.parameters, *inner.parameters])


def _annotator(condition: Condition) -> Sql:
    inner = compare("c.annotator_kind", condition)
    return Sql(f"EXISTS (SELECT 1 FROM scores c WHERE c.trace_id = t.trace_id AND c.counts = 1 AND {inner.text})", inner.parameters)


def _index(condition: Condition) -> Sql:
    name, version = _interned("s.index_name")(condition), _interned("s.index_version")(condition)
    return Sql(f"({name.text} OR {version.text})", [*name.parameters, *version.parameters])


_SPAN_TOKENS = "nullif(ifnull(s.input_tokens, 0) + ifnull(s.output_tokens, 0), 0)"

OF_TRACE: Mapping[str, Callable[[Condition], Sql]] = {
    "trace_id": _trace_id,
    "root": _plain("t.root_name"),
    "root.kind": _numbered("t.root_kind", KINDS),
    "root.missing": _flag("t.root_missing"),
    "session": _interned("t.session"),
    "user": _plain("t.user"),
    "tag": _listed("t.tags"),
    "environment": _plain("t.environment"),
    "span_count": _plain("t.span_count"),
    "error_count": _plain("t.error_count"),
    "verdict": _plain("t.verdict"),
    "state": _state,
    "unpriced": _flag("t.unpriced"),
    "embedding_tokens": _plain("t.embedding_tokens"),
    "score": _score,
    "annotator": _annotator,
    "service": _listed("t.services"),
    "status": _numbered("t.status", STATUSES),
    "duration": _plain("t.duration_ns"),
    "start": _plain("t.start_ns"),
    "cost": _plain("t.cost_usd"),
    "tokens": _plain("t.tokens"),
    "input_tokens": _plain("t.input_tokens"),
    "output_tokens": _plain("t.output_tokens"),
}
OF_SPAN: Mapping[str, Callable[[Condition], Sql]] = {
    "service": _interned("s.service"),
    "status": _numbered("s.status", STATUSES),
    "duration": _plain("max(s.duration_ns, 0)"),
    "start": _plain("s.start_ns"),
    "cost": _plain("s.cost_usd"),
    "tokens": _plain(_SPAN_TOKENS),
    "input_tokens": _plain("s.input_tokens"),
    "output_tokens": _plain("s.output_tokens"),
    "span_id": _span_id,
    "name": _interned("s.name"),
    "kind": _numbered("s.kind", KINDS),
    "model": _interned("s.model"),
    "provider": _interned("s.provider"),
    "operation": _interned("s.operation"),
    "error": _interned("s.error"),
    "ttft": _plain("s.ttft_ns"),
    "stage": _interned("s.stage"),
    "index": _index,
    "index.name": _interned("s.index_name"),
    "index.version": _interned("s.index_version"),
    "documents": _plain("s.documents"),
    "candidates": _plain("s.candidates"),
    "top_score": _plain("s.top_score"),
    "margin": _plain("s.margin"),
}


def asks_failure(node: Node | None) -> bool:
    """Whether only a failed span can satisfy a filter of spans, or only a trace that has one a filter of traces."""
    return any(map(_failed, conjuncts(node)))


def _failed(part: Node) -> bool:
    match part:
        case Any():
            return asks_failure(part.part)
        case Condition(field="status", scope="span"):
            return part.op is Op.EQ and part.value == "error"
        case _:
            return isinstance(part, Condition) and part.field == "error"


class Where:
    """Compiles one filter; `asked` are the conditions and texts that `span_holds` answers from a span, by number, and `text_holds` from the
    search index where there is one (`indexed`)."""

    def __init__(self, *, indexed: bool = False) -> None:
        self.asked: list[Condition | Text] = []
        self._indexed = indexed

    @property
    def reads_payloads(self) -> bool:
        return bool(self.asked)

    def trace(self, node: Node | None) -> Sql:
        """An expression over `t`."""
        match node:
            case None:
                return Sql(TRUE)
            case Condition():
                return OF_TRACE[node.field](node)
            case Text() if self._indexed:
                self.asked.append(node)
                return Sql("text_holds(?, t.id)", [len(self.asked) - 1])
            case Text():
                return self._some_span(self._hold(node))
            case Any() if asks_failure(node.part):  # the trace's row says at once whether any of its spans did
                return Sql("t.error_count > 0") & self._some_span(self.span(node.part))
            case Any():
                return self._some_span(self.span(node.part))
            case _:
                return self._joined(node, self.trace)

    def span(self, node: Node | None) -> Sql:
        """An expression over `s` and the `t` it belongs to."""
        match node:
            case None:
                return Sql(TRUE)
            case Condition(scope="trace"):
                return OF_TRACE[node.field](node)
            case Condition() if node.field in READ_FROM_SPAN:
                return self._hold(node)
            case Condition():
                return OF_SPAN[node.field](node)
            case Text():
                return self._hold(node)
            case Any():
                return self._some_span(self.span(node.part))  # of the same trace: the inner s hides the outer one
            case _:
                return self._joined(node, self.span)

    def _joined(self, node: And | Or | Not, compile: Callable[[Node], Sql]) -> Sql:
        if isinstance(node, Not):
            inner = compile(node.part)
            return Sql(f"NOT ifnull({inner.text}, 0)", inner.parameters)
        parts = [compile(part) for part in node.parts]
        if isinstance(node, And):
            parts.sort(key=lambda part: "_holds(" in part.text)  # what needs the payload comes last
        word = " AND " if isinstance(node, And) else " OR "
        return Sql(f"({word.join(part.text for part in parts)})", [value for part in parts for value in part.parameters])

    def _some_span(self, inner: Sql) -> Sql:
        if "span_holds(" in inner.text:  # in the order of the packs, so that each is unpacked once
            ordered = "(SELECT * FROM spans WHERE trace = t.id ORDER BY id LIMIT -1)"
            return Sql(f"EXISTS (SELECT 1 FROM {ordered} s WHERE {inner.text})", inner.parameters)
        return Sql(f"EXISTS (SELECT 1 FROM spans s WHERE s.trace = t.id AND {inner.text})", inner.parameters)

    def _hold(self, asked: Condition | Text) -> Sql:
        self.asked.append(asked)
        return Sql("span_holds(?, s.id)", [len(self.asked) - 1])
