"""A searchable index: FAISS for vectors, BM25 for words, and a manifest that says what is in it.

It lives in memory and is read-only; `snapshots.py` builds it from passages, keeps it in a folder and opens it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import faiss
import numpy as np
from numpy.typing import NDArray

from demo_rag_bot.lexicon import Lexicon
from demo_rag_bot.local_model import EMBEDDING_MODEL
from demo_rag_bot.passages import Passage
from demo_rag_bot.terms import terms

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The fingerprint of a snapshot."""

    name: str
    version: str
    corpus_digest: str
    page_count: int
    passage_count: int
    cutting: str
    embedding_model: str
    dimension: int
    created: float
    skipped: Sequence[tuple[str, str]] = ()

    @property
    def lexical_embedder(self) -> bool:
        """Whether the vectors are the offline embedder's, which sees words and not their meaning."""
        return self.embedding_model == EMBEDDING_MODEL


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage on its way to the prompt, with its latest score."""

    passage: Passage
    position: int  # in the index
    score: float
    dropped: str | None = None
    recall: Mapping[str, float] = field(default_factory=dict)  # what each search gave it

    def as_document(self) -> Mapping[str, object]:
        passage = self.passage
        place = {"source": passage.source, "title": passage.title, "heading": passage.heading, "link": passage.link}
        return {"id": passage.id, "content": passage.text, "score": self.score, "metadata": place}


class Index:
    """One snapshot in memory, read-only and safe to share between threads."""

    def __init__(self, manifest: Manifest, passages: Sequence[Passage], vectors: Vectors) -> None:
        self.manifest, self.passages = manifest, passages
        self._faiss = faiss.IndexFlatIP(vectors.shape[1])
        self._faiss.add(vectors)
        self.lexicon = Lexicon(passages)
        self.terms = lru_cache(maxsize=4096)(self._terms)

    def _terms(self, position: int) -> list[str]:
        """The terms of one passage in reading order, its page and heading first."""
        passage = self.passages[position]
        return terms(f"{passage.title} {passage.heading} {passage.text}")

    def dense(self, vector: Vectors, n: int) -> list[Candidate]:
        """The `n` passages whose vectors are closest to `vector` by cosine."""
        scores, positions = self._faiss.search(vector[None, :], min(n, len(self.passages)))
        return self._candidates(positions[0][positions[0] >= 0], scores[0])

    def lexical(self, question: str, n: int) -> list[Candidate]:
        """The `n` passages with the highest BM25 score for the words of the question."""
        scores = self.lexicon.scores(question)
        order = np.argsort(-scores, kind="stable")[:n]
        return self._candidates(order[scores[order] > 0], scores[order])

    def _candidates(self, positions: NDArray[np.intp], scores: Vectors) -> list[Candidate]:
        return [Candidate(self.passages[place], int(place), float(score)) for place, score in zip(positions, scores, strict=False)]
