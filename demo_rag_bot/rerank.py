"""Candidates → the passages of the answer: a second, closer look at each candidate.

Where a search counts words, the reranker reads: which of the question's words a passage meets and how close together they stand. It needs
no model. A section that is in already makes its other parts less welcome, so that one long section does not fill the prompt.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

import tracer
from demo_rag_bot.index import Index
from demo_rag_bot.lexicon import Asked
from demo_rag_bot.local_model import EMBEDDING_MODEL
from demo_rag_bot.retrieval import Candidate, as_candidates

# Weights beside 1 for BM25, each feature scaled to at most 1 within the candidates; chosen by a sweep (benchmarks/bot_retrieval.py)
EVENNESS, WINDOW, CLOSENESS = 0.5, 0.4, 0.3
PAGE = 0.35  # how much the rest of the page speaks of the question: MRR 0.76 → 0.77 on four projects, 0.65 → 0.68 on two others
DENSE = 1.0  # an embedder that knows meaning
DENSE_LEXICAL = 0.2  # the offline one, which only sees words again
SAME_SECTION, SAME_PAGE = 0.75, 0.95  # what a passage is worth after another of its section, of its page
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
        met = everywhere[:, positions]
        worth = np.maximum(everywhere.max(axis=1, initial=0.0), 1e-6)  # of a word: the best score any passage gets for it
        page = self.index.lexicon.page_scores(everywhere.sum(axis=0), positions)
        dense = np.array([candidate.recall.get("dense", 0.0) for candidate in candidates])
        near = np.array([_nearness(self.index.terms(candidate.position), asked, worth) for candidate in candidates]).reshape(-1, 2)
        weight = DENSE_LEXICAL if self.index.manifest.embedding_model == EMBEDDING_MODEL else DENSE
        total = (
            _scaled(met.sum(axis=0))
            + EVENNESS * (met / worth[:, None]).mean(axis=0)
            + WINDOW * near[:, 0]
            + CLOSENESS * _scaled(near[:, 1])
            + PAGE * _scaled(page)
            + weight * _scaled(dense)
        )
        return total / (1 + EVENNESS + WINDOW + CLOSENESS + PAGE + weight)


def _scaled(values: NDArray[np.floating]) -> NDArray[np.float64]:
    highest = values.max(initial=0.0)
    return np.asarray(values / highest if highest > 0 else values * 0.0, np.float64)


def _nearness(sequence: Sequence[str], asked: Sequence[Asked], worth: NDArray[np.floating]) -> tuple[float, float]:
    """(share of the question's weight inside the best window of the passage, how closely its words follow each other)."""
    meets: dict[str, tuple[int, float]] = {}  # term → (which word of the question it meets, how well)
    for number, one in enumerate(asked):
        for term, how_well in ((one.term, 1.0), *one.stand_ins.items()):
            if how_well > meets.get(term, (0, 0.0))[1]:
                meets[term] = number, how_well
    places = [(place, *meets[term]) for place, term in enumerate(sequence) if term in meets]
    total = float(worth.sum()) or 1.0
    close = sum((worth[a] * x + worth[b] * y) / total / (q - p + 1) for (p, a, x), (q, b, y) in pairwise(places) if a != b)
    best = 0.0
    for first, (start, _, _) in enumerate(places):
        inside: dict[int, float] = {}
        for place, number, how_well in places[first:]:
            if place > start + WINDOW_TERMS:
                break
            inside[number] = max(how_well, inside.get(number, 0.0))
        best = max(best, float(sum(worth[number] * how_well for number, how_well in inside.items())))
    return best / total, math.log1p(float(close))


def _spread(scored: Sequence[Candidate]) -> list[Candidate]:
    """Best first, where each passage taken lowers the others of its section and page."""
    left, taken = list(scored), list[Candidate]()
    sections, pages = Counter[tuple[str, str]](), Counter[str]()

    def now(candidate: Candidate) -> float:
        passage = candidate.passage
        repeats = SAME_SECTION ** sections[passage.source, passage.anchor] * SAME_PAGE ** pages[passage.source]
        return candidate.score * repeats if candidate.score > 0 else candidate.score

    while left:
        best = max(left, key=now)
        left.remove(best)
        taken.append(replace(best, score=now(best)))
        sections[best.passage.source, best.passage.anchor] += 1
        pages[best.passage.source] += 1
    return taken
