"""The schema, made and brought up to date by sqlite-utils migrations, and the checks a file must pass before we touch it.

`PRAGMA user_version` repeats how many migrations were applied: it is readable without importing sqlite-utils (0.3 s), which is therefore
only loaded when something is pending. A file of a newer version is refused; each migration runs in one transaction.
"""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import TYPE_CHECKING

from collector.errors import StoreUnreadable
from collector.store.connection import Connection, sqlite3, sqlite_utils_database

if TYPE_CHECKING:
    from sqlite_utils import Database

APPLICATION_ID = 0x52505354  # "RPST": says whose file this is
VERSION = 4
LINKS_SINCE = 3
MIGRATION_SET = "rightpassage"


def sql(name: str) -> str:
    """A statement from `sql/`."""
    return importlib.resources.files("collector.store").joinpath("sql", f"{name}.sql").read_text("utf-8")


def _first(database: Database) -> None:
    """Schema 1."""
    for statement in statements(sql("schema")):
        database.execute(statement)


def _second(database: Database) -> None:
    """Schema 2: roll-ups that were left for later."""
    for statement in statements(sql("stale")):
        database.execute(statement)


def _third(database: Database) -> None:
    """Schema 3: links from the other end, and a counter that counts the scores that count."""
    for statement in statements(sql("links")):
        database.execute(statement)


def _fourth(database: Database) -> None:
    """Schema 4: indexes of what failed."""
    for statement in statements(sql("failed")):
        database.execute(statement)


def statements(script: str) -> list[str]:
    """The statements of a script, one by one: `executescript` would commit the migration's transaction."""
    found: list[str] = []
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending)
            pending = ""
    return found


MIGRATIONS = (("schema 1", _first), ("schema 2", _second), ("schema 3", _third), ("schema 4", _fourth))


def version(connection: Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check(connection: Connection, path: Path) -> None:
    """Raise `StoreUnreadable` for a file that is damaged, not ours, or of a newer version; reads a handful of pages."""
    try:
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        found = version(connection)
        if tables and application != APPLICATION_ID:
            raise StoreUnreadable(f"{path} is a database of another application; give --db another path")
        if found > VERSION:
            raise StoreUnreadable(f"{path} has schema {found}, this version reads up to {VERSION}: install a newer rightpassage")
        for table in ("spans", "traces", "packs") if found else ():
            connection.execute(f"SELECT max(id), (SELECT 1 FROM {table} ORDER BY id LIMIT 1) FROM {table}").fetchone()
        if found and connection.execute("SELECT 1 FROM counters").fetchone() is None:
            raise StoreUnreadable(f"{path} is damaged: its counters are missing")
    except sqlite3.DatabaseError as error:
        raise StoreUnreadable(
            f"{path} is damaged or no database ({error}): restore a backup, or move it away to start empty (nothing was changed)"
        ) from error


def migrate(connection: Connection, path: Path) -> None:
    """Bring the file to the current schema."""
    check(connection, path)
    if version(connection) == VERSION:
        return
    fresh = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if fresh:
        connection.execute("PRAGMA page_size=4096")
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # freed pages can be given back a slice at a time
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    database = sqlite_utils_database(connection)
    from sqlite_utils.migrations import Migrations

    migrations = Migrations(MIGRATION_SET)
    for name, step in MIGRATIONS:
        migrations(name=name)(step)
    migrations.apply(database)
    connection.execute(f"PRAGMA user_version={VERSION}")
