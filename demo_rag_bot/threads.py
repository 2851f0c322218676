"""Threads, their messages and the feedback on them: the bot's own small SQLite file.

One connection behind one lock: a chat is never busy enough for more. A message is stored as the JSON that the HTTP API answers with.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import threading
import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_SCHEMA = """
create table if not exists threads (
  id text primary key, channel text not null, title text not null default '', user text not null, seeded int not null default 0,
  created text not null, updated text not null);
create index if not exists threads_by_update on threads (updated desc);
create table if not exists messages (
  id text primary key, thread_id text not null references threads (id) on delete cascade, number int not null, body text not null);
create unique index if not exists messages_by_thread on messages (thread_id, number);
create table if not exists feedback (
  message_id text not null references messages (id) on delete cascade, user text not null, source text not null default '',
  value int, reason text, created text not null, sent int not null default 0, primary key (message_id, user, source));
create table if not exists slack_messages (channel text not null, ts text not null, message_id text not null, primary key (channel, ts));
create table if not exists slack_events (id text primary key, seen real not null);
"""
THREAD_ID = re.compile(r"[A-Za-z0-9._:-]{1,80}")

Body = dict[str, Any]
"""A Message or Thread in the form of docs/bot.md."""


class UnknownThread(Exception):
    """No thread, or no message, has this id."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What one user thinks of an answer, or of one of its sources; no value: taken back."""

    message_id: str
    user: str
    value: int | None
    reason: str | None = None
    source: str = ""
    created: str = ""


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id() -> str:
    return uuid.uuid4().hex[:16]


