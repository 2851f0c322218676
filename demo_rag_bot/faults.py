"""Faults to practise on: one switch for each step at which an answer can go wrong.

A fault replaces one part of a healthy bot by a broken one; the rest, and the tracing, stay as they are, so that the trace shows what such a
fault looks like in a real application. `docs/debugging-exercises.md` has an exercise for each.

    python -m demo_rag_bot ask "…" --fault bad-reranker        RIGHTPASSAGE_FAULT=bad-reranker        /fault bad-reranker on
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

import tracer
from demo_rag_bot.bot import Bot
from demo_rag_bot.corpus import Corpus, Page
from demo_rag_bot.endpoint import Endpoint, Message
from demo_rag_bot.index import Candidate
from demo_rag_bot.local_model import NOT_FOUND
from demo_rag_bot.passages import Cutting
from demo_rag_bot.rerank import Reranker
from demo_rag_bot.retrieval import Retriever
from demo_rag_bot.settings import Library

TIMEOUT_S = 0.3
TINY_BUDGET = 60  # tokens for passages: not even the first fits whole
TINY_CUTTING = Cutting(target=12, limit=18, small=0)


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break a bot: `apply` gets the healthy bot, its library and the question."""

    name: str
    stage: str  # the verdict that a trace with this fault deserves
    description: str
    apply: Callable[[Bot, Library, str], Bot]


