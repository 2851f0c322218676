"""The guard: every route and both transports want the token, foreign names and pages get nothing, limits hold before the work."""

from __future__ import annotations

import gzip
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from google.rpc import status_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from collector.app import create_api
from collector.errors import InvalidValue
from collector.guard import HostList, token_matches
from collector.routes.otlp import PATHS
from collector.settings import Address, ServeSettings
from tests.collector.served import Served, rag_trace, request_of, served

TOKEN = "sécret-тайна-秘密"
METHODS = [
    (method.upper(), re.sub(r"\{[^}]+\}", "x", path))
    for path, operations in create_api().openapi()["paths"].items()
    for method in operations
] + [("POST", path) for path in PATHS]
METHODS += [("GET", "/openapi.json"), ("GET", "/"), ("GET", "/nothing")]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("closed"), token=TOKEN) as running:
        yield running


@pytest.fixture(scope="module")
def open_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("open")) as running:
        yield running


# ---- The token ----


@pytest.mark.parametrize(("method", "path"), METHODS)
def test_every_route_wants_the_token(closed: Served, method: str, path: str) -> None:
    for given in (None, b"Bearer wrong", b"Bearer \xff\xfe", f"Basic {TOKEN}".encode()):
        headers = {b"authorization": given} if given else {}
        answer = httpx.request(method, closed.url + path, headers=headers, trust_env=False)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert "sécret" not in answer.text


def test_with_the_token_everything_works(closed: Served) -> None:
    trace, spans = rag_trace()
    closed.send(*spans)
    assert closed.client.trace(trace).summary.span_count == 3


def test_the_token_is_asked_before_the_body_is_read(closed: Served) -> None:
    host, _, port = closed.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(f"POST /v1/traces HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000000\r\n\r\n".encode())
        assert b" 401 " in connection.recv(4096)


def test_the_refusal_of_an_otlp_path_is_a_status_in_its_encoding(closed: Served) -> None:
    plain = httpx.post(f"{closed.url}/v1/traces", content=b"", headers={"content-type": "application/x-protobuf"}, trust_env=False)
    assert status_pb2.Status.FromString(plain.content).code == 16
    json = httpx.post(f"{closed.url}/v1/traces", json={}, trust_env=False)
    assert json.json()["code"] == 16


def test_grpc_wants_the_token_too(closed: Served) -> None:
    with grpc.insecure_channel(closed.grpc) as channel:
        export = channel.unary_unary(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            request_serializer=ExportTraceServiceRequest.SerializeToString,
            response_deserializer=ExportTraceServiceResponse.FromString,
        )
        for metadata in (None, [("authorization", "Bearer wrong")]):
            with pytest.raises(grpc.RpcError) as refused:
                export(ExportTraceServiceRequest(), metadata=metadata, timeout=10)
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("given", "matches"),
    [
        (b"Bearer secret", True),
        (b"bearer  secret", True),
        ("Bearer secret", True),
        (b"Bearer secretly", False),
        (b"secret", False),
        (b"", False),
        (None, False),
        ("Bearer s\udce9cret", False),
        (b"Bearer \x00", False),
    ],
)
def test_tokens_are_compared_as_bytes(given: str | bytes | None, matches: bool) -> None:
    assert token_matches("secret", given) is matches
    assert token_matches(None, given)


def test_others_are_let_in_only_with_a_token() -> None:
    for settings in (
        ServeSettings("x.db", Address("0.0.0.0", 4318), None),
        ServeSettings("x.db", Address("127.0.0.1", 4318), Address("::", 4317)),
        ServeSettings("x.db", Address("192.168.1.5", 4318), None),
    ):
        with pytest.raises(InvalidValue, match="--token"):
            settings.check()
    ServeSettings("x.db", Address("0.0.0.0", 4318), None, token="t").check()
    ServeSettings("x.db", Address("::1", 4318), Address("localhost", 4317)).check()


# ---- Host and Origin ----


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:4318", "127.0.0.1.evil.example", "localhost.evil.example", "169.254.169.254", ""]
)
@pytest.mark.parametrize("path", ["/healthz", "/api/v1/traces", "/v1/traces"])
def test_a_foreign_host_is_refused(open_: Served, host: str, path: str) -> None:
    answer = httpx.request("POST" if path == "/v1/traces" else "GET", open_.url + path, headers={"host": host}, trust_env=False)
    assert answer.status_code == 421
    if path != "/v1/traces":
        assert answer.json()["type"] == "urn:rightpassage:foreign-host"


