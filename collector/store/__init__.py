"""The store: one protocol pair (`base`), one backend (`sqlite`), opened by path or URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from collector.errors import InvalidValue

if TYPE_CHECKING:
    from collector.store.sqlite import SqliteStore

BACKENDS = ("sqlite",)


def open_store(url_or_path: str | Path, *, read_only: bool = False) -> SqliteStore:
    """The store at a path or URL (`sqlite:///relative.db`, `sqlite:////absolute.db`), created if it is not there.

    The writing store holds a lock until it is closed (`StoreLocked` for the second one); `read_only` needs no lock and creates nothing.
    A damaged file, one that is not ours or of a newer version raises `StoreUnreadable`, a folder that cannot be written `StoreUnavailable`.
    """
    from collector.store.sqlite import SqliteStore

    return SqliteStore(store_path(url_or_path), read_only=read_only)


def store_path(url_or_path: str | Path) -> Path:
    """The file that a path or URL names, links followed: the lock must be the same by whatever name a file is asked for."""
    given = str(url_or_path)
    scheme, separator, _ = given.partition("://")
    if not separator:
        return Path(given).resolve()
    if scheme not in BACKENDS:
        raise InvalidValue(f"no store for {scheme}://: give a path or {', '.join(f'{name}:///path' for name in BACKENDS)}")
    return Path(unquote(urlsplit(given).path).removeprefix("/") or "rightpassage.db").resolve()
