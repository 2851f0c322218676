"""A searchable index: FAISS for vectors, BM25 for words, and a manifest that says what is in it.

It lives in memory and is read-only; `snapshots.py` builds it from passages, keeps it in a folder and opens it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
class Hit:
    """A passage by its position in the index, with the score of the search that found it."""

    position: int
    score: float


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

    def dense(self, vector: Vectors, n: int) -> list[Hit]:
        """The `n` passages whose vectors are closest to `vector` by cosine."""
        scores, positions = self._faiss.search(vector[None, :], min(n, len(self.passages)))
        return [Hit(int(position), float(score)) for position, score in zip(positions[0], scores[0], strict=True) if position >= 0]

    def lexical(self, question: str, n: int) -> list[Hit]:
        """The `n` passages with the highest BM25 score for the words of the question."""
        return best(self.lexicon.scores(question), n)


def best(scores: Vectors, n: int) -> list[Hit]:
    """The `n` highest positive scores, best first."""
    n = min(n, len(scores))
    top = np.argpartition(-scores, n - 1)[:n] if n else np.zeros(0, int)
    return [
        Hit(int(position), float(scores[position])) for position in top[np.argsort(-scores[top], kind="stable")] if scores[position] > 0
    ]
