"""Candidates → the passages of the answer: a second, closer look at each candidate.

Where a search counts words, the reranker reads: which of the question's words a passage covers, how close together they stand, whether the
heading names them. It needs no model. It also says how strong the evidence is, which is what the bot declines by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

import tracer
from demo_rag_bot.index import Index
from demo_rag_bot.retrieval import Candidate, as_candidates


@dataclass(frozen=True)
class Reranker:
    """Scores candidates of one index."""

    index: Index

    @tracer.reranker("rerank", stage="rerank", capture_input=False, capture_output=False)
    def rerank(self, query: str, candidates: Sequence[Candidate], k: int) -> list[Candidate]:
        """The `k` best candidates, best first."""
        scores = self.scores(query, candidates)
        order = sorted(range(len(candidates)), key=lambda place: -scores[place])
        ranked = [
            replace(candidates[place], score=float(scores[place]), dropped=None if rank < k else f"below cut: rank {rank + 1} of {k}")
            for rank, place in enumerate(order)
        ]
        span = tracer.current_span()
        span.set(query=query, candidates=as_candidates(ranked))
        span.set_input_documents([candidate.as_document() for candidate in candidates], score_kind="rrf")
        span.set_documents([candidate.as_document() for candidate in ranked[:k]], score_kind="rerank")
        return ranked[:k]

    def scores(self, query: str, candidates: Sequence[Candidate]) -> np.ndarray:
        if not candidates:
            return np.zeros(0)
        positions = [candidate.position for candidate in candidates]
        bm25 = self.index.lexicon.matrix(self.index.lexicon.ask(query))
        best = bm25.max(axis=1, keepdims=True)
        idf = best[:, 0]
        covered = (bm25[:, positions] > 0) * idf[:, None]
        coverage = covered.sum(axis=0) / max(idf.sum(), 1e-9)
        strength = bm25[:, positions].sum(axis=0) / max(idf.sum(), 1e-9)
        fused = np.array([candidate.score for candidate in candidates])
        return 0.5 * fused / fused.max() + 0.7 * strength + 0.3 * coverage
