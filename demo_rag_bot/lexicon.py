"""Lexical search: BM25 over three fields, asked term by term, with the words a reader may have meant instead.

A passage is found by its text, by its own heading and by where it stands (title, path, headings above); a word in the heading says more
than one in the text. Each word of a question may be met by another word: a synonym of `thesaurus.txt`, or the nearest word of the corpus
where the corpus does not know it (a typo). Such a stand-in counts less than the word itself.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import bm25s
import numpy as np
from numpy.typing import NDArray

from demo_rag_bot.passages import Passage
from demo_rag_bot.terms import STOP_WORDS, spelled, stem, terms

Scores = NDArray[np.float32]

HEADING_WEIGHT, PLACE_WEIGHT = 0.7, 0.2  # beside 1 for the text; best of a sweep on two corpora (benchmarks/bot_retrieval.py)
SYNONYM_WEIGHT, TYPO_WEIGHT = 0.5, 0.8
SHORTEST_TYPO = 4  # a shorter word is one edit away from too many others
HISTORY_WEIGHT = 0.6  # change logs name every feature and explain none
_HISTORY = re.compile(r"(^|/)(change|history|releas|news|whats?.?new|upgrad|migrat|licen[cs]e|contribut|authors)", re.IGNORECASE)
TELLING = 50  # passages; a smaller vocabulary leaves much unknown that is documented (docs/decisions/0066)
_HYPHENED = re.compile(r"\w+(?:-\w+)+")  # "read-only" asks for two words where the documentation never joins them
PAGE_DEPTH = 5  # passages that speak for their page


@dataclass(frozen=True, slots=True)
class Asked:
    """One word of a question and the words that may stand in for it, with what each is worth."""

    term: str
    stand_ins: Mapping[str, float]

    @property
    def spellings(self) -> frozenset[str]:
        """The word itself, or what it was probably meant to be."""
        return frozenset({self.term, *(other for other, worth in self.stand_ins.items() if worth == TYPO_WEIGHT)})


class Lexicon:
    """The words of an index. Read-only once built."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.count = len(passages)
        place = [terms(f"{p.title} {p.source.rpartition('.')[0]} {p.heading.rpartition(' > ')[0]}") for p in passages]
        heading = [terms(p.heading.rpartition(" > ")[2] or p.title) for p in passages]
        text = [terms(p.text) for p in passages]
        self.place = [frozenset(a + b) for a, b in zip(place, heading, strict=True)]  # what a passage stands under
        self._fields = (
            (_bm25([a + b for a, b in zip(text, place, strict=True)], 0.6), 1.0),
            (_bm25(heading, 0.3), HEADING_WEIGHT),
            (_bm25(place, 0.3), PLACE_WEIGHT),
        )
        self._passages_with = Counter(term for said, above in zip(text, self.place, strict=True) for term in above.union(said))
        self._prior = np.array([HISTORY_WEIGHT if _HISTORY.search(p.source) else 1.0 for p in passages], np.float32)
        self._sources = [p.source for p in passages]
        pages: dict[str, list[int]] = {}
        for position, source in enumerate(self._sources):
            pages.setdefault(source, []).append(position)
        self._pages = {source: np.array(positions) for source, positions in pages.items()}
        self.vocabulary = frozenset(term for field, _ in self._fields for term in field.vocab_dict if term)
        self.term = lru_cache(maxsize=4096)(self._term)

    def ask(self, question: str) -> list[Asked]:
        """The words of a question, each once, with their stand-ins."""
        question = _HYPHENED.sub(
            lambda word: word[0] if word[0].replace("-", "").lower() in self.vocabulary else word[0].replace("-", " "), question
        )
        phrases = " " + re.sub(r"[^\w]+", " ", question.lower()) + " "
        asked = [Asked(term, self._stand_ins(term, word)) for term, word in spelled(question).items() if not self._slip(term, word)]
        for phrase, meant in _thesaurus().phrases.items():
            if f" {phrase} " in phrases and meant.isdisjoint(one.term for one in asked):
                asked.append(Asked(phrase, dict.fromkeys(meant & self.vocabulary, SYNONYM_WEIGHT)))
        return asked

    def matrix(self, asked: Sequence[Asked]) -> Scores:
        """How well each passage meets each word: one row a word, one column a passage."""
        rows = [
            np.maximum.reduce([self.term(one.term), *(weight * self.term(other) for other, weight in one.stand_ins.items())])
            for one in asked
        ]
        return np.stack(rows) if rows else np.zeros((0, self.count), np.float32)

    def page_scores(self, scores: Scores, positions: Sequence[int]) -> Scores:
        """What the pages of some passages are worth: the mean of the best scores on each. A page about the matter has more than one."""
        pages = {
            source: float(np.sort(scores[self._pages[source]])[-PAGE_DEPTH:].sum()) for source in {self._sources[p] for p in positions}
        }
        return np.array([pages[self._sources[position]] / PAGE_DEPTH for position in positions], np.float32)

    def rarity(self, one: Asked) -> float:
        """How rare a word is, from about 0 (every passage has it) to 1 (none has). What a small corpus does not know says less."""
        commonest = max(self._passages_with[term] for term in one.spellings)
        return math.log((self.count + 1) / (commonest + 0.5)) / math.log((max(self.count, TELLING) + 1) / 0.5)

    def scores(self, question: str) -> Scores:
        return self.matrix(self.ask(question)).sum(axis=0)

    def _term(self, term: str) -> Scores:
        total = np.zeros(self.count, np.float32)
        for field, weight in self._fields:
            if term in field.vocab_dict:
                total += weight * field.get_scores([term])
        return total * self._prior

    def _stand_ins(self, term: str, word: str) -> dict[str, float]:
        meant = set[str]() if term in self.vocabulary else {stem(other) for other in _misspelled(word)} & self.vocabulary
        synonyms = frozenset[str]().union(*(_thesaurus().synonyms.get(other, ()) for other in (term, *meant)))
        return dict.fromkeys(synonyms & self.vocabulary, SYNONYM_WEIGHT) | dict.fromkeys(meant, TYPO_WEIGHT)

    def _slip(self, term: str, word: str) -> bool:
        """Whether a word that the documentation does not know is a stop word, mistyped."""
        return term not in self.vocabulary and any(other in STOP_WORDS for other in _misspelled(word))


