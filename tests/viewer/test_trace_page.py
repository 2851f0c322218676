"""The trace page in a real browser, over a real viewer and a real collector: what a reader does and sees."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from collector.client import CollectorClient
from tests.processes import RunningCollector
from tests.viewer import trace_samples as samples
from tests.viewer.conftest import running_viewer, still
from tests.viewer.sending import send
from viewer import first
from viewer.first import trace_data

browser_test = pytest.mark.browser
Open = Callable[..., Any]


@pytest.fixture
def show(page: Any, viewer: str) -> Open:
    """`show(trace_id, **parameters)` opens the trace page and waits until the tree stands."""

    def open_trace(trace_id: str, **parameters: str) -> Any:
        query = "&".join(f"{name}={value}" for name, value in {"trace_id": trace_id, **parameters}.items())
        page.goto(f"{viewer}/trace?{query}")
        page.wait_for_selector(f".rp[data-ready='{trace_id}']")
        page.wait_for_selector(".detail[data-span]")
        return page

    return open_trace


def parameter(page: Any, name: str) -> str:
    found = re.search(rf"[?&]{name}=([^&]*)", page.url)
    return found[1] if found else ""


# ---- What the component is given ----


def test_the_payload_stays_under_two_kilobytes_whatever_the_address_says() -> None:
    long = dict.fromkeys(("trace_id", "span_id", "tab", "filter", "order"), "x" * 50_000)
    assert len(json.dumps(trace_data(long))) < 2_000
    assert len(json.dumps(trace_data({"trace_id": "A" * 32, "span_id": "b" * 16, "filter": "status:error"}))) < 500


def test_ids_are_read_in_either_case() -> None:
    assert trace_data({"trace_id": " ABC "})["traceId"] == "abc"


# ---- Reading ----


@browser_test
def test_the_root_tells_the_story_without_scrolling(collector: RunningCollector, show: Open) -> None:
    page = show(send(collector, samples.story("page story")))
    assert page.locator("h1").inner_text() == samples.QUESTION
    page.wait_for_selector("[data-section=passages] .passage.is-cited")
    assert page.locator("[data-section=passages] .passage.is-cited").count() == 3
    assert page.locator(".answer-box .chip").all_inner_texts() == ["1", "1", "2", "3"]
    assert page.locator(".cut-line").inner_text().startswith("cut after 5 of 40")
    assert page.locator(".passage mark").first.inner_text().startswith("To roll back a release")
    assert page.locator("[data-stage=recall] .stage-passed").inner_text() == "8 of 40"
    assert page.locator("[data-stage=rerank] .stage-passed").inner_text() == "5 of 8"
    assert page.locator("[data-stage=filter]").is_disabled()


@browser_test
def test_a_citation_leads_to_its_passage(collector: RunningCollector, show: Open) -> None:
    page = show(send(collector, samples.story("page citation")))
    page.locator(".answer-box .chip", has_text="3").click()
    assert page.locator(".passage.flash .passage-title").inner_text() == "Release freeze calendar"


@browser_test
def test_a_span_is_read_by_its_kind(collector: RunningCollector, show: Open) -> None:
    page = show(send(collector, samples.story("page kinds")))
    page.locator(".row", has_text="retrieve.hybrid").click()
    assert page.locator(".tabs [aria-selected=true]").inner_text() == "Passages"
    assert page.locator(".query-line").inner_text().startswith("query\nroll back checkout service")
    page.locator(".row", has_text="chat.completion").click()
    page.wait_for_selector(".message.answer")
    assert page.locator(".message .role").all_inner_texts() == ["system", "user", "assistant"]
    page.locator(".row", has_text="prompt.build").click()
    assert page.locator(".placeholder").all_inner_texts() == ["{{system}}", "{{passages}}", "{{question}}"]
    assert page.locator("table.grid tbody tr").count() == 5


@browser_test
def test_the_address_follows_the_reader_and_opens_where_they_were(collector: RunningCollector, show: Open) -> None:
    trace_id = send(collector, samples.story("page address"))
    page = show(trace_id)
    before = page.evaluate("history.length")
    page.locator(".row", has_text="rerank.cross_encoder").click()
    page.get_by_role("tab", name="Raw").click()
    assert (parameter(page, "span_id"), parameter(page, "tab")) == (f"{9:016x}", "raw")
    assert page.evaluate("history.length") == before
    page.reload()
    page.wait_for_selector(f".detail[data-span='{9:016x}']")
    assert page.locator(".tabs [aria-selected=true]").inner_text() == "Raw"
    assert '"rightpassage.stage"' in page.locator(".raw").inner_text()


@browser_test
def test_tools_reasoning_and_images_of_an_agent(collector: RunningCollector, show: Open) -> None:
    page = show(send(collector, samples.agent("page agent")))
    page.locator("[data-section=steps] li").nth(8).wait_for()
    assert page.locator("[data-section=steps] li").count() == 9
    assert page.locator(".failures .failure-message").inner_text() == "TimeoutError: carrier API did not answer in 2 s"
    page.locator(".row", has_text="chat claude-sonnet-4-5").first.click()
    assert page.locator(".tool-call-head b").inner_text() == "get_order"
    assert page.locator(".rp img").count() == 0
    page.get_by_role("button", name="Show image").click()
    assert page.locator("img.thumbnail").evaluate("image => image.complete && image.naturalWidth > 0")


# ---- Keys ----


@browser_test
def test_keys_walk_the_tree_without_a_websocket_frame(collector: RunningCollector, show: Open) -> None:
    page = show(send(collector, samples.story("page keys")))
    still(page)
    page.watched.websocket_frames = 0
    current = page.locator(".row.selected .label")
    for key, name in (("j", "slack.event.parse"), ("j", "rag.pipeline"), ("k", "slack.event.parse"), ("ArrowDown", "rag.pipeline")):
        page.keyboard.press(key)
        assert current.inner_text() == name
    page.keyboard.press("ArrowLeft")
    assert page.locator(".row").count() == 3
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert current.inner_text() == "guardrail.pii_scan"
    page.keyboard.press("End")
    assert current.inner_text() == "citations.verify"
    page.keyboard.press("Home")
    assert current.inner_text() == "slack.answer_question"
    assert page.watched.websocket_frames == 0


@browser_test
def test_search_steps_through_matches_and_escape_clears_it(collector: RunningCollector, show: Open) -> None:
    page = show(send(collector, samples.errors("page search")))
    page.keyboard.press("/")
    page.keyboard.type("rerank")
    assert page.locator(".hit-count").inner_text() == "2 of 22"
    selected = page.locator(".row.selected:not(.dim)", has_text="rerank.cross_encoder")
    page.keyboard.press("Enter")
    selected.wait_for()
    first = parameter(page, "span_id")
    page.keyboard.press("Enter")
    page.wait_for_function("first => !location.search.includes(first)", arg=first)
    assert selected.is_visible()
    page.keyboard.press("Escape")
    assert page.locator(".hit-count").inner_text() == "22 spans"


@browser_test
def test_search_finds_what_spans_contain(collector: RunningCollector, show: Open) -> None:
    page = show(send(collector, samples.story("page content")))
    page.keyboard.press("/")
    page.keyboard.type("commander")
    assert page.locator(".hit-count").inner_text() == "0 of 12"
    page.keyboard.press("Enter")
    page.wait_for_selector(".row:not(.dim)")


@browser_test
def test_errors_come_first_and_can_be_stepped_through(collector: RunningCollector, show: Open) -> None:
    page = show(send(collector, samples.errors("page errors")))
    assert page.locator(".kind-pill").first.inner_text().split() == ["errors", "2"]
    page.keyboard.press("n")
    assert page.locator(".error-title b").inner_text() == "app.AnswerError"
    page.keyboard.press("n")
    assert page.locator(".error-title b").inner_text() == "openai.RateLimitError"
    page.locator(".kind-pill").first.click()
    assert page.locator(".row:not(.dim) .label").all_inner_texts() == ["attempt", "chat.completion"]


@browser_test
def test_zoom_and_critical_path(collector: RunningCollector, show: Open) -> None:
    page = show(send(collector, samples.story("page zoom")))
    page.locator(".row", has_text="retrieve.hybrid").click()
    page.keyboard.press("z")
    assert page.locator(".axis .tick").nth(1).inner_text().startswith("+")
    page.keyboard.press("0")
    assert page.locator(".axis .tick").first.inner_text() == "0"
    assert page.locator(".critical").count() == 0
    page.keyboard.press("x")
    assert page.locator(".critical").count() >= 3


# ---- Size ----


@browser_test
def test_ten_thousand_spans_fold_open_and_scroll_in_a_small_dom(collector: RunningCollector, show: Open) -> None:
    page = show(send(collector, samples.big(10_000)))
    assert page.locator(".row").count() == 2
    assert page.locator(".row.group .times").inner_text() == "× 833"
    page.get_by_role("button", name="Expand all").click()
    scroller = page.locator(".scroller")
    assert scroller.evaluate("element => element.scrollHeight") == 28 * (9_997 + 1)
    scroller.evaluate("element => { element.scrollTop = 140_000 }")
    page.wait_for_selector(".row[id=row-5000]")
    count = page.evaluate("""() => {
        const all = (root) => [...root.querySelectorAll('*')].reduce((sum, e) => sum + 1 + (e.shadowRoot ? all(e.shadowRoot) : 0), 0);
        return all(document);
    }""")
    assert count < 3_000


@browser_test
def test_a_link_into_a_folded_group_opens_it(collector: RunningCollector, show: Open) -> None:
    trace_id = send(collector, samples.big(10_000))
    page = show(trace_id, span_id=f"{5_000:016x}")
    assert page.locator(f".row.selected[data-span='{5_000:016x}']").is_visible()


# ---- Arrival ----


@browser_test
def test_a_running_trace_completes_in_place(collector: RunningCollector, show: Open) -> None:
    running = samples.running("page running")
    start = int(running["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["startTimeUnixNano"])
    page = show(send(collector, running))
    page.wait_for_selector(".foot .live")
    assert page.locator(".title-row .status").inner_text() == "Running"
    assert page.locator(".row.running").count() == 3
    page.evaluate(COUNT_SKELETONS)
    send(collector, samples.completed("page running", start))
    page.wait_for_selector(".row.running", state="detached", timeout=15_000)
    page.wait_for_selector(".title-row .status.running", state="detached")
    page.wait_for_selector(".answer-box:not(.none)")
    assert page.locator(".answer-box").inner_text().startswith("Done: the rollback is complete")
    assert page.evaluate("window.skeletons") == 0  # nothing was blank in between


@browser_test
def test_news_of_a_running_trace_come_by_themselves(collector: RunningCollector, show: Open) -> None:
    page = show(send(collector, samples.running("page news")))
    page.wait_for_selector(".foot .live")
    page.wait_for_timeout(1_000)  # the stream has opened, and what came before it was asked for
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.wait_for_timeout(3_000)
    assert [url for url in asked if "view=columns" in url] == []


COUNT_SKELETONS = """() => {
  window.skeletons = 0;
  const root = [...document.querySelectorAll('*')].find((each) => each.shadowRoot?.querySelector('.rp')).shadowRoot;
  const watcher = new MutationObserver(() => { window.skeletons += root.querySelectorAll('.skeleton').length; });
  watcher.observe(root, { childList: true, subtree: true });
}"""


@browser_test
def test_a_trace_that_is_not_there_yet_appears_when_it_comes(collector: RunningCollector, viewer: str, contexts: dict[str, Any]) -> None:
    page = contexts["light"].new_page()  # its own page: the 404 that it waits on is a console line
    sample = samples.forked("page later")
    page.goto(f"{viewer}/trace?trace_id={samples.trace_id_of(sample)}")
    assert page.locator(".state h2").inner_text() == "No such trace"
    send(collector, sample)
    page.wait_for_selector(".rp[data-ready]", timeout=15_000)
    assert page.locator("h1").inner_text() == samples.QUESTION
    page.close()


@browser_test
def test_a_root_that_never_came_is_explained(collector: RunningCollector, show: Open) -> None:
    page = show(send(collector, samples.rootless("page rootless")))
    assert page.locator(".root-missing").inner_text().startswith("The root span never came")
    assert page.locator(".row .tag.warn").all_inner_texts() == ["orphan", "orphan"]
    page.locator(".health summary").click()
    assert "orphan" in page.locator(".health-card").inner_text()


@browser_test
def test_an_orphan_does_not_hide_what_else_is_odd(collector: RunningCollector, show: Open) -> None:
    request = samples.foreign("page orphan and unmapped")
    request["resourceSpans"][0]["scopeSpans"][0]["spans"][1]["parentSpanId"] = "deadbeefdeadbeef"
    page = show(send(collector, request))
    page.locator(".health summary").click()
    page.locator(".health-card", has_text="unmapped").wait_for()
    assert "orphan" in page.locator(".health-card").inner_text()


@browser_test
def test_a_page_without_a_trace_says_what_to_do(page: Any, viewer: str) -> None:
    page.goto(f"{viewer}/trace")
    assert page.locator(".state h2").inner_text() == "No trace chosen"
    assert page.locator(".state a").get_attribute("href") == "/traces"


# ---- Doing ----


@browser_test
def test_thumbs_and_notes_are_kept(collector: RunningCollector, client: CollectorClient, show: Open) -> None:
    trace_id = send(collector, samples.story("page scores"))
    page = show(trace_id)
    page.get_by_role("button", name="Good answer").click()
    page.wait_for_selector("[aria-label='Good answer'][aria-pressed=true]")
    page.locator(".row", has_text="retrieve.hybrid").click()
    page.keyboard.press("e")
    page.get_by_placeholder("Why, or just a note").fill("misses the freeze page")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector(".score-row.note")
    kept = {(score.name, score.target.span_id): score for score in client.scores(trace_id)}
    assert kept["thumbs", None].value == 1
    assert kept["note", f"{6:016x}"].explanation == "misses the freeze page"


@browser_test
def test_a_rule_made_here_reads_foreign_content(collector: RunningCollector, client: CollectorClient, show: Open) -> None:
    page = show(send(collector, samples.foreign("page foreign")))
    assert page.locator(".unmapped code").first.inner_text() == "acme.ticket.question_text"
    page.get_by_label("Field for acme.ticket.question_text").select_option("input")
    page.get_by_role("button", name="Make a rule").first.click()
    page.locator(".io", has_text="Where is my parcel?").wait_for()
    assert client.rules()["fields"] == {"acme.ticket.question_text": "input"}
    client.save_rules({"fields": {}, "kinds": {}})


@browser_test
def test_previous_and_next_walk_the_list(collector: RunningCollector, show: Open) -> None:
    older, newer = (send(collector, samples.forked(f"page walk {n}")) for n in (1, 2))
    page = show(older, filter=f"trace_id:{older},{newer}", order="start_time")
    page.keyboard.press("l")
    page.wait_for_selector(f".rp[data-ready='{newer}']")
    assert parameter(page, "trace_id") == newer
    page.keyboard.press("l")
    assert page.locator(".toast.shown").inner_text() == "This is the last trace of the list"
    page.keyboard.press("h")
    page.wait_for_selector(f".rp[data-ready='{older}']")


@browser_test
def test_a_link_leads_to_the_other_trace(collector: RunningCollector, show: Open) -> None:
    story = send(collector, samples.story())
    page = show(send(collector, samples.forked("page link")))
    page.get_by_role("tab", name="Links").click()
    assert page.locator(".links .tiny").inner_text() == "replay of"
    page.locator(".links .span-link").click()
    page.wait_for_selector(f".rp[data-ready='{story}']")


@browser_test
def test_a_trace_shows_who_links_to_it(collector: RunningCollector, show: Open) -> None:
    fork = send(collector, samples.forked("page fork", of="page linked"))  # before the one it links to
    story = send(collector, samples.story("page linked"))
    send(collector, samples.forked("page fork of a step", of="page linked", span=6))
    page = show(story)
    page.get_by_role("button", name="2 traces").click()
    assert (parameter(page, "tab"), page.locator(".links li").count()) == ("links", 2)
    assert page.locator(".links .leads-to").inner_text().split() == ["leads", "to", "retrieve.hybrid"]
    page.locator(".links .leads-to .span-link").click()
    page.wait_for_selector(f".detail[data-span='{6:016x}'] .links")
    assert page.locator(".links li").count() == 1
    page.keyboard.press("Home")
    with page.expect_response(re.compile(f"/traces/{fork}/links")) as answer:
        page.locator(".links li", has_text=fork[:12]).locator(".elsewhere").click()
        page.wait_for_selector(f".rp[data-ready='{fork}']")
    assert answer.value.json()["from"] == []
    assert page.get_by_text("Linked from").count() == 0


@browser_test
def test_tables_and_wrapped_lines_read_as_such(collector: RunningCollector, show: Open) -> None:
    page = show(send(collector, samples.tables("page tables")))
    answer = page.locator(".answer-box")
    assert answer.locator("table.headless td").all_text_contents() == ["refund", "five days after the parcel came", "<b>bold</b> 2"]
    assert answer.locator("table.headless .chip").inner_text() == "2"
    passage = page.locator(".passage.open").nth(0)
    assert "waits for the health gate" in passage.locator("p").first.inner_text()
    assert passage.locator("mark").first.inner_text().endswith("waits for the health gate.")
    table = page.locator(".passage.open").nth(1).locator("table")
    assert table.locator("th").all_inner_texts() == ["what", "how long"]
    assert table.locator("tbody tr").nth(0).locator("mark").all_inner_texts() == ["refund", "five days after the parcel came"]
    assert table.locator("tbody tr").nth(1).locator("td").all_inner_texts() == [
        "<img src=x onerror=alert(1)>",
        "![x](http://evil.example/p.png)",
    ]
    assert answer.locator(".prose-link").inner_text() == "[docs](http://evil.example/x)"
    assert page.locator(":is(.passage, .answer-box) :is(img, a)").count() == 0


@browser_test
def test_a_trace_is_compared_from_its_menu(collector: RunningCollector, show: Open) -> None:
    trace_id = send(collector, samples.story("page compare"))
    page = show(trace_id)
    page.get_by_role("button", name="Compare, download, copy").click()
    page.get_by_role("menuitem", name="Compare with another trace").click()
    page.wait_for_url(f"**/compare?a={trace_id}")
    page.locator("h1").wait_for()


@browser_test
def test_the_single_file_comes_from_the_menu(collector: RunningCollector, show: Open) -> None:
    page = show(send(collector, samples.story("page download")))
    page.get_by_role("button", name="Compare, download, copy").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Download as HTML").click()
    text = download.value.path().read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert samples.QUESTION in text


# ---- Inertness and access ----


@browser_test
def test_hostile_content_is_only_text(collector: RunningCollector, show: Open) -> None:
    page = show(send(collector, samples.hostile("page hostile")))
    for row in range(3):
        page.locator(".row").nth(row).click()
        page.wait_for_selector(".tabs [role=tab]")
        for tab in page.locator(".tabs [role=tab]").all():
            tab.click()
            page.wait_for_timeout(60)
        for closed in page.locator(".passage:not(.open) .passage-head, .disclosure:not([open]) summary").all():
            closed.click()
    assert page.evaluate("window.__xss") is None
    assert page.locator(".rp iframe, .rp script, .rp img, .rp a[href^=javascript]").count() == 0
    assert "⟨U+202E⟩" in page.locator(".row").nth(1).inner_text()


@browser_test
def test_the_tree_is_a_tree_to_assistive_technology(collector: RunningCollector, show: Open) -> None:
    page = show(send(collector, samples.story("page aria")))
    tree = page.get_by_role("tree", name="Spans of the trace")
    tree.focus()
    page.keyboard.press("j")
    current = page.locator(f"#{tree.get_attribute('aria-activedescendant')}")
    assert current.inner_text().split() == ["slack.event.parse", "tool", "2.40", "ms"]
    assert (current.get_attribute("aria-level"), current.get_attribute("aria-selected")) == ("2", "true")
    assert page.locator(".row", has_text="rag.pipeline").get_attribute("aria-expanded") == "true"


FAINT_TEXTS = """() => {
  const root = [...document.querySelectorAll('*')].find((each) => each.shadowRoot?.querySelector('.rp')).shadowRoot.querySelector('.rp');
  const brush = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    return [...brush.getImageData(0, 0, 1, 1).data].map((value, i) => (i < 3 ? value : value / 255));
  };
  const over = (top, under) => under.map((value, i) => (i < 3 ? top[i] * top[3] + value * (1 - top[3]) : 1));
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement ?? at.getRootNode().host) layers.unshift(rgba(getComputedStyle(at).backgroundColor));
    return layers.reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const faint = new Set();
  for (const element of root.querySelectorAll('*')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest('.unseen, .dim, [disabled], .folded > :first-child')) continue;
    const back = ground(element);
    const [a, b] = [light(over(rgba(getComputedStyle(element).color), back)), light(back)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.add(`${element.className || element.tagName}: ${ratio.toFixed(2)} ${element.textContent.slice(0, 30)}`);
  }
  return [...faint];
}"""


@browser_test
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_keeps_its_contrast(scheme: str, collector: RunningCollector, contexts: dict[str, Any], viewer: str) -> None:
    page = contexts[scheme].new_page()
    for sample, span in (
        (samples.errors("page contrast"), "rerank"),
        (samples.agent("page contrast agent"), "chat"),
        (samples.rootless(), ""),
    ):
        page.goto(f"{viewer}/trace?trace_id={send(collector, sample)}")
        page.wait_for_selector("[data-section=passages] .score-value, [data-section=steps] li")
        assert page.evaluate(FAINT_TEXTS) == []
        if span:
            page.locator(".row", has_text=span).first.click()
            page.wait_for_selector(".passages, .conversation")
            assert page.evaluate(FAINT_TEXTS) == []
    page.close()


@browser_test
def test_a_collector_that_is_away_is_said_and_asked_again(contexts: dict[str, Any]) -> None:
    with running_viewer("http://127.0.0.1:9") as lonely:
        page = contexts["light"].new_page()
        page.goto(f"{lonely}/trace?trace_id={'0' * 32}")
        page.wait_for_selector(".state h2")
        assert page.locator(".state h2").inner_text() == "The collector does not answer"
        with page.expect_request(f"**/api/v1/traces/{'0' * 32}*"):
            pass  # the next question comes by itself
        page.close()


@browser_test
def test_the_dark_theme_is_followed(collector: RunningCollector, contexts: dict[str, Any], viewer: str) -> None:
    page = contexts["dark"].new_page()
    page.goto(f"{viewer}/trace?trace_id={send(collector, samples.story('page dark'))}")
    page.wait_for_selector(".rp[data-ready]")
    assert page.locator(".rp").get_attribute("data-scheme") == "dark"
    page.close()


# ---- The first view, and a viewer that is gone ----


@browser_test
def test_the_page_is_read_before_streamlit_has_connected(collector: RunningCollector, contexts: dict[str, Any], viewer: str) -> None:
    page = contexts["light"].new_page()
    page.route_web_socket("**/_stcore/stream", lambda socket: None)  # opened, and silent: Streamlit never mounts anything
    trace_id = send(collector, samples.story("page first"))
    page.goto(f"{viewer}/trace?trace_id={trace_id}")
    page.wait_for_selector(f"#first-view .rp[data-ready='{trace_id}']")
    page.locator(".row[data-span]").nth(2).click()
    page.wait_for_selector(".row.selected")
    page.close()


def test_streamlit_takes_the_first_view_over_as_it_stands(collector: RunningCollector, show: Open) -> None:
    page = show(send(collector, samples.story("page taken over")))
    page.wait_for_selector("#first-view", state="detached")
    assert page.locator(".stApp .rp").count() == page.locator(".rp").count() == 1
    page.keyboard.press("j")
    page.wait_for_function("() => new URL(location.href).searchParams.get('span_id')")


def test_a_first_view_names_its_modules_and_its_first_question() -> None:
    head, body = first.view_of("/trace", f"trace_id={'a' * 32}&tab=%22%3E%3Cscript%3E")
    assert f'href="/api/v1/traces/{"a" * 32}?view=columns"' in head
    assert all(name in head for name in ("trace_view/assets/tree.js", "trace_view.css.js", "base/first.js"))
    assert "<script" not in body
    assert first.view_of("/sessions", "") == ("", "")


@browser_test
def test_a_viewer_that_ends_is_said_and_the_page_stays(collector: RunningCollector, contexts: dict[str, Any]) -> None:
    page = contexts["light"].new_page()
    with running_viewer(collector.http) as url:
        trace_id = send(collector, samples.story("page alone"))
        page.goto(f"{url}/trace?trace_id={trace_id}")
        page.wait_for_selector(f".stApp .rp[data-ready='{trace_id}']")
    page.locator("#viewer-away .line", has_text="The viewer does not answer").wait_for()
    assert page.get_by_role("dialog").count() == 0
    assert page.locator(".row[data-span]").count() > 3
    page.close()
