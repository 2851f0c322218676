"""Where spans go: the collector's address and how to speak to it. What speaks is `tracer.transport`, in the sender's thread."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field

THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where spans go: the full URL of the traces path."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 10.0
    certificate: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    compression: str | None = None  # "gzip" or "none"; None: gzip, but not to this machine

    def __post_init__(self) -> None:
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{self.url!r} is no OTLP/HTTP endpoint; one looks like http://localhost:4318/v1/traces")
        _ = parts.port  # raises ValueError when it is no number

    @property
    def gzip(self) -> bool:
        """Whether bodies are compressed: to this very machine it would cost more than it saves."""
        if self.compression is not None:
            return self.compression == "gzip"
        return urllib.parse.urlsplit(self.url).hostname not in THIS_MACHINE

    @property
    def base(self) -> str:
        """The URL without the traces path."""
        return self.url.removesuffix("/v1/traces").rstrip("/")
