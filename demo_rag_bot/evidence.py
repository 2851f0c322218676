"""Do these passages answer the question at all? A probability, weighed before a model is asked.

What counts is how much of the question, rare words counting more, stands together in one place of the best passages, how much of it the
headings of the first speak of, and how rare its rarest word is: one that the documentation does not know at all is as rare as can be. It
needs no model, and it is the reason the bot says "I could not find this" instead of quoting whatever came out first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import tracer
from demo_rag_bot.index import Candidate, Index
from demo_rag_bot.rerank import above, in_one_place

LOOKED_AT = 3  # passages
LONG = 6  # words; what a longer question leaves open says less

# Logistic regression on 369 answerable and 84 unanswerable questions about six projects, classes balanced (docs/decisions/0064). The bot
# declines below ENOUGH.
TOGETHER, ABOVE, RAREST, LENGTH, BIAS = 4.1, 3.0, -4.5, 0.34, -0.7
ENOUGH = 0.35


@tracer.guardrail("weigh evidence", ignore=["index", "passages"])
def weigh(index: Index, query: str, passages: Sequence[Candidate]) -> float:
    """The probability, 0 to 1, that the passages answer the query."""
    asked = [one for one in index.lexicon.ask(query) if " " not in one.term]
    rarity = [index.lexicon.rarity(one) for one in asked]
    if not asked or not passages:
        return 0.0
    together = max(in_one_place(index.terms(candidate.position), asked, rarity) for candidate in passages[:LOOKED_AT])
    named = above(index.lexicon, passages[0].position, asked)
    logit = TOGETHER * together + ABOVE * named + RAREST * max(rarity) + LENGTH * min(len(asked), LONG) + BIAS
    return 1 / (1 + math.exp(-logit))
