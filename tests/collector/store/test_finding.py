"""How lists are read: what a query reads of the file, and what it says where the file is damaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from collector.errors import StoreUnreadable
from collector.filters import EVERYTHING, parse
from collector.model import Batch, PageRequest
from collector.store import open_store, packs
from collector.store.connection import connect
from tests.collector.store.samples import NOW, question, span


def test_a_walk_over_traces_side_by_side_unpacks_each_pack_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(tmp_path / "traces.db")
    for trace in range(6):  # one pack each; their spans begin by turns
        store.write(
            Batch(spans=[span(trace, number, start=NOW + number * 6 + trace, attributes={"input.value": "same"}) for number in range(8)])
        )
    unpacked: list[bytes] = []
    whole = packs.unpack

    def noted(data: bytes) -> Sequence[bytes]:
        unpacked.append(data)
        return whole(data)

    monkeypatch.setattr(packs, "unpack", noted)
    assert len(store.find_spans(parse("input:same"), PageRequest(limit=48)).items) == 48
    store.close()
    assert len(unpacked) == 6


def test_a_text_that_is_no_utf8_is_told_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "traces.db"
    store = open_store(path)
    store.write(Batch(spans=question(0)))
    store.close()
    direct = connect(path)
    direct.execute("UPDATE traces SET root_name = CAST(x'ff41fe' AS TEXT)")
    direct.close()
    hurt = open_store(path)
    with pytest.raises(StoreUnreadable, match=r"damaged: a text in it is no UTF-8"):
        hurt.find_traces(EVERYTHING, PageRequest())
    hurt.close()


def test_a_root_alone_borrows_no_answer_that_it_does_not_borrow_in_its_trace(tmp_path: Path) -> None:
    """Neither from a retriever nor from the model that wrote its queries."""
    store = open_store(tmp_path / "traces.db")
    asked = span(0, 0, attributes={"input.value": "why?"})
    found = span(0, 1, 0, kind="RETRIEVER", start=NOW + 1, attributes={"output.value": '[{"content": "a passage"}]'})
    store.write(Batch(spans=[asked, found, span(0, 2, 1, kind="LLM", start=NOW + 2, attributes={"output.value": "why, rephrased"})]))
    whole = {one.span_id: one for one in store.trace(asked.trace_id).spans}[asked.span_id]
    alone = store.span(asked.trace_id, asked.span_id)
    store.close()
    assert whole.normalised is not None
    assert whole.normalised.output is None
    assert alone.normalised == whole.normalised
