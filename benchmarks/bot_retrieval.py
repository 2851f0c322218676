"""The bot's retrieval on documentation of other projects: hit@5, MRR, abstention, time

The docs of eight open-source projects come out of their source distributions (`pip download --no-binary`); the questions in
`benchmarks/bot_questions` were written from the pages as a user would ask, with the sections that answer, and some that nothing answers. A
passage counts only if it comes from such a section, not from the same page. Weights and threshold were fitted on all eight together, so
every figure here is in-sample; what is left with one project out of each fit stands in docs/decisions/0065 and 0066. The questions about
hatch and trio are the hardest: written last, before anything was measured on them, and never changed. "bm25" is plain BM25 over sections
cut at 200 words.

    python -m benchmarks.bot_retrieval [--docs DIR] [--url http://…/v1 --model NAME] [--misses] [PROJECT…]

With --url the embeddings come from that endpoint. --docs holds one folder per project, else they are downloaded into a temporary one.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bm25s
import numpy as np

import tracer
from demo_rag_bot.bot import Bot
from demo_rag_bot.corpus import Corpus, read_corpus
from demo_rag_bot.endpoint import Endpoint, EndpointSettings
from demo_rag_bot.evidence import ENOUGH, weigh
from demo_rag_bot.passages import Cutting, Passage, cut
from demo_rag_bot.snapshots import open_or_build

QUESTIONS = Path(__file__).parent / "bot_questions"
SIX, HARDEST = ("sqlite_utils", "flask", "click", "starlette", "scrapy", "celery"), ("hatch", "trio")
DISTRIBUTIONS = {"sqlite_utils": "sqlite-utils"}
K = 8

Find = Callable[[str], Sequence[Passage]]


@dataclass(frozen=True)
class Ranks:
    """Rank of the first right passage per question, 0 where none came."""

    ranks: Sequence[int]

    def __str__(self) -> str:
        ranks = np.array(self.ranks)
        hit = np.mean((ranks > 0) & (ranks <= 5))
        return f"hit@1 {np.mean(ranks == 1):.3f}  hit@5 {hit:.3f}  MRR {np.mean([1 / rank if rank else 0 for rank in ranks]):.3f}"


def main(argv: Sequence[str]) -> int:
    """Print one row per project, and the pooled ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="*", default=[*SIX, *HARDEST])
    parser.add_argument("--docs", type=Path, help="folder with one folder of docs per project")
    parser.add_argument("--index", type=Path, help="keep the indexes here")
    parser.add_argument("--url", help="an OpenAI-compatible endpoint for embeddings")
    parser.add_argument("--model", default="text-embedding-3-small")
    parser.add_argument("--misses", action="store_true", help="list what was not found first")
    options = parser.parse_args(argv)
    tracer.disable()
    settings = EndpointSettings(base_url=options.url, api_key="none", embedding_model=options.model) if options.url else EndpointSettings()
    endpoint = Endpoint.open(settings)
    with tempfile.TemporaryDirectory() as scratch:
        rows = [
            measure(name, _docs(name, options.docs, Path(scratch)), endpoint, options.index or Path(scratch), options.misses)
            for name in options.projects
        ]
    for title, names in (("the six", SIX), ("the hardest two", HARDEST)):
        chosen = [row for row in rows if row["name"] in names]
        if chosen:
            _print_pooled(title, chosen)
    endpoint.close()
    return 0


