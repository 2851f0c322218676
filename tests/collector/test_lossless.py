"""Export and import lose nothing: an empty store that imports an export answers as the first did, and importing again changes nothing."""

from __future__ import annotations

from pathlib import Path

import httpx
from rich.console import Console

from collector.client import CollectorClient
from collector.otlp import encode_traces
from collector.transfer import export_to, import_files
from tests.collector.otlp_bodies import SPAN, TRACE, span
from tests.collector.served import new_id, otlp_span, request_of
from tests.collector.test_otlp import logs_request
from tests.processes import RunningCollector, running_collector

CASES = Path(__file__).parents[1] / "cases" / "otlp"
QUIET = Console(quiet=True)
PROTOBUF = {"content-type": "application/x-protobuf"}


def answers(running: RunningCollector) -> dict[str, object]:
    """What the API says of every trace."""
    with CollectorClient(running.http) as client:
        ids = [summary.trace_id for summary in client.each_trace()]
    return {trace_id: httpx.get(f"{running.http}/api/v1/traces/{trace_id}").json() for trace_id in ids}


def test_a_store_that_imports_an_export_answers_the_same(tmp_path: Path) -> None:
    exported = tmp_path / "export.otlp.jsonl"
    with running_collector(tmp_path / "first.db") as first:
        for path in sorted(CASES.glob("*.pb")):
            httpx.post(f"{first.http}/v1/{'logs' if '.logs' in path.name else 'traces'}", content=path.read_bytes(), headers=PROTOBUF)
        httpx.post(f"{first.http}/v1/traces", content=encode_traces([span()]), headers=PROTOBUF)
        httpx.post(f"{first.http}/v1/logs", content=logs_request().SerializeToString(), headers=PROTOBUF)
        scored = {"target": {"trace_id": TRACE, "span_id": SPAN}, "name": "thumbs", "value": 1, "annotator": {"kind": "HUMAN", "id": "me"}}
        assert httpx.post(f"{first.http}/api/v1/scores", json=scored).status_code == 202
        in_session = {"target": {"session_id": "sess-9"}, "name": "csat", "value": 5, "annotator": {"kind": "HUMAN"}}
        assert httpx.post(f"{first.http}/api/v1/scores", json=in_session).status_code == 202
        session = {"session.id": "sess-9"}
        httpx.post(f"{first.http}/v1/traces", json=request_of(otlp_span(new_id(16), new_id(), "turn", attributes=session)))
        before = answers(first)
        with CollectorClient(first.http) as client:
            export_to(client, "", "otlp-jsonl", str(exported), QUIET)
    with running_collector(tmp_path / "second.db") as second:
        with CollectorClient(second.http) as client:
            once = import_files(client, [exported], QUIET)
            after = answers(second)
            twice = import_files(client, [exported], QUIET)
            stats = client.stats()
        assert after.keys() == before.keys()
        for trace_id, answer in before.items():
            assert after[trace_id] == answer
        assert (once.duplicates, twice.spans, twice.duplicates) == (0, 0, once.spans)
        assert stats.spans == once.spans
        assert answers(second) == after
        told = httpx.get(f"{second.http}/api/v1/sessions/sess-9").json()
        assert [(score["name"], score["value"]) for score in told["scores"]] == [("csat", 5)]
