"""The viewer in a real browser over a real collector, as a person uses it; `page` fails on any console error or foreign request."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

from collector.client import CollectorClient
from tests.processes import RunningCollector
from tests.viewer import trace_samples
from tests.viewer.conftest import running_viewer, still, watch
from tests.viewer.page_samples import answer
from tests.viewer.sending import send

pytestmark = pytest.mark.browser


def rows(page: Any) -> Any:
    return page.locator("tr[data-trace]")


def shows(page: Any, count: int) -> None:
    """Waits until the list has so many rows."""
    page.wait_for_selector("tr[data-trace]" if count else ".empty")
    for _ in range(100):
        if rows(page).count() == count and not page.locator(".table-area.loading").count():
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{rows(page).count()} rows, not {count}: {page.url}")


def opened(page: Any, viewer: str, filter: str = "", **more: str) -> Any:
    query = "&".join(f"{name}={value}" for name, value in {"filter": filter, **more}.items() if value)
    page.goto(f"{viewer}/traces" + (f"?{query}" if query else ""))
    return page


# ---- The list ----


def test_a_row_opens_before_streamlit_has_connected(collector: RunningCollector, viewer: str, page: Any) -> None:
    page.route_web_socket("**/_stcore/stream", lambda socket: None)  # opened, and silent: Streamlit never mounts anything
    trace_id = send(collector, answer("early", service="early-bot"))
    opened(page, viewer, "service:early-bot")
    page.locator("#first-view tr[data-trace]").click()
    page.wait_for_selector(f"#first-view .rp[data-ready='{trace_id}']")


def test_from_the_list_to_a_passage_and_back(collector: RunningCollector, viewer: str, page: Any) -> None:
    for number in range(3):
        send(collector, answer(f"walk {number}", service="walk-bot", failed=number == 1, minutes_ago=number + 1))
    opened(page, viewer, "service:walk-bot")
    shows(page, 3)
    page.get_by_role("checkbox", name=re.compile("^error")).click()
    shows(page, 1)
    assert "status%3Aerror" in page.url
    page.go_back()
    shows(page, 3)
    rows(page).nth(0).locator("a.open").click()
    page.wait_for_selector(".row >> text=retrieve")
    page.locator(".row", has_text="retrieve").click()
    page.wait_for_selector(".passage")
    assert "Refunds take five working days" in page.locator(".detail").inner_text()
    page.go_back()
    shows(page, 3)
    assert page.locator(".filter-input").input_value() == "service:walk-bot"


def test_traces_in_the_navigation_leads_to_all_and_back_to_the_filter(collector: RunningCollector, viewer: str, page: Any) -> None:
    send(collector, answer("plain list", service="plain-bot"))
    send(collector, answer("plain list, another", service="plain-other-bot"))
    opened(page, viewer, "service:plain-bot")
    shows(page, 1)
    page.get_by_test_id("stTopNavLink").filter(has_text="Traces").click()
    page.locator("tr[data-trace]").nth(1).wait_for()
    assert page.url == f"{viewer}/traces"
    assert page.locator(".filter-input").input_value() == ""
    page.go_back()
    shows(page, 1)


def test_a_row_says_what_is_known(collector: RunningCollector, viewer: str, page: Any) -> None:
    text = "| `refund` | five **days** | [1]"
    send(
        collector,
        answer("row", text=text, service="row-bot", model="nobody-knows-it", tags=("beta", "slow", "night"), minutes_ago=60 * 24 * 30),
    )
    opened(page, viewer, "service:row-bot")
    shows(page, 1)
    row = rows(page).first
    assert row.locator(".status").count() == 0  # unset says nothing
    assert row.get_by_text("refund · five days [1]").count() == 1
    assert row.locator(".more").inner_text() == "+2"
    time = row.locator("td").nth(1)
    assert time.evaluate("cell => cell.scrollWidth <= cell.clientWidth")
    assert row.locator("td.number").nth(2).inner_text() == "–"  # unpriced, not $0
    assert page.locator(".total", has_text="cost").locator(".value").inner_text() == "–"


def test_the_filter_bar_completes_and_corrects(collector: RunningCollector, viewer: str, page: Any) -> None:
    send(collector, answer("bar", service="bar-bot"))
    opened(page, viewer)
    bar = page.locator(".filter-input")
    bar.click()
    page.keyboard.type("serv")
    page.wait_for_selector(".completion:not(.stale) .option")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.type("bar")
    page.locator(".completion:not(.stale) .option", has_text="bar-bot").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    shows(page, 1)
    bar.fill("servise:bar-bot")
    page.keyboard.press("Enter")
    page.locator(".filter-problem button", has_text="service").first.click()
    shows(page, 1)
    assert bar.input_value() == "service:bar-bot"


def test_words_are_found_in_passages(collector: RunningCollector, viewer: str, page: Any) -> None:
    send(collector, answer("words", service="words-bot"))
    opened(page, viewer, 'service:words-bot "parcel arrives"')
    for _ in range(40):  # the search index follows the writer
        if rows(page).count():
            break
        page.wait_for_timeout(250)
        page.reload()
        page.wait_for_selector("tr[data-trace], .empty")
    shows(page, 1)


def test_every_choice_is_in_the_address(collector: RunningCollector, viewer: str, page: Any) -> None:
    for number in range(2):
        send(collector, answer(f"address {number}", service="address-bot", **{"deployment.environment.name": ["prod", "dev"][number]}))
    opened(page, viewer, "service:address-bot")
    shows(page, 2)
    page.get_by_role("button", name=re.compile("^Environment:")).click()
    page.locator(".menu label", has_text="prod").click()
    shows(page, 1)
    page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile("^Time range")).click()
    page.get_by_role("button", name="Last hour").click()
    page.locator("th").get_by_role("button", name="Duration").click()
    page.wait_for_url("**order=-duration*")
    address = page.url
    assert "environment=prod" in address
    assert "range=1h" in address
    page.reload()
    shows(page, 1)
    assert page.url == address
    for _ in range(3):
        page.go_back()
    shows(page, 2)


def test_new_traces_announce_themselves(collector: RunningCollector, viewer: str, page: Any) -> None:
    send(collector, answer("live 0", service="live-bot"))
    opened(page, viewer, "service:live-bot")
    shows(page, 1)
    frames = still(page)
    send(collector, answer("live 1", service="live-bot", minutes_ago=0))
    page.locator(".fresh-button", has_text="1 new").wait_for()
    page.keyboard.press("n")
    shows(page, 2)
    assert page.watched.websocket_frames == frames


def test_many_windows_leave_each_other_connections(collector: RunningCollector, viewer: str, contexts: dict[str, Any]) -> None:
    send(collector, answer("windows 0", service="windows-bot"))
    windows = [contexts["light"].new_page() for _ in range(7)]  # a browser gives one origin six connections, a live stream keeps one
    for window in windows:
        opened(window, viewer, "service:windows-bot")
        shows(window, 1)
    send(collector, answer("windows 1", service="windows-bot", minutes_ago=0))
    for window in windows:
        window.locator(".fresh-button", has_text="1 new").wait_for()
        window.close()


def test_a_session_that_ended_leads_to_the_login(collector: RunningCollector, browser: Any) -> None:
    with running_viewer(collector.http, "--token", "a-token-of-this-test") as guarded:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{guarded}/traces")
        page.locator("input[type=password]").fill("a-token-of-this-test")
        page.keyboard.press("Enter")
        page.locator(".list-page").wait_for()
        page.wait_for_timeout(500)
        context.clear_cookies()
        page.locator("th").get_by_role("button", name="Duration").click()
        page.locator("input[type=password]").wait_for()
        assert "order=-duration" in page.url
        context.close()


def test_an_empty_list_fills_by_itself(collector: RunningCollector, viewer: str, page: Any) -> None:
    opened(page, viewer, "service:later-bot")
    page.locator(".empty", has_text="No trace matches").wait_for()
    page.wait_for_timeout(500)
    send(collector, answer("later", service="later-bot", minutes_ago=0))
    shows(page, 1)


def test_keys_walk_choose_and_open_without_a_message(collector: RunningCollector, viewer: str, page: Any) -> None:
    for number in range(4):
        send(collector, answer(f"keys {number}", service="keys-bot", minutes_ago=number + 1))
    opened(page, viewer, "service:keys-bot")
    shows(page, 4)
    frames = still(page)
    for key in ["j", "j", "k", "j", "x", "j", "x"]:
        page.keyboard.press(key)
    assert page.locator("tr.chosen").count() == 2
    assert page.watched.websocket_frames == frames
    page.keyboard.press("Enter")
    page.wait_for_url("**/trace?*")


def test_chosen_rows_are_compared(collector: RunningCollector, viewer: str, page: Any) -> None:
    send(collector, answer("pair a", service="pair-bot", documents=["refunds.md#1", "refunds.md#2", "returns.md#1"], minutes_ago=2))
    changed = {"documents": ["returns.md#1", "refunds.md#1", "shipping.md#1"], "model": "gpt-4o", "text": "Seven working days [2]."}
    send(collector, answer("pair b", service="pair-bot", **changed))
    opened(page, viewer, "service:pair-bot")
    shows(page, 2)
    page.get_by_role("checkbox", name="Choose all on this page").check()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_selector("table[aria-label='Passages in both rankings']")
    moves = page.locator("table[aria-label='Passages in both rankings'] tbody tr")
    assert [moves.nth(at).locator("td").first.inner_text() for at in range(moves.count())] == ["↑ 2", "↓ 1", "in", "out"]
    settings = page.locator("table[aria-label='Settings that differ']").inner_text()
    assert "gpt-4o-mini" in settings
    assert "generate model" in settings
    assert (page.locator(".diff del", has_text="Five").count(), page.locator(".diff ins", has_text="Seven").count()) == (1, 1)
    page.get_by_role("link", name="Swap").click()
    page.wait_for_url("**/compare?*")
    page.locator(".diff ins", has_text="Five").wait_for()
    page.go_back()
    page.locator(".diff del", has_text="Five").wait_for()


def test_deleting_asks_first(collector: RunningCollector, viewer: str, page: Any, client: CollectorClient) -> None:
    for number in range(2):
        send(collector, answer(f"delete {number}", service="delete-bot", minutes_ago=number + 1))
    opened(page, viewer, "service:delete-bot")
    shows(page, 2)
    rows(page).nth(0).get_by_role("checkbox").check()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Cancel").click()
    assert len(client.traces("service:delete-bot").items) == 2
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete 1 trace").click()
    shows(page, 1)
    assert len(client.traces("service:delete-bot").items) == 1


def test_export_and_import_again(collector: RunningCollector, viewer: str, page: Any, client: CollectorClient, tmp_path: Path) -> None:
    trace_id = send(collector, answer("carry", service="carry-bot", question="=HYPERLINK(1)"))
    opened(page, viewer, "service:carry-bot")
    shows(page, 1)
    rows(page).nth(0).get_by_role("checkbox").check()
    saved = {}
    for name in ("OTLP JSON lines", "CSV"):
        page.get_by_role("toolbar").get_by_role("button", name="Export").click()
        with page.expect_download() as download:
            page.locator(".actions .menu .item", has_text=name).click()
        saved[name] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[name])
        page.keyboard.press("Escape")
        page.mouse.click(5, 600)
    assert "'=HYPERLINK(1)" in saved["CSV"].read_text()
    client.delete_trace(trace_id)
    page.goto(f"{viewer}/import")
    page.locator("input[type=file]").set_input_files(saved["OTLP JSON lines"])
    page.locator(".file.done", has_text="3 new spans").wait_for()
    page.locator("input[type=file]").set_input_files(saved["OTLP JSON lines"])
    page.locator(".file.done", has_text="3 spans here already").wait_for()
    page.locator(".file").first.get_by_role("link", name="Show traces").click()
    page.wait_for_url("**/traces")
    assert client.trace(trace_id).summary.input_preview == "=HYPERLINK(1)"


def test_a_view_is_saved_opened_and_deleted(collector: RunningCollector, viewer: str, page: Any) -> None:
    send(collector, answer("view", service="view-bot"))
    opened(page, viewer, "service:view-bot", order="-duration")
    shows(page, 1)
    page.get_by_role("button", name="Saved views").click()
    page.get_by_role("button", name="Save this view").click()
    page.get_by_role("textbox", name="Name").fill("Slow ones")
    page.get_by_role("button", name="Save", exact=True).click()
    page.locator(".toast", has_text="Saved").wait_for()
    opened(page, viewer)
    page.wait_for_selector("tr[data-trace]")
    page.get_by_role("button", name="Saved views").click()
    page.locator(".menu a", has_text="Slow ones").click()
    shows(page, 1)
    assert "order=-duration" in page.url
    page.get_by_role("button", name="Saved views").click()
    page.get_by_role("button", name="Delete the view Slow ones").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.locator(".toast", has_text="Deleted").wait_for()


# ---- The other pages ----


def test_a_session_is_read_as_turns(collector: RunningCollector, viewer: str, page: Any) -> None:
    about = {"service": "turns-bot", "session": "turns-1", "user": "maria"}
    send(collector, answer("turn 1", **about, minutes_ago=3))
    follow_up = {"question": "And opened software?", "query": "refund of opened software", "documents": ["refunds.md#2", "shipping.md#1"]}
    send(collector, answer("turn 2", **about, **follow_up, text="It is not refunded [1].", minutes_ago=2))
    page.goto(f"{viewer}/sessions?q=service:turns-bot")
    page.locator("a", has_text="turns-1").click()
    page.locator(".turn").nth(1).wait_for()
    second = page.locator(".turn").nth(1)
    assert second.locator(".rewritten ins").first.inner_text()
    assert second.locator(".passage-chip.carried").count() == 1
    assert "1 carried over" in second.inner_text()
    second.get_by_role("link", name="Open trace").click()
    page.wait_for_url("**/trace?*")


def test_a_passage_leads_to_the_traces_that_used_it(collector: RunningCollector, viewer: str, page: Any) -> None:
    send(collector, answer("used", service="used-bot", question="Who used this passage?"))
    for _ in range(40):  # passages are gathered behind the writer
        page.goto(f"{viewer}/passages?q=opened")
        page.wait_for_selector(".sheet")
        if page.locator("a", has_text="Opened software is not refunded").count():
            break
        page.wait_for_timeout(250)
    page.locator("a", has_text="Opened software is not refunded").first.click()
    page.locator("table[aria-label='Traces that retrieved it'] a", has_text="Who used this passage?").click()
    page.wait_for_url("**/trace?*")
    page.go_back()
    page.locator(".passage-prose", has_text="Opened software is not refunded.").wait_for()


@pytest.mark.parametrize("path", ["/traces", "/sessions", "/passages", "/import", "/ask", "/compare", "/session", "/trace", "/"])
def test_a_deep_link_opens_cleanly(viewer: str, page: Any, path: str) -> None:
    answers: list[int] = []
    page.on("response", lambda answer: answers.append(answer.status))
    page.goto(viewer + path)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_timeout(400)
    assert [status for status in answers if status >= 400] == []


def test_the_logo_leads_home_and_back_leads_back(collector: RunningCollector, viewer: str, page: Any) -> None:
    send(collector, answer("home", session="home-1"))
    page.goto(f"{viewer}/sessions")
    page.locator("table").wait_for()
    assert page.title() == "Sessions · Right Passage"
    page.get_by_test_id("stLogoLink").click()
    page.wait_for_url("**/traces")
    page.wait_for_selector("tr[data-trace]")
    page.go_back()
    page.wait_for_url("**/sessions")


def test_the_look_follows_the_system(viewer: str, contexts: dict[str, Any]) -> None:
    for scheme, dark in (("light", False), ("dark", True)):
        page = contexts[scheme].new_page()
        page.goto(f"{viewer}/traces")
        page.wait_for_selector(".list-page")
        colour = page.locator(".list-page .filter-box").evaluate("element => getComputedStyle(element).backgroundColor")
        channels = [int(value) for value in re.findall(r"\d+", colour)[:3]]
        assert (sum(channels) < 3 * 128) is dark
        page.close()


def test_hostile_content_stays_text_on_every_page(collector: RunningCollector, viewer: str, page: Any) -> None:
    evil = (
        "<script>window.__xss=1</script><img src=x onerror='window.__xss=1'>![a](http://evil.test/a.png) [b](javascript:alert(1)) \u202egnp"
    )
    trace_id = send(
        collector,
        answer("evil", question=evil, text=evil, query=evil, service="evil-bot", session=evil[:60], user=evil, tags=[evil], model=evil),
    )
    other = send(collector, answer("evil 2", question="x " + evil, text=evil + " y", service="evil-bot", session=evil[:60]))
    opened(page, viewer, "service:evil-bot")
    shows(page, 2)
    assert "<script>" in rows(page).nth(0).inner_text()
    for path in (
        f"/compare?a={trace_id}&b={other}",
        f"/compare?a={trace_id}",
        f"/trace?trace_id={trace_id}",
        "/passages",
        "/sessions?q=service:evil-bot",
    ):
        page.goto(viewer + path)
        page.wait_for_selector(".sheet, .rp[data-ready]")
        page.wait_for_timeout(300)
    page.locator("a.open").first.click()
    page.locator(".turn").first.wait_for()
    assert page.evaluate("window.__xss") is None
    assert page.locator(".turn img, .turn script, .sheet a[href^='javascript']").count() == 0


# ---- When something is missing ----


def test_an_empty_collector_says_what_to_do_next(browser: Any, tmp_path: Path) -> None:
    from tests.processes import running_collector

    with running_collector(tmp_path / "empty.db") as empty, running_viewer(empty.http) as url:
        page = browser.new_page()
        watched = watch(page, url)
        for path, title in (("/traces", "No traces yet"), ("/sessions", "No sessions yet"), ("/passages", "No passages yet")):
            page.goto(url + path)
            page.locator(".empty h2", has_text=title).wait_for()
            assert empty.http in page.locator(".snippets pre").inner_text()
        page.goto(f"{url}/traces")
        page.locator(".empty").wait_for()
        page.wait_for_timeout(500)
        send(empty, answer("first"))
        shows(page, 1)
        assert watched.problems == []
        page.close()


def test_a_collector_that_goes_away_is_waited_for(browser: Any, tmp_path: Path) -> None:
    from tests.processes import running_collector

    with running_collector(tmp_path / "away.db") as first:
        send(first, answer("away"))
        port = first.http.rpartition(":")[2]
        with running_viewer(first.http) as url:
            page = browser.new_page()
            page.goto(f"{url}/traces")
            shows(page, 1)
            first.process.terminate()
            first.process.wait(15)
            page.goto(f"{url}/traces")
            page.locator(".banner", has_text="does not answer").wait_for()
            page.goto(f"{url}/sessions")
            page.locator(".banner", has_text="does not answer").wait_for()
            with running_collector(tmp_path / "away.db", "--http", f"127.0.0.1:{port}"):
                page.locator(".empty, table").first.wait_for(timeout=15_000)
                page.goto(f"{url}/traces")
                shows(page, 1)
            page.close()


# ---- For everyone ----

AXE = """async () => {
    const runOnly = ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice'];
    const result = await axe.run(document.querySelector('[data-testid=stMain]'), { runOnly });
    const where = node => node.target.flat().join(' ') + ' ' + (node.any[0]?.message ?? '');
    return result.violations.map(rule => [rule.id, rule.nodes.map(where).slice(0, 4)]);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path", ["/traces", "/trace", "/sessions", "/sessions?by=user", "/session?session_id=axe-1", "/passages", "/compare", "/import", "/ask"]
)
def test_the_pages_pass_axe(collector: RunningCollector, viewer: str, contexts: dict[str, Any], path: str, scheme: str) -> None:
    found_axe = importlib.util.find_spec("axe_playwright_python")
    if found_axe is None or found_axe.origin is None:
        pytest.skip("axe-playwright-python is not installed")
    axe = Path(found_axe.origin).parent / "axe.min.js"
    trace_id = send(collector, answer("axe", service="axe-bot", session="axe-1", failed=True, tags=["slow"]))
    other = send(collector, trace_samples.story("axe story"))
    page = contexts[scheme].new_page()
    page.goto(viewer + {"/compare": f"/compare?a={trace_id}&b={other}", "/trace": f"/trace?trace_id={other}"}.get(path, path))
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_timeout(800)
    page.evaluate(axe.read_text())
    found = page.evaluate(AXE)
    page.close()
    assert found == [], json.dumps(found, indent=1)