def measure(name: str, docs: Path, endpoint: Endpoint, indexes: Path, show_misses: bool) -> dict[str, Any]:
    """All figures of one project."""
    corpus = read_corpus(docs)
    started = time.perf_counter()
    bot = Bot.on(open_or_build(corpus, endpoint, indexes / name), endpoint)
    indexed = time.perf_counter() - started
    questions = [json.loads(line) for line in (QUESTIONS / f"{name}.jsonl").read_text("utf-8").splitlines()]
    plain = plain_bm25(corpus)
    ranks, plain_ranks, declined, times = [], [], [], []
    for one in questions:
        started = time.perf_counter()
        found = bot.reranker.rerank(one["question"], bot.retriever.retrieve(one["question"], K), K)
        evidence = weigh(bot.retriever.index, one["question"], found)
        times.append(time.perf_counter() - started)
        declined.append((bool(one["gold"]), evidence < ENOUGH))
        if one["gold"]:
            ranks.append(rank([candidate.passage for candidate in found], one["gold"]))
            plain_ranks.append(rank(plain(one["question"]), one["gold"]))
            if show_misses and ranks[-1] != 1:
                print(f"  {ranks[-1]} {one['question']} → {[candidate.passage.id for candidate in found[:3]]}")
    passages = bot.retriever.index.passages
    size = f"{name:13} {len(corpus.pages):4} pages {len(passages):5} passages, {indexed:5.1f} s to index"
    print(f"{size}, {1000 * float(np.median(times)):4.0f} ms a question   bm25 {Ranks(plain_ranks)}   bot {Ranks(ranks)}", flush=True)
    return {"name": name, "ranks": ranks, "plain": plain_ranks, "declined": declined, "longest": max(len(p.text.split()) for p in passages)}


def _print_pooled(title: str, rows: Sequence[dict[str, Any]]) -> None:
    pooled = {key: [one for row in rows for one in row[key]] for key in ("ranks", "plain", "declined")}
    wrong = [declined for answerable, declined in pooled["declined"] if answerable]
    right = [declined for answerable, declined in pooled["declined"] if not answerable]
    print(f"{title} ({len(pooled['ranks'])} questions): bm25 {Ranks(pooled['plain'])}")
    print(f"{'':{len(title)}}  bot  {Ranks(pooled['ranks'])}")
    print(
        f"{'':{len(title)}}  declined: {np.mean(right):.0%} of {len(right)} unanswerable, {np.mean(wrong):.1%} of {len(wrong)} answerable;"
        f" longest passage {max(row['longest'] for row in rows)} words"
    )


def rank(passages: Sequence[Passage], gold: Sequence[dict[str, str]]) -> int:
    """The rank of the first passage out of a gold section (heading `*`: anywhere on the page)."""
    return next((place for place, passage in enumerate(passages, 1) if any(_answers(passage, one) for one in gold)), 0)


def _answers(passage: Passage, gold: dict[str, str]) -> bool:
    if passage.source != gold["source"]:
        return False
    wanted = _plain(gold["heading"])
    headings = [
        passage.heading.rpartition(" > ")[2] or passage.title,
        *(line.lstrip("#") for line in passage.text.splitlines() if line.startswith("#")),
    ]
    return gold["heading"] == "*" or wanted in map(_plain, headings)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.lower()).strip()


def plain_bm25(corpus: Corpus) -> Find:
    """What one gets without thinking: BM25 with a library's defaults over sections of at most 200 words."""
    passages = cut(corpus.pages, Cutting(target=200, limit=200, small=0))
    index = bm25s.BM25()
    index.index([re.findall(r"\w+", passage.embedded_text.lower()) for passage in passages], show_progress=False)

    def find(question: str) -> Sequence[Passage]:
        known = [word for word in re.findall(r"\w+", question.lower()) if word in index.vocab_dict]
        scores = index.get_scores(known) if known else np.zeros(len(passages))
        return [passages[place] for place in np.argsort(-scores, kind="stable")[:K]]

    return find


def _docs(name: str, given: Path | None, scratch: Path) -> Path:
    """The docs folder of a project, out of its source distribution where it is not given."""
    if given is not None:
        return given / name
    distribution = DISTRIBUTIONS.get(name, name)
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", distribution, "-d", str(scratch), distribution]
    subprocess.run(command, check=True)
    archive = next(_archives(scratch, distribution))
    with tarfile.open(archive) as packed:
        packed.extractall(scratch / "sources", filter="data")
    root = scratch / "sources" / archive.name.removesuffix(".tar.gz")
    return next(folder for folder in (root / "docs" / "source", root / "docs") if folder.is_dir())


def _archives(folder: Path, distribution: str) -> Iterator[Path]:
    wanted = distribution.replace("-", "_").lower()
    yield from (path for path in folder.glob("*.tar.gz") if path.name.replace("-", "_").lower().startswith(wanted))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
