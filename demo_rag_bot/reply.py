"""A streamed reply, taken apart as it comes: what the model says to the user, and what it thinks before that.

Reasoning models think aloud. Some servers send the thoughts in a field of their own (`reasoning_content`, `reasoning`), others leave them
in the text, between `<think>` and `</think>` before the answer; where the prompt's template opened them, only `</think>` comes. In each
case they are no part of the answer; in the last they have been said already when that shows, and `spoken` takes them back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from openai.types.chat.chat_completion_chunk import ChoiceDelta

OPEN, CLOSE = "<think>", "</think>"
FIELDS = ("reasoning_content", "reasoning")
_CLOSED = re.compile(f"(?<!`){CLOSE}(?!`)")  # in code marks it is talk about thoughts


def spoken(pieces: Iterable[str]) -> str:
    """What the pieces of a whole reply say, once thoughts that were closed and never opened are taken off."""
    text = "".join(pieces)
    return text if OPEN in text else _CLOSED.split(text)[-1].lstrip()


class Reply:
    """Takes the pieces of one reply in order; `said` and `thoughts` are what has come so far."""

    def __init__(self) -> None:
        self.said = self.thoughts = ""
        self._held = ""  # not yet known to be one or the other
        self._thinking: bool | None = None  # None: nothing but spaces, and perhaps half a mark, has come

    def take(self, delta: ChoiceDelta) -> Iterator[str]:
        """The piece of the answer in a piece of the reply, if there is one."""
        self.thoughts += next((thought for name in FIELDS if (thought := getattr(delta, name, None))), "")
        self._held += delta.content or ""
        if self._thinking is None:
            begun = self._held.lstrip()
            if OPEN.startswith(begun):
                return
            self._thinking = begun.startswith(OPEN)
            self._held = begun.removeprefix(OPEN)
        if self._thinking and CLOSE in self._held:
            thought, _, self._held = self._held.partition(CLOSE)
            self.thoughts += thought.strip()
            self._thinking = None
            yield from self.take(ChoiceDelta())
        elif not self._thinking:
            yield from self._say()

    def end(self) -> Iterator[str]:
        """What was held back to the last."""
        if self._thinking:
            self.thoughts += self._held.strip()
        elif self._held.strip():
            yield from self._say()
        answer = spoken(self.said)
        self.thoughts += self.said.removesuffix(answer).strip().removesuffix(CLOSE).strip()
        self.said = answer

    def _say(self) -> Iterator[str]:
        piece, self._held = self._held, ""
        if piece:
            self.said += piece
            yield piece
