"""An export that cannot go on: an error where nothing was sent yet, a stream without its end where something was."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from collector.errors import CollectorUnreachable
from collector.store.connection import connect
from tests.collector.served import Served, new_id, otlp_span, served


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as running:
        for second in range(3):  # a pack each
            running.send(otlp_span(new_id(16), new_id(), "ask", start=1_795_000_000_000_000_000 + second * 10**9))
        yield running


def _damage(shop: Served, pack: str) -> None:
    direct = connect(shop.database)
    direct.execute(f"UPDATE packs SET data = zeroblob(40) WHERE id = (SELECT {pack}(id) FROM packs)")
    direct.close()


def test_a_damaged_end_cuts_the_stream_and_is_one_line_in_the_log(shop: Served, caplog: pytest.LogCaptureFixture) -> None:
    _damage(shop, "max")
    with caplog.at_level(logging.ERROR), shop.http.stream("GET", "/api/v1/export") as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()
    assert [record for record in caplog.records if "damaged" in record.getMessage()]
    assert not [record for record in caplog.records if record.exc_info]
    with pytest.raises(CollectorUnreachable):
        b"".join(shop.client.export())


def test_a_damaged_beginning_is_an_error(shop: Served) -> None:
    _damage(shop, "min")
    answer = shop.http.get("/api/v1/export")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:rightpassage:store-unreadable")
