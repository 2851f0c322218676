"""Repeated text as small numbers: names, models, services, sessions. Both ways may be cached: a number is never given to a second text, and
whoever removes texts (`pruning`) lets the writer forget their numbers."""

from __future__ import annotations

from collector.store.connection import Connection
from collector.store.packs import plain

KEPT = 50_000
KEPT_TOGETHER = 10_000  # of the combinations that spans have: as many as there are steps in the programs that send


class Strings:
    """Both directions with a bounded memory; the writer's side is forgotten when its transaction fails."""

    def __init__(self) -> None:
        self._numbers: dict[str | None, int] = {}
        self.known = self._numbers.get  # the number of a text that was asked for before: the common case, without a call of ours
        self._together: dict[tuple[str | None, ...], tuple[int | None, ...]] = {}
        self.known_together = self._together.get  # of several texts at once: a span has nine, and most spans are like one before
        self._texts: dict[int, str] = {}

    def forget(self) -> None:
        """After a transaction failed (numbers given out in it will mean other texts), and where texts were removed."""
        self._numbers.clear()
        self._together.clear()
        self._texts.clear()

    def number(self, connection: Connection, text: str | None) -> int | None:
        """The number of a text, given out now if it is new; for the writer, inside its transaction."""
        if text is None:
            return None
        known = self._numbers.get(text)
        if known is None:
            known = self._look_up(connection, text)
            if len(self._numbers) >= KEPT:
                self._numbers.clear()
            self._numbers[text] = known
        return known

    def numbers(self, connection: Connection, texts: tuple[str | None, ...]) -> tuple[int | None, ...]:
        """The numbers of several texts; for the writer, inside its transaction."""
        found = tuple(self.number(connection, text) for text in texts)
        if len(self._together) >= KEPT_TOGETHER:
            self._together.clear()
        self._together[texts] = found
        return found

    @staticmethod
    def _look_up(connection: Connection, text: str) -> int:
        clean = plain(text)
        found = connection.execute("SELECT id FROM strings WHERE text=?", (clean,)).fetchone()
        if found is None:
            found = connection.execute("INSERT INTO strings (text) VALUES (?) RETURNING id", (clean,)).fetchone()
        number: int = found[0]
        return number

    def text(self, connection: Connection, number: int | None) -> str | None:
        """The text of a number that a committed row holds."""
        if number is None:
            return None
        known = self._texts.get(number)
        if known is None:
            found = connection.execute("SELECT text FROM strings WHERE id=?", (number,)).fetchone()
            if found is None:
                return None
            known = str(found[0])
            if len(self._texts) >= KEPT:
                self._texts.clear()
            self._texts[number] = known
        return known
