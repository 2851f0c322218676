"""What a call costs: its token counts times a dated price table, US dollars. A reported cost is never overwritten, an unknown model is
unpriced.

The table is `prices.csv` beside this file, compiled from the providers' published price lists (date and source in docs/dialects.md):
one row per model, start date and length of prompt from which it holds, US dollars per million tokens. A user's own table in the same form
comes before it. Models are named in many ways, so a name is looked up as it is, without its provider's prefix, and without its date suffix;
a row may end in `*`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path

from collector.errors import InvalidValue
from collector.model import SpanKind, Usage

PRICED_KINDS = frozenset({SpanKind.LLM, SpanKind.EMBEDDING, SpanKind.RERANKER})
REMEMBERED_MAX = 10_000
NAME_MAX = 200  # characters: a longer name is no model's
COLUMNS = ("provider", "model", "from", "above", "input", "output", "cached_input", "input_audio", "output_audio")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens of one model from one day on; None where the provider names no price of its own."""

    input: float
    output: float
    cached_input: float | None = None
    input_audio: float | None = None
    output_audio: float | None = None
    start: date = date.min
    provider: str = ""
    above: int = 0  # holds for calls of more input tokens than that: long prompts cost more at several providers

    def of(self, usage: Usage) -> float:
        """Cached input and audio are parts of input and output, charged at their own price where there is one."""
        given, returned = usage.input_tokens or 0, usage.output_tokens or 0
        cached = min(usage.cached_input_tokens or 0, given)
        heard = min(usage.audio_input_tokens or 0, given - cached) if self.input_audio is not None else 0
        spoken = min(usage.audio_output_tokens or 0, returned) if self.output_audio is not None else 0
        micros = (given - cached - heard) * self.input + (returned - spoken) * self.output
        micros += cached * (self.input if self.cached_input is None else self.cached_input)
        micros += heard * (self.input_audio or 0) + spoken * (self.output_audio or 0)
        return micros / 1e6


class PriceTable:
    """Prices by model name and date. Immutable but for its memory of names it has looked up."""

    def __init__(self, rows: Iterable[tuple[str, Price]]) -> None:
        self._exact: dict[str, list[Price]] = {}
        self._prefixes: dict[str, list[Price]] = {}
        for model, price in rows:
            table, name = (self._prefixes, model[:-1]) if model.endswith("*") else (self._exact, model)
            table.setdefault(name.lower(), []).append(price)
        for prices in (*self._exact.values(), *self._prefixes.values()):
            prices.sort(key=lambda price: (price.start, price.above), reverse=True)
        self._found: dict[tuple[str, str], Sequence[Price]] = {}

    def __len__(self) -> int:
        return len(self._exact) + len(self._prefixes)

    def price(
        self, model: str, provider: str | None = None, at_unix_nano: int | None = None, input_tokens: int | None = None
    ) -> Price | None:
        """The price of a model at a moment (now, if none is given) for a prompt of that length; None for a model nobody knows."""
        key = (model, provider or "")
        prices = self._found.get(key)
        if prices is None:
            prices = self._look_up(model.lower(), (provider or "").lower())
            if len(self._found) >= REMEMBERED_MAX:  # model names come from the network
                self._found.clear()
            self._found[key] = prices
        if len(prices) < 2:
            return prices[0] if prices else None
        day = datetime.fromtimestamp(at_unix_nano / 1e9, UTC).date() if at_unix_nano else date.max
        fitting = [price for price in prices if not price.above or price.above < (input_tokens or 0)]
        return next((price for price in fitting if price.start <= day), fitting[-1] if fitting else prices[-1])

    def _look_up(self, model: str, provider: str) -> Sequence[Price]:
        for name in spellings(model):
            found = self._exact.get(name) or next(
                (prices for prefix, prices in sorted(self._prefixes.items(), key=lambda item: -len(item[0])) if name.startswith(prefix)), ()
            )
            if found:
                # The same name at two providers (an open model at several hosts): the span's provider decides, else the first row.
                return [price for price in found if price.provider == provider] or [
                    price for price in found if price.provider == found[0].provider
                ]
        return ()


