"""Threads keep the trace: an opt-in that carries the OpenTelemetry context into `threading.Thread` and `ThreadPoolExecutor`.

Only the OpenTelemetry context travels; other context variables are the program's own business.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from opentelemetry.context import attach, detach, get_current

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

P = ParamSpec("P")
R = TypeVar("R")


def carried(function: Callable[P, R]) -> Callable[P, R]:
    """The function, run in the context of now wherever it runs: `executor.submit(tracer.carried(work), …)`."""
    context = get_current()

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        token = attach(context)
        try:
            return function(*args, **kwargs)
        finally:
            detach(token)

    return run


def carry_into_threads() -> None:
    """Patches thread start and pool submit, once."""
    from concurrent.futures import ThreadPoolExecutor

    if getattr(threading.Thread.start, "_carries_context", False):
        return
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit

    @functools.wraps(start)
    def start_carrying(self: threading.Thread) -> None:
        if get_current():
            self.__dict__["run"] = carried(self.run)  # on the instance: subclasses such as Timer have a run of their own
        start(self)

    @functools.wraps(submit)
    def submit_carrying(self: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return submit(self, carried(function) if get_current() else function, *args, **kwargs)

    start_carrying.__dict__["_carries_context"] = True
    threading.Thread.start = start_carrying
    ThreadPoolExecutor.submit = submit_carrying
