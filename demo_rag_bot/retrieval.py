"""Question → candidates: two searches side by side, fused, then filtered; each step a span that says what it considered and dropped.

Dense search finds what is near in meaning (as far as the embedder sees meaning), lexical search what shares the question's words;
Reciprocal Rank Fusion needs only their ranks. The filter takes out the second copy of a text. Every step records five times as many
candidates as the answer will get, so that a passage which missed the cut is in the trace, with the place where it was lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import tracer
from demo_rag_bot.endpoint import BadReply, Endpoint
from demo_rag_bot.index import Candidate, Index

RRF_K = 60  # Cormack et al. 2009; 60 is the value everybody keeps
CANDIDATES_PER_RESULT = 5


@dataclass(frozen=True)
class Retriever:
    """Finds candidates in one index; `allow` may narrow the sources they come from."""

    index: Index
    endpoint: Endpoint
    allow: frozenset[str] | None = None

    @tracer.retriever("retrieve")
    def retrieve(self, query: str, k: int) -> list[Candidate]:
        """The `CANDIDATES_PER_RESULT * k` best candidates for a query, best first."""
        depth = CANDIDATES_PER_RESULT * k
        fused = self.fuse({"dense": self.dense(query, depth), "lexical": self.lexical(query, depth)})
        kept = self.filter(fused)[:depth]
        span = tracer.current_span()
        span.set(query=query, documents=[candidate.as_document() for candidate in kept[:k]])
        self._record_index(span)
        return kept

    @tracer.retriever("dense search", stage="recall", capture_output=False)
    def dense(self, query: str, depth: int) -> list[Candidate]:
        vector, expected = self.endpoint.embed_query(query), self.index.manifest.dimension
        if len(vector) != expected:
            raise BadReply(f"the index holds vectors of {expected} numbers, {self.endpoint.embedding_model} gave {len(vector)}")
        return self._recorded(query, self.index.dense(vector, depth), "cosine")

    @tracer.retriever("lexical search", stage="recall", capture_output=False)
    def lexical(self, query: str, depth: int) -> list[Candidate]:
        return self._recorded(query, self.index.lexical(query, depth), "bm25")

    @tracer.retriever("fuse", stage="fuse", ignore=["searches"], capture_output=False)
    def fuse(self, searches: Mapping[str, Sequence[Candidate]]) -> list[Candidate]:
        """Reciprocal Rank Fusion: each search adds 1 / (60 + rank)."""
        fused: dict[int, Candidate] = {}
        for name, found in searches.items():
            for rank, one in enumerate(found, 1):
                so_far = fused.get(one.position, replace(one, score=0.0))
                score = so_far.score + 1 / (RRF_K + rank)
                fused[one.position] = replace(so_far, score=score, recall={**so_far.recall, name: one.score})
        ranked = sorted(fused.values(), key=lambda candidate: -candidate.score)
        tracer.current_span().set_candidates(as_candidates(ranked), score_kind="rrf")
        return ranked

    @tracer.retriever("filter", stage="filter", ignore=["candidates"], capture_output=False)
    def filter(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Drops what the caller does not allow, and the second copy of a text."""
        seen: dict[str, str] = {}
        judged: list[Candidate] = []
        for candidate in candidates:
            text = " ".join(candidate.passage.text.lower().split())
            reason = f"duplicate of {seen[text]}" if text in seen else None
            if self.allow is not None and candidate.passage.source not in self.allow:
                reason = f"filter: {candidate.passage.source} is not allowed"
            seen.setdefault(text, candidate.passage.id)
            judged.append(replace(candidate, dropped=reason))
        tracer.current_span().set_candidates(as_candidates(judged), score_kind="rrf")
        return [candidate for candidate in judged if candidate.dropped is None]

    def _recorded(self, query: str, found: list[Candidate], score_kind: str) -> list[Candidate]:
        span = tracer.current_span().set_query(query).set_candidates(as_candidates(found), score_kind=score_kind)
        self._record_index(span)
        return found

    def _record_index(self, span: tracer.Span) -> None:
        manifest = self.index.manifest
        span.set_index(
            manifest.name,
            version=manifest.version,
            corpus_digest=manifest.corpus_digest,
            passage_count=manifest.passage_count,
            embedding_model=manifest.embedding_model,
            dimension=manifest.dimension,
            chunking=manifest.cutting,
        )


def as_candidates(candidates: Iterable[Candidate]) -> list[dict[str, object]]:
    """By id and score; the texts stand in the reranker's input, once."""
    return [
        {"id": one.passage.id, "rank": rank, "score": one.score, "dropped": one.dropped, "metadata": {"source": one.passage.source}}
        for rank, one in enumerate(candidates, 1)
    ]
