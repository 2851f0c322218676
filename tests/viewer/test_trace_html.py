"""A trace as one file: it opens without a network, shows what the page shows, and its content stays text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from collector.client import CollectorClient
from tests.processes import RunningCollector
from tests.viewer import trace_samples as samples
from tests.viewer.sending import send
from viewer import html


def test_modules_are_joined_in_the_order_of_their_imports() -> None:
    files = {
        "main.js": 'import { twice, ONE as one } from "./maths.js";\nexport function run() {\n  return twice(one);\n}\n',
        "maths.js": "export const ONE = 1;\nexport async function wait() {}\nexport function twice(x) {\n  return 2 * x;\n}\n",
    }
    script = html.bundle(files, "main.js")
    assert script.index('modules["maths.js"]') < script.index('modules["main.js"]')
    assert 'const { twice, ONE: one } = modules["maths.js"];' in script
    assert "return { ONE, wait, twice };" in script


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"a.js": 'import { b } from "./b.js";\n'}, "not there"),
        ({"a.js": 'import { b } from "./b.js";\n', "b.js": 'import { a } from "./a.js";\n'}, "circle"),
        ({"a.js": "export default 1;\n"}, "cannot join"),
        ({"a.js": 'import * as b from "./b.js";\n', "b.js": ""}, "cannot join"),
    ],
)
def test_what_cannot_be_joined_is_refused(files: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        html.bundle(files, "a.js")


def test_the_data_cannot_leave_its_element(collector: RunningCollector, client: CollectorClient) -> None:
    trace = client.trace(send(collector, samples.hostile("hostile file", megabytes=0.01)))
    text = html.trace_html(trace)
    data = re.search(r'<script type="application/jsonl">(.*?)</script>', text, re.DOTALL)
    assert data
    assert "<" not in data[1]
    first, *spans = data[1].split("\n")
    assert json.loads(first)["trace"]["trace_id"] == trace.summary.trace_id
    assert [json.loads(line)["span_id"] for line in spans] == [span.span_id for span in trace.spans]


def test_a_notebook_frame_may_only_run_its_own_script(collector: RunningCollector, client: CollectorClient) -> None:
    trace = client.trace(send(collector, samples.forked("notebook")))
    frame = html.notebook_html(trace, height=300, link="http://127.0.0.1:8501/trace?trace_id=1&x=2")
    assert 'sandbox="allow-scripts"' in frame
    assert "height:300px" in frame
    assert 'href="http://127.0.0.1:8501/trace?trace_id=1&amp;x=2"' in frame


def test_the_command_writes_one_file_of_several_traces(collector: RunningCollector) -> None:
    ids = [send(collector, samples.story("command a")), send(collector, samples.agent("command b"))]
    command = [sys.executable, "-m", "viewer", "html", "--collector", collector.http, *ids]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stdout.startswith(b"<!doctype html>")
    assert done.stdout.count(b'application/jsonl">') == 2


def test_the_command_says_what_it_cannot_find(collector: RunningCollector) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "viewer", "html", "--collector", collector.http, "0" * 32],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "0" * 32 in done.stderr


def test_the_viewer_serves_the_file_under_its_own_content_policy(collector: RunningCollector, viewer: str) -> None:
    answer = httpx.get(f"{viewer}/trace.html", params={"trace_id": send(collector, samples.forked("served"))})
    assert answer.headers["content-security-policy"] == html.content_policy()
    assert "connect-src" not in html.content_policy()
    assert samples.QUESTION in answer.text
    missing = httpx.get(f"{viewer}/trace.html", params={"trace_id": "0" * 32})
    assert (missing.status_code, "0" * 32 in missing.text) == (404, True)


@pytest.fixture
def offline(browser: Any) -> Iterator[Any]:
    """A page without a network that records every request beyond the file itself."""
    context = browser.new_context(offline=True, viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.problems = []
    page.on("console", lambda line: page.problems.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on(
        "request", lambda request: page.problems.append(request.url) if not request.url.startswith(("file:", "data:", "blob:")) else None
    )
    yield page
    context.close()
    assert page.problems == []


@pytest.mark.browser
def test_the_file_opens_offline_and_reads_like_the_page(
    collector: RunningCollector, client: CollectorClient, offline: Any, tmp_path: Path
) -> None:
    traces = [client.trace(send(collector, samples.story("offline a"))), client.trace(send(collector, samples.agent("offline b")))]
    file = tmp_path / "traces.html"
    file.write_text(html.traces_html(traces), "utf-8")
    offline.goto(file.as_uri())
    assert offline.locator(".row").count() == 12
    offline.locator(".row", has_text="retrieve.hybrid").click()
    assert offline.locator(".passage").first.is_visible()
    offline.get_by_role("tab", name="Raw").click()
    assert '"resourceSpans"' in offline.locator(".raw").inner_text()
    offline.keyboard.press("l")
    assert offline.locator("h1").inner_text().startswith("Why did order 88213")


@pytest.mark.browser
def test_the_notebook_frame_draws_the_trace(collector: RunningCollector, client: CollectorClient, offline: Any) -> None:
    trace = client.trace(send(collector, samples.story("notebook frame")))
    offline.set_content(f"<p>Out[1]:</p>{html.notebook_html(trace)}")
    frame = offline.frame_locator("iframe")
    frame.locator(".row", has_text="chat.completion").click()
    frame.locator(".message.answer").wait_for()


@pytest.mark.browser
def test_hostile_content_stays_text_in_the_file(collector: RunningCollector, client: CollectorClient, offline: Any, tmp_path: Path) -> None:
    file = tmp_path / "hostile.html"
    file.write_text(html.trace_html(client.trace(send(collector, samples.hostile("hostile offline", megabytes=0.1)))), "utf-8")
    offline.goto(file.as_uri())
    offline.locator(".row").nth(2).click()
    offline.get_by_role("tab", name="Attributes").click()
    assert offline.evaluate("window.__xss") is None
    assert offline.locator("iframe, img, form[action]").count() == 0
