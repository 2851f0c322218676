from collections import Counter
from pathlib import Path

import pytest

from demo_rag_bot.bot import Bot
from demo_rag_bot.corpus import read_corpus
from demo_rag_bot.evaluate import Gold, Question, ask_all, by_tag, check, figures, load
from demo_rag_bot.passages import cut
from demo_rag_bot.settings import DECISIONS, default_docs

QUESTIONS = [
    Question("1", "How do I mount a volume?", "-v host:container", [Gold("volumes.md", "Mount a volume")], ["how-to"]),
    Question(
        "2", "And how do I remove it?", "volume rm", [Gold("volumes.md", "Remove a volume")], ["follow-up"], ["How do I mount a volume?"]
    ),
    Question("3", "How do I configure Kafka consumer groups with OAuth?", "", [], ["unanswerable"]),
    Question("4", "Which log level shows everything?", "debug", [Gold("logging.html", "*")], ["lookup"]),
]


def test_figures_of_a_small_set(bot: Bot) -> None:
    results = list(ask_all(bot, QUESTIONS))
    assert [result.rank for result in results] == [1, 1, 0, 1]
    table = by_tag(results)
    assert table["unanswerable"].abstention_recall == 1.0
    assert table["unanswerable"].mrr is None
    assert (table["all"].questions, table["all"].hit[1], table["all"].mrr, table["all"].ndcg) == (4, 1.0, 1.0, 1.0)
    assert table["all"].wrongly_declined == 0.0


def test_figures_of_nothing_are_unknown() -> None:
    assert figures([]).mrr is None
    assert figures([]).median_ms is None


def test_check_names_what_does_not_fit(bot: Bot) -> None:
    wrong = [
        Question("1", "a?", "", [Gold("volumes.md", "Nowhere")], ["how-to"]),
        Question("1", "b?", "", [], ["how-to"]),
        Question("2", "c?", "", [Gold("volumes.md", "*")], ["follow-up"]),
    ]
    assert len(check(wrong, bot.retriever.index.passages)) == 4
    assert check(QUESTIONS, bot.retriever.index.passages) == []


@pytest.mark.skipif(not (default_docs() / "index.md").is_file(), reason="the documentation is not beside this installation")
def test_the_set_about_this_project_fits_its_documentation() -> None:
    questions = load()
    assert check(questions, cut(read_corpus(Path(default_docs()), leave_out=[DECISIONS]).pages)) == []
    tags = Counter(tag for one in questions for tag in one.tags)
    assert sum(tags.values()) >= 120
    assert set(tags) == {
        "how-to",
        "concept",
        "error",
        "lookup",
        "paraphrase",
        "multi-part",
        "follow-up",
        "typo",
        "unanswerable",
        "japanese",
    }
    assert all(one.reference for one in questions)
