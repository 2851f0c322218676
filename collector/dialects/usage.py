"""Token counts in every provider's words, as one Usage; cached tokens are part of the input, reasoning tokens part of the output.

Some emitters count disjoint buckets (Langfuse's LangChain handler: input without the cached part, output without the reasoning; Gemini:
output without the thoughts; Anthropic's own API). That shows when input and output do not add up to the total, or when more was cached
than put in; then the missing bucket is added back.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from collector.dialects.values import integer
from collector.making import maker
from collector.model import Usage

# Our field → the names it travels under, dots for nesting, in the order they are looked for.
NAMES: Mapping[str, tuple[str, ...]] = {
    "input_tokens": (
        "input_tokens",
        "prompt_tokens",
        "input",
        "promptTokens",
        "inputTokens",
        "prompt_token_count",
        "promptTokenCount",
        "inputTokenCount",
        "prompt_eval_count",
    ),
    "output_tokens": (
        "output_tokens",
        "completion_tokens",
        "output",
        "completionTokens",
        "outputTokens",
        "candidates_token_count",
        "candidatesTokenCount",
        "outputTokenCount",
        "eval_count",
    ),
    "total_tokens": ("total_tokens", "total", "totalTokens", "total_token_count", "totalTokenCount"),
    "cached_input_tokens": (
        "cache_read_input_tokens",
        "input_cache_read",
        "input_cached_tokens",
        "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
        "input_token_details.cache_read",
        "inputTokenDetails.cacheReadTokens",
        "cached_tokens",
        "cachedPromptTokens",
        "cachedInputTokens",
        "cached_input_tokens",
        "cache_read_tokens",
        "cacheReadInputTokens",
        "cached_content_token_count",
        "cachedContentTokenCount",
        "prompt_cache_hit_tokens",
    ),
    "reasoning_tokens": (
        "completion_tokens_details.reasoning_tokens",
        "output_tokens_details.reasoning_tokens",
        "output_token_details.reasoning",
        "outputTokenDetails.reasoningTokens",
        "output_reasoning",
        "output_reasoning_tokens",
        "reasoning_tokens",
        "reasoningTokens",
        "thoughts_token_count",
        "thoughtsTokenCount",
    ),
    "audio_input_tokens": (
        "prompt_tokens_details.audio_tokens",
        "input_tokens_details.audio_tokens",
        "input_token_details.audio",
        "input_audio",
        "input_audio_tokens",
    ),
    "audio_output_tokens": (
        "completion_tokens_details.audio_tokens",
        "output_tokens_details.audio_tokens",
        "output_token_details.audio",
        "output_audio",
        "output_audio_tokens",
    ),
    "cache_write": (
        "cache_creation_input_tokens",
        "input_cache_creation",
        "input_token_details.cache_creation",
        "cache_write_tokens",
        "cacheWriteInputTokens",
    ),
}


def read_counts(usage: Mapping[str, Any], into: dict[str, int]) -> None:
    """Fill the counts that are still missing from one provider's usage object."""
    for field, names in NAMES.items():
        if field in into:
            continue
        for name in names:
            holder, _, inner = name.partition(".")
            value = usage.get(holder)
            if inner:
                value = value.get(inner) if isinstance(value, dict) else None
            found = integer(value)
            if found is not None and found >= 0:
                into[field] = found
                break


def usage_object(value: Any) -> Mapping[str, Any] | None:
    """The usage inside a model's answer, wherever that provider or framework keeps it."""
    for _ in range(4):
        if isinstance(value, list):
            value = value[0] if value else None
        if not isinstance(value, dict):
            return None
        for key in ("usage", "usage_metadata", "usageMetadata", "token_usage", "tokenUsage"):
            if isinstance(found := value.get(key), dict) and found:
                return found
        if isinstance(found := value.get("llm_output"), dict) and isinstance(found.get("token_usage"), dict):
            return found["token_usage"]
        value = next(
            (
                inner
                for key in ("generations", "replies", "meta", "message", "kwargs", "response_metadata", "data", "response", "output")
                if isinstance(inner := value.get(key), list | dict)
            ),
            None,
        )
    return None


BUCKETS = (  # counts that some emitters keep apart, and the side they belong to
    ("reasoning_tokens", "out"),
    ("cached_input_tokens", "in"),
    ("cache_write", "in"),
    ("audio_input_tokens", "in"),
    ("audio_output_tokens", "out"),
)


def _with_buckets(given: int, out: int, missing: int, counts: Mapping[str, int]) -> tuple[int, int]:
    """Input and output with the buckets that make up for what is missing in the total: the fewest that do so exactly."""
    kept = [(side, count) for name, side in BUCKETS if (count := counts.get(name, 0)) > 0]
    for size in range(1, len(kept) + 1):
        for chosen in combinations(kept, size):
            if sum(count for _, count in chosen) == missing:
                return (
                    given + sum(count for side, count in chosen if side == "in"),
                    out + sum(count for side, count in chosen if side == "out"),
                )
    cached = counts.get("cached_input_tokens", 0)
    return (given + cached, out) if cached <= missing else (given, out)


_MAKE = maker(Usage)


def as_usage(counts: Mapping[str, int]) -> Usage | None:
    """One Usage with its invariants restored, or None when nothing was counted: no usage is not usage 0.

    Pydantic AI 1 may tell only the reasoning tokens of a call; then the others stay unknown."""
    given, out, total = counts.get("input_tokens"), counts.get("output_tokens"), counts.get("total_tokens")
    cached, written = counts.get("cached_input_tokens"), counts.get("cache_write", 0)
    if not any(counts.values()):
        return None  # a call without a token is none: streams of which nothing was counted say 0
    if given is not None and out is not None and total is not None and (missing := total - given - out) > 0:
        given, out = _with_buckets(given, out, missing, counts)
    if given is not None and cached and cached > given:
        given += cached + written
    if given is None and total is not None:
        given = max(0, total - (out or 0))
    if given is not None and out is not None and (total is None or total < given + out):
        total = given + out
    return _MAKE(
        given,
        out,
        total,
        cached,
        counts.get("reasoning_tokens"),
        counts.get("audio_input_tokens"),
        counts.get("audio_output_tokens"),
    )
