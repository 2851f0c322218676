"""One span being understood: a single scan over its attributes sorts every value to the slots it could fill.

`take` then hands out the best value of a slot and notes which key it came from. Values are parsed when they are taken, and only once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from collector.dialects.table import Entry, Tables
from collector.model import Attributes, Span, SpanKind

Fields = dict[str, Any]
"""Our fields of a span while they are being filled, by name."""
_UNKNOWN_KEY = object()
UNMAPPED_MAX = 20
OWN_FIRST = 10_000_000  # more than any rank


class Reading:
    """The values of one span by slot."""

    __slots__ = (
        "_claims",
        "_lists",
        "_maps",
        "_sorted",
        "_tables",
        "attributes",
        "derived",
        "dialect",
        "given",
        "kind",
        "kind_derived",
        "repeats_usage",
        "returned",
        "seen",
        "sources",
        "span",
        "unmapped",
    )

    def __init__(self, span: Span, tables: Tables) -> None:
        self.span = span
        self.attributes: Attributes = span.attributes
        self._tables = tables
        self._claims: dict[str, list[tuple[Entry, Any]]] = {}
        self._lists: dict[str, dict[Entry, dict[int, Any]]] = {}
        self._maps: dict[str, dict[Entry, dict[str, Any]]] = {}
        self._sorted: set[str] = set()  # slots whose claims are in order
        self.seen = tables.scope_bits(span.scope.name) if span.scope.name else 0
        self.unmapped: list[str] = []
        self.sources: dict[str, str] = {}
        self.derived: list[str] = []
        self.repeats_usage = False
        self.kind_derived = False
        self._scan()
        self.dialect: int = -1
        self.kind = SpanKind.UNKNOWN
        self.given: Any = None  # the span's input, unwrapped
        self.returned: Any = None  # and its output
        self._decide()

    def _scan(self) -> None:
        plans, tables, claims = self._tables.plans, self._tables, self._claims
        flat: dict[Entry, dict[int, Any]] = {}
        for key, value in self.attributes.items():
            plan = plans.get(key, _UNKNOWN_KEY)
            if plan is _UNKNOWN_KEY:
                plan = tables.plan(key)
            if plan is None or value is None or value == "":
                continue
            evidence, entries, places, maps, suspicious = plan  # pyright: ignore[reportGeneralTypeIssues]  (the sentinel is gone by here)
            self.seen |= evidence
            for entry in entries:
                held = claims.get(entry.slot)
                if held is None:
                    claims[entry.slot] = [(entry, value)]
                else:
                    held.append((entry, value))
            for entry, index, path in places:
                items = flat.get(entry)
                if items is None:
                    items = flat[entry] = {}
                    self._lists.setdefault(entry.slot, {})[entry] = items
                if len(path) == 1:
                    item = items.get(index)
                    if item is None:
                        items[index] = {path[0]: value}
                        continue
                    if type(item) is dict:
                        item[path[0]] = value
                        continue
                _put(items, index, path, value)
            for entry, name in maps:
                self._maps.setdefault(entry.slot, {}).setdefault(entry, {})[name] = value
            if suspicious and len(self.unmapped) < UNMAPPED_MAX and isinstance(value, str | list | dict):
                self.unmapped.append(key)

    def _decide(self) -> None:
        """The first dialect spoken that says what the span does decides; where none says, the first spoken."""
        spoken = self.seen
        for number, dialect in enumerate(self._tables.dialects):
            if spoken >> number & 1:
                if self.dialect < 0:
                    self.dialect = number
                kind = dialect.kind_of(self)
                if kind is not None:
                    self.dialect, self.kind = number, kind
                    return

    @property
    def dialect_name(self) -> str | None:
        return self._tables.dialects[self.dialect].name if self.dialect >= 0 else None

    def refine(self) -> None:
        """Let every dialect this span speaks say what its table cannot."""
        for bit, refine in self._tables.refiners:
            if self.seen & bit:
                refine(self)

    def slots(self) -> set[str]:
        """The slots that something was claimed for."""
        return {*self._claims, *self._lists, *self._maps}

    # ---- Slots ----

    def claims_any(self, slots: frozenset[str]) -> bool:
        """Whether something was claimed for one of these slots."""
        return not slots.isdisjoint(self._claims)

    def claimed(self, slots: Sequence[str]) -> list[str]:
        """Those of the slots that something was claimed for."""
        return [slot for slot in slots if slot in self._claims]

    def candidates(self, slot: str) -> Sequence[tuple[Entry, Any]]:
        """The values claimed for a slot, best first."""
        held = self._claims.get(slot)
        if held is None:
            return ()
        if len(held) > 1 and slot not in self._sorted:
            self._sorted.add(slot)
            own = self.dialect
            held.sort(key=lambda claim: claim[0].rank - OWN_FIRST if claim[0].dialect == own else claim[0].rank)
        return held

    def take(self, slot: str, field: str | None = None) -> Any:
        """The best value of a slot as its reader gives it, or None."""
        held = self._claims.get(slot)
        if held is None:
            return None
        for entry, value in held if len(held) == 1 else self.candidates(slot):
            if entry.guarded and not self.seen >> entry.dialect & 1:
                continue
            found = entry.read(value)
            if found is not None:
                self.sources.setdefault(field or slot, entry.key)
                return found
        return None

    def every(self, slot: str) -> Iterator[tuple[str, Any]]:
        """All values of a slot, best first, with their keys."""
        for entry, value in self.candidates(slot):
            if entry.guarded and not self.seen >> entry.dialect & 1:
                continue
            found = entry.read(value)
            if found is not None:
                yield entry.key, found

    def listed(self, slot: str) -> Iterator[tuple[str, dict[int, Any]]]:
        """Flattened lists of a slot, best first: key prefix and items by index."""
        held = self._lists.get(slot)
        if held:
            own = self.dialect
            for entry in sorted(held, key=lambda entry: (entry.dialect != own, entry.rank)):
                yield entry.key, held[entry]

    def has_list(self, slot: str) -> bool:
        return slot in self._lists

    def mapped(self, slot: str) -> Mapping[str, Any]:
        """Flattened mappings of a slot merged, the best dialect's values winning."""
        held = self._maps.get(slot)
        if not held:
            return {}
        own, merged = self.dialect, dict[str, Any]()
        for entry in sorted(held, key=lambda entry: (entry.dialect == own, -entry.rank)):
            for name, value in held[entry].items():
                read = entry.read(value)
                if read is not None:
                    merged[name] = read
            self.sources.setdefault(slot, f"{entry.key}.*")
        return merged

    def claim(self, slot: str, key: str, value: Any, *, ahead: bool = False) -> None:
        """A value that a dialect's `refine` found; behind what the tables claimed unless it goes ahead."""
        entry = Entry(-1 if ahead else 1_000_000, self.dialect, slot, key, lambda given: given, False)
        self._claims.setdefault(slot, []).append((entry, value))
        self._sorted.discard(slot)

    def forget(self, slot: str, prefix: str) -> None:
        """Withdraw the entries of a flattened mapping whose names begin so."""
        for held in self._maps.get(slot, {}).values():
            for name in [name for name in held if name.startswith(prefix)]:
                del held[name]

    def drop(self, slot: str, key: str) -> None:
        """Withdraw a claim that this span's dialect knows to be wrong."""
        held = self._claims.get(slot)
        if held:
            self._claims[slot] = [claim for claim in held if claim[0].key != key]


def _put(items: dict[int, Any], index: int, path: tuple[str | int, ...], value: Any) -> None:
    """Set a value deep in an unflattened item; a path that contradicts an earlier one is ignored."""
    if not path:
        items[index] = value
        return
    holder = items.get(index)
    if holder is None:
        holder = items[index] = {}
    for segment in path[:-1]:
        if not isinstance(holder, dict):
            return
        inner = holder.get(segment)
        if inner is None:
            inner = holder[segment] = {}
        holder = inner
    if isinstance(holder, dict):
        holder[path[-1]] = value
