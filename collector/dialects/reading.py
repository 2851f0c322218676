"""One span being understood: its shape says which attribute could fill which slot, the values are read from the attributes.

`take` hands out the best value of a slot and notes which key it came from. What a dialect's `refine` claims or withdraws is kept beside
the shape, which all spans with the same keys share. Values are parsed when they are taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from collector.dialects.table import Entry, FlatList, Tables
from collector.dialects.values import as_list
from collector.model import Attributes, Span, SpanKind

Fields = dict[str, Any]
"""Our fields of a span while they are being filled, by name."""
UNMAPPED_MAX = 20


class Reading:
    """The values of one span by slot."""

    __slots__ = (
        "_changed",
        "_claims",
        "_forgotten",
        "_tables",
        "attributes",
        "derived",
        "dialect",
        "given",
        "kind",
        "kind_derived",
        "parameters",
        "repeats_usage",
        "returned",
        "shape",
        "sources",
        "span",
        "unmapped",
    )

    def __init__(self, span: Span, tables: Tables) -> None:
        self.span = span
        self.attributes: Attributes = (attributes := span.attributes)
        self._tables = tables
        # `all` first: a search for "" compares every value, 1 µs for a list of documents
        said = attributes.values()
        whole = all(said) or (None not in said and "" not in said)
        keys = attributes if whole else [key for key, value in attributes.items() if value not in (None, "")]
        scope = span.scope.name
        self.shape = shape = tables.shapes.get((scope, *keys)) or tables.shape(scope, [*keys])
        self._changed: dict[str, list[tuple[Entry, Any]]] = {}  # slots that a dialect claimed or withdrew values of
        self._forgotten: set[tuple[str, str]] = set()
        self.unmapped = _texts_of(shape.suspicious, attributes) if shape.suspicious else []
        self.sources: dict[str, str] = {}
        self.derived: list[str] = []
        self.repeats_usage = False
        self.kind_derived = False
        self.dialect: int = -1
        self.kind = SpanKind.UNKNOWN
        self.given: Any = None  # the span's input, unwrapped
        self.returned: Any = None  # and its output
        self.parameters: Sequence[tuple[str, Mapping[str, Any]]] = ()  # of a model call, by the keys that held them
        self._decide()
        self._claims = shape.claims(self.dialect)

    def _decide(self) -> None:
        """The first dialect spoken that says what the span does decides; where none says, the first spoken."""
        for number, dialect in self.shape.spoken:
            kind = dialect.kind_of(self)
            if kind is not None:
                self.dialect, self.kind = number, kind
                return
        if self.shape.spoken:
            self.dialect = self.shape.spoken[0][0]

    @property
    def dialect_name(self) -> str | None:
        return self._tables.dialects[self.dialect].name if self.dialect >= 0 else None

    def origin(self) -> tuple[str | None, str | None]:
        """The service and the environment of the span's resource."""
        return self._tables.origin(self.span.resource)

    @property
    def is_plain(self) -> bool:
        """Whether its shape says all: no dialect claimed or withdrew anything."""
        return not self._changed

    def slots(self) -> frozenset[str]:
        """The slots that something was claimed for."""
        return self.shape.slots.union(self._changed) if self._changed else self.shape.slots

    # ---- Slots ----

    def has(self, slot: str) -> bool:
        """Whether a value was claimed for a slot."""
        changed = self._changed.get(slot) if self._changed else None
        return bool(self._claims.get(slot) if changed is None else changed)

    def claimed(self, slots: Sequence[str]) -> list[str]:
        """Those of the slots that something was claimed for."""
        return [slot for slot in slots if slot in self._claims or slot in self._changed]

    def _values(self, slot: str) -> Sequence[tuple[Entry, Any]]:
        """The values claimed for a slot, best first."""
        if (changed := self._changed.get(slot)) is not None:
            return sorted(changed, key=lambda claim: claim[0].place(self.dialect))
        return [(entry, self.attributes[entry.key]) for entry in self._claims.get(slot, ())]

    def take(self, slot: str, field: str | None = None) -> Any:
        """The best value of a slot as its reader gives it, or None."""
        if self._changed and slot in self._changed:
            for entry, value in self._values(slot):
                found = entry.read(value)
                if found is not None:
                    self.sources.setdefault(field or slot, entry.key)
                    return found
        elif slot in self._claims:
            attributes = self.attributes
            for entry in self._claims[slot]:
                found = entry.read(attributes[entry.key])
                if found is not None:
                    self.sources.setdefault(field or slot, entry.key)
                    return found
        return None

    def every(self, slot: str) -> Iterable[tuple[str, Any]]:
        """All values of a slot, best first, with their keys."""
        return self._every(slot) if slot in self._claims or slot in self._changed else ()

    def _every(self, slot: str) -> Iterator[tuple[str, Any]]:
        for entry, value in self._values(slot):
            found = entry.read(value)
            if found is not None:
                yield entry.key, found

    def flat_lists(self, slot: str) -> Sequence[FlatList]:
        """Flattened lists of a slot, best first."""
        held = self.shape.lists.get(slot)
        if held is None:
            return ()
        own = self.dialect
        return held if len(held) == 1 else sorted(held, key=lambda flat: flat.entry.place(own))

    def listed(self, slot: str) -> Iterator[tuple[str, Sequence[Any]]]:
        """The same as key prefix and items in order."""
        for flat in self.flat_lists(slot):
            yield flat.entry.key, self.items(flat)

    def items(self, flat: FlatList) -> Sequence[Any]:
        """The items of a flattened list, put together."""
        attributes = self.attributes
        if not flat.deep:
            return [{name: attributes[key] for name, key in members.items()} for members in flat.items]
        items: dict[int, Any] = {}
        for position, path, key in flat.deep:
            _put(items, position, path, attributes[key])
        return as_list(items)

    def has_list(self, slot: str) -> bool:
        return slot in self.shape.lists

    def mapped(self, slot: str) -> Mapping[str, Any]:
        """Flattened mappings of a slot merged, the best dialect's values winning."""
        held = self.shape.maps.get(slot)
        if held is None:
            return {}
        own, merged, forgotten = self.dialect, dict[str, Any](), self._forgotten
        for entry, members in held if len(held) == 1 else sorted(held, key=lambda flat: flat.entry.place(own), reverse=True):
            for name, key in members:
                if not (forgotten and (slot, name) in forgotten) and (read := entry.read(self.attributes[key])) is not None:
                    merged[name] = read
            self.sources.setdefault(slot, f"{entry.key}.*")
        return merged

    def claim(self, slot: str, key: str, value: Any, *, ahead: bool = False) -> None:
        """A value that a dialect's `refine` found; behind what the tables claimed unless it goes ahead."""
        entry = Entry(-1 if ahead else 1_000_000, self.dialect, slot, key, _as_found, False)
        self._change(slot).append((entry, value))

    def forget(self, slot: str, prefix: str) -> None:
        """Withdraw the entries of a flattened mapping whose names begin so."""
        for _, members in self.shape.maps.get(slot, ()):
            self._forgotten.update((slot, name) for name, _ in members if name.startswith(prefix))

    def drop(self, slot: str, key: str) -> None:
        """Withdraw a claim that this span's dialect knows to be wrong."""
        if slot in self._claims:
            self._changed[slot] = [claim for claim in self._change(slot) if claim[0].key != key]

    def _change(self, slot: str) -> list[tuple[Entry, Any]]:
        """The values of a slot, this span's own from now on."""
        held = self._changed.get(slot)
        if held is None:
            held = self._changed[slot] = list(self._values(slot))
        return held


def _as_found(value: Any) -> Any:
    return value


def _texts_of(keys: Sequence[str], attributes: Attributes) -> list[str]:
    """Those of the keys that hold something to read."""
    return [key for key in keys if isinstance(attributes[key], str | list | dict)][:UNMAPPED_MAX]


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
