"""Where the spans of this process went, counted."""

from __future__ import annotations

import threading
from dataclasses import dataclass

EXIT_SECONDS = 4.0  # for what is still to be sent when the process ends; with writing the rest to disk it stays under five


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where the spans of this process went. `spooled` and `queued` are now, the others since the start."""

    sent: int = 0  # posted at least once
    acked: int = 0  # the collector has them
    spooled: int = 0  # waiting on disk
    dropped: int = 0  # lost, for a reason that was logged
    rejected: int = 0  # refused by the collector one by one (partial success)
    queued: int = 0  # waiting in memory
    replayed: int = 0  # of earlier processes, sent by this one


class Counters:
    """Running totals; one lock, a few adds a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals: dict[str, int] = {"sent": 0, "acked": 0, "dropped": 0, "rejected": 0, "replayed": 0}

    def add(self, **amounts: int) -> None:
        with self._lock:
            for name, amount in amounts.items():
                self._totals[name] += amount

    def totals(self) -> dict[str, int]:
        with self._lock:
            return dict(self._totals)

    def forked(self) -> None:
        self._lock = threading.Lock()
        self._totals = dict.fromkeys(self._totals, 0)
