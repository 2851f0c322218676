"""What changed between two texts, as runs of same, removed and added: words within a text, lines first where it is long. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

WORD = re.compile(r"\w+|\s+|[^\w\s]")
WORDS_AT_ONCE = 3_000
"""Beyond that many words whole lines are compared: difflib is quadratic in the worst case (4,000 distinct words took 2 s)."""

Change = Literal["same", "removed", "added"]


@dataclass(frozen=True, slots=True)
class Run:
    change: Change
    text: str


def words(before: str, after: str) -> Sequence[Run]:
    """Runs whose `same` and `removed` join to `before`, whose `same` and `added` join to `after`."""
    old, new = WORD.findall(before), WORD.findall(after)
    if len(old) + len(new) > WORDS_AT_ONCE:
        return tuple(merged(by_lines(before, after)))
    return tuple(merged(runs(old, new)))


def by_lines(before: str, after: str) -> Iterator[Run]:
    """Long texts: whole lines, and words within replaced lines that are short enough."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield Run("same", "".join(old[a:b]))
            continue
        left, right = "".join(old[a:b]), "".join(new[c:d])
        left_words, right_words = WORD.findall(left), WORD.findall(right)
        if left and right and len(left_words) + len(right_words) <= WORDS_AT_ONCE // 4:
            yield from runs(left_words, right_words)
        else:
            yield Run("removed", left)
            yield Run("added", right)


def runs(old: Sequence[str], new: Sequence[str]) -> Iterator[Run]:
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield Run("same", "".join(old[a:b]))
        else:
            yield Run("removed", "".join(old[a:b]))
            yield Run("added", "".join(new[c:d]))


def merged(found: Iterator[Run]) -> Iterator[Run]:
    """Neighbours of one kind become one run, empty ones go."""
    last: Run | None = None
    for run in found:
        if not run.text:
            continue
        if last and last.change == run.change:
            last = Run(run.change, last.text + run.text)
            continue
        if last:
            yield last
        last = run
    if last:
        yield last


def similarity(before: str, after: str) -> float:
    """Share of text that both have, 0 to 1."""
    found = words(before, after)
    same = sum(len(run.text) for run in found if run.change == "same")
    return 2 * same / (len(before) + len(after)) if before or after else 1.0