_DATED = re.compile(r"[-@:](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|latest|v\d+(?::\d+)?)$")
_REGION = re.compile(r"^(?:us|eu|apac|global|us-gov)\.")


def spellings(model: str) -> Sequence[str]:
    """The names under which a model may stand in the table, the fullest first: `openai/gpt-4o-2024-08-06`, `gpt-4o`."""
    names = [model]
    bare = _REGION.sub("", model)
    if "/" in bare:
        bare = bare.rpartition("/")[2]
    names.append(bare)
    if "." in bare and bare.partition(".")[0] in ("anthropic", "amazon", "meta", "cohere", "mistral", "openai", "deepseek"):
        bare = bare.partition(".")[2]  # Bedrock: anthropic.claude-…
        names.append(bare)
    while shorter := _DATED.sub("", bare):
        if shorter == bare:
            break
        bare = shorter
        names.append(bare)
    if bare.startswith("gpt-35"):
        names.append(bare.replace("gpt-35", "gpt-3.5", 1))  # Azure's spelling
    return list(dict.fromkeys(names))


def read_prices(text: str) -> list[tuple[str, Price]]:
    """Rows of a price table in CSV, with at least the columns model, input, output. InvalidValue names the row that does not read."""
    reader = csv.DictReader(io.StringIO(text))
    missing = {"model", "input", "output"} - set(reader.fieldnames or ())
    if missing:
        raise InvalidValue(f"a price table has the columns {', '.join(COLUMNS)}; this one lacks {', '.join(sorted(missing))}")
    rows: list[tuple[str, Price]] = []
    for number, row in enumerate(reader, start=2):
        try:
            rows.append((row["model"].strip(), _price(row)))
        except (ValueError, AttributeError) as failure:
            raise InvalidValue(f"price table, line {number}: {failure}") from None
    return rows


def _price(row: Mapping[str, str | None]) -> Price:
    def dollars(column: str) -> float | None:
        value = (row.get(column) or "").strip()
        return float(value) if value else None

    start = (row.get("from") or "").strip()
    return Price(
        dollars("input") or 0.0,
        dollars("output") or 0.0,
        dollars("cached_input"),
        dollars("input_audio"),
        dollars("output_audio"),
        date.fromisoformat(start) if start else date.min,
        (row.get("provider") or "").strip().lower(),
        int(row.get("above") or 0),
    )


@cache
def shipped_prices() -> PriceTable:
    """The table that comes with the package."""
    return PriceTable(read_prices(files("collector").joinpath("prices.csv").read_text(encoding="utf-8")))


def read_table(path: str) -> str:
    """The text of a price table's file; InvalidValue when it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise InvalidValue(f"the price table {path!r} cannot be read: {problem}") from None


_own: PriceTable | None = None


def use_prices(text: str | None) -> None:
    """Put a user's own table (CSV) before the shipped one for this process; None takes it away."""
    global _own
    _own = PriceTable(read_prices(text)) if text else None


def estimate(
    kind: SpanKind, model: str | None, provider: str | None, usage: Usage, at_unix_nano: int | None = None
) -> tuple[float | None, str | None]:
    """`cost_usd` and `cost_source` of a call that told its tokens and no cost: "estimated"; "unpriced" where its model has no price, never
    0; neither for a kind that is not priced. `at_unix_nano` is the call's start: prices are dated."""
    if kind not in PRICED_KINDS:
        return None, None
    found = price_of(model, provider, at_unix_nano, usage.input_tokens)
    return (None, "unpriced") if found is None else (found.of(usage), "estimated")


def price_of(
    model: str | None, provider: str | None = None, at_unix_nano: int | None = None, input_tokens: int | None = None
) -> Price | None:
    """The price of a model, from the user's table first."""
    if not model or len(model) > NAME_MAX:
        return None
    own = _own.price(model, provider, at_unix_nano, input_tokens) if _own else None
    return own or shipped_prices().price(model, provider, at_unix_nano, input_tokens)
