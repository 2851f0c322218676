"""The row of a trace: usage once, cost, borrowed input and output, trees of any shape."""

from __future__ import annotations

import random
from typing import Any

import pytest

from collector import pricing
from collector.dialects import normalise
from collector.model import Span, StatusCode
from collector.rollup import Tree, borrow, summarise
from tests.collector.otlp_bodies import START, TRACE


def span(number: int, parent: int = 0, start: int = 0, **attributes: Any) -> Span:
    names = {name.replace("__", "."): value for name, value in attributes.items() if name not in ("status", "end")}
    raw = Span(
        trace_id=TRACE,
        span_id=f"{number:016x}",
        parent_span_id=f"{parent:016x}" if parent else "",
        name=f"s{number}",
        start_unix_nano=START + start,
        end_unix_nano=START + attributes.get("end", start + 10),
        status=attributes.get("status", StatusCode.UNSET),
        attributes=names,
    )
    return normalise(raw)


def call(number: int, parent: int = 0, tokens: tuple[int, int] = (10, 5), start: int = 0, **more: Any) -> Span:
    return span(
        number,
        parent,
        start,
        **{"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": tokens[0], "gen_ai.usage.output_tokens": tokens[1], **more},
    )


def tokens(*spans: Span) -> tuple[int | None, int | None]:
    usage = summarise(spans).usage
    return usage.input_tokens, usage.output_tokens


def test_wrappers_that_repeat_their_children_are_not_counted() -> None:
    agent = span(1, **{"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 30, "gen_ai.usage.output_tokens": 15})
    assert tokens(agent, call(2, 1), call(3, 1, (20, 10))) == (30, 15)


def test_nested_calls_of_one_request_count_at_the_bottom() -> None:
    assert tokens(span(1), call(2, 1), call(3, 2)) == (10, 5)


def test_an_agent_that_alone_knows_its_tokens_counts() -> None:
    assert tokens(span(1, **{"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 7})) == (7, None)


def test_two_spans_of_one_response_are_one_call() -> None:
    assert tokens(span(1), *(call(i, 1, start=i, **{"gen_ai.response.id": "resp-1"}) for i in (2, 3))) == (10, 5)


def test_embedding_tokens_stand_apart_and_cost_covers_them() -> None:
    embedding = span(
        3, 1, **{"gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 1000, "gen_ai.request.model": "text-embedding-3-small"}
    )
    chat = call(2, 1, (1_000_000, 0), **{"gen_ai.request.model": "gpt-4o-mini"})
    summary = summarise([normalise(one, pricing.estimate) for one in (span(1), chat, embedding)])
    assert (summary.usage.input_tokens, summary.embedding_tokens) == (1_000_000, 1000)
    assert summary.cost_usd == pytest.approx(0.15 + 0.00002)
    assert not summary.unpriced


def test_no_usage_is_not_zero() -> None:
    summary = summarise([span(1), span(2, 1, **{"gen_ai.operation.name": "chat"})])
    assert (summary.usage.input_tokens, summary.cost_usd, summary.embedding_tokens) == (None, None, None)


def test_the_summary_is_the_same_in_any_order() -> None:
    spans = [span(1, end=100), call(2, 1, start=1), span(3, 1, start=2, status=StatusCode.ERROR), call(4, 3, start=3)]
    expected = summarise(spans)
    for seed in range(5):
        random.Random(seed).shuffle(spans)
        assert summarise(spans) == expected
    assert (expected.root_name, expected.span_count, expected.error_count, expected.duration_ns) == ("s1", 4, 1, 100)


def test_who_it_was_for_is_the_roots_word_or_the_earliest() -> None:
    spans = [span(1), span(2, 1, 5, session__id="late"), span(3, 1, 1, session__id="early", user__id="u", tag__tags=["a", "b"])]
    summary = summarise(spans)
    assert (summary.session_id, summary.user_id, list(summary.tags)) == ("early", "u", ["a", "b"])
    assert summarise([span(1, session__id="root"), *spans[1:]]).session_id == "root"


def test_a_root_without_words_borrows_them_and_says_so() -> None:
    spans = [
        span(1),
        span(2, 1, 1, input__value="question"),
        span(3, 1, 2, output__value="answer", end=9),
        span(4, 3, 3, output__value="deeper", end=99),
    ]
    top = borrow(spans)[0].normalised
    assert top is not None
    assert (top.input, top.output, list(top.derived)) == ("question", "answer", ["input", "output"])
    assert (summarise(spans).input_preview, summarise(spans).output_preview) == ("question", "answer")


def test_what_was_looked_up_is_no_answer() -> None:
    """A root that returned nothing takes none from a retriever, nor from a model that only wrote the retriever's queries."""
    found = {"openinference.span.kind": "RETRIEVER", "output.value": '[{"content": "a passage"}]'}
    root = span(1, input__value="why?")
    queries = call(3, 2, start=2, **{"openinference.span.kind": "LLM", "output.value": "why, rephrased"})
    spans = [root, span(2, 1, start=1, **found), queries]
    assert summarise(spans).output_preview is None
    assert borrow(spans)[0].normalised.output is None  # type: ignore[union-attr]
    answered = [*spans, call(4, 1, start=20, **{"openinference.span.kind": "LLM", "output.value": "because"})]
    assert summarise(answered).output_preview == "because"


def test_previews_are_short_and_say_the_telling_part() -> None:
    summary = summarise([span(1, input__value='{"question": "Why?", "k": 5}', output__value="x" * 5000)])
    assert summary.input_preview == "Why?"
    assert summary.output_preview is not None
    assert len(summary.output_preview) == 500


def test_a_trace_without_its_root_is_named_by_its_earliest_span() -> None:
    summary = summarise([span(3, 1, 5), span(2, 1, 1)])
    assert (summary.root_missing, summary.root_name) == (True, "s2")


def test_cycles_of_any_length_are_cut_and_every_span_is_walked_once() -> None:
    for length in (1, 2, 3, 50):
        ring = [span(i, i % length + 1, i) for i in range(1, length + 1)]
        tree = Tree([*ring, span(99, 1, 200)])
        assert [one.span_id for one in tree.walk()] == list(dict.fromkeys(one.span_id for one in tree.walk()))
        assert len(list(tree.walk())) == length + 1
        summarise([*ring, span(99, 1, 200)])


def test_ten_thousand_levels_are_summed_without_recursion() -> None:
    deep = [span(i, i - 1 if i > 1 else 0, i) for i in range(1, 10_000)]
    assert tokens(*deep, call(10_000, 9_999)) == (10, 5)