@pytest.mark.parametrize("host", ["localhost:80@evil.example", "localhost:x", "[::1]evil.example", "127.0.0.1:123456"])
def test_what_only_begins_like_our_name_is_foreign(open_: Served, host: str) -> None:
    assert open_.http.get("/healthz", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:9", "LOCALHOST", "[::1]:4318", "127.0.0.1"])
def test_our_own_names_are_taken_on_any_port(open_: Served, host: str) -> None:
    assert open_.http.get("/healthz", headers={"host": host}).status_code == 200


def test_beyond_loopback_addresses_and_listed_names_are_taken() -> None:
    hosts = HostList(Address("0.0.0.0", 4318), ["Collector"])
    assert hosts.allows("10.1.2.3:4318")
    assert hosts.allows("collector")
    assert hosts.allows(socket.gethostname())
    assert not hosts.allows("evil.example")
    assert HostList(Address("127.0.0.1", 1), ["*"]).allows("anything")


def test_a_foreign_page_can_neither_read_nor_change(open_: Served) -> None:
    for origin in ("https://evil.example", "null"):
        read = open_.http.get("/api/v1/traces", headers={"origin": origin})
        assert not [name for name in read.headers if name.startswith("access-control")]
        for method, path in (("POST", "/api/v1/prune"), ("DELETE", "/api/v1/traces?all=true"), ("POST", "/v1/traces")):
            answer = open_.http.request(method, path, json={}, headers={"origin": origin})
            assert answer.status_code == 403, path
    preflight = open_.http.options("/api/v1/scores", headers={"origin": "https://evil.example", "access-control-request-method": "POST"})
    assert preflight.status_code in (403, 405)
    assert not [name for name in preflight.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/api/v1/scores", "/api/v1/prune", "/api/v1/renormalise", "/api/v1/import", "/api/v1/backup"])
def test_what_a_form_can_send_changes_nothing(open_: Served, path: str) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        answer = open_.http.post(path, content=b"{}", headers={"content-type": content_type})
        assert answer.status_code == 415
        assert answer.headers["content-type"] == "application/problem+json"


# ---- Headers ----


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/healthz"), ("GET", "/api/v1/traces"), ("GET", "/nothing"), ("POST", "/v1/traces"), ("GET", "/metrics")]
)
def test_every_answer_carries_the_security_headers(open_: Served, method: str, path: str) -> None:
    answer = open_.http.request(method, path, json=request_of() if method == "POST" else None)
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers


# ---- Limits ----


def test_a_body_over_the_limit_is_refused_by_its_length_alone(open_: Served) -> None:
    host, _, port = open_.url.removeprefix("http://").partition(":")
    head = f"POST /api/v1/scores HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 2000000\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(head.encode())
        assert b" 413 " in connection.recv(4096)


def test_a_body_without_length_is_counted_while_it_comes(open_: Served) -> None:
    chunks = (b" " * 65_536 for _ in range(40))
    answer = open_.http.post("/api/v1/scores", content=chunks, headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_deep_json_is_a_problem_not_a_crash(open_: Served) -> None:
    body = b"[" * 50_000 + b"]" * 50_000
    answer = open_.http.post("/api/v1/scores", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    with served(tmp_path / "new") as here:
        assert here.database.stat().st_mode & 0o077 == 0
        assert here.database.parent.stat().st_mode & 0o077 == 0


# ---- Methods ----


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/stats", "/api/v1/traces", "/api/v1/export", "/openapi.json"])
def test_head_is_get_without_the_body(open_: Served, path: str) -> None:
    head = open_.http.head(path)
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == open_.http.get(path).headers["content-type"]


def test_head_of_the_live_stream_ends(open_: Served) -> None:
    assert open_.http.head("/api/v1/live", timeout=5).headers["content-type"].startswith("text/event-stream")
    assert open_.http.head("/api/v1/nothing").status_code == 404


@pytest.mark.parametrize("body", [{}, {"json": {}}, {"content": b"x", "headers": {"content-type": "text/plain"}}])
def test_a_method_that_is_not_taken_is_405_whatever_is_sent(open_: Served, body: dict[str, object]) -> None:
    for method, path, taken in (
        ("PUT", "/api/v1/stats", "HEAD, GET"),
        ("OPTIONS", "/api/v1/stats", "HEAD, GET"),
        ("PATCH", "/api/v1/traces/" + "a" * 32, "HEAD, GET, DELETE"),
        ("POST", "/api/v1/live", "HEAD, GET"),
        ("GET", "/api/v1/scores", "POST"),
    ):
        answer = open_.http.request(method, path, **body)
        assert (answer.status_code, answer.headers["allow"]) == (405, taken)
        assert method in answer.json()["detail"]
    assert open_.http.request("POST", "/api/v1/nothing", **body).status_code == 404


def test_a_compressed_body_is_read_by_import_alone(open_: Served) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    answer = open_.http.post("/api/v1/scores", content=gzip.compress(b"{}"), headers=headers)
    assert answer.status_code == 415
    assert "'gzip'" in answer.json()["detail"]
