"""Candidates → the passages of the answer: a second, closer look at each candidate.

Where a search counts words, the reranker reads: how much of the question stands together in one place of a passage, how much in its title
and headings, whether the rest of its page speaks of it too. It needs no model. A section that is in already makes its other parts less
welcome, so that one long section does not fill the prompt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

import tracer
from demo_rag_bot.index import Candidate, Index
from demo_rag_bot.lexicon import Asked, Lexicon
from demo_rag_bot.retrieval import as_candidates

# Weights beside 1 for BM25, each feature at most 1 within the candidates. Fitted and rounded on the projects of benchmarks/bot_retrieval.py
# (docs/decisions/0063, 0065).
WINDOW, PLACE, PAGE = 1.1, 0.7, 0.35
DENSE, DENSE_LEXICAL = 1.2, 0.3  # an embedder that knows meaning; the offline one, which only sees words again
SAME_SECTION = 0.75  # what a passage is worth after another of its section
WINDOW_TERMS = 25


@dataclass(frozen=True)
class Reranker:
    """Scores candidates of one index."""

    index: Index

    @tracer.reranker("rerank", stage="rerank", ignore=["candidates"])
    def rerank(self, query: str, candidates: Sequence[Candidate], k: int) -> list[Candidate]:
        """The `k` best candidates, best first."""
        scored = [
            replace(candidate, score=float(score)) for candidate, score in zip(candidates, self.scores(query, candidates), strict=True)
        ]
        ordered = _spread(scored)
        ranked = [replace(one, dropped=None if rank <= k else f"below cut: rank {rank} of {k}") for rank, one in enumerate(ordered, 1)]
        span = tracer.current_span().set_query(query).set_candidates(as_candidates(ranked), score_kind="rerank")
        span.set_input_documents([candidate.as_document() for candidate in candidates], score_kind="rrf")
        span.set_documents([candidate.as_document() for candidate in ranked[:k]], score_kind="rerank")
        return ranked[:k]

    def scores(self, query: str, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
        """One score per candidate, from 0 up; 1 is about what a passage gets that is best in everything."""
        asked = self.index.lexicon.ask(query)
        positions = [candidate.position for candidate in candidates]
        everywhere = self.index.lexicon.matrix(asked)
        worth: list[float] = everywhere.max(axis=1, initial=0.0).tolist()  # of a word: the best score any passage gets for it
        total = everywhere.sum(axis=0)
        dense = DENSE_LEXICAL if self.index.manifest.lexical_embedder else DENSE
        found = [candidate.recall["dense"] for candidate in candidates if "dense" in candidate.recall]
        near = np.array([candidate.recall.get("dense", min(found, default=0.0)) for candidate in candidates])  # the rest is no nearer
        features = (
            (1.0, _scaled(total[positions])),
            (WINDOW, np.array([in_one_place(self.index.terms(position), asked, worth) for position in positions])),
            (PLACE, np.array([above(self.index.lexicon, position, asked) for position in positions])),
            (PAGE, _scaled(self.index.lexicon.page_scores(total, positions))),
            (dense, _scaled(near - near.min(initial=1.0))),
        )
        return np.sum([weight * values for weight, values in features], axis=0) / sum(weight for weight, _ in features)


def _scaled(values: NDArray[np.floating]) -> NDArray[np.float64]:
    highest = values.max(initial=0.0)
    return np.asarray(values / highest if highest > 0 else values * 0.0, np.float64)


def above(lexicon: Lexicon, position: int, asked: Sequence[Asked]) -> float:
    """The share of a question, rare words counting more, that the title and headings of a passage speak of in any words."""
    rarity = [lexicon.rarity(one) for one in asked]
    met = sum(
        weight for one, weight in zip(asked, rarity, strict=True) if not lexicon.place[position].isdisjoint({one.term, *one.stand_ins})
    )
    return met / (sum(rarity) or 1.0)


def in_one_place(sequence: Sequence[str], asked: Sequence[Asked], worth: Sequence[float]) -> float:
    """The share of a question's worth that stands within `WINDOW_TERMS` terms of a passage, where most of it does."""
    meets: dict[str, tuple[int, float]] = {}  # term → (which word of the question it meets, how much of its worth)
    for number, one in enumerate(asked):
        for term, how_well in ((one.term, 1.0), *one.stand_ins.items()):
            meets[term] = max(meets.get(term, (number, 0.0)), (number, how_well * worth[number]), key=itemgetter(1))
    places = [(place, *meets[term]) for place, term in enumerate(sequence) if term in meets]
    best = 0.0
    for first, (start, _, _) in enumerate(places):
        inside: dict[int, float] = {}
        for place, number, met in places[first:]:
            if place > start + WINDOW_TERMS:
                break
            inside[number] = max(met, inside.get(number, 0.0))
        best = max(best, sum(inside.values()))
    return best / (sum(worth) or 1.0)


def _spread(scored: Sequence[Candidate]) -> list[Candidate]:
    """Best first, where each passage of a section lowers those after it."""
    before = Counter[tuple[str, str]]()
    spread: list[Candidate] = []
    for one in sorted(scored, key=lambda candidate: -candidate.score):
        section = one.passage.source, one.passage.anchor
        spread.append(replace(one, score=one.score * SAME_SECTION ** before[section]) if one.score > 0 else one)
        before[section] += 1
    return sorted(spread, key=lambda candidate: -candidate.score)
