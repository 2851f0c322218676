"""The state of a page that Python draws ⇄ its URL: small frozen values read from the query, written back as links. Pure.

The traces and Ask pages keep theirs in the browser (`components/*/state.js`); the rule is the same everywhere: what a person chose is in
the address, so that a link, a reload and Back bring it back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

TRACE_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Browsing:
    """A list that is searched and leafed through: sessions, passages."""

    text: str = ""
    source: str = ""
    cursor: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        return cls(query.get("q", "").strip(), query.get("source", "").strip(), query.get("cursor", ""))

    def at(self, cursor: str | None) -> dict[str, str | None]:
        """The query of another page of the same list."""
        return {"q": self.text, "source": self.source, "cursor": cursor}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two traces side by side; an id that is none counts as not chosen."""

    a: str = ""
    b: str = ""
    stage: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        a, b = (value if TRACE_ID.fullmatch(value) else "" for value in (query.get("a", "").lower(), query.get("b", "").lower()))
        return cls(a, b, query.get("stage", ""))

    def query(self, **changes: str) -> dict[str, str | None]:
        return {"a": self.a, "b": self.b, "stage": self.stage, **changes}
