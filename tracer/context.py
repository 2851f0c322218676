"""Session, user, tags and metadata: said once around a request, carried to every span started inside.

They live in the OpenTelemetry context as one value, so they follow it wherever it goes: tasks, `asyncio.to_thread`, copied contexts,
and thread pools once `configure(threads=True)` carries the context there.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ParamSpec, TypeVar

import orjson
from opentelemetry.context import Context, attach, detach, get_current

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

    @cached_property
    def attributes(self) -> dict[str, Any]:
        known = {names.SESSION_ID: self.session_id, names.USER_ID: self.user_id, names.METADATA: self.metadata}
        known = {key: value for key, value in known.items() if value is not None}
        return {**known, names.TAGS: self.tags} if self.tags else known

    @cached_property
    def readable(self) -> dict[str, Any]:
        """The same for a span of the SDK: text is `str`."""
        return {key: value.decode() if isinstance(value, bytes) else value for key, value in self.attributes.items()}


def _bound() -> Bound:
    known: Any = get_current().get(BOUND_KEY)
    return known or Bound()


@contextmanager
def _carry(bound: Bound) -> Generator[None]:
    token = attach(Context({**get_current(), BOUND_KEY: bound}))
    try:
        yield
    finally:
        detach(token)


def session(session_id: str) -> AbstractContextManager[None]:
    """A block whose spans belong to this conversation: `with tracer.session("thread-42"): …`."""
    return _carry(replace(_bound(), session_id=str(session_id)))


def user(user_id: str) -> AbstractContextManager[None]:
    """A block whose spans are for this user."""
    return _carry(replace(_bound(), user_id=str(user_id)))


def tags(*tags: str) -> AbstractContextManager[None]:
    """A block whose spans carry these tags, beside those of the blocks around it."""
    before = _bound()
    return _carry(replace(before, tags=(*before.tags, *(str(tag) for tag in tags if tag not in before.tags))))


def metadata(**metadata: object) -> AbstractContextManager[None]:
    """A block whose spans carry these fields, beside those of the blocks around it."""
    before = _bound()
    known: Mapping[str, object] = orjson.loads(before.metadata) if before.metadata else {}
    return _carry(replace(before, metadata=to_json({**known, **metadata})))
