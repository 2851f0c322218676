"""The filter language: what is understood, what is refused and where, and who is meant."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import FilterError
from collector.filters import (
    FIELDS,
    And,
    Any,
    Condition,
    Node,
    Not,
    Op,
    Or,
    Text,
    Type,
    both,
    duration_ns,
    for_spans,
    for_traces,
    of_trace,
    parse,
    says_text,
)

SECOND = 10**9
NOON = 1_790_078_400 * SECOND  # 2026-09-22T12:00:00Z


def root(text: str) -> Node | None:
    return parse(text, NOON).root


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("kind:llm", Condition("kind", Op.EQ, "LLM")),
        ("KIND:Llm", Condition("kind", Op.EQ, "LLM")),
        ("latency:>2s", Condition("duration", Op.GT, 2 * SECOND)),
        ("duration>=150ms", Condition("duration", Op.GE, 150_000_000)),
        ("duration:<1m30s", Condition("duration", Op.LT, 90 * SECOND)),
        ("cost:>$0.01", Condition("cost", Op.GT, 0.01)),
        ("tokens:>10k", Condition("tokens", Op.GT, 10_000)),
        ("tokens:!=5", Condition("tokens", Op.NE, 5)),
        ("margin:<-0.5", Condition("margin", Op.LT, -0.5)),
        ("model:gpt-4o*", Condition("model", Op.MATCH, "gpt-4o*")),
        ("model~mini", Condition("model", Op.MATCH, "*mini*")),
        ('name:"a b"', Condition("name", Op.EQ, "a b")),
        (r'name:"say \"hi\""', Condition("name", Op.EQ, 'say "hi"')),
        ('name:"*"', Condition("name", Op.EQ, "*")),
        ("error:*", Condition("error", Op.HAS)),
        ("root.missing:true", Condition("root.missing", Op.EQ, True)),
        ('attr["llm.temperature"]:>0.5', Condition("attr", Op.GT, 0.5, "llm.temperature")),
        ("attr['a.b']:x", Condition("attr", Op.EQ, "x", "a.b")),
        ("attr.a.b:x", Condition("attr", Op.EQ, "x", "a.b")),
        ('attr["n"]:"5"', Condition("attr", Op.EQ, "5", "n")),
        ('attr["n"]:5', Condition("attr", Op.EQ, 5, "n")),
        ("score.thumbs:<0", Condition("score", Op.LT, 0, "thumbs")),
        ('score["recall@5"]:1', Condition("score", Op.EQ, 1, "recall@5")),
        ("metadata.tenant:acme", Condition("metadata", Op.EQ, "acme", "tenant")),
        ("start:>-1h", Condition("start", Op.GT, NOON - 3600 * SECOND)),
        ("since:24h", Condition("start", Op.GE, NOON - 86_400 * SECOND)),
        ("start:>now", Condition("start", Op.GT, NOON)),
        ("start:>1790078400000000001", Condition("start", Op.GT, 1790078400000000001)),
        ("start:>2026-09-22T12:00:00+02:00", Condition("start", Op.GT, 1_790_071_200 * SECOND + SECOND - 1)),
        ("session_id:abc", Condition("session", Op.EQ, "abc")),
        ("passage.source:faq.md", Condition("passage.source", Op.EQ, "faq.md")),
        ("url:x" if "url" in FIELDS else "index:v61", Condition("index", Op.EQ, "v61")),
    ],
)
def test_conditions(text: str, condition: Condition) -> None:
    assert root(text) == condition


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", None),
        ("   ", None),
        ("refund", Text("refund")),
        ('"refund policy"', Text("refund policy")),
        ("a b", And((Text("a"), Text("b")))),
        ("a and b or c", Or((And((Text("a"), Text("b"))), Text("c")))),
        ("a (b or c)", And((Text("a"), Or((Text("b"), Text("c")))))),
        ("-a", Not(Text("a"))),
        ("not not a", Not(Not(Text("a")))),
        ("-(a b)", Not(And((Text("a"), Text("b"))))),
        ("any(a)", Any(Text("a"))),
        ("any (a)", Any(Text("a"))),
        ("any", Text("any")),
        ("kind:llm,tool", Or((Condition("kind", Op.EQ, "LLM"), Condition("kind", Op.EQ, "TOOL")))),
        ("tokens:1..5", And((Condition("tokens", Op.GE, 1), Condition("tokens", Op.LE, 5)))),
        ("tokens:..5", Condition("tokens", Op.LE, 5)),
        ("latency:1s..", Condition("duration", Op.GE, SECOND)),
        ("tokens:!=1..5", Not(And((Condition("tokens", Op.GE, 1), Condition("tokens", Op.LE, 5))))),
        ("error:!*", Not(Condition("error", Op.HAS))),
        ("model:!=gpt*", Not(Condition("model", Op.MATCH, "gpt*"))),
        ("ticket-0000007", Text("ticket-0000007")),
        ("検索 結果", And((Text("検索"), Text("結果")))),
        ("start:today", And((Condition("start", Op.GE, 1790035200 * SECOND), Condition("start", Op.LE, 1790121600 * SECOND - 1)))),
        ("start:2026-09-22", And((Condition("start", Op.GE, 1790035200 * SECOND), Condition("start", Op.LE, 1790121600 * SECOND - 1)))),
    ],
)
def test_trees(text: str, tree: Node | None) -> None:
    assert root(text) == tree


@pytest.mark.parametrize(
    ("text", "position", "suggestion"),
    [
        ("kin:llm", 0, "kind"),
        ("ok kind:lmm", 8, "llm"),
        ("latncy:>2s", 0, "latency"),
        ("passage.sorce:x", 0, "passage.source"),
        ("latency:>2", 9, "2s"),
        ("cost:cheap", 5, None),
        ("kind:", 5, None),
        ("kind:>llm", 6, None),
        ("(a", 0, None),
        ("a (b (c)", 2, None),
        ("a)", 1, None),
        ("()", 1, None),
        ("a or", 4, None),
        ("or a", 0, None),
        ('"abc', 0, None),
        ('""', 0, None),
        ('a name:"abc', 7, None),
        ("attr:x", 0, None),
        ('kind["x"]:llm', 0, None),
        ("root.missing:maybe", 13, None),
        ("start:>someday", 7, None),
        ("tokens:..", 7, None),
        ("-", 0, None),
        ("(" * 60 + "a" + ")" * 60, 50, None),
        ("-" * 60 + "a", 50, None),
    ],
)
def test_errors_say_where_and_what_was_perhaps_meant(text: str, position: int, suggestion: str | None) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert caught.value.position == position, caught.value
    assert suggestion is None or suggestion in caught.value.suggestions
    assert suggestion is None or "did you mean" in str(caught.value)


def test_too_much_is_refused() -> None:
    for text in ("x" * 10_001, "a " * 300, "kind:" + ",".join(["llm"] * 300)):
        with pytest.raises(FilterError):
            parse(text)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("latency:>2s", "t.duration"),
        ("kind:retriever latency:>2s", "any(s.kind s.duration)"),
        ("kind:retriever latency:>2s service:x since:1h", "t.service t.start any(s.kind s.duration)"),
        ("service:x latency:>2s", "t.service t.duration"),
        ("kind:llm kind:tool", "any(s.kind s.kind)"),
        ("any(kind:llm) any(kind:tool)", "any(s.kind) any(s.kind)"),
        ("any(cost:>1)", "any(s.cost)"),
        ("kind:llm -model:x", "any(s.kind not s.model)"),
        ("-kind:llm", "not any(s.kind)"),
        ("-kind:llm -name:x", "not any(s.kind) not any(s.name)"),
        ("kind:llm or session:x", "any(s.kind) | t.session"),
        ("kind:llm or name:x", "any(s.kind | s.name)"),
        ("kind:llm session:x word", "t.session word any(s.kind)"),
        ("(kind:llm cost:>1) or user:u", "any(s.kind s.cost) | t.user"),
        ("start:2026-09-22 latency:1s..2s", "t.start t.start t.duration t.duration"),
    ],
)
def test_who_is_meant_in_a_list_of_traces(text: str, shape: str) -> None:
    assert drawn(for_traces(parse(text))) == shape


def test_in_a_list_of_spans_everything_two_sided_means_the_span() -> None:
    assert drawn(for_spans(parse("latency:>2s session:x kind:llm word any(kind:tool)"))) == "s.duration t.session s.kind word any(s.kind)"


def drawn(node: Node | None) -> str:
    match node:
        case None:
            return ""
        case Condition():
            return f"{node.scope[0] if node.scope else '?'}.{node.field}"
        case Text():
            return node.phrase
        case Not():
            return f"not {drawn(node.part)}"
        case Any():
            return f"any({drawn(node.part)})"
        case And():
            return " ".join(map(drawn, node.parts))
        case Or():
            return " | ".join(map(drawn, node.parts))


@given(st.text(alphabet=string.ascii_lowercase + ' ()"-:><=.*,!\\[]0123456789é検', max_size=60))
def test_any_text_is_a_filter_or_a_filter_error(text: str) -> None:
    position = 0
    try:
        tree = parse(text)
    except FilterError as error:
        position = error.position
    else:
        for_spans(tree)
        for_traces(tree)
    assert 0 <= position <= len(text)


def test_numbers_beyond_what_a_database_counts_with_still_compare() -> None:
    huge = root("tokens:>999999999999999999999999")
    assert isinstance(huge, Condition)
    assert isinstance(huge.value, float)
    late = root("start:<9999999999999999999")
    assert isinstance(late, Condition)
    assert isinstance(late.value, int)
    assert late.value < 2**63


@given(st.integers(min_value=0, max_value=10**15))
def test_durations_read_back(nanoseconds: int) -> None:
    assert duration_ns(f"{nanoseconds}ns") == nanoseconds


def test_every_field_is_described_and_has_operators() -> None:
    for entry in FIELDS.values():
        assert entry.description
        assert Op.EQ in entry.operators
        assert entry.type is not Type.CHOICE or entry.choices or entry.name == "verdict"


def test_filters_combine() -> None:
    assert both(parse(""), parse("kind:llm")) == parse("kind:llm")
    combined = both(parse("user:a or user:b"), of_trace("0" * 32))
    assert parse(combined.text).root == combined.root
    assert says_text(parse("kind:llm -(x)")) is True
    assert says_text(parse("kind:llm")) is False
