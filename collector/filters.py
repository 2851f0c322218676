"""The filter language: `kind:retriever latency:>2s -status:ok any(kind:llm cost:>0.01) "refund policy"` → a small tree.

One grammar for the pages, the command line and the API. A condition is `field:value` with an optional comparison; conditions stand side by
side (and), with `or`, `not` or `-`, and parentheses. Text without a field is looked for in inputs, outputs, passages and errors.
Some fields describe a trace, some a span, some (duration, cost, tokens, …) both: `resolve` writes down which is meant. This module knows
no SQL and no store; errors carry the position in the text and words that were perhaps meant.
"""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as member
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal, TypeAlias, Union

from collector.errors import FilterError
from collector.model import AnnotatorKind, SpanKind, Stage, StatusCode

MAX_DEPTH = 50
"""Parentheses, `not` and `any` within each other; deeper text is refused, so that neither parser nor SQL can be driven into recursion."""
MAX_LENGTH = 10_000
MAX_CONDITIONS = 200


class Op(StrEnum):
    EQ = "="
    NE = "!="
    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="
    MATCH = "~"  # wildcards * and ?, any case
    HAS = "*"  # the field is there


class Type(StrEnum):
    TEXT = "text"
    CHOICE = "choice"
    NUMBER = "number"
    DURATION = "duration"
    TIME = "time"
    BOOLEAN = "boolean"
    ANY = "any"  # an attribute or a score: a number compares as a number, everything else as text


class Scope(StrEnum):
    TRACE = "trace"
    SPAN = "span"
    BOTH = "both"


ORDERED = (Op.EQ, Op.NE, Op.GT, Op.GE, Op.LT, Op.LE, Op.HAS)
PLAIN = (Op.EQ, Op.NE, Op.MATCH, Op.HAS)
OPERATORS: Mapping[Type, Sequence[Op]] = {
    Type.TEXT: PLAIN,
    Type.CHOICE: PLAIN,
    Type.NUMBER: ORDERED,
    Type.DURATION: ORDERED,
    Type.TIME: ORDERED,
    Type.BOOLEAN: (Op.EQ, Op.NE),
    Type.ANY: (Op.EQ, Op.NE, Op.GT, Op.GE, Op.LT, Op.LE, Op.MATCH, Op.HAS),
}


@dataclass(frozen=True, slots=True)
class Field:
    """What can stand before a colon."""

    name: str
    type: Type
    scope: Scope
    description: str
    aliases: Sequence[str] = ()
    choices: Sequence[str] = ()
    keyed: bool = False  # takes a key: attr["x.y"], score.thumbs

    @property
    def operators(self) -> Sequence[Op]:
        return OPERATORS[self.type]


def _kinds() -> Sequence[str]:
    return [kind.value for kind in SpanKind]


