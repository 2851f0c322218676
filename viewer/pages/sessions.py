"""The sessions page: conversations, the most recently active first."""

from __future__ import annotations

import streamlit as st

from collector.client import CollectorClient
from collector.model import SessionSummary
from viewer import connection, layout
from viewer.format import compact, cost, counted, one_line
from viewer.settings import load
from viewer.sheet import Node, h, icon, link
from viewer.state import Browsing

PAGE_SIZE = 50
COLUMNS = (
    ("Session", "clip name mono"),
    ("First question", "clip wide strong"),
    ("Last answer", "clip wide muted"),
    ("Turns", "number count"),
    ("Errors", "number count"),
    ("Tokens", "number count"),
    ("Cost", "number"),
    ("User", "clip short"),
    ("Service", "clip short"),
    ("Last active", "number time"),
)


def page() -> None:
    connection.page("sessions", lambda client: build(client, Browsing.read(st.query_params.to_dict())))


def build(client: CollectorClient, state: Browsing) -> list[Node]:
    found = client.sessions(state.text, limit=PAGE_SIZE, cursor=state.cursor or None)
    if not found.items and not state.text and not state.cursor:
        text = "A session is a conversation: traces that share a session id. Give one with tracer.session(…) and its turns gather here."
        return [layout.empty("quote", "No sessions yet", text, load().collector)]
    search = h(
        "form",
        "row",
        h(
            "input",
            "input search",
            name="q",
            value=state.text,
            type="search",
            placeholder="Filter, e.g. user:maria status:error",
            aria_label="Filter",
        ),
        h("button", "button", "Filter", type="submit"),
    )
    first = link("/sessions", "button", icon("left"), "First page", query=state.at(None)) if state.cursor else None
    following = link("/sessions", "button", "Next", icon("right"), query=state.at(found.next_cursor)) if found.next_cursor else None
    listed = (
        layout.table("sessions", COLUMNS, [row(session) for session in found.items], "Sessions")
        if found.items
        else h("p", "none muted", "No session matches.")
    )
    return [
        layout.head("Sessions", search),
        h("div", "panel", listed),
        layout.leaf(first, following, counted(len(found.items), "session") + " on this page"),
    ]


def row(session: SessionSummary) -> list[Node]:
    usage = layout.sum_of(session.usage.input_tokens, session.usage.output_tokens)
    failed = h("span", "error-text", str(session.error_count)) if session.error_count else h("span", "muted", "0")
    return [
        link("/session", "mono open", one_line(session.session_id, 40), query={"session_id": session.session_id}),
        link("/session", "", one_line(session.first_input_preview, 120) or "–", query={"session_id": session.session_id}),
        h("span", "", one_line(session.last_output_preview, 120) or "–"),
        h("span", "", str(session.trace_count)),
        failed,
        h("span", "", compact(usage)),
        h("span", "", cost(session.cost_usd)),
        h("span", "", one_line(session.user_id, 40) or "–"),
        h("span", "", one_line(", ".join(session.services), 40)),
        layout.moment(session.end_unix_nano),
    ]
