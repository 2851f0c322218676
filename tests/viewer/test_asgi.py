"""One process, one origin: assets by digest, the pass-through to the collector, the pages' own HTML."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.processes import RunningCollector
from tests.viewer.conftest import running_viewer
from viewer import assets
from viewer.asgi import PAGES, index_page


def test_the_start_leads_to_the_traces_and_pages_are_ours(viewer: str) -> None:
    assert httpx.get(viewer + "/").headers["location"] == "/traces"
    page = httpx.get(viewer + "/traces")
    assert "<title>Right Passage</title>" in page.text
    assert "SourceSans" not in page.text
    assert page.headers["cache-control"] == "no-cache"


def test_an_unknown_page_says_so_and_leads_on(viewer: str) -> None:
    asked = {"accept": "text/html,*/*;q=0.8"}
    answer = httpx.get(viewer + "/nowhere", headers=asked)
    assert answer.status_code == 404
    assert "There is no such page" in answer.text
    assert 'href="/traces"' in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert httpx.get(viewer + "/traces/", headers=asked).headers["location"] == "/traces"
    assert httpx.get(viewer + "/home", headers=asked).headers["location"] == "/traces"


def test_every_page_of_the_navigation_is_known() -> None:
    paths = re.findall(r'url_path="([a-z]+)"', (assets.PACKAGE / "app.py").read_text("utf-8"))
    assert set(paths) == PAGES | {"home"}


def test_every_file_a_page_names_is_there_compressed_and_kept(viewer: str) -> None:
    page = httpx.get(viewer + "/trace").text
    named = re.findall(r'(?:src|href)="(\.?/(?:static|assets)/[^"]+)"', page)
    assert len(named) > 20
    for path in named:
        answer = httpx.get(f"{viewer}/{path.lstrip('./')}", headers={"accept-encoding": "gzip"})
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert path.endswith(".woff2") or answer.headers["content-encoding"] == "gzip"


def test_assets_are_named_by_what_is_in_them() -> None:
    changed = dict(assets.FILES) | {"static/boot.js": b"other"}
    assert assets.digest(changed) != assets.digest(assets.FILES)
    assert {"components/base/shell.js", "static/fonts/inter-latin-wght-normal.woff2"} <= set(assets.FILES)


@pytest.mark.parametrize(
    "path", ["/assets/%2e%2e/guard.py", "/assets/x/%2e%2e/%2e%2e/guard.py", "/static/%2e%2e/%2e%2e/app.py", "//guard.py"]
)
def test_no_path_leads_out_of_what_is_served(viewer: str, path: str) -> None:
    answer = httpx.get(httpx.URL(viewer + path))
    assert "from __future__" not in answer.text
    assert answer.status_code in {200, 301, 400, 404}


def test_the_api_is_the_collectors_own(viewer: str, collector: RunningCollector) -> None:
    through, direct = (httpx.get(base + "/api/v1/filter/fields").json() for base in (viewer, collector.http))
    assert through == direct
    wrong = httpx.get(viewer + "/api/v1/traces", params={"filter": "statuz:x"})
    assert wrong.status_code == 400
    assert wrong.headers["content-type"].startswith("application/problem+json")
    assert httpx.get(viewer + "/api/v1/traces/" + "0" * 32).status_code == 404


def test_only_the_api_is_passed_on(viewer: str) -> None:
    for path in ("/metrics", "/v1/traces", "/openapi.json", "/api/v1/../../metrics"):
        assert "rightpassage_" not in httpx.get(viewer + path).text


def test_without_a_collector_or_bot_it_says_so() -> None:
    with running_viewer("http://127.0.0.1:9") as url:
        away = httpx.get(url + "/api/v1/stats")
        assert away.status_code == 502
        assert "http://127.0.0.1:9" in away.json()["detail"]
        assert httpx.get(url + "/bot/healthz").status_code == 404
        assert httpx.get(url + "/traces").status_code == 200


def test_a_changed_index_page_of_streamlit_still_works() -> None:
    assert index_page(b"<html><head></head></html>").count(b"boot.js") == 1
