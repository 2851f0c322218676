"""For people with sqlite-utils or datasette: the function `span_payload(data, slot)`, which unpacks what a span was sent with, as JSON.

    sqlite-utils traces.db "select span_payload(p.data, s.slot) from spans s join packs p on p.id = s.pack limit 1"

Registered by entry points, so it is there as soon as both are installed in one environment.
"""

from __future__ import annotations

from pluggy import HookimplMarker

from collector.store import packs
from collector.store.connection import Connection


def span_payload(data: bytes, slot: int) -> str:
    """The JSON of one span out of a pack."""
    return packs.unpack(data)[slot].decode()


class SqliteUtilsPlugin:
    @HookimplMarker("sqlite_utils")
    def prepare_connection(self, conn: Connection) -> None:
        conn.create_function("span_payload", 2, span_payload, deterministic=True)


class DatasettePlugin:
    @HookimplMarker("datasette")
    def prepare_connection(self, conn: Connection) -> None:
        conn.create_function("span_payload", 2, span_payload, deterministic=True)


for_sqlite_utils = SqliteUtilsPlugin()
for_datasette = DatasettePlugin()
