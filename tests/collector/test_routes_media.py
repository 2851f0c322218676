"""Media that Langfuse SDKs offer: not kept, and no error in the user's program."""

from __future__ import annotations

from pathlib import Path

from tests.collector.served import served

OFFER = {"traceId": "ab" * 16, "contentType": "image/png", "contentLength": 70, "sha256Hash": "aGFzaA==", "field": "input"}


def test_langfuse_sdks_are_told_that_there_is_nothing_to_upload(tmp_path: Path) -> None:
    with served(tmp_path) as here:
        answer = here.http.post("/api/public/media", json=OFFER, headers={"authorization": "Basic cGstbGY6c2stbGY="})
        assert answer.status_code == 200
        assert answer.json()["uploadUrl"] is None  # what their clients take for "already there"
        assert isinstance(answer.json()["mediaId"], str)
