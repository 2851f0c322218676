"""Every fault visibly changes its trace, at the stage it is about."""

from collections.abc import Callable

import pytest

from demo_rag_bot.answer import Answer
from demo_rag_bot.bot import Bot
from demo_rag_bot.faults import FAULTS, UnknownFault, broken
from demo_rag_bot.settings import Library
from tracer.testing import CapturedSpans, capture_spans

QUESTION = "How do I mount a volume?"
GOLD = "volumes.md#mount-a-volume"


def ids(spans: CapturedSpans, name: str) -> list[str]:
    return [candidate["id"] for candidate in spans.named(name).candidates if not candidate.get("dropped")]


SIGNS: dict[str, Callable[[CapturedSpans, Answer], bool]] = {
    "missing-page": lambda spans, answer: not any("volumes.md" in one for one in ids(spans, "fuse")),
    "stale-index": lambda spans, answer: not any("-v host:container" in one.passage.text for one in answer.documents),
    "split-evidence": lambda spans, answer: "12-18 words" in str(spans.named("lexical search").attributes["rightpassage.index.chunking"]),
    "drifted-rewrite": lambda spans, answer: "volume" not in answer.query,
    "wrong-embedder": lambda spans, answer: (
        not spans.named("lexical search").candidates and spans.named("dense search").candidates[0]["score"] < 0.3
    ),
    "strict-filter": lambda spans, answer: any(
        one["id"] == GOLD and one["dropped"].startswith("filter:") for one in spans.named("filter").candidates if one.get("dropped")
    ),
    "bad-reranker": lambda spans, answer: ids(spans, "fuse").index(GOLD) < 2 and GOLD not in ids(spans, "rerank"),
    "k-1": lambda spans, answer: len(answer.documents) == 1 and spans.named("rerank").candidates[1]["dropped"] == "below cut: rank 2 of 1",
    "tiny-budget": lambda spans, answer: len(answer.placed) < len(answer.documents),
    "ignored-evidence": lambda spans, answer: not answer.citations and not answer.abstained,
    "unfaithful": lambda spans, answer: "paid licence" in answer.text,
    "refusal": lambda spans, answer: answer.abstained and spans.named("chat completion").output == "NOT_FOUND",
    "wrong-citation": lambda spans, answer: bool(answer.citations) and all(one.document_id != GOLD for one in answer.citations),
    "timeout": lambda spans, answer: (
        answer.failed and "Timeout" in str(spans.named("chat completion").error) + str(spans.named("chat completion").attributes)
    ),
    "error": lambda spans, answer: answer.failed and bool(spans.named("answer question").error),
}


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_shows_in_its_trace_and_not_in_a_healthy_one(bot: Bot, library: Library, name: str) -> None:
    with capture_spans() as spans:
        answer = broken(bot, library, [name], QUESTION).ask(QUESTION)
    assert SIGNS[name](spans, answer), spans.tree()
    with capture_spans() as healthy:
        answer = bot.ask(QUESTION)
    assert not SIGNS[name](healthy, answer)


def test_an_unknown_fault_names_those_there_are(bot: Bot, library: Library) -> None:
    with pytest.raises(UnknownFault, match="bad-reranker"):
        broken(bot, library, ["bad-rerankr"], QUESTION)


def test_faults_combine(bot: Bot, library: Library) -> None:
    answer = broken(bot, library, ["k-1", "refusal"], QUESTION).ask(QUESTION)
    assert len(answer.documents) == 1
    assert answer.abstained
