"""The SQLite we talk to, and how a connection to our file is opened.

One process must never hold two copies of SQLite on one file: closing a descriptor in one drops the POSIX locks of the other, a known way
to corrupt a database. So there is one rule for everybody, sqlite-utils' own: `pysqlite3` where it is installed (SQLite 3.53, with the
WAL-reset fix of 3.51.3), the standard library's otherwise. Everything here works with the features of SQLite 3.40.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import shutil
import sys
from collections.abc import Generator, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

from collector.errors import StoreLocked, StoreUnavailable, StoreUnreadable

if TYPE_CHECKING:
    import sqlite3
else:
    try:
        from pysqlite3 import dbapi2 as sqlite3
    except ImportError:
        import sqlite3

__all__ = [
    "NULL",
    "Connection",
    "connect",
    "explained",
    "insert_rows",
    "lock_file",
    "prepare_file",
    "sqlite3",
    "sqlite_utils_database",
    "with_nulls",
]

Connection = sqlite3.Connection
NULL = math.nan
"""What to bind for NULL where many rows are written. The module looks for an adapter, through exceptions, for each None that it binds
(0.6 µs: of the 13 µs of a span's row, 10 were the NULLs); a NaN goes straight to SQLite, which stores it as NULL."""
BUSY_MS = 10_000
WRITER_CACHE_KIB, READER_CACHE_KIB = 65_536, 8_192
ROOM = 256 * 1024  # of free disk: with less, an error of the medium is told as a full disk
CHECKPOINT_PAGES = 8_192  # 32 MiB: a hot index leaf goes through the WAL many times before it is copied once

# Result codes (primary) that mean "the medium refuses", not "we made a mistake".
_REFUSED = {8: "read-only", 10: "input/output error", 13: "disk full", 14: "cannot open"}
_DAMAGED = {11: "damaged", 26: "not a database"}


def connect(path: Path, *, read_only: bool = False, query_only: bool = False, cache_kib: int = READER_CACHE_KIB) -> Connection:
    """A connection in autocommit (we say BEGIN ourselves), usable from any thread, one at a time."""
    mode = "ro" if read_only else "rw"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    connection.execute(f"PRAGMA cache_size=-{cache_kib}")
    connection.execute("PRAGMA mmap_size=0")  # memory-mapped pages made a real corruption case worse
    connection.execute("PRAGMA foreign_keys=OFF")
    if read_only or query_only:
        connection.execute("PRAGMA wal_autocheckpoint=0")  # only the writer checkpoints
        connection.execute("PRAGMA query_only=1")
    else:
        # Deleted text is overwritten where that costs no page more; pages that became free leave the file with the slices given back.
        connection.execute("PRAGMA secure_delete=FAST")
    return connection


def with_nulls(rows: Iterable[Sequence[object]]) -> list[list[object]]:
    """Rows to bind, with `NULL` for None."""
    return [[NULL if value is None else value for value in row] for row in rows]


ROWS_AT_ONCE = (128, 16)
"""Rows of one INSERT: it runs in SQLite as a whole, without the interpreter's lock; for a row alone the lock is let go and taken again."""


def insert_rows(connection: Connection, table: str, rows: Sequence[Sequence[object]], columns: str = "") -> None:
    """Append rows of one length, with `NULL` for None; in the table's order of columns where none are named."""
    if not rows:
        return
    at, width = 0, len(rows[0])
    for count in ROWS_AT_ONCE:
        while len(rows) - at >= count:
            values = [NULL if value is None else value for row in rows[at : at + count] for value in row]
            connection.execute(_insert(table, columns, width, count), values)
            at += count
    connection.executemany(_insert(table, columns, width, 1), with_nulls(rows[at:]))


@lru_cache
def _insert(table: str, columns: str, width: int, rows: int) -> str:
    row = f"({','.join('?' * width)})"
    return f"INSERT INTO {table}{f' ({columns})' if columns else ''} VALUES {','.join([row] * rows)}"


def prepare_file(path: Path) -> None:
    """Create the file and its folder for the owner alone; say in one line why not."""
    wal = Path(f"{path}-wal")
    if path.exists() and not path.stat().st_size and wal.exists() and wal.stat().st_size:
        raise StoreUnreadable(f"{path} is empty but its write-ahead log is not: it was truncated; restore it from a backup or move it away")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnavailable(f"cannot write the database {path}: {error.strerror}") from error


def lock_file(path: Path) -> IO[str]:
    """Hold the database for this process until the returned file is closed; the kernel lets go when the process dies."""
    lock = Path(f"{path}.lock")
    try:
        file = os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    except OSError as error:
        raise StoreUnavailable(f"cannot write beside the database {path}: {error.strerror}") from error
    try:
        _take(file)
    except OSError as error:
        holder = file.read().strip()
        file.close()
        raise StoreLocked(f"{path} is held by another collector{f' (process {holder})' if holder else ''}") from error
    with contextlib.suppress(OSError):  # a full disk: the lock holds without saying whose it is
        os.ftruncate(file.fileno(), 0)
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        os.write(file.fileno(), str(os.getpid()).encode())
    return file


if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[str]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def explained(path: Path) -> Generator[None]:
    """SQLite's errors as ours: a refusing medium is `StoreUnavailable`, a damaged file `StoreUnreadable`."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGED:
            raise StoreUnreadable(f"{path} is {_DAMAGED[code]}: {error}") from error
        if "decode to UTF-8" in str(error):  # the driver's own complaint, without a code
            raise StoreUnreadable(f"{path} is damaged: a text in it is no UTF-8") from error
        if code in _REFUSED:
            raise StoreUnavailable(f"{path}: {_full(path) or f'{_REFUSED[code]} ({error})'}", retry_after_s=5) from error
        if code in {5, 6}:
            raise StoreUnavailable(f"{path} is busy: {error}", retry_after_s=1) from error
        raise


def is_damage(error: BaseException) -> bool:
    """Whether SQLite says that a file is not as it left it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def is_refusal(error: BaseException) -> bool:
    """Whether the medium or another connection is in the way, so that the same may work later."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {*_REFUSED, 5, 6}


def _full(path: Path) -> str | None:
    """That the disk is full, where it is: SQLite says "disk I/O error" as well, when it cannot make its shared-memory file."""
    try:
        disk = shutil.disk_usage(path.parent)
    except OSError:
        return None
    if disk.free >= ROOM:
        return None
    left = f"{disk.free >> 10} KiB of {disk.total >> 20} MiB left at {path.parent}"
    return f"the disk is full ({left}): make room, or put the database elsewhere"


def sqlite_utils_database(connection: Connection) -> Database:
    """The connection as a sqlite-utils Database.

    Imported here, not at the top, and with pandas and NumPy hidden: sqlite-utils imports them where they are installed (Streamlit brings
    both), which costs a collector 80 MB and 0.8 s for nothing.
    """
    hidden = [name for name in ("pandas", "numpy") if name not in sys.modules]
    if "sqlite_utils" not in sys.modules:
        sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None is how Python spells "not importable"
        try:
            importlib.import_module("sqlite_utils")
        finally:
            for name in hidden:
                del sys.modules[name]
    from sqlite_utils import Database

    return Database(connection)


if TYPE_CHECKING:
    from sqlite_utils import Database
