"""The programs `up` and `demo` start beside the collector: each a child process of its own, watched, and stopped by its pid in order.

Children run in their own session, so that Ctrl-C reaches only the parent, which then stops them one after the other (viewer before
collector, or the last page would report errors). On Linux the kernel stops them too should the parent be killed.
"""

from __future__ import annotations

import ctypes
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, Self

from collector.errors import RightPassageError

STOP_SECONDS = 12  # a collector drains in 10 at most
_PR_SET_PDEATHSIG = 1


class ChildFailed(RightPassageError):
    """A child process ended or never became ready."""


class Child:
    """One running child; its lines after `ready` go to our stderr, prefixed with its name."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        self.ready_line = ""
        self._ready: queue.Queue[str | None] = queue.Queue()
        self._said: list[str] = []
        self._is_ready = False
        assert self.process.stdout is not None
        threading.Thread(target=self._listen, args=(self.process.stdout,), daemon=True).start()

    def _listen(self, lines: IO[str]) -> None:
        for line in lines:
            if line.startswith("ready"):
                self._ready.put(line.strip())
                self._is_ready = True
            elif self._is_ready:
                print(f"{self.name}: {line.rstrip()}", file=sys.stderr, flush=True)
            else:
                self._said = [*self._said[-30:], line.rstrip()]
        self._ready.put(None)

    def ready(self, patience_s: float = 60) -> str:
        """The address (http://…) in its `ready` line."""
        try:
            line = self._ready.get(timeout=patience_s)
        except queue.Empty:
            raise ChildFailed(f"the {self.name} was not ready after {patience_s:g} s") from None
        found = re.search(r"https?://\S+", line or "")
        if found is None:
            raise ChildFailed(f"the {self.name} ended before it was ready{self._last_words()}")
        self.ready_line = line or ""
        return found[0]

    def _last_words(self) -> str:
        """What it said: our own errors are one line, anything longer (a traceback) is printed whole before the last line is repeated."""
        if len(self._said) > 1:
            print(*self._said, sep="\n", file=sys.stderr)
        return f": {self._said[-1].removeprefix('rightpassage: ')}" if self._said else ""

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to one that does not heed it."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Children:
    """A family of children that stops together, the last started first."""

    def __init__(self) -> None:
        self._family: list[Child] = []

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        for number in self._before:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C does not leave children behind
        for child in reversed(self._family):
            child.stop()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, frame: object) -> None:
        raise KeyboardInterrupt

    def start(self, name: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Child:
        child = Child(name, arguments, environment or {})
        self._family.append(child)
        return child

    def watch(self) -> None:
        """Until told to stop; `ChildFailed` when a child ends by itself."""
        while True:
            for child in self._family:
                if (code := child.process.poll()) is not None:
                    raise ChildFailed(f"the {child.name} ended by itself (exit status {code})")
            time.sleep(0.2)


_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None  # looked up here: between fork and exec as little as can be


def _die_with_parent() -> None:
    if _prctl:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
