"""A streamed reply, taken apart as it comes: what the model says to the user, and what it thinks before that.

Reasoning models think aloud. Some servers send the thoughts in a field of their own (`reasoning_content`, `reasoning`), others leave them
in the text, between `<think>` and `</think>` before the answer. Either way they are no part of the answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from openai.types.chat.chat_completion_chunk import ChoiceDelta

OPEN, CLOSE = "<think>", "</think>"
FIELDS = ("reasoning_content", "reasoning")


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

    def _say(self) -> Iterator[str]:
        piece, self._held = self._held, ""
        if piece:
            self.said += piece
            yield piece
