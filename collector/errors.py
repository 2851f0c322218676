"""Everything that can go wrong on purpose: one small tree. Edges turn it into HTTP problems, gRPC codes and exit lines."""

from __future__ import annotations

from collections.abc import Sequence


class RightPassageError(Exception):
    """Base of all our errors; its text is fit to show to a user."""


class NotFound(RightPassageError):
    """Something named by its id or name is not there."""


class TraceNotFound(NotFound):
    def __init__(self, trace_id: str) -> None:
        super().__init__(f"no trace {trace_id!r} in this store")
        self.trace_id = trace_id


class SpanNotFound(NotFound):
    def __init__(self, trace_id: str, span_id: str) -> None:
        super().__init__(f"no span {span_id!r} in trace {trace_id!r}")
        self.trace_id, self.span_id = trace_id, span_id


class InvalidValue(RightPassageError):
    """A value that cannot be used, with what would be valid."""


class FilterError(InvalidValue):
    """A filter that does not parse: `position` counts characters from 0, `suggestions` holds "did you mean" words."""

    def __init__(self, message: str, text: str, position: int, suggestions: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.text, self.position, self.suggestions = text, position, tuple(suggestions)


class MalformedRequest(InvalidValue):
    """An OTLP body that is not what its content type says."""


class RequestTooLarge(RightPassageError):
    """A body over the limit, before or after decompression, or with too many objects."""


class UnsupportedMediaType(RightPassageError):
    """A content type or encoding we do not read."""


class Overloaded(RightPassageError):
    """The write queue is full: try again after `retry_after_s`."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreUnavailable(Overloaded):
    """The store cannot write now (disk full, read-only, closing)."""


class StoreLocked(RightPassageError):
    """Another collector holds this database."""


class StoreUnreadable(RightPassageError):
    """The database is corrupt, not ours, or of a newer version."""


class CollectorUnreachable(RightPassageError):
    """No collector answers at the given URL."""


class Unauthorised(RightPassageError):
    """The collector wants a token, or another one."""


class CollectorRefused(RightPassageError):
    """The collector answered with an error that no other class here names."""
