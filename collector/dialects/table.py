"""What a dialect is: tables from attribute names to slots, and the few functions for what a table cannot say.

A slot is one thing we want to know of a span ("input", "request_model", "documents"); every dialect maps its own names to slots, and
the slots are turned into our fields in one place, `compose`. The tables of all dialects are merged once into one lookup by key. What a
key means is worked out at its first sight and remembered, and so is what all the keys of a span mean together (`Shape`): a program sends
the same few sets of keys for ever, so that of most spans only the values are looked at.

Precedence: the dialect that decided the span's kind is asked first, then the others in the order of `DIALECTS`; within a dialect, the
order of its table. User rules come before all of them by the same mechanism.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from collector.dialects import values
from collector.model import Resource, SpanKind

if TYPE_CHECKING:
    from collector.dialects.reading import Reading

Read = Callable[[Any], Any]

SLOTS: Mapping[str, Read] = {
    "operation": values.text,
    "request_model": values.plain_text,
    "response_model": values.plain_text,
    "fallback_model": values.plain_text,
    "provider": values.plain_text,
    "response_id": values.plain_text,
    "finish_reasons": values.words,
    "first_token": values.seconds,
    "input": values.payload,
    "output": values.payload,
    "input_messages": values.structure,
    "output_messages": values.structure,
    "system": values.structure,
    "query": values.plain_text,
    "documents": values.structure,
    "input_documents": values.structure,
    "candidates": values.sequence,
    "texts": values.payload,
    "embeddings": values.payload,
    "dimensions": values.integer,
    "tool_name": values.plain_text,
    "arguments": values.payload,
    "result": values.payload,
    "tools": values.structure,
    "template": values.plain_text,
    "variables": values.mapping,
    "prompt_name": values.plain_text,
    "prompt_version": values.plain_text,
    "parameters": values.mapping,
    "stage": values.text,
    "index_name": values.text,
    "index_version": values.text,
    "index_corpus_digest": values.text,
    "index_passage_count": values.integer,
    "index_embedding_model": values.text,
    "index_dimension": values.integer,
    "index_chunking": values.text,
    "citations": values.sequence,
    "placement": values.sequence,
    "scores": values.sequence,
    "evaluations": values.payload,
    "session": values.plain_text,
    "user": values.plain_text,
    "tags": values.strings,
    "metadata": values.mapping,
    "environment": values.plain_text,
    "input_tokens": values.integer,
    "output_tokens": values.integer,
    "total_tokens": values.integer,
    "cached_input_tokens": values.integer,
    "cache_write": values.integer,
    "reasoning_tokens": values.integer,
    "audio_input_tokens": values.integer,
    "audio_output_tokens": values.integer,
    "usage": values.mapping_of_any_kind,
    "cost": values.number,
    "error_type": values.plain_text,
    "error_message": values.plain_text,
    "error_stack": values.plain_text,
}
"""Every slot and how its values are read where a table does not say otherwise."""

Target = str | tuple[str, Read]
"""A slot, or a slot and how this key's value is read."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """A family of attribute names. `evidence` and `scopes` tell that a span speaks it; then `kind` is asked what the span does."""

    name: str
    title: str
    evidence: Sequence[str] = ()  # attribute keys; one that ends in "." is a prefix
    scopes: Sequence[str] = ()  # instrumentation scope names, by prefix
    kind_key: str = ""
    kinds: Mapping[str, SpanKind] = field(default_factory=dict)  # value of `kind_key` in lower case → kind
    keys: Mapping[str, Target] = field(default_factory=dict)
    own: Mapping[str, Target] = field(default_factory=dict)  # names too common to mean anything where the dialect is not spoken
    lists: Mapping[str, str] = field(default_factory=dict)  # flattened lists: prefix before the index → slot
    maps: Mapping[str, Target] = field(default_factory=dict)  # flattened mappings: prefix before the key → slot
    kind: Callable[[Reading], SpanKind | None] | None = None
    refine: Callable[[Reading], None] | None = None  # after the scan, before composing

    def kind_of(self, reading: Reading) -> SpanKind | None:
        """What the span does, or None when this dialect does not say."""
        if self.kind is not None:
            return self.kind(reading)
        return self.declared_kind(reading)

    def declared_kind(self, reading: Reading) -> SpanKind | None:
        value = reading.attributes.get(self.kind_key)
        if not isinstance(value, str) or not value:
            return None
        return self.kinds.get(value.strip('"').lower(), SpanKind.UNKNOWN)