_TABLE: Sequence[Field] = (
    # ---- Of the trace ----
    Field("trace_id", Type.TEXT, Scope.TRACE, "id of the trace, lowercase hex", ("trace",)),
    Field("root", Type.TEXT, Scope.TRACE, "name of the root span", ("root_name",)),
    Field("root.kind", Type.CHOICE, Scope.TRACE, "kind of the root span", choices=_kinds()),
    Field("root.missing", Type.BOOLEAN, Scope.TRACE, "the root span never came", ("root_missing",)),
    Field("session", Type.TEXT, Scope.TRACE, "conversation the trace belongs to", ("session_id", "session.id")),
    Field("user", Type.TEXT, Scope.TRACE, "user the trace was made for", ("user_id", "user.id")),
    Field("tag", Type.TEXT, Scope.TRACE, "a tag of the trace", ("tags",)),
    Field("environment", Type.TEXT, Scope.TRACE, "deployment environment", ("env",)),
    Field("span_count", Type.NUMBER, Scope.TRACE, "spans in the trace", ("spans",)),
    Field("error_count", Type.NUMBER, Scope.TRACE, "failed spans in the trace", ("errors",)),
    Field("verdict", Type.CHOICE, Scope.TRACE, "first failing stage, once the trace was diagnosed"),
    Field("state", Type.CHOICE, Scope.TRACE, "running while an announced span has not ended", choices=("running", "ended")),
    Field("unpriced", Type.BOOLEAN, Scope.TRACE, "a call's model has no known price: cost is a lower bound"),
    Field("embedding_tokens", Type.NUMBER, Scope.TRACE, "tokens of embedding calls"),
    Field("score", Type.ANY, Scope.TRACE, "a score by name, on the trace or one of its spans: score.thumbs:<0", keyed=True),
    Field("annotator", Type.CHOICE, Scope.TRACE, "who scored", choices=[kind.value for kind in AnnotatorKind]),
    # ---- Of the trace or of a span ----
    Field("service", Type.TEXT, Scope.BOTH, "application that sent it", ("service.name", "service_name")),
    Field("status", Type.CHOICE, Scope.BOTH, "ok, error or unset", choices=[code.value for code in StatusCode]),
    Field("duration", Type.DURATION, Scope.BOTH, "how long it took: duration:>2s, 150ms..1s", ("latency",)),
    Field("start", Type.TIME, Scope.BOTH, "when it began: start:>-1h, start:2026-11-24, start:today", ("time", "start_time")),
    Field("cost", Type.NUMBER, Scope.BOTH, "US dollars", ("cost_usd",)),
    Field("tokens", Type.NUMBER, Scope.BOTH, "input and output tokens", ("total_tokens",)),
    Field("input_tokens", Type.NUMBER, Scope.BOTH, "tokens sent to the model"),
    Field("output_tokens", Type.NUMBER, Scope.BOTH, "tokens the model wrote"),
    # ---- Of a span ----
    Field("span_id", Type.TEXT, Scope.SPAN, "id of a span, lowercase hex", ("span",)),
    Field("name", Type.TEXT, Scope.SPAN, "name of a span"),
    Field("kind", Type.CHOICE, Scope.SPAN, "what a span does", choices=_kinds()),
    Field("model", Type.TEXT, Scope.SPAN, "model that was called"),
    Field("provider", Type.TEXT, Scope.SPAN, "who serves the model"),
    Field("operation", Type.TEXT, Scope.SPAN, "gen_ai.operation.name"),
    Field("error", Type.TEXT, Scope.SPAN, "type of an error: error:RateLimitError, error:* for any", ("error.type",)),
    Field("error.message", Type.TEXT, Scope.SPAN, "text of an error"),
    Field("tool", Type.TEXT, Scope.SPAN, "tool that was called", ("tool_name",)),
    Field("prompt", Type.TEXT, Scope.SPAN, "name of a prompt", ("prompt.name",)),
    Field("prompt.version", Type.TEXT, Scope.SPAN, "version of a prompt"),
    Field("finish_reason", Type.TEXT, Scope.SPAN, "why the model stopped"),
    Field("dialect", Type.TEXT, Scope.SPAN, "table of attribute names that matched"),
    Field("unmapped", Type.TEXT, Scope.SPAN, "a key that looks like content and matched nothing"),
    Field("input", Type.TEXT, Scope.SPAN, "what went in; wildcards help: input:*refund*"),
    Field("output", Type.TEXT, Scope.SPAN, "what came out"),
    Field("query", Type.TEXT, Scope.SPAN, "what a retriever was asked"),
    Field("ttft", Type.DURATION, Scope.SPAN, "time to the first token", ("time_to_first_token",)),
    Field("attr", Type.ANY, Scope.SPAN, 'any attribute as received: attr["llm.temperature"]:>0.5', ("attribute", "attributes"), keyed=True),
    Field("resource", Type.ANY, Scope.SPAN, 'a resource attribute: resource["host.name"]:web-1', keyed=True),
    Field("metadata", Type.ANY, Scope.SPAN, "an entry of a span's metadata: metadata.tenant:acme", keyed=True),
    Field("parameter", Type.ANY, Scope.SPAN, "a parameter of the call: parameter.temperature:0", ("parameters",), keyed=True),
    # ---- Retrieval ----
    Field("stage", Type.CHOICE, Scope.SPAN, "pipeline stage a span recorded", choices=[stage.value for stage in Stage]),
    Field("index", Type.TEXT, Scope.SPAN, "name or version of the index that was asked"),
    Field("index.name", Type.TEXT, Scope.SPAN, "name of the index"),
    Field("index.version", Type.TEXT, Scope.SPAN, "version of the index"),
    Field("documents", Type.NUMBER, Scope.SPAN, "documents a retriever or reranker returned", ("document_count",)),
    Field("candidates", Type.NUMBER, Scope.SPAN, "documents considered, also below the cut", ("candidate_count",)),
    Field("top_score", Type.NUMBER, Scope.SPAN, "score of the best document"),
    Field("margin", Type.NUMBER, Scope.SPAN, "score between the last document kept and the first one dropped: small = a close cut"),
    Field("dropped", Type.TEXT, Scope.SPAN, "why a candidate went no further: dropped:below_cut, dropped:*"),
    Field("passage", Type.TEXT, Scope.SPAN, "content hash of a returned passage", ("passage.hash",)),
    Field("passage.id", Type.TEXT, Scope.SPAN, "the user's id of a returned passage", ("document.id", "document")),
    Field("passage.source", Type.TEXT, Scope.SPAN, "source a returned passage was cut from", ("document.source", "source")),
    Field("passage.rank", Type.NUMBER, Scope.SPAN, "rank of a returned passage, 1 is best", ("document.rank", "rank")),
    Field("passage.score", Type.NUMBER, Scope.SPAN, "score of a returned passage", ("document.score",)),
    Field("citations", Type.NUMBER, Scope.SPAN, "citations in the answer"),
)