def _bm25(documents: Sequence[Sequence[str]], b: float) -> bm25s.BM25:
    index = bm25s.BM25(k1=1.2, b=b)
    index.index(documents, show_progress=False, create_empty_token=True)
    return index


def _misspelled(word: str) -> Iterator[str]:
    """What a word may have been meant to be: one insertion away, if it is longer also one deletion, swap or replacement."""
    if len(word) < SHORTEST_TYPO or not word.isascii():
        return
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    for cut in range(len(word) + 1):
        left, right = word[:cut], word[cut:]
        yield from (left + letter + right for letter in letters)
        if right and len(word) > SHORTEST_TYPO:
            yield left + right[1:]
            yield from (left + letter + right[1:] for letter in letters)
            yield left + right[1:2] + right[0] + right[2:]


@dataclass(frozen=True, slots=True)
class _Thesaurus:
    synonyms: Mapping[str, frozenset[str]]  # term → terms
    phrases: Mapping[str, frozenset[str]]  # phrase of several words → terms


@cache
def _thesaurus() -> _Thesaurus:
    synonyms: dict[str, set[str]] = {}
    phrases: dict[str, set[str]] = {}
    for line in files("demo_rag_bot").joinpath("thesaurus.txt").read_text("utf-8").splitlines():
        group = [word.strip() for word in line.split(",") if word.strip() and not line.startswith("#")]
        single = {stem(word) for word in group if word.isalnum()}
        for word in single:
            synonyms.setdefault(word, set()).update(single - {word})
        for phrase in group:
            if not phrase.isalnum():
                phrases.setdefault(re.sub(r"[^\w]+", " ", phrase.lower()).strip(), set()).update(single)
    return _Thesaurus({k: frozenset(v) for k, v in synonyms.items()}, {k: frozenset(v) for k, v in phrases.items()})
