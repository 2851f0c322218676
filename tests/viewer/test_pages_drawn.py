"""The pages that Python lays out, and what they compute: pipelines, moves, differences, states."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from collector.client import CollectorClient
from collector.model import Candidate, Citation, Document, Normalised, Span, SpanKind, Stage, StatusCode, Trace, TraceSummary, Usage
from tests.processes import RunningCollector
from tests.viewer.page_samples import answer
from tests.viewer.sending import send
from viewer import diff, sheet
from viewer.format import NBSP, compact, cost, duration, gist, one_line
from viewer.pages import compare
from viewer.pipeline import Ranked, key_of, pipeline, stage_of
from viewer.state import Browsing, Comparison

# ---- Values ----


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (1_500, "1.50 µs"),
        (2_400_000, "2.40 ms"),
        (999_400_000, "999 ms"),
        (6_020_000_000, "6.02 s"),
        (192 * 10**9, "3 min 12 s"),
        (None, "–"),
    ],
)
def test_durations(ns: int | None, text: str) -> None:
    assert duration(ns).replace(NBSP, " ") == text


def test_amounts() -> None:
    assert [compact(count) for count in (None, 312, 2_600, 99_960, 1_200_000)] == ["–", "312", "2.6k", "100k", "1.2M"]
    assert [cost(usd) for usd in (None, 0, 0.0118, 0.000031, 12.4)] == ["–", "$0", "$0.0118", "$0.000031", "$12.40"]
    assert one_line("a\n  b" * 100, 10) == "a ba ba b…"


def test_a_preview_is_read_without_its_markup() -> None:
    table = "<!-- made -->\n| `a` | b |\n|---|:-:|\n| **c** | d |"
    assert gist(table) == "a · b c · d"
    assert gist("## Head\n- one\n2. two\n```py\nx | y\n```") == "Head one two x | y"
    assert gist("![A *b*](x.png) See *Raw* in [the page](y.md) [1], 2*3*4.") == "A *b* See Raw in the page [1], 2*3*4."
    assert [gist(None), gist("a - b"), gist("-5 degrees"), gist("x" * 30, 10)] == ["", "a - b", "-5 degrees", "x" * 9 + "…"]


def test_a_difference_joins_to_both_texts() -> None:
    before, after = "Refunds take five days.\nOpened software is not.", "Refunds take seven days!\nOpened software is not."
    runs = diff.words(before, after)
    assert "".join(run.text for run in runs if run.change != "added") == before
    assert "".join(run.text for run in runs if run.change != "removed") == after
    assert {run.text for run in runs if run.change == "removed"} == {"five", "."}
    assert diff.similarity(before, before) == 1.0


def test_long_texts_are_compared_by_lines_and_still_join() -> None:
    before = "\n".join(f"line {number} of a long prompt" for number in range(2_000))
    after = before.replace("line 1000 of", "row 1000 of")
    runs = diff.words(before, after)
    assert "".join(run.text for run in runs if run.change != "added") == before
    assert [run.text for run in runs if run.change == "removed"] == ["line"]


def test_states_are_read_from_the_address() -> None:
    assert Comparison.read({"a": "A" * 32, "b": "nonsense"}) == Comparison("a" * 32, "", "")
    assert Browsing.read({"q": " user:maria ", "cursor": "c"}).at(None) == {"q": "user:maria", "source": "", "cursor": None}
    assert sheet.address("/sessions", {"q": "a b&c", "cursor": None}) == "/sessions?q=a+b%26c"


# ---- A trace as steps ----


def span(span_id: str, name: str, kind: SpanKind, parent: str = "", *, start: int = 0, end: int = 10, **seen: Any) -> Span:
    return Span("t" * 32, span_id, parent, name, start, end, normalised=Normalised(kind=kind, **seen))


def trace(*spans: Span) -> Trace:
    summary = TraceSummary(
        "t" * 32, "r", False, ("bot",), None, None, (), 0, 10, len(spans), 0, StatusCode.OK, Usage(), None, None, "q", "a"
    )
    return Trace(summary, spans)


CASES = json.loads((Path(__file__).parent / "stage_cases.json").read_text("utf-8"))


@pytest.mark.parametrize(("kind", "name", "said", "stage"), CASES["stages"])
def test_a_step_is_known_by_kind_and_name(kind: str, name: str, said: str | None, stage: str | None) -> None:
    found = stage_of(span("1", name, SpanKind(kind), stage=said))
    assert (found.value if found else None) == stage


def test_a_hybrid_search_found_what_its_arms_found_together() -> None:
    case = CASES["hybrid"]
    spans = [
        span(
            given["id"],
            given["name"],
            SpanKind(given["kind"]),
            given["parent"],
            start=at,
            documents=tuple(Document("", key, rank=rank) for rank, key in enumerate(given.get("documents", ()), 1)),
            candidates=tuple(Candidate(key, dropped="below cut") for key in given.get("dropped", ())),
        )
        for at, given in enumerate(case["spans"])
    ]
    recalled = pipeline(trace(*spans)).steps[Stage.RECALL]
    assert [search.span_id for search in recalled.searches] == case["searches"]
    assert len(recalled.kept) == case["found"]
    assert [passage.key for passage in recalled.kept] == ["id:a", "id:b", "id:d", "id:c"]


def test_a_pipeline_reads_like_the_request_went() -> None:
    documents = (Document("Five days.", "a", 0.9, rank=1), Document("Not software.", "b", 0.4, rank=2))
    seen = pipeline(
        trace(
            span("1", "answer", SpanKind.CHAIN, input="How long?", output="Five days [1]."),
            span("2", "retrieve", SpanKind.RETRIEVER, "1", start=1, documents=documents, query="refund length"),
            span("3", "dense", SpanKind.RETRIEVER, "2", start=2, query="other"),
            span("4", "chat", SpanKind.LLM, "1", start=3, model="m", citations=(Citation("[1]", "a", True),)),
            span("5", "judge", SpanKind.EVALUATOR, "1", start=4),
            span("6", "chat", SpanKind.LLM, "5", start=5, end=99, model="judge-model"),
        )
    )
    assert list(seen.steps) == [Stage.RECALL, Stage.GENERATE]
    assert (seen.question, seen.query, seen.answer) == ("How long?", "refund length", "Five days [1].")
    assert [passage.key for passage in seen.passages] == ["id:a", "id:b"]
    assert seen.cited == {"id:a"}
    assert seen.configuration["generate model"] == "m"


def test_a_cycle_of_parents_ends() -> None:
    assert list(pipeline(trace(span("1", "a", SpanKind.LLM, "2"), span("2", "b", SpanKind.RETRIEVER, "1"))).steps) == [
        Stage.RECALL,
        Stage.GENERATE,
    ]


def test_passages_without_an_id_are_joined_by_their_text() -> None:
    assert key_of(None, "two\n words ") == key_of("", "two words") != key_of("two words", None)


def test_moves_between_two_rankings() -> None:
    before = [Ranked(f"id:{name}", rank) for rank, name in enumerate("abc", 1)]
    after = [Ranked(f"id:{name}", rank) for rank, name in enumerate("cad", 1)]
    assert [(move.passage.key, *move.sign) for move in compare.moves(before, after)] == [
        ("id:c", "↑ 2", "ok"),
        ("id:a", "↓ 1", "warning"),
        ("id:d", "in", "ok"),
        ("id:b", "out", "error"),
    ]


# ---- Pages ----


@pytest.fixture(autouse=True)
def environment(collector: RunningCollector, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RIGHTPASSAGE_COLLECTOR", collector.http)
    return


def drawn(name: str, query: Mapping[str, str] | None = None) -> str:
    """A page's payload as text: what the browser would be given."""
    at = AppTest.from_string(f"from viewer.pages import {name}\n{name}.page()", default_timeout=20)
    for key, value in (query or {}).items():
        at.query_params[key] = value
    at.run()
    assert not at.exception
    [component] = [element for element in at.main.children.values() if element.type == "bidi_component"]
    return component.proto.json


