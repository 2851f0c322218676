from pathlib import Path

import pytest

from demo_rag_bot.corpus import read_corpus
from demo_rag_bot.endpoint import Endpoint
from demo_rag_bot.snapshots import open_or_build, open_snapshot, snapshots


def test_a_snapshot_is_opened_as_it_was_saved(docs: Path, tmp_path: Path) -> None:
    endpoint = Endpoint.open()
    built = open_or_build(read_corpus(docs), endpoint, tmp_path / "ix")
    opened = open_snapshot(tmp_path / "ix" / built.manifest.version)
    assert opened.manifest == built.manifest
    assert list(opened.passages) == list(built.passages)
    vector = endpoint.embed(["mount a volume"])[0]
    assert opened.dense(vector, 5) == built.dense(vector, 5)
    endpoint.close()


def test_only_new_text_is_embedded_and_old_snapshots_stay(docs: Path, tmp_path: Path) -> None:
    endpoint = Endpoint.open()
    totals: list[int] = []

    def progress(what: str, done: int, total: int) -> None:
        if done == 0:
            totals.append(total)

    first = open_or_build(read_corpus(docs), endpoint, tmp_path / "ix", progress=progress)
    open_or_build(read_corpus(docs), endpoint, tmp_path / "ix", progress=progress)
    (docs / "notes.txt").write_text("Version 3 is faster than version 2 in every respect that we measured on our own machines.")
    second = open_or_build(read_corpus(docs), endpoint, tmp_path / "ix", progress=progress)
    assert totals == [len(first.passages), 1]
    assert {manifest.version for manifest in snapshots(tmp_path / "ix")} == {first.manifest.version, second.manifest.version}
    assert first.manifest.corpus_digest != second.manifest.corpus_digest
    endpoint.close()


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    endpoint = Endpoint.open()
    with pytest.raises(ValueError, match="nothing to index"):
        open_or_build(read_corpus(tmp_path), endpoint, tmp_path / "ix")
    endpoint.close()


def test_synonyms_and_typos_find_the_page(docs: Path, tmp_path: Path) -> None:
    endpoint = Endpoint.open()
    index = open_or_build(read_corpus(docs), endpoint, tmp_path / "ix")
    for question, source in [
        ("get rid of a volume", "volumes.md"),
        ("how do I instal it", "install.md"),
        ("rottation of log files", "logging.html"),
        ("ボリュームの削除", "ja.md"),
    ]:
        assert index.passages[index.lexical(question, 1)[0].position].source == source, question
    endpoint.close()