FIELDS: Mapping[str, Field] = {entry.name: entry for entry in _TABLE}
"""Every field by its name, for completion and documentation."""
_NAMES: Mapping[str, Field] = {name: entry for entry in _TABLE for name in (entry.name, *entry.aliases)}
_WINDOWS = ("since", "until")  # since:24h and until:2026-11-24, short for start:>… and start:<…
_WORDS = ("and", "or", "not", "any")

# ---- The tree ----


@dataclass(frozen=True, slots=True)
class Condition:
    """`field op value`: value is text, a number, integer nanoseconds (duration, time) or a boolean, by the field's type."""

    field: str
    op: Op
    value: str | int | float | bool | None = None
    key: str = ""  # of attr["key"], score.key
    scope: Literal["trace", "span"] | None = None  # set by `resolve`
    position: int = member(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """Words that stand together in one of a span's texts."""

    phrase: str
    position: int = member(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class And:
    parts: Sequence[Node]


@dataclass(frozen=True, slots=True)
class Or:
    parts: Sequence[Node]


@dataclass(frozen=True, slots=True)
class Not:
    part: Node


@dataclass(frozen=True, slots=True)
class Any:
    """At least one span of the trace matches the whole part."""

    part: Node


Node: TypeAlias = Union[Condition, Text, And, Or, Not, Any]  # noqa: UP007  (evaluated at run time before its members exist)


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter; `root` is None where everything matches."""

    text: str = ""
    root: Node | None = None

    def __bool__(self) -> bool:
        return self.root is not None


EVERYTHING = Filter()


def both(first: Filter, second: Filter) -> Filter:
    """The filter that wants both."""
    if first.root is None or second.root is None:
        return first if second.root is None else second
    return Filter(f"({first.text}) ({second.text})", And((first.root, second.root)))


def of_trace(trace_id: str) -> Filter:
    """The filter that selects one trace."""
    return Filter(f"trace_id:{trace_id}", Condition("trace_id", Op.EQ, trace_id))


def says_text(filter: Filter) -> bool:
    """Whether the filter looks for text, which a store may want to prepare for."""
    return filter.root is not None and _has_text(filter.root)


def _has_text(node: Node) -> bool:
    match node:
        case Text():
            return True
        case Condition():
            return False
        case Not() | Any():
            return _has_text(node.part)
        case And() | Or():
            return any(_has_text(part) for part in node.parts)


def conjuncts(node: Node | None) -> Sequence[Node]:
    """The parts that must all hold."""
    if node is None:
        return ()
    return [inner for part in node.parts for inner in conjuncts(part)] if isinstance(node, And) else (node,)


# ---- Reading values ----

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|min|h|d|w)")
_SECOND = 10**9
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": _SECOND, "m": 60 * _SECOND, "min": 60 * _SECOND} | {
    "h": 3600 * _SECOND,
    "d": 86_400 * _SECOND,
    "w": 7 * 86_400 * _SECOND,
}
_SUFFIX = {"k": 10**3, "m": 10**6, "g": 10**9}
_NUMBER = re.compile(r"\$?([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([kKmMgG]?)")
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
MAX_NS = 2**63 - 1


class _BadValue(Exception):
    def __init__(self, wanted: str, suggestions: Sequence[str] = ()) -> None:
        super().__init__(wanted)
        self.wanted, self.suggestions = wanted, suggestions


def duration_ns(text: str) -> int:
    """Nanoseconds of `150ms`, `1m30s`, `2.5h`."""
    at, total = 0, 0.0
    while at < len(text):
        found = _DURATION.match(text, at)
        if found is None:
            break
        total += float(found[1]) * _UNITS[found[2]]
        at = found.end()
    if not text or at != len(text) or total > MAX_NS:
        hints = [f"{text}s", f"{text}ms"] if re.fullmatch(r"\d+(\.\d+)?", text) else []
        raise _BadValue("a duration with its unit: 150ms, 2s, 1m30s, 2h, 7d", hints)
    return round(total)


def _time_span(text: str, now_ns: int) -> tuple[int, int]:
    """[first, last] nanosecond that a time names: a whole day for a date, one instant for a relative time."""
    lowered = text.lower()
    midnight = datetime.fromtimestamp(now_ns // 10**9, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"today": midnight, "yesterday": midnight - timedelta(days=1)}
    if lowered == "now":
        return now_ns, now_ns
    if lowered in named:
        return _nanoseconds(named[lowered]), _nanoseconds(named[lowered] + timedelta(days=1)) - 1
    relative = lowered.removeprefix("now").removeprefix("-").removesuffix("ago").strip()
    if _DURATION.fullmatch(relative) or re.fullmatch(f"(?:{_DURATION.pattern})+", relative):
        at = now_ns - duration_ns(relative)
        return at, at
    if re.fullmatch(r"\d{16,19}", text):
        return min(int(text), MAX_NS), min(int(text), MAX_NS)
    return _calendar(text)


def _calendar(text: str) -> tuple[int, int]:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _BadValue("a time: -1h, today, yesterday, 2026-11-24, 2026-11-24T10:30, or nanoseconds since 1970") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    first = _nanoseconds(moment)
    length = 86_400 if len(text) <= 10 else 60 if len(text) <= 16 else 1
    return first, first + length * 10**9 - 1


def _nanoseconds(moment: datetime) -> int:
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000


def _number(text: str) -> int | float:
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise _BadValue("a number: 5, 0.02, 10k")
    value = float(found[1]) * _SUFFIX.get(found[2].lower(), 1)
    exact = abs(value) < MAX_NS and re.fullmatch(r"[+-]?\d+", found[1]) and not found[2]  # SQLite compares larger ones as REAL
    return int(found[1]) if exact else value


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise _BadValue("true or false", difflib.get_close_matches(text.lower(), ["true", "false"], 1))
    return _BOOLEANS[text.lower()]


def _scalar(entry: Field, text: str) -> str | int | float | bool:
    """The value of a field that is not a time, from its text."""
    if entry.type is Type.ANY:
        return _number(text) if _NUMBER.fullmatch(text) and not text.startswith("$") and text[-1].isdigit() else text
    if entry.type is Type.CHOICE:
        return _choice(entry, text)
    readers: Mapping[Type, Callable[[str], str | int | float | bool]] = {
        Type.TEXT: str,
        Type.NUMBER: _number,
        Type.DURATION: duration_ns,
        Type.BOOLEAN: _boolean,
    }
    return readers[entry.type](text)


def _choice(entry: Field, text: str) -> str:
    known = {choice.lower(): choice for choice in entry.choices}
    if known and text.lower() not in known:
        raise _BadValue(f"one of {', '.join(entry.choices)}", difflib.get_close_matches(text.lower(), known, 3, 0.5))
    return known.get(text.lower(), text)


# ---- Parsing ----

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<open>\() | (?P<close>\)) | (?P<minus>-|!)(?=[^\s)]) |
      (?P<quoted>"(?:\\.|[^"\\])*") |
      (?P<field>[A-Za-z_][\w.]*(?:\[\s*(?:"(?:\\.|[^"\\])*"|'[^']*'|[^\]"']*)\s*\])?(?:(?<=\])\.[\w.]+)?)\s*(?P<op>:|(?:!=|>=|<=|=|>|<|~)) |
      (?P<word>[^\s()"]+)
    )""",
    re.VERBOSE,
)
_COMPARISON = re.compile(r"(!=|>=|<=|=|>|<|~|!)?")
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
_BARE = re.compile(r'[^\s()",]+')
_KEYED = re.compile(r"""([\w.]+?)\s*\[\s*(?:"((?:\\.|[^"\\])*)"|'([^']*)'|([^\]"']*?))\s*\]""")


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


@dataclass(slots=True)
class _Parser:
    """Recursive descent over the text; `at` is where it stands, `depth` how deep."""

    text: str
    now_ns: int
    at: int = 0
    depth: int = 0
    conditions: int = 0

    def fail(self, message: str, position: int, suggestions: Sequence[str] = ()) -> FilterError:
        hint = f"; did you mean {' or '.join(suggestions)}?" if suggestions else ""
        return FilterError(f"{message} (at character {position + 1}){hint}", self.text, position, suggestions)

    def peek(self) -> re.Match[str] | None:
        return _TOKEN.match(self.text, self.at) if self.text[self.at :].strip() else None

    def next_word(self) -> str:
        token = self.peek()
        return (token["word"] or "").lower() if token else ""

    def whole(self) -> Node | None:
        if not self.text.strip():
            return None
        node = self.either()
        token = self.peek()
        if token is not None:
            raise self.fail("a ')' without its '('", token.start("close"))
        if self.text[self.at :].strip():
            raise self.fail("this text cannot be read: is a quote not closed?", len(self.text) - len(self.text[self.at :].lstrip()))
        return node

    def either(self) -> Node:
        parts = [self.all_of()]
        while self.next_word() == "or":
            self.skip()
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def all_of(self) -> Node:
        parts = [self.one()]
        while (token := self.peek()) is not None and not token["close"] and (token["word"] or "").lower() != "or":
            if (token["word"] or "").lower() == "and":
                self.skip()
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def skip(self) -> None:
        token = self.peek()
        if token is not None:
            self.at = token.end()

    def one(self) -> Node:
        token = self.peek()
        if token is None:
            if self.text[self.at :].strip():
                raise self.fail("this text cannot be read: is a quote not closed?", self.at)
            raise self.fail("a condition is missing at the end", len(self.text))
        if token["close"]:
            raise self.fail("a condition is missing before ')'", token.start("close"))
        word = (token["word"] or "").lower()
        if token["minus"] or word == "not":
            self.at = token.end()
            return Not(self.deeper(self.one, token.start("minus") if token["minus"] else token.start("word")))
        if token["open"]:
            return self.group(token.end())
        if word == "any" and self.text[token.end() :].lstrip().startswith("("):
            return Any(self.group(self.text.index("(", token.end()) + 1))
        if word in {"and", "or"}:
            raise self.fail(f"a condition is missing before {word!r}", token.start("word"))
        return self.condition(token) if token["field"] else self.words(token)

    def deeper(self, step: Callable[[], Node], position: int) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(f"nested more than {MAX_DEPTH} deep", position)
        node = step()
        self.depth -= 1
        return node

    def group(self, inside: int) -> Node:
        opened, self.at = inside - 1, inside
        node = self.deeper(self.either, opened)
        token = self.peek()
        if token is None or not token["close"]:
            raise self.fail("this '(' is never closed", opened)
        self.at = token.end()
        return node

    def words(self, token: re.Match[str]) -> Node:
        self.at = token.end()
        phrase = _unquote(token["quoted"][1:-1]) if token["quoted"] else token["word"]
        start = token.start("quoted") if token["quoted"] else token.start("word")
        self.count(start)
        if not any(char.isalnum() for char in phrase):
            raise self.fail(f"no word to look for in {phrase!r}", start)
        return Text(phrase, start)

    def count(self, position: int) -> None:
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            raise self.fail(f"more than {MAX_CONDITIONS} conditions", position)

    def condition(self, token: re.Match[str]) -> Node:
        start = token.start("field")
        name, key = self.named(token["field"], start)
        self.at = token.end() if token["op"] == ":" else token.start("op")
        first = self.value(name, key, start)
        parts = [first]
        while self.text[self.at : self.at + 1] == ",":
            self.at += 1
            parts.append(self.value(name, key, start))
        return first if len(parts) == 1 else Or(tuple(parts))

    def named(self, written: str, start: int) -> tuple[str, str]:
        """The field and its key."""
        keyed = _KEYED.match(written)
        if keyed:
            key = _unquote(keyed[2]) if keyed[2] is not None else keyed[3] if keyed[3] is not None else keyed[4]
            return self.known(keyed[1], start, key), key
        if written.lower() in _NAMES or written.lower() in _WINDOWS:
            entry = _NAMES.get(written.lower())
            if entry is not None and entry.keyed and entry.name != "score":
                raise self.fail(f'{written} needs a key: {entry.name}["x.y"]', start)
            return (entry.name if entry else written.lower()), ""
        head, dot, tail = written.partition(".")
        entry = _NAMES.get(head.lower())
        if dot and entry is not None and entry.keyed:
            return entry.name, tail
        return self.known(written, start, ""), ""

    def known(self, written: str, start: int, key: str) -> str:
        entry = _NAMES.get(written.lower())
        if entry is None:
            close = difflib.get_close_matches(written.lower(), [*_NAMES, *_WINDOWS], 3, 0.6)
            raise self.fail(f"no field {written!r}", start, close)
        if key and not entry.keyed:
            raise self.fail(f"{written} takes no key", start)
        return entry.name

    def value(self, name: str, key: str, start: int) -> Node:
        self.count(start)
        comparison = _COMPARISON.match(self.text, self.at)
        sign = (comparison[1] or "") if comparison else ""
        self.at += len(sign)
        while self.text[self.at : self.at + 1] == " " and sign:
            self.at += 1
        position = self.at
        written, quoted = self.raw_value(position)
        if name in _WINDOWS:
            return self.window(name, written, position)
        entry = FIELDS[name]
        try:
            return _condition(entry, key, sign, written, quoted, start, self.now_ns)
        except _BadValue as bad:
            raise self.fail(f"{entry.name} cannot be {written!r}: give {bad.wanted}", position, bad.suggestions) from None

    def raw_value(self, position: int) -> tuple[str, bool]:
        found = _QUOTED.match(self.text, position)
        if found:
            self.at = found.end()
            return _unquote(found[0][1:-1]), True
        found = _BARE.match(self.text, position)
        if found is None:
            raise self.fail("a value is missing", position)
        self.at = found.end()
        return found[0], False

    def window(self, name: str, written: str, position: int) -> Node:
        try:
            first, last = _time_span(written, self.now_ns)
        except _BadValue as bad:
            raise self.fail(f"{name} cannot be {written!r}: give {bad.wanted}", position, bad.suggestions) from None
        op, value = (Op.GE, first) if name == "since" else (Op.LE, last)
        return Condition("start", op, value, position=position)


def _condition(entry: Field, key: str, sign: str, written: str, quoted: bool, position: int, now_ns: int) -> Node:
    """One condition (two for a range) from the sign and text behind the colon."""
    op = {"": Op.EQ, "!": Op.NE}.get(sign) or Op(sign)
    if written == "*" and not quoted:
        has = Condition(entry.name, Op.HAS, None, key, position=position)
        return Not(has) if op is Op.NE else has
    if op is Op.MATCH:
        written, quoted = f"*{written}*", False
    if op not in entry.operators and op is not Op.MATCH:
        raise _BadValue(f"a plain value (not {op.value})")
    lower, dots, upper = written.partition("..")
    if dots and not quoted and Op.GT in entry.operators and op in {Op.EQ, Op.NE}:
        inside = _range(entry, key, lower, upper, position, now_ns)
        return Not(inside) if op is Op.NE else inside
    if not quoted and Op.MATCH in entry.operators and op in {Op.EQ, Op.NE, Op.MATCH} and re.search(r"[*?]", written):
        match = Condition(entry.name, Op.MATCH, written, key, position=position)
        return Not(match) if op is Op.NE else match
    if entry.type is Type.TIME:
        return _at(entry, op, _time_span(written, now_ns), position)
    value = written if quoted and entry.type is Type.ANY else _scalar(entry, written)
    return Condition(entry.name, op, value, key, position=position)


def _at(entry: Field, op: Op, moment: tuple[int, int], position: int) -> Node:
    """Comparison with a time that may be as wide as a day: `start:2026-11-24` is that day, `start:>2026-11-24` is after it."""
    first, last = moment
    if op in {Op.EQ, Op.NE}:
        inside = And((Condition(entry.name, Op.GE, first, position=position), Condition(entry.name, Op.LE, last, position=position)))
        return Not(inside) if op is Op.NE else inside
    return Condition(entry.name, op, first if op in {Op.LT, Op.GE} else last, position=position)


def _range(entry: Field, key: str, lower: str, upper: str, position: int, now_ns: int) -> Node:
    """`a..b`, both ends included; one end may be left out."""
    parts: list[Node] = []
    for text, op in ((lower, Op.GE), (upper, Op.LE)):
        if not text:
            continue
        value = _time_span(text, now_ns)[op is Op.LE] if entry.type is Type.TIME else _scalar(entry, text)
        parts.append(Condition(entry.name, op, value, key, position=position))
    if not parts:
        raise _BadValue("at least one end of the range: 1..5, 1.., ..5")
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def parse(text: str, now_ns: int | None = None) -> Filter:
    """The filter that a text says; empty text is everything.

    Raises `FilterError` with the position of the first thing that cannot be read and words that were perhaps meant.
    """
    if len(text) > MAX_LENGTH:
        raise FilterError(f"longer than {MAX_LENGTH} characters", text, MAX_LENGTH)
    return Filter(text, _Parser(text, time.time_ns() if now_ns is None else now_ns).whole())


# ---- Who is meant: the trace or one of its spans ----


def _scopes(node: Node) -> set[Scope]:
    """The scopes of the conditions in a node; text and `any` speak of the trace."""
    match node:
        case Condition():
            return {FIELDS[node.field].scope}
        case Text() | Any():
            return {Scope.TRACE}
        case Not():
            return _scopes(node.part)
        case And() | Or():
            return set().union(*(_scopes(part) for part in node.parts))


def _spanwise(node: Node) -> bool:
    """Whether a node can be asked of a single span and says something only a span can answer."""
    scopes = _scopes(node)
    return Scope.SPAN in scopes and Scope.TRACE not in scopes


def _settle(node: Node, scope: Literal["trace", "span"]) -> Node:
    """Every two-sided condition takes the given side."""
    match node:
        case Condition():
            own = FIELDS[node.field].scope
            return replace(node, scope=scope if own is Scope.BOTH else own.value)
        case Text() | Any():
            return node if isinstance(node, Text) else Any(_settle(node.part, "span"))
        case Not():
            return Not(_settle(node.part, scope))
        case And() | Or():
            return type(node)(tuple(_settle(part, scope) for part in node.parts))


def for_spans(filter: Filter) -> Node | None:
    """The tree to ask of a span: two-sided fields mean the span, trace fields mean its trace."""
    return None if filter.root is None else _settle(filter.root, "span")


def for_traces(filter: Filter) -> Node | None:
    """The tree to ask of a trace, with every span condition inside an `Any`.

    Span conditions that stand side by side speak of the same span, and draw two-sided neighbours (duration, cost, status, …) to
    that span: `kind:retriever latency:>2s` is a slow retriever. Alone, `latency:>2s` is a slow trace, and `not kind:llm` a trace
    without any LLM span.
    """
    return None if filter.root is None else _of_trace(filter.root)


def _of_trace(node: Node) -> Node:
    match node:
        case Condition():
            settled = _settle(node, "trace")
            return Any(_settle(node, "span")) if isinstance(settled, Condition) and settled.scope == "span" else settled
        case Text():
            return node
        case Any():
            return Any(_settle(node.part, "span"))
        case Not():
            return Not(_of_trace(node.part))
        case Or():
            return Any(_settle(node, "span")) if _spanwise(node) and _only_span(node) else Or(tuple(_of_trace(part) for part in node.parts))
        case And():
            return _conjunction(node.parts)


def _only_span(node: Node) -> bool:
    return _scopes(node) == {Scope.SPAN}


def _drawn(node: Node) -> bool:
    """A two-sided condition on how a span went; `start` and `service` stay with the trace, where they are indexed and mean the same."""
    match node:
        case Condition():
            return FIELDS[node.field].scope is Scope.BOTH and node.field not in {"start", "service"}
        case Not():
            return _drawn(node.part)
        case And() | Or():
            return all(_drawn(part) for part in node.parts)
        case Text() | Any():
            return False


def _conjunction(parts: Sequence[Node]) -> Node:
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, And) else (part,))]
    if not any(_spanwise(part) and not isinstance(part, Not) for part in flat):
        return And(tuple(_of_trace(part) for part in flat))
    of_span = [part for part in flat if _spanwise(part) or _drawn(part)]
    of_trace = [part for part in flat if part not in of_span]
    together = _settle(of_span[0] if len(of_span) == 1 else And(tuple(of_span)), "span")
    return And((*(_of_trace(part) for part in of_trace), Any(together))) if of_trace else Any(together)
