"""The Ask page with the real docs bot: a threaded conversation, its reasons, and feedback that is found on the trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.client import CollectorClient
from tests.processes import RunningCollector
from tests.viewer.conftest import running_viewer, watch

pytestmark = pytest.mark.browser

REFUNDS = """# Refunds

## How long

A refund takes five working days after the parcel arrives.

## Exceptions

Opened software is not refunded.
"""
SHIPPING = """# Shipping

## Speed

Parcels leave on the next working day and arrive within three days.
"""
PAGES = {"refunds.md": REFUNDS, "shipping.md": SHIPPING}


@pytest.fixture(scope="module")
def bot(collector: RunningCollector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`python -m demo_rag_bot serve` over two pages, on a free port."""
    home = tmp_path_factory.mktemp("bot")
    docs = home / "docs"
    docs.mkdir()
    for name, text in PAGES.items():
        (docs / name).write_text(text)
    options = {"--docs": docs, "--port": 0, "--index": home / "index", "--threads": home / "threads.db", "--collector": collector.http}
    command = [sys.executable, "-m", "demo_rag_bot", "serve", *(str(part) for pair in options.items() for part in pair)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RIGHTPASSAGE_", "OTEL_", "OPENAI_"))}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout
        ready = next((line for line in process.stdout if line.startswith("ready ")), None)
        assert ready, f"the bot ended with {process.wait(10)} before it was ready"
        yield ready.split()[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


@pytest.fixture(scope="module")
def asking(collector: RunningCollector, bot: str) -> Iterator[str]:
    with running_viewer(collector.http, "--bot", bot) as url:
        yield url


@pytest.fixture
def chat(contexts: dict[str, Any], asking: str) -> Iterator[Any]:
    page = contexts["light"].new_page()
    page.watched = watch(page, asking)
    page.goto(f"{asking}/ask")
    page.get_by_role("textbox", name="Message").wait_for()
    yield page
    page.close()
    assert page.watched.problems == []


def say(page: Any, text: str, replies: int) -> Any:
    """Ask, and wait until so many replies stand with their trace."""
    page.get_by_role("textbox", name="Message").fill(text)
    page.keyboard.press("Enter")
    page.locator(".message.by-bot .reactions").nth(replies - 1).wait_for()
    return page.locator(".message.by-bot").nth(replies - 1)


def scores(client: CollectorClient, trace_id: str, name: str) -> list[tuple[float | None, str | None, str | None]]:
    """What raters said, once it has arrived: telemetry travels behind the answer."""
    for _ in range(60):
        found = [(score.value, score.label, score.annotator_id) for score in client.scores(trace_id) if score.name == name]
        if found:
            return found
        time.sleep(0.1)
    return []


def trace_of(reply: Any) -> str:
    return reply.get_by_role("link", name="Open trace").get_attribute("href").rpartition("=")[2]


def test_a_conversation_with_reasons_and_feedback(chat: Any, client: CollectorClient, asking: str) -> None:
    reply = say(chat, "How long does a refund take?", 1)
    assert "five working days" in reply.inner_text()
    thread = chat.url
    assert "thread=" in thread
    say(chat, "And how fast is shipping?", 2)
    reply = chat.locator(".message.by-bot").nth(0)
    reply.get_by_role("button", name="Bad answer").click()
    chat.locator(".reasons button").first.wait_for()
    reason = chat.locator(".reasons button").first.inner_text()
    chat.locator(".reasons button").first.click()
    chat.locator(".reasons").wait_for(state="detached")
    trace_id = trace_of(reply)
    for _ in range(50):
        if scores(client, trace_id, "thumbs") == [(-1.0, reason, "you")]:
            break
        time.sleep(0.1)
    assert scores(client, trace_id, "thumbs") == [(-1.0, reason, "you")]
    chat.reload()
    chat.locator(".message.by-bot .reactions").nth(1).wait_for()
    assert chat.locator(".message").count() == 4
    assert chat.locator(".reaction.on").count() == 1
    chat.locator(".message.by-bot").nth(0).get_by_role("link", name="Open trace").click()
    chat.wait_for_url("**/trace?*")
    chat.wait_for_selector(f".rp[data-ready='{trace_id}']")
    chat.go_back()
    chat.locator(".message.by-bot .reactions").nth(1).wait_for()
    assert chat.url == thread


def test_several_raters_and_a_change_of_mind(chat: Any, client: CollectorClient) -> None:
    reply = say(chat, "Is opened software refunded?", 1)
    reply.get_by_role("button", name="Good answer").click()
    chat.locator(".reaction.on").wait_for()
    chat.get_by_role("button", name="You rate as").click()
    chat.get_by_role("textbox", name="Another name").fill("jonas")
    chat.keyboard.press("Enter")
    reply = chat.locator(".message.by-bot").first
    reply.get_by_role("button", name="Good answer").click()
    chat.locator(".reaction.on", has_text="2").wait_for()
    reply.get_by_role("button", name="Good answer").click()
    chat.locator(".reaction", has_text="1").wait_for()
    for _ in range(50):
        if scores(client, trace_of(reply), "thumbs") == [(1.0, None, "you")]:
            break
        time.sleep(0.1)
    assert scores(client, trace_of(reply), "thumbs") == [(1.0, None, "you")]
    chat.evaluate("localStorage.removeItem('rightpassage.user')")


def test_why_this_answer_shows_the_passages_and_takes_feedback_on_a_source(chat: Any, client: CollectorClient) -> None:
    reply = say(chat, "How long does a refund take?", 1)
    reply.get_by_role("button", name="Why this answer?").click()
    panel = chat.get_by_role("complementary", name="Why this answer?")
    panel.locator(".passage.cited").first.wait_for()
    assert "five working days" in panel.locator(".passage.cited").first.inner_text()
    assert "why=" in chat.url
    panel.get_by_role("button", name="Right source").first.click()
    panel.locator(".reaction.on").wait_for()
    for _ in range(50):
        if any(score.name.startswith("source:") for score in client.scores(trace_of(reply))):
            break
        time.sleep(0.1)
    assert any(score.name.startswith("source:refunds.md") for score in client.scores(trace_of(reply)))
    chat.keyboard.press("Escape")
    panel.wait_for(state="hidden")
    assert "why=" not in chat.url


def test_it_works_without_a_mouse(chat: Any) -> None:
    say(chat, "How fast is shipping?", 1)
    chat.keyboard.press("Escape")
    chat.keyboard.press("k")
    chat.keyboard.press("+")
    chat.locator(".reaction.on").wait_for()
    chat.keyboard.press("e")
    chat.locator(".why .passage").first.wait_for()
    chat.keyboard.press("Escape")
    chat.keyboard.press("m")
    assert chat.get_by_role("textbox", name="Message").evaluate("element => element.getRootNode().activeElement === element")


def test_a_bot_that_is_away_is_waited_for(collector: RunningCollector, browser: Any) -> None:
    with running_viewer(collector.http, "--bot", "http://127.0.0.1:9") as url:
        page = browser.new_page()
        page.goto(f"{url}/ask")
        page.locator(".banner", has_text="The bot does not answer").wait_for()
        page.close()


def test_without_a_bot_the_page_says_how_to_start_one(viewer: str, page: Any) -> None:
    page.goto(f"{viewer}/ask")
    page.locator("h2", has_text="No bot is connected").wait_for()
    assert "python -m demo_rag_bot serve" in page.locator(".snippets pre").inner_text()


def test_threads_are_listed_and_opened_from_the_side(chat: Any) -> None:
    say(chat, "Which parcels leave when?", 1)
    chat.get_by_role("button", name="New thread").click()
    chat.locator(".welcome").wait_for()
    chat.locator(".side-item.thread", has_text="Which parcels leave when?").click()
    chat.locator(".message.by-bot").first.wait_for()
    assert Path(chat.url.partition("?")[0]).name == "ask"