@dataclass(frozen=True, slots=True, eq=False)  # compared and hashed by identity, which a scan does for every attribute
class Entry:
    """One key's place in one dialect's table."""

    rank: int  # lower is asked first
    dialect: int
    slot: str
    key: str
    read: Read
    guarded: bool  # counts only where the dialect is spoken

    def place(self, own: int) -> int:
        """The rank for a span of a dialect."""
        return self.rank - OWN_FIRST if self.dialect == own else self.rank


class ListPlace(NamedTuple):
    """Where in a flattened list a key belongs: `retrieval.documents.3.document.id` is item 3, path ("id",)."""

    entry: Entry
    position: int
    path: tuple[str | int, ...]


class MapPlace(NamedTuple):
    entry: Entry
    name: str


class Plan(NamedTuple):
    """All that a key means."""

    evidence: int  # bits of the dialects it shows
    entries: tuple[Entry, ...]
    places: tuple[ListPlace, ...]
    maps: tuple[MapPlace, ...]
    suspicious: bool  # means nothing, but its name sounds like content


OWN_FIRST = 10_000_000  # more than any rank


class FlatList:
    """A flattened list: the simple members (name → attribute) of each item by position, or, where any lies deeper, all places."""

    __slots__ = ("_rows", "deep", "entry", "items")

    def __init__(
        self, entry: Entry, items: Sequence[Mapping[str, str]], deep: Sequence[tuple[int, tuple[str | int, ...], str]] = ()
    ) -> None:
        self.entry, self.items, self.deep = entry, items, deep
        self._rows: dict[Sequence[str], Sequence[Sequence[str | None]] | None] = {}

    def rows(self, members: tuple[str, ...]) -> Sequence[Sequence[str | None]] | None:
        """For each item, the attributes that hold these members; None unless every item has the first and none has others."""
        if members not in self._rows:
            fit = not self.deep and all(members[0] in item and item.keys() <= {*members} for item in self.items)
            self._rows[members] = [tuple(map(item.get, members)) for item in self.items] if fit else None
        return self._rows[members]


class FlatMap(NamedTuple):
    """A flattened mapping: (name, attribute)."""

    entry: Entry
    members: Sequence[tuple[str, str]]


class Shape:
    """What spans with the same attribute keys, from the same scope, have in common: everything but their values."""

    __slots__ = ("_claims", "_of_dialect", "lists", "maps", "plans", "refiners", "seen", "slots", "spoken", "suspicious")

    def __init__(self, tables: Tables, scope: str, keys: Sequence[str]) -> None:
        self.seen = tables.scope_bits(scope) if scope else 0
        self.suspicious: list[str] = []
        self._claims: dict[str, list[Entry]] = {}
        self._of_dialect: dict[int, Mapping[str, Sequence[Entry]]] = {}
        self.plans: dict[Any, Any] = {}  # by kind: what `compose` visits for it
        places: dict[Entry, list[tuple[int, tuple[str | int, ...], str]]] = {}
        names: dict[Entry, list[tuple[str, str]]] = {}
        guarded = False
        for key in keys:
            plan = tables.plan(key)
            if plan is None:
                continue
            self.seen |= plan.evidence
            for entry in plan.entries:
                self._claims.setdefault(entry.slot, []).append(entry)
                guarded |= entry.guarded
            for entry, position, path in plan.places:
                places.setdefault(entry, []).append((position, path, key))
            for entry, name in plan.maps:
                names.setdefault(entry, []).append((name, key))
            if plan.suspicious:
                self.suspicious.append(key)
        self.lists: dict[str, list[FlatList]] = {}
        for entry, placed in places.items():
            self.lists.setdefault(entry.slot, []).append(_flat_list(entry, placed))
        self.maps: dict[str, list[FlatMap]] = {}
        for entry, members in names.items():
            self.maps.setdefault(entry.slot, []).append(FlatMap(entry, members))
        for slot, claims in self._claims.items() if guarded else ():
            self._claims[slot] = [entry for entry in claims if not entry.guarded or self.seen >> entry.dialect & 1]
        self.slots = frozenset({*self._claims, *self.lists, *self.maps})
        self.spoken = [(number, dialect) for number, dialect in enumerate(tables.dialects) if self.seen >> number & 1]
        self.refiners = [dialect.refine for _, dialect in self.spoken if dialect.refine is not None]

    def claims(self, own: int) -> Mapping[str, Sequence[Entry]]:
        """The values by slot, best first: those of the span's own dialect, then the others in the order of the dialects."""
        found = self._of_dialect.get(own)
        if found is None:
            found = self._of_dialect[own] = {
                slot: held if len(held) == 1 else sorted(held, key=lambda entry: entry.place(own)) for slot, held in self._claims.items()
            }
        return found


