"""The viewer's outermost layer: who gets in, what a page may load, where a login leads."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.processes import RunningCollector
from tests.viewer.conftest import running_viewer
from viewer.guard import Policy, content_policy, hostname, local_path, script_hashes

TOKEN = "sécret-token"  # not ASCII on purpose: comparing must not raise
HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def guarded(collector: RunningCollector) -> Iterator[str]:
    with running_viewer(collector.http, "--token", TOKEN) as url:
        yield url


def test_the_inline_script_is_admitted_by_its_hash_and_nothing_else() -> None:
    page = b"<script>window.a = 1</script><script src='/x.js'></script><script type='module' src=y></script>"
    [source] = script_hashes(page)
    policy = content_policy([source])
    assert source.startswith("'sha256-")
    assert source in policy
    assert "'unsafe-eval'" not in policy
    assert "script-src 'self' blob:" in policy
    assert "img-src 'self' data: blob:;" in policy


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/trace?trace_id=ab&x=1", "/trace?trace_id=ab&x=1"),
        ("//evil.test/", "/"),
        ("/\\evil.test", "/"),
        ("https://evil.test", "/"),
        ("javascript:alert(1)", "/"),
        ('/"><script>', "/%22%3E%3Cscript%3E"),
    ],
)
def test_a_login_leads_only_inside(target: str, leads_to: str) -> None:
    assert local_path(target) == leads_to


def test_hosts_are_read_without_their_port() -> None:
    assert [hostname(host) for host in ("LocalHost:80", "[::1]:8501", "a.test.", "", None, "[bad")] == [
        "localhost",
        "::1",
        "a.test",
        "",
        "",
        "",
    ]
    assert Policy().admits_host("127.0.0.1:1")
    assert not Policy().admits_host("evil.test")
    assert Policy(hosts=frozenset()).admits_host("any")


@pytest.mark.parametrize(
    "path",
    ["/", "/traces", "/api/v1/stats", "/bot/healthz", "/_stcore/host-config", "/static/js/x.js", "/assets/x", "/trace.html?trace_id=x"],
)
def test_every_path_wants_the_token(guarded: str, path: str) -> None:
    assert httpx.get(guarded + path).status_code == 401
    assert httpx.get(guarded + path, headers={"authorization": "Bearer wrong"}).status_code == 401


def test_health_is_open_and_says_nothing_else(guarded: str) -> None:
    assert httpx.get(guarded + "/healthz").json() == {"status": "ok"}


def test_the_login_form_sets_a_cookie_that_is_not_the_token(guarded: str) -> None:
    with httpx.Client(base_url=guarded, headers=HTML) as browser:
        asked = browser.get("/traces?filter=a")
        assert asked.status_code == 401
        assert 'name="token"' in asked.text
        assert "/traces?filter=a" in asked.text
        assert browser.post("/auth", data={"token": "wrong", "next": "/traces"}).status_code == 401
        entered = browser.post("/auth", data={"token": TOKEN, "next": "/traces?filter=a"})
        assert (entered.status_code, entered.headers["location"]) == (303, "/traces?filter=a")
        cookie = entered.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()
        assert TOKEN not in cookie
        assert browser.get("/traces?filter=a").status_code == 200


def test_a_program_shows_the_token_in_its_header(guarded: str) -> None:
    shown = {"authorization": b"Bearer " + TOKEN.encode()}
    assert httpx.get(guarded + "/traces", headers=shown).status_code == 200  # type: ignore[arg-type]


def test_the_websocket_wants_the_token_too(guarded: str) -> None:
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    async def knock() -> int:
        try:
            async with connect(guarded.replace("http", "ws") + "/_stcore/stream"):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code

    assert asyncio.run(knock()) == 403


def test_foreign_hosts_and_origins_are_refused(viewer: str) -> None:
    assert httpx.get(viewer + "/traces", headers={"host": "evil.test"}).status_code == 421
    foreign = {"origin": "http://evil.test", "content-type": "application/json"}
    assert httpx.post(viewer + "/api/v1/scores", headers=foreign, content="{}").status_code == 403
    assert httpx.delete(viewer + "/api/v1/traces?filter=x", headers={"origin": "null"}).status_code == 403


@pytest.mark.parametrize("path", ["/traces", "/api/v1/stats", "/healthz", "/favicon.png", "/nothing-here.txt"])
def test_every_answer_carries_the_security_headers(viewer: str, path: str) -> None:
    headers = httpx.get(viewer + path).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_beyond_loopback_a_token_is_demanded() -> None:
    done = subprocess.run([sys.executable, "-m", "viewer", "--host", "0.0.0.0"], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "--token" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run([sys.executable, "-m", "viewer", "--port", port], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert port in done.stderr
    assert "--port" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