class UnknownFault(ValueError):
    """A fault that is not in the table."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown fault {name!r}; known are {', '.join(FAULTS)}")


def known(names: Iterable[str]) -> frozenset[str]:
    """The names, if each is a fault."""
    wanted = frozenset(name for name in names if name)
    for name in sorted(wanted - FAULTS.keys()):
        raise UnknownFault(name)
    return wanted


def broken(bot: Bot, library: Library, names: Iterable[str], question: str) -> Bot:
    """The bot with the named faults, for one question."""
    for name in FAULTS.keys() & known(names):
        bot = FAULTS[name].apply(bot, library, question)
    return bot


def labelled(names: Iterable[str]) -> AbstractContextManager[None]:
    """Traces that begin inside carry the tag `fault:NAME` of each."""
    return tracer.tags(*(f"fault:{name}" for name in sorted(known(names))))


# ---- Faults of the index ----


def _best_source(bot: Bot, question: str) -> str:
    """The page that a healthy bot would answer from."""
    hits = bot.retriever.index.lexical(question, 1)
    return bot.retriever.index.passages[hits[0].position if hits else 0].source


def _on_corpus(bot: Bot, library: Library, pages: Sequence[Page]) -> Bot:
    return Bot.on(library.index(Corpus(library.corpus.root, pages)), bot.endpoint, bot.options)


def _missing_page(bot: Bot, library: Library, question: str) -> Bot:
    source = _best_source(bot, question)
    return _on_corpus(bot, library, [page for page in library.corpus.pages if page.source != source])


def _stale_index(bot: Bot, library: Library, question: str) -> Bot:
    source = _best_source(bot, question)

    def as_it_was(page: Page) -> Page:
        return replace(page, markdown=page.markdown[: len(page.markdown) // 4]) if page.source == source else page

    return _on_corpus(bot, library, [as_it_was(page) for page in library.corpus.pages])


def _split_evidence(bot: Bot, library: Library, question: str) -> Bot:
    return Bot.on(library.index(cutting=TINY_CUTTING), bot.endpoint, bot.options)


# ---- Faults of retrieval ----


class _DriftingBot(Bot):
    """Its rewrite asks something else."""

    @tracer.chain("rewrite question", stage="rewrite")
    def rewrite(self, question: str, history: Sequence[str]) -> str:
        return "What is this project, who is it for and where do I begin?"


class _WrongEmbedder(Endpoint):
    """Embeds questions with another model than the passages: same dimension, other meaning."""

    def embed(self, texts: Sequence[str], progress: Callable[[int], None] = lambda done: None) -> NDArray[np.float32]:
        return np.ascontiguousarray(np.roll(super().embed(texts, progress), 7, axis=1)[:, ::-1])


class _DenseOnly(Retriever):
    """Lexical search is switched off, so that nothing makes up for the vectors."""

    @tracer.retriever("lexical search", stage="recall", capture_output=False)
    def lexical(self, query: str, depth: int) -> list[Candidate]:
        return []


def _wrong_embedder(bot: Bot, library: Library, question: str) -> Bot:
    endpoint = _WrongEmbedder(**vars(bot.endpoint))
    return replace(bot, retriever=_DenseOnly(bot.retriever.index, endpoint, bot.retriever.allow))


def _strict_filter(bot: Bot, library: Library, question: str) -> Bot:
    best = _best_source(bot, question)
    allowed = frozenset(page.source for page in library.corpus.pages if page.source != best)
    return replace(bot, retriever=replace(bot.retriever, allow=allowed))


class _BadReranker(Reranker):
    """Prefers what fits least."""

    def scores(self, query: str, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
        return -super().scores(query, candidates)


# ---- Faults of the model ----


@dataclass(frozen=True)
class _Altered(Endpoint):
    """An endpoint whose answers are not what the model said; rewrites pass as they are."""

    alter: Callable[[str], str] = str

    def complete(self, messages: Sequence[Message], stage: str) -> Iterator[str]:
        pieces = super().complete(messages, stage)
        if stage != "generate":
            yield from pieces
            return
        yield from re.findall(r"\S+\s*|\s+", self.alter("".join(pieces)))


def _answering(alter: Callable[[str], str]) -> Callable[[Bot, Library, str], Bot]:
    def apply(bot: Bot, library: Library, question: str) -> Bot:
        return replace(bot, endpoint=_Altered(**vars(bot.endpoint), alter=alter))

    return apply


def _ignore_evidence(text: str) -> str:
    return "That depends on your environment. In most projects the defaults are sensible, and your administrator can tell you what applies."


def _unfaithful(text: str) -> str:
    """Every number is another one, every first statement its opposite, and a sentence that stands nowhere."""
    changed = re.sub(r"(?<!\[)\b\d+\b(?!\])", lambda number: str(int(number[0]) * 3 + 1), text)
    changed = re.sub(r"\b(is|are|can|must|will|does)\b(?! not)", r"\1 not", changed, count=3)
    return f"{changed}\n\nThis needs a paid licence and a restart of the whole cluster [1]."


def _refuse(text: str) -> str:
    return NOT_FOUND


def _miscite(text: str) -> str:
    return re.sub(r"\[(\d+)\]", lambda mark: f"[{int(mark[1]) + 3}]", text)


class _Unreachable(Endpoint):
    """Answers are asked of a port where nobody listens."""

    def complete(self, messages: Sequence[Message], stage: str) -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port: int = listener.getsockname()[1]
        return self._elsewhere(port).complete(messages, stage)

    def _elsewhere(self, port: int) -> Endpoint:
        client = self.client.with_options(base_url=f"http://127.0.0.1:{port}/v1", timeout=TIMEOUT_S, max_retries=0)
        return Endpoint(client, self.chat_model, self.embedding_model)


class _Silent(_Unreachable):
    """Answers are asked of a server that takes the request and never says anything."""

    def complete(self, messages: Sequence[Message], stage: str) -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            yield from self._elsewhere(listener.getsockname()[1]).complete(messages, stage)


def _time_out(bot: Bot, library: Library, question: str) -> Bot:
    return replace(bot, endpoint=_Silent(**vars(bot.endpoint)))


def _fail(bot: Bot, library: Library, question: str) -> Bot:
    return replace(bot, endpoint=_Unreachable(**vars(bot.endpoint)))


# ---- The table ----


def _drift(bot: Bot, library: Library, question: str) -> Bot:
    return _DriftingBot(**vars(bot))


def _bad_reranker(bot: Bot, library: Library, question: str) -> Bot:
    return replace(bot, reranker=_BadReranker(bot.reranker.index))


def _one_passage(bot: Bot, library: Library, question: str) -> Bot:
    return replace(bot, options=replace(bot.options, k=1))


def _tiny_budget(bot: Bot, library: Library, question: str) -> Bot:
    return replace(bot, options=replace(bot.options, prompt_tokens=TINY_BUDGET))


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("missing-page", "corpus_gap", "the page that answers was never indexed", _missing_page),
        Fault("stale-index", "corpus_gap", "the index was built before the page got its current text", _stale_index),
        Fault("split-evidence", "chunk_split", "pages are cut into scraps of a dozen words", _split_evidence),
        Fault("drifted-rewrite", "rewrite_drift", "the rewrite asks something else", _drift),
        Fault("wrong-embedder", "recall_miss", "questions are embedded by another model than passages", _wrong_embedder),
        Fault("strict-filter", "filter_drop", "a filter takes out the page that answers", _strict_filter),
        Fault(
            "bad-reranker",
            "rerank_drop",
            "the reranker prefers what fits least",
            _bad_reranker,
        ),
        Fault(
            "k-1",
            "rerank_drop",
            "one passage only goes on to the prompt",
            _one_passage,
        ),
        Fault(
            "tiny-budget",
            "truncation",
            "the prompt has room for a few lines",
            _tiny_budget,
        ),
        Fault("ignored-evidence", "evidence_ignored", "the model answers without the passages", _answering(_ignore_evidence)),
        Fault("unfaithful", "unfaithful", "the model changes numbers, negates and invents", _answering(_unfaithful)),
        Fault("refusal", "wrong_refusal", "the model declines although the passages answer", _answering(_refuse)),
        Fault("wrong-citation", "mis_citation", "the marks point at other passages", _answering(_miscite)),
        Fault("timeout", "error", "the model does not answer in time", _time_out),
        Fault("error", "error", "nobody answers at the model endpoint", _fail),
    )
}
