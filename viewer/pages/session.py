"""One session: a conversation as turns, with what was searched for and which passages were carried over from turn to turn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import streamlit as st

from collector.client import CollectorClient
from collector.errors import TraceNotFound
from collector.model import SessionSummary, TraceSummary
from viewer import connection, layout
from viewer.format import compact, cost, counted, duration, one_line
from viewer.pages.sessions import quoted
from viewer.pipeline import Pipeline, Ranked, pipeline
from viewer.sheet import Node, h, icon, link

TURNS_AT_ONCE = 40
PASSAGES_SHOWN = 8
WORDS = re.compile(r"\w+")


def page() -> None:
    connection.page("session", lambda client: build(client, st.query_params.get("session_id", ""), st.query_params.get("from", "")))


def build(client: CollectorClient, session_id: str, first: str = "") -> list[Node]:
    if not session_id:
        return [
            connection.remark("quote", "No session chosen", "Open one from the list of sessions.", link("/sessions", "button", "Sessions"))
        ]
    summary, traces = client.session(session_id)
    start = min(max(0, int(first) - 1), max(0, len(traces) - 1)) if first.isdecimal() else 0
    shown = traces[start : start + TURNS_AT_ONCE]
    turns: list[Node] = []
    carried: AbstractSet[str] = frozenset()
    for number, trace in enumerate(shown, start + 1):
        seen = whole(client, trace)
        turns.append(turn(number, trace, seen, carried))
        carried = frozenset(passage.key for passage in seen.passages) if seen else frozenset()
    earlier = (
        link("/session", "button", icon("left"), "Earlier", query={"session_id": session_id, "from": max(1, start + 1 - TURNS_AT_ONCE)})
        if start
        else None
    )
    later_at = start + TURNS_AT_ONCE
    later = (
        link("/session", "button", "Later", icon("right"), query={"session_id": session_id, "from": later_at + 1})
        if later_at < len(traces)
        else None
    )
    foot = layout.leaf(earlier, later, f"turns {start + 1} to {start + len(shown)} of {len(traces)}") if earlier or later else None
    return [heading(summary), h("ol", "turns", *turns), *([foot] if foot else [])]


def whole(client: CollectorClient, trace: TraceSummary) -> Pipeline | None:
    """None for a trace that was deleted while we read."""
    try:
        return pipeline(client.trace(trace.trace_id))
    except TraceNotFound:
        return None


def heading(session: SessionSummary) -> Node:
    length = duration(max(0, session.end_unix_nano - session.start_unix_nano))
    line = h(
        "div",
        "facts",
        layout.fact("Session", session.session_id, "mono"),
        layout.fact("User", session.user_id or "–"),
        layout.fact("Turns", str(session.trace_count)),
        layout.fact("Errors", str(session.error_count), "error-text" if session.error_count else ""),
        layout.fact("Lasted", length),
        layout.fact("Tokens", compact(layout.sum_of(session.usage.input_tokens, session.usage.output_tokens))),
        layout.fact("Cost", cost(session.cost_usd)),
    )
    all_traces = link("/traces", "button", icon("path"), "As traces", query={"filter": quoted("session", session.session_id)})
    return layout.head(one_line(session.first_input_preview, 120) or "Session", all_traces, subtitle=line)


def turn(number: int, trace: TraceSummary, seen: Pipeline | None, carried: AbstractSet[str]) -> Node:
    question = (seen.question if seen else "") or trace.input_preview or trace.root_name or "–"
    answer = (seen.answer if seen else "") or trace.output_preview or ""
    reply = h("prose", "answer", answer) if answer else h("p", "muted", "no answer was recorded")
    return h(
        "li",
        "turn",
        h("div", "turn-mark muted", str(number)),
        h(
            "div",
            "turn-body",
            h("p", "question", question),
            rewritten(question, seen.query if seen else ""),
            passages(seen.passages, carried, seen.cited) if seen and seen.passages else None,
            h("div", "reply", h("fold", "", reply, label="Show the whole answer")),
            h(
                "div",
                "row turn-foot",
                layout.trace_link(trace.trace_id, "button", icon("path"), "Open trace"),
                layout.facts(trace),
                *layout.scores(trace.scores),
                h("span", "grow"),
                layout.moment(trace.start_unix_nano),
            ),
        ),
    )


def rewritten(question: str, query: str) -> Node | None:
    """What was searched, where that is not the question itself (case and punctuation aside)."""
    if not query or WORDS.findall(query.casefold()) == WORDS.findall(question.casefold()):
        return None
    return h("div", "rewritten", icon("rewrite"), h("span", "muted", "searched as"), layout.diffed(question, query))


def passages(found: Sequence[Ranked], carried: AbstractSet[str], cited: AbstractSet[str]) -> Node:
    """The passages of this turn; those the turn before had too are marked."""
    kept = sum(passage.key in carried for passage in found)
    note = counted(len(found), "passage") + (f" · {kept} carried over" if kept else "")
    chips = [chip(passage, passage.key in carried, passage.key in cited) for passage in found[:PASSAGES_SHOWN]]
    more = h("span", "muted", f"and {len(found) - PASSAGES_SHOWN} more") if len(found) > PASSAGES_SHOWN else None
    return h("div", "chips-row", h("span", "muted", note), *chips, more)


def chip(passage: Ranked, kept: bool, quoted: bool) -> Node:
    words = [passage.source or passage.title, *(["carried over from the turn before"] if kept else []), *(["cited"] if quoted else [])]
    return h(
        "span",
        f"passage-chip {'carried' if kept else ''} {'cited' if quoted else ''}",
        icon("quote") if quoted else None,
        h("span", "muted", f"#{passage.rank}"),
        h("span", "clip", one_line(passage.title, 48) or "passage"),
        title=" · ".join(words),
    )
