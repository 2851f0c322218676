"""Files cut into bodies: whatever form OTLP was written in, nothing is lost, and what is something else is said."""

from __future__ import annotations

import gzip
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rich.console import Console

from collector import otlp
from collector.app import private_collector
from collector.errors import InvalidValue, MalformedRequest
from collector.model import Written
from collector.otlp import Encoding
from collector.transfer import PIECE_BYTES, export_to, import_files, pieces
from tests.collector.served import rag_trace, request_of, served

QUIET = Console(quiet=True)


def requests(count: int) -> list[dict[str, object]]:
    return [request_of(*rag_trace(f"question {number}")[1]) for number in range(count)]


def protobuf(request: dict[str, object]) -> bytes:
    return otlp.encode_traces(otlp.decode_traces(json.dumps(request).encode(), Encoding.JSON).spans, Encoding.PROTOBUF)


def written_as(form: str, sent: list[dict[str, object]]) -> bytes:
    lines = b"\n".join(json.dumps(request).encode() for request in sent)
    bodies = [protobuf(request) for request in sent]
    return {
        "json lines": lines + b"\n",
        "json lines, gzipped": gzip.compress(lines),
        "json lines of a Windows editor": b"\xef\xbb\xbf" + lines.replace(b"\n", b"\r\n") + b"\r\n",
        "one document of a Windows editor": b"\xef\xbb\xbf" + json.dumps(sent[0], indent=2).replace("\n", "\r\n").encode(),
        "one document over many lines": json.dumps(sent[0], indent=2).encode(),
        "one protobuf request": bodies[0],
        "the collector's file exporter": b"".join(len(body).to_bytes(4, "big") + body for body in bodies),
    }[form]


@pytest.mark.parametrize(
    ("form", "count"),
    [
        ("json lines", 5),
        ("json lines, gzipped", 5),
        ("json lines of a Windows editor", 5),
        ("one document of a Windows editor", 1),
        ("one document over many lines", 1),
        ("one protobuf request", 1),
        ("the collector's file exporter", 5),
    ],
)
def test_every_form_is_imported_whole_and_only_once(tmp_path: Path, form: str, count: int) -> None:
    file = tmp_path / "traces"  # what it is, is seen from how it begins
    file.write_bytes(written_as(form, requests(count)))
    with private_collector(str(tmp_path / "t.db")) as client:
        first = import_files(client, [file], QUIET)
        assert (first.spans, first.duplicates) == (3 * count, 0)
        again = import_files(client, [file], QUIET)
        assert (again.spans, again.duplicates) == (0, 3 * count)
        assert client.stats().traces == count


def test_an_export_imported_elsewhere_is_equal(tmp_path: Path) -> None:
    with private_collector(str(tmp_path / "a.db")) as here, private_collector(str(tmp_path / "b.db")) as there:
        for request in requests(4):
            here.import_bytes(json.dumps(request).encode(), content_type="application/json")
        for summary in here.traces(limit=2).items:
            here.score("thumbs", trace_id=summary.trace_id, value=-1, explanation="wrong page", annotator_id="ada")
            here.score("relevant", trace_id=summary.trace_id, span_id=summary.root_span_id, label="no")
            here.score("taken back", trace_id=summary.trace_id, value=1)
            here.score("taken back", trace_id=summary.trace_id)
        export_to(here, "", "otlp-jsonl", str(tmp_path / "out.jsonl"), QUIET)
        assert import_files(there, [tmp_path / "out.jsonl"], QUIET).scores == 4
        assert import_files(there, [tmp_path / "out.jsonl"], QUIET).scores == 0
        ours = [here.trace(summary.trace_id) for summary in here.each_trace(page_size=3)]
        theirs = [there.trace(summary.trace_id) for summary in there.each_trace(page_size=3)]
    assert len(ours) == 4
    assert sum(len(trace.summary.scores) for trace in ours) == 2
    assert ours == theirs


