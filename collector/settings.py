"""What the commands are told: addresses, the database, the token, and how amounts and durations are written.

Every option has an environment variable `RIGHTPASSAGE_<OPTION>`; the command line reads both (`collector.cli`) and makes these values.
Parsing happens here, once, with an error that names the value and what would be valid.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path

from collector.errors import InvalidValue
from collector.model import RetentionPolicy

DEFAULT_HTTP = "127.0.0.1:4318"
DEFAULT_GRPC = "127.0.0.1:4317"
DEFAULT_COLLECTOR = "http://127.0.0.1:4318"
_EXAMPLES = {"--http": DEFAULT_HTTP, "--grpc": f"{DEFAULT_GRPC}, or off"}

_UNITS_NS = {
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
}
_SIZES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 takes any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, option: str) -> Address:
        """`HOST:PORT`, `[IPV6]:PORT`, `:PORT` or `PORT` (the last two on 127.0.0.1)."""
        host, _, port = text.strip().rpartition(":")
        if not port.isdecimal() or int(port) > 65_535:
            example = _EXAMPLES.get(option, DEFAULT_HTTP)
            raise InvalidValue(f"{option} {text!r} is not HOST:PORT with a port from 0 to 65535, as in {example}")
        return cls(host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port))

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def netloc(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def bind(self, option: str) -> socket.socket:
        """A listening socket, or `InvalidValue` naming the port and the option that chooses another."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.host, self.port))
            listener.listen(2048)
        except OSError as problem:
            listener.close()
            raise InvalidValue(self._refused(option, problem)) from problem
        return listener

    def _refused(self, option: str, problem: OSError) -> str:
        what = "is taken by another program" if problem.errno in (98, 48, 10048) else f"cannot be opened ({problem.strerror or problem})"
        another = Address(self.host, self.port + 1 if self.port < 65_535 else 0)
        shown = another.port if option.endswith("port") else another.netloc  # --port and --bot-port take a number alone
        return f"port {self.port} on {self.host} {what}; choose another with {option} {shown}, or port 0 for any free one"


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Everything `rightpassage serve` can be told."""

    db: str
    http: Address = Address("127.0.0.1", 4318)
    grpc: Address | None = Address("127.0.0.1", 4317)
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    max_body_bytes: int = 64 * 2**20
    prices: str | None = None  # a CSV file of the user's own, asked before the shipped table
    retention: RetentionPolicy = field(default_factory=RetentionPolicy)

    def check(self) -> None:
        """A collector that others can reach wants a token: trace content is the densest store of secrets in the house."""
        open_to_others = [address for address in (self.http, self.grpc) if address and not address.is_loopback]
        if open_to_others and not self.token:
            raise InvalidValue(
                f"{open_to_others[0].netloc} can be reached from other machines, so a token is needed: "
                "--token SECRET (or RIGHTPASSAGE_TOKEN), or bind to 127.0.0.1"
            )


def data_folder() -> Path:
    """The platform's folder for this user's data."""
    from platformdirs import user_data_path

    return user_data_path("rightpassage", appauthor=False)


def default_database() -> str:
    return str(data_folder() / "traces.db")


def demo_database() -> str:
    """The demo's own file, so that it never touches the user's."""
    return str(data_folder() / "demo.db")


def parse_duration_ns(text: str, option: str) -> int:
    """`30d`, `12h`, `1.5h`, `90m`, `45s` → nanoseconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)", text.strip())
    if not match:
        raise InvalidValue(f"{option} {text!r} is not a duration; write a number and one of {', '.join(_UNITS_NS)}, as in 30d or 12h")
    return int(float(match[1]) * _UNITS_NS[match[2]])


def parse_bytes(text: str, option: str) -> int:
    """`500MB`, `2GB`, `1.5GiB`, `1048576` → bytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?I?B?)", text.strip().upper())
    unit = match[2].removesuffix("B") if match else None
    if match is None or unit not in _SIZES:
        raise InvalidValue(f"{option} {text!r} is not a size; write bytes or a number with KB, MB, GB, TB (or KiB, MiB, …), as in 2GB")
    return int(float(match[1]) * _SIZES[unit])


def human_bytes(count: int) -> str:
    """1234567 → `1.2 MB`."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