@pytest.mark.parametrize("name", ["traces", "ask", "importing"])
def test_pages_that_fetch_are_given_names_only(name: str) -> None:
    assert len(drawn(name)) < 2_000


def test_a_comparison_is_laid_out_as_text(collector: RunningCollector) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    first, second = (send(collector, answer(f"drawn {which}", question=f"{which} {evil}", service="drawn-bot")) for which in "ab")
    nodes = json.loads(drawn("compare", {"a": first, "b": second}))["nodes"]
    text = json.dumps(nodes)
    assert evil in text
    assert [node[2][2] for node in nodes if node[1].get("class", "").startswith("card")] == [
        "Configuration",
        "Stages",
        "Passages",
        "Searched for",
        "Answer",
        "Prompt",
    ]


def test_sessions_and_one_session(collector: RunningCollector) -> None:
    for turn in range(2):
        send(collector, answer(f"drawn turn {turn}", session="drawn-1", user="aiko", minutes_ago=2 - turn))
    assert "/session?session_id=drawn-1" in drawn("sessions", {"q": "user:aiko"})
    page = drawn("session", {"session_id": "drawn-1"})
    assert page.count('"turn"') == 2
    assert "3 carried over" in page


@pytest.mark.parametrize(
    ("name", "query", "says"),
    [
        ("session", {}, "No session chosen"),
        ("session", {"session_id": "nobody"}, "Not here"),
        ("compare", {}, "Nothing to compare yet"),
        ("compare", {"a": "0" * 32, "b": "1" * 32}, "Not here"),
        ("sessions", {"q": "statuz:x"}, "did you mean"),
        ("passages", {"passage": "nothing"}, "Not here"),
    ],
)
def test_what_is_not_there_is_said(name: str, query: Mapping[str, str], says: str) -> None:
    assert says in drawn(name, query)


def test_a_collector_that_is_away_is_said_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHTPASSAGE_COLLECTOR", "http://127.0.0.1:9")
    page = drawn("sessions")
    assert "does not answer" in page
    assert '"retry"' in page


def test_scores_stand_on_a_turn(collector: RunningCollector, client: CollectorClient) -> None:
    trace_id = send(collector, answer("drawn scored", session="drawn-scored"))
    client.score("thumbs", value=-1, label="wrong page", trace_id=trace_id, annotator_id="maria")
    page = drawn("session", {"session_id": "drawn-scored"})
    assert "thumbDown" in page
    assert "wrong page" in page
