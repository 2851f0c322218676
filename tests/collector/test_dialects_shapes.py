"""What a set of attribute keys means is worked out once: spans that share it share nothing else."""

from __future__ import annotations

from collector.dialects import DIALECTS, normalise
from collector.dialects.table import SHAPE_KEYS_MAX, SHAPES_KEYS_MAX, Tables
from collector.model import Normalised, Span, SpanKind


def understood(name: str = "work", **attributes: object) -> Normalised:
    given = {key.replace("__", "."): value for key, value in attributes.items()}
    found = normalise(Span("ab" * 16, "cd" * 8, "", name, 1, 2, given)).normalised  # type: ignore[arg-type]
    assert found is not None
    return found


def test_spans_with_the_same_keys_keep_their_own_values_and_kinds() -> None:
    first = understood(openinference__span__kind="TOOL", tool__name="lookup", input__value='{"id": 7}')
    other = understood(openinference__span__kind="CHAIN", tool__name="lookup", input__value="hello")
    again = understood(openinference__span__kind="TOOL", tool__name="other", input__value='{"id": 8}')
    assert (first.kind, first.arguments, first.tool_name) == (SpanKind.TOOL, {"id": 7}, "lookup")
    assert (other.kind, other.input, other.tool_name) == (SpanKind.CHAIN, "hello", "lookup")
    assert (again.kind, again.arguments, again.tool_name) == (SpanKind.TOOL, {"id": 8}, "other")


def test_what_one_span_makes_a_dialect_claim_does_not_reach_the_next() -> None:
    words = understood(question="Where?", answer="In Paris.", documents='[{"content": "Paris", "id": "d1"}]')
    numbers = understood(question="Where?", answer="In Paris.", documents="3")
    assert [document.id for document in words.documents] == ["d1"]
    assert (words.kind, numbers.kind) == (SpanKind.RETRIEVER, SpanKind.UNKNOWN)
    assert not numbers.documents


def test_an_empty_value_says_nothing_whatever_the_other_spans_had_there() -> None:
    for value, wanted in (("gpt-4o", "gpt-4o"), ("", "gpt-4o-mini"), (None, "gpt-4o-mini"), ("gpt-4o", "gpt-4o")):
        assert understood(llm__model_name=value, gen_ai__request__model="gpt-4o-mini").model == wanted


def test_the_memory_of_shapes_is_bounded() -> None:
    tables = Tables(DIALECTS)
    for number in range(SHAPES_KEYS_MAX // 20):
        tables.shape("", [f"acme.{number}.{place}" for place in range(40)])
    tables.shape("", [f"acme.{place}" for place in range(SHAPE_KEYS_MAX + 1)])
    assert 0 < sum(map(len, tables.shapes)) <= SHAPES_KEYS_MAX
    assert max(map(len, tables.shapes)) <= SHAPE_KEYS_MAX
