"""A trace in the terminal: every line fits, every span is drawn once, nothing of a span's text reaches the terminal raw."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from collector.model import (
    Document,
    Finding,
    Health,
    Normalised,
    Span,
    SpanError,
    SpanKind,
    StatusCode,
    Trace,
    TraceSummary,
    Usage,
)
from collector.terminal import clean, count, duration, money, print_trace, tail_line, tokens, traces_table

TRACE = "0af7651916cd43dd8448eb211c80319c"
MS = 1_000_000


def span(span_id: str, parent: str, name: str, kind: SpanKind, start: int, end: int, **known: object) -> Span:
    error = known.get("error")
    normalised = Normalised(kind=kind, status=StatusCode.ERROR if error else StatusCode.OK, **known)  # type: ignore[arg-type]
    return Span(TRACE, span_id, parent, name, start * MS, end * MS if end else 0, normalised=normalised)


DOCUMENTS = tuple(
    Document(f"Passage {i} 中文 " * 20, f"d{i}", 0.9 - i / 10, "cosine", i + 1, {"source": "docs/tracing.md"}) for i in range(7)
)
SPANS = (
    span("a", "", "answer", SpanKind.CHAIN, 0, 1240),
    span("b", "a", "retrieve", SpanKind.RETRIEVER, 10, 300, documents=DOCUMENTS),
    span("c", "b", "embed", SpanKind.EMBEDDING, 11, 50, model="text-embedding-3-small", usage=Usage(14)),
    span("d", "a", "chat \x1b]0;owned\x07 \u202eevil " + "long " * 30, SpanKind.LLM, 301, 0, usage=Usage(1830, 212), cost_usd=0.0014),
    span("e", "a", "lookup", SpanKind.TOOL, 400, 401, error=SpanError("TimeoutError", "no answer after 3 s")),
)
SUMMARY = TraceSummary(
    TRACE,
    "answer",
    False,
    ("docs-bot",),
    "slack-17",
    None,
    (),
    0,
    1240 * MS,
    5,
    1,
    StatusCode.ERROR,
    Usage(1830, 212),
    14,
    0.0014,
    "How do I decorate a retriever? \x1b[31m",
    "Put @tracer.retriever above it [1].",
)


def shown(trace: Trace, width: int, everything: bool = False) -> list[str]:
    console = Console(width=width, file=io.StringIO(), highlight=False, markup=False, emoji=False)
    print_trace(console, trace, everything=everything)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_every_line_fits_and_every_span_is_there(width: int) -> None:
    lines = shown(Trace(SUMMARY, SPANS, Health((Finding("late", "1 span came late"),))), width)
    assert max(map(cell_len, lines)) <= width
    text = "\n".join(lines)
    for word in ("answer", "retrieve", "embed", "chat", "lookup", "TimeoutError", "running", "docs/tracing.md", "1 span came late"):
        assert word in text
    assert "… 2 more" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_question_of_pages_does_not_push_the_tree_away() -> None:
    long = shown(Trace(replace(SUMMARY, input_preview="why " * 500), SPANS), 80)
    assert long[2].rstrip().endswith("…")
    assert "retrieve" in "\n".join(long[:10])


def test_the_tree_nests_as_the_spans_do() -> None:
    lines = shown(Trace(SUMMARY, SPANS), 100)
    starts = {name: next(line for line in lines if name in line).index(name) for name in ("answer ", "retrieve ", "embed ", "lookup ")}
    assert starts["answer "] < starts["retrieve "] == starts["lookup "] < starts["embed "]


def test_all_shows_every_passage() -> None:
    text = "\n".join(shown(Trace(SUMMARY, SPANS), 100, everything=True))
    assert "more (--all" not in text
    assert "Passage 6" in text


def test_a_chain_of_ten_thousand_and_a_cycle_are_drawn() -> None:
    deep = tuple(span(f"s{i}", f"s{i - 1}" if i else "", f"step{i}", SpanKind.CHAIN, i, i + 1) for i in range(10_000))
    assert sum("step" in line for line in shown(Trace(SUMMARY, deep), 80)) == 10_000
    cycle = (span("x", "y", "first", SpanKind.CHAIN, 1, 2), span("y", "x", "second", SpanKind.CHAIN, 2, 3))
    text = "\n".join(shown(Trace(SUMMARY, cycle), 80))
    assert text.count("first") == text.count("second") == 1


@pytest.mark.parametrize("width", [60, 80, 110, 200])
def test_the_list_and_the_tail_fit(width: int) -> None:
    console = Console(width=width, file=io.StringIO(), highlight=False, markup=False)
    console.print(traces_table([SUMMARY] * 3, width))
    console.print(tail_line(SUMMARY, width), no_wrap=True)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 5
    assert max(map(cell_len, lines)) <= width
    assert all(TRACE[:8] in line for line in lines[1:])


def test_the_tail_is_in_columns_whatever_day_it_is() -> None:
    old, new = tail_line(SUMMARY, 100), tail_line(replace(SUMMARY, start_unix_nano=time.time_ns()), 100)
    assert old.plain.index("How") == new.plain.index("How")


def test_amounts_read_well() -> None:
    assert [duration(n) for n in (900_000, 12 * MS, 1_240 * MS, 185_000 * MS, 7_500_000 * MS)] == [
        "900 µs",
        "12 ms",
        "1.24 s",
        "3 m 05 s",
        "2 h 05 m",
    ]
    assert [count(n) for n in (999, 1_234, 34_567, 1_200_000)] == ["999", "1.2k", "34k", "1.2M"]
    assert [money(c) for c in (0, 0.000012, 0.0014, 1.5)] == ["$0", "$0.000012", "$0.0014", "$1.50"]
    assert tokens(None, None) == ""
    assert tokens(5, None) == "5→?"
    assert clean("a\n\tb\x00c\x9bd") == "a b␀c\ufffdd"
