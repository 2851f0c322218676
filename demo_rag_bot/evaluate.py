"""How good is the bot? The questions of `questions.jsonl`, asked and measured without any model's opinion.

Each question has the sections that answer it (its gold), so retrieval is judged exactly: a passage is right if it comes from such a
section. Unanswerable questions have no gold, and the right answer to them is no answer. `check` proves that every gold section exists,
so that the set cannot rot while the documentation changes.
"""

from __future__ import annotations

import json
import math
import re
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from demo_rag_bot.answer import Answer
from demo_rag_bot.bot import Bot
from demo_rag_bot.passages import Passage

CUTS = (1, 3, 5)
WHOLE_PAGE = "*"


@dataclass(frozen=True, slots=True)
class Gold:
    """A section that answers: the heading of a page, or `*` for any part of the page."""

    source: str
    heading: str

    def holds(self, passage: Passage) -> bool:
        if passage.source != self.source:
            return False
        inside = [line.lstrip("#") for line in passage.text.splitlines() if line.startswith("#")]
        return self.heading == WHOLE_PAGE or _plain(self.heading) in map(
            _plain, (passage.heading.rpartition(" > ")[2] or passage.title, *inside)
        )


@dataclass(frozen=True, slots=True)
class Question:
    id: str
    question: str
    reference: str
    gold: Sequence[Gold]
    tags: Sequence[str]
    history: Sequence[str] = ()

    @property
    def answerable(self) -> bool:
        return bool(self.gold)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one question."""

    question: Question
    answer: Answer
    relevant: Sequence[bool]  # per returned passage
    seconds: float

    @property
    def rank(self) -> int:
        """The rank of the first right passage; 0: none came."""
        return next((rank for rank, right in enumerate(self.relevant, 1) if right), 0)

    @property
    def ndcg(self) -> float:
        """nDCG over the returned passages, each right one worth the same."""
        gain = sum(1 / math.log2(rank + 1) for rank, right in enumerate(self.relevant, 1) if right)
        ideal = sum(1 / math.log2(rank + 1) for rank in range(1, sum(self.relevant) + 1))
        return gain / ideal if ideal else 0.0

    @property
    def cites_gold(self) -> bool | None:
        """Whether a citation leads to a right passage and none leads nowhere; None where nothing was to be cited."""
        if not self.question.answerable or self.answer.abstained or self.answer.failed:
            return None
        cited = {citation.document_id for citation in self.answer.citations}
        right = {one.passage.id for one, relevant in zip(self.answer.documents, self.relevant, strict=True) if relevant}
        return bool(cited & right) and all(citation.valid for citation in self.answer.citations)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of some results; a share of nothing is None."""

    questions: int
    hit: Mapping[int, float | None] = field(default_factory=dict)
    mrr: float | None = None
    ndcg: float | None = None
    abstention_precision: float | None = None  # of those declined, how many deserved it
    abstention_recall: float | None = None  # of those that deserved it, how many were declined
    wrongly_declined: float | None = None  # of the answerable
    citations_right: float | None = None
    median_ms: float | None = None
    p95_ms: float | None = None


def load(path: Path | None = None) -> list[Question]:
    """The questions of a file; default: the set about this project."""
    text = path.read_text("utf-8") if path else files("demo_rag_bot").joinpath("questions.jsonl").read_text("utf-8")
    return [_question(json.loads(line)) for line in text.splitlines() if line.strip()]


def _question(row: dict[str, Any]) -> Question:
    return Question(
        id=row["id"],
        question=row["question"],
        reference=row["reference"],
        gold=[Gold(**gold) for gold in row["gold"]],
        tags=row["tags"],
        history=row.get("history", ()),
    )


def check(questions: Sequence[Question], passages: Sequence[Passage]) -> list[str]:
    """What is wrong with the set, one line each: gold that no passage holds, ids twice, follow-ups without history."""
    faults = [
        f"{one.id}: no passage under {gold.source}#{gold.heading}"
        for one in questions
        for gold in one.gold
        if not any(map(gold.holds, passages))
    ]
    ids = [one.id for one in questions]
    faults += [f"{name}: there is more than one" for name in sorted({name for name in ids if ids.count(name) > 1})]
    faults += [f"{one.id}: a follow-up needs a history" for one in questions if ("follow-up" in one.tags) != bool(one.history)]
    faults += [f"{one.id}: gold and the tag unanswerable disagree" for one in questions if ("unanswerable" in one.tags) == one.answerable]
    return faults


def ask_all(bot: Bot, questions: Sequence[Question]) -> Iterator[Result]:
    for one in questions:
        started = time.perf_counter()
        answer = bot.ask(one.question, one.history)
        relevant = [any(gold.holds(candidate.passage) for gold in one.gold) for candidate in answer.documents]
        yield Result(one, answer, relevant, time.perf_counter() - started)


def figures(results: Sequence[Result]) -> Figures:
    answerable = [one for one in results if one.question.answerable]
    declined = [one for one in results if one.answer.abstained]
    unanswerable = [one for one in results if not one.question.answerable]
    cited = [one.cites_gold for one in results if one.cites_gold is not None]
    times = sorted(one.seconds * 1000 for one in results)
    return Figures(
        questions=len(results),
        hit={cut: _share([0 < one.rank <= cut for one in answerable]) for cut in CUTS},
        mrr=_mean([1 / one.rank if one.rank else 0.0 for one in answerable]),
        ndcg=_mean([one.ndcg for one in answerable]),
        abstention_precision=_share([not one.question.answerable for one in declined]),
        abstention_recall=_share([one.answer.abstained for one in unanswerable]),
        wrongly_declined=_share([one.answer.abstained for one in answerable]),
        citations_right=_share(cited),
        median_ms=statistics.median(times) if times else None,
        p95_ms=times[max(0, math.ceil(0.95 * len(times)) - 1)] if times else None,
    )


def by_tag(results: Sequence[Result]) -> Mapping[str, Figures]:
    """The figures of each tag, and of all."""
    tags = dict.fromkeys(tag for one in results for tag in one.question.tags)
    return {**{tag: figures([one for one in results if tag in one.question.tags]) for tag in tags}, "all": figures(results)}


def _share(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.lower()).strip()
