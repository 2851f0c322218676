"""Telemetry never raises into the program it watches.

Everything of ours that runs on the caller's thread runs inside `safely` (a block) or `quiet` (a function): what goes wrong is logged
once a minute per place and the program goes on without that piece of telemetry. This file holds the only broad excepts of the tracer.
KeyboardInterrupt, SystemExit and the like belong to the program and pass.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V")

log = logging.getLogger("tracer")

_QUIET_SECONDS = 60.0
_reported: dict[str, float] = {}


def report(place: str, message: str, *args: object, error: BaseException | None = None, level: int = logging.WARNING) -> None:
    """Logs a line about `place`, at most once a minute for each place."""
    now = time.monotonic()
    if now - _reported.get(place, -_QUIET_SECONDS) < _QUIET_SECONDS:
        return
    if len(_reported) > 1000:
        _reported.clear()
    _reported[place] = now
    log.log(level, message, *args, exc_info=error if log.isEnabledFor(logging.DEBUG) else None)


class _Safely:
    """`with safely:` swallows and reports an Exception of the block. One shared instance: entering costs 0.1 µs."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        if error is None:
            return False
        if not isinstance(error, Exception):
            return False
        place = "?"
        while trace is not None:
            place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
            trace = trace.tb_next
        report(place, "a piece of telemetry was lost: %s at %s", type(error).__name__, place, error=error)
        return True


safely = _Safely()


def quiet(function: Callable[P, R]) -> Callable[P, R]:
    """The function, returning None instead of raising an Exception; for functions that return None or whose callers accept it."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with safely:
            return function(*args, **kwargs)
        return cast(R, None)

    return call


def chained(method: Callable[P, R]) -> Callable[P, R]:
    """A setter that returns its object even when setting fails, so that calls can be chained."""

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with safely:
            return method(*args, **kwargs)
        return cast(R, args[0])

    return call


def known_keywords(place: str, given: Mapping[str, V], valid: Iterable[str]) -> dict[str, V]:
    """The keywords that are valid; a warning names the others and what would be valid. A typo is no reason to end a program."""
    valid = tuple(valid)
    for name in given:
        if name not in valid:
            report(f"{place} {name}", "%s(%s=…) is unknown and was left out; known are %s", place, name, ", ".join(valid))
    return {name: value for name, value in given.items() if name in valid}


def forgiving(function: Callable[P, R]) -> Callable[P, R]:
    """The function, called without the keywords it does not know; type checkers still see its signature."""
    code = cast(Any, function).__code__
    valid: tuple[str, ...] = code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount]
    place, names = f"tracer.{code.co_name}", frozenset(valid)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        known: Any = kwargs if names.issuperset(kwargs) else known_keywords(place, kwargs, valid)
        return cast(Any, function)(*args, **known)

    return call


def attempt(function: Callable[..., R], *args: Any, default: R) -> R:
    """What `function(*args)` returns, or `default` when it raises: for calls into objects we know nothing about."""
    try:
        return function(*args)
    except Exception:  # noqa: BLE001  (the one place)
        return default
