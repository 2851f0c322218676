from datetime import UTC, datetime

import pytest

from collector import pricing
from collector.dialects import normalise
from collector.errors import InvalidValue
from collector.model import Span, SpanKind, Usage


def estimated(
    model: str | None = "gpt-4o-mini-2024-07-18", provider: str | None = "openai", **counts: int
) -> tuple[float | None, str | None]:
    usage = Usage(**(counts or {"input_tokens": 42, "output_tokens": 11}))
    return pricing.estimate(SpanKind.LLM, model, provider, usage)


def test_a_call_costs_its_tokens_and_cached_ones_less() -> None:
    cost, source = estimated(input_tokens=42, output_tokens=11, cached_input_tokens=16)
    assert cost == pytest.approx(1.17e-05, rel=1e-6)  # what LiteLLM, Logfire and Pydantic AI report for this call
    assert source == "estimated"


def test_an_unknown_model_is_unpriced_and_never_free() -> None:
    assert estimated("my-own-model") == (None, "unpriced")


def test_a_reported_cost_stands() -> None:
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 1}
    for told, known in (({}, (2.5e-06, "estimated")), ({"gen_ai.usage.cost": 0.5}, (0.5, "reported"))):
        understood = normalise(Span("01" * 16, "02" * 8, "", "chat", 1, 2, {**attributes, **told}), pricing.estimate).normalised
        assert understood is not None
        assert (understood.cost_usd, understood.cost_source) == known


@pytest.mark.parametrize(
    "name",
    ["gpt-4o-mini", "openai/gpt-4o-mini", "gpt-4o-mini-2024-07-18", "GPT-4o-mini", "azure/gpt-4o-mini"],
)
def test_one_model_under_many_names(name: str) -> None:
    found = pricing.price_of(name)
    assert found is not None
    assert (found.input, found.output) == (0.15, 0.6)


@pytest.mark.parametrize(
    "name", ["us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5"]
)
def test_bedrock_and_dated_names_of_claude(name: str) -> None:
    found = pricing.price_of(name)
    assert found is not None
    assert (found.input, found.output, found.cached_input) == (3, 15, 0.3)


def test_prices_are_dated_and_the_users_table_comes_first() -> None:
    pricing.use_prices("model,from,input,output\nhouse-7b,,1,2\nhouse-7b,2026-06-01,3,4\ngpt-4o-mini,,100,100\n")
    try:
        before, after = (int(datetime(2026, month, 1, tzinfo=UTC).timestamp() * 1e9) for month in (5, 7))
        assert [pricing.price_of("house-7b", at_unix_nano=at).input for at in (before, after, None)] == [1, 3, 3]  # type: ignore[union-attr]
        assert pricing.price_of("gpt-4o-mini").input == 100  # type: ignore[union-attr]
    finally:
        pricing.use_prices(None)


def test_a_table_that_does_not_read_says_where() -> None:
    with pytest.raises(InvalidValue, match="line 3"):
        pricing.read_prices("model,input,output\na,1,2\nb,cheap,2\n")
    with pytest.raises(InvalidValue, match="lacks input"):
        pricing.read_prices("model,output\na,1\n")


def test_audio_and_embeddings_have_their_own_prices() -> None:
    price = pricing.Price(1, 2, 0.5, 10, 20)
    usage = Usage(input_tokens=100, output_tokens=50, cached_input_tokens=20, audio_input_tokens=30, audio_output_tokens=10)
    assert price.of(usage) == pytest.approx((50 * 1 + 20 * 0.5 + 30 * 10 + 40 * 2 + 10 * 20) / 1e6)
    cost, _ = pricing.estimate(SpanKind.EMBEDDING, "text-embedding-3-small", None, Usage(input_tokens=6))
    assert cost == pytest.approx(1.2e-07)


@pytest.mark.parametrize(("tokens", "dollars"), [(200_000, 0.25), (200_001, 0.5000025), (300_000, 0.75)])
def test_a_long_prompt_has_its_own_price_where_the_provider_has_one(tokens: int, dollars: float) -> None:
    cost, _ = estimated("gemini-2.5-pro", "google", input_tokens=tokens, output_tokens=0)
    assert cost == pytest.approx(dollars)  # 1.25 and 2.50 USD per million, by Google's list


def test_a_price_for_long_prompts_ends_with_the_list_it_stood_in() -> None:
    before, after = (int(datetime(2026, month, 20, tzinfo=UTC).timestamp() * 1e9) for month in (2, 3))
    found = [pricing.price_of("claude-opus-4-6", "anthropic", at, 500_000) for at in (before, after)]
    assert [price.input for price in found if price] == [10, 5]
