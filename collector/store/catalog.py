"""The catalogue on the store's own file and writer: immutable versions by digest, labels that move, trials in order.

Few records, so sqlite-utils writes them, inside the writer's transaction like everything else.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import orjson

from collector.errors import InvalidValue, NotFound
from collector.model import AnnotatorKind, Json, Score, Target, Trial, Version
from collector.store.connection import Connection, sqlite_utils_database
from collector.store.writer import Writer

LATEST = "latest"
_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def digest(content: Json) -> str:
    """The identity of a content: SHA-256 of its JSON with sorted keys."""
    return hashlib.sha256(orjson.dumps(content, option=_CANONICAL)).hexdigest()


class SqliteCatalog:
    """`Catalog` beside the spans; see there for the promises."""

    def __init__(self, reader: Callable[[], AbstractContextManager[Connection]], writer: Callable[[], Writer]) -> None:
        self._reader, self._writer = reader, writer

    @contextmanager
    def _writing(self) -> Generator[Any]:
        with self._writer().transaction() as connection:
            yield sqlite_utils_database(connection)

    # ---- Versions ----

    def add_version(self, kind: str, name: str, content: Json, labels: Sequence[str] = ()) -> Version:
        _check_name("kind", kind)
        _check_name("name", name)
        stamp = digest(content)
        row = {"kind": kind, "name": name, "digest": stamp, "content": orjson.dumps(content, option=_CANONICAL).decode()}
        with self._writing() as database:
            added = {**row, "created_unix_nano": time.time_ns()}
            known = database.query("SELECT id FROM versions WHERE kind=:kind AND name=:name AND digest=:digest", row)
            if next(known, None) is None:
                database["versions"].insert(added)
            for label in labels:
                self._move(database, kind, name, stamp, label)
        return self.version(kind, name, stamp)

    def version(self, kind: str, name: str, digest_or_label: str = LATEST) -> Version:
        with self._reader() as connection:
            row = self._find(connection, kind, name, digest_or_label)
            return self._read(connection, row)

    def versions(self, kind: str, name: str) -> Sequence[Version]:
        select = f"SELECT {_VERSION} FROM versions WHERE kind=? AND name=? ORDER BY id DESC"
        with self._reader() as connection:
            return [self._read(connection, row) for row in connection.execute(select, (kind, name)).fetchall()]

    def names(self, kind: str) -> Sequence[str]:
        with self._reader() as connection:
            return [row[0] for row in connection.execute("SELECT DISTINCT name FROM versions WHERE kind=? ORDER BY name", (kind,))]

    def label(self, kind: str, name: str, digest: str, label: str) -> Version:
        found = self.version(kind, name, digest)
        with self._writing() as database:
            self._move(database, kind, name, found.digest, label)
        return self.version(kind, name, found.digest)

    def remove(self, kind: str, name: str) -> int:
        with self._writing() as database:
            gone = database.execute("DELETE FROM versions WHERE kind=? AND name=?", (kind, name)).rowcount
            database.execute("DELETE FROM labels WHERE kind=? AND name=?", (kind, name))
        return gone

    def _find(self, connection: Connection, kind: str, name: str, wanted: str) -> Sequence[Any]:
        select = f"SELECT {_VERSION} FROM versions WHERE kind=? AND name=?"
        if wanted == LATEST:
            rows = connection.execute(f"{select} ORDER BY id DESC LIMIT 1", (kind, name)).fetchall()
        else:
            named = "SELECT digest FROM labels WHERE kind=? AND name=? AND label=?"
            label = connection.execute(named, (kind, name, wanted)).fetchone()
            start = label[0] if label else wanted
            rows = connection.execute(f"{select} AND substr(digest, 1, ?) = ?", (kind, name, len(start), start)).fetchall()
        if len(rows) == 1 and wanted:
            return rows[0]
        if rows:
            raise InvalidValue(f"{wanted!r} begins {len(rows)} digests of {kind} {name!r}: give more of it")
        raise NotFound(f"no {kind} {name!r} with the version or label {wanted!r}; known: {', '.join(self._known(connection, kind, name))}")

    @staticmethod
    def _known(connection: Connection, kind: str, name: str) -> Sequence[str]:
        labels = [row[0] for row in connection.execute("SELECT label FROM labels WHERE kind=? AND name=? ORDER BY label", (kind, name))]
        select = "SELECT substr(digest, 1, 12) FROM versions WHERE kind=? AND name=? ORDER BY id DESC LIMIT 10"
        return [*labels, *(row[0] for row in connection.execute(select, (kind, name)))] or ["none"]

    @staticmethod
    def _read(connection: Connection, row: Sequence[Any]) -> Version:
        kind, name, stamp, content, created = row
        labels = connection.execute("SELECT label FROM labels WHERE kind=? AND name=? AND digest=? ORDER BY label", (kind, name, stamp))
        return Version(kind, name, stamp, orjson.loads(content), created, [found[0] for found in labels])

    @staticmethod
    def _move(database: Any, kind: str, name: str, stamp: str, label: str) -> None:
        _check_name("label", label)
        if label == LATEST:
            raise InvalidValue("the label 'latest' moves by itself: it is the version added last")
        row = {"kind": kind, "name": name, "label": label, "digest": stamp}
        database["labels"].upsert(row, pk=("kind", "name", "label"))

    # ---- Trials ----

    def add_trials(self, trials: Sequence[Trial]) -> None:
        with self._writing() as database:
            database["trials"].insert_all(map(_trial_row, trials))

    def trials(self, experiment: str) -> Sequence[Trial]:
        select = "SELECT experiment, example_id, trace_id, output, scores, error FROM trials WHERE experiment=? ORDER BY id"
        with self._reader() as connection:
            return [_trial(row) for row in connection.execute(select, (experiment,))]


_VERSION = "kind, name, digest, content, created_unix_nano"


def _check_name(what: str, text: str) -> None:
    if not text.strip() or len(text) > 200:
        raise InvalidValue(f"a {what} must have 1 to 200 characters, not {text[:40]!r}")


def _trial_row(trial: Trial) -> dict[str, str | None]:
    scores = [
        [
            score.name,
            score.value,
            score.label,
            score.explanation,
            score.annotator_kind.value,
            score.annotator_id,
            score.id,
            score.time_unix_nano,
        ]
        for score in trial.scores
    ]
    return {
        "experiment": trial.experiment,
        "example_id": trial.example_id,
        "trace_id": trial.trace_id,
        "output": None if trial.output is None else orjson.dumps(trial.output).decode(),
        "scores": orjson.dumps(scores).decode(),
        "error": trial.error,
    }


def _trial(row: Sequence[Any]) -> Trial:
    experiment, example_id, trace_id, output, scores, error = row
    read = [
        Score(name, value, label, explanation, AnnotatorKind(kind), annotator, Target(trace_id), score_id, time_ns)
        for name, value, label, explanation, kind, annotator, score_id, time_ns in orjson.loads(scores)
    ]
    return Trial(experiment, example_id, trace_id, None if output is None else orjson.loads(output), read, error)
