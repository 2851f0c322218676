"""The spool: a folder where parcels wait while the collector is away, so that an outage or an exit loses nothing.

One file is one parcel, named by time, process, number and spans, so that the oldest goes first and counting needs no reading. Files are
private (0600), written aside and renamed. Any later process with the same endpoint sends them: it claims a file by renaming it, and a
claim that is ten minutes old is taken over; the collector stores a re-sent span once. When the folder is full, the oldest parcels go;
after a week all do.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from tracer.loading import loading

_SUFFIX = ".parcel"
_STALE_SECONDS = 600.0
_KEPT_SECONDS = 7 * 86400.0
_GZIP = 31  # zlib's name for the gzip format


@dataclass(frozen=True, slots=True)
class Parcel:
    """A body to post and the number of spans in it."""

    path: str  # below the collector's base URL; "" is the traces path
    content_type: str
    body: bytes
    spans: int
    gzipped: bool = True
    mine: bool = True  # made by this process
    posted: bool = False  # tried before
    fleeting: bool = False  # worth nothing later: an announcement
    file: Path | None = None  # where it waits, claimed

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Type": self.content_type, **({"Content-Encoding": "gzip"} if self.gzipped else {})}

    def compressed(self) -> Parcel:
        """The same, with its body in gzip. Level 1: a third of the time of 9 for a few per cent more bytes."""
        return self if self.gzipped else replace(self, body=zlib.compress(self.body, 1, _GZIP), gzipped=True)

    def plain(self) -> bytes:
        """The body as it was before compression."""
        return zlib.decompress(self.body, _GZIP) if self.gzipped else self.body


def default_folder() -> Path:
    """The user's state folder; nothing is created."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "rightpassage" / "spool"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "rightpassage" / "spool"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "rightpassage" / "spool"


class Spool:
    """Parcels of one endpoint on disk. Methods raise OSError when the disk says no; safe to call from several threads."""

    def __init__(self, folder: Path, endpoint: str, limit_bytes: int) -> None:
        self._home, self._endpoint = folder, endpoint
        self._below: Path | None = None  # the endpoint's own folder, once a thread has asked for it
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._number = 0
        self._size: int | None = None  # known after the first look
        self._posted: set[str] = set()  # names of files of this process that were tried
        self.mine = 0  # spans of this process that wait here

    @property
    def _folder(self) -> Path:
        if self._below is None:  # no cached_property: its lock may be held by a thread that a forked child does not have
            with loading:
                from hashlib import sha256  # OpenSSL takes a millisecond to load: not on the thread that configures
            self._below = self._home / sha256(self._endpoint.encode()).hexdigest()[:12]
        return self._below

    def forked(self) -> None:
        """In a child process: what waits here is the parent's."""
        self._lock = threading.Lock()
        self.mine = 0
        self._size = None

    def write(self, parcel: Parcel) -> int:
        """Keeps a parcel; returns how many spans of older ones had to go for it."""
        parcel = parcel.compressed()
        header = orjson.dumps({"path": parcel.path, "content_type": parcel.content_type, "spans": parcel.spans, "gzipped": parcel.gzipped})
        written = header + b"\n" + parcel.body
        with self._lock:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            gone = self._make_room(len(written))
            self._number += 1
            name = f"{time.time_ns():020d}-{os.getpid()}-{self._number}-{parcel.spans}"
            aside = self._folder / f"{name}.tmp"
            handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(written)
                aside.rename(self._folder / f"{name}{_SUFFIX}")
            except OSError:
                aside.unlink(missing_ok=True)
                raise
            self._size = (self._size or 0) + len(written)
            self.mine += parcel.spans
            if parcel.posted:
                self._posted.add(name)
        return gone

    def take(self) -> Parcel | None:
        """The oldest parcel, claimed for this process; `done` or `back` ends the claim."""
        with self._lock:
            for file in self._waiting():
                claimed = file.with_name(f"{file.name}.{os.getpid()}")
                try:
                    file.rename(claimed)
                    os.utime(claimed)
                    header, _, body = claimed.read_bytes().partition(b"\n")
                    fields = orjson.loads(header)
                except (OSError, ValueError):
                    self._forget(claimed)  # another process was faster, or the file is no parcel
                    continue
                return Parcel(
                    path=fields["path"],
                    content_type=fields["content_type"],
                    body=body,
                    spans=fields["spans"],
                    gzipped=fields["gzipped"],
                    mine=_process(file) == os.getpid(),
                    posted=file.stem in self._posted,
                    file=claimed,
                )
        return None

    def done(self, parcel: Parcel) -> None:
        """The parcel was delivered, or never will be."""
        with self._lock:
            if parcel.file is not None:
                self._forget(parcel.file)
                self._posted.discard(_stem(parcel.file))
            if parcel.mine:
                self.mine = max(0, self.mine - parcel.spans)

    def back(self, parcel: Parcel) -> None:
        """The parcel waits again, in its old place."""
        with self._lock, contextlib.suppress(OSError):
            if parcel.file is not None:
                if parcel.posted and parcel.mine:
                    self._posted.add(_stem(parcel.file))
                parcel.file.rename(parcel.file.with_name(parcel.file.name.rpartition(".")[0]))

    def _waiting(self) -> list[Path]:
        try:
            names = os.listdir(self._folder)
        except OSError:
            return []
        now = time.time()
        for name in names:
            if not name.endswith(_SUFFIX):
                self._take_over(self._folder / name, now)
            elif now - _number([name.partition("-")[0]]) / 1e9 > _KEPT_SECONDS:
                self._forget(self._folder / name)
        return [self._folder / name for name in sorted(names) if name.endswith(_SUFFIX)]

    def _take_over(self, claimed: Path, now: float) -> None:
        """Frees a claim whose process is gone, and removes what was never written to its end."""
        with contextlib.suppress(OSError):
            if now - claimed.stat().st_mtime <= _STALE_SECONDS:
                return
            if claimed.suffix == ".tmp":
                claimed.unlink()
            else:
                claimed.rename(claimed.with_name(claimed.name.rpartition(".")[0]))

    def _make_room(self, size: int) -> int:
        if self._size is None:
            self._size = sum(file.stat().st_size for file in self._waiting())
        gone = 0
        if self._size + size > self._limit:
            for file in self._waiting():
                if self._size + size <= self._limit:
                    break
                gone += _spans(file)
                if _process(file) == os.getpid():
                    self.mine = max(0, self.mine - _spans(file))
                self._forget(file)
        return gone

    def _forget(self, file: Path) -> None:
        with contextlib.suppress(OSError):
            size = file.stat().st_size
            file.unlink()
            self._size = max(0, (self._size or 0) - size)


def _stem(claimed: Path) -> str:
    return claimed.name.partition(".")[0]


def _process(file: Path) -> int:
    return _number(file.name.split("-")[1:2])


def _spans(file: Path) -> int:
    return _number([file.name.split("-")[-1].partition(".")[0]])


def _number(texts: list[str]) -> int:
    return int(texts[0]) if texts and texts[0].isdigit() else 0
