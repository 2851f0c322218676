"""What spans of any SDK mean: `normalise(span)` turns the attribute names of about fifteen dialects into our fields.

Pure and idempotent: it reads only what was received, so stored spans can be read again when a table improves or a user adds rules. One
dialect decides the kind of a span, the fields it leaves empty are filled from the others. Nothing is hidden: `sources` says which key
filled which field, `derived` what was inferred, `unmapped` which keys sound like content and mean nothing to anybody.

Read `table` first (what a dialect is), then any dialect (`genai`, `langfuse`), then `compose` (where their slots become fields).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from collector.dialects import (
    genai,
    haystack,
    langfuse,
    langsmith,
    litellm,
    logfire,
    mlflow,
    openinference,
    openllmetry,
    plain,
    pydantic_ai,
    rightpassage,
    vectordb,
    vercel,
    weave,
)
from collector.dialects.compose import Price, compose
from collector.dialects.reading import Reading
from collector.dialects.rules import NO_RULES, Rules, parse_rules
from collector.dialects.table import Dialect, Tables
from collector.making import maker
from collector.model import LogRecord, Span

__all__ = ["DIALECTS", "NO_RULES", "Normaliser", "Price", "Rules", "join_logs", "normalise", "parse_rules", "searched", "use_rules"]

DIALECTS: Sequence[Dialect] = (
    rightpassage.DIALECT,
    openinference.DIALECT,
    langfuse.DIALECT,
    mlflow.DIALECT,
    langsmith.DIALECT,
    vercel.DIALECT,
    litellm.DIALECT,
    genai.DIALECT,
    openllmetry.DIALECT,
    openllmetry.OLD_DIALECT,
    haystack.DIALECT,
    pydantic_ai.DIALECT,
    logfire.DIALECT,
    weave.DIALECT,
    vectordb.DIALECT,
    plain.DIALECT,
)
"""In the order in which they are asked what a span does; the first that knows decides."""


def searched(slot: str) -> Sequence[str]:
    """The attribute keys that are searched for a slot (`input`, `output_messages`, `documents`, …), in the order they are asked; flattened
    lists and mappings as `prefix.N.*` and `prefix.*`."""
    keys: list[str] = []
    for dialect in DIALECTS:
        for table, ending in ((dialect.keys, ""), (dialect.own, ""), (dialect.lists, ".N.*"), (dialect.maps, ".*")):
            keys += [key + ending for key, target in table.items() if (target if isinstance(target, str) else target[0]) == slot]
    return list(dict.fromkeys(keys))


_MAKE = maker(Span)


class Normaliser:
    """The dialects with a user's rules before them."""

    def __init__(self, rules: Rules = NO_RULES) -> None:
        self.rules = rules
        self._tables = Tables([rules.dialect(), *DIALECTS] if rules.fields or rules.kinds else DIALECTS)

    def normalise(self, span: Span, price: Price | None = None) -> Span:
        """The same span with `normalised` set anew; whatever it held there before plays no part."""
        understood = compose(Reading(span, self._tables), price)
        return _MAKE(
            span.trace_id,
            span.span_id,
            span.parent_span_id,
            span.name,
            span.start_unix_nano,
            span.end_unix_nano,
            span.attributes,
            span.events,
            span.links,
            span.status,
            span.status_message,
            span.otel_kind,
            span.trace_state,
            span.flags,
            span.dropped_attributes_count,
            span.dropped_events_count,
            span.dropped_links_count,
            span.resource,
            span.scope,
            understood,
            span.scores,
        )


_current = Normaliser()


def normalise(span: Span, price: Price | None = None) -> Span:
    """The span with our fields derived from what it carries, by the dialects and the rules in use; the cost of a call whose sender told
    none is estimated by `price`."""
    return _current.normalise(span, price)


def use_rules(rules: Rules) -> None:
    """Put a user's rules before the dialects for this process; stored spans change when they are renormalised."""
    global _current
    _current = Normaliser(rules)


def join_logs(span: Span, logs: Iterable[LogRecord]) -> Span:
    """The span with its log records as events, understood anew; a record already joined is not joined twice."""
    known = {(event.name, event.time_unix_nano) for event in span.events}
    added = [record.event for record in logs if (record.event.name, record.event.time_unix_nano) not in known]
    return normalise(replace(span, events=[*span.events, *added])) if added else span
