"""The JSON API over a real collector: what goes in by OTLP comes out as the contract says, and every error says what would be valid."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.app import private_collector
from collector.client import CollectorClient
from collector.errors import CollectorUnreachable
from collector.model import AnnotatorKind
from tests.collector.served import Served, new_id, otlp_span, rag_trace, served

START = 1_795_000_000_000_000_000


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("routes")) as running:
        yield running


@pytest.fixture(scope="module")
def trace_id(here: Served) -> str:
    trace, spans = rag_trace(session="slack-17")
    here.send(*spans)
    return trace


# ---- Traces ----


def test_a_trace_that_came_in_by_otlp_is_listed_and_read(here: Served, trace_id: str) -> None:
    listed = here.http.get("/api/v1/traces", params={"filter": f"trace_id:{trace_id}"}).json()["traces"]
    assert [summary["trace_id"] for summary in listed] == [trace_id]
    whole = here.http.get(f"/api/v1/traces/{trace_id}").json()
    assert whole["trace"] == listed[0]
    assert whole["trace"]["root_name"] == "answer"
    assert whole["trace"]["span_count"] == 3
    assert whole["trace"]["usage"]["input_tokens"] == 120
    assert [span["name"] for span in whole["spans"]] == ["answer", "search", "chat"]
    assert [document["id"] for document in whole["spans"][1]["documents"]] == ["faq-7", "faq-9"]
    assert whole["health"]["findings"] == []


def test_the_summary_has_every_column_of_the_contract(here: Served, trace_id: str) -> None:
    summary = here.http.get(f"/api/v1/traces/{trace_id}").json()["trace"]
    columns = """trace_id root_name root_missing services session_id user_id tags start_time start_unix_nano duration_ns span_count
        error_count status usage cost_usd input_preview output_preview verdict"""
    assert set(columns.split()) <= summary.keys()


def test_the_skeleton_is_small_and_has_no_payload(here: Served, trace_id: str) -> None:
    skeleton = here.http.get(f"/api/v1/traces/{trace_id}", params={"view": "skeleton"}).json()
    assert len(skeleton["spans"]) == 3
    assert all(len(json.dumps(span, separators=(",", ":"))) <= 300 for span in skeleton["spans"])
    assert not {"documents", "attributes", "input", "output"} & set().union(*skeleton["spans"])
    rows = here.client.skeleton(trace_id).rows
    assert [(row.trace_id, row.service, row.state) for row in rows] == [(trace_id, "shop", "ended")] * 3


def test_columns_are_the_tree(here: Served, trace_id: str) -> None:
    columns = here.http.get(f"/api/v1/traces/{trace_id}", params={"view": "columns"}).json()["columns"]
    assert columns["parent"] == [-1, 0, 0]
    assert columns["kind"] == ["CHAIN", "RETRIEVER", "LLM"]
    assert columns["start_ns"] == [0, 1_000_000, 60_000_000]


def test_one_span_is_whole(here: Served, trace_id: str) -> None:
    found = here.http.get(f"/api/v1/traces/{trace_id}").json()["spans"][1]
    span = here.http.get(f"/api/v1/traces/{trace_id}/spans/{found['span_id']}").json()
    assert span == found
    assert span["resource"]["attributes"] == {"service.name": "shop"}
    assert span["scope"]["name"] == "test"


def test_all_64_bits_come_back(here: Served) -> None:
    trace, span, start = new_id(16), new_id(), 1_795_000_000_123_456_789
    huge = {"a": 2**53 + 1, "b": -(2**63), "c": 2**63 - 1, "list": [2**53 + 1]}
    here.send(otlp_span(trace, span, "exact", start=start, took=1, attributes=huge))
    shown = here.http.get(f"/api/v1/traces/{trace}/spans/{span}").json()
    assert shown["attributes"] == huge
    assert (shown["start_unix_nano"], shown["end_unix_nano"]) == (str(start), str(start + 1))


def test_a_skeleton_does_not_count_what_it_did_not_look_at(here: Served) -> None:
    trace = new_id(16)
    here.send(
        otlp_span(trace, new_id(), "orphan", new_id(), droppedAttributesCount=3, attributes={"acme.prompt": "what is asked, at length"})
    )
    whole = here.http.get(f"/api/v1/traces/{trace}").json()["health"]
    assert (whole["orphan_count"], whole["unmapped_count"], whole["dropped_count"]) == (1, 1, 3)
    for view in ("skeleton", "columns"):
        shape = here.http.get(f"/api/v1/traces/{trace}", params={"view": view}).json()["health"]
        assert shape.keys() == {"findings", "orphan_count", "running_count"}
        assert [finding["code"] for finding in shape["findings"]] == ["missing_root", "orphan"]


def test_an_unchanged_trace_is_304_and_a_changed_one_is_not(here: Served) -> None:
    trace, spans = rag_trace()
    here.send(spans[0])
    for view in ("whole", "skeleton", "columns"):
        first = here.http.get(f"/api/v1/traces/{trace}", params={"view": view})
        again = here.http.get(f"/api/v1/traces/{trace}", params={"view": view}, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    first = here.http.get(f"/api/v1/traces/{trace}")
    for held in ("*", f'"other", {first.headers["etag"]}', first.headers["etag"].removeprefix("W/")):
        assert here.http.get(f"/api/v1/traces/{trace}", headers={"if-none-match": held}).status_code == 304
    here.send(spans[1])
    assert here.http.get(f"/api/v1/traces/{trace}", headers={"if-none-match": first.headers["etag"]}).status_code == 200


def test_answers_are_compressed_for_those_who_ask(here: Served, trace_id: str) -> None:
    with here.http.stream("GET", f"/api/v1/traces/{trace_id}", headers={"accept-encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(raw))["trace"]["trace_id"] == trace_id
    plain = here.http.get(f"/api/v1/traces/{trace_id}", headers={"accept-encoding": "gzip;q=0"})
    assert "content-encoding" not in plain.headers


def test_a_trace_of_thousands_is_streamed_whole(here: Served) -> None:
    trace, root = new_id(16), new_id()
    here.send(otlp_span(trace, root, "root"), *(otlp_span(trace, new_id(), "step", root, start=START + i) for i in range(2_500)))
    answer = here.http.get(f"/api/v1/traces/{trace}")
    assert len(answer.json()["spans"]) == answer.json()["trace"]["span_count"] == 2_501
    assert len(here.client.trace(trace).spans) == 2_501


def test_pages_show_every_trace_once_while_others_arrive(tmp_path: Path) -> None:
    with served(tmp_path) as here:
        sent = [rag_trace(start=START + i * 10**9) for i in range(25)]
        for _, spans in sent:
            here.send(*spans)
        seen: list[str] = []
        cursor = None
        while True:
            page = here.client.traces(limit=7, cursor=cursor)
            seen += [summary.trace_id for summary in page.items]
            here.send(*rag_trace(start=START + 10**12)[1])
            if (cursor := page.next_cursor) is None:
                break
        assert seen == [trace for trace, _ in reversed(sent)]
        oldest = here.client.traces(order="start_time", limit=1).items[0]
        assert oldest.trace_id == sent[0][0]


# ---- Errors ----


@pytest.mark.parametrize(
    ("path", "status", "name", "words"),
    [
        ("/api/v1/traces/0af7651916cd43dd8448eb211c80319c", 404, "trace-not-found", ["0af7651916cd43dd8448eb211c80319c"]),
        ("/api/v1/traces/nonsense", 404, "trace-not-found", ["nonsense"]),
        ("/api/v1/traces/..%2f..%2fetc%2fpasswd", 404, "not-found", []),
        ("/api/v1/traces?limit=1001", 400, "invalid-value", ["limit", "1001", "1000"]),
        ("/api/v1/traces?limit=0", 400, "invalid-value", ["limit", "'0'", "1"]),
        ("/api/v1/traces?limit=ten", 400, "invalid-value", ["limit", "ten"]),
        ("/api/v1/traces?order=size", 400, "invalid-value", ["size", "start_time"]),
        ("/api/v1/traces?cursor=%00", 400, "invalid-value", ["cursor"]),
        ("/api/v1/traces?filter=kindd:llm", 400, "filter-error", ["kindd", "kind"]),
        ("/api/v1/traces?filter=((((", 400, "filter-error", []),
        ("/api/v1/spans?limit=5000", 400, "invalid-value", ["1000"]),
        ("/api/v1/sessions?limit=5000", 400, "invalid-value", ["1000"]),
        ("/api/v1/sessions/none", 404, "not-found", ["none"]),
        ("/api/v1/passages?limit=5000", 400, "invalid-value", ["1000"]),
        ("/api/v1/passages/none", 404, "not-found", ["none"]),
        ("/api/v1/values?field=model&limit=5000", 400, "invalid-value", ["1000"]),
        ("/api/v1/values?field=modell", 400, None, ["modell"]),
        ("/api/v1/values", 400, "invalid-value", ["field is missing"]),
        ("/api/v1/aggregate?measures=p42", 400, "invalid-value", ["p42", "p95"]),
        ("/api/v1/aggregate?by=colour", 400, "invalid-value", ["colour", "service"]),
        ("/api/v1/nothing", 404, "not-found", ["/api/v1/nothing"]),
        ("/nothing", 404, "not-found", ["/nothing"]),
    ],
)
def test_an_error_is_a_problem_that_names_the_value(here: Served, path: str, status: int, name: str | None, words: list[str]) -> None:
    answer = here.http.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert name is None or problem["type"] == f"urn:rightpassage:{name}"
    assert all(word in problem["detail"] for word in words), problem


def test_a_method_that_is_not_taken_is_a_problem_too(here: Served) -> None:
    answer = here.http.post("/api/v1/stats", json={})
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")


def test_every_limit_of_every_route_is_at_most_a_thousand(here: Served) -> None:
    described = here.http.get("/openapi.json").json()
    limits = [
        (path, parameter["schema"])
        for path, methods in described["paths"].items()
        for operation in methods.values()
        for parameter in operation.get("parameters", [])
        if parameter["name"] == "limit"
    ]
    assert len(limits) >= 5
    assert all(schema["maximum"] <= 1000 for _, schema in limits), limits


# ---- Scores ----


def test_a_score_is_accepted_before_its_span_and_shown_with_it(here: Served) -> None:
    trace, spans = rag_trace()
    span_id = spans[1]["spanId"]
    body = {
        "target": {"trace_id": trace.upper(), "span_id": span_id},
        "name": "relevant",
        "value": 1,
        "label": "yes",
        "annotator": {"kind": "HUMAN", "id": "ada"},
    }
    answer = here.http.post("/api/v1/scores", json=body)
    assert answer.status_code == 202
    assert answer.json()["id"]
    here.send(*spans)
    score = here.http.get(f"/api/v1/traces/{trace}/spans/{span_id}").json()["scores"][0]
    assert (score["name"], score["value"], score["label"], score["annotator"]) == ("relevant", 1, "yes", {"kind": "HUMAN", "id": "ada"})


def test_a_score_that_travelled_with_its_span_is_shown_once_and_can_be_taken_back(here: Served) -> None:
    trace, span_id = new_id(16), new_id(8)
    told = {"name": "helpful", "value": 1, "annotator": {"kind": "CODE"}}
    here.send(otlp_span(trace, span_id, "answer", attributes={"rightpassage.scores": json.dumps([told])}))

    def shown() -> list[list[float]]:
        one = here.http.get(f"/api/v1/traces/{trace}/spans/{span_id}").json()
        among_all = here.http.get(f"/api/v1/traces/{trace}").json()["spans"][0]
        return [[score["value"] for score in span.get("scores", [])] for span in (one, among_all)]

    assert shown() == [[1], [1]]
    here.client.score("helpful", trace_id=trace, span_id=span_id, value=0.5, annotator_kind=AnnotatorKind.CODE)
    assert shown() == [[0.5], [0.5]]
    here.client.score("helpful", trace_id=trace, span_id=span_id, annotator_kind=AnnotatorKind.CODE)
    assert shown() == [[], []]


def test_links_from_other_traces_are_listed_at_the_trace_they_lead_to(here: Served) -> None:
    trace, spans = rag_trace()
    retry, span_id, told = new_id(16), new_id(8), [{"key": "why", "value": {"stringValue": "timeout"}}]
    links = [{"traceId": trace, "spanId": spans[0]["spanId"], "attributes": told}]
    here.send(*spans, otlp_span(retry, span_id, "retry", links=links, attributes={"input.value": "again"}))
    page = here.http.get(f"/api/v1/traces/{trace.upper()}/links").json()
    assert page == {
        "from": [
            {
                "trace_id": retry,
                "span_id": span_id,
                "target_span_id": spans[0]["spanId"],
                "name": "retry",
                "kind": "UNKNOWN",
                "start_time": page["from"][0]["start_time"],
                "start_unix_nano": str(START),
                "status": "unset",
                "service": "shop",
                "root_name": "retry",
                "input_preview": "again",
                "attributes": {"why": "timeout"},
            }
        ],
        "next_cursor": None,
        "complete": True,
    }
    assert here.client.links(trace).items[0].attributes == {"why": "timeout"}
    assert here.client.links(retry).items == ()
    assert here.client.span(retry, span_id).links[0].trace_id == trace
    assert here.http.get(f"/api/v1/traces/{new_id(16)}/links").status_code == 404


def test_the_last_score_counts_and_an_empty_one_retracts(here: Served) -> None:
    trace, spans = rag_trace()
    here.send(*spans)
    here.client.score("thumbs", trace_id=trace, value=-1)
    here.client.score("thumbs", trace_id=trace, value=1)
    here.client.score("thumbs", trace_id=trace, value=0.5, annotator_kind=AnnotatorKind.LLM, annotator_id="judge")
    assert sorted(score.value or 0 for score in here.client.scores(trace)) == [0.5, 1]
    here.client.score("thumbs", trace_id=trace)
    assert [score.value for score in here.client.scores(trace)] == [0.5]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": {}}, ["trace_id", "session_id"]),
        ({"target": {"trace_id": "a" * 32, "session_id": "s"}}, ["not both"]),
        ({"target": {"session_id": "s", "span_id": "b" * 16}}, ["trace_id"]),
        ({"target": {"trace_id": "short"}}, ["target.trace_id", "short"]),
        ({"target": {"trace_id": "0" * 32}}, ["zeros"]),
        ({"value": True}, ["value: true", "number"]),
        ({"value": "1"}, ["value: '1'", "number"]),
        ({"name": ""}, ["name"]),
        ({"value": "high"}, ["value", "high"]),
        ({"annotator": {"kind": "ROBOT"}}, ["ROBOT", "HUMAN"]),
        ({"valeu": 1}, ["valeu"]),
    ],
)
def test_a_score_that_cannot_be_used_says_why(here: Served, change: dict[str, object], words: list[str]) -> None:
    answer = here.http.post("/api/v1/scores", json={"target": {"trace_id": "a" * 32}, "name": "thumbs", "value": 1, **change})
    assert answer.status_code == 400
    assert all(word in answer.json()["detail"] for word in words), answer.text


def test_broken_json_is_a_problem(here: Served) -> None:
    answer = here.http.post("/api/v1/scores", content=b"{'name': 1", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert "not JSON" in answer.json()["detail"]


# ---- Deleting ----


def test_deletion_must_say_what(here: Served, trace_id: str) -> None:
    assert here.http.delete("/api/v1/traces").status_code == 400
    assert here.http.delete("/api/v1/traces", params={"filter": "status:error", "all": True}).status_code == 400
    assert here.http.get(f"/api/v1/traces/{trace_id}").status_code == 200


def test_a_deleted_trace_is_gone(here: Served) -> None:
    traces = [rag_trace(session="gone") for _ in range(3)]
    for _, spans in traces:
        here.send(*spans)
    assert here.http.delete(f"/api/v1/traces/{traces[0][0]}").json()["traces"] == 1
    assert here.http.delete(f"/api/v1/traces/{traces[0][0]}").status_code == 404
    assert here.client.delete("session:gone").traces == 2
    assert here.client.traces("session:gone").items == ()


# ---- Sessions, passages, values ----


def test_a_session_is_its_traces(here: Served, trace_id: str) -> None:
    sessions = here.client.sessions("session:slack-17").items
    assert [session.session_id for session in sessions] == ["slack-17"]
    session, traces = here.client.session("slack-17")
    assert session.trace_count == len(traces) == 1
    assert traces[0].trace_id == trace_id


def test_a_session_id_may_be_anything(here: Served) -> None:
    for name in ("a/b?c=d#e", "a/../b", "会话 1", "100%"):
        here.send(*rag_trace(session=name)[1])
        assert here.client.session(name)[0].session_id == name


def test_a_passage_is_kept_once_and_knows_who_retrieved_it(here: Served, trace_id: str) -> None:
    passages = here.client.passages("refunds").items
    assert len(passages) == 1
    assert passages[0].source == "faq.md"
    summary, text, traces = here.client.passage(passages[0].passage_hash)
    assert text == "Refunds take five days."
    assert trace_id in [trace.trace_id for trace in traces]
    assert summary.trace_count >= 1


def test_values_and_measures(here: Served, trace_id: str) -> None:
    assert "gpt-4o-mini" in [item.value for item in here.client.values("model")]
    (row,) = here.client.aggregate("kind:llm", measures=["count", "p95", "tokens"])
    assert row["count"] >= 1  # type: ignore[operator]
    kinds = {row["kind"] for row in here.client.aggregate(by=["kind"])}
    assert {"CHAIN", "RETRIEVER", "LLM"} <= kinds


def test_the_filter_language_explains_itself(here: Served) -> None:
    assert {"kind", "duration", "passage.source"} <= {field["name"] for field in here.client.filter_fields()}
    assert here.client.check_filter("kind:llm").ok
    check = here.client.check_filter("status:ok and kindd:llm")
    assert not check.ok
    assert check.position == 14
    assert "kind" in check.suggestions


# ---- Live ----


def test_live_tells_what_arrives(here: Served) -> None:
    heard: list[str] = []
    listening = threading.Event()

    def listen() -> None:
        with here.http.stream("GET", "/api/v1/live", params={"filter": "session:live"}, timeout=20) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                if line.startswith(": listening"):
                    listening.set()
                heard.append(line)
                if line.startswith("data:"):
                    return

    thread = threading.Thread(target=listen)
    thread.start()
    assert listening.wait(10)
    deadline = 50
    trace = ""
    while thread.is_alive() and deadline:
        trace, spans = rag_trace(session="live")
        here.send(*spans)
        thread.join(0.2)
        deadline -= 1
    thread.join(5)
    data = json.loads(next(line for line in heard if line.startswith("data:"))[5:])
    assert data["session_id"] == "live"
    assert any(line.startswith("id: ") for line in heard)
    assert trace


def test_live_resumes_after_an_event(here: Served) -> None:
    trace, spans = rag_trace(session="resumed")
    here.send(*spans)
    summary = next(here.client.live("session:resumed", last_event_id="0"))
    assert summary.trace_id == trace
    assert here.http.get("/api/v1/live", headers={"last-event-id": "x"}).status_code == 400


# ---- Views, the collector itself ----


def test_a_view_is_saved_replaced_and_forgotten(here: Served) -> None:
    here.client.save_view("slow/ones", {"filter": "duration:>2s", "columns": ["cost"]})
    here.client.save_view("slow/ones", {"filter": "duration:>3s"})
    (view,) = here.client.views()
    assert (view.name, view.content) == ("slow/ones", {"filter": "duration:>3s"})
    here.client.delete_view("slow/ones")
    assert here.client.views() == ()
    assert here.http.delete("/api/v1/views/none").status_code == 404


def test_health_stats_and_metrics(here: Served, trace_id: str) -> None:
    health = here.http.get("/healthz").json()
    assert health["status"] == "ok"
    assert {"version", "sqlite_version"} <= health.keys()
    stats = here.http.get("/api/v1/stats").json()
    assert {"traces", "spans", "sessions", "bytes"} <= stats.keys()
    assert stats["traces"] == len(list(here.client.each_trace(page_size=3)))
    metrics = here.http.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert f'rightpassage_stored{{what="spans"}} {stats["spans"]}' in metrics.text


def test_pruning_needs_a_limit_and_can_be_tried(here: Served, trace_id: str) -> None:
    assert here.http.post("/api/v1/prune", json={}).status_code == 400
    bad = here.http.post("/api/v1/prune", json={"max_age": "a month"})
    assert bad.status_code == 400
    assert "30d" in bad.json()["detail"]
    tried = here.http.post("/api/v1/prune", json={"max_traces": 1, "dry_run": True}).json()
    assert tried["dry_run"]
    assert tried["traces"] == here.client.stats().traces - 1
    assert here.http.get(f"/api/v1/traces/{trace_id}").status_code == 200


def test_a_backup_opens_as_a_database(here: Served, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    size = here.client.backup(copy)
    assert size == copy.stat().st_size
    stats = here.client.stats()
    with private_collector(str(copy)) as client:
        assert (client.stats().traces, client.stats().spans) == (stats.traces, stats.spans)


def test_the_description_lists_every_route(here: Served) -> None:
    paths = here.http.get("/openapi.json").json()["paths"]
    for path in ("/healthz", "/metrics", "/api/v1/stats", "/api/v1/traces/{trace_id}", "/api/v1/scores", "/api/v1/live", "/api/v1/export"):
        assert path in paths


def test_there_are_no_pages_that_load_scripts(here: Served) -> None:
    assert here.http.get("/docs").status_code == 404
    assert here.http.get("/redoc").status_code == 404


def test_no_collector_is_said_with_what_to_do() -> None:
    with pytest.raises(CollectorUnreachable, match="rightpassage serve"):
        CollectorClient("http://127.0.0.1:1").stats()
