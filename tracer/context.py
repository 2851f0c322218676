"""Session, user, tags and metadata: said once around a request, carried to every span started inside.

They live in the OpenTelemetry context as one value, so they follow it wherever it goes: tasks, `asyncio.to_thread`, copied contexts,
and thread pools once `configure(threads=True)` carries the context there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, ParamSpec, TypeVar

import orjson
from opentelemetry.context import Context, attach, get_current

from tracer import conventions as names
from tracer.capture import to_json

P = ParamSpec("P")
R = TypeVar("R")

BOUND_KEY = "rightpassage-bound"


@dataclass(frozen=True)
class Bound:
    """What the spans started now are for."""

    session_id: str | None = None
    user_id: str | None = None
    tags: tuple[str, ...] = ()
    metadata: bytes | None = None  # JSON

    attributes: dict[str, Any] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        said = {
            names.SESSION_ID: self.session_id,
            names.USER_ID: self.user_id,
            names.METADATA: self.metadata,
            names.TAGS: self.tags or None,
        }
        object.__setattr__(self, "attributes", {key: value for key, value in said.items() if value is not None})

    @property
    def readable(self) -> dict[str, Any]:
        """The same for a span of the SDK: text is `str`."""
        return {key: value.decode() if isinstance(value, bytes) else value for key, value in self.attributes.items()}


class Block(AbstractContextManager[None]):
    """A block with a changed `Bound`; it is worked out on entering, from what is bound then."""

    def __init__(self, change: Callable[[Bound], Bound]) -> None:
        self._change = change
        self._entered: list[tuple[Context, Context]] = []

    def __enter__(self) -> None:
        before = get_current()
        known: Any = before.get(BOUND_KEY)
        inside = Context({**before, BOUND_KEY: self._change(known or Bound())})
        self._entered.append((before, inside))
        attach(inside)

    def __exit__(self, *error: object) -> None:
        before, inside = self._entered.pop()
        if get_current() is inside:  # not so in a generator that is left in another context than it was entered in
            attach(before)


def session(session_id: str) -> Block:
    """A block whose spans belong to this conversation: `with tracer.session("thread-42"): …`."""
    return Block(lambda bound: replace(bound, session_id=str(session_id)))


def user(user_id: str) -> Block:
    """A block whose spans are for this user."""
    return Block(lambda bound: replace(bound, user_id=str(user_id)))


def tags(*tags: str) -> Block:
    """A block whose spans carry these tags, beside those of the blocks around it."""
    return Block(lambda bound: replace(bound, tags=(*bound.tags, *(str(tag) for tag in tags if tag not in bound.tags))))


def metadata(**metadata: object) -> Block:
    """A block whose spans carry these fields, beside those of the blocks around it."""

    def change(bound: Bound) -> Bound:
        known: Mapping[str, object] = orjson.loads(bound.metadata) if bound.metadata else {}
        return replace(bound, metadata=to_json({**known, **metadata}))

    return Block(change)