def _flat_list(entry: Entry, placed: Sequence[tuple[int, tuple[str | int, ...], str]]) -> FlatList:
    """Where every member is simple, its items are built without a walk; one deeper or bare value, and all are put where they belong."""
    if any(len(path) != 1 or not isinstance(path[0], str) for _, path, _ in placed):
        return FlatList(entry, (), placed)
    items: dict[int, dict[str, str]] = {}
    for position, path, key in placed:
        items.setdefault(position, {})[str(path[0])] = key
    return FlatList(entry, [items[position] for position in sorted(items)])


# Segments that only repeat what the list holds; they follow an index.
WRAPPERS = frozenset(
    {
        "message",
        "document",
        "embedding",
        "tool",
        "tool_call",
        "message_content",
        "evaluation",
        "annotation",
        "completion",
        "prompt",
        "choice",
    }
)
PATH_MAX = 12
PREFIX_MAX = 10  # segments before an index or a mapping's key: the longest table entry has five
KEY_MAX = 512  # characters; a longer key is no dialect's, and is not remembered
REMEMBERED_MAX = 20_000
SHAPE_KEYS_MAX = 400  # a span with more attributes than that has a set of its own, which is worked out each time
SHAPES_KEYS_MAX = 50_000  # keys of all remembered shapes together: about 20 MB
CONTENT_WORDS = frozenset(
    {
        "input",
        "inputs",
        "output",
        "outputs",
        "prompt",
        "prompts",
        "completion",
        "completions",
        "message",
        "messages",
        "document",
        "documents",
        "docs",
        "passage",
        "passages",
        "chunk",
        "chunks",
        "context",
        "contexts",
        "query",
        "question",
        "answer",
        "response",
        "result",
        "results",
        "retrieved",
        "content",
        "text",
        "request_body",
        "response_body",
        "body",
        "generation",
        "args",
        "arguments",
        "payload",
    }
)
NAMES_NO_CONTENT = frozenset(
    {"mime_type", "type", "format", "count", "length", "tokens", "id", "name", "size", "index", "role", "kind", "dimension"}
)
NOT_CONTENT = (
    "http.",
    "url.",
    "server.",
    "client.",
    "net.",
    "network.",
    "code.",
    "thread.",
    "process.",
    "telemetry.",
    "otel.",
    "exception.",
    "logfire.",
    "rpc.",
    "user_agent.",
    "hidden_params",
    "error.",
    "messaging.",
    "peer.",
    "faas.",
    "k8s.",
    "container.",
    "host.",
    "os.",
    "cloud.",
    "aws.",
)


ENVIRONMENT_KEYS = ("deployment.environment.name", "deployment.environment", "langfuse.environment")


def origin_of(resource: Resource) -> tuple[str | None, str | None]:
    """The service and the environment that a resource names."""
    told = resource.attributes
    environment = next((values.text(found) for key in ENVIRONMENT_KEYS if (found := told.get(key))), None)
    return values.text(told.get("service.name")), environment


def as_given(value: Any) -> Any:
    """One value of a flattened mapping; an empty string says nothing."""
    return None if value == "" else value


_UNKNOWN = "unknown"


