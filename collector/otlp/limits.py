"""How much one request may hold, and the running count of what it does hold."""

from __future__ import annotations

from dataclasses import dataclass

from collector.errors import MalformedRequest, RequestTooLarge

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one request may hold. A span of a RAG program has about 12 objects, so 100,000 of them pass."""

    spans: int = 100_000
    objects: int = 2_000_000  # attributes, events, links and values inside values; about 250 bytes each in memory
    depth: int = 60  # of values inside values


LIMITS = DecodeLimits()


class Budget:
    """Keeps count of the values of a request, so that a small body cannot become a large heap."""

    __slots__ = ("depth", "left", "objects")

    def __init__(self, limits: DecodeLimits) -> None:
        self.left = self.objects = limits.objects
        self.depth = limits.depth

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise RequestTooLarge(f"more than {self.objects} attributes, events, links and values in one request")

    def enter(self, depth: int) -> None:
        """Called with the depth of a value before its inside is read."""
        if depth > self.depth:
            raise MalformedRequest(f"a value is nested more than {self.depth} levels deep")


class Rejected(Exception):
    """One record that cannot be kept although its neighbours can."""
