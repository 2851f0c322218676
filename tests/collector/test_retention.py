"""Retention while the collector runs, and the registry beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.errors import InvalidValue, NotFound
from collector.model import Batch, RetentionPolicy
from collector.registry import Kind, Reference, Registry, index_of, prompt_of
from collector.retention import Retention
from collector.store import open_store
from collector.store.sqlite import SqliteStore
from tests.collector.store.samples import question


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = open_store(tmp_path / "traces.db")
    yield store
    store.close()


def test_a_policy_is_applied_while_spans_come(store: SqliteStore) -> None:
    retention = Retention(store, RetentionPolicy(max_traces=5), interval_s=0.05, first_s=0.01)
    for trace in range(20):
        store.write(Batch(spans=question(trace)))
    until = time.monotonic() + 10
    while store.stats().traces > 5 and time.monotonic() < until:
        time.sleep(0.02)
    retention.close()
    assert store.stats().traces == 5
    retention.close()


def test_without_a_policy_nothing_goes(store: SqliteStore) -> None:
    store.write(Batch(spans=question(0)))
    retention = Retention(store, first_s=0.0, interval_s=0.01)
    time.sleep(0.1)
    retention.close()
    assert store.stats().traces == 1


def test_references() -> None:
    assert Reference.parse("answer") == Reference("answer", "latest")
    assert Reference.parse("team@home@production") == Reference("team@home", "production")
    for wrong in ("@x", "x@"):
        with pytest.raises(InvalidValue):
            Reference.parse(wrong)


def test_a_prompt_is_published_promoted_and_read(store: SqliteStore) -> None:
    prompts = Registry(store.catalog, Kind.PROMPT)
    first = prompts.publish("answer", {"template": "Answer {question}"}, labels=["production"])
    second = prompts.publish("answer", {"template": "Answer briefly: {question}"})
    assert prompts.publish("answer", {"template": "Answer {question}"}).digest == first.digest
    assert prompt_of(prompts.get("answer@production")).template == "Answer {question}"
    prompts.promote(f"answer@{second.digest[:10]}", "production")
    assert prompts.get("answer@production").digest == second.digest
    assert [one.digest for one in prompts.history("answer")] == [second.digest, first.digest]
    assert (prompts.names(), prompts.forget("answer"), prompts.names()) == (["answer"], 2, [])
    with pytest.raises(NotFound):
        prompts.get("answer@production")


def test_an_index_manifest_reads_as_an_index(store: SqliteStore) -> None:
    version = Registry(store.catalog, Kind.INDEX).publish("docs", {"passage_count": 812, "embedding_model": "m", "other": [1]})
    assert (index_of(version).name, index_of(version).passage_count, index_of(version).embedding_model) == ("docs", 812, "m")
    with pytest.raises(InvalidValue):
        prompt_of(version)
