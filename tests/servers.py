"""A loopback HTTP server for tests and benchmarks whose clients misbehave: that one breaks off is no news, and nothing waits for it."""

from __future__ import annotations

from http.server import ThreadingHTTPServer
from typing import Any


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        return None