class Tables:
    """All dialects merged into one lookup by key. Immutable but for its memory of keys it has worked out."""

    def __init__(self, dialects: Sequence[Dialect]) -> None:
        self.dialects = tuple(dialects)
        self._exact: dict[str, list[Entry]] = {}
        self._lists: dict[str, list[Entry]] = {}
        self._maps: dict[str, list[Entry]] = {}
        self._evidence: dict[str, int] = {}
        self._evidence_prefixes: dict[str, int] = {}
        self._scopes: dict[str, int] = {}
        for number, dialect in enumerate(self.dialects):
            self._add(number, dialect)
        self._plans: dict[str, Plan | None] = {}
        self.shapes: dict[tuple[str, ...], Shape] = {}  # by scope name and attribute keys
        self._shapes_keys = 0
        self._scope_bits: dict[str, int] = {}
        self._last_origin: tuple[Resource | None, tuple[str | None, str | None]] = (None, (None, None))

    def origin(self, resource: Resource) -> tuple[str | None, str | None]:
        """The service and the environment that a resource names; the spans of a request share the object."""
        last, origin = self._last_origin
        if last is not resource:
            origin = origin_of(resource)
            self._last_origin = resource, origin  # one assignment: threads may ask at once
        return origin

    def _add(self, number: int, dialect: Dialect) -> None:
        rank = number * 1000
        for table, into, guarded in (
            (dialect.keys, self._exact, False),
            (dialect.own, self._exact, True),
            (dialect.lists, self._lists, False),
            (dialect.maps, self._maps, False),
        ):
            for key, target in table.items():
                slot, read = target if isinstance(target, tuple) else (target, None)
                if slot not in SLOTS:
                    raise KeyError(f"dialect {dialect.name}: {key} maps to {slot!r}, which is no slot: {', '.join(SLOTS)}")
                if read is None:
                    read = as_given if table is dialect.maps else SLOTS[slot]
                into.setdefault(key, []).append(Entry(rank, number, slot, key, read, guarded))
                rank += 1
        bit = 1 << number
        for key in (*dialect.evidence, *([dialect.kind_key] if dialect.kind_key else [])):
            table = self._evidence_prefixes if key.endswith(".") else self._evidence
            table[key] = table.get(key, 0) | bit
        for scope in dialect.scopes:
            self._scopes[scope] = self._scopes.get(scope, 0) | bit

    def scope_bits(self, scope: str) -> int:
        """The dialects that an instrumentation scope is known to speak."""
        bits = self._scope_bits.get(scope)
        if bits is None:
            scope = scope[:KEY_MAX]
            bits = 0
            for prefix, bit in self._scopes.items():
                if scope.startswith(prefix):
                    bits |= bit
            self._remember(self._scope_bits, scope, bits)
        return bits

    def shape(self, scope: str, keys: Sequence[str]) -> Shape:
        """What spans with these attributes have in common. Keys come from the network: the memory of shapes must not grow with them."""
        telling = [key for key in keys if self.plan(key) is not None]
        found = self.shapes.get((scope, *telling))
        if found is None:
            found = Shape(self, scope, telling)
            self._remember_shape(scope, telling, found)
        if len(telling) < len(keys):  # a program that adds a name of its own to every span speaks of a shape that is known
            self._remember_shape(scope, keys, found)
        return found

    def _remember_shape(self, scope: str, keys: Sequence[str], shape: Shape) -> None:
        if len(keys) <= SHAPE_KEYS_MAX and sum(map(len, keys)) + len(scope) <= KEY_MAX * len(keys) // 4 + KEY_MAX:
            self._shapes_keys += len(keys) + 10
            if self._shapes_keys > SHAPES_KEYS_MAX:
                self.shapes.clear()
                self._shapes_keys = len(keys)
            self.shapes[scope, *keys] = shape

    def plan(self, key: str) -> Plan | None:
        """What a key means; None when it means nothing to anybody."""
        found = self._plans.get(key, _UNKNOWN)
        if isinstance(found, str):
            if len(key) > KEY_MAX:
                return None
            found = self._work_out(key)
            self._remember(self._plans, key, found)
        return found

    @staticmethod
    def _remember(memory: dict[str, Any], key: str, value: Any) -> None:
        if len(memory) >= REMEMBERED_MAX:  # keys come from the network: the memory must not grow with them
            memory.clear()
        memory[key] = value

    def _work_out(self, key: str) -> Plan | None:
        segments = key.split(".")
        evidence = self._evidence.get(key, 0)
        entries = list(self._exact.get(key, ()))
        places: list[ListPlace] = []
        maps: list[MapPlace] = []
        for i in range(1, min(len(segments), PREFIX_MAX)):
            prefix = ".".join(segments[:i])
            evidence |= self._evidence_prefixes.get(prefix + ".", 0)
            if segments[i].isdecimal() and prefix in self._lists and len(segments) - i <= PATH_MAX:
                index, path = int(segments[i][:9]), _path(segments[i + 1 :])
                places += [ListPlace(entry, index, path) for entry in self._lists[prefix]]
            elif not entries and prefix in self._maps:
                maps += [MapPlace(entry, ".".join(segments[i:])) for entry in self._maps[prefix]]
        if not (evidence or entries or places or maps):
            return Plan(0, (), (), (), True) if _sounds_like_content(key, segments) else None
        return Plan(evidence, tuple(entries), tuple(places), tuple(maps), False)


def _path(segments: Sequence[str]) -> tuple[str | int, ...]:
    """The path inside a list item, wrappers left out, nested indices as numbers."""
    path: list[str | int] = []
    after_index = True
    for segment in segments:
        if segment.isdecimal():
            path.append(int(segment[:9]))
            after_index = True
        elif not (after_index and segment in WRAPPERS and len(segments) > 1):
            path.append(segment)
            after_index = False
        else:
            after_index = False
    return tuple(path)


def _sounds_like_content(key: str, segments: Sequence[str]) -> bool:
    if key.startswith(NOT_CONTENT):
        return False
    words = [*segments[-1].lower().replace("-", "_").split("_"), segments[0].lower()]
    if segments[-1] in NAMES_NO_CONTENT or words[-2] in NAMES_NO_CONTENT:
        return False
    return not CONTENT_WORDS.isdisjoint(words)