class ThreadStore:
    """The file. Any thread may call; every method is one transaction."""

    def __init__(self, path: Path | str) -> None:
        if path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # what people ask is for the owner alone, like their traces
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, timeout=10)
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma foreign_keys = on")
        self._db.execute("pragma journal_mode = wal")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection, None, None]:
        with self._lock, self._db:
            yield self._db

    # ---- Threads ----

    def open_thread(self, thread_id: str, *, channel: str, user: str, seeded: bool = False, created: str | None = None) -> Body:
        """The thread, made where it is new."""
        when = created or now()
        with self._transaction() as db:
            db.execute(
                "insert into threads (id, channel, user, seeded, created, updated) values (?, ?, ?, ?, ?, ?) on conflict do nothing",
                (thread_id, channel, user, int(seeded), when, when),
            )
            return self._thread(db, thread_id)

    def thread(self, thread_id: str) -> Body:
        """The thread with its messages, oldest first."""
        with self._transaction() as db:
            rows = db.execute("select id, body from messages where thread_id = ? order by number", (thread_id,)).fetchall()
            return {**self._thread(db, thread_id), "messages": [self._message(db, row) for row in rows]}

    def threads(self, *, channel: str | None = None, limit: int = 50, before: str | None = None) -> tuple[list[Body], str | None]:
        """Threads, the last active first, and where the next page begins."""
        with self._transaction() as db:
            rows = db.execute(
                "select id, updated from threads where (?1 is null or channel = ?1) and (?2 is null or updated < ?2)"
                " order by updated desc limit ?3",
                (channel, before, limit + 1),
            ).fetchall()
            return [self._thread(db, row["id"]) for row in rows[:limit]], rows[limit - 1]["updated"] if len(rows) > limit else None

    def channel_counts(self) -> Mapping[str, int]:
        with self._transaction() as db:
            return dict(db.execute("select channel, count(*) from threads group by channel").fetchall())

    def delete_thread(self, thread_id: str) -> None:
        with self._transaction() as db:
            if not db.execute("delete from threads where id = ?", (thread_id,)).rowcount:
                raise UnknownThread(f"no thread {thread_id!r}")

    def delete_seeded(self) -> None:
        """The history of an earlier `seed` goes before a new one is made."""
        with self._transaction() as db:
            db.execute("delete from threads where seeded = 1")

    def _thread(self, db: sqlite3.Connection, thread_id: str) -> Body:
        row = db.execute("select * from threads where id = ?", (thread_id,)).fetchone()
        if row is None:
            raise UnknownThread(f"no thread {thread_id!r}")
        last = db.execute("select body from messages where thread_id = ? order by number desc limit 1", (thread_id,)).fetchone()
        count = db.execute("select count(*) from messages where thread_id = ?", (thread_id,)).fetchone()[0]
        keys = ("id", "channel", "title", "user", "created", "updated")
        return {**{key: row[key] for key in keys}, "message_count": count, "last_text": json.loads(last["body"])["text"] if last else ""}

    # ---- Messages ----

    def add_message(self, thread_id: str, body: Body) -> Body:
        """Store a message at the end of its thread; its first question names the thread."""
        with self._transaction() as db:
            number = db.execute("select coalesce(max(number), 0) + 1 from messages where thread_id = ?", (thread_id,)).fetchone()[0]
            db.execute(
                "insert into messages (id, thread_id, number, body) values (?, ?, ?, ?)",
                (body["id"], thread_id, number, json.dumps(body, ensure_ascii=False)),
            )
            title = body["text"][:120] if body["role"] == "user" and not body["text"].startswith("/") else ""
            db.execute(
                "update threads set updated = ?, title = iif(title = '', ?, title) where id = ?", (body["created"], title, thread_id)
            )
            return {**body, "feedback": []}

    def message(self, message_id: str) -> Body:
        with self._transaction() as db:
            row = db.execute("select id, body from messages where id = ?", (message_id,)).fetchone()
            if row is None:
                raise UnknownThread(f"no message {message_id!r}")
            return self._message(db, row)

    def questions(self, thread_id: str) -> list[str]:
        """What the users of a thread asked so far, commands left out."""
        with self._transaction() as db:
            rows = db.execute("select body from messages where thread_id = ? order by number", (thread_id,)).fetchall()
        bodies = [json.loads(row["body"]) for row in rows]
        return [body["text"] for body in bodies if body["role"] == "user" and not body["text"].startswith("/")]

    def _message(self, db: sqlite3.Connection, row: sqlite3.Row) -> Body:
        given = db.execute(
            "select user, value, reason, source, created from feedback where message_id = ? and value is not null order by created",
            (row["id"],),
        ).fetchall()
        feedback = [{**dict(one), "source": one["source"] or None} for one in given]
        return {**json.loads(row["body"]), "feedback": feedback}

    # ---- Feedback ----

    def give_feedback(self, feedback: Feedback) -> None:
        """The last word of a user on an answer or source counts."""
        with self._transaction() as db:
            db.execute(
                "insert into feedback (message_id, user, source, value, reason, created) values (?, ?, ?, ?, ?, ?) on conflict do update"
                " set value = excluded.value, reason = excluded.reason, created = excluded.created, sent = 0",
                (feedback.message_id, feedback.user, feedback.source, feedback.value, feedback.reason, feedback.created or now()),
            )

    def unsent_feedback(self) -> Sequence[Feedback]:
        with self._transaction() as db:
            rows = db.execute(
                "select message_id, user, value, reason, source, created from feedback where sent = 0 order by created"
            ).fetchall()
        return [Feedback(**dict(row)) for row in rows]

    def mark_sent(self, feedback: Feedback) -> None:
        with self._transaction() as db:
            db.execute(
                "update feedback set sent = 1 where message_id = ? and user = ? and source = ? and created = ?",
                (feedback.message_id, feedback.user, feedback.source, feedback.created),
            )

    # ---- Slack ----

    def remember_slack_message(self, channel: str, ts: str, message_id: str) -> None:
        with self._transaction() as db:
            db.execute("insert or replace into slack_messages values (?, ?, ?)", (channel, ts, message_id))

    def slack_message(self, channel: str, ts: str) -> str | None:
        with self._transaction() as db:
            row = db.execute("select message_id from slack_messages where channel = ? and ts = ?", (channel, ts)).fetchone()
            return row["message_id"] if row else None

    def first_time(self, event_id: str, *, time_s: float, keep_s: float = 3600) -> bool:
        """Whether this event was never seen before; forgets those older than `keep_s`."""
        with self._transaction() as db:
            db.execute("delete from slack_events where seen < ?", (time_s - keep_s,))
            return db.execute("insert or ignore into slack_events values (?, ?)", (event_id, time_s)).rowcount == 1
