"""Asking the search index: which traces may say a phrase, in order of their start, and whether a trace really does.

A shard is a table of words (see `search.sql`); FTS5 intersects the words of a phrase in it, each following the others by the index of its
list. Shards and their runs are read in the order of the starts they cover, so a page of the newest reads only the newest. One word is
proved by the index, a phrase by the texts of the trace's spans.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import orjson

from collector.store import words
from collector.store.answer import columns_of
from collector.store.connection import Connection
from collector.store.matching import searchable
from collector.store.reading import Payloads
from collector.store.search import PENDING_SPANS, SHARD_DOCUMENTS
from collector.store.strings import Strings

FEW = 1_000  # matches of a shard that are quicker sorted than read run by run
SAMPLED = 3  # of the newest shards, for which of several phrases is the rarest
PROBES = 64
"""Traces that are looked up one by one before all that may say the phrase are gathered: a lookup takes 20 µs, all of a rare word 1 ms."""
GATHERED = 5_000  # traces, at most

Key = tuple[int, int]  # start, trace
Found = tuple[int, int, int]  # start, trace, document
Source = tuple[int, Callable[[], Iterator[Found]]]  # the first start it can have in the order, and how to read it


class Said(NamedTuple):
    """Of a span, where its texts are."""

    name: int
    pack: int
    slot: int


def swept(sources: Sequence[Source], *, descending: bool) -> Iterator[Found]:
    """One stream in order out of many that are; each is only read when the stream reaches what it covers."""
    waiting = sorted(sources, key=lambda source: source[0], reverse=not descending)  # the next one last
    heap: list[tuple[Found, int, Iterator[Found]]] = []
    sign = -1 if descending else 1
    opened = 0
    while waiting or heap:
        while waiting and (not heap or sign * waiting[-1][0] <= heap[0][0][0]):
            stream = waiting.pop()[1]()
            opened += 1
            _push(heap, stream, sign, opened)
        if not heap:
            continue
        (start, trace, document), number, stream = heapq.heappop(heap)
        yield sign * start, sign * trace, sign * document
        _push(heap, stream, sign, number)


def _push(heap: list[tuple[Found, int, Iterator[Found]]], stream: Iterator[Found], sign: int, number: int) -> None:
    found = next(stream, None)
    if found is not None:
        heapq.heappush(heap, ((sign * found[0], sign * found[1], sign * found[2]), number, stream))


class Searcher:
    """The index for the length of one query, beside the store's connection (whose snapshot says which traces exist)."""

    def __init__(self, index: Connection, store: Connection, strings: Strings) -> None:
        self._index, self._store, self._strings = index, store, strings
        self._last: int = index.execute("SELECT last_span FROM progress").fetchone()[0]
        self._pending: dict[int, list[Said]] | None = None
        self._payloads = Payloads(store)  # for the whole query: traces that follow each other share their packs
        self._named: dict[str, set[int]] = {}  # by phrase, the traces that the index named: it need not be asked about them again
        self._probed: Counter[str] = Counter()
        self._all: dict[str, Collection[int] | None] = {}  # by phrase, all traces that may say it, where they are few
        self._lists: dict[tuple[int, str], list[int]] = {}  # by shard and query, the documents: of beginnings, which cost the same for one

    def keys(self, phrase: str, first: int, last: int, at: Key | None, *, descending: bool) -> Iterator[Key]:
        """Traces that may say the phrase, by their start, each at its first place in the order; never all at once."""
        match = words.query(phrase)
        if match is None:
            return iter(())
        if at is not None:
            first, last = (first, min(last, at[0])) if descending else (max(first, at[0]), last)
        found = self._once(self._by_start(match, first, last, descending), match, descending)
        return self._remembered(phrase, (key for key in found if at is None or (key < at if descending else key > at)))

    def rarest(self, phrases: Sequence[str]) -> str:
        """The phrase that the fewest of the newest documents may say."""
        if len(phrases) == 1:
            return phrases[0]
        shards = [row[0] for row in self._index.execute(f"SELECT shard FROM shards ORDER BY shard DESC LIMIT {SAMPLED}")]
        return min(phrases, key=lambda phrase: (self._count(words.query(phrase), shards), -len(phrase)))

    def few(self, phrase: str, first: int, last: int, most: int) -> Collection[int] | None:
        """All traces that may say the phrase, those included that the index has not heard of; None where they are more than `most`."""
        match = words.query(phrase)
        if match is None:
            return ()
        found: set[int] = set()
        for shard, _ in self._shards(first, last, descending=True):
            low, high = _bounds(shard)
            found.update(trace for _, trace, _ in self._of_documents(shard, match, low, high, first, last, True, most + 1 - len(found)))
            if len(found) > most:
                return None
        return found | self.pending().keys()

    def trace_says(self, phrase: str, trace: int) -> bool:
        """Whether some span of a trace has the phrase: by the index alone where that is proof, by the texts otherwise."""
        match = words.query(phrase)
        if match is None:
            return False
        pending = self.pending().get(trace)
        if pending and self._says(phrase, pending):
            return True
        if trace not in self._named.get(phrase, ()) and not self._may_say(phrase, match, trace):
            return False
        return words.is_plain(phrase) or self._says(phrase, self._indexed(trace))

    def pending(self) -> Mapping[int, Sequence[Said]]:
        """The newest spans that are not in the index yet, by trace; at most `PENDING_SPANS`."""
        if self._pending is None:
            self._pending = {}
            source = f"FROM spans WHERE id > ? ORDER BY id DESC LIMIT {PENDING_SPANS}"
            for trace, *said in zip(*columns_of(self._store, ["trace", *Said._fields], source, [self._last]), strict=True):
                self._pending.setdefault(trace, []).append(Said._make(said))
        return self._pending

    # ---- Documents in the order of their starts ----

    def _remembered(self, phrase: str, keys: Iterator[Key]) -> Iterator[Key]:
        named = self._named.setdefault(phrase, set())
        for key in keys:
            named.add(key[1])
            yield key

    def _shards(self, first: int, last: int, *, descending: bool) -> Sequence[tuple[int, int]]:
        """The shards that have starts in a range, with the start that comes first in the order."""
        edge, direction = ("max(latest_ns)", "DESC") if descending else ("min(earliest_ns)", "ASC")
        select = (
            f"SELECT first / {SHARD_DOCUMENTS} AS shard, {edge} AS edge FROM runs WHERE latest_ns >= ? AND earliest_ns <= ? "
            f"GROUP BY shard ORDER BY edge {direction}"
        )
        return self._index.execute(select, (first, last)).fetchall()

    def _by_start(self, match: str, first: int, last: int, descending: bool) -> Iterator[Found]:
        """Shard by shard in order of the starts they cover; a shard with few matches at once, another run by run."""
        shards = self._shards(first, last, descending=descending)
        sources = [(bound, partial(self._of_shard, shard, match, first, last, descending)) for shard, bound in shards]
        return swept(sources, descending=descending)

    def _of_shard(self, shard: int, match: str, first: int, last: int, descending: bool) -> Iterator[Found]:
        low, high = _bounds(shard)
        few = self._of_documents(shard, match, low, high, first, last, descending, FEW + 1)
        if len(few) <= FEW:
            return iter(few)
        select = "SELECT first, last, earliest_ns, latest_ns FROM runs WHERE first BETWEEN ? AND ? AND latest_ns >= ? AND earliest_ns <= ?"
        sources: list[Source] = []
        for begin, end, earliest, latest in self._index.execute(select, (low, high, first, last)):
            load = partial(self._of_run, shard, match, begin, end, first, last, descending)
            sources.append((latest if descending else earliest, load))
        return swept(sources, descending=descending)

    def _of_run(self, shard: int, match: str, begin: int, end: int, first: int, last: int, descending: bool) -> Iterator[Found]:
        return iter(self._of_documents(shard, match, begin, end, first, last, descending, SHARD_DOCUMENTS))

    def _of_documents(
        self, shard: int, match: str, begin: int, end: int, first: int, last: int, descending: bool, limit: int
    ) -> Sequence[Found]:
        """At most `limit` of a stretch of documents that match, sorted; those that start outside the range are left out unless they are as
        many."""
        if words.asks_beginning(match):
            numbers = self._list(shard, match)
            part = numbers[bisect_left(numbers, begin) : bisect_right(numbers, end)][:limit]
            source, values = "SELECT value AS id FROM json_each(?)", [orjson.dumps(part).decode()]
        else:
            source = f"SELECT rowid AS id FROM words_{shard} WHERE words_{shard} MATCH ? AND rowid BETWEEN ? AND ? LIMIT ?"
            values = [match, begin, end, limit]
        joined = f"FROM ({source}) w CROSS JOIN documents d ON d.id = w.id"
        rows: list[Found] = list(zip(*columns_of(self._index, ["d.start_ns", "d.trace", "d.id"], joined, values), strict=True))
        kept = rows if len(rows) >= limit else [row for row in rows if first <= row[0] <= last]
        return sorted(kept, reverse=descending)

    def _list(self, shard: int, match: str) -> list[int]:
        """All documents of a shard, ascending. For the beginning of a word FTS5 joins the lists of all words that begin so, each time again
        (20 ms for a frequent one), also where one document is asked for."""
        found = self._lists.get((shard, match))
        if found is None:
            source = f"FROM words_{shard} WHERE words_{shard} MATCH ? ORDER BY rowid"
            (found,) = columns_of(self._index, ["rowid"], source, [match])
            self._lists[shard, match] = found
        return found

    def _count(self, match: str | None, shards: Sequence[int]) -> int:
        """How many documents of some shards match; at most `FEW` of each are counted."""
        if match is None:
            return 0
        if words.asks_beginning(match):
            return sum(len(self._list(shard, match)) for shard in shards[:1]) * len(shards)  # the list is read whole
        select = "SELECT count(*) FROM (SELECT 1 FROM words_{0} WHERE words_{0} MATCH ? LIMIT {1})"
        return sum(self._index.execute(select.format(shard, FEW), (match,)).fetchone()[0] for shard in shards)

    def _once(self, found: Iterator[Found], match: str, descending: bool) -> Iterator[Key]:
        """A trace in several documents shows at the first of them that matches, on whichever page that was."""
        seen: set[int] = set()
        sign = ">" if descending else "<"
        select = f"SELECT id FROM documents WHERE trace = ? AND (start_ns, trace, id) {sign} (?, ?, ?)"
        for start, trace, document in found:
            if trace in seen:
                continue
            seen.add(trace)
            earlier = self._index.execute(select, (trace, start, trace, document)).fetchall()
            if not any(self._matches(match, other) for (other,) in earlier):
                yield start, trace

    # ---- One trace ----

    def _may_say(self, phrase: str, match: str, trace: int) -> bool:
        """What the index says. A filter that walks asks for one trace after the other."""
        self._probed[phrase] += 1
        if self._probed[phrase] == PROBES:
            self._all[phrase] = self.few(phrase, -(2**62), 2**62, GATHERED)
        named = self._all.get(phrase)
        if named is not None:
            return trace in named
        documents = self._index.execute("SELECT id FROM documents WHERE trace = ?", (trace,)).fetchall()
        return any(self._matches(match, document) for (document,) in documents)

    def _matches(self, match: str, document: int) -> bool:
        shard = document // SHARD_DOCUMENTS
        if words.asks_beginning(match):
            numbers = self._list(shard, match)
            at = bisect_left(numbers, document)
            return at < len(numbers) and numbers[at] == document
        select = f"SELECT 1 FROM words_{shard} WHERE words_{shard} MATCH ? AND rowid = ?"
        return self._index.execute(select, (match, document)).fetchone() is not None

    def _indexed(self, trace: int) -> Sequence[Said]:
        """The spans of a trace that the index knows."""
        source = "FROM spans WHERE trace = ? AND id <= ? ORDER BY pack, slot"
        return list(map(Said._make, zip(*columns_of(self._store, Said._fields, source, [trace, self._last]), strict=True)))

    def _says(self, phrase: str, spans: Sequence[Said]) -> bool:
        return any(self._span_says(phrase, span) for span in spans)

    def _span_says(self, phrase: str, span: Said) -> bool:
        name = self._strings.text(self._store, span.name) or ""
        if not words.may_say(phrase, self._payloads.raw(span), name):
            return False
        return words.says(phrase, searchable(self._payloads.body(span), name))


def _bounds(shard: int) -> tuple[int, int]:
    return shard * SHARD_DOCUMENTS, (shard + 1) * SHARD_DOCUMENTS - 1
