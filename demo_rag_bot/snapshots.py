"""Pages → an index on disk: built, kept, opened again.

A snapshot is a folder named by the digest of all that made it (corpus, cutting, embedder); snapshots lie side by side and any of them can
be opened. Building one embeds only the passages whose text no earlier snapshot of the same embedder holds.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import faiss
import numpy as np

from demo_rag_bot.corpus import Corpus
from demo_rag_bot.endpoint import Endpoint
from demo_rag_bot.index import Index, Manifest, Vectors
from demo_rag_bot.passages import STANDARD, Cutting, Passage, cut

FORMAT = 5  # counts up when pages are read or cut in another way

Progress = Callable[[str, int, int], None]
"""Told (what is done, how much of it, out of how much)."""


def open_or_build(
    corpus: Corpus, endpoint: Endpoint, folder: Path, *, cutting: Cutting = STANDARD, progress: Progress = lambda what, done, total: None
) -> Index:
    """The snapshot of exactly this corpus, cutting and embedder: opened where it exists, else built and kept in `folder`."""
    made_of = f"{FORMAT}\0{corpus.digest}\0{cutting}\0{endpoint.embedding_model}"
    version = hashlib.sha256(made_of.encode()).hexdigest()[:12]
    if (folder / version / "manifest.json").is_file():
        return open_snapshot(folder / version)
    passages = cut(corpus.pages, cutting)
    if not passages:
        raise ValueError(f"nothing to index in {corpus.root}: no page with text")
    known = _known_vectors(folder, endpoint.embedding_model)
    new = {passage.digest: passage.embedded_text for passage in passages if passage.digest not in known}
    progress("embedding", 0, len(new))
    if new:
        done = 0

        def count(added: int) -> None:
            nonlocal done
            progress("embedding", done := done + added, len(new))

        known.update(zip(new, endpoint.embed(list(new.values()), count), strict=True))
    vectors = np.stack([known[passage.digest] for passage in passages])
    manifest = Manifest(
        name=corpus.root.resolve().name,
        version=version,
        corpus_digest=corpus.digest,
        page_count=len(corpus.pages),
        passage_count=len(passages),
        cutting=str(cutting),
        embedding_model=endpoint.embedding_model,
        dimension=vectors.shape[1],
        created=time.time(),
        skipped=corpus.skipped,
    )
    _save(folder / version, manifest, passages, vectors)
    return Index(manifest, passages, vectors)


def open_snapshot(folder: Path) -> Index:
    manifest = Manifest(**json.loads((folder / "manifest.json").read_text("utf-8")))
    passages = [Passage(**json.loads(line)) for line in (folder / "passages.jsonl").read_text("utf-8").splitlines()]
    stored = faiss.read_index(str(folder / "vectors.faiss"))
    return Index(manifest, passages, stored.reconstruct_n(0, stored.ntotal))


def snapshots(folder: Path) -> list[Manifest]:
    """Every snapshot in a folder, the newest first."""
    found = [Manifest(**json.loads(path.read_text("utf-8"))) for path in folder.glob("*/manifest.json")]
    return sorted(found, key=lambda manifest: -manifest.created)


def _save(folder: Path, manifest: Manifest, passages: Sequence[Passage], vectors: Vectors) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stored = faiss.IndexFlatIP(vectors.shape[1])
    stored.add(vectors)
    faiss.write_index(stored, str(folder / "vectors.faiss"))
    (folder / "passages.jsonl").write_text("".join(json.dumps(asdict(passage), ensure_ascii=False) + "\n" for passage in passages), "utf-8")
    (folder / "manifest.json").write_text(
        json.dumps(asdict(manifest), ensure_ascii=False, indent=2), "utf-8"
    )  # last: it marks a whole snapshot


def _known_vectors(folder: Path, embedding_model: str) -> dict[str, Vectors]:
    """digest → vector, from the newest snapshot of the same embedder."""
    for manifest in snapshots(folder):
        if manifest.embedding_model == embedding_model:
            earlier = folder / manifest.version
            stored = faiss.read_index(str(earlier / "vectors.faiss"))
            digests = [Passage(**json.loads(line)).digest for line in (earlier / "passages.jsonl").read_text("utf-8").splitlines()]
            return dict(zip(digests, stored.reconstruct_n(0, stored.ntotal), strict=True))
    return {}
