"""Do these passages answer the question at all? A probability, weighed before a model is asked.

What counts is how well the best passage fits beside the others, how much of the question stands together in one place, how rare its words
are (one that the documentation does not know at all is as rare as can be), and over how many pages the first passages are scattered: what
is documented stands together. It needs no model, and it is the reason the bot says "I could not find this" instead of quoting whatever came
out first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import tracer
from demo_rag_bot.index import Candidate, Index
from demo_rag_bot.rerank import in_one_place

BEST, FIRST = 3, 5  # passages: those of which one may hold the answer, those that show whether a page is about it
POWER = 4  # of the mean of the words' rarity: 1 would be the average, a large one the rarest alone

# Logistic regression on 497 answerable and 124 unanswerable questions about eight projects, each asked with the offline embedder and with
# all-MiniLM-L6-v2, classes balanced (docs/decisions/0066). The bot declines below ENOUGH.
FIT, TOGETHER, RARITY, SCATTER, BIAS = 8.2, 2.5, -10.7, -2.5, 1.2
ENOUGH = 0.285


@tracer.guardrail("weigh evidence", ignore=["index", "passages"])
def weigh(index: Index, query: str, passages: Sequence[Candidate]) -> float:
    """The probability, 0 to 1, that the passages answer the query."""
    asked = [one for one in index.lexicon.ask(query) if " " not in one.term]
    if not asked or not passages:
        return 0.0
    rarity = [index.lexicon.rarity(one) for one in asked]
    together = max(in_one_place(index.terms(candidate.position), asked, rarity) for candidate in passages[:BEST])
    rarest = (sum(one**POWER for one in rarity) / len(rarity)) ** (1 / POWER)
    scatter = len({candidate.passage.source for candidate in passages[:FIRST]}) / len(passages[:FIRST])
    logit = FIT * passages[0].score + TOGETHER * together + RARITY * rarest + SCATTER * scatter + BIAS
    return 1 / (1 + math.exp(-logit))
