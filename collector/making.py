"""Makers for frozen dataclasses on the hot path.

A frozen dataclass sets every field through `object.__setattr__`: 5 µs for the 45 fields of a `Normalised`, 3 for a `Span`. Its maker is a
class of the same fields and layout that is not frozen; what it makes becomes an instance of the frozen class at the end, at a sixth of
the time. Call it as you would call the class.
"""

from __future__ import annotations

from dataclasses import MISSING, field, fields, make_dataclass
from typing import Any, TypeVar, cast

T = TypeVar("T")


def maker(frozen: type[T]) -> type[T]:
    """What makes instances of a frozen dataclass with slots."""

    def settle(made: Any) -> None:
        made.__class__ = frozen

    members = [
        (
            one.name,
            one.type,
            field(default_factory=one.default_factory) if one.default_factory is not MISSING else field(default=one.default),
        )
        for one in fields(cast(Any, frozen))
    ]
    return cast("type[T]", make_dataclass(frozen.__name__, members, slots=True, namespace={"__post_init__": settle}))
