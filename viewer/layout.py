"""Pieces that several pages draw: page heads, facts, scores, tables, diffs, empty pages. Pure: values in, nodes out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from collector.model import Score, StatusCode, TraceSummary
from viewer import diff
from viewer.format import ago, compact, cost, duration, one_line, score
from viewer.sheet import Child, Node, h, icon, link

DIFF_TAGS = {"same": "span", "removed": "del", "added": "ins"}
STATUS_SIGNS = {StatusCode.ERROR: "error", StatusCode.OK: "ok"}


def head(title: str, *more: Child, subtitle: Child = None) -> Node:
    """A page's title, what belongs beside it, and a line under it."""
    return h("header", "page-head", h("div", "grow", h("h1", "clip", title), h("div", "muted", subtitle) if subtitle else None), *more)


def fact(label: str, value: Child, css: str = "") -> Node:
    return h("span", "fact", h("span", "muted", label), h("b", css, value))


def facts(trace: TraceSummary) -> Node:
    """What a trace took, in one line."""
    usage = (
        trace.usage.total_tokens if trace.usage.total_tokens is not None else sum_of(trace.usage.input_tokens, trace.usage.output_tokens)
    )
    return h(
        "div",
        "facts",
        status(trace),
        fact("Duration", duration(trace.duration_ns)),
        fact("Tokens", compact(usage)),
        fact("Cost", spent(trace)),
        fact("Spans", str(trace.span_count)),
    )


def spent(trace: TraceSummary) -> str:
    """Its cost; a lower bound where a call has no known price."""
    if not trace.unpriced:
        return cost(trace.cost_usd)
    return f"≥ {cost(trace.cost_usd)}" if trace.cost_usd else "unpriced"


def sum_of(*values: int | None) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def status(trace: TraceSummary) -> Node | None:
    """An unset status says nothing, so neither do we."""
    sign = STATUS_SIGNS.get(trace.status)
    return h("span", f"pill {sign}", icon(sign), sign) if sign else None


def moment(ns: int) -> Node:
    """How long ago, the exact time on top of it."""
    return h("span", "muted", ago(ns, time.time_ns()), title=time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ns / 1e9)))


def scores(given: Iterable[Score]) -> list[Node]:
    return [score_pill(entry) for entry in given]


def score_pill(given: Score) -> Node:
    good = None if given.value is None else "ok" if given.value >= 0.8 else "error" if given.value < 0.5 else "warning"
    title = f"{given.name} · {given.annotator_id or given.annotator_kind}"
    if given.name == "thumbs" and given.value is not None:
        return h(
            "span", f"pill {good}", icon("thumbUp" if given.value > 0 else "thumbDown"), one_line(given.label, 24) or None, title=title
        )
    shown = one_line(given.label, 20) if given.label and given.value is None else score(given.value)
    return h("span", f"pill {good or ''}", f"{one_line(given.name, 24)} {shown}", title=title)


def trace_link(trace_id: str, css: str, *children: Child, **attributes: str) -> Node:
    return link("/trace", css, *children, query={"trace_id": trace_id}, **attributes)


def table(css: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Child]], label: str) -> Node:
    """`columns` are (title, class of its cells)."""
    body = [h("tr", "", *(h("td", columns[at][1], cell) for at, cell in enumerate(row))) for row in rows]
    header = h("tr", "", *(h("th", kind, title, scope="col") for title, kind in columns))
    return h("table", f"rows {css}", h("thead", "", header), h("tbody", "", *body), aria_label=label)


def diffed(before: str, after: str) -> Node:
    """One text with what went struck out and what came marked."""
    return h("div", "diff", *(h(DIFF_TAGS[run.change], "", run.text) for run in diff.words(before, after)))


def card(title: str, *children: Child, note: Child = None, css: str = "") -> Node:
    return h("section", f"card {css}", h("h2", "", title, h("small", "muted", note) if note else None), *children)


def leaf(previous: Node | None, following: Node | None, note: str) -> Node:
    """The foot of a list."""
    return h("footer", "leaf", h("span", "muted", note), h("span", "grow"), previous, following)


def empty(sign: str, title: str, text: str, endpoint: str | None = None, *actions: Node) -> Node:
    """A page without data: what to do next."""
    snippets = h("snippets", endpoint=endpoint) if endpoint else None
    return h("div", "empty", h("div", "mark", icon(sign)), h("h2", "", title), h("p", "muted", text), *actions, snippets)
