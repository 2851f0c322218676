"""A statement's whole answer in one step of SQLite: a JSON array per column.

Python's SQLite gives the interpreter away before every row and must win it back after it. Beside a thread that computes (spans come in),
each of these may wait five milliseconds: 10,000 rows took 250 ms, at the 95th percentile, that take 60 alone. Packed by SQLite into one
row they cost one such wait, and a third less time of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from collector.store.connection import Connection


def real(expression: str) -> str:
    """A floating point number for `columns_of`: as text, since SQLite before 3.47 writes JSON numbers with 15 digits. Read by `number`."""
    return f"iif({expression} IS NULL, NULL, printf('%!.17g', {expression}))"


def number(text: str | None) -> float | None:
    """The number that `real` wrote."""
    return None if text is None else float(text)


def columns_of(connection: Connection, expressions: Sequence[str], source: str, parameters: Sequence[Any] = ()) -> list[list[Any]]:
    """`SELECT expressions source` as one list per expression, in the order of the rows. Integers, texts and NULL; no blobs (ask for their
    `hex`), and of floats only what `real` wraps."""
    inner = ", ".join(f"{expression} AS c{place}" for place, expression in enumerate(expressions))
    packed = ", ".join(f"json_group_array(c{place})" for place in range(len(expressions)))
    row: Sequence[str] = connection.execute(f"SELECT {packed} FROM (SELECT {inner} {source})", parameters).fetchone()
    return [orjson.loads(column) for column in row]
