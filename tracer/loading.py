"""`with loading:` around an import on a thread of our own, so that the caller's threads do not pay for it.

A process that forks in the middle of an import leaves its child with a module that is locked by a thread which is not there: the child
waits for ever when it needs that module. So a fork waits until our threads have loaded theirs, a few dozen milliseconds at most, once.
"""

from __future__ import annotations

import os
import threading
from types import TracebackType

_LONGEST_WAIT = 1.0  # seconds; a fork goes on whatever happens


class _Loading:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forking: int | None = None  # the thread that forks

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()

    def before_fork(self) -> None:
        if self._lock.acquire(timeout=_LONGEST_WAIT):
            self._forking = threading.get_ident()

    def after_fork(self) -> None:
        if self._forking == threading.get_ident():
            self._forking = None
            self._lock.release()


loading = _Loading()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=loading.before_fork, after_in_parent=loading.after_fork, after_in_child=loading.after_fork)
