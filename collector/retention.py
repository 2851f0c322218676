"""Retention while the collector runs: a policy is applied now and then, in slices that ingest does not feel. Off until configured.

What a policy takes and how the disk comes back is the store's business (`SpanStore.prune`); here is only when. Announcements that never
ended are forgotten after a day in any case, policy or not.
"""

from __future__ import annotations

import logging
import threading

from collector.errors import RightPassageError
from collector.model import Pruned, RetentionPolicy
from collector.store.base import SpanStore

INTERVAL_S = 600.0
FIRST_S = 30.0  # after the start, so that a restart does not wait ten minutes with a full disk
log = logging.getLogger(__name__)


class Retention:
    """Prunes a store by a policy every ten minutes, in a thread, until it is closed."""

    def __init__(
        self, store: SpanStore, policy: RetentionPolicy | None = None, *, interval_s: float = INTERVAL_S, first_s: float = FIRST_S
    ) -> None:
        self._store, self.policy = store, policy or RetentionPolicy()
        self._interval, self._first = interval_s, first_s
        self._closing = threading.Event()
        self.last: Pruned | None = None
        self._thread = threading.Thread(target=self._run, name="rightpassage-retention", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after the slice that is being worked on. Idempotent."""
        self._closing.set()
        self._thread.join(30)

    def _run(self) -> None:
        wait = self._first
        while not self._closing.wait(wait):
            wait = self._interval
            try:
                self.last = self._store.prune(self.policy)
            except RightPassageError as error:  # closing, disk full: it is tried again
                log.warning("retention could not prune: %s", error)
                continue
            if self.last.traces:
                log.info("retention removed %d traces (%d spans), freed %d bytes", self.last.traces, self.last.spans, self.last.bytes_freed)
