"""What a newcomer sees: one command, the list, a trace of a question about the documentation, the passages its retriever found."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from collector.client import CollectorClient

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FREE = ("--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--port", "0", "--bot-port", "0")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """`rightpassage demo` in an empty home; its addresses by name once everything runs."""
    home = str(tmp_path_factory.mktemp("home"))
    known = {name: value for name, value in os.environ.items() if not name.startswith(("RIGHTPASSAGE_", "OTEL_", "OPENAI_"))}
    environment = {**known, "HOME": home, "XDG_DATA_HOME": home, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "collector", "demo", "--no-browser", *FREE]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=home)
    addresses: dict[str, str] = {}
    try:
        assert process.stdout
        for line in process.stdout:
            if found := re.match(r"(viewer|collector|bot) +(http://\S+)", line):
                addresses[found[1]] = found[2]
            if line.startswith("Ctrl-C"):
                break
        assert addresses.keys() == {"viewer", "collector", "bot"}, f"the demo ended with {process.poll()}"
        yield addresses
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0


def test_from_the_list_to_the_passages_of_a_question(demo: dict[str, str], browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.goto(f"{demo['viewer']}/traces")
    page.get_by_text("How do I see which passage an answer used?").first.click()
    page.locator(".row", has_text="rerank").wait_for()
    rows = page.locator(".row .label").all_inner_texts()
    assert len(rows) >= 6
    assert rows[0].startswith("answer question")
    page.locator(".row", has_text="retrieve").first.click()
    first = page.locator(".passage").first
    first.wait_for()
    assert page.locator(".passage").count() >= 3
    assert ".md" in first.inner_text()
    assert len(first.inner_text()) > 100, "the passage's text is there to read"
    page.close()


def test_the_tree_nests_as_the_code_nests_and_the_texts_are_there(demo: dict[str, str]) -> None:
    client = CollectorClient(demo["collector"])
    summary = next(one for one in client.traces().items if one.input_preview == "How do I see which passage an answer used?")
    spans = {span.name: span for span in client.trace(summary.trace_id).spans}
    assert spans["dense search"].parent_span_id == spans["retrieve"].span_id
    assert spans["retrieve"].parent_span_id == spans["answer question"].span_id
    retrieved = spans["retrieve"].normalised
    assert retrieved
    assert retrieved.documents
    assert all(document.content and document.score is not None and document.metadata["source"] for document in retrieved.documents)
    assert client.stats().traces >= 20