def test_a_large_file_goes_in_pieces_cut_at_lines(tmp_path: Path) -> None:
    file = tmp_path / "large.jsonl"
    line = json.dumps(requests(1)[0]).encode() + b"\n"
    file.write_bytes(line * (3 * PIECE_BYTES // len(line)))
    bodies = [body for body, _ in pieces(file)]
    assert len(bodies) >= 3
    assert all(len(body) <= PIECE_BYTES and body.endswith(b"\n") for body in bodies)
    assert b"".join(bodies) == file.read_bytes()


@pytest.mark.parametrize("content", [b"a diary", b"{'single': 'quotes'}", b'{"resourceSpans": 7}', b"\x0a\xff\xff\xff\xff"])
def test_what_is_no_otlp_is_refused_naming_the_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other.bin"
    file.write_bytes(content)
    with private_collector(str(tmp_path / "t.db")) as client, pytest.raises(InvalidValue, match=r"other\.bin"):
        import_files(client, [file], QUIET)


@pytest.mark.parametrize(
    ("form", "content_type", "encoding"),
    [
        ("json lines", "application/x-ndjson", ""),
        ("json lines", "application/json", ""),
        ("json lines, gzipped", "application/x-ndjson", "gzip"),
        ("one document over many lines", "application/x-ndjson", ""),
        ("one protobuf request", "application/octet-stream", ""),
        ("the collector's file exporter", "application/x-protobuf", ""),
    ],
)
def test_every_form_can_be_uploaded(tmp_path: Path, form: str, content_type: str, encoding: str) -> None:
    with served(tmp_path) as here:
        headers = {"content-type": content_type, **({"content-encoding": encoding} if encoding else {})}
        answer = here.http.post("/api/v1/import", content=written_as(form, requests(3)), headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["spans"] == 3 * here.client.stats().traces > 0


def test_an_upload_that_inflates_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    with served(tmp_path, max_body_bytes=100_000) as here:
        bomb = gzip.compress(b" " * 50_000_000)
        answer = here.http.post("/api/v1/import", content=bomb, headers={"content-type": "application/json", "content-encoding": "gzip"})
        assert answer.status_code == 413
        strange = here.http.post("/api/v1/import", content=b"x", headers={"content-type": "application/json", "content-encoding": "lzma"})
        assert strange.status_code == 415


def test_a_frame_cut_short_is_said(tmp_path: Path) -> None:
    file = tmp_path / "cut"
    file.write_bytes((500).to_bytes(4, "big") + b"too little")
    with pytest.raises(MalformedRequest, match="cut short"):
        list(pieces(file))


def test_a_failed_export_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    target.write_text("old")
    with private_collector(str(tmp_path / "t.db")) as client, pytest.raises(InvalidValue):
        export_to(client, "kindd:llm", "otlp-jsonl", str(target), QUIET)
    assert target.read_text() == "old"
    assert not list(tmp_path.glob("*.part"))


def test_an_export_goes_through_what_is_no_file_and_leaves_it_there(tmp_path: Path) -> None:
    pipe, link, real = tmp_path / "pipe", tmp_path / "link.jsonl", tmp_path / "real.jsonl"
    os.mkfifo(pipe)
    real.write_text("old")
    link.symlink_to(real)
    with private_collector(str(tmp_path / "t.db")) as client:
        client.import_bytes(json.dumps(requests(1)[0]).encode())
        with ThreadPoolExecutor() as pool:
            read = pool.submit(pipe.read_bytes)
            export_to(client, "", "otlp-jsonl", str(pipe), QUIET)
        export_to(client, "", "otlp-jsonl", str(link), QUIET)
    assert read.result(10) == real.read_bytes()
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert not list(tmp_path.glob("*.part"))


def test_what_an_import_cannot_keep_is_counted(tmp_path: Path) -> None:
    good, bad = rag_trace()[1], {"traceId": "0" * 32, "spanId": "1" * 16, "name": "nameless"}
    file = tmp_path / "some.jsonl"
    file.write_text(json.dumps(request_of(*good, bad)))
    with private_collector(str(tmp_path / "t.db")) as client:
        assert import_files(client, [file], QUIET) == Written(spans=3, rejected=1)


def test_a_gzip_file_cut_short_is_said(tmp_path: Path) -> None:
    file = tmp_path / "cut.jsonl.gz"
    file.write_bytes(written_as("json lines, gzipped", requests(5))[:-20])
    with private_collector(str(tmp_path / "t.db")) as client, pytest.raises(InvalidValue, match=r"cut\.jsonl\.gz: the gzip file"):
        import_files(client, [file], QUIET)


def test_a_page_for_reading_says_what_can_be_imported(tmp_path: Path) -> None:
    page = tmp_path / "trace.html"
    page.write_text("<!doctype html><title>A trace</title>", encoding="utf-8")
    with pytest.raises(InvalidValue, match="otlp-jsonl"):
        list(pieces(page))


@pytest.mark.parametrize(
    ("document", "words"),
    [({"trace": {}, "spans": []}, "otlp-jsonl"), ({"resource_spans": []}, "it has resource_spans where resourceSpans should be")],
)
def test_json_that_is_no_otlp_is_not_taken_for_nothing(tmp_path: Path, document: dict[str, object], words: str) -> None:
    file = tmp_path / "other.jsonl"
    file.write_text(f"{json.dumps(requests(1)[0])}\n{json.dumps(document)}\n{{}}\n")
    with private_collector(str(tmp_path / "t.db")) as client, pytest.raises(InvalidValue, match=f"line 2: .*{words}"):
        import_files(client, [file], QUIET)
