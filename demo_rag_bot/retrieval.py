"""Question → candidates: two searches side by side, fused, then filtered; each step a span that says what it considered and dropped.

Dense search finds what is near in meaning (as far as the embedder sees meaning), lexical search what shares the question's words;
Reciprocal Rank Fusion needs only their ranks. The filter takes out the second copy of a text. Every step records five times as many
candidates as the answer will get, so that a passage which missed the cut is in the trace, with the place where it was lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import tracer
from demo_rag_bot.endpoint import BadReply, Endpoint
from demo_rag_bot.index import Hit, Index
from demo_rag_bot.passages import Passage

RRF_K = 60  # Cormack et al. 2009; 60 is the value everybody keeps
CANDIDATES_PER_RESULT = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage on its way to the prompt, with its latest score."""

    passage: Passage
    position: int  # in the index
    score: float
    dropped: str | None = None
    recall: Mapping[str, float] = field(default_factory=dict)  # what each search gave it

    def as_document(self) -> Mapping[str, object]:
        return {"id": self.passage.id, "content": self.passage.text, "score": self.score, "metadata": describe(self.passage)}


def describe(passage: Passage) -> dict[str, str]:
    return {"source": passage.source, "title": passage.title, "heading": passage.heading, "link": passage.link}


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
    def dense(self, query: str, depth: int) -> list[Hit]:
        vector, manifest = self.endpoint.embed_query(query), self.index.manifest
        if len(vector) != manifest.dimension:
            raise BadReply(f"the index holds vectors of {manifest.dimension} numbers, {self.endpoint.embedding_model} gave {len(vector)}")
        hits = self.index.dense(vector, depth)
        self._record(query, hits, "cosine")
        return hits

    @tracer.retriever("lexical search", stage="recall", capture_output=False)
    def lexical(self, query: str, depth: int) -> list[Hit]:
        hits = self.index.lexical(query, depth)
        self._record(query, hits, "bm25")
        return hits

    @tracer.retriever("fuse", stage="fuse", ignore=["searches"], capture_output=False)
    def fuse(self, searches: Mapping[str, Sequence[Hit]]) -> list[Candidate]:
        """Reciprocal Rank Fusion: each search adds 1 / (60 + rank)."""
        scores: dict[int, float] = {}
        recall: dict[int, dict[str, float]] = {}
        for name, hits in searches.items():
            for rank, hit in enumerate(hits, 1):
                scores[hit.position] = scores.get(hit.position, 0.0) + 1 / (RRF_K + rank)
                recall.setdefault(hit.position, {})[name] = hit.score
        order = sorted(scores, key=lambda position: -scores[position])
        fused = [Candidate(self.index.passages[position], position, scores[position], recall=recall[position]) for position in order]
        tracer.current_span().set_candidates(as_candidates(fused), score_kind="rrf")
        return fused

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

    def _record(self, query: str, hits: Sequence[Hit], score_kind: str) -> None:
        found = [Candidate(self.index.passages[hit.position], hit.position, hit.score) for hit in hits]
        span = tracer.current_span()
        span.set_query(query).set_candidates(as_candidates(found), score_kind=score_kind)
        self._record_index(span)

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
        {
            "id": candidate.passage.id,
            "rank": rank,
            "score": candidate.score,
            "dropped": candidate.dropped,
            "metadata": {"source": candidate.passage.source},
        }
        for rank, candidate in enumerate(candidates, 1)
    ]
