"""A user's own dialect: a small table of attribute key → field, asked before all others by the same mechanism.

    [fields]
    "acme.question" = "input"
    "acme.hits" = "documents"

    [kinds."acme.type"]
    search = "RETRIEVER"

The same as JSON: `{"fields": {"acme.question": "input"}, "kinds": {"acme.type": {"search": "RETRIEVER"}}}`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import orjson

from collector.dialects.table import SLOTS, Dialect
from collector.errors import InvalidValue
from collector.model import SpanKind

if TYPE_CHECKING:
    from collector.dialects.reading import Reading

RULES_MAX = 1000

FIELDS: Mapping[str, str] = {slot: slot for slot in SLOTS} | {
    "model": "response_model",
    "session_id": "session",
    "user_id": "user",
    "cost_usd": "cost",
    "time_to_first_token_s": "first_token",
    "tools_offered": "tools",
    "prompt.template": "template",
    "prompt.variables": "variables",
    "prompt.name": "prompt_name",
    "prompt.version": "prompt_version",
    "vector_dimensions": "dimensions",
    "error.type": "error_type",
    "error.message": "error_message",
    "error.stacktrace": "error_stack",
    "index.name": "index_name",
    "index.version": "index_version",
    "usage.input_tokens": "input_tokens",
    "usage.output_tokens": "output_tokens",
    "usage.total_tokens": "total_tokens",
    "usage.cached_input_tokens": "cached_input_tokens",
    "usage.reasoning_tokens": "reasoning_tokens",
}
"""What a rule may fill → the slot behind it: the API's field names, and the slots' own."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Attribute key → field, and attribute key → value → kind."""

    fields: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, Mapping[str, SpanKind]] = field(default_factory=dict)

    def dialect(self) -> Dialect:
        kinds = self.kinds

        def kind(reading: Reading) -> SpanKind | None:
            for key, values in kinds.items():
                value = reading.attributes.get(key)
                if value is not None and (found := values.get(str(value).lower())):
                    return found
            return None

        return Dialect(
            name="house",
            title="Your rules",
            evidence=tuple(kinds) + tuple(self.fields),
            keys={key: FIELDS[target] for key, target in self.fields.items()},
            kind=kind,
        )

    def as_json(self) -> Mapping[str, Any]:
        return {
            "fields": dict(self.fields),
            "kinds": {key: {value: kind.value for value, kind in table.items()} for key, table in self.kinds.items()},
        }


NO_RULES = Rules()


def parse_rules(given: str | bytes | Mapping[str, Any]) -> Rules:
    """Rules from TOML or JSON text, or from an object of that form. InvalidValue names what is wrong and what would be valid."""
    table = given if isinstance(given, Mapping) else _read(given)
    unknown = sorted(set(table) - {"fields", "kinds"})
    if unknown:
        raise InvalidValue(f"rules hold 'fields' and 'kinds', not {unknown[0]!r}")
    fields, kinds = table.get("fields") or {}, table.get("kinds") or {}
    if not isinstance(fields, Mapping) or not isinstance(kinds, Mapping):
        raise InvalidValue("'fields' and 'kinds' are tables: \"attribute key\" = \"field\"")
    if len(fields) + len(kinds) > RULES_MAX:
        raise InvalidValue(f"more than {RULES_MAX} rules")
    return Rules(
        {str(key): _field(str(key), target) for key, target in fields.items()}, {str(key): _kinds(key, of) for key, of in kinds.items()}
    )


def _read(given: str | bytes) -> Mapping[str, Any]:
    text = given.decode("utf-8", "replace") if isinstance(given, bytes) else given
    try:
        found = orjson.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (orjson.JSONDecodeError, tomllib.TOMLDecodeError) as failure:
        raise InvalidValue(f"rules are neither TOML nor JSON: {failure}") from None
    if not isinstance(found, dict):
        raise InvalidValue("rules are an object with 'fields' and 'kinds'")
    return found


def _field(key: str, target: Any) -> str:
    if isinstance(target, str) and target in FIELDS:
        return target
    close = get_close_matches(str(target), FIELDS, n=3)
    hint = f"did you mean {', '.join(close)}?" if close else f"one of {', '.join(sorted(FIELDS))}"
    raise InvalidValue(f"rule {key!r}: no field {target!r}; {hint}")


def _kinds(key: Any, values: Any) -> Mapping[str, SpanKind]:
    if not isinstance(values, Mapping):
        raise InvalidValue(f"kinds.{key!r} is a table of value = kind")
    found: dict[str, SpanKind] = {}
    for value, kind in values.items():
        if str(kind).upper() not in SpanKind.__members__:
            raise InvalidValue(f"kinds.{key!r}: no kind {kind!r}; one of {', '.join(SpanKind)}")
        found[str(value).lower()] = SpanKind(str(kind).upper())
    return found
